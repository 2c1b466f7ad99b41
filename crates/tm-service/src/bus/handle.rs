use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use serde_json::Value as Json;
use tm_types::{
    Alarm, Anchor, Cause, Command, Event, Health, HealthStatus, Instance, OperationId, Point,
    Severity, Source, Stamp, topic,
};
use tokio::sync::oneshot;

use super::BusEvent;
use super::outbox::json;
use super::shared::{Shared, State};
use crate::session::Standing;

/// While a service waits for the bus, its progress is marked this often.
const BEAT: Duration = Duration::from_secs(15);

/// The bus, opened. Dropping it says `down/stopped` and ends the connection in the background.
#[derive(Debug)]
pub struct Bus {
    handle: BusHandle,
    _stop: oneshot::Sender<()>,
}

/// Publishes from anywhere in the service. Nothing here blocks or fails.
#[derive(Clone, Debug)]
pub struct BusHandle {
    shared: Arc<Shared>,
}

impl Bus {
    pub(super) fn new(shared: Arc<Shared>, stop: oneshot::Sender<()>) -> Self {
        Self {
            handle: BusHandle { shared },
            _stop: stop,
        }
    }

    /// The next event. Dropping the future loses nothing.
    ///
    /// Also marks the service's progress, again and again while it waits.
    pub async fn next(&mut self) -> BusEvent {
        let shared = &self.handle.shared;
        loop {
            shared.options.progress.beat();
            if let Some(event) = self.handle.fetch() {
                return event;
            }
            let _ = tokio::time::timeout(BEAT, shared.arrived.notified()).await;
        }
    }

    /// A handle for other tasks of the service.
    pub fn handle(&self) -> BusHandle {
        self.handle.clone()
    }
}

impl Deref for Bus {
    type Target = BusHandle;
    fn deref(&self) -> &BusHandle {
        &self.handle
    }
}

impl BusHandle {
    /// One poll of the service's own source.
    pub fn data(&self, stamp: Stamp, points: Vec<Point>) {
        let source = self.shared.options.instance.source();
        self.data_as(&source, stamp, points);
    }

    /// One poll of a source of another name.
    pub fn data_as(&self, source: &Source, stamp: Stamp, points: Vec<Point>) {
        let now = self.shared.options.clock.mono();
        self.change(|state| state.push_poll(source, stamp, points, now));
    }

    /// The full present state; only the newest is kept.
    pub fn state<T: Serialize + ?Sized>(&self, state: &T) {
        let topic = topic::state(&self.shared.options.instance);
        self.publish_retained(topic, json(state));
    }

    /// How the service is: published on change and every 30 s while the service's loop turns.
    ///
    /// Nothing is published before the first call. Findings of the configuration, damaged files and
    /// dropped messages are added, and make `up` into `degraded`.
    pub fn health(&self, status: HealthStatus, reasons: Vec<Cause>) {
        let is_news = self.shared.lock().health.say(status, reasons);
        if is_news {
            self.shared.publish_health();
        }
    }

    /// From now on health is published only while that session stands; call [`listens`](Self::listens)
    /// when it does. For a service whose word others wait for before they publish what it must not miss:
    /// this bus has a connection of its own, which may be back earlier.
    pub fn speak_while(&self, standing: Standing) {
        self.shared.lock().speaks_while = Some(standing);
    }

    /// Publishes the health that was held back.
    pub fn listens(&self) {
        self.shared.publish_health();
    }

    /// What was said last, as published or waiting to be.
    pub fn last_health(&self) -> Option<Health> {
        self.shared.lock().health.last()
    }

    /// Something happened now.
    pub fn event(&self, severity: Severity, cause: Cause) {
        self.event_at(self.shared.options.clock.stamp(), severity, cause);
    }

    /// Something happened then.
    pub fn event_at(&self, stamp: Stamp, severity: Severity, cause: Cause) {
        let topic = topic::event(&self.shared.options.instance);
        let event = Event {
            stamp,
            severity,
            cause,
        };
        let now = self.shared.options.clock.mono();
        self.change(|state| state.outbox.push(topic, json(&event), now));
    }

    /// An alarm is raised or has changed.
    pub fn alarm(&self, alarm: &Alarm) {
        self.publish_retained(topic::alarm(&alarm.id), json(alarm));
    }

    /// An alarm is over.
    pub fn clear_alarm(&self, id: &str) {
        self.publish_retained(topic::alarm(id), Bytes::new());
    }

    /// The time anchor of a source.
    pub fn anchor(&self, source: &Source, anchor: &Anchor) {
        self.publish_retained(topic::clock(source), json(anchor));
    }

    /// Raw sentences of a source; dropped while there is no connection.
    pub fn nmea(&self, source: &Source, sentences: impl Into<Bytes>) {
        let sentences = sentences.into();
        self.change(|state| state.outbox.fleeting(topic::nmea(source), sentences));
    }

    /// Anything else that the broker shall keep; empty clears it.
    pub fn publish_retained(&self, topic: String, payload: Bytes) {
        self.change(|state| state.outbox.retain(topic, payload));
    }

    /// An operation is under way; 0 to 100 percent where that can be told.
    pub fn progress(&self, id: &OperationId, percent: Option<u8>) {
        let now = self.shared.options.clock.stamp();
        self.change(|state| state.book.progress(id, percent, &now));
    }

    /// An operation has succeeded.
    pub fn succeed(&self, id: &OperationId, result: Json) {
        let now = self.shared.options.clock.stamp();
        self.change(|state| state.book.succeed(id, result, &now));
    }

    /// An operation has failed.
    pub fn fail(&self, id: &OperationId, cause: &Cause) {
        let now = self.shared.options.clock.stamp();
        self.change(|state| state.book.fail(id, cause, &now));
    }

    /// Asks a service for an operation under a new id.
    ///
    /// How it stands comes as [`BusEvent::Operation`]; the bus must be open with `follow_results`.
    /// Without an answer in 2 s it comes as failed, `service.unavailable`.
    pub fn request(
        &self,
        service: &Instance,
        op: &str,
        args: Json,
        ttl: Duration,
        issuer: &str,
    ) -> OperationId {
        let id = OperationId::new(&format!("op-{:016x}", fastrand::u64(..)))
            .expect("19 characters of the id's alphabet");
        self.request_with_id(id.clone(), service, op, args, ttl, issuer);
        id
    }

    /// As [`request`](Self::request), under an id of the asker's.
    pub fn request_with_id(
        &self,
        id: OperationId,
        service: &Instance,
        op: &str,
        args: Json,
        ttl: Duration,
        issuer: &str,
    ) {
        let command = Command {
            id: id.clone(),
            args,
            ttl_ms: u32::try_from(ttl.as_millis()).unwrap_or(u32::MAX),
            issuer: issuer.to_owned(),
            issued_at: self.shared.options.clock.stamp().time,
        };
        let command = json(&command);
        self.change(|state| state.requests.ask(id, service, op, command));
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.shared.lock());
        self.shared.wake.notify_one();
    }

    /// The next event that is not void.
    fn fetch(&self) -> Option<BusEvent> {
        let mut state = self.shared.lock();
        let was_full = state.inbox.is_full();
        let mut has_expired = false;
        let event = loop {
            match state.inbox.pop() {
                Some((BusEvent::Command(request), true)) => {
                    let now = self.shared.options.clock.stamp();
                    state.book.expire(&request.id, &now);
                    has_expired = true;
                }
                other => break other.map(|(event, _)| event),
            }
        };
        drop(state);
        if was_full || has_expired {
            self.shared.wake.notify_one();
        }
        event
    }
}
