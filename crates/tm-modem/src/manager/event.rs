//! What comes in and what goes out.

use tm_service::port::PortEvent;
use tm_types::{Anchor, Cause, HealthStatus, ModemState, Point, Stamp};
use tokio::time::Instant;

use crate::data::Sight;
use crate::situation::Seen;

/// What happened.
#[derive(Debug)]
pub(crate) enum Event {
    /// On the AT port.
    At(PortEvent),
    /// On the NMEA port.
    Nmea(PortEvent),
    /// A deadline has passed.
    Due,
}

/// What is to be done.
#[derive(Debug, PartialEq)]
pub(crate) enum Effect {
    /// Write to the AT port.
    Write(Vec<u8>),
    /// Drop the AT port and open it again after a wait.
    Reopen,
    /// Publish the state.
    State(Box<ModemState>),
    /// Publish measurements.
    Points(Stamp, Vec<Point>),
    /// Report health.
    Health(HealthStatus, Vec<Cause>),
    /// Publish a time anchor.
    Anchor(Anchor),
    /// Relay sentences.
    Sentences(Vec<u8>),
    /// Keep this.
    Remember(Seen),
    /// Keep this, too.
    RememberSight(Sight),
}

/// Now, by the clock for waiting and by the clocks for people.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Now {
    pub(crate) instant: Instant,
    pub(crate) stamp: Stamp,
}
