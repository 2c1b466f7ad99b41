//! Text messages and service codes: what their modules want done, and what the cabinet says of itself.

use tm_types::{Operation, RegistrationStatus};

use super::event::{Asking, Effect, File};
use super::{Manager, Now};
use crate::backend::{Received, Tickets};
use crate::messages::answers::{Info, Position};
use crate::messages::{self, Messages};

/// A receiver's usual error of range, m: with it dilution of precision becomes a distance, as a rule of thumb.
const RANGE_ERROR_M: f64 = 5.0;

impl Manager {
    pub(super) fn on_message(&mut self, received: &Received, now: Now) {
        let info = self.info(now);
        let now = Now {
            stamp: self.best_stamp(now),
            ..now
        };
        self.with_messages(|messages, tickets| messages.on_received(received, &info, now, tickets));
    }

    pub(super) fn on_delivery(&mut self, reference: u8, failure: Option<&str>, now: Now) {
        self.with_messages(|messages, _| messages.on_delivery(reference, failure, now));
        self.save_messages();
    }

    pub(super) fn on_store_full(&mut self) {
        self.with_messages(|messages, _| messages.on_store_full());
    }

    pub(super) fn on_operation(&mut self, operation: &Operation, now: Now) {
        self.on_reboot(operation, now);
        let info = self.info(now);
        self.with_messages(|messages, tickets| {
            messages.on_operation(operation, &info, now, tickets)
        });
    }

    pub(super) fn on_messages_due(&mut self, now: Now) {
        if self
            .messages
            .deadline()
            .is_some_and(|due| due <= now.instant)
        {
            let info = self.info(now);
            self.with_messages(|messages, tickets| messages.on_due(&info, now, tickets));
        }
    }

    /// What is kept of messages also changes where nothing demands it at once.
    pub(super) fn save_messages(&mut self) {
        self.effects.push(Effect::Save(
            File::Messages,
            super::json(self.messages.memory()),
        ));
    }

    /// Lets the messages decide, and does what they want.
    pub(super) fn with_messages(
        &mut self,
        decide: impl FnOnce(&mut Messages, &mut Tickets) -> Vec<messages::Effect>,
    ) {
        let wanted = decide(&mut self.messages, &mut self.tickets);
        let effects = self.translate(wanted);
        self.effects.extend(effects);
    }

    /// Behind a [`messages::Effect::Keep`] everything waits for the disk.
    fn translate(&self, wanted: Vec<messages::Effect>) -> Vec<Effect> {
        let mut effects = Vec::new();
        let mut wanted = wanted.into_iter();
        while let Some(one) = wanted.next() {
            effects.push(match one {
                messages::Effect::Keep => {
                    let then = self.translate(wanted.collect());
                    let memory = super::json(self.messages.memory());
                    effects.push(Effect::SaveThen(File::Messages, memory, then));
                    return effects;
                }
                messages::Effect::Act(ticket, action) => Effect::Ask(ticket, action),
                messages::Effect::Event(severity, cause) => Effect::Event(severity, cause),
                messages::Effect::Finish(id, end) => Effect::Finish(id, end),
                messages::Effect::Request {
                    id,
                    executor,
                    op,
                    args,
                    ttl,
                } => Effect::Request(Asking {
                    id,
                    executor,
                    op,
                    args,
                    ttl,
                    issuer: "sms",
                }),
            });
        }
        effects
    }

    /// What the cabinet can say of itself.
    fn info(&self, now: Now) -> Info {
        let registration = &self.known.registration;
        let is_registered = matches!(
            registration.status,
            RegistrationStatus::Home | RegistrationStatus::Roaming
        );
        let uplink = self.surroundings.uplink();
        Info {
            site: self.site.clone(),
            cause: self.cause(),
            operator: registration.operator.clone().filter(|_| is_registered),
            rsrp_dbm: self.known.levels.rsrp.ok(),
            is_uplink_connected: uplink
                .map(|(uplink, _)| uplink.link == tm_types::LinkStatus::Connected),
            n_alarms: self.surroundings.n_alarms(),
            uptime_s: now.stamp.mono_ms / 1000,
            position: self.position(now),
        }
    }

    /// Nothing while the receiver suspects that the sky is forged: no position is better than a wrong one.
    fn position(&self, now: Now) -> Option<Position> {
        let gnss = self.surroundings.gnss()?;
        if gnss.suspicion.is_some() {
            return None;
        }
        let fix = gnss.fix.as_ref()?;
        if fix.stamp.boot != now.stamp.boot {
            return None;
        }
        Some(Position {
            latitude_deg: fix.latitude_deg?,
            longitude_deg: fix.longitude_deg?,
            accuracy_m: fix.hdop.map(|hdop| (RANGE_ERROR_M * hdop).round()),
            age_s: now.stamp.mono_ms.saturating_sub(fix.stamp.mono_ms) / 1000,
        })
    }
}
