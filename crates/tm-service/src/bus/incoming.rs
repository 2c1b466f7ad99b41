//! What comes in on the bus: sorted by topic, and handed to who it is for.

use std::time::Duration;

use tm_types::{Command, Operation, topic};
use tokio::time::Instant;

use super::filter::covers;
use super::task::{Task, UPLINK_HEALTH};
use super::{BusEvent, BusMessage, Request};
use crate::session::Incoming;

impl Task {
    /// A message of the main session.
    pub(super) async fn on_message(&mut self, message: Incoming) {
        if message.topic == UPLINK_HEALTH && !message.payload.is_empty() {
            self.uplink_seen = true;
        }
        match topic::classify(&message.topic) {
            Some(topic::Class::Command(service, op))
                if service == self.shared.options.instance.as_str() =>
            {
                // A retained command would be executed at every connection.
                if !message.retain && !self.options.operations.is_empty() {
                    let op = op.to_owned();
                    self.on_command(&op, &message).await;
                }
                return;
            }
            Some(topic::Class::Result(_)) if self.options.follow_results => {
                self.on_result(&message);
            }
            _ => {}
        }
        self.deliver(message);
    }

    /// Tells the service, if it has subscribed to this itself.
    pub(super) fn deliver(&self, message: Incoming) {
        let topic = message.topic.as_str();
        let mut wanted = self.options.subscriptions.iter();
        let is_stale = message.retain
            && matches!(
                topic::classify(topic),
                Some(topic::Class::Data(_) | topic::Class::SensorBlock(_))
            );
        if is_stale || !wanted.any(|filter| covers(filter, topic)) {
            return;
        }
        self.shared.lock().inbox.push(BusEvent::Message(BusMessage {
            topic: message.topic,
            payload: message.payload,
            retained: message.retain,
        }));
        self.shared.arrived.notify_one();
    }

    fn on_result(&self, message: &Incoming) {
        let Ok(operation) = serde_json::from_slice::<Operation>(&message.payload) else {
            return;
        };
        let mut state = self.shared.lock();
        state.requests.answered(&operation.id);
        state.inbox.push(BusEvent::Operation(operation));
        drop(state);
        self.shared.arrived.notify_one();
    }

    async fn on_command(&mut self, op: &str, message: &Incoming) {
        let command: Command = match serde_json::from_slice(&message.payload) {
            Ok(command) => command,
            Err(error) => {
                tracing::warn!(op, %error, "a command cannot be read");
                return;
            }
        };
        let own = &self.shared.options;
        let is_known = self.options.operations.contains(&op);
        let now = own.clock.stamp();
        let received = Instant::now();
        let is_new = {
            let mut state = self.shared.lock();
            state
                .book
                .receive(&own.instance, op, &command, is_known, &now)
        };
        self.settle().await;
        if !is_new {
            return;
        }
        let ttl = Duration::from_millis(command.ttl_ms.into()).saturating_sub(received.elapsed());
        let request = Request {
            id: command.id,
            op: op.to_owned(),
            args: command.args,
            issuer: command.issuer,
        };
        let mut state = self.shared.lock();
        state.inbox.push_with_ttl(BusEvent::Command(request), ttl);
        drop(state);
        self.shared.arrived.notify_one();
    }
}
