use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use tm_types::{Point, Poll, RunId, Sequence, Source, Stamp, topic};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::connector::ConnectorOptions;
use super::health::HealthKeeper;
use super::inbox::Inbox;
use super::operations::Book;
use super::outbox::{Limits, Outbox, json};
use super::requests::Requests;
use crate::session::Standing;

/// What connector, handles and the bus's task share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) options: ConnectorOptions,
    state: Mutex<State>,
    /// Something is to be sent, or the inbox has room again.
    pub(super) wake: Notify,
    /// Something is in the inbox.
    pub(super) arrived: Notify,
    last_task: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) outbox: Outbox,
    pub(super) health: HealthKeeper,
    pub(super) book: Book,
    pub(super) book_is_loaded: bool,
    pub(super) requests: Requests,
    pub(super) inbox: Inbox,
    /// Health is published only while this session stands.
    pub(super) speaks_while: Option<Standing>,
    run: RunId,
    numbers: HashMap<Source, u64>,
}

impl Shared {
    pub(super) fn new(options: ConnectorOptions) -> Self {
        let limits = Limits {
            bytes: options.settings.outbox_kib as usize * 1024,
            age: Duration::from_secs(options.settings.outbox_s.into()),
        };
        let state = State {
            outbox: Outbox::new(limits),
            health: HealthKeeper::new(options.notices.clone()),
            book: Book::default(),
            book_is_loaded: false,
            requests: Requests::default(),
            inbox: Inbox::default(),
            speaks_while: None,
            run: RunId(fastrand::u32(..)),
            numbers: HashMap::new(),
        };
        Self {
            options,
            state: Mutex::new(state),
            wake: Notify::new(),
            arrived: Notify::new(),
            last_task: Mutex::new(None),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state
            .lock()
            .expect("nobody panics while holding the bus's state")
    }

    pub(super) fn last_task(&self) -> MutexGuard<'_, Option<JoinHandle<()>>> {
        self.last_task
            .lock()
            .expect("nobody panics while holding the task")
    }

    /// Puts the present health into the outbox, if the service has said anything.
    pub(super) fn publish_health(&self) {
        let stamp = self.options.clock.stamp();
        let mut state = self.lock();
        let health = state.health.message(
            self.options.version,
            self.options.settings.health_period_s,
            &stamp,
        );
        if let Some(health) = health {
            let topic = topic::health(&self.options.instance);
            state.outbox.retain(topic, json(&health));
        }
        drop(state);
        self.wake.notify_one();
    }
}

impl State {
    /// Numbers a poll and puts it into the outbox.
    pub(super) fn push_poll(
        &mut self,
        source: &Source,
        stamp: Stamp,
        points: Vec<Point>,
        now: Duration,
    ) {
        let n = if let Some(n) = self.numbers.get_mut(source) {
            *n += 1;
            *n
        } else {
            self.numbers.insert(source.clone(), 0);
            0
        };
        let poll = Poll {
            sequence: Some(Sequence { run: self.run, n }),
            stamp,
            points,
        };
        let payload = Bytes::from(poll.to_json());
        self.outbox.push(topic::data(source), payload, now);
    }
}
