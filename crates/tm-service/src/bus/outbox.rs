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
    /// A topic whose message waits.
    held: Option<String>,
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
            held: None,
            fleeting: VecDeque::new(),
            dropped: 0,
        }
    }

    /// Measurements and events: kept in order until the broker has them, or the limits are reached.
    pub(super) fn push(&mut self, topic: String, payload: Bytes, now: Duration) {
        if self.is_too_large(&topic, &payload) {
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
        if self.is_too_large(&topic, &payload) {
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

    /// Keeps what is retained under this topic back until the next call; `None` keeps nothing back.
    pub(super) fn hold(&mut self, topic: Option<String>) {
        self.held = topic;
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

    fn is_too_large(&mut self, topic: &str, payload: &Bytes) -> bool {
        let is_too_large = payload.len() > MESSAGE_LIMIT;
        if is_too_large {
            self.dropped += 1;
            let bytes = payload.len();
            tracing::warn!(topic, bytes, "a message is too large for the bus");
        }
        is_too_large
    }

    fn next_latest(&mut self) -> Option<Outgoing> {
        // A handful of topics: looking through them is cheaper than keeping a second order.
        let held = self.held.as_ref();
        let (topic, latest) = self
            .latest
            .iter_mut()
            .find(|(topic, latest)| latest.is_due && Some(*topic) != held)?;
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

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        bytes: 100,
        age: Duration::from_mins(1),
    };

    fn push(outbox: &mut Outbox, text: &'static str) {
        let payload = Bytes::from_static(text.as_bytes());
        outbox.push("t".to_owned(), payload, Duration::ZERO);
    }

    fn retain(outbox: &mut Outbox, topic: &str, text: &'static str) {
        outbox.retain(topic.to_owned(), Bytes::from_static(text.as_bytes()));
    }

    /// Everything that would be fed now: payloads and tokens.
    fn feed(outbox: &mut Outbox) -> Vec<(String, Token)> {
        std::iter::from_fn(|| outbox.next(true))
            .map(|m| (String::from_utf8_lossy(&m.payload).into_owned(), m.token))
            .collect()
    }

    fn texts(outbox: &mut Outbox) -> Vec<String> {
        feed(outbox).into_iter().map(|(text, _)| text).collect()
    }

    #[test]
    fn retained_first_then_the_queue_in_order_if_the_gate_is_open() {
        let mut outbox = Outbox::new(LIMITS);
        push(&mut outbox, "1");
        push(&mut outbox, "2");
        retain(&mut outbox, "s", "old");
        retain(&mut outbox, "s", "state");
        assert_eq!(outbox.next(false).unwrap().payload, "state");
        assert!(outbox.next(false).is_none(), "the gate is shut");
        assert_eq!(texts(&mut outbox), ["1", "2"]);
        assert!(texts(&mut outbox).is_empty());
    }

    #[test]
    fn what_is_held_goes_out_later_and_holds_nothing_else_up() {
        let mut outbox = Outbox::new(LIMITS);
        retain(&mut outbox, "health", "up");
        retain(&mut outbox, "state", "state");
        outbox.hold(Some("health".to_owned()));
        assert_eq!(texts(&mut outbox), ["state"]);
        outbox.hold(None);
        assert_eq!(texts(&mut outbox), ["up"]);
    }

    #[test]
    fn only_what_is_acked_is_freed() {
        let mut outbox = Outbox::new(LIMITS);
        for text in ["1", "2", "3"] {
            push(&mut outbox, text);
        }
        retain(&mut outbox, "s", "state");
        let fed = feed(&mut outbox);
        // The broker acknowledges in its own order, and things nobody fed.
        outbox.acked(fed[2].1);
        outbox.acked(4711);
        outbox.down();
        assert!(!outbox.is_fed());
        assert_eq!(texts(&mut outbox), ["state", "1", "3"]);
        outbox.acked(fed[1].1);
        outbox.acked(fed[3].1);
        outbox.down();
        assert_eq!(texts(&mut outbox), ["state"]);
    }

    #[test]
    fn what_is_cleared_is_forgotten_once_the_broker_knows() {
        let mut outbox = Outbox::new(LIMITS);
        retain(&mut outbox, "a", "alarm");
        let first = feed(&mut outbox);
        retain(&mut outbox, "a", "");
        let second = feed(&mut outbox);
        assert_eq!(second[0].0, "");
        outbox.acked(first[0].1);
        outbox.down();
        let third = feed(&mut outbox);
        assert_eq!(third.len(), 1, "the clearing was not acked yet");
        outbox.acked(third[0].1);
        outbox.down();
        assert!(feed(&mut outbox).is_empty());
    }

    #[test]
    fn the_oldest_go_but_nothing_that_is_on_its_way() {
        let mut outbox = Outbox::new(LIMITS);
        push(&mut outbox, "on its way");
        assert_eq!(texts(&mut outbox).len(), 1);
        for text in [
            "a123456789012345678901234567890",
            "b123456789012345678901234567890",
            "c123456789012345678901234567890",
        ] {
            push(&mut outbox, text);
        }
        assert_eq!(outbox.dropped(), 1, "11 + 3 x 32 is more than 100");
        outbox.down();
        let left = texts(&mut outbox);
        assert_eq!(left.len(), 3);
        assert!(left[1].starts_with('b') && left[2].starts_with('c'));
        outbox.down();
        outbox.hold_limits(Duration::from_secs(61));
        assert_eq!((texts(&mut outbox).len(), outbox.dropped()), (0, 4));
    }

    #[test]
    fn a_message_beyond_the_brokers_limit_is_dropped_and_counted() {
        let mut outbox = Outbox::new(LIMITS);
        let large = Bytes::from(vec![0; MESSAGE_LIMIT + 1]);
        outbox.push("t".to_owned(), large.clone(), Duration::ZERO);
        outbox.retain("s".to_owned(), large);
        assert_eq!((feed(&mut outbox).len(), outbox.dropped()), (0, 2));
    }

    #[test]
    fn of_sentences_the_newest_are_kept_for_this_connection_only() {
        let mut outbox = Outbox::new(LIMITS);
        for _ in 0..=FLEETING {
            outbox.fleeting("n".to_owned(), Bytes::new());
        }
        assert_eq!(outbox.fleeting.len(), FLEETING);
        assert!(outbox.next_fleeting().is_some());
        outbox.down();
        assert!(outbox.next_fleeting().is_none());
    }
}
