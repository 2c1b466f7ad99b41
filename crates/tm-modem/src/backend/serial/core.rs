//! The dialogue on the serial port: when what is asked, and what is told of the answers. No I/O.

use std::collections::VecDeque;
use std::time::Duration;

use tm_proto::sim7600::Ussd;
use tm_service::port::{Absence, OpenError, PortEvent};
use tm_types::{Cause, ModemPresence, Reason, SimStatus, code};
use tokio::time::Instant;

use super::ask::{self, Ask};
use super::dialogue::{Dialogue, Step};
use super::errand::{Errand, Want};
use super::messages::Messages;
use crate::backend::{Action, Now, Outcome, Presence, Report, Round as Closes, Ticket};
use crate::config::Config;
use crate::knowledge::Knowledge;

/// How often card and registration are asked for while data cannot flow.
const SERVICE_PERIOD: Duration = Duration::from_secs(10);
/// A burst of unsolicited lines is answered by one reading, not by one each.
pub(super) const NOTICE_DELAY: Duration = Duration::from_millis(200);
/// However much the module has to say, it is not asked more often than this about it.
pub(super) const NOTICE_PERIOD: Duration = Duration::from_secs(2);
/// The module repeats its supply warning every 10 s (manual, 19.2); the log has it once in this time.
pub(super) const WARNING_PERIOD: Duration = Duration::from_mins(10);

/// How often the card is looked through without an announcement: one may have been lost.
const MESSAGES_PERIOD: Duration = Duration::from_mins(10);
/// A text has ten parts at most, and each is reported on once or twice.
const EARLY_MAX: usize = 32;
/// More than so many errands never wait: who asks so often asks in error.
const ERRANDS_MAX: usize = 8;

/// What happened.
#[derive(Debug)]
pub(crate) enum Event {
    /// On the port.
    Port(PortEvent),
    /// A deadline has passed.
    Due,
    /// Something is asked of the modem.
    Ask(Ticket, Action),
}

/// What is to be done.
#[derive(Debug)]
pub(crate) enum Effect {
    /// Write to the port.
    Write(Vec<u8>),
    /// Drop the port and open it again after a wait.
    Reopen,
    /// Tell this.
    Report(Report),
}

/// What is being read.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Round {
    /// Nothing.
    None,
    /// The settings after the opening.
    Init,
    /// Card, registration and cell, or everything.
    Reading(Closes),
}

/// The dialogue with the modem on one port.
#[derive(Debug)]
pub(crate) struct Core {
    pub(super) config: Config,
    pub(super) presence: Option<Presence>,
    pub(super) port: Option<String>,
    pub(super) dialogue: Option<Dialogue>,
    pub(super) has_answered: bool,
    pub(super) known: Knowledge,
    /// What was told last.
    told: Option<Knowledge>,
    pub(super) round: Round,
    next_service: Instant,
    pub(super) next_full: Instant,
    /// The module said that something changed.
    pub(super) notice: Option<Instant>,
    pub(super) round_began: Instant,
    was_in_service: bool,
    pub(super) supply_warned: Option<Instant>,
    /// What is being done, and when it is to be looked at again.
    errand: Option<(Errand, Option<Instant>)>,
    waiting: VecDeque<(Ticket, Action)>,
    pub(super) messages: Messages,
    /// Words on parts of a text that is still being sent: nobody knows their references yet.
    early: Vec<Report>,
    /// Places on the card whose messages have said what they had to say.
    pub(super) spent: Vec<u16>,
    next_messages: Instant,
    messages_began: Instant,
    /// Numbers the texts that are sent.
    reference: u8,
    pub(super) effects: Vec<Effect>,
}

impl Core {
    /// A dialogue that has not begun.
    pub(crate) fn new(config: Config, now: Instant) -> Self {
        Self {
            config,
            presence: None,
            port: None,
            dialogue: None,
            has_answered: false,
            known: Knowledge::new(),
            told: None,
            round: Round::None,
            next_service: now,
            next_full: now,
            notice: None,
            round_began: now,
            was_in_service: false,
            supply_warned: None,
            errand: None,
            waiting: VecDeque::new(),
            messages: Messages::new(),
            early: Vec::new(),
            spent: Vec::new(),
            next_messages: now,
            messages_began: now,
            reference: fastrand::u8(..),
            effects: Vec::new(),
        }
    }

    /// Takes in what happened; what is to be done, in this order.
    pub(crate) fn on(&mut self, event: Event, now: Now) -> Vec<Effect> {
        match event {
            Event::Port(PortEvent::Opened(name)) => self.on_opened(name, now),
            Event::Port(PortEvent::Failed(error)) => self.on_failed(&error),
            Event::Port(PortEvent::Lost(why)) => self.on_lost(&why),
            Event::Port(PortEvent::Bytes(bytes)) => self.on_bytes(&bytes, now),
            Event::Due => self.on_due(now),
            Event::Ask(ticket, action) => self.on_ask(ticket, action),
        }
        self.advance(now);
        self.tell_changes();
        std::mem::take(&mut self.effects)
    }

    /// When [`Event::Due`] is due; nothing while only the port can say more.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let dialogue = self.dialogue.as_ref()?;
        let errand = self.errand.as_ref().and_then(|(_, due)| *due);
        Some(dialogue.deadline().unwrap_or_else(|| {
            let round = self.next_full.min(self.next_service());
            let round = round.min(self.next_messages);
            errand.map_or(round, |errand| errand.min(round))
        }))
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

    /// The settings that the module does not keep over a restart.
    pub(super) fn ask_settings(&mut self) {
        let Some(dialogue) = &mut self.dialogue else {
            return;
        };
        dialogue.ask(ask::INIT);
        match u16::try_from(self.config.gnss_antenna_mv) {
            // Nobody asked for a supply.
            Ok(0) | Err(_) => {}
            Ok(mv) => dialogue.ask(&[Ask::AntennaVoltage(mv), Ask::AntennaSupply]),
        }
    }

    /// Errands are run one after the other, in the order in which they were asked for.
    fn on_ask(&mut self, ticket: Ticket, action: Action) {
        let refusal = if self.dialogue.is_none() || !self.has_answered {
            let absent = || code::MODEM_ABSENT.with("port", &self.config.port);
            Some(self.trouble().cloned().unwrap_or_else(absent))
        } else if self.waiting.len() >= ERRANDS_MAX {
            Some(code::MODEM_BUSY.with("what", "other requests"))
        } else {
            None
        };
        match refusal {
            Some(cause) => self.tell_done(Some(ticket), Err(cause)),
            None => self.waiting.push_back((ticket, action)),
        }
    }

    /// What nobody asked for ends in silence.
    fn tell_done(&mut self, ticket: Option<Ticket>, end: Result<Outcome, Cause>) {
        let done = ticket.map(|ticket| Effect::Report(Report::Done(ticket, end)));
        self.effects.extend(done);
    }

    /// Goes on with the errand as far as it goes now, and with the next.
    fn run_errands(&mut self, now: Instant) {
        while let Some(dialogue) = self.dialogue.as_mut().filter(|dialogue| dialogue.is_idle()) {
            let Some((errand, due)) = &mut self.errand else {
                let Some(next) = self.next_errand(now) else {
                    return;
                };
                self.errand = Some((next, None));
                continue;
            };
            *due = None;
            match errand.want(now) {
                Want::Ask(question) => {
                    dialogue.ask_question(question);
                    return;
                }
                Want::Wait(until) => {
                    *due = Some(until);
                    return;
                }
                Want::End(end) => {
                    let ticket = errand.ticket;
                    for place in errand.freed() {
                        self.messages.forget(place);
                    }
                    if errand.changes_service() {
                        self.next_full = self.next_full.min(now);
                    }
                    self.errand = None;
                    self.tell_done(ticket, end);
                    let early = std::mem::take(&mut self.early);
                    self.effects.extend(early.into_iter().map(Effect::Report));
                }
            }
        }
    }

    /// Something lies on the card: many announcements are answered by one look.
    pub(super) fn look_for_messages(&mut self, now: Instant) {
        let soon = (now + NOTICE_DELAY).max(self.messages_began + NOTICE_PERIOD);
        self.next_messages = self.next_messages.min(soon);
    }

    fn next_errand(&mut self, now: Instant) -> Option<Errand> {
        if let Some(place) = self.spent.pop() {
            return Some(Errand::clean(place, now));
        }
        let (ticket, action) = self.waiting.pop_front()?;
        self.reference = self.reference.wrapping_add(1);
        let cid = self.known.data.context_for_data();
        Some(Errand::new(ticket, action, cid, self.reference, now))
    }

    /// The network's word on a part of a text; told once its sender knows the part.
    pub(super) fn on_delivery(&mut self, word: Report) {
        let is_sending = self
            .errand
            .as_ref()
            .is_some_and(|(errand, _)| errand.is_sending());
        if is_sending && self.early.len() < EARLY_MAX {
            self.early.push(word);
        } else {
            self.effects.push(Effect::Report(word));
        }
    }

    /// The network's answer to a service code, or a word of its own that nobody waits for.
    pub(super) fn on_ussd(&mut self, answer: &Ussd) {
        if let Some((errand, _)) = &mut self.errand {
            errand.on_ussd(answer);
        }
    }

    /// Nobody is there any more to run errands for.
    pub(super) fn end_errands(&mut self) {
        let absent = code::MODEM_ABSENT.with("port", &self.config.port);
        if let Some((mut errand, _)) = self.errand.take() {
            let end = errand.on_gone(absent.clone());
            self.tell_done(errand.ticket, end);
        }
        while let Some((ticket, _)) = self.waiting.pop_front() {
            self.tell_done(Some(ticket), Err(absent.clone()));
        }
    }

    fn on_opened(&mut self, name: String, now: Now) {
        tracing::info!(port = %name, "port opened");
        self.port = Some(name);
        self.dialogue = Some(Dialogue::new(self.config.pin.clone()));
        self.ask_settings();
        self.has_answered = false;
        self.round = Round::Init;
        self.next_full = now.instant;
    }

    fn on_failed(&mut self, error: &OpenError) {
        let port = &self.config.port;
        let trouble = match error {
            OpenError::Absent(Absence::OtherProduct {
                vendor,
                product,
                found,
            }) => code::MODEM_WRONG_COMPOSITION
                .with("found", format_args!("{vendor:04x}:{found:04x}"))
                .and("expected", format_args!("{vendor:04x}:{product:04x}"))
                .and("pid", format_args!("{product:04x}")),
            OpenError::Absent(_) => code::MODEM_ABSENT.with("port", port),
            OpenError::Held(_) => code::MODEM_PORT_HELD.with("port", port),
            _ => code::MODEM_PORT_UNUSABLE
                .with("port", port)
                .and("error", error),
        };
        if self.trouble() != Some(&trouble) {
            tracing::warn!(%port, %error, "port cannot be opened");
        }
        self.leave(ModemPresence::Absent, trouble, Reason::NotPresent);
    }

    fn trouble(&self) -> Option<&Cause> {
        self.presence.as_ref()?.trouble.as_ref()
    }

    fn on_lost(&mut self, why: &str) {
        tracing::info!(port = self.port.as_deref(), why, "port lost");
        // A moment's absence (a reset, an unplugged hub) shows when the port cannot be opened again;
        // a port that opens and ends without a word does not answer.
        if self.has_answered {
            self.close();
        } else {
            self.on_mute();
        }
    }

    fn on_mute(&mut self) {
        let port = self
            .port
            .clone()
            .unwrap_or_else(|| self.config.port.to_string());
        let is_news = self
            .presence
            .as_ref()
            .is_none_or(|presence| presence.presence != ModemPresence::Mute);
        if is_news {
            tracing::warn!(%port, "modem does not answer");
        }
        let trouble = code::MODEM_MUTE.with("port", port);
        self.leave(ModemPresence::Mute, trouble, Reason::Timeout);
    }

    /// The modem is not to be spoken to any more.
    fn leave(&mut self, presence: ModemPresence, trouble: Cause, why: Reason) {
        self.close();
        // A mute port is opened again and again; that is no news.
        let port = trouble.args.get("port").cloned();
        self.tell_presence(Presence {
            presence,
            port: port.filter(|_| presence == ModemPresence::Mute),
            trouble: Some(trouble),
            is_on_usb: None,
        });
        self.known.forget_service(why);
    }

    /// Tells whether the modem is there, where that is news.
    pub(super) fn tell_presence(&mut self, presence: Presence) {
        if self.presence.as_ref() != Some(&presence) {
            self.presence = Some(presence.clone());
            self.effects
                .push(Effect::Report(Report::Presence(presence)));
        }
    }

    fn close(&mut self) {
        if let Some(dialogue) = self.dialogue.take() {
            tracing::debug!(counters = ?dialogue.counters(), "dialogue ended");
            self.effects.push(Effect::Report(Report::Interrupted));
        }
        self.port = None;
        self.round = Round::None;
        self.messages.clear();
        self.spent.clear();
        self.end_errands();
    }

    fn on_bytes(&mut self, bytes: &[u8], now: Now) {
        let Some(dialogue) = &mut self.dialogue else {
            return;
        };
        // Not what they say: it may be a text message, a number of the card, or an echo of the PIN.
        tracing::trace!(bytes = bytes.len(), "read");
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
        // A prompt that was given up is escaped before anything else is asked.
        while let Some(step) = self.dialogue.as_mut().and_then(Dialogue::next) {
            self.on_step(step, now);
        }
    }

    fn on_step(&mut self, step: Step, now: Now) {
        match step {
            Step::Send(bytes) => self.effects.push(Effect::Write(bytes)),
            Step::Answered(Ask::Errand, reply) => {
                if let Some((errand, _)) = &mut self.errand {
                    errand.on_reply(&reply);
                }
            }
            Step::Unanswered(Ask::Errand) => {
                if let Some((errand, _)) = &mut self.errand {
                    errand.on_timeout();
                }
            }
            Step::Answered(ask, reply) => self.on_answer(ask, &reply, now),
            Step::Unanswered(ask) => {
                tracing::debug!(?ask, "unanswered");
                self.known.on_timeout(ask);
            }
            Step::Urc(urc) => self.on_urc(&urc, now),
            Step::Mute => {
                self.on_mute();
                self.effects.push(Effect::Reopen);
            }
        }
    }

    /// Asks the next question; begins the next round when one is over and another due.
    fn advance(&mut self, now: Now) {
        self.close_round(now);
        self.run_errands(now.instant);
        let next_service = self.next_service();
        let Some(dialogue) = &mut self.dialogue else {
            return;
        };
        if dialogue.is_idle() {
            let is_full = now.instant >= self.next_full;
            if is_full {
                self.round = Round::Reading(Closes::Full(now.stamp));
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
                self.round = Round::Reading(Closes::Service);
                dialogue.ask(ask::SERVICE);
                dialogue.ask(&[Ask::ServingCell]);
            } else if now.instant >= self.next_messages {
                self.messages_began = now.instant;
                self.next_messages = now.instant + MESSAGES_PERIOD;
                if self.known.sim.status == SimStatus::Ready {
                    dialogue.ask(ask::MESSAGES);
                }
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

    /// All that was asked is answered: the round is over.
    fn close_round(&mut self, now: Now) {
        if !self.dialogue.as_ref().is_some_and(Dialogue::is_idle) {
            return;
        }
        if let Round::Reading(round) = self.round {
            let known = Box::new(self.known.clone());
            self.told = Some(self.known.clone());
            self.effects
                .push(Effect::Report(Report::Known(known, round)));
        }
        // Service begins: its levels are of interest now.
        if !std::mem::replace(&mut self.was_in_service, self.known.is_in_service())
            && self.was_in_service
            && self.round == Round::Reading(Closes::Service)
        {
            self.next_full = now.instant;
        }
        self.round = Round::None;
    }

    /// What changed by itself is told at once; between two answers half of what is known is old.
    fn tell_changes(&mut self) {
        let is_present = self
            .presence
            .as_ref()
            .is_some_and(|presence| presence.presence == ModemPresence::Present);
        let is_quiet = self.round == Round::None && self.dialogue.is_some();
        if is_present && is_quiet && self.told.as_ref() != Some(&self.known) {
            self.told = Some(self.known.clone());
            let known = Box::new(self.known.clone());
            self.effects
                .push(Effect::Report(Report::Known(known, Closes::Service)));
        }
    }
}
