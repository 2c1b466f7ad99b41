//! An independent witness at the local broker: what the sources really published.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use anyhow::{Context, Result};
use serde_json::Value as Json;
use tm_service::Clock;
use tm_service::session::{Incoming, Options, Qos, Session, SessionEvent};
use tm_types::Timestamp;
use tm_types::topic::{self, Class};
use tokio::task::JoinHandle;

use crate::demo::cloud::PollId;

/// A poll on the bus.
#[derive(Debug, Clone, Copy)]
pub(super) struct Published {
    /// When it was heard.
    pub(super) at: Instant,
    /// The true time then.
    pub(super) true_time: Timestamp,
    /// The time it bears.
    pub(super) time: Timestamp,
}

/// An alarm or an event on the bus.
#[derive(Debug, Clone)]
pub(super) struct Word {
    /// When it was heard.
    pub(super) at: Instant,
    /// Its topic.
    pub(super) topic: String,
    /// Its payload; null when an alarm is over.
    pub(super) payload: Json,
}

/// What was heard.
#[derive(Debug, Default)]
pub(super) struct Heard {
    /// Every poll with a number.
    pub(super) polls: HashMap<PollId, Published>,
    /// Every change of an alarm and every event, in their order.
    pub(super) words: Vec<Word>,
}

/// Listens at a broker, not through the way that the services take. Dropping it ends that.
#[derive(Debug)]
pub(super) struct Witness {
    heard: Arc<Mutex<Heard>>,
    listening: Option<JoinHandle<()>>,
}

impl Witness {
    /// Listens at this broker once this returns.
    pub(super) async fn at(broker: &str) -> Result<Self> {
        let mut witness = Self {
            heard: Arc::default(),
            listening: None,
        };
        witness.go_to(broker).await?;
        Ok(witness)
    }

    /// Goes on at another broker, and remembers what was heard.
    pub(super) async fn go_to(&mut self, broker: &str) -> Result<()> {
        self.leave();
        let address = broker
            .parse()
            .with_context(|| format!("read the address {broker}"))?;
        let filters = [topic::DATA_ALL, topic::ALARM_ALL, topic::EVENT_ALL];
        let mut session = Session::open(Options {
            subscriptions: filters
                .map(|filter| (filter.to_owned(), Qos::AtLeastOnce))
                .to_vec(),
            ..Options::new("demo-witness", address)
        });
        while !matches!(session.next().await, SessionEvent::Up { .. }) {}
        let heard = Arc::clone(&self.heard);
        let listening = tokio::spawn(async move {
            loop {
                if let SessionEvent::Message(message) = session.next().await {
                    let mut heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
                    heard.take(&message);
                }
            }
        });
        self.listening = Some(listening);
        Ok(())
    }

    /// Looks at what was heard so far.
    pub(super) fn with<T>(&self, look: impl FnOnce(&Heard) -> T) -> T {
        look(&self.heard.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn leave(&mut self) {
        if let Some(listening) = self.listening.take() {
            listening.abort();
        }
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.leave();
    }
}

impl Heard {
    fn take(&mut self, message: &Incoming) {
        let at = Instant::now();
        // An empty payload ends an alarm.
        let payload: Json = serde_json::from_slice(&message.payload).unwrap_or_default();
        match topic::classify(&message.topic) {
            Some(Class::Data(source)) => self.take_poll(source, &payload, at),
            Some(Class::Alarm(_) | Class::Event(_)) if !message.retain => self.words.push(Word {
                at,
                topic: message.topic.clone(),
                payload,
            }),
            _ => {}
        }
    }

    fn take_poll(&mut self, source: &str, poll: &Json, at: Instant) {
        let time = poll["time"].as_str().and_then(|time| time.parse().ok());
        let (Some(run), Some(n), Some(time)) = (poll["run"].as_str(), poll["n"].as_u64(), time)
        else {
            return;
        };
        let published = Published {
            at,
            true_time: Clock::system().stamp().time,
            time,
        };
        let id = (source.to_owned(), run.to_owned(), n);
        self.polls.entry(id).or_insert(published);
    }
}
