//! The cabinet in one sentence: the rules by which its level and code are found.

use tm_types::text::sentence;
use tm_types::{Cause, Severity, Stamp, code};

use super::{AlarmView, Level, Look};
use crate::labels::Labels;
use crate::world::{Condition, State, World};

/// How long after its start the API waits for services before it calls their silence a fault:
/// three health periods.
const PATIENCE_MS: u64 = 90_000;
/// How long the bus may be away before that is the headline: one health period.
const BUS_PATIENCE_MS: u64 = 30_000;

/// How much attention, who says so, and what it is.
pub(super) type Reason = (Level, String, Cause);

/// Everything that is not simply well, worst first.
pub(super) fn reasons(look: Look<'_>) -> Vec<Reason> {
    let mut all = Vec::new();
    if let Some((cause, _)) = &look.world.bus_fault {
        let level = if is_bus_lost(look) {
            Level::Red
        } else {
            Level::Grey
        };
        all.push((level, "api".to_owned(), cause.clone()));
    }
    for (name, service) in &look.world.services {
        let (condition, causes) = service.condition(&look.now);
        for cause in causes {
            let level = level_of(condition, &cause, is_patient(look.world, &look.now));
            all.push((level, name.to_string(), cause));
        }
    }
    all.sort_by_key(|(level, ..)| std::cmp::Reverse(*level));
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

/// A modem without a SIM: where that is no fault, it counts as not configured.
fn is_without_sim(cause: &Cause) -> bool {
    cause.is(code::MODEM_SIM_ABSENT)
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

/// Whether the bus is away for longer than a reconnection takes.
fn is_bus_lost(look: Look<'_>) -> bool {
    let since = look.world.bus_fault.as_ref().map(|(_, since)| *since);
    since.is_some_and(|since| look.now.mono_ms.saturating_sub(since) >= BUS_PATIENCE_MS)
}

fn is_patient(world: &World, now: &Stamp) -> bool {
    world.started.boot == now.boot
        && now.mono_ms.saturating_sub(world.started.mono_ms) < PATIENCE_MS
}

/// The level and the sentence: alarms first, then the bus, without which nothing else is known,
/// then what is down, degraded, starting, absent.
pub(super) fn headline(look: Look<'_>, reasons: &[Reason]) -> (Level, Cause) {
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
    let is_patient = is_patient(look.world, &look.now);
    let bus_fault = look.world.bus_fault.as_ref().filter(|_| is_bus_lost(look));
    if let Some((cause, _)) = bus_fault {
        return (Level::Red, cause.clone());
    }
    let conditions: Vec<(&str, Condition)> = look
        .world
        .services
        .iter()
        .map(|(name, service)| (name.as_str(), service.condition(&look.now).0))
        .collect();
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
        .filter(|(_, _, cause)| is_not_configured(cause) || is_without_sim(cause))
        .filter(|(_, _, cause)| !(has_sensors && cause.is(code::SENSORS_NOT_CONFIGURED)))
        .map(|(_, _, cause)| match cause.code.split_once('.') {
            _ if is_without_sim(cause) => labels.sim,
            Some((group, _)) => labels.part(group),
            None => labels.part(""),
        })
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
