//! What an answer or an unsolicited line leads to.

use std::time::Duration;

use tm_proto::at::Reply;
use tm_proto::sim7600::{self, SimState, Urc};
use tm_types::{ModemPresence, Reason, SimStatus};

use super::ask::{self, Ask};
use super::core::{Core, Effect, NOTICE_DELAY, NOTICE_PERIOD, Round, WARNING_PERIOD};
use super::messages::Messages;
use crate::backend::{Now, Presence, Report};

impl Core {
    /// Folds an answer in and asks what follows from it.
    pub(super) fn on_answer(&mut self, ask: Ask, reply: &Reply, now: Now) {
        self.has_answered = true;
        self.tell_presence(Presence {
            presence: ModemPresence::Present,
            trouble: None,
            port: self.port.clone(),
            is_on_usb: None,
        });
        self.known.on_reply(ask, reply);
        let follow_up: &[Ask] = match ask {
            Ask::Identity if self.known.identity.imei.is_none() => &[Ask::Imei],
            Ask::Sim => self.after_sim(),
            Ask::PinTries if self.known.sim.status == SimStatus::PinRequired => {
                self.after_pin_tries()
            }
            Ask::PacketData => self.after_contexts(),
            Ask::EnterPin if reply.ok().is_ok() => &[Ask::Sim],
            Ask::EnterPin => {
                tracing::warn!("the SIM refuses the PIN");
                self.known.is_pin_withheld = true;
                &[]
            }
            Ask::RegistrationLte if !self.known.is_registered() => &[Ask::RegistrationPs],
            Ask::Clock => {
                // A clock that nobody set since power-on is no network's time.
                let clock = reply.ok().ok().and_then(sim7600::network_clock).flatten();
                let clock = clock.filter(|_| self.known.is_registered());
                self.effects.extend(clock.map(|clock| {
                    Effect::Report(Report::NetworkTime {
                        unix_s: clock.unix_s,
                    })
                }));
                &[]
            }
            Ask::MessageList => {
                self.on_messages(reply, now);
                &[]
            }
            Ask::MessageRoom | Ask::MessageStore => {
                let lines = reply.ok().unwrap_or_default();
                let full = self.messages.on_stores(lines);
                self.effects.extend(full.map(Effect::Report));
                &[]
            }
            Ask::GnssEngine
                if reply
                    .ok()
                    .ok()
                    .and_then(sim7600::gnss_engine)
                    .is_some_and(|e| !e.is_on) =>
            {
                tracing::info!("GNSS engine is off, switching it on");
                &[Ask::GnssOn]
            }
            _ => &[],
        };
        if let Some(dialogue) = &mut self.dialogue {
            dialogue.ask_first(follow_up);
        }
    }

    fn after_sim(&self) -> &'static [Ask] {
        match self.known.sim.status {
            SimStatus::Ready if self.known.sim.iccid.is_none() => ask::CARD,
            SimStatus::Ready if self.known.sim.imsi.is_none() => &[Ask::Imsi],
            SimStatus::PinRequired if self.config.pin.is_some() && !self.known.is_pin_withheld => {
                &[Ask::PinTries]
            }
            _ => &[],
        }
    }

    fn on_messages(&mut self, reply: &Reply, now: Now) {
        let Ok(lines) = reply.ok() else {
            return;
        };
        let mono = Duration::from_millis(now.stamp.mono_ms);
        let (reports, spent) = self.messages.on_list(lines, mono);
        for report in reports {
            match report {
                Report::Delivery { .. } => self.on_delivery(report),
                report => self.effects.push(Effect::Report(report)),
            }
        }
        self.spent.extend(spent);
    }

    /// Why there is no context is asked only while there is none.
    fn after_contexts(&self) -> &'static [Ask] {
        if self.known.data.is_without() {
            &[Ask::LastError]
        } else {
            &[]
        }
    }

    /// A machine never spends the tries that a person needs.
    fn after_pin_tries(&mut self) -> &'static [Ask] {
        if self.known.pin_tries == Some(3) {
            tracing::info!("entering the PIN");
            return &[Ask::EnterPin];
        }
        tracing::warn!(tries = self.known.pin_tries, "PIN withheld");
        self.known.is_pin_withheld = true;
        &[]
    }

    /// Takes in a line that nobody asked for.
    pub(super) fn on_urc(&mut self, urc: &Urc, now: Now) {
        // A late echo of the PIN would come as an unknown line.
        if !matches!(urc, Urc::Other(line) if line.contains("CPIN")) {
            tracing::debug!(?urc, "unsolicited");
        }
        let soon = (now.instant + NOTICE_DELAY).max(self.round_began + NOTICE_PERIOD);
        match urc {
            Urc::Started => {
                tracing::info!("module restarted");
                self.known.forget_service(Reason::WarmingUp);
                self.messages.clear();
                self.effects.push(Effect::Report(Report::Restarted));
                // What was being done in it is over, and what waits would meet a module that starts.
                self.end_errands();
                self.round = Round::Init;
                self.next_full = now.instant;
                if let Some(dialogue) = &mut self.dialogue {
                    dialogue.forget();
                }
                self.ask_settings();
            }
            Urc::Sim(state) => {
                self.known.on_sim(*state);
                if self.known.sim.iccid.is_none() {
                    self.messages.clear();
                }
                if *state == SimState::Ready {
                    self.next_full = self.next_full.min(soon);
                }
            }
            // What was refused while the module started is asked for again.
            Urc::MessagesReady | Urc::PhonebookReady => self.next_full = self.next_full.min(soon),
            Urc::Registration(_) | Urc::Access(_) | Urc::PacketDomain(_) => {
                self.notice.get_or_insert(soon);
            }
            Urc::TimeZone { .. } => self.ask(&[Ask::Clock]),
            Urc::Temperature {
                is_cold,
                shuts_down,
            } => {
                tracing::warn!(is_cold, shuts_down, "module beyond its temperature");
                self.ask(&[Ask::Temperature]);
            }
            Urc::Supply(alarm) => {
                let is_new = self
                    .supply_warned
                    .is_none_or(|at| now.instant >= at + WARNING_PERIOD);
                if is_new {
                    tracing::warn!(?alarm, "module beyond its supply voltage");
                    self.supply_warned = Some(now.instant);
                }
                self.ask(&[Ask::Supply]);
            }
            // The index is absent when the store is full (seen as `+CMTI: ,-1`).
            Urc::Message { index, .. } => {
                if index.is_none() {
                    let full = self.messages.on_full();
                    self.effects.extend(full.map(Effect::Report));
                }
                self.look_for_messages(now.instant);
            }
            Urc::DeliveryReportStored { .. } => self.look_for_messages(now.instant),
            Urc::DeliveryReport { pdu } => {
                if let Some(word) = Messages::on_delivery(pdu) {
                    self.on_delivery(word);
                }
            }
            Urc::Ussd(answer) => self.on_ussd(answer),
            // A message of class 0 is for a display, and there is none.
            Urc::UnstoredMessage { .. } | Urc::GnssStopped | Urc::Other(_) => {}
        }
    }

    fn ask(&mut self, asks: &[Ask]) {
        if let Some(dialogue) = &mut self.dialogue {
            dialogue.ask(asks);
        }
    }
}
