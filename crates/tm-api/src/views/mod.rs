//! What the API answers with: the vocabulary, with sentences, ages and staleness added.
//!
//! The doc comments here are read by customers in the OpenAPI document.

mod config;
mod gnss;
mod headline;
mod history;
mod modem;
mod record;
mod sensors;
mod series;
mod status;
mod system;
mod uplink;

pub(crate) use config::{ConfigChangeView, ConfigView, ConfigsView};
pub(crate) use gnss::{FixView, GnssView, SatellitesView};
pub(crate) use history::{HistoryView, Table};
pub(crate) use modem::{MessagesView, ModemView, ModemsView, SignalView, UsageView, month_bytes};
pub(crate) use record::{AlarmView, AlarmsView, EventView, EventsView, OperationsView};
pub(crate) use sensors::{SensorView, SensorsView};
pub(crate) use series::{LatestView, SeriesListView, SeriesView};
pub(crate) use status::{Level, ReasonView, ServiceView, StatusView};
pub(crate) use system::{SystemView, TimeView};
pub(crate) use uplink::{QueueView, UplinkView};

use std::collections::BTreeMap;

use serde::Serialize;
use tm_types::text::{Language, sentence};
use tm_types::{Cause, ModemPrivate, Stamp, code};

use crate::world::{Service, State, World};

/// What a view is made from.
#[derive(Clone, Copy)]
pub(crate) struct Look<'a> {
    pub(crate) world: &'a World,
    pub(crate) now: Stamp,
    pub(crate) language: Language,
}

/// The present situation in words.
#[derive(Clone, Serialize, utoipa::ToSchema)]
pub(crate) struct Explained {
    /// The stable code of the situation: match on this, never on the text.
    code: String,
    /// The arguments of its sentence.
    args: BTreeMap<String, String>,
    /// The sentence, in the language of the request.
    pub(crate) sentence: String,
}

impl Explained {
    pub(crate) fn new(cause: &Cause, language: Language) -> Self {
        Self {
            code: cause.code.clone(),
            args: cause.args.clone(),
            sentence: sentence(language, cause),
        }
    }
}

impl Explained {
    /// Whether it is that code.
    pub(crate) fn is(&self, code: tm_types::Code) -> bool {
        self.code == code.as_str()
    }

    /// An argument of its sentence.
    pub(crate) fn argument(&self, name: &str) -> Option<&str> {
        self.args.get(name).map(String::as_str)
    }
}

impl Look<'_> {
    pub(crate) fn explain(&self, cause: &Cause) -> Explained {
        Explained::new(cause, self.language)
    }

    /// Milliseconds since a stamp, by the monotonic clock within a boot; never negative.
    pub(crate) fn age_ms(&self, stamp: &Stamp) -> u64 {
        if stamp.boot == self.now.boot {
            self.now.mono_ms.saturating_sub(stamp.mono_ms)
        } else {
            self.now.time.ms_since(stamp.time).max(0).unsigned_abs()
        }
    }

    /// The state of a kind with whether it may be outdated, and the situation while there is none.
    pub(crate) fn state<T>(&self, usual: &str, pick: fn(&State) -> Option<&T>) -> StateLook<'_, T> {
        let found = self.world.services.iter().filter_map(|(name, service)| {
            let state = service.state.as_ref().and_then(pick)?;
            Some((name, service, state))
        });
        // The service that bears the usual name comes first, others by their names.
        let best = found.min_by_key(|(name, ..)| (name.as_str() != usual, name.as_str()));
        if let Some((_, service, state)) = best {
            return StateLook {
                state: Some(state),
                private: Some(&service.private),
                is_stale: service.is_stale(&self.now),
                instead: code::SERVICE_STARTING.plain(),
            };
        }
        let mut services = self.world.services.iter();
        let service = services.find(|(name, _)| name.as_str() == usual);
        let reason = service.and_then(|(_, service)| first_reason(service, &self.now));
        StateLook {
            state: None,
            private: None,
            is_stale: true,
            instead: reason.unwrap_or_else(|| code::SERVICE_STARTING.plain()),
        }
    }
}

/// A state, or why there is none.
pub(crate) struct StateLook<'a, T> {
    pub(crate) state: Option<&'a T>,
    /// What the same service tells our own services only; there where the state is.
    pub(crate) private: Option<&'a ModemPrivate>,
    pub(crate) is_stale: bool,
    /// The situation while there is no state.
    instead: Cause,
}

impl<T> StateLook<'_, T> {
    /// The situation: the state's own, or why there is no state.
    pub(crate) fn cause(&self, of: impl FnOnce(&T) -> Cause) -> Cause {
        self.state.map_or_else(|| self.instead.clone(), of)
    }
}

fn first_reason(service: &Service, now: &Stamp) -> Option<Cause> {
    service.condition(now).1.into_iter().next()
}

pub(crate) fn modem_state(state: &State) -> Option<&tm_types::ModemState> {
    if let State::Modem(state) = state {
        Some(state)
    } else {
        None
    }
}

pub(crate) fn gnss_state(state: &State) -> Option<&tm_types::GnssState> {
    if let State::Gnss(state) = state {
        Some(state)
    } else {
        None
    }
}

pub(crate) fn uplink_state(state: &State) -> Option<&tm_types::UplinkState> {
    if let State::Uplink(state) = state {
        Some(state)
    } else {
        None
    }
}

pub(crate) fn agent_state(state: &State) -> Option<&tm_types::AgentState> {
    if let State::Agent(state) = state {
        Some(state)
    } else {
        None
    }
}
