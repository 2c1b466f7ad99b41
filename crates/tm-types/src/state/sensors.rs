use serde::{Deserialize, Serialize};

use crate::{Cause, Stamp};

/// The state on `tm/v1/state/sensors` (and `io`).
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SensorsState {
    /// Every device that is polled.
    pub devices: Vec<SensorDevice>,
}

/// One polled device: the machine itself, a 1-Wire sensor, a Modbus unit.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SensorDevice {
    /// Names the device: `machine`, `28-0316a2795c1a`, `meter`.
    pub id: String,
    /// `machine`, `one-wire`, `iio`, `hwmon`, `gpio`, `modbus`.
    pub driver: String,
    /// Whether it answers.
    pub presence: SensorPresence,
    /// Why it does not; null while it does.
    pub cause: Option<Cause>,
    /// When it last answered; null before the first answer.
    pub last_seen: Option<Stamp>,
    /// Names of the points it publishes.
    pub points: Vec<String>,
    /// Seconds between two polls.
    pub period_s: u32,
}

/// Whether a sensor is there.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum SensorPresence {
    /// Not polled yet.
    Waiting,
    /// Answers.
    Present,
    /// Was there or is configured, and does not answer.
    Failed,
}
