//! A driver waits until one of its devices is due, and reads it.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use tm_service::Clock;
use tm_service::bus::BusHandle;
use tm_types::{OperationId, Reason, Stamp};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use crate::machine::Machine;
use crate::modbus::{self, Line, Wanted};
use crate::one_wire::OneWire;
use crate::report::{Deadband, Measured};
use crate::schedule::Schedule;

/// What one poll of one device brought: one stamp, one message.
#[derive(Debug)]
pub(crate) struct DevicePoll {
    /// Names the device in the state.
    pub(crate) device: String,
    /// `machine`, `one-wire`, `modbus`.
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
    /// The devices on one Modbus line, and what is to be written there.
    Modbus(Line, mpsc::Receiver<Write>),
}

/// A write on its way to the line of its device.
pub(crate) struct Write {
    pub(crate) id: OperationId,
    pub(crate) wanted: Box<Wanted>,
    pub(crate) bus: BusHandle,
}

/// Writes that may wait for one line.
const WRITES_MAX: usize = 8;

/// Where the writes for a device go.
pub(crate) type Writers = HashMap<String, mpsc::Sender<Write>>;

/// Where and how often the built-in drivers look.
pub(crate) struct Places<'a> {
    /// Whether they look at all.
    pub(crate) machine: bool,
    pub(crate) sys: &'a Path,
    pub(crate) proc: &'a Path,
    pub(crate) disk: &'a Path,
    pub(crate) period: Duration,
    pub(crate) temperature_band: Deadband,
}

/// The drivers of a configuration, all due at once.
pub(crate) fn drivers(places: &Places<'_>, devices: Vec<modbus::Device>) -> (Vec<Driver>, Writers) {
    let now = Instant::now();
    let schedule = Schedule::new(now, places.period);
    let band = places.temperature_band;
    let machine = Machine::new(places.sys, places.proc, places.disk, band);
    let one_wire = OneWire::new(places.sys, band);
    let mut drivers = Vec::new();
    if places.machine {
        drivers.push(Driver::Machine(Box::new(machine), schedule, places.period));
        drivers.push(Driver::OneWire(one_wire, schedule, places.period));
    }
    let mut writers = Writers::new();
    let names: Vec<String> = devices.iter().map(|device| device.name.clone()).collect();
    for line in modbus::lines(devices, now) {
        let (sender, receiver) = mpsc::channel(WRITES_MAX);
        let on_line = names.iter().filter(|name| line.has(name));
        writers.extend(on_line.map(|name| (name.clone(), sender.clone())));
        drivers.push(Driver::Modbus(line, receiver));
    }
    (drivers, writers)
}

impl Driver {
    /// Waits until something is due, reads it, and plans its next time.
    pub(crate) async fn next(&mut self, clock: &Clock) -> Vec<DevicePoll> {
        self.wait().await;
        match self {
            Self::Machine(machine, schedule, period) => {
                let stamp = clock.stamp();
                let points = machine.poll().await;
                schedule.advance(Instant::now());
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
        let due = self.due();
        let Self::Modbus(line, writes) = self else {
            return sleep_until(due).await;
        };
        loop {
            tokio::select! {
                // What a person asked for goes before the next poll.
                biased;
                Some(Write { id, wanted, bus }) = writes.recv() => {
                    bus.progress(&id, None);
                    let written = line.write(&wanted).await;
                    match wanted.outcome(written) {
                        Ok(result) => bus.succeed(&id, result),
                        Err(cause) => bus.fail(&id, &cause),
                    }
                }
                () = sleep_until(due) => return,
            }
        }
    }

    fn due(&self) -> Instant {
        match self {
            Self::Machine(_, schedule, _) | Self::OneWire(_, schedule, _) => schedule.due(),
            Self::Modbus(line, _) => line.due(),
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

/// Why nothing at all was read; `None` when something was.
fn total_failure(points: &[Measured]) -> Option<Reason> {
    let any = points.iter().any(|m| m.point.reading.value().is_some());
    let first = points.iter().find_map(|m| m.point.reading.reason());
    first.filter(|_| !any)
}
