//! Which devices there are and how they are: the retained state, and what it means for health.

use std::collections::BTreeMap;

use tm_types::{Cause, HealthStatus, SensorDevice, SensorPresence, SensorsState, Stamp, code};

use crate::driver::DevicePoll;

/// The name of the device that is always there.
pub(crate) const MACHINE: &str = "machine";

/// Every device that was ever polled or is configured.
#[derive(Debug, Default)]
pub(crate) struct Devices {
    devices: BTreeMap<String, SensorDevice>,
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

    /// Takes note of a poll; says whether anything but the time of the last answer changed.
    pub(crate) fn note(&mut self, poll: &DevicePoll) -> bool {
        let points = poll.points.iter().map(|m| m.point.name.to_string());
        let mut device = SensorDevice {
            id: poll.device.clone(),
            driver: poll.driver.to_owned(),
            presence: SensorPresence::Present,
            cause: None,
            last_seen: Some(poll.stamp),
            points: points.collect(),
            period_s: u32::try_from(poll.period.as_secs()).unwrap_or(u32::MAX),
        };
        let earlier = self.devices.get(&poll.device);
        if let Some(reason) = poll.failure {
            let cause = code::SENSORS_DEVICE_FAILED.with("device", &poll.device);
            device.presence = SensorPresence::Failed;
            device.cause = Some(cause.and("reason", reason.as_str()));
            device.last_seen = earlier.and_then(|device| device.last_seen);
        }
        let same_but = |earlier: &SensorDevice, last_seen: Option<Stamp>| {
            let now = SensorDevice {
                last_seen,
                ..device.clone()
            };
            *earlier == now
        };
        let is_news = earlier.is_none_or(|earlier| !same_but(earlier, earlier.last_seen));
        self.devices.insert(poll.device.clone(), device);
        is_news
    }

    /// The state as it is published.
    pub(crate) fn state(&self) -> SensorsState {
        SensorsState {
            devices: self.devices.values().cloned().collect(),
        }
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
