//! What the scheduler is told, and what it says.

use std::ops::Range;
use std::time::Duration;

use tm_journal::Class;

use super::Body;

/// A part of a class that is read and sent in its own order; the order here is the order of precedence.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) enum Part {
    /// All of the urgent class.
    Urgent,
    /// Data committed since the connection stands.
    Live,
    /// Data that was there before.
    Backlog,
}

impl Part {
    pub(super) const ALL: [Self; 3] = [Self::Urgent, Self::Live, Self::Backlog];

    /// The journal it is read from.
    pub(crate) fn class(self) -> Class {
        match self {
            Self::Urgent => Class::Urgent,
            Self::Live | Self::Backlog => Class::Data,
        }
    }
}

/// A payload and the records it carries.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Message {
    /// Its records, by number within their journal; none for what goes ahead of others.
    pub(crate) records: Range<u64>,
    /// What stands for `{class}` in its topic: `data`, `event`, `alarm`, `res`, or `dictionary`.
    pub(crate) kind: &'static str,
    /// What goes over the wire.
    pub(crate) payload: Body,
    /// Whether its records waited for the connection.
    pub(crate) is_backlog: bool,
}

/// A question to whoever reads and encodes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Request {
    /// Given back with the answer: answers to an earlier connection's questions are void.
    pub(crate) connection: u64,
    /// Whose.
    pub(crate) part: Part,
    /// Committed, unsettled records; the answer may cover a first part of them.
    pub(crate) records: Range<u64>,
}

/// An answer to a [`Request`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Prepared {
    /// From the request.
    pub(crate) connection: u64,
    /// From the request.
    pub(crate) part: Part,
    /// What is to be sent, ascending.
    pub(crate) messages: Vec<Message>,
    /// The records that were looked at: those in no message do not exist any more, or cannot be read.
    pub(crate) covered: Range<u64>,
    /// The next record waits for a better clock, until then at most.
    pub(crate) held_until: Option<Duration>,
}

/// What happens to the scheduler.
#[derive(Debug)]
pub(crate) enum Event {
    /// The journal of that class holds records up to `end` on flash; `bytes` of them are new.
    Committed { class: Class, end: u64, bytes: u64 },
    /// The journal dropped these for room: they are neither sent nor asked for any more.
    Gone { class: Class, records: Range<u64> },
    /// The cloud connection stands.
    Up,
    /// The cloud connection is lost, and with it every acknowledgement under way.
    Down,
    /// A request is answered.
    Prepared(Prepared),
    /// The cloud has acknowledged what was sent under that ticket.
    Acked { ticket: u64 },
    /// The cloud has read what was sent under that ticket, and may lose it yet: the way is free for more.
    Read { ticket: u64 },
    /// The cloud has acknowledged a part of what is under way.
    Heard,
    /// A better clock is known: nothing need be held back any longer.
    ClockKnown,
    /// Live data is collected for so long from now on.
    Batch(Duration),
    /// What was collected goes out now, unless live data is held.
    Flush,
    /// What may go out from now on.
    Allow(Allowed),
    /// Time has passed.
    Tick,
}

/// What may go out of the data class; urgent messages always may.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Allowed {
    /// Whether live data may. While it may not, what is committed belongs to the backlog.
    pub(crate) live: bool,
    /// Messages of backlog that may be unacknowledged; none holds it back.
    pub(crate) backlog: usize,
}

impl Allowed {
    /// Nothing is held back.
    pub(crate) const EVERYTHING: Self = Self {
        live: true,
        backlog: usize::MAX,
    };

    /// Whether anything of that part may go.
    pub(super) fn allows(self, part: Part) -> bool {
        match part {
            Part::Urgent => true,
            Part::Live => self.live,
            Part::Backlog => self.backlog > 0,
        }
    }
}

/// What is to be done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Effect {
    /// Read and encode.
    Prepare(Request),
    /// Send; the ticket comes back with the PUBACK.
    Send {
        ticket: u64,
        class: Class,
        message: Message,
    },
    /// These records need not be sent again. Those of a ticket were acknowledged, the others are gone.
    Settle { class: Class, records: Range<u64> },
    /// The cloud acknowledges nothing: give the connection up. Said once per connection.
    Stalled,
}

/// What the scheduler goes by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    /// How long live data is collected into one batch.
    pub(crate) batch: Duration,
    /// Journal bytes after which a live batch is closed early.
    pub(crate) batch_bytes: u64,
    /// Messages that may be unacknowledged, all parts together.
    pub(crate) window: usize,
    /// With so many bytes of them unacknowledged no further message is sent: memory stays flat whatever the payload.
    pub(crate) window_bytes: usize,
    /// Messages that may be unsettled, those that are only read included; for backlog three quarters of it.
    pub(crate) unsettled: usize,
    /// Without any acknowledgement for that long, while one is due, the connection counts as dead.
    pub(crate) stalled_after: Duration,
}
