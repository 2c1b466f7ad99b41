//! What the cloud asks for, and its answers.

use std::time::Duration;

use tm_service::session::Incoming;
use tm_types::{CommandsState, Operation, Severity, code, topic};

use super::{Uplink, token};
use crate::downlink::Effect;
use crate::keeper::Command;

/// Who asks, for the service that is asked.
const ISSUER: &str = "cloud";

impl Uplink<'_> {
    pub(super) fn on_command(&mut self, message: &Incoming) {
        let Some(kind) = self.cloud.kind(&message.topic) else {
            tracing::debug!(topic = message.topic, "nobody asked for this");
            return;
        };
        let now = self.host.clock.stamp();
        let before = self.downlink.state();
        let effects = self
            .downlink
            .on_message(kind, &message.payload, message.retain, &now);
        for effect in effects {
            self.obey(effect);
        }
        self.tell_commands(before);
    }

    /// Sends an echo, or notices that the last one is missing.
    pub(super) fn check_commands(&mut self, now: Duration) {
        if !self.cloud.is_up() {
            return;
        }
        let before = self.downlink.state();
        if let Some(effect) = self.downlink.on_tick(now) {
            self.obey(effect);
        }
        self.tell_commands(before);
    }

    /// How an operation stands: its service has told the cloud too, unless there is none.
    pub(super) fn on_operation(&mut self, operation: &Operation) {
        let problem = operation.problem.as_ref();
        if problem.is_some_and(|problem| code::SERVICE_UNAVAILABLE.as_str() == problem.code) {
            self.answer(operation);
        }
    }

    /// Answers where no service does: as if one had, so that it is kept until it is delivered.
    fn answer(&mut self, operation: &Operation) {
        let payload = serde_json::to_vec(operation).expect("an operation has only string keys");
        self.keeper.tell(Command::Answered {
            topic: topic::result(&operation.id),
            payload: payload.into(),
        });
    }

    fn obey(&mut self, effect: Effect) {
        match effect {
            Effect::Ask {
                id,
                service,
                op,
                args,
                ttl,
            } => {
                tracing::info!(%id, %service, op, "the cloud asks");
                self.bus
                    .request_with_id(id, &service, &op, args, ttl, ISSUER);
            }
            Effect::Answer(operation) => self.answer(&operation),
            Effect::Event(cause) => self.bus.event(Severity::Warning, cause),
            Effect::Echo(payload) => {
                self.cloud.send(token::ECHO, "cmd", payload.into());
            }
            Effect::Reconnect => {
                let broker = self.cloud.link.broker.clone().unwrap_or_default();
                tracing::warn!(broker, "commands do not arrive any more");
                if let Some(cause) = self.downlink.trouble(&broker) {
                    self.cloud.restart(cause, self.host.clock.stamp().time);
                }
                self.lose_cloud();
            }
        }
    }

    fn tell_commands(&mut self, before: CommandsState) {
        let after = self.downlink.state();
        if before.status != after.status {
            self.say_health();
        }
        if before != after {
            self.say_state();
        }
    }
}
