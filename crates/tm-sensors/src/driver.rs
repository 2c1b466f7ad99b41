//! A driver waits until one of its devices is due, and reads it.

use std::path::Path;
use std::time::Duration;

use tm_service::bus::BusHandle;
use tm_service::{Clock, Store};
use tm_types::{OperationId, Reading, Reason, Source, Stamp};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use crate::chips::Chips;
use crate::gpio::{self, Input};
use crate::machine::Machine;
use crate::modbus::{Line, Refused, Wanted};
use crate::one_wire::OneWire;
use crate::report::{Deadband, Measured};
use crate::schedule::Schedule;

/// What one poll of one device brought: one stamp, one message.
#[derive(Debug)]
pub(crate) struct DevicePoll {
    /// Names the device in the state.
    pub(crate) device: String,
    /// `machine`, `one-wire`, `iio`, `hwmon`, `gpio`, `modbus`.
    pub(crate) driver: &'static str,
    /// Between two polls of this device.
    pub(crate) period: Duration,
    /// Taken when the poll began.
    pub(crate) stamp: Stamp,
    /// What was read, missing readings included.
    pub(crate) points: Vec<Measured>,
    /// Why the device counts as failed; `None` when it answered.
    pub(crate) failure: Option<Reason>,
}

/// A way to reach devices.
pub(crate) enum Driver {
    /// The machine itself.
    Machine(Box<Machine>, Schedule, Duration),
    /// Every 1-Wire sensor.
    OneWire(OneWire, Schedule, Duration),
    /// Every chip that the kernel measures.
    Chips(Chips, Schedule, Duration),
    /// The devices on one Modbus line, and what is to be written there; `lines` makes these.
    Modbus(Box<Line>, mpsc::Receiver<Write>),
    /// A contact or a pulse counter.
    Input(Box<Input>),
}

/// A write on its way to the line of its device.
pub(crate) struct Write {
    pub(crate) id: OperationId,
    pub(crate) wanted: Box<Wanted>,
    pub(crate) bus: BusHandle,
    /// The asker has his answer, or will have it from somebody else.
    pub(crate) is_answered: bool,
}

impl Write {
    pub(crate) fn new(id: OperationId, wanted: Wanted, bus: BusHandle) -> Self {
        Self {
            id,
            wanted: Box::new(wanted),
            bus,
            is_answered: false,
        }
    }

    fn answer(mut self, written: Result<Reading, Refused>) {
        self.is_answered = true;
        match self.wanted.outcome(written) {
            Ok(result) => self.bus.succeed(&self.id, result),
            Err(cause) => self.bus.fail(&self.id, &cause),
        }
    }
}

/// A line that is given up, for another map or for a look at its port, takes its writes with it.
impl Drop for Write {
    fn drop(&mut self) {
        if !self.is_answered {
            self.bus.fail(&self.id, &self.wanted.given_up());
        }
    }
}

/// Where and how often the built-in drivers look.
pub(crate) struct Places<'a> {
    /// Whether they look at all.
    pub(crate) machine: bool,
    pub(crate) sys: &'a Path,
    pub(crate) proc: &'a Path,
    pub(crate) disk: &'a Path,
    pub(crate) period: Duration,
    pub(crate) temperature_band: Deadband,
    /// Remembers boots.
    pub(crate) store: &'a Store,
    /// Who publishes.
    pub(crate) source: Source,
}

/// The built-in drivers and the inputs of a configuration, all due at once.
pub(crate) fn drivers(places: &Places<'_>, inputs: Vec<gpio::Spec>) -> Vec<Driver> {
    let now = Instant::now();
    let schedule = Schedule::new(now, places.period);
    let band = places.temperature_band;
    let mut drivers = Vec::new();
    if places.machine {
        let period = places.period;
        let machine = Machine::new(places.sys, places.proc, places.disk, band, places.store);
        drivers.push(Driver::Machine(Box::new(machine), schedule, period));
        let one_wire = OneWire::new(places.sys, band);
        drivers.push(Driver::OneWire(one_wire, schedule, period));
        let chips = Chips::new(places.sys, places.source.clone(), band);
        drivers.push(Driver::Chips(chips, schedule, period));
    }
    let inputs = gpio::inputs(inputs, places.store, now).into_iter();
    drivers.extend(inputs.map(|input| Driver::Input(Box::new(input))));
    drivers
}

impl Driver {
    /// Waits until something is due, reads it, and plans its next time.
    pub(crate) async fn next(&mut self, clock: &Clock) -> Vec<DevicePoll> {
        self.wait().await;
        match self {
            Self::Machine(machine, schedule, period) => {
                machine.wait(schedule.due()).await;
                let stamp = clock.stamp();
                let points = machine.poll(&stamp).await;
                let now = Instant::now();
                if now >= schedule.due() {
                    schedule.advance(now);
                }
                vec![DevicePoll {
                    device: "machine".to_owned(),
                    driver: "machine",
                    period: *period,
                    stamp,
                    failure: total_failure(&points),
                    points,
                }]
            }
            Self::OneWire(one_wire, schedule, period) => {
                let polls = poll_one_wire(one_wire, *period, clock).await;
                schedule.advance(Instant::now());
                polls
            }
            Self::Chips(chips, schedule, period) => {
                let polls = poll_chips(chips, *period, clock).await;
                schedule.advance(Instant::now());
                polls
            }
            Self::Input(input) => input.next(clock).await,
            Self::Modbus(line, _) => {
                let stamp = clock.stamp();
                let reading = line.poll().await;
                vec![DevicePoll {
                    device: reading.device,
                    driver: "modbus",
                    period: reading.period,
                    stamp,
                    points: reading.points,
                    failure: reading.failure,
                }]
            }
        }
    }

    /// Until something is due; a line writes meanwhile.
    async fn wait(&mut self) {
        let due = match self {
            Self::OneWire(_, schedule, _) | Self::Chips(_, schedule, _) => schedule.due(),
            Self::Modbus(line, _) => line.due(),
            // They wait for their own news.
            Self::Machine(..) | Self::Input(_) => return,
        };
        let Self::Modbus(line, writes) = self else {
            return sleep_until(due).await;
        };
        loop {
            tokio::select! {
                // What a person asked for goes before the next poll.
                biased;
                Some(write) = writes.recv() => {
                    write.bus.progress(&write.id, None);
                    let written = line.write(&write.wanted).await;
                    write.answer(written);
                }
                () = sleep_until(due) => return,
            }
        }
    }
}

/// Reads the sensors one after the other: they share a wire.
async fn poll_one_wire(one_wire: &mut OneWire, period: Duration, clock: &Clock) -> Vec<DevicePoll> {
    let mut polls = Vec::new();
    for (id, presence) in one_wire.look().await {
        let stamp = clock.stamp();
        let measured = match presence {
            Ok(()) => one_wire.read(&id).await,
            Err(reason) => one_wire.missing(&id, reason),
        };
        let points = vec![measured];
        polls.push(DevicePoll {
            device: id,
            driver: "one-wire",
            period,
            stamp,
            failure: total_failure(&points),
            points,
        });
    }
    polls
}

/// Reads the chips one after the other: most of them share a bus.
async fn poll_chips(chips: &mut Chips, period: Duration, clock: &Clock) -> Vec<DevicePoll> {
    let mut polls = Vec::new();
    for (id, driver, presence) in chips.look().await {
        let stamp = clock.stamp();
        let points = match presence {
            Ok(()) => chips.read(&id).await,
            Err(reason) => chips.missing(&id, reason),
        };
        polls.push(DevicePoll {
            device: id,
            driver,
            period,
            stamp,
            failure: total_failure(&points),
            points,
        });
    }
    polls
}

/// Why nothing at all was read; `None` when something was.
fn total_failure(points: &[Measured]) -> Option<Reason> {
    let any = points.iter().any(|m| m.point.reading.value().is_some());
    let first = points.iter().find_map(|m| m.point.reading.reason());
    first.filter(|_| !any)
}
