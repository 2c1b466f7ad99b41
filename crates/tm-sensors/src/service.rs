//! The loop: whichever device is due is read, what is worth telling is published, and what is
//! asked is done beside it.

use std::convert::Infallible;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tm_service::bus::{Bus, BusEvent, BusOptions};
use tm_service::{Clock, Host, Store};
use tm_types::{Cause, Instance, Severity, code};
use tokio::time::Instant;
use tracing::{info, warn};

use crate::Config;
use crate::channel::Channels;
use crate::desk::{Desk, OPERATIONS};
use crate::driver::{self, DevicePoll, Driver, Places};
use crate::gpio;
use crate::lines::Lines;
use crate::modbus::{Device, Map};
use crate::report::{Deadband, Reporter};
use crate::state::{Devices, MACHINE};

/// The retained state is sent again after this long without a change, for its `last_seen`.
const STATE_REFRESH: Duration = Duration::from_mins(10);
/// The file with the last values of counters and identities.
const COUNTERS: &str = "counters";
/// Between two times that it is written, but for news and an orderly stop: flash wears.
const COUNTERS_PERIOD: Duration = Duration::from_hours(1);
/// The most points of one message: with the longest names and texts they stay below the 128 KiB of the bus.
const POINTS_MAX: usize = 250;

/// Runs the collector until it is dropped.
pub async fn run(config: Config, host: Host) -> Result<Infallible, anyhow::Error> {
    let mut desk = Desk::open(&config, &host).await;
    let mut bus = host.bus.open(BusOptions {
        operations: OPERATIONS,
        ..BusOptions::default()
    });
    let (inputs, refused) = configured_inputs(&config, &host.instance, &desk.map().devices);
    let mut collector = Collector::new(&config, &inputs, refused, host.store.clone());
    let mut lines = Lines::new(host.clock.clone());
    desk.tell(&bus);
    collector.activate(&mut lines, desk.map(), desk.finding());
    collector.tell_state(&bus);
    // Where nothing is configured, no poll will ever say it.
    if desk.map().devices.is_empty() && inputs.is_empty() && !config.machine {
        collector.tell_health(&bus);
    }

    let data = host.store.directory();
    let places = Places {
        machine: config.machine,
        sys: &config.sysfs_root.0,
        proc: &config.procfs_root.0,
        disk: config.disk.as_ref().map_or(data, |disk| &disk.0),
        period: Duration::from_secs(config.period_s.into()),
        temperature_band: Deadband::Absolute(config.deadband_cel),
        store: &host.store,
        source: host.instance.source(),
    };
    let mut polling: FuturesUnordered<_> = driver::drivers(&places, inputs)
        .into_iter()
        .map(|driver| poll_with(driver, host.clock.clone()))
        .collect();
    loop {
        tokio::select! {
            event = bus.next() => {
                if let BusEvent::Command(request) = event {
                    desk.on_request(&request, &bus, &mut lines);
                }
            }
            Some((driver, polls)) = polling.next() => {
                collector.on_polls(&bus, polls);
                polling.push(poll_with(driver, host.clock.clone()));
            }
            polls = lines.next() => collector.on_polls(&bus, polls),
            done = desk.next() => {
                if desk.on_done(done, &bus, &mut lines) {
                    collector.activate(&mut lines, desk.map(), desk.finding());
                    collector.tell_state(&bus);
                    collector.tell_health(&bus);
                }
            }
        }
    }
}

/// The next polls of a driver, and the driver itself for the time after.
async fn poll_with(mut driver: Driver, clock: Clock) -> (Driver, Vec<DevicePoll>) {
    let polls = driver.next(&clock).await;
    (driver, polls)
}

/// What the service knows between two polls.
struct Collector {
    channels: Channels,
    reporter: Reporter,
    devices: Devices,
    /// Of the map in force, as they are expected.
    mapped: Vec<Device>,
    findings: Vec<Cause>,
    /// What is wrong with the list of inputs.
    refused: Option<Cause>,
    told_state: Instant,
    store: Store,
    kept: Instant,
}

/// An orderly stop loses nothing.
impl Drop for Collector {
    fn drop(&mut self) {
        self.keep_counters();
    }
}

impl Collector {
    fn new(config: &Config, inputs: &[gpio::Spec], refused: Option<Cause>, store: Store) -> Self {
        let mut devices = Devices::default();
        if config.machine {
            devices.expect(MACHINE, "machine", config.period_s, Vec::new());
        }
        for input in inputs {
            let name = input.name().as_str();
            let period_s = u32::try_from(input.period().as_secs()).unwrap_or(u32::MAX);
            devices.expect(name, gpio::DRIVER, period_s, vec![name.to_owned()]);
        }
        Self {
            channels: Channels::recalling(store.load(COUNTERS).unwrap_or_default()),
            reporter: Reporter::new(Duration::from_secs(config.heartbeat_s.into())),
            devices,
            mapped: Vec::new(),
            findings: Vec::new(),
            refused,
            told_state: Instant::now(),
            store,
            kept: Instant::now(),
        }
    }

    /// Those of the map: the machine's own begin anew with it, and pulses have a file of their own.
    fn keep_counters(&mut self) {
        self.kept = Instant::now();
        let registers = self.mapped.iter().flat_map(|device| &device.registers);
        let channels = registers.map(|register| (&register.name, register.kind));
        let kept = self.channels.kept(channels);
        if !kept.is_empty() {
            self.store.save(COUNTERS, &kept);
        }
    }

    /// Polls the devices of another map; those that are in both keep what is known of them.
    fn activate(&mut self, lines: &mut Lines, map: &Map, finding: Option<&Cause>) {
        let devices = &map.devices;
        self.channels.follow(&map.rules);
        self.findings = finding.into_iter().chain(&self.refused).cloned().collect();
        let old = std::mem::replace(&mut self.mapped, devices.clone());
        for gone in old.iter().filter(|device| !devices.contains(device)) {
            self.devices.forget(&gone.name);
            self.reporter.forget(&gone.name);
        }
        for device in devices.iter().filter(|device| !old.contains(device)) {
            let points = device.registers.iter().map(|r| r.name.to_string());
            let period_s = u32::try_from(device.period.as_secs()).unwrap_or(u32::MAX);
            self.devices
                .expect(&device.name, "modbus", period_s, points.collect());
        }
        if old != self.mapped {
            lines.apply(devices.clone());
        }
    }

    fn on_polls(&mut self, bus: &Bus, polls: Vec<DevicePoll>) {
        for poll in polls {
            self.on_poll(bus, poll);
        }
    }

    fn on_poll(&mut self, bus: &Bus, mut poll: DevicePoll) {
        let now = Instant::now();
        let is_news = self.devices.note(&poll);
        if is_news {
            if let Some(reason) = poll.failure {
                warn!(device = %poll.device, reason = reason.as_str(), "sensor failed");
            } else {
                info!(device = %poll.device, "sensor answers");
            }
        }
        let happened = self.channels.judge(now, &mut poll.points);
        if !happened.is_empty() || now.saturating_duration_since(self.kept) >= COUNTERS_PERIOD {
            self.keep_counters();
        }
        for cause in happened {
            bus.event_at(poll.stamp, Severity::Warning, cause);
        }
        let points = self
            .reporter
            .worth_telling(now, &self.channels, poll.points);
        for part in points.chunks(POINTS_MAX) {
            bus.data(poll.stamp, part.to_vec());
        }
        if is_news || now.saturating_duration_since(self.told_state) >= STATE_REFRESH {
            self.tell_state(bus);
        }
        self.tell_health(bus);
    }

    fn tell_state(&mut self, bus: &Bus) {
        bus.state(&self.devices.state());
        self.told_state = Instant::now();
    }

    fn tell_health(&self, bus: &Bus) {
        let (status, reasons) = self.devices.health(&self.findings);
        bus.health(status, reasons);
    }
}

/// The inputs of the document, or what is wrong with it; the rest of the service goes on.
fn configured_inputs(
    config: &Config,
    instance: &Instance,
    devices: &[Device],
) -> (Vec<gpio::Spec>, Option<Cause>) {
    let Some(document) = &config.gpio else {
        return (Vec::new(), None);
    };
    let others = devices.iter().map(|device| device.name.clone());
    let taken: Vec<String> = others.chain([MACHINE.to_owned()]).collect();
    match gpio::parse(document, &instance.source(), &taken) {
        Ok(inputs) => (inputs, None),
        Err(error) => {
            let name = format!("{}GPIO", instance.variable_prefix());
            let cause = code::SENSORS_GPIO_INVALID.with("name", name);
            let cause = cause.and("line", error.line).and("reason", error.reason);
            warn!(code = %cause.code, args = ?cause.args, "list of inputs refused");
            (Vec::new(), Some(cause))
        }
    }
}

#[cfg(test)]
mod tests {
    use tm_types::{BootId, Kind, Point, Poll, Reading, Reason, Stamp, Timestamp, Unit, Value};

    use super::*;

    #[test]
    fn the_most_points_of_a_message_are_taken_by_the_bus() {
        let point = Point {
            name: "n".repeat(58).parse().unwrap(),
            kind: Kind::Counter,
            unit: Unit::new("kW.h/m3").unwrap(),
            reading: Reading::Uncertain(
                Value::text(&"😀".repeat(64)).unwrap(),
                Reason::DeviceError,
            ),
            scale: Some(9),
        };
        let poll = Poll {
            sequence: None,
            stamp: Stamp {
                time: Timestamp::EPOCH,
                mono_ms: u64::MAX,
                boot: BootId(1),
                clock: tm_types::Clock::Estimated,
                err_ms: Some(u32::MAX),
            },
            points: vec![point; POINTS_MAX],
        };
        // And 100 bytes for the numbering.
        assert!(poll.to_json().len() + 100 < 128 * 1024);
    }
}
