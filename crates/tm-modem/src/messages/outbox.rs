//! Messages to be sent, one after another, and what the network says of those that were.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tm_types::{OperationId, Stamp};
use tokio::time::Instant;

use crate::age::ms_since_at_least;

/// `Action::Send` takes ten minutes at most; its end is waited for a little longer.
pub(super) const PATIENCE: Duration = Duration::from_mins(11);
/// Messages that may wait.
const WAITING_MAX: usize = 16;
/// Sent messages whose delivery is awaited.
const AWAITED_MAX: usize = 64;
/// How long the network's word is awaited.
const AWAITED_FOR_MS: u64 = 24 * 3_600_000;
/// An answer that could not be sent is tried again after these times; an operation is not: its asker decides.
const RETRIES: [Duration; 3] = [
    Duration::from_secs(30),
    Duration::from_mins(2),
    Duration::from_mins(5),
];

/// A message to be sent.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Outgoing {
    pub(super) to: String,
    pub(super) text: String,
    pub(super) wants_report: bool,
    /// Who waits for the outcome; nobody for an answer to a message.
    pub(super) operation: Option<OperationId>,
    n_tries: usize,
    not_before: Option<Instant>,
}

impl Outgoing {
    pub(super) fn new(to: &str, text: String, wants_report: bool) -> Self {
        Self {
            to: to.to_owned(),
            text,
            wants_report,
            operation: None,
            n_tries: 0,
            not_before: None,
        }
    }

    pub(super) fn of_operation(self, id: OperationId) -> Self {
        Self {
            operation: Some(id),
            ..self
        }
    }
}

/// What waits to be sent, and what is being sent.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    waiting: VecDeque<Outgoing>,
    /// What is being sent, and until when its end is waited for.
    under_way: Option<(Outgoing, Instant)>,
}

impl Outbox {
    /// Queues a message; gives it back when there is no room.
    pub(super) fn push(&mut self, outgoing: Outgoing) -> Result<(), Outgoing> {
        if self.waiting.len() >= WAITING_MAX {
            return Err(outgoing);
        }
        self.waiting.push_back(outgoing);
        Ok(())
    }

    /// The next message that may be sent, which is under way from now on.
    pub(super) fn start(&mut self, now: Instant) -> Option<&Outgoing> {
        if self.under_way.is_some() {
            return None;
        }
        let is_due = |outgoing: &Outgoing| outgoing.not_before.is_none_or(|time| time <= now);
        let at = self.waiting.iter().position(is_due)?;
        let outgoing = self.waiting.remove(at)?;
        let (outgoing, _) = self.under_way.insert((outgoing, now + PATIENCE));
        Some(outgoing)
    }

    /// Whether the end of what is under way never came. Then it was probably never begun: a full disk stops whatever
    /// was to follow a message.
    pub(super) fn is_overdue(&self, now: Instant) -> bool {
        self.under_way
            .as_ref()
            .is_some_and(|(_, until)| *until <= now)
    }

    /// What was under way has ended.
    pub(super) fn finish(&mut self) -> Option<Outgoing> {
        self.under_way.take().map(|(outgoing, _)| outgoing)
    }

    /// Tries a failed answer again later; gives it back when it was tried often enough or cannot wait.
    pub(super) fn retry(&mut self, mut outgoing: Outgoing, now: Instant) -> Result<(), Outgoing> {
        if outgoing.operation.is_some() {
            return Err(outgoing);
        }
        let Some(wait) = RETRIES.get(outgoing.n_tries) else {
            return Err(outgoing);
        };
        outgoing.n_tries += 1;
        outgoing.not_before = Some(now + *wait);
        self.push(outgoing)
    }

    /// When something is to be done here next.
    pub(super) fn deadline(&self) -> Option<Instant> {
        if let Some((_, until)) = &self.under_way {
            return Some(*until);
        }
        let times = self.waiting.iter().filter_map(|waiting| waiting.not_before);
        times.min()
    }
}

/// Messages that were sent with a request for a report.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(super) struct Awaited(VecDeque<Sent>);

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
struct Sent {
    to: String,
    /// The references of the parts that have not arrived.
    references: Vec<u8>,
    stamp: Stamp,
}

/// What the network's word means for a message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Fate {
    /// Every part has arrived.
    Delivered(String),
    /// A part will not arrive, so the message will not.
    Lost(String),
}

impl Awaited {
    /// Awaits the network's word on a message.
    pub(super) fn push(&mut self, to: &str, references: Vec<u8>, stamp: Stamp) {
        self.forget_old(&stamp);
        if self.0.len() >= AWAITED_MAX {
            self.0.pop_front();
        }
        self.0.push_back(Sent {
            to: to.to_owned(),
            references,
            stamp,
        });
    }

    /// The network's word on one part. References come round after 256 messages: the newest is meant.
    pub(super) fn on_word(
        &mut self,
        reference: u8,
        has_arrived: bool,
        now: &Stamp,
    ) -> Option<Fate> {
        self.forget_old(now);
        let at = self
            .0
            .iter()
            .rposition(|sent| sent.references.contains(&reference))?;
        let sent = self.0.get_mut(at)?;
        let part = sent.references.iter().position(|r| *r == reference)?;
        sent.references.remove(part);
        if has_arrived && !sent.references.is_empty() {
            return None;
        }
        let sent = self.0.remove(at)?;
        Some(if has_arrived {
            Fate::Delivered(sent.to)
        } else {
            Fate::Lost(sent.to)
        })
    }

    fn forget_old(&mut self, now: &Stamp) {
        self.0
            .retain(|sent| ms_since_at_least(&sent.stamp, now) < AWAITED_FOR_MS);
    }
}
