//! What the scheduler says goes out, and what the cloud acknowledges comes back.

use tm_service::session::Token;
use tm_types::{Severity, code};

use super::token::{self, Named};
use super::{UnderWay, Uplink};
use crate::keeper::Command;
use crate::schedule::{Body, Effect, Event};

impl Uplink<'_> {
    /// Lets the scheduler decide, and does what it says.
    pub(super) fn schedule(&mut self, event: Event) {
        let now = self.host.clock.mono();
        let mut effects = std::mem::take(&mut self.effects);
        self.scheduler.on(event, now, &mut effects);
        for effect in effects.drain(..) {
            self.perform(effect);
        }
        self.effects = effects;
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Prepare(request) => self.keeper.tell(Command::Prepare(request)),
            Effect::Settle { class, records } => self.keeper.tell(Command::Settled(class, records)),
            Effect::Stalled => self.give_up_stalled(),
            Effect::Send {
                ticket,
                class,
                message,
            } => {
                let bytes = message.payload.len();
                let has_records = !message.records.is_empty();
                self.in_flight
                    .insert(ticket, UnderWay { bytes, has_records });
                if has_records {
                    self.keeper.tell(Command::Sent(class, message.records));
                }
                match message.payload {
                    Body::Whole(payload) => {
                        if self.cloud.send(ticket, message.kind, payload) {
                            // No broker will ever take it, and nothing behind it shall wait.
                            self.tell_oversized(message.kind, bytes);
                            self.in_flight.remove(&ticket);
                            self.schedule(Event::Acked { ticket });
                        }
                    }
                    Body::Parts(parts) => {
                        self.parts.add(ticket, message.kind, parts);
                        self.feed_parts();
                    }
                    Body::Polls(polls) => self.edge_sends(ticket, message.is_backlog, polls),
                }
            }
        }
    }

    fn tell_oversized(&mut self, kind: &'static str, bytes: usize) {
        tracing::error!(
            bytes,
            "a message is too large to be sent and is passed over"
        );
        let cause = code::UPLINK_OVERSIZED_MESSAGE.with("topic", kind);
        self.bus.event(Severity::Warning, cause.and("bytes", bytes));
    }

    pub(super) fn acked(&mut self, token: Token) {
        self.last_ack = Some(self.host.clock.mono());
        if let Named::Single(_) = Named::of(token)
            && let Some(acked) = self.in_flight.remove(&token)
        {
            self.bytes_acked += acked.bytes as u64;
        }
        match Named::of(token) {
            Named::Ticket(ticket) => self.ticket_acked(ticket),
            Named::Fence(fence) => self.edge_is_answered(fence),
            Named::Part(part) => {
                let done = self.parts.acked(part);
                self.schedule(Event::Heard);
                if let Some(ticket) = done {
                    self.ticket_acked(ticket);
                }
                self.feed_parts();
            }
            Named::Single(token::STATE) => {
                self.is_state_sent = false;
                self.states.acked();
            }
            Named::Single(token::ECHO) => self.downlink.echo_acked(self.host.clock.mono()),
            Named::Single(_) => {}
        }
    }

    pub(super) fn ticket_acked(&mut self, ticket: u64) {
        if let Some(acked) = self.in_flight.remove(&ticket) {
            self.bytes_acked += acked.bytes as u64;
            self.batches_acked += u64::from(acked.has_records);
        }
        self.cloud.flapping.acked();
        self.schedule(Event::Acked { ticket });
    }

    /// Sends as many parts as there is room for.
    fn feed_parts(&mut self) {
        while self.cloud.has_room()
            && let Some(next) = self.parts.take()
        {
            let bytes = next.part.payload.len();
            let token = token::part(next.number);
            if self.cloud.send_part(token, next.kind, next.part) {
                self.tell_oversized(next.kind, bytes);
                if let Some(ticket) = self.parts.acked(next.number) {
                    self.ticket_acked(ticket);
                }
            }
        }
    }
}
