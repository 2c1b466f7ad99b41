//! What is heard of the modem, of its host, and of the sky.

use tm_service::port::PortEvent;
use tm_types::{ModemPresence, Reason, SimStatus, Timestamp, code};

use super::event::{Effect, File};
use super::{Manager, Now};
use crate::backend::chosen::SERIAL;
use crate::backend::{Outcome, Presence, Report, Round, Ticket, Tickets};
use crate::balance::{self, Codes};
use crate::diagnosis::NetworkManager;
use crate::knowledge::Knowledge;
use crate::points::points;
use crate::situation::Seen;
use crate::usage::Counters;
use crate::usb::UsbLook;

impl Manager {
    pub(super) fn on_report(&mut self, report: Report, now: Now) {
        match report {
            Report::Presence(presence) => self.on_presence(presence, now),
            Report::Known(known, round) => self.on_known(*known, round, now),
            Report::NetworkTime { unix_s } => self.on_network_time(unix_s, now),
            Report::Restarted => {
                self.network_time.forget();
                self.waiting_since = Some(now.instant);
            }
            Report::Interrupted => self.network_time.forget(),
            Report::Sentences(sentences) => self.on_sentences(Some(sentences), now),
            Report::Message(received) => self.on_message(&received, now),
            Report::Delivery { reference, failure } => {
                self.on_delivery(reference, failure.as_deref(), now);
            }
            Report::StoreFull => self.on_store_full(),
            Report::Done(ticket, result) => self.on_done(ticket, &result, now),
        }
    }

    fn on_done(&mut self, ticket: Ticket, result: &Result<Outcome, tm_types::Cause>, now: Now) {
        if self.on_step_done(ticket, result, now) {
            return;
        }
        let mut is_ours = false;
        self.with_codes(|codes, _| match codes.on_done(ticket, result, now) {
            Some(effects) => {
                is_ours = true;
                effects
            }
            None => Vec::new(),
        });
        if is_ours {
            let memory = super::json(self.codes.memory());
            self.effects.push(Effect::Save(File::Balance, memory));
            return;
        }
        let mut is_ours = false;
        self.with_messages(|messages, tickets| {
            let effects = messages.on_done(ticket, result, now, tickets);
            is_ours = effects.is_some();
            effects.unwrap_or_default()
        });
        if is_ours {
            self.save_messages();
        }
    }

    /// Lets the service codes decide, and does what they want.
    pub(super) fn with_codes(
        &mut self,
        decide: impl FnOnce(&mut Codes, &mut Tickets) -> Vec<balance::Effect>,
    ) {
        for effect in decide(&mut self.codes, &mut self.tickets) {
            self.effects.push(match effect {
                balance::Effect::Act(ticket, action) => Effect::Ask(ticket, action),
                balance::Effect::Event(severity, cause) => Effect::Event(severity, cause),
                balance::Effect::Finish(id, end) => Effect::Finish(id, end),
            });
        }
    }

    fn on_presence(&mut self, presence: Presence, now: Now) {
        self.is_news = true;
        let was_present = self.presence == Some(ModemPresence::Present);
        let Some(trouble) = presence.trouble else {
            if !was_present {
                tracing::info!(port = presence.port.as_deref(), "modem answers");
                self.waiting_since = Some(now.instant);
                self.is_read = false;
                self.messages.on_present(now);
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
        // Off as far as anybody knows: the watch begins anew when it returns.
        self.antenna.on_engine(Some(false));
        self.waiting_since = None;
        if was_present {
            self.effects
                .push(Effect::Points(now.stamp, points(&self.known)));
        }
    }

    fn on_known(&mut self, known: Knowledge, round: Round, now: Now) {
        self.is_news = true;
        self.known = known;
        self.is_read = true;
        self.stamp = Some(now.stamp);
        self.note_seen();
        let technology = self.known.registration.technology.as_deref();
        let sight = self.known.data.extend(&self.sight, technology);
        if sight != self.sight {
            self.sight = sight.clone();
            self.effects.push(Effect::RememberSight(sight));
        }
        let imei = self.known.identity.imei.as_ref();
        if imei.is_some() && imei != self.imei.as_ref() {
            self.imei = imei.cloned();
            self.effects
                .push(Effect::Save(File::Imei, super::json(&self.imei)));
        }
        let engine = self.known.gnss.as_ref();
        self.antenna.on_engine(engine.and_then(|engine| engine.on));
        if let Round::Full(stamp) = round {
            self.effects
                .push(Effect::Points(stamp, points(&self.known)));
        }
        let bearer = self.known.bearer.as_ref();
        let counters = bearer.and_then(|bearer| {
            Some(Counters {
                session: bearer.id.clone(),
                rx_bytes: bearer.rx_bytes?,
                tx_bytes: bearer.tx_bytes?,
            })
        });
        self.count(counters, now);
        let is_registered = self.known.is_registered();
        let is_healing = self.care.is_healing(now);
        self.with_codes(|codes, tickets| {
            codes.on_situation(is_registered, is_healing, now, tickets)
        });
    }

    fn note_seen(&mut self) {
        let has_sim = matches!(
            self.known.sim.status,
            SimStatus::Ready | SimStatus::PinRequired | SimStatus::PukRequired
        );
        let bearer = self.known.bearer.as_ref();
        let has_context = bearer.is_some_and(|bearer| bearer.is_connected);
        let seen = Seen {
            modem: true,
            sim: self.seen.sim || has_sim,
            registered: self.seen.registered || self.known.is_registered(),
            context: self.seen.context || has_context,
        };
        if seen != self.seen {
            self.seen = seen;
            self.effects.push(Effect::Remember(seen));
        }
    }

    fn count(&mut self, counters: Option<Counters>, now: Now) {
        if let Some(counters) = counters {
            self.usage.on_counters(&counters, &self.best_stamp(now));
            let memory = super::json(&self.usage.memory());
            self.effects.push(Effect::Save(File::Usage, memory));
        }
    }

    /// The host's own counters, where nobody else tells of the connection.
    pub(super) fn on_usb(&mut self, usb: UsbLook, now: Now) {
        self.is_news = true;
        // ModemManager counts the same bytes by connection.
        if self.backend == Some(SERIAL) {
            let network = usb.modem().and_then(|modem| modem.network.as_ref());
            let counters = network.map(|network| Counters {
                session: network.interface.clone(),
                rx_bytes: network.rx_bytes,
                tx_bytes: network.tx_bytes,
            });
            self.count(counters, now);
        }
        self.usb = usb;
    }

    pub(super) fn on_network(&mut self, word: Option<NetworkManager>) {
        self.care.network_manager = word;
        self.is_news = true;
    }

    fn on_network_time(&mut self, unix_s: i64, now: Now) {
        self.told_time = unix_s.checked_mul(1000).map(Timestamp::of_unix_ms);
        let anchor = self.network_time.on_reading(&now.stamp, unix_s);
        self.effects.extend(anchor.map(Effect::Anchor));
    }

    pub(super) fn on_nmea(&mut self, event: PortEvent, now: Now) {
        match event {
            PortEvent::Opened(port) => {
                tracing::info!(%port, "NMEA port opened");
                self.nmea_port = Some(port);
            }
            PortEvent::Failed(error) => {
                tracing::debug!(%error, "NMEA port cannot be opened");
                self.nmea_port = None;
            }
            PortEvent::Lost(why) => {
                tracing::info!(why, "NMEA port lost");
                self.relay.clear();
                self.nmea_port = None;
            }
            PortEvent::Bytes(bytes) => {
                for sentences in self.relay.feed(&bytes, now.instant) {
                    self.on_sentences(Some(sentences), now);
                }
            }
        }
    }

    pub(super) fn on_sentences(&mut self, sentences: Option<Vec<u8>>, now: Now) {
        if let Some(sentences) = sentences {
            self.antenna.on_sentences(&sentences, now.instant);
            self.effects.push(Effect::Sentences(sentences));
        }
    }
}
