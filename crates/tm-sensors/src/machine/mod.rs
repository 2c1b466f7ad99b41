//! The machine itself: temperatures, load, memory, disk, uptime, processor, supply voltage.
//!
//! Works on any Linux; what a machine does not have (thermal zones on a virtual one, the voltage
//! alarm on anything but a Raspberry Pi) is no point at all rather than one without a value.

mod files;
mod procfs;
mod zones;

use std::path::{Path, PathBuf};
use std::time::Duration;

use tm_types::{Kind, Point, PointName, Reading, Reason, Unit, Value};

use crate::blocking::{Blocking, Fault};
use crate::report::{Deadband, Measured};
use files::{ProcTexts, voltage_alarm, zone_types};
use procfs::CpuTimes;

/// `/proc` and `/sys` answer within microseconds; a thermal zone behind I2C within milliseconds.
const FILE_DEADLINE: Duration = Duration::from_secs(1);
/// A card that is failing retries for seconds; afterwards the reading says `timeout`.
const DISK_DEADLINE: Duration = Duration::from_secs(3);

const CEL: Unit = Unit::known("Cel");
const PERCENT: Unit = Unit::known("%");
const BYTE: Unit = Unit::known("B");
const SECOND: Unit = Unit::known("s");

/// A load average below this change is noise.
const LOAD_BAND: Deadband = Deadband::Absolute(0.2);
/// In points of a percent.
const CPU_BAND: Deadband = Deadband::Absolute(10.0);
/// In percent of the last value.
const MEMORY_BAND: Deadband = Deadband::Percent(5.0);
/// In points of a percent.
const DISK_BAND: Deadband = Deadband::Absolute(1.0);

/// Reads the machine below injected roots.
#[derive(Debug)]
pub(crate) struct Machine {
    sys: PathBuf,
    proc: PathBuf,
    data: PathBuf,
    temperature_band: Deadband,
    blocking: Blocking,
    earlier_times: Option<CpuTimes>,
}

impl Machine {
    /// `sys` and `proc` are the roots of those file systems, `data` a directory on the disk to watch.
    pub(crate) fn new(sys: &Path, proc: &Path, data: &Path, temperature_band: Deadband) -> Self {
        Self {
            sys: sys.to_owned(),
            proc: proc.to_owned(),
            data: data.to_owned(),
            temperature_band,
            blocking: Blocking::default(),
            earlier_times: None,
        }
    }

    /// Reads everything once.
    pub(crate) async fn poll(&mut self) -> Vec<Measured> {
        let mut points = self.temperatures().await;
        points.extend(self.under_voltage().await);
        points.extend(self.processes().await);
        points.extend(self.disk().await);
        points
    }

    async fn temperatures(&mut self) -> Vec<Measured> {
        let root = self.sys.join("class/thermal");
        let job = {
            let root = root.clone();
            move || zone_types(&root)
        };
        let listing = self.blocking.run(&root, FILE_DEADLINE, job).await;
        // No such directory, or one that cannot be read: no thermal zones here.
        let zones = listing.unwrap_or_default();
        let types: Vec<&str> = zones
            .iter()
            .map(|(_, zone_type)| zone_type.as_str())
            .collect();
        let names = zones::zone_names(&types);
        let mut points = Vec::with_capacity(zones.len());
        for ((zone, _), name) in zones.iter().zip(names) {
            let file = root.join(zone).join("temp");
            let reading = match self.blocking.read(&file, FILE_DEADLINE).await {
                Ok(text) => zones::zone_reading(&text),
                Err(fault) => Reading::Missing(fault.reason()),
            };
            points.push(Measured {
                point: Point::gauge(name, CEL, reading).with_scale(1),
                deadband: self.temperature_band,
            });
        }
        points
    }

    /// The alarm of the kernel's `raspberrypi-hwmon` driver, which asks the firmware every 2 s.
    async fn under_voltage(&mut self) -> Option<Measured> {
        let root = self.sys.join("class/hwmon");
        let job = {
            let root = root.clone();
            move || voltage_alarm(&root)
        };
        let reading = match self.blocking.run(&root, FILE_DEADLINE, job).await {
            Ok(None) => return None,
            Ok(Some(text)) => match text.trim() {
                "0" => Reading::from(false),
                "1" => Reading::from(true),
                _ => Reading::Missing(Reason::BadReply),
            },
            Err(fault) if fault.is_absence() => return None,
            Err(fault) => Reading::Missing(fault.reason()),
        };
        Some(Measured {
            point: Point::state(name("under-voltage"), reading),
            deadband: Deadband::Absolute(0.0),
        })
    }

    /// What `/proc` says; these files are made of memory and never wait for a device.
    async fn processes(&mut self) -> Vec<Measured> {
        let root = self.proc.clone();
        let job = move || Ok(ProcTexts::read(&root));
        let read = self.blocking.run(&self.proc, FILE_DEADLINE, job).await;
        let texts = read.unwrap_or_else(|fault: Fault| ProcTexts::missing(fault.reason()));

        let load = understood(&texts.loadavg, |text| {
            procfs::load_1m(text).map(Reading::Good)
        });
        let uptime = understood(&texts.uptime, |text| {
            procfs::uptime_s(text).map(Reading::from)
        });
        let memory = |part: fn(procfs::Memory) -> i64| {
            understood(&texts.meminfo, |text| {
                procfs::memory(text).map(|memory| part(memory).into())
            })
        };
        let busy = understood(&texts.stat, |text| {
            let times = CpuTimes::of_stat(text)?;
            let Some(earlier) = self.earlier_times.replace(times) else {
                return Some(Reading::Missing(Reason::WarmingUp));
            };
            Some(match times.busy_permille_since(earlier) {
                Some(permille) => tenths(permille),
                None => Reading::Missing(Reason::WarmingUp),
            })
        });
        let (used, available) = (
            memory(|memory| memory.used),
            memory(|memory| memory.available),
        );
        let gauge = |text, unit, reading, deadband| Measured {
            point: Point::gauge(name(text), unit, reading),
            deadband,
        };
        let mut cpu = gauge("cpu-usage", PERCENT, busy, CPU_BAND);
        cpu.point = cpu.point.with_scale(1);
        let mut load = gauge("load-1m", Unit::NONE, load, LOAD_BAND);
        load.point = load.point.with_scale(2);
        let mut uptime = gauge("uptime", SECOND, uptime, Deadband::Heartbeat);
        uptime.point.kind = Kind::Counter;
        vec![
            load,
            cpu,
            gauge("memory-used", BYTE, used, MEMORY_BAND),
            gauge("memory-available", BYTE, available, MEMORY_BAND),
            uptime,
        ]
    }

    async fn disk(&mut self) -> [Measured; 2] {
        let data = self.data.clone();
        let job = move || Ok(rustix::fs::statvfs(&data).map_err(std::io::Error::from)?);
        let (used, available) = match self.blocking.run(&self.data, DISK_DEADLINE, job).await {
            Ok(disk) => disk_space(disk.f_blocks, disk.f_bfree, disk.f_bavail, disk.f_frsize),
            Err(fault) => {
                let missing = Reading::Missing(fault.reason());
                (missing.clone(), missing)
            }
        };
        [
            Measured {
                point: Point::gauge(name("disk-used"), PERCENT, used).with_scale(1),
                deadband: DISK_BAND,
            },
            Measured {
                point: Point::gauge(name("disk-available"), BYTE, available),
                deadband: MEMORY_BAND,
            },
        ]
    }
}

/// The reading of a text; a text that is not understood is a bad reply.
fn understood(
    text: &Result<String, Reason>,
    parse: impl FnOnce(&str) -> Option<Reading>,
) -> Reading {
    match text {
        Ok(text) => parse(text).unwrap_or(Reading::Missing(Reason::BadReply)),
        Err(reason) => Reading::Missing(*reason),
    }
}

/// Used share as `df` computes it (of what is not reserved), and bytes a service can still write.
fn disk_space(blocks: u64, free: u64, available: u64, block_size: u64) -> (Reading, Reading) {
    let used = blocks.saturating_sub(free);
    let whole = used.saturating_add(available);
    let share = match u128::from(whole) {
        0 => Reading::Missing(Reason::DeviceError),
        whole => {
            let permille = u128::from(used) * 1000 / whole;
            i64::try_from(permille).map_or(Reading::Missing(Reason::OutOfRange), tenths)
        }
    };
    let bytes = available
        .checked_mul(block_size)
        .and_then(|bytes| i64::try_from(bytes).ok());
    (
        share,
        bytes.map_or(Reading::Missing(Reason::OutOfRange), Reading::from),
    )
}

/// A number of tenths as a reading.
fn tenths(tenths: i64) -> Reading {
    Value::decimal(tenths, 1).map_or(Reading::Missing(Reason::OutOfRange), Reading::Good)
}

/// One of the names written in this module.
fn name(text: &'static str) -> PointName {
    PointName::new(text).expect("the names of this module are of the alphabet")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs;

    use super::*;

    fn machine(root: &Path) -> Machine {
        Machine::new(&root.join("sys"), &root.join("proc"), root, Deadband::None)
    }

    fn write(root: &Path, file: &str, text: &str) {
        let path = root.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Name to value or reason.
    async fn poll(machine: &mut Machine) -> BTreeMap<String, String> {
        let points = machine.poll().await;
        let told = points.into_iter().map(|Measured { point, .. }| {
            let text = match (point.reading.value(), point.reading.reason()) {
                (Some(value), _) => format!("{value} {}", point.unit),
                (None, reason) => reason.unwrap().as_str().to_owned(),
            };
            (point.name.to_string(), text.trim().to_owned())
        });
        told.collect()
    }

    #[tokio::test]
    async fn a_raspberry_pi() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        write(
            root,
            "sys/class/thermal/thermal_zone0/type",
            "cpu-thermal\n",
        );
        write(root, "sys/class/thermal/thermal_zone0/temp", "48686\n");
        write(root, "sys/class/thermal/cooling_device0/type", "fan\n");
        write(root, "sys/class/hwmon/hwmon0/name", "cpu_thermal\n");
        write(root, "sys/class/hwmon/hwmon1/name", "rpi_volt\n");
        write(root, "sys/class/hwmon/hwmon1/in0_lcrit_alarm", "1\n");
        write(root, "proc/loadavg", "0.97 0.87 0.51 1/94 22531\n");
        write(root, "proc/uptime", "350735.47 234388.90\n");
        write(
            root,
            "proc/meminfo",
            "MemTotal: 4000 kB\nMemAvailable: 3000 kB\n",
        );
        write(root, "proc/stat", "cpu  100 0 100 800 0 0 0 0 0 0\n");

        let mut machine = machine(root);
        let first = poll(&mut machine).await;
        assert_eq!(first["cpu-temperature"], "48.7 Cel");
        assert_eq!(first["under-voltage"], "true");
        assert_eq!(first["load-1m"], "0.97");
        assert_eq!(first["uptime"], "350735 s");
        assert_eq!(first["memory-used"], "1024000 B");
        assert_eq!(first["memory-available"], "3072000 B");
        assert_eq!(first["cpu-usage"], "warming_up");
        assert!(first["disk-used"].ends_with('%'), "{first:?}");
        assert!(first["disk-available"].ends_with('B'), "{first:?}");

        write(
            root,
            "proc/stat",
            "cpu  150 0 150 1500 100 0 0 0\ncpu0 1 1 1 1\n",
        );
        write(root, "sys/class/hwmon/hwmon1/in0_lcrit_alarm", "0\n");
        write(root, "sys/class/thermal/thermal_zone0/temp", "garbage\n");
        let second = poll(&mut machine).await;
        assert_eq!(second["cpu-usage"], "11.1 %");
        assert_eq!(second["under-voltage"], "false");
        assert_eq!(second["cpu-temperature"], "bad_reply");
    }

    #[tokio::test]
    async fn nothing_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let mut machine = machine(&dir.path().join("absent"));
        let told = poll(&mut machine).await;
        assert!(!told.contains_key("under-voltage") && !told.contains_key("cpu-temperature"));
        for (name, text) in told {
            assert_eq!(text, "not_present", "{name}");
        }
    }

    #[tokio::test]
    async fn this_machine() {
        let data = std::env::temp_dir();
        let mut machine =
            Machine::new(Path::new("/sys"), Path::new("/proc"), &data, Deadband::None);
        let told = poll(&mut machine).await;
        for name in ["load-1m", "memory-used", "uptime", "disk-used"] {
            let value = told[name].split(' ').next().unwrap();
            assert!(value.parse::<f64>().is_ok(), "{name}: {}", told[name]);
        }
    }

    #[tokio::test]
    async fn garbage_everywhere() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        for file in ["loadavg", "uptime", "meminfo", "stat"] {
            write(root, &format!("proc/{file}"), "\u{0}ÿ garbage \n");
        }
        write(
            root,
            "sys/class/thermal/thermal_zone0/type",
            &"x".repeat(10_000),
        );
        write(
            root,
            "sys/class/thermal/thermal_zone0/temp",
            &"4".repeat(10_000),
        );
        write(root, "sys/class/thermal/thermal_zonex/temp", "1");
        write(root, "sys/class/hwmon/hwmon1/name", "rpi_volt");
        write(root, "sys/class/hwmon/hwmon1/in0_lcrit_alarm", "maybe");
        let told = poll(&mut machine(root)).await;
        for name in [
            "load-1m",
            "uptime",
            "memory-used",
            "cpu-usage",
            "under-voltage",
            "zone-temperature",
        ] {
            assert_eq!(told[name], "bad_reply", "{name}");
        }
    }

    #[test]
    fn disk_shares() {
        let cases = [
            ((1000, 400, 300, 4096), ("66.6", Some(300 * 4096))),
            ((1000, 0, 0, 512), ("100", Some(0))),
            ((1000, 1000, 1000, 1), ("0", Some(1000))),
            ((0, 0, 0, 4096), ("device_error", Some(0))),
            ((u64::MAX, 0, u64::MAX, 4096), ("100", None)),
        ];
        for ((blocks, free, available, size), (share, bytes)) in cases {
            let (used, left) = disk_space(blocks, free, available, size);
            let used = match used.value() {
                Some(value) => value.to_string(),
                None => used.reason().unwrap().as_str().to_owned(),
            };
            assert_eq!(used, share, "{blocks} {free} {available}");
            assert_eq!(left.value().cloned(), bytes.map(Value::from));
        }
    }
}
