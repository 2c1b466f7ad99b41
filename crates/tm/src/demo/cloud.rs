//! The small cloud side of the demo: subscribes at the cloud broker, decodes, counts.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use anyhow::{Context, Result};
use serde_json::Value as Json;
use tm_columns::Dictionaries;
use tm_service::session::{Options, Qos, Session, SessionEvent};
use tm_types::Timestamp;
use tokio::task::JoinHandle;

use crate::decode;

/// Source, run and number: what names a poll.
pub type PollId = (String, String, u64);

/// How a poll came.
#[derive(Debug, Clone, Copy)]
pub struct Arrival {
    /// When.
    pub at: Instant,
    /// When it was made, as it says.
    pub time: Timestamp,
}

/// An event, an alarm or a result.
#[derive(Debug, Clone)]
pub struct Urgent {
    /// When it came.
    pub at: Instant,
    /// Its topic on the bus.
    pub topic: String,
    /// Its payload; null when something is over.
    pub payload: Json,
}

/// What the cloud side has received.
#[derive(Debug, Default, Clone)]
pub struct Received {
    /// Messages of any class.
    pub messages: u64,
    /// Payload bytes.
    pub bytes: u64,
    /// Points, repeats left out.
    pub points: u64,
    /// Records that came more than once.
    pub repeats: u64,
    /// Payloads that could not be decoded.
    pub undecodable: u64,
    /// Every poll with a number, repeats left out.
    pub polls: HashMap<PollId, Arrival>,
    /// Every event, alarm and result in their order, repeats left out.
    pub urgent: Vec<Urgent>,
    /// Sources that were heard.
    pub sources: HashSet<String>,
    records: HashSet<(String, String, u64)>,
    dictionaries: Dictionaries,
}

/// A subscriber at the cloud broker. Dropping it ends the subscription.
#[derive(Debug)]
pub struct Cloud {
    received: Arc<Mutex<Received>>,
    task: JoinHandle<()>,
}

impl Cloud {
    /// Subscribes to everything at `broker` and waits until the subscription stands.
    pub(super) async fn subscribe(broker: &str) -> Result<Self> {
        let address = broker
            .parse()
            .with_context(|| format!("read the address {broker}"))?;
        let mut session = Session::open(Options {
            subscriptions: vec![("#".into(), Qos::AtLeastOnce)],
            max_packet: 4 * 1024 * 1024,
            ..Options::new("cloud-side", address)
        });
        while !matches!(session.next().await, SessionEvent::Up { .. }) {}
        let received = Arc::new(Mutex::new(Received::default()));
        let shared = Arc::clone(&received);
        let task = tokio::spawn(async move {
            loop {
                if let SessionEvent::Message(message) = session.next().await {
                    let mut received = shared.lock().unwrap_or_else(PoisonError::into_inner);
                    received.take(&message.payload);
                }
            }
        });
        Ok(Self { received, task })
    }

    /// What has come so far.
    pub fn received(&self) -> Received {
        self.received
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Looks at what has come so far without copying it.
    pub fn with<T>(&self, look: impl FnOnce(&Received) -> T) -> T {
        look(&self.received.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Cloud {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Received {
    fn take(&mut self, payload: &[u8]) {
        self.messages += 1;
        self.bytes += payload.len() as u64;
        // An empty payload clears something retained.
        if payload.is_empty() {
            return;
        }
        let Ok(lines) = decode::decode(&mut self.dictionaries, payload) else {
            self.undecodable += 1;
            return;
        };
        for line in lines {
            if let Ok(object) = serde_json::from_slice(&line.json) {
                self.take_line(&object);
            }
        }
    }

    fn take_line(&mut self, object: &Json) {
        let text = |name: &str| object[name].as_str().map(str::to_owned);
        if let (Some(class), Some(stream), Some(seq)) =
            (text("class"), text("stream"), object["seq"].as_u64())
            && !self.records.insert((class, stream, seq))
        {
            self.repeats += 1;
            return;
        }
        let at = Instant::now();
        if let (Some("urgent"), Some(topic)) = (object["class"].as_str(), text("topic")) {
            let payload = object["payload"].clone();
            self.urgent.push(Urgent { at, topic, payload });
        }
        let Some(points) = object["points"].as_array() else {
            return;
        };
        self.points += points.len() as u64;
        let source = text("source").unwrap_or_default();
        let time = text("time").and_then(|time| time.parse().ok());
        if let (Some(run), Some(n), Some(time)) = (text("run"), object["n"].as_u64(), time) {
            let arrival = Arrival { at, time };
            self.polls.insert((source.clone(), run, n), arrival);
        }
        self.sources.insert(source);
    }
}
