use serde::Serialize;
use tm_types::text::sentence;
use tm_types::{Cause, Device, Severity, Stamp, code};

use super::{AlarmView, Explained, Look};
use crate::labels::Labels;
use crate::world::{Condition, Service, State, World};

/// How long after its start the API waits for services before it calls their silence a fault:
/// three health periods.
const PATIENCE_MS: u64 = 90_000;

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
        let mut reasons = reasons(look);
        reasons.sort_by_key(|(level, ..)| std::cmp::Reverse(*level));
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

type Reason = (Level, String, Cause);

fn reasons(look: Look<'_>) -> Vec<Reason> {
    let mut all = Vec::new();
    for (name, service) in &look.world.services {
        let (condition, causes) = service.condition(&look.now);
        for cause in causes {
            let level = level_of(condition, &cause, is_patient(look.world, &look.now));
            all.push((level, name.to_string(), cause));
        }
    }
    all
}

fn level_of(condition: Condition, cause: &Cause, is_patient: bool) -> Level {
    if is_normal(cause) {
        return Level::Grey;
    }
    match condition {
        Condition::Up => Level::Grey,
        Condition::Degraded => Level::Amber,
        Condition::Down if cause.is(code::SERVICE_STOPPED) => Level::Amber,
        Condition::Unknown if is_patient || cause.is(code::SERVICE_STARTING) => Level::Grey,
        Condition::Down | Condition::Unknown => Level::Red,
    }
}

/// Normal absence: nobody asked for it.
fn is_normal(cause: &Cause) -> bool {
    is_not_configured(cause) || cause.is(code::AGENT_NOT_ON_BALENA)
}

fn is_not_configured(cause: &Cause) -> bool {
    cause.code.ends_with(".not_configured")
}

/// Whether some instance polls more than the machine itself; another one may then be idle.
fn has_sensors(world: &World) -> bool {
    world.services.values().any(|service| match &service.state {
        Some(State::Sensors(state)) => state
            .devices
            .iter()
            .any(|device| device.driver != "machine"),
        _ => false,
    })
}

fn is_patient(world: &World, now: &Stamp) -> bool {
    world.started.boot == now.boot
        && now.mono_ms.saturating_sub(world.started.mono_ms) < PATIENCE_MS
}

/// The level and the sentence: alarms first, then what is down, degraded, starting, absent.
fn headline(look: Look<'_>, reasons: &[Reason]) -> (Level, Cause) {
    let alarms = look.world.alarms.values();
    if let Some(alarm) = alarms.max_by_key(|alarm| (alarm.severity, std::cmp::Reverse(alarm.since)))
    {
        let level = match alarm.severity {
            Severity::Critical => Level::Red,
            Severity::Warning => Level::Amber,
            Severity::Info => Level::Grey,
        };
        let text = AlarmView::sentence(alarm, look.language);
        if level > Level::Grey {
            return (level, code::STATUS_ALARM.with("alarm", text));
        }
    }
    let conditions: Vec<(&str, Condition)> = look
        .world
        .services
        .iter()
        .map(|(name, service)| (name.as_str(), service.condition(&look.now).0))
        .collect();
    let is_patient = is_patient(look.world, &look.now);
    let gone = |condition: &Condition| match condition {
        Condition::Down => true,
        Condition::Unknown => !is_patient,
        Condition::Up | Condition::Degraded => false,
    };
    let down: Vec<&str> = conditions
        .iter()
        .filter(|(_, condition)| gone(condition))
        .map(|(name, _)| *name)
        .collect();
    let worst = reasons.first().map_or(Level::Ok, |(level, ..)| *level);
    if !down.is_empty() {
        let level = worst.max(Level::Amber);
        return (level, code::STATUS_DOWN.with("services", down.join(", ")));
    }
    if let Some((level, _, cause)) = reasons.first().filter(|(level, ..)| *level > Level::Grey) {
        let reason = sentence(look.language, cause);
        return (*level, code::STATUS_DEGRADED.with("reason", reason));
    }
    // A service that calls itself degraded without a reason.
    if conditions
        .iter()
        .any(|(_, condition)| *condition == Condition::Degraded)
        && reasons.is_empty()
    {
        return (Level::Amber, code::STATUS_DEGRADED.with("reason", ""));
    }
    // What is unknown here is still waited for.
    let is_waiting = conditions
        .iter()
        .any(|(_, condition)| *condition == Condition::Unknown);
    if is_waiting || conditions.is_empty() {
        return (Level::Grey, code::STATUS_STARTING.plain());
    }
    let labels = Labels::of(look.language);
    let has_sensors = has_sensors(look.world);
    let mut parts: Vec<&str> = reasons
        .iter()
        .filter(|(_, _, cause)| is_not_configured(cause))
        .filter(|(_, _, cause)| !(has_sensors && cause.is(code::SENSORS_NOT_CONFIGURED)))
        .map(|(_, _, cause)| labels.part(cause.code.split('.').next().unwrap_or("")))
        .collect();
    parts.sort_unstable();
    parts.dedup();
    if parts.is_empty() {
        (Level::Ok, code::STATUS_OK.plain())
    } else {
        (
            Level::Grey,
            code::STATUS_PARTS_NOT_CONFIGURED.with("parts", parts.join(", ")),
        )
    }
}
