use serde::Serialize;
use tm_types::text::{Language, sentence};
use tm_types::{Alarm, Cause, Event, Operation};

use super::{Explained, Look};
use crate::world::LoggedEvent;

/// Alarms that hold.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct AlarmsView {
    /// The alarms, worst first.
    pub(crate) alarms: Vec<AlarmView>,
}

/// An alarm in words.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct AlarmView {
    /// The alarm.
    #[serde(flatten)]
    pub(crate) alarm: Alarm,
    /// Its sentence, in the language of the request.
    pub(crate) sentence: String,
}

/// A page of what happened, newest first.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct EventsView {
    /// The events.
    pub(crate) events: Vec<EventView>,
    /// Send it as `cursor` for the events before these; null when there are none.
    pub(crate) next_cursor: Option<String>,
}

/// Something happened.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct EventView {
    /// Who tells it.
    pub(crate) service: String,
    /// When, how bad, and what.
    #[serde(flatten)]
    pub(crate) event: Event,
    /// What happened in words, in the language of the request.
    pub(crate) sentence: String,
}

/// What was asked for lately.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct OperationsView {
    /// The operations, newest first.
    pub(crate) operations: Vec<Operation>,
}

impl AlarmView {
    /// Every alarm that holds, worst first.
    pub(crate) fn all(look: Look<'_>) -> Vec<Self> {
        let mut alarms: Vec<&Alarm> = look.world.alarms.values().collect();
        alarms.sort_by_key(|alarm| (std::cmp::Reverse(alarm.severity), alarm.since));
        let view = |alarm: &Alarm| Self {
            sentence: Self::sentence(alarm, look.language),
            alarm: alarm.clone(),
        };
        alarms.into_iter().map(view).collect()
    }

    /// What the alarm says.
    pub(crate) fn sentence(alarm: &Alarm, language: Language) -> String {
        let cause = Cause {
            code: alarm.code.clone(),
            args: alarm.args.clone(),
        };
        sentence(language, &cause)
    }
}

impl EventView {
    pub(crate) fn new(look: Look<'_>, logged: &LoggedEvent) -> Self {
        let Explained { sentence, .. } = look.explain(&logged.event.cause);
        Self {
            service: logged.service.to_string(),
            event: logged.event.clone(),
            sentence,
        }
    }
}
