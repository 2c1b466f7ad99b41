//! Supply and speed: what the firmware says now, and what it has said since boot.

use tm_types::{BootId, Kind, Point, Reading, Reason, Unit};

use super::boots::Troubles;
use super::files::voltage_alarm;
use super::firmware::Throttled;
use super::{FILE_DEADLINE, Machine, name, state};
use crate::report::{Deadband, Measured};

/// Raspberry Pi kernels have it; others do not.
const GET_THROTTLED: &str = "devices/platform/soc/soc:firmware/get_throttled";

/// What was read of a flag; `None` where this machine has no such thing.
type Flag = Option<Result<bool, Reason>>;

impl Machine {
    pub(super) async fn supply(&mut self, boot: BootId) -> Vec<Measured> {
        let alarm = self.alarm().await;
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

    /// The alarm of the kernel's `raspberrypi-hwmon` driver, which asks the firmware every 2 s.
    async fn alarm(&mut self) -> Flag {
        let root = self.sys.join("class/hwmon");
        let job = {
            let root = root.clone();
            move || voltage_alarm(&root)
        };
        match self.blocking.run(&root, FILE_DEADLINE, job).await {
            Ok(None) => None,
            Ok(Some(text)) => Some(match text.trim() {
                "0" => Ok(false),
                "1" => Ok(true),
                _ => Err(Reason::BadReply),
            }),
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
