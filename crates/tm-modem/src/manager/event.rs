//! What comes in and what goes out.

use std::time::Duration;

use serde_json::Value as Json;
use tm_service::bus::{BusMessage, Request};
use tm_service::port::PortEvent;
use tm_types::{
    Anchor, Cause, HealthStatus, ModemPrivate, ModemState, Operation, OperationId, Point, Severity,
    Stamp,
};

use crate::backend::{Action, Report, Ticket};
use crate::data::Sight;
use crate::diagnosis::NetworkManager;
use crate::ladder::{Call, Rung};
use crate::messages::Executor;
use crate::situation::Seen;
use crate::usb::UsbLook;

/// What happened.
#[derive(Debug)]
pub(crate) enum Event {
    /// From the way to the modem.
    Backend(Report),
    /// On the NMEA port.
    Nmea(PortEvent),
    /// The USB bus was looked at.
    Usb(UsbLook),
    /// NetworkManager's word on the modem's device; nothing without NetworkManager.
    Network(Option<NetworkManager>),
    /// Another service said something.
    Bus(BusMessage),
    /// The bus is away.
    BusDown,
    /// Somebody asks for an operation of ours.
    Command(Request),
    /// How an operation stands that was asked of somebody.
    Operation(Operation),
    /// A probe has ended; nothing where it could not be made.
    Probed(Option<Cause>),
    /// What became of a step that the host takes.
    Stepped(Rung, Call),
    /// A deadline has passed.
    Due,
}

/// A file of the store.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum File {
    /// Where the recovery stands.
    Recovery,
    /// How much data went through.
    Usage,
    /// Text messages.
    Messages,
    /// The balance.
    Balance,
    /// The modem's serial number, to find it again.
    Imei,
}

impl File {
    /// Its name in the store.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Recovery => "recovery",
            Self::Usage => "usage",
            Self::Messages => "messages",
            Self::Balance => "balance",
            Self::Imei => "imei",
        }
    }
}

/// What is to be done.
#[derive(Debug, PartialEq)]
pub(crate) enum Effect {
    /// Publish the state.
    State(Box<ModemState>),
    /// Tell our own services what is nobody else's business.
    Private(Box<ModemPrivate>),
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
    /// Keep this within a minute.
    Save(File, Vec<u8>),
    /// Keep this now, and do the rest only once it is on the disk.
    SaveThen(File, Vec<u8>, Vec<Effect>),
    /// Ask this of the modem.
    Ask(Ticket, Action),
    /// Take this step, which is the host's; its end comes as [`Event::Stepped`].
    Step(Rung),
    /// Look how far the internet reaches; the end comes as [`Event::Probed`].
    Probe(Probe),
    /// Publish an event.
    Event(Severity, Cause),
    /// Ask somebody for an operation; how it stands comes as [`Event::Operation`].
    Request(Asking),
    /// An operation of ours has ended.
    Finish(OperationId, Result<Json, Cause>),
}

/// Where the cloud is, as the uplink has it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Probe {
    /// Host and port of the broker.
    pub(crate) broker: String,
}

/// An operation that is asked of a service.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Asking {
    /// Names it.
    pub(crate) id: OperationId,
    /// Who does it.
    pub(crate) executor: Executor,
    /// What.
    pub(crate) op: &'static str,
    /// With what.
    pub(crate) args: Json,
    /// How long it may take to begin.
    pub(crate) ttl: Duration,
    /// Who asks.
    pub(crate) issuer: &'static str,
}
