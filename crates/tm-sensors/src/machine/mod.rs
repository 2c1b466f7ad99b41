//! The machine itself: temperatures, supply, load, memory, disk and its wear, uptime, boots, clock.
//!
//! Works on any Linux; what a machine does not have (thermal zones on a virtual one, the voltage
//! alarm on anything but a Raspberry Pi) is no point at all rather than one without a value.

mod boots;
mod files;
mod firmware;
mod procfs;
mod storage;
mod supply;
mod zones;

use std::path::{Path, PathBuf};
use std::time::Duration;

use tm_service::Store;
use tm_types::{Kind, Point, PointName, Reading, Reason, Stamp, Unit, Value};

use crate::blocking::{Blocking, Fault};
use crate::report::{Deadband, Measured};
use boots::Boots;
use files::{ProcTexts, zone_types};
use procfs::CpuTimes;
use supply::{Alarm, GLANCE};

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
    boots: Boots,
    /// The voltage alarm at the last poll; `None` on a machine without one.
    alarm: Option<Alarm>,
    /// Between two looks at it.
    glance: Duration,
}

impl Machine {
    /// `sys` and `proc` are the roots of those file systems, `data` a directory on the disk to watch;
    /// `store` remembers the boots.
    pub(crate) fn new(
        sys: &Path,
        proc: &Path,
        data: &Path,
        temperature_band: Deadband,
        store: &Store,
    ) -> Self {
        Self {
            sys: sys.to_owned(),
            proc: proc.to_owned(),
            data: data.to_owned(),
            temperature_band,
            blocking: Blocking::default(),
            earlier_times: None,
            boots: Boots::open(store),
            alarm: None,
            glance: GLANCE,
        }
    }

    /// Reads everything once; `stamp` is the poll's.
    pub(crate) async fn poll(&mut self, stamp: &Stamp) -> Vec<Measured> {
        let mut points = self.temperatures().await;
        points.extend(self.supply(stamp.boot).await);
        points.extend(self.processes().await);
        points.extend(self.disk().await);
        points.extend(self.wear().await);
        let quality = Value::text(stamp.clock.as_str())
            .map_or(Reading::Missing(Reason::BadReply), Reading::Good);
        points.push(state("clock", quality));
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

/// A state, published when it changes.
fn state(text: &'static str, reading: impl Into<Reading>) -> Measured {
    Measured {
        point: Point::state(name(text), reading),
        deadband: Deadband::Absolute(0.0),
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
mod tests;
