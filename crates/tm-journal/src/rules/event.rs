//! The words between the rules and whoever does the work.

use std::ops::Range;

/// Which of the two journals; part of every record's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    /// Alarms, events and results: they overtake everything.
    Urgent,
    /// Measurements.
    Data,
}

impl Class {
    /// Both, the urgent one first.
    pub const ALL: [Self; 2] = [Self::Urgent, Self::Data];

    /// The name in keys and payloads.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Urgent => "urgent",
            Self::Data => "data",
        }
    }
}

/// The periods and sizes of design §6.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// The oldest record in memory waits at most this long for its commit, in milliseconds; an urgent one
    /// at most 50 ms.
    pub commit_ms: u64,
    /// A commit is due with this many bytes in memory.
    pub commit_bytes: usize,
    /// The cursor goes with a commit at most this often, in milliseconds.
    pub cursor_ms: u64,
    /// Without commits, a changed cursor is written after this long, in milliseconds.
    pub cursor_idle_ms: u64,
    /// Bytes of records that memory may hold while the disk is bad.
    pub memory_bytes: usize,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            commit_ms: 1_000,
            commit_bytes: 256 * 1024,
            cursor_ms: 10_000,
            cursor_idle_ms: 30_000,
            memory_bytes: 1 << 20,
        }
    }
}

/// Whether a message may be appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// Append it, then say [`Event::Received`].
    Accept,
    /// Commit first: the memory is full.
    CommitFirst,
    /// Forget it, unseen by any duplicate check, and say [`Event::Discarded`]: the broker will send it again.
    Discard,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A new connection to the bus stands.
    Connected,
    /// The connection to the bus is gone, and with it the right to acknowledge what came over it.
    Disconnected,
    /// A message was appended as the last record of `class`.
    Received {
        /// Its journal.
        class: Class,
        /// Its packet id; absent at QoS 0.
        packet: Option<u16>,
        /// Its record.
        seq: u64,
        /// What the record takes in memory.
        bytes: usize,
    },
    /// A message was a repeat or could not be read: nothing was appended, but it wants its acknowledgement.
    Passed {
        /// The journal it would have gone to.
        class: Class,
        /// Its packet id; absent at QoS 0.
        packet: Option<u16>,
    },
    /// A message was forgotten, as [`Admission::Discard`] said.
    Discarded {
        /// The journal it would have gone to.
        class: Class,
        /// Its packet id; absent at QoS 0.
        packet: Option<u16>,
    },
    /// The commit asked for is done: all records below `end` are durable.
    Committed {
        /// The journal.
        class: Class,
        /// One past the last durable record.
        end: u64,
    },
    /// The commit asked for failed: the disk is bad.
    CommitFailed {
        /// The journal.
        class: Class,
    },
    /// After [`Effect::Trim`]: what the journal still holds in memory.
    Buffered {
        /// The journal.
        class: Class,
        /// Its bytes.
        bytes: usize,
    },
    /// These records will never be read again: dropped by the quota, damaged, or never there.
    Gone {
        /// The journal.
        class: Class,
        /// The records.
        range: Range<u64>,
    },
    /// These records were handed to the cloud session.
    Sent {
        /// The journal.
        class: Class,
        /// The records.
        range: Range<u64>,
    },
    /// The cloud's PUBACK for these records came.
    Acknowledged {
        /// The journal.
        class: Class,
        /// The records.
        range: Range<u64>,
    },
    /// The cloud session is lost: nothing is in flight any more.
    CloudLost,
    /// The process is about to stop.
    Stopping,
    /// Time has passed.
    Tick,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Acknowledge this packet, if this is still the connection.
    Acknowledge {
        /// The connection it came over, counted by [`Event::Connected`].
        connection: u64,
        /// Its packet id.
        packet: u16,
    },
    /// Commit this journal, and say how it went.
    Commit {
        /// The journal.
        class: Class,
        /// With the cursor as a record.
        write_cursor: bool,
    },
    /// Forget records below `below` that are only in memory, then say [`Event::Buffered`].
    Trim {
        /// The journal.
        class: Class,
        /// The first record to keep.
        below: u64,
    },
    /// Drop the bus connection and make a new one: the broker sends again what was discarded.
    Reconnect,
}
