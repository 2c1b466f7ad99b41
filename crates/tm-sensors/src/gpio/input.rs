//! A configured line: a contact or a counter.

use std::time::Duration;

use tm_service::{Clock, Store};
use tm_types::PointName;
use tokio::time::Instant;

use super::chip::GpioChips;
use super::contact::{Contact, ContactSpec, LOOK};
use super::pulse::{Pulse, PulseSpec};
use super::total::Totals;
use crate::driver::DevicePoll;

/// What a line is configured as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Spec {
    Contact(ContactSpec),
    Pulse(PulseSpec),
}

impl Spec {
    /// The name of the device and of its point.
    pub(crate) fn name(&self) -> &PointName {
        match self {
            Self::Contact(spec) => &spec.name,
            Self::Pulse(spec) => &spec.name,
        }
    }

    /// Between two messages of a line that does not change.
    pub(crate) fn period(&self) -> Duration {
        match self {
            Self::Contact(_) => LOOK,
            Self::Pulse(spec) => spec.period,
        }
    }
}

/// A line of the machine that is watched.
pub(crate) enum Input {
    Contact(Contact<GpioChips>),
    Pulse(Pulse<GpioChips>),
}

/// The inputs of a configuration.
pub(crate) fn inputs(specs: Vec<Spec>, store: &Store, now: Instant) -> Vec<Input> {
    let totals = Totals::open(store);
    let watched = specs.into_iter().map(|spec| match spec {
        Spec::Contact(spec) => Input::Contact(Contact::new(spec, GpioChips, now)),
        Spec::Pulse(spec) => Input::Pulse(Pulse::new(spec, GpioChips, totals.clone(), now)),
    });
    watched.collect()
}

impl Input {
    /// Waits until there is something to tell.
    pub(crate) async fn next(&mut self, clock: &Clock) -> Vec<DevicePoll> {
        match self {
            Self::Contact(contact) => contact.next(clock).await,
            Self::Pulse(pulse) => pulse.next(clock).await,
        }
    }
}
