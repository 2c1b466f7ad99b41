//! Supply and speed: what the firmware says now, and what it has said since boot.

use std::path::PathBuf;
use std::time::Duration;

use tm_types::{BootId, Kind, Point, Reading, Reason, Unit};
use tokio::time::{Instant, sleep_until};

use super::boots::Troubles;
use super::files::voltage_alarm;
use super::firmware::Throttled;
use super::{FILE_DEADLINE, Machine, name, state};
use crate::report::{Deadband, Measured};

/// Raspberry Pi kernels have it; others do not.
const GET_THROTTLED: &str = "devices/platform/soc/soc:firmware/get_throttled";

/// The kernel asks the firmware this often, and forgets (`raspberrypi-hwmon.c`).
pub(super) const GLANCE: Duration = Duration::from_secs(2);

/// What was read of a flag; `None` where this machine has no such thing.
type Flag = Option<Result<bool, Reason>>;

/// The alarm as it was last read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Alarm {
    file: PathBuf,
    text: String,
}

impl Machine {
    pub(super) async fn supply(&mut self, boot: BootId) -> Vec<Measured> {
        let alarm = self.read_alarm().await;
        let firmware = self.firmware().await;
        let of_firmware =
            |flag: fn(Throttled) -> bool| firmware.map(|throttled| throttled.map(flag));

        let under_voltage = either(alarm, of_firmware(Throttled::is_under_voltage));
        let throttled = of_firmware(Throttled::is_slowed);
        let now = Troubles {
            under_voltage: under_voltage == Some(Ok(true)),
            throttled: of_firmware(Throttled::was_slowed) == Some(Ok(true)),
        };
        let (n_boots, seen) = self.boots.note(boot, now);
        let mut points = Vec::new();
        let mut tell = |names: [&'static str; 2], flag: Flag, was_seen: bool| {
            let Some(flag) = flag else { return };
            points.push(state(names[0], reading(flag)));
            // What was seen once stays true, whatever can be read now.
            let since_boot = if was_seen {
                Reading::from(true)
            } else {
                reading(flag.map(|_| false))
            };
            points.push(state(names[1], since_boot));
        };
        tell(
            ["under-voltage", "under-voltage-since-boot"],
            under_voltage,
            seen.under_voltage,
        );
        tell(
            ["throttled", "throttled-since-boot"],
            throttled,
            seen.throttled,
        );
        let mut boots = Point::gauge(name("boots"), Unit::NONE, n_boots);
        boots.kind = Kind::Counter;
        points.push(Measured {
            point: boots,
            deadband: Deadband::Absolute(1.0),
        });
        points
    }

    /// Waits until `due`, or until the voltage alarm is another one than at the last poll.
    ///
    /// A dip of the supply lasts less than a period, and the alarm no longer than the kernel's next question.
    pub(crate) async fn wait(&mut self, due: Instant) {
        while let Some(alarm) = &self.alarm {
            let glance = Instant::now() + self.glance;
            if due <= glance {
                break;
            }
            sleep_until(glance).await;
            let text = self.blocking.read(&alarm.file, FILE_DEADLINE).await;
            if text.is_ok_and(|text| text != alarm.text) {
                return;
            }
        }
        sleep_until(due).await;
    }

    /// The alarm of the kernel's `raspberrypi-hwmon` driver, which asks the firmware every 2 s.
    async fn read_alarm(&mut self) -> Flag {
        let root = self.sys.join("class/hwmon");
        let job = {
            let root = root.clone();
            move || voltage_alarm(&root)
        };
        let read = self.blocking.run(&root, FILE_DEADLINE, job).await;
        self.alarm = None;
        match read {
            Ok(None) => None,
            Ok(Some((file, text))) => {
                let flag = match text.trim() {
                    "0" => Ok(false),
                    "1" => Ok(true),
                    _ => Err(Reason::BadReply),
                };
                self.alarm = Some(Alarm { file, text });
                Some(flag)
            }
            Err(fault) if fault.is_absence() => None,
            Err(fault) => Some(Err(fault.reason())),
        }
    }

    async fn firmware(&mut self) -> Option<Result<Throttled, Reason>> {
        let file = self.sys.join(GET_THROTTLED);
        match self.blocking.read(&file, FILE_DEADLINE).await {
            Ok(text) => Some(Throttled::parse(&text).ok_or(Reason::BadReply)),
            Err(fault) if fault.is_absence() => None,
            Err(fault) => Some(Err(fault.reason())),
        }
    }
}

/// Two witnesses of one thing: one that saw it is enough, one that says anything is believed.
fn either(first: Flag, second: Flag) -> Flag {
    match (first, second) {
        (Some(Ok(first)), Some(Ok(second))) => Some(Ok(first || second)),
        (Some(Ok(flag)), _) | (_, Some(Ok(flag))) => Some(Ok(flag)),
        (first, second) => first.or(second),
    }
}

fn reading(flag: Result<bool, Reason>) -> Reading {
    flag.map_or_else(Reading::Missing, Reading::from)
}
