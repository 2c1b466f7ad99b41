//! One part's way from the journal to the wire: asked for, prepared, taken.

use std::collections::VecDeque;
use std::ops::Range;
use std::time::Duration;

use tm_journal::Cursor;

use super::{Message, Prepared};

/// With this many messages ready the next are not asked for yet.
const READY_MESSAGES: usize = 8;
/// With this many bytes ready the next are not asked for yet: memory stays flat whatever the backlog.
const READY_BYTES: usize = 64 * 1024;

/// What of one part is still to be asked for, and what is ready to be sent.
#[derive(Debug, Default)]
pub(super) struct Flow {
    /// The first record not yet asked for.
    next: u64,
    /// One past the last record that may be asked for, of this stretch.
    pub(super) until: u64,
    /// Further stretches, ascending.
    later: VecDeque<Range<u64>>,
    is_asked: bool,
    ready: VecDeque<Message>,
    ready_bytes: usize,
    /// Nothing is asked for before then.
    pub(super) held_until: Option<Duration>,
}

impl Flow {
    pub(super) fn over(records: Range<u64>) -> Self {
        Self {
            next: records.start,
            until: records.end,
            ..Self::default()
        }
    }

    /// The next message to send.
    pub(super) fn take(&mut self) -> Option<Message> {
        let message = self.ready.pop_front()?;
        self.ready_bytes -= message.payload.len();
        Some(message)
    }

    /// The next records to read and encode, when there is room for them and no question is open.
    pub(super) fn ask(&mut self, cursor: &Cursor, now: Duration) -> Option<Range<u64>> {
        if self.held_until.is_some_and(|until| now < until) {
            return None;
        }
        // Past, whether or not there is room now: it must not wake anybody again.
        self.held_until = None;
        if self.is_asked || self.ready.len() >= READY_MESSAGES || self.ready_bytes >= READY_BYTES {
            return None;
        }
        loop {
            let from = cursor.settled_until(self.next);
            let to = cursor.next_settled(from).min(self.until);
            if from < to {
                self.next = from;
                self.is_asked = true;
                return Some(from..to);
            }
            let stretch = self.later.pop_front()?;
            (self.next, self.until) = (stretch.start, stretch.end);
        }
    }

    /// Gives up what is not yet asked for, up to `end`, and goes on from there; nothing while a question is open.
    pub(super) fn give_up(&mut self, end: u64) -> Range<u64> {
        if self.is_asked {
            return end..end;
        }
        let rest = self.next..end;
        (self.next, self.until) = (end, end);
        rest
    }

    /// Takes over records behind all that it has.
    pub(super) fn append(&mut self, records: Range<u64>) {
        if records.is_empty() {
            return;
        }
        match self.later.back_mut() {
            Some(last) if last.end == records.start => last.end = records.end,
            None if self.until == records.start => self.until = records.end,
            _ => self.later.push_back(records),
        }
    }

    /// Takes in the answer to what was asked for.
    pub(super) fn answered(&mut self, prepared: Prepared) {
        self.is_asked = false;
        self.next = self.next.max(prepared.covered.end);
        self.held_until = prepared.held_until;
        self.ready_bytes += prepared
            .messages
            .iter()
            .map(|m| m.payload.len())
            .sum::<usize>();
        self.ready.extend(prepared.messages);
    }
}
