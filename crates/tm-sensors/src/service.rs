//! The loop: whichever device is due is read, and what is worth telling is published.

use std::convert::Infallible;
use std::path::Path;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tm_service::bus::{Bus, BusEvent, BusOptions, Request};
use tm_service::{Clock, Host};
use tm_types::{Cause, Instance, Severity, code};
use tokio::time::Instant;
use tracing::{info, warn};

use crate::Config;
use crate::blocking::{self, Blocking, Fault};
use crate::channel::Channels;
use crate::driver::{self, DevicePoll, Driver, Places, Write, Writers};
use crate::modbus::{self, Wanted};
use crate::report::{Deadband, Reporter};
use crate::state::{Devices, MACHINE};

/// The retained state is sent again after this long without a change, for its `last_seen`.
const STATE_REFRESH: Duration = Duration::from_mins(10);
/// Every operation of this service (`docs/sensors.md`).
const OPERATIONS: &[&str] = &[modbus::WRITE];
/// More than the parser takes, so that a longer file is refused by it.
const MAP_FILE_MAX: usize = 1024 * 1024;
/// For the file with the map, on a disk that may be failing.
const MAP_DEADLINE: Duration = Duration::from_secs(5);

/// Runs the collector until it is dropped.
pub async fn run(config: Config, host: Host) -> Result<Infallible, anyhow::Error> {
    let (modbus::Map { devices, rules }, findings) =
        configured_devices(&config, &host.instance).await;
    let mut bus = host.bus.open(BusOptions {
        operations: OPERATIONS,
        ..BusOptions::default()
    });
    let mut collector = Collector::new(&config, Channels::new(rules), findings);
    collector.expect(&config, &devices);
    collector.tell_state(&bus);
    // Where nothing is configured, no poll will ever say it.
    let (status, reasons) = collector.devices.health(&collector.findings);
    if devices.is_empty() && !config.machine {
        bus.health(status, reasons);
    }

    let data = host.store.directory();
    let places = Places {
        machine: config.machine,
        sys: &config.sysfs_root.0,
        proc: &config.procfs_root.0,
        disk: config.disk.as_ref().map_or(data, |disk| &disk.0),
        period: Duration::from_secs(config.period_s.into()),
        temperature_band: Deadband::Absolute(config.deadband_cel),
    };
    let is_writable = |device: &&modbus::Device| device.is_writable();
    let writable: Vec<_> = devices.iter().filter(is_writable).cloned().collect();
    let (drivers, writers) = driver::drivers(&places, devices);
    let mut polling: FuturesUnordered<_> = drivers
        .into_iter()
        .map(|driver| poll_with(driver, host.clock.clone()))
        .collect();
    loop {
        tokio::select! {
            event = bus.next() => {
                if let BusEvent::Command(request) = event {
                    write(&bus, &writable, &writers, &request);
                }
            }
            Some((driver, polls)) = polling.next() => {
                for poll in polls {
                    collector.on_poll(&bus, poll);
                }
                polling.push(poll_with(driver, host.clock.clone()));
            }
        }
    }
}

/// The next polls of a driver, and the driver itself for the time after.
async fn poll_with(mut driver: Driver, clock: Clock) -> (Driver, Vec<DevicePoll>) {
    let polls = driver.next(&clock).await;
    (driver, polls)
}

/// Hands an asked write to the line of its device.
fn write(bus: &Bus, devices: &[modbus::Device], writers: &Writers, request: &Request) {
    let wanted = match Wanted::read(&request.args, devices) {
        Ok(wanted) => wanted,
        Err(cause) => return bus.fail(&request.id, &cause),
    };
    let device = wanted.device.name.clone();
    let write = Write {
        id: request.id.clone(),
        wanted: Box::new(wanted),
        bus: bus.handle(),
    };
    let writer = writers.get(&device);
    if writer.is_none_or(|writer| writer.try_send(write).is_err()) {
        let detail = format!("too many writes wait for {device}");
        let cause = code::OPERATION_BAD_ARGUMENTS.with("detail", detail);
        bus.fail(&request.id, &cause);
    }
}

/// What the service knows between two polls.
struct Collector {
    channels: Channels,
    reporter: Reporter,
    devices: Devices,
    findings: Vec<Cause>,
    told_state: Instant,
}

impl Collector {
    fn new(config: &Config, channels: Channels, findings: Vec<Cause>) -> Self {
        Self {
            channels,
            reporter: Reporter::new(Duration::from_secs(config.heartbeat_s.into())),
            devices: Devices::default(),
            findings,
            told_state: Instant::now(),
        }
    }

    /// Lists the devices that are known before anything is polled.
    fn expect(&mut self, config: &Config, devices: &[modbus::Device]) {
        if config.machine {
            self.devices
                .expect(MACHINE, "machine", config.period_s, Vec::new());
        }
        for device in devices {
            let points = device.registers.iter().map(|r| r.name.to_string());
            let period_s = u32::try_from(device.period.as_secs()).unwrap_or(u32::MAX);
            self.devices
                .expect(&device.name, "modbus", period_s, points.collect());
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
        for cause in self.channels.judge(now, &mut poll.points) {
            bus.event_at(poll.stamp, Severity::Warning, cause);
        }
        let points = self
            .reporter
            .worth_telling(now, &self.channels, poll.points);
        if !points.is_empty() {
            bus.data(poll.stamp, points);
        }
        if is_news || now.saturating_duration_since(self.told_state) >= STATE_REFRESH {
            self.tell_state(bus);
        }
        let (status, reasons) = self.devices.health(&self.findings);
        bus.health(status, reasons);
    }

    fn tell_state(&mut self, bus: &Bus) {
        bus.state(&self.devices.state());
        self.told_state = Instant::now();
    }
}

/// The devices of the register map, or what is wrong with it; the rest of the service goes on.
async fn configured_devices(config: &Config, instance: &Instance) -> (modbus::Map, Vec<Cause>) {
    let (place, document) = match (&config.modbus, &config.modbus_file) {
        (Some(document), _) => {
            let variable = format!("{}MODBUS", instance.variable_prefix());
            (variable, Ok(document.clone()))
        }
        (None, Some(file)) => (file.0.display().to_string(), read_map(&file.0).await),
        (None, None) => return (modbus::Map::default(), Vec::new()),
    };
    let cause = match document {
        Ok(document) => match modbus::parse(&document, &instance.source()) {
            Ok(map) => return (map, Vec::new()),
            Err(error) => code::SENSORS_MAP_INVALID
                .with("name", place)
                .and("line", error.line)
                .and("reason", error.reason),
        },
        Err(error) => code::SENSORS_MAP_UNREADABLE
            .with("file", place)
            .and("error", error),
    };
    warn!(code = %cause.code, args = ?cause.args, "register map refused");
    (modbus::Map::default(), vec![cause])
}

async fn read_map(file: &Path) -> Result<String, Fault> {
    let path = file.to_owned();
    let job = move || {
        let bytes = blocking::read_start(&path, MAP_FILE_MAX)?;
        String::from_utf8(bytes).map_err(|_| Fault::NotText)
    };
    Blocking::default().run(file, MAP_DEADLINE, job).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FilePath;

    #[tokio::test]
    async fn where_the_map_comes_from() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| {
            let path = dir.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            Some(FilePath(path))
        };
        let register = "register = [{ name = 'x', function = 'input', address = 0 }]";
        let good = format!("[[device]]\nname = 'm'\nport = 'tcp://h'\n{register}\n");
        let missing = Some(FilePath(dir.path().join("missing")));
        let cases = [
            (None, None, Ok(0)),
            (Some(good.clone()), None, Ok(1)),
            (Some(good.clone()), missing.clone(), Ok(1)),
            (None, write("good", good.as_bytes()), Ok(1)),
            (None, write("bad", b"[[device]"), Err("sensors.map_invalid")),
            (Some("x = 1".to_owned()), None, Err("sensors.map_invalid")),
            (
                None,
                write("long", &vec![b'#'; 2 * MAP_FILE_MAX]),
                Err("sensors.map_invalid"),
            ),
            (
                None,
                write("binary", &[0xff]),
                Err("sensors.map_unreadable"),
            ),
            (None, missing, Err("sensors.map_unreadable")),
        ];
        for (modbus, modbus_file, expected) in cases {
            let config = Config {
                modbus,
                modbus_file,
                ..Config::default()
            };
            let instance = "meter-room".parse().unwrap();
            let (map, findings) = configured_devices(&config, &instance).await;
            let devices = map.devices;
            match expected {
                Ok(n_devices) => {
                    assert_eq!(
                        (devices.len(), findings.len()),
                        (n_devices, 0),
                        "{config:?}"
                    );
                }
                Err(code) => {
                    assert_eq!((devices.len(), &*findings[0].code), (0, code), "{config:?}");
                }
            }
            if config.modbus.is_some() && !findings.is_empty() {
                assert_eq!(findings[0].args["name"], "TM_METER_ROOM_MODBUS");
            }
        }
    }
}
