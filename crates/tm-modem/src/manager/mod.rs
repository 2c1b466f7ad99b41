//! Decides: events in, effects out. No I/O, no clock of its own.

mod answers;
mod event;
mod report;
#[cfg(test)]
mod tests;

use std::time::Duration;

use tm_service::port::{OpenError, PortEvent};
use tm_types::{Cause, HealthStatus, ModemPresence, ModemState, Reason, Stamp, code};
use tokio::time::Instant;

use crate::ask::{self, Ask};
use crate::config::Config;
use crate::data::Sight;
use crate::dialogue::{Dialogue, Step};
use crate::knowledge::Knowledge;
use crate::network_time::NetworkTime;
use crate::points::points;
use crate::relay::Relay;
use crate::situation::Seen;

pub(crate) use event::{Effect, Event, Now};

/// How often card and registration are asked for while data cannot flow.
const SERVICE_PERIOD: Duration = Duration::from_secs(10);
/// A burst of unsolicited lines is answered by one reading, not by one each.
const NOTICE_DELAY: Duration = Duration::from_millis(200);
/// However much the module has to say, it is not asked more often than this about it.
const NOTICE_PERIOD: Duration = Duration::from_secs(2);
/// The module repeats its supply warning every 10 s (manual, 19.2); the log has it once in this time.
const WARNING_PERIOD: Duration = Duration::from_mins(10);

/// What is being read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Round {
    /// Nothing.
    None,
    /// The settings after the opening.
    Init,
    /// Card, registration and cell, for the state.
    Service,
    /// Everything, for one message of measurements.
    Full(Stamp),
}

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
    dialogue: Option<Dialogue>,
    has_answered: bool,
    known: Knowledge,
    stamp: Option<Stamp>,
    round: Round,
    next_service: Instant,
    next_full: Instant,
    /// The module said that something changed.
    notice: Option<Instant>,
    round_began: Instant,
    was_in_service: bool,
    /// Since when data cannot flow although a modem answers.
    waiting_since: Option<Instant>,
    supply_warned: Option<Instant>,
    network_time: NetworkTime,
    relay: Relay,
    state: Option<ModemState>,
    health: Option<(HealthStatus, Vec<Cause>)>,
    effects: Vec<Effect>,
}

impl Manager {
    /// A manager that has heard nothing in this run.
    pub(crate) fn new(config: Config, seen: Seen, sight: Sight, now: Instant) -> Self {
        Self {
            config,
            seen,
            sight,
            presence: None,
            trouble: code::MODEM_STARTING.plain(),
            port: None,
            dialogue: None,
            has_answered: false,
            known: Knowledge::new(),
            stamp: None,
            round: Round::None,
            next_service: now,
            next_full: now,
            notice: None,
            round_began: now,
            was_in_service: false,
            waiting_since: None,
            supply_warned: None,
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
            Event::At(PortEvent::Opened(name)) => self.on_opened(name, now),
            Event::At(PortEvent::Failed(error)) => self.on_failed(&error, now),
            Event::At(PortEvent::Lost(why)) => self.on_lost(&why, now),
            Event::At(PortEvent::Bytes(bytes)) => self.on_bytes(&bytes, now),
            Event::Nmea(event) => self.on_nmea(event, now),
            Event::Due => self.on_due(now),
        }
        self.advance(now);
        self.publish(now);
        std::mem::take(&mut self.effects)
    }

    /// When [`Event::Due`] is due; nothing while only the ports can say more.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let dialogue = self.dialogue.as_ref().map(|dialogue| {
            dialogue
                .deadline()
                .unwrap_or_else(|| self.next_full.min(self.next_service()))
        });
        [dialogue, self.relay.deadline()]
            .into_iter()
            .flatten()
            .min()
    }

    /// When card and registration are asked for next, at the latest with everything else.
    fn next_service(&self) -> Instant {
        let regular = (!self.known.is_in_service()).then_some(self.next_service);
        [regular, self.notice]
            .into_iter()
            .flatten()
            .min()
            .unwrap_or(self.next_full)
    }

    fn on_opened(&mut self, name: String, now: Now) {
        tracing::info!(port = %name, "port opened");
        self.port = Some(name);
        let mut dialogue = Dialogue::new(self.config.pin.clone());
        dialogue.ask(ask::INIT);
        self.dialogue = Some(dialogue);
        self.has_answered = false;
        self.round = Round::Init;
        self.next_full = now.instant;
    }

    fn on_failed(&mut self, error: &OpenError, now: Now) {
        let is_absent = matches!(error, OpenError::Absent(_));
        let expected = self.config.expected;
        let is_fault = if is_absent {
            expected.is_fault(self.seen.modem)
        } else {
            expected.is_fault(true)
        };
        let port = &self.config.port;
        let (presence, trouble) = if !is_fault {
            (
                ModemPresence::NotConfigured,
                code::MODEM_NOT_CONFIGURED.plain(),
            )
        } else if is_absent {
            (ModemPresence::Absent, code::MODEM_ABSENT.with("port", port))
        } else {
            let cause = code::MODEM_PORT_UNUSABLE.with("port", port);
            (ModemPresence::Absent, cause.and("error", error))
        };
        if self.trouble != trouble {
            tracing::warn!(%port, %error, "port cannot be opened");
        }
        self.leave(presence, trouble, Reason::NotPresent, now);
    }

    fn on_lost(&mut self, why: &str, now: Now) {
        tracing::info!(port = self.port.as_deref(), why, "port lost");
        // A moment's absence (a reset, an unplugged hub) shows when the port cannot be opened again;
        // a port that opens and ends without a word does not answer.
        if self.has_answered {
            self.close();
        } else {
            self.on_mute(now);
        }
    }

    fn on_mute(&mut self, now: Now) {
        let port = self
            .port
            .clone()
            .unwrap_or_else(|| self.config.port.to_string());
        if self.presence != Some(ModemPresence::Mute) {
            tracing::warn!(%port, "modem does not answer");
        }
        let trouble = code::MODEM_MUTE.with("port", port);
        self.leave(ModemPresence::Mute, trouble, Reason::Timeout, now);
    }

    /// The modem is not to be spoken to any more.
    fn leave(&mut self, presence: ModemPresence, trouble: Cause, why: Reason, now: Now) {
        let was_present = self.presence == Some(ModemPresence::Present);
        self.close();
        (self.presence, self.trouble) = (Some(presence), trouble);
        self.known.forget_service(why);
        self.waiting_since = None;
        if was_present {
            self.effects
                .push(Effect::Points(now.stamp, points(&self.known)));
        }
    }

    fn close(&mut self) {
        if let Some(dialogue) = self.dialogue.take() {
            tracing::debug!(counters = ?dialogue.counters(), "dialogue ended");
        }
        self.port = None;
        self.round = Round::None;
        self.network_time.forget();
    }

    fn on_bytes(&mut self, bytes: &[u8], now: Now) {
        let Some(dialogue) = &mut self.dialogue else {
            return;
        };
        if !dialogue.is_secret() {
            tracing::trace!(text = %bytes.escape_ascii(), "read");
        }
        dialogue.feed(bytes);
        while let Some(step) = self.dialogue.as_mut().and_then(Dialogue::next) {
            self.on_step(step, now);
        }
    }

    fn on_due(&mut self, now: Now) {
        if let Some(step) = self
            .dialogue
            .as_mut()
            .and_then(|dialogue| dialogue.due(now.instant))
        {
            self.on_step(step, now);
        }
        self.effects
            .extend(self.relay.due(now.instant).map(Effect::Sentences));
    }

    fn on_step(&mut self, step: Step, now: Now) {
        match step {
            Step::Send(bytes) => self.effects.push(Effect::Write(bytes)),
            Step::Answered(ask, reply) => self.on_answer(ask, &reply, now),
            Step::Unanswered(ask) => {
                tracing::debug!(?ask, "unanswered");
                self.known.on_timeout(ask);
            }
            Step::Urc(urc) => self.on_urc(&urc, now),
            Step::Mute => {
                self.on_mute(now);
                self.effects.push(Effect::Reopen);
            }
        }
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

    /// Asks the next question; begins the next round when one is over and another due.
    fn advance(&mut self, now: Now) {
        let next_service = self.next_service();
        let Some(dialogue) = &mut self.dialogue else {
            return;
        };
        if dialogue.is_idle() {
            if let Round::Full(stamp) = self.round {
                self.effects
                    .push(Effect::Points(stamp, points(&self.known)));
            }
            // Service begins: its levels are of interest now.
            if !std::mem::replace(&mut self.was_in_service, self.known.is_in_service())
                && self.was_in_service
                && self.round == Round::Service
            {
                self.next_full = now.instant;
            }
            self.round = Round::None;
            let is_full = now.instant >= self.next_full;
            if is_full {
                self.round = Round::Full(now.stamp);
                // From due time to due time, so that the readings stand on a grid.
                let poll = Duration::from_secs(self.config.poll_s.into());
                let next = self.next_full + poll;
                self.next_full = if next > now.instant {
                    next
                } else {
                    now.instant + poll
                };
                if self.known.identity.model.is_none() {
                    dialogue.ask(&[Ask::Identity, Ask::Revision]);
                }
                dialogue.ask(ask::SERVICE);
                dialogue.ask(ask::LEVELS);
                if self.config.nmea_relay {
                    dialogue.ask(&[Ask::GnssEngine]);
                }
            } else if now.instant >= next_service {
                self.round = Round::Service;
                dialogue.ask(ask::SERVICE);
                dialogue.ask(&[Ask::ServingCell]);
            }
            if self.round != Round::None {
                self.notice = None;
                self.round_began = now.instant;
                self.next_service = now.instant + SERVICE_PERIOD;
            }
        }
        if let Some(step) = dialogue.start(now.instant) {
            self.on_step(step, now);
        }
    }
}
