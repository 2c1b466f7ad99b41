//! A driver waits until one of its devices is due, and reads it.

use std::path::Path;
use std::time::Duration;

use tm_service::{Clock, Store};
use tm_types::{Reason, Source, Stamp};
use tokio::time::{Instant, sleep_until};

use crate::chips::Chips;
use crate::gpio::{self, Input};
use crate::machine::Machine;
use crate::modbus::Line;
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
    /// The devices behind one Modbus TCP connection; `lines` makes these.
    Modbus(Line),
    /// A contact or a pulse counter.
    Input(Box<Input>),
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
        if let Some(due) = self.due() {
            sleep_until(due).await;
        }
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
            Self::Modbus(line) => {
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

    /// `None` for what waits for its own news.
    fn due(&self) -> Option<Instant> {
        match self {
            Self::OneWire(_, schedule, _) | Self::Chips(_, schedule, _) => Some(schedule.due()),
            Self::Modbus(line) => Some(line.due()),
            Self::Machine(..) | Self::Input(_) => None,
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
