use serde::Serialize;
use tm_types::{Device, Stamp};

use super::headline::{headline, reasons};
use super::{AlarmView, Explained, Look};
use crate::world::{Condition, Service};

/// How much attention something needs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Level {
    /// None.
    Ok,
    /// None: a part is not configured or is just starting.
    Grey,
    /// Some: it works less well.
    Amber,
    /// Much: it does not work.
    Red,
}

/// The cabinet in one sentence, and what the sentence rests on.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct StatusView {
    /// How much attention the cabinet needs.
    pub(crate) level: Level,
    /// The sentence with its code.
    #[serde(flatten)]
    pub(crate) explained: Explained,
    /// Who this cabinet is.
    pub(crate) device: Device,
    /// Everything that is not simply well, worst first.
    pub(crate) reasons: Vec<ReasonView>,
    /// Every service heard of.
    pub(crate) services: Vec<ServiceView>,
    /// Alarms that hold.
    pub(crate) alarms: Vec<AlarmView>,
    /// When this was said.
    pub(crate) now: Stamp,
    /// Version of this software.
    pub(crate) version: String,
}

/// One thing that is not simply well.
#[derive(Clone, Serialize, utoipa::ToSchema)]
pub(crate) struct ReasonView {
    /// How much attention it needs.
    pub(crate) level: Level,
    /// The service that says so.
    pub(crate) service: String,
    /// What it is.
    #[serde(flatten)]
    pub(crate) explained: Explained,
}

/// How a service is.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct ServiceView {
    /// Its name.
    pub(crate) service: String,
    /// How it is, judged by its reports and their age.
    pub(crate) status: Condition,
    /// Why it is not up, and what is not configured.
    pub(crate) reasons: Vec<Explained>,
    /// Its version; null before its first report.
    pub(crate) version: Option<String>,
    /// Milliseconds since its last report; null when there was none in this boot.
    pub(crate) age_ms: Option<u64>,
}

impl StatusView {
    pub(crate) fn new(look: Look<'_>, device: &Device, version: &str) -> Self {
        let reasons = reasons(look);
        let (level, cause) = headline(look, &reasons);
        Self {
            level,
            explained: look.explain(&cause),
            device: device.clone(),
            reasons: reasons
                .iter()
                .map(|(level, service, cause)| ReasonView {
                    level: *level,
                    service: service.clone(),
                    explained: look.explain(cause),
                })
                .collect(),
            services: services(look),
            alarms: AlarmView::all(look),
            now: look.now,
            version: version.to_owned(),
        }
    }
}

/// Every service heard of, with its condition.
pub(crate) fn services(look: Look<'_>) -> Vec<ServiceView> {
    let view = |(name, service): (&tm_types::Instance, &Service)| {
        let (status, reasons) = service.condition(&look.now);
        let health = service.health.as_ref();
        ServiceView {
            service: name.to_string(),
            status,
            reasons: reasons.iter().map(|cause| look.explain(cause)).collect(),
            version: health.map(|health| health.version.clone()),
            age_ms: health
                .filter(|health| health.boot == look.now.boot)
                .map(|_| service.health_age_ms(&look.now)),
        }
    };
    look.world.services.iter().map(view).collect()
}
