//! What comes in and what goes out.

use serde::{Deserialize, Serialize};
use tm_proto::nmea0183::Epoch;
use tm_service::port::PortEvent;
use tm_types::{Anchor, Cause, GnssState, HealthStatus, Point, Severity, Stamp};
use tokio::time::Instant;

use crate::chrony::Sample;
use crate::place::Kept;
use crate::spoofing::Suspicion;

/// What happened.
#[derive(Debug)]
pub(crate) enum Event {
    /// A relay on the bus sent sentences.
    Relayed {
        /// The last level of its topic.
        source: String,
        /// Raw NMEA.
        bytes: Vec<u8>,
    },
    /// On the port of our own.
    Port(PortEvent),
    /// Somebody on the bus tells the time.
    Anchor(Anchor),
    /// What the machine's clock chip says, seconds since 1970; nothing where there is none.
    Rtc(Option<i64>),
    /// A deadline has passed.
    Due,
}

/// What is to be done.
#[derive(Debug, PartialEq)]
pub(crate) enum Effect {
    /// Drop the port and open it again after a wait.
    Reopen,
    /// Publish the state.
    State(Box<GnssState>),
    /// Publish measurements.
    Points(Stamp, Vec<Point>),
    /// Report health.
    Health(HealthStatus, Vec<Cause>),
    /// Publish a time anchor.
    Anchor(Anchor),
    /// Say that something happened.
    Event(Stamp, Severity, Cause),
    /// Hand the receiver's sentences to clients.
    Sentences(Vec<u8>),
    /// Show clients an epoch of a source, or that there is none.
    Show {
        /// Where it comes from.
        source: Option<String>,
        /// What it says.
        epoch: Box<Epoch>,
        /// Nothing speaks against it.
        is_trusted: bool,
    },
    /// Tell chrony.
    Compare(Sample),
    /// Keep this.
    Remember(Seen),
    /// Keep what is known of the place.
    RememberPlace(Box<Kept>),
    /// Keep this suspicion, or that there is none.
    RememberSuspicion(Option<Box<Suspicion>>),
}

/// What was ever there; kept in the store.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Seen {
    /// A source sent sentences.
    pub(crate) source: bool,
}

/// Now, by the clock for waiting and by the clocks for people.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Now {
    pub(crate) instant: Instant,
    pub(crate) stamp: Stamp,
}
