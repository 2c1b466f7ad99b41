//! Which devices there are and how they are: the retained state, and what it means for health.

use std::collections::BTreeMap;

use tm_types::{Cause, HealthStatus, Reason, SensorDevice, SensorPresence, SensorsState, code};

use crate::driver::DevicePoll;

/// The name of the device that is always there.
pub(crate) const MACHINE: &str = "machine";

/// Bytes that the names of all points may take in the state: half of what the bus takes.
const NAMES_MAX: usize = 64 * 1024;

/// So many polls in a row without an answer make a present device a failed one.
const FAILED_POLLS: u32 = 2;

/// Every device that was ever polled or is configured.
#[derive(Debug, Default)]
pub(crate) struct Devices {
    devices: BTreeMap<String, SensorDevice>,
    /// Failed polls in a row.
    misses: BTreeMap<String, u32>,
}

impl Devices {
    /// A configured device before its first poll.
    pub(crate) fn expect(&mut self, id: &str, driver: &str, period_s: u32, points: Vec<String>) {
        let device = SensorDevice {
            id: id.to_owned(),
            driver: driver.to_owned(),
            presence: SensorPresence::Waiting,
            cause: None,
            last_seen: None,
            points,
            period_s,
        };
        self.devices.insert(id.to_owned(), device);
    }

    /// A device that is configured no more.
    pub(crate) fn forget(&mut self, id: &str) {
        self.devices.remove(id);
        self.misses.remove(id);
    }

    /// Takes note of a poll; says whether anything but the time of the last answer changed.
    ///
    /// One failed poll of a device that answers is noise, unless the device is gone altogether.
    pub(crate) fn note(&mut self, poll: &DevicePoll) -> bool {
        let earlier = self.devices.remove(&poll.device);
        let is_present =
            (earlier.as_ref()).is_some_and(|device| device.presence == SensorPresence::Present);
        let misses = self.misses.entry(poll.device.clone()).or_default();
        *misses = if poll.failure.is_some() {
            misses.saturating_add(1)
        } else {
            0
        };
        let failure = poll.failure.filter(|reason| {
            !is_present || *reason == Reason::NotPresent || *misses >= FAILED_POLLS
        });
        // The names are moved and not copied: a device may have thousands, and none of them changes.
        let (earlier, before) = match earlier {
            Some(mut device) => {
                let points = std::mem::take(&mut device.points);
                (Some(device), points)
            }
            None => (None, Vec::new()),
        };
        let (points, has_others) = points_after(before, poll);
        let mut device = SensorDevice {
            id: poll.device.clone(),
            driver: poll.driver.to_owned(),
            presence: match failure {
                Some(_) => SensorPresence::Failed,
                None => SensorPresence::Present,
            },
            cause: failure.map(|reason| {
                let cause = code::SENSORS_DEVICE_FAILED.with("device", &poll.device);
                cause.and("reason", reason.as_str())
            }),
            last_seen: earlier.as_ref().and_then(|device| device.last_seen),
            points: Vec::new(),
            period_s: u32::try_from(poll.period.as_secs()).unwrap_or(u32::MAX),
        };
        let is_news = has_others || earlier.as_ref() != Some(&device);
        device.points = points;
        if poll.failure.is_none() {
            device.last_seen = Some(poll.stamp);
        }
        self.devices.insert(poll.device.clone(), device);
        is_news
    }

    /// The state as it is published. The names of points are left out where all of them are too much for a message.
    pub(crate) fn state(&self) -> SensorsState {
        let mut devices: Vec<SensorDevice> = self.devices.values().cloned().collect();
        let names = devices.iter().flat_map(|device| &device.points);
        if names.map(|name| name.len() + 3).sum::<usize>() > NAMES_MAX {
            for device in &mut devices {
                device.points.clear();
            }
        }
        SensorsState { devices }
    }

    /// The service's health: degraded by every failed device, a note when only the machine is there.
    pub(crate) fn health(&self, findings: &[Cause]) -> (HealthStatus, Vec<Cause>) {
        let failed = self
            .devices
            .values()
            .filter_map(|device| device.cause.clone());
        let mut reasons: Vec<Cause> = findings.iter().cloned().chain(failed).collect();
        if !reasons.is_empty() {
            return (HealthStatus::Degraded, reasons);
        }
        if self.devices.keys().all(|id| id == MACHINE) {
            reasons.push(code::SENSORS_NOT_CONFIGURED.plain());
        }
        (HealthStatus::Up, reasons)
    }
}

/// The points of a device, and whether they are others than before: those before, if this poll has some of them in the
/// same order (registers may have periods of their own), else those of this poll.
fn points_after(before: Vec<String>, poll: &DevicePoll) -> (Vec<String>, bool) {
    let mut known = before.iter();
    let is_part = poll
        .points
        .iter()
        .all(|m| known.any(|name| *name == m.point.name.as_str()));
    if is_part {
        return (before, false);
    }
    let points = poll.points.iter().map(|m| m.point.name.to_string());
    (points.collect(), true)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tm_types::{BootId, Clock, Point, Stamp, Timestamp, Unit};

    use super::*;
    use crate::report::{Deadband, Measured};

    fn poll(device: &str, mono_ms: u64, failure: Option<Reason>) -> DevicePoll {
        let stamp = Stamp {
            time: Timestamp::EPOCH,
            mono_ms,
            boot: BootId(1),
            clock: Clock::None,
            err_ms: None,
        };
        let name = format!("{device}/x").parse().unwrap();
        DevicePoll {
            device: device.to_owned(),
            driver: "one-wire",
            period: Duration::from_secs(30),
            stamp,
            points: vec![Measured {
                point: Point::gauge(name, Unit::NONE, 1),
                deadband: Deadband::None,
            }],
            failure,
        }
    }

    #[test]
    fn presence_follows_the_polls() {
        let (bad, gone) = (Some(Reason::BadReply), Some(Reason::NotPresent));
        // (failure of the poll, whether that is news, failed afterwards, last seen at)
        let steps = [
            (bad, true, true, None),
            (None, true, false, Some(1)),
            (None, false, false, Some(2)),
            (bad, false, false, Some(2)),
            (None, false, false, Some(4)),
            (bad, false, false, Some(4)),
            (bad, true, true, Some(4)),
            (bad, false, true, Some(4)),
            (gone, true, true, Some(4)),
            (None, true, false, Some(9)),
            (gone, true, true, Some(9)),
        ];
        let mut devices = Devices::default();
        devices.expect("a", "one-wire", 30, Vec::new());
        for (at, (failure, is_news, is_failed, last_seen)) in (0_u64..).zip(steps) {
            assert_eq!(devices.note(&poll("a", at, failure)), is_news, "step {at}");
            let [device] = devices.state().devices.try_into().unwrap();
            assert_eq!(
                device.presence == SensorPresence::Failed,
                is_failed,
                "step {at}"
            );
            assert_eq!(device.cause.is_some(), is_failed, "step {at}");
            assert_eq!(
                device.last_seen.map(|stamp| stamp.mono_ms),
                last_seen,
                "step {at}"
            );
        }
    }

    #[test]
    fn a_state_stays_a_message() {
        let mut devices = Devices::default();
        let names = |n: usize| (0..n).map(|i| format!("device/register-{i:05}")).collect();
        devices.expect("few", "modbus", 60, names(2000));
        assert_eq!(devices.state().devices[0].points.len(), 2000);
        devices.expect("many", "modbus", 60, names(8000));
        let state = devices.state();
        assert_eq!(state.devices.len(), 2);
        assert!(state.devices.iter().all(|device| device.points.is_empty()));
    }

    #[test]
    fn what_it_means_for_health() {
        let mut devices = Devices::default();
        devices.expect(MACHINE, "machine", 30, Vec::new());
        let note = (HealthStatus::Up, vec![code::SENSORS_NOT_CONFIGURED.plain()]);
        assert_eq!(devices.health(&[]), note);
        devices.note(&poll("a", 1, None));
        assert_eq!(devices.health(&[]), (HealthStatus::Up, Vec::new()));
        let finding = code::SENSORS_MAP_UNREADABLE.plain();
        devices.note(&poll("a", 2, Some(Reason::NotPresent)));
        let (status, reasons) = devices.health(std::slice::from_ref(&finding));
        assert_eq!((status, reasons.len()), (HealthStatus::Degraded, 2));
        assert_eq!(reasons[0], finding);
        assert_eq!(reasons[1].args["reason"], "not_present");
    }
}
