use serde::{Deserialize, Serialize};

use crate::{BootId, Cause};

/// How a service says it is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum HealthStatus {
    /// Does its work. Parts that are not configured do not count against it.
    Up,
    /// Works, but something it needs is missing or failing: see the reasons.
    Degraded,
    /// Stopped, or its connection was lost.
    Down,
}

/// The retained message on `tm/v1/health/<service>`, sent every `period_s` and on change.
///
/// Another boot id, or older than three periods, means `unknown`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Health {
    /// Up, degraded or down.
    pub status: HealthStatus,
    /// Why it is not up, or what is not configured.
    #[serde(default)]
    pub reasons: Vec<Cause>,
    /// The service's version.
    pub version: String,
    /// The boot that `mono_ms` counts from.
    pub boot: BootId,
    /// When this was said, in milliseconds since boot.
    pub mono_ms: u64,
    /// Seconds between two of these.
    pub period_s: u32,
}
