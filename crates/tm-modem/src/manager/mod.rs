//! Decides: events in, effects out. No I/O, no clock of its own, and no knowledge of the way to the modem.

mod event;
mod report;
#[cfg(test)]
mod tests;

use tm_service::port::PortEvent;
use tm_types::{Cause, HealthStatus, ModemPresence, ModemState, Reason, SimStatus, Stamp, code};
use tokio::time::Instant;

use crate::backend::{Presence, Report, Round};
use crate::config::Config;
use crate::data::Sight;
use crate::knowledge::Knowledge;
use crate::network_time::NetworkTime;
use crate::points::points;
use crate::relay::Relay;
use crate::situation::Seen;

pub(crate) use crate::backend::Now;
pub(crate) use event::{Effect, Event};

/// The manager of the modem in one slot.
#[derive(Debug)]
pub(crate) struct Manager {
    config: Config,
    seen: Seen,
    sight: Sight,
    presence: Option<ModemPresence>,
    /// Why it is not present; unused while it is.
    trouble: Cause,
    port: Option<String>,
    known: Knowledge,
    /// Whether something was read since the modem came.
    is_read: bool,
    stamp: Option<Stamp>,
    /// Since when data cannot flow although a modem answers.
    waiting_since: Option<Instant>,
    network_time: NetworkTime,
    relay: Relay,
    state: Option<ModemState>,
    health: Option<(HealthStatus, Vec<Cause>)>,
    effects: Vec<Effect>,
}

impl Manager {
    /// A manager that has heard nothing in this run.
    pub(crate) fn new(config: Config, seen: Seen, sight: Sight) -> Self {
        Self {
            config,
            seen,
            sight,
            presence: None,
            trouble: code::MODEM_STARTING.plain(),
            port: None,
            known: Knowledge::new(),
            is_read: false,
            stamp: None,
            waiting_since: None,
            network_time: NetworkTime::default(),
            relay: Relay::default(),
            state: None,
            health: None,
            effects: Vec::new(),
        }
    }

    /// Takes in what happened; what is to be done, in this order.
    pub(crate) fn on(&mut self, event: Event, now: Now) -> Vec<Effect> {
        match event {
            Event::Backend(report) => self.on_report(report, now),
            Event::Nmea(event) => self.on_nmea(event, now),
            Event::Due => {}
        }
        self.effects
            .extend(self.relay.due(now.instant).map(Effect::Sentences));
        self.publish(now);
        std::mem::take(&mut self.effects)
    }

    /// When [`Event::Due`] is due; nothing while only others can say more.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.relay.deadline()
    }

    fn on_report(&mut self, report: Report, now: Now) {
        match report {
            Report::Presence(presence) => self.on_presence(presence, now),
            Report::Known(known, round) => self.on_known(*known, round, now),
            Report::NetworkTime { unix_s } => self.on_network_time(unix_s, now),
            Report::Restarted => {
                self.network_time.forget();
                self.waiting_since = Some(now.instant);
            }
            Report::Interrupted => self.network_time.forget(),
            Report::Sentences(sentences) => self.effects.push(Effect::Sentences(sentences)),
            Report::Message(_) | Report::Delivery { .. } | Report::StoreFull | Report::Done(..) => {
            }
        }
    }

    fn on_presence(&mut self, presence: Presence, now: Now) {
        let was_present = self.presence == Some(ModemPresence::Present);
        let Some(trouble) = presence.trouble else {
            if !was_present {
                tracing::info!(port = presence.port.as_deref(), "modem answers");
                self.waiting_since = Some(now.instant);
                self.is_read = false;
            }
            self.presence = Some(ModemPresence::Present);
            self.port = presence.port;
            return;
        };
        let is_absent = trouble.is(code::MODEM_ABSENT);
        let is_fault = self.config.expected.is_fault(!is_absent || self.seen.modem);
        (self.presence, self.trouble) = if is_fault || presence.presence == ModemPresence::Mute {
            (Some(presence.presence), trouble)
        } else {
            let cause = code::MODEM_NOT_CONFIGURED.plain();
            (Some(ModemPresence::NotConfigured), cause)
        };
        self.port = presence.port;
        let why = if presence.presence == ModemPresence::Mute {
            Reason::Timeout
        } else {
            Reason::NotPresent
        };
        self.known.forget_service(why);
        self.network_time.forget();
        self.waiting_since = None;
        if was_present {
            self.effects
                .push(Effect::Points(now.stamp, points(&self.known)));
        }
    }

    fn on_known(&mut self, known: Knowledge, round: Round, now: Now) {
        self.known = known;
        self.is_read = true;
        self.stamp = Some(now.stamp);
        let has_sim = matches!(
            self.known.sim.status,
            SimStatus::Ready | SimStatus::PinRequired | SimStatus::PukRequired
        );
        let seen = Seen {
            modem: true,
            sim: self.seen.sim || has_sim,
        };
        if seen != self.seen {
            self.seen = seen;
            self.effects.push(Effect::Remember(seen));
        }
        let technology = self.known.registration.technology.as_deref();
        let sight = self.known.data.extend(&self.sight, technology);
        if sight != self.sight {
            self.sight = sight.clone();
            self.effects.push(Effect::RememberSight(sight));
        }
        if let Round::Full(stamp) = round {
            self.effects
                .push(Effect::Points(stamp, points(&self.known)));
        }
    }

    fn on_network_time(&mut self, unix_s: i64, now: Now) {
        let anchor = self.network_time.on_reading(&now.stamp, unix_s);
        self.effects.extend(anchor.map(Effect::Anchor));
    }

    fn on_nmea(&mut self, event: PortEvent, now: Now) {
        match event {
            PortEvent::Opened(port) => tracing::info!(%port, "NMEA port opened"),
            PortEvent::Failed(error) => tracing::debug!(%error, "NMEA port cannot be opened"),
            PortEvent::Lost(why) => {
                tracing::info!(why, "NMEA port lost");
                self.relay.clear();
            }
            PortEvent::Bytes(bytes) => {
                let messages = self.relay.feed(&bytes, now.instant);
                self.effects
                    .extend(messages.into_iter().map(Effect::Sentences));
            }
        }
    }
}
