//! What a prepared message says, by who makes MQTT messages of it.

use bytes::Bytes;
use tm_types::{Poll, Source};

/// What one poll takes in memory while it waits, beyond its points.
const POLL_BYTES: usize = 96;
/// What a point takes, with its names.
const POINT_BYTES: usize = 112;

/// What is sent for some records.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Body {
    /// The payload of one MQTT message.
    Whole(Bytes),
    /// Several MQTT messages, and settled only with the last of them.
    Parts(Vec<Part>),
    /// Polls, for the edge node.
    Polls(Vec<Polled>),
}

/// One of several MQTT messages.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Part {
    /// What its topic has below that of the class.
    pub(crate) below: String,
    /// What goes over the wire.
    pub(crate) payload: Bytes,
}

/// A poll as it is to be sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Polled {
    /// The number of its record.
    pub(crate) seq: u64,
    /// Who measured.
    pub(crate) source: Source,
    /// What was measured, with its stamp as it is known by now.
    pub(crate) poll: Poll,
}

impl Body {
    /// About how many bytes it takes, in memory or on the wire.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Whole(payload) => payload.len(),
            Self::Parts(parts) => parts
                .iter()
                .map(|part| part.below.len() + part.payload.len())
                .sum(),
            Self::Polls(polls) => polls
                .iter()
                .map(|polled| POLL_BYTES + polled.poll.points.len() * POINT_BYTES)
                .sum(),
        }
    }
}

impl From<Bytes> for Body {
    fn from(payload: Bytes) -> Self {
        Self::Whole(payload)
    }
}

impl From<Vec<u8>> for Body {
    fn from(payload: Vec<u8>) -> Self {
        Self::Whole(payload.into())
    }
}
