//! Which records of which ticket are on their way.

use std::collections::{BTreeMap, VecDeque};

use crate::schedule::Polled;

/// A ticket that is on its way.
#[derive(Debug)]
struct Open {
    ticket: u64,
    /// Records that are not delivered.
    left: usize,
}

/// Tickets between being sent and being acknowledged.
#[derive(Debug, Default)]
pub(super) struct Tickets {
    /// By the number of their first record; a ticket is a contiguous range.
    open: BTreeMap<u64, Open>,
    /// Sent, not known to be read, and the fence behind it once there is one.
    unread: VecDeque<(u64, Option<u64>)>,
}

impl Tickets {
    pub(super) fn open(&mut self, ticket: u64, polls: &[Polled]) {
        if let Some(first) = polls.iter().map(|polled| polled.seq).min() {
            let left = polls.len();
            self.open.insert(first, Open { ticket, left });
        }
    }

    /// All of it is sent: the next fence is behind it.
    pub(super) fn sent(&mut self, ticket: u64) {
        self.unread.push_back((ticket, None));
    }

    /// A fence is put up behind everything that is sent.
    pub(super) fn fence(&mut self, fence: u64) {
        let open = self.unread.iter_mut().rev();
        for (_, behind) in open.take_while(|(_, behind)| behind.is_none()) {
            *behind = Some(fence);
        }
    }

    /// A fence is answered: the tickets before it are read.
    pub(super) fn read(&mut self, fence: u64) -> impl Iterator<Item = u64> {
        let n = self
            .unread
            .iter()
            .take_while(|(_, behind)| behind.is_some_and(|behind| behind <= fence))
            .count();
        self.unread.drain(..n).map(|(ticket, _)| ticket)
    }

    /// A record is delivered; its ticket if that was the last one.
    pub(super) fn delivered(&mut self, seq: u64) -> Option<u64> {
        let (first, open) = self.open.range_mut(..=seq).next_back()?;
        open.left -= 1;
        if open.left > 0 {
            return None;
        }
        let first = *first;
        self.open.remove(&first).map(|open| open.ticket)
    }
}
