//! What comes in and what goes out.

use tm_service::port::PortEvent;
use tm_types::{Anchor, Cause, HealthStatus, ModemState, Point, Stamp};

use crate::backend::Report;
use crate::data::Sight;
use crate::situation::Seen;

/// What happened.
#[derive(Debug)]
pub(crate) enum Event {
    /// From the way to the modem.
    Backend(Report),
    /// On the NMEA port.
    Nmea(PortEvent),
    /// A deadline has passed.
    Due,
}

/// What is to be done.
#[derive(Debug, PartialEq)]
pub(crate) enum Effect {
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
