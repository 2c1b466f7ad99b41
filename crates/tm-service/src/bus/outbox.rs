//! What waits for the broker: measurements and events in order, and the newest of what is retained.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;

use super::connector::MESSAGE_LIMIT;
use crate::session::{Outgoing, Qos, Token};

/// Raw sentences that may wait for the wire; older ones are of no use.
const FLEETING: usize = 64;

/// How much may wait.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) bytes: usize,
    pub(super) age: Duration,
}

/// The messages of one service that the broker has not acknowledged.
#[derive(Debug)]
pub(super) struct Outbox {
    limits: Limits,
    next_token: Token,
    queue: VecDeque<Entry>,
    bytes: usize,
    /// Entries at the front of the queue that are on their way.
    fed: usize,
    latest: BTreeMap<String, Latest>,
    /// Topic of each retained message on its way.
    latest_fed: HashMap<Token, String>,
    fleeting: VecDeque<(String, Bytes)>,
    dropped: u64,
}

#[derive(Debug)]
struct Entry {
    token: Token,
    topic: String,
    payload: Bytes,
    since: Duration,
    acked: bool,
}

#[derive(Debug)]
struct Latest {
    payload: Bytes,
    /// Whether it is still to be fed on this connection.
    is_due: bool,
    fed: Option<Token>,
}

impl Outbox {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            next_token: 1,
            queue: VecDeque::new(),
            bytes: 0,
            fed: 0,
            latest: BTreeMap::new(),
            latest_fed: HashMap::new(),
            fleeting: VecDeque::new(),
            dropped: 0,
        }
    }

    /// Measurements and events: kept in order until the broker has them, or the limits are reached.
    pub(super) fn push(&mut self, topic: String, payload: Bytes, now: Duration) {
        if payload.len() > MESSAGE_LIMIT {
            self.dropped += 1;
            return;
        }
        let token = self.token();
        self.bytes += size(&topic, &payload);
        self.queue.push_back(Entry {
            token,
            topic,
            payload,
            since: now,
            acked: false,
        });
        self.hold_limits(now);
    }

    /// Replaces what is retained under a topic; empty clears it.
    pub(super) fn retain(&mut self, topic: String, payload: Bytes) {
        if payload.len() > MESSAGE_LIMIT {
            self.dropped += 1;
            return;
        }
        let latest = self.latest.entry(topic).or_insert(Latest {
            payload: Bytes::new(),
            is_due: true,
            fed: None,
        });
        latest.payload = payload;
        latest.is_due = true;
    }

    /// A message that is worth something only now.
    pub(super) fn fleeting(&mut self, topic: String, payload: Bytes) {
        if self.fleeting.len() >= FLEETING {
            self.fleeting.pop_front();
        }
        self.fleeting.push_back((topic, payload));
    }

    /// The next QoS 0 message.
    pub(super) fn next_fleeting(&mut self) -> Option<Outgoing> {
        let (topic, payload) = self.fleeting.pop_front()?;
        Some(Outgoing {
            token: 0,
            topic,
            payload,
            qos: Qos::AtMostOnce,
            retain: false,
        })
    }

    /// The next message to feed: what is retained first, then the queue if the gate is open.
    pub(super) fn next(&mut self, gate_is_open: bool) -> Option<Outgoing> {
        if let Some(message) = self.next_latest() {
            return Some(message);
        }
        let entry = self.queue.get(self.fed).filter(|_| gate_is_open)?;
        self.fed += 1;
        Some(Outgoing {
            token: entry.token,
            topic: entry.topic.clone(),
            payload: entry.payload.clone(),
            qos: Qos::AtLeastOnce,
            retain: false,
        })
    }

    /// The broker has it.
    pub(super) fn acked(&mut self, token: Token) {
        if let Some(topic) = self.latest_fed.remove(&token) {
            let Some(latest) = self.latest.get_mut(&topic) else {
                return;
            };
            if latest.fed == Some(token) {
                latest.fed = None;
                if latest.payload.is_empty() && !latest.is_due {
                    self.latest.remove(&topic);
                }
            }
            return;
        }
        if let Ok(index) = self.queue.binary_search_by_key(&token, |e| e.token)
            && let Some(entry) = self.queue.get_mut(index)
        {
            entry.acked = true;
        }
        while self.queue.front().is_some_and(|entry| entry.acked) {
            self.pop(0);
        }
    }

    /// The connection is gone: everything unacknowledged is to be fed again, and the broker may have
    /// forgotten what it retained.
    pub(super) fn down(&mut self) {
        self.queue.retain(|entry| !entry.acked);
        self.bytes = self.queue.iter().map(Entry::size).sum();
        self.fed = 0;
        self.latest_fed.clear();
        self.fleeting.clear();
        for latest in self.latest.values_mut() {
            latest.is_due = true;
            latest.fed = None;
        }
    }

    /// Drops what is too old or too much, oldest first, but nothing that is on its way.
    pub(super) fn hold_limits(&mut self, now: Duration) {
        while let Some(oldest) = self.queue.get(self.fed) {
            let is_old = now.saturating_sub(oldest.since) > self.limits.age;
            if !is_old && self.bytes <= self.limits.bytes {
                break;
            }
            self.pop(self.fed);
            self.dropped += 1;
        }
    }

    /// Messages dropped since the start.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Whether anything waits for an acknowledgement.
    pub(super) fn is_fed(&self) -> bool {
        self.fed > 0 || !self.latest_fed.is_empty()
    }

    fn next_latest(&mut self) -> Option<Outgoing> {
        // A handful of topics: looking through them is cheaper than keeping a second order.
        let (topic, latest) = self.latest.iter_mut().find(|(_, latest)| latest.is_due)?;
        let token = self.next_token;
        self.next_token += 1;
        latest.is_due = false;
        latest.fed = Some(token);
        self.latest_fed.insert(token, topic.clone());
        Some(Outgoing {
            token,
            topic: topic.clone(),
            payload: latest.payload.clone(),
            qos: Qos::AtLeastOnce,
            retain: true,
        })
    }

    fn pop(&mut self, index: usize) {
        if let Some(entry) = self.queue.remove(index) {
            self.bytes -= entry.size();
            if index < self.fed {
                self.fed -= 1;
            }
        }
    }

    fn token(&mut self) -> Token {
        self.next_token += 1;
        self.next_token - 1
    }
}

impl Entry {
    fn size(&self) -> usize {
        size(&self.topic, &self.payload)
    }
}

fn size(topic: &str, payload: &Bytes) -> usize {
    topic.len() + payload.len()
}

/// A value of the vocabulary as a payload.
pub(super) fn json<T: Serialize + ?Sized>(value: &T) -> Bytes {
    serde_json::to_vec(value)
        .expect("what is published has string keys and finite numbers")
        .into()
}
