//! A driver waits until one of its devices is due, and reads it.

use std::path::Path;
use std::time::Duration;

use tm_service::Clock;
use tm_types::{Reason, Stamp};
use tokio::time::{Instant, sleep_until};

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
    /// The devices behind one Modbus TCP connection; `lines` makes these.
    Modbus(Line),
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
}

/// The built-in drivers of a configuration, all due at once.
pub(crate) fn drivers(places: &Places<'_>) -> Vec<Driver> {
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
    drivers
}

impl Driver {
    /// Waits until something is due, reads it, and plans its next time.
    pub(crate) async fn next(&mut self, clock: &Clock) -> Vec<DevicePoll> {
        sleep_until(self.due()).await;
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

    fn due(&self) -> Instant {
        match self {
            Self::Machine(_, schedule, _) | Self::OneWire(_, schedule, _) => schedule.due(),
            Self::Modbus(line) => line.due(),
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
