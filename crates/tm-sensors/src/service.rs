//! The loop: whichever device is due is read, and what is worth telling is published.

use std::convert::Infallible;
use std::path::Path;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tm_service::bus::{Bus, BusOptions};
use tm_service::{Clock, Host};
use tm_types::{Cause, Instance, code};
use tokio::time::Instant;
use tracing::{info, warn};

use crate::Config;
use crate::blocking::{self, Blocking, Fault};
use crate::driver::{self, DevicePoll, Driver, Places};
use crate::gpio;
use crate::modbus;
use crate::report::{Deadband, Reporter};
use crate::state::{Devices, MACHINE};

/// The retained state is sent again after this long without a change, for its `last_seen`.
const STATE_REFRESH: Duration = Duration::from_mins(10);
/// More than the parser takes, so that a longer file is refused by it.
const MAP_FILE_MAX: usize = 1024 * 1024;
/// For the file with the map, on a disk that may be failing.
const MAP_DEADLINE: Duration = Duration::from_secs(5);

/// Runs the collector until it is dropped.
pub async fn run(config: Config, host: Host) -> Result<Infallible, anyhow::Error> {
    let (devices, mut findings) = configured_devices(&config, &host.instance).await;
    let (inputs, refused) = configured_inputs(&config, &host.instance, &devices);
    findings.extend(refused);
    let mut bus = host.bus.open(BusOptions::default());
    let mut collector = Collector::new(&config, findings);
    collector.expect(&config, &devices, &inputs);
    collector.tell_state(&bus);
    // Where nothing is configured, no poll will ever say it.
    let (status, reasons) = collector.devices.health(&collector.findings);
    if devices.is_empty() && inputs.is_empty() && !config.machine {
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
        store: &host.store,
        source: host.instance.source(),
    };
    let mut polling: FuturesUnordered<_> = driver::drivers(&places, devices, inputs)
        .into_iter()
        .map(|driver| poll_with(driver, host.clock.clone()))
        .collect();
    loop {
        tokio::select! {
            // Nothing is subscribed; the bus keeps its own connection while it is awaited.
            _event = bus.next() => {}
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

/// What the service knows between two polls.
struct Collector {
    reporter: Reporter,
    devices: Devices,
    findings: Vec<Cause>,
    told_state: Instant,
}

impl Collector {
    fn new(config: &Config, findings: Vec<Cause>) -> Self {
        Self {
            reporter: Reporter::new(Duration::from_secs(config.heartbeat_s.into())),
            devices: Devices::default(),
            findings,
            told_state: Instant::now(),
        }
    }

    /// Lists the devices that are known before anything is polled.
    fn expect(&mut self, config: &Config, devices: &[modbus::Device], inputs: &[gpio::Spec]) {
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
        for input in inputs {
            let name = input.name().as_str();
            let period_s = u32::try_from(input.period().as_secs()).unwrap_or(u32::MAX);
            self.devices
                .expect(name, gpio::DRIVER, period_s, vec![name.to_owned()]);
        }
    }

    fn on_poll(&mut self, bus: &Bus, poll: DevicePoll) {
        let now = Instant::now();
        let is_news = self.devices.note(&poll);
        if is_news {
            if let Some(reason) = poll.failure {
                warn!(device = %poll.device, reason = reason.as_str(), "sensor failed");
            } else {
                info!(device = %poll.device, "sensor answers");
            }
        }
        let points = self.reporter.worth_telling(now, poll.points);
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
async fn configured_devices(
    config: &Config,
    instance: &Instance,
) -> (Vec<modbus::Device>, Vec<Cause>) {
    let (place, document) = match (&config.modbus, &config.modbus_file) {
        (Some(document), _) => {
            let variable = format!("{}MODBUS", instance.variable_prefix());
            (variable, Ok(document.clone()))
        }
        (None, Some(file)) => (file.0.display().to_string(), read_map(&file.0).await),
        (None, None) => return (Vec::new(), Vec::new()),
    };
    let cause = match document {
        Ok(document) => match modbus::parse(&document, &instance.source()) {
            Ok(devices) => return (devices, Vec::new()),
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
    (Vec::new(), vec![cause])
}

/// The inputs of the document, or what is wrong with it; the rest of the service goes on.
fn configured_inputs(
    config: &Config,
    instance: &Instance,
    devices: &[modbus::Device],
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
            let (devices, findings) = configured_devices(&config, &instance).await;
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
