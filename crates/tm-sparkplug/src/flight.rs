//! What was sent and is not known to have arrived.
//!
//! Data goes out with QoS 0: nothing acknowledges it. But a connection is one ordered stream, so
//! the answer to anything that was sent later proves that the server read what was sent before.
//! Such a question is a fence. See the crate's documentation for the whole promise.

use std::collections::VecDeque;

/// A record on its way.
#[derive(Clone, Copy, Debug)]
struct Flight {
    key: u64,
    /// When it was sent, by the monotonic clock.
    sent_ms: u64,
    /// The fence behind it.
    fence: u64,
}

/// The records on their way, in the order they were sent.
#[derive(Debug, Default)]
pub(crate) struct Flights {
    queue: VecDeque<Flight>,
    /// The fence that is put up next.
    next: u64,
    /// Fences below this are answered.
    answered: u64,
    /// Records that no fence is behind yet.
    open: usize,
    /// When the last fence was put up, or the first open record sent.
    since_ms: u64,
}

impl Flights {
    pub(crate) fn len(&self) -> usize {
        self.queue.len()
    }

    /// Records that no fence is behind yet.
    pub(crate) fn open(&self) -> usize {
        self.open
    }

    pub(crate) fn push(&mut self, key: u64, now_ms: u64) {
        if self.open == 0 {
            self.since_ms = now_ms;
        }
        self.open += 1;
        self.queue.push_back(Flight {
            key,
            sent_ms: now_ms,
            fence: self.next,
        });
    }

    /// When a fence is due; `None` with nothing before it.
    pub(crate) fn fence_due_ms(&self, every_ms: u64) -> Option<u64> {
        (self.open > 0).then(|| self.since_ms.saturating_add(every_ms))
    }

    /// Puts a fence behind everything that was sent.
    pub(crate) fn fence(&mut self) -> u64 {
        let fence = self.next;
        self.next += 1;
        self.open = 0;
        fence
    }

    /// A fence was answered: the server has read what was sent before it.
    pub(crate) fn answered(&mut self, fence: u64) {
        // Only what was asked can be answered.
        if fence < self.next {
            self.answered = self.answered.max(fence + 1);
        }
    }

    /// When the oldest record may count as delivered; `None` while its fence is not answered.
    pub(crate) fn delivery_due_ms(&self, hold_ms: u64) -> Option<u64> {
        let first = self.queue.front()?;
        (first.fence < self.answered).then(|| first.sent_ms.saturating_add(hold_ms))
    }

    /// The next record that is delivered: behind an answered fence, and sent `hold_ms` ago.
    pub(crate) fn delivered(&mut self, now_ms: u64, hold_ms: u64) -> Option<u64> {
        if self.delivery_due_ms(hold_ms)? > now_ms {
            return None;
        }
        self.queue.pop_front().map(|flight| flight.key)
    }

    /// The connection is gone: everything that is on its way comes back.
    pub(crate) fn come_back(&mut self) -> impl Iterator<Item = u64> {
        self.open = 0;
        self.queue.drain(..).map(|flight| flight.key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fence_vouches_for_what_went_before_it() {
        let mut flights = Flights::default();
        flights.push(1, 0);
        let first = flights.fence();
        flights.push(2, 10);
        assert_eq!(flights.delivered(99, 0), None);
        flights.answered(first + 1);
        assert_eq!(flights.delivered(99, 0), None, "nobody asked that");
        flights.answered(first);
        assert_eq!(flights.delivered(99, 100), None, "not held long enough");
        assert_eq!(flights.delivered(100, 100), Some(1));
        assert_eq!(flights.delivered(999, 0), None);
        assert_eq!(flights.fence_due_ms(5), Some(15));
        flights.fence();
        assert_eq!(flights.come_back().collect::<Vec<_>>(), [2]);
    }

    #[test]
    fn an_answer_of_a_lost_connection_vouches_for_nothing() {
        let mut flights = Flights::default();
        flights.push(1, 0);
        let lost = flights.fence();
        assert_eq!(flights.come_back().count(), 1);
        flights.push(1, 20);
        flights.answered(lost);
        assert_eq!(flights.delivered(99, 0), None);
    }
}
