use serde::{Deserialize, Serialize};

use crate::{Cause, HealthStatus};

/// The state on `tm/v1/state/agent`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AgentState {
    /// Who this cabinet is.
    pub device: Device,
    /// Health of every service heard of, by name.
    pub services: Vec<ServiceHealth>,
    /// What the balena supervisor says; null when not on balenaOS.
    pub supervisor: Option<Supervisor>,
}

/// How the agent sees a service.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ServiceHealth {
    /// The service's instance name.
    pub service: String,
    /// Up, degraded or down; null is unknown: silent, or heard of in another boot only.
    pub status: Option<HealthStatus>,
    /// Why it is not up.
    pub reasons: Vec<Cause>,
}

/// Who a cabinet is.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Device {
    /// The balena UUID, or the configured id.
    pub id: String,
    /// The owner's site code; what people see first.
    pub site: Option<String>,
    /// A name for people.
    pub name: Option<String>,
    /// IANA time zone of pages and billing periods.
    pub timezone: String,
}

/// What the balena supervisor says of the device.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Supervisor {
    /// `Idle`, `Downloading`…, in its own words.
    pub status: Option<String>,
    /// Version of the supervisor.
    pub version: Option<String>,
    /// Version of the host system.
    pub os_version: Option<String>,
    /// The release that runs.
    pub commit: Option<String>,
    /// Whether a new release waits.
    pub update_pending: Option<bool>,
    /// Whether that release is downloaded.
    pub update_downloaded: Option<bool>,
    /// Download progress, percent.
    pub download_progress_percent: Option<u8>,
}
