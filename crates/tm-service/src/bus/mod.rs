//! The local bus as a service sees it: publishing never blocks and never fails, nothing is lost
//! that fits the outbox, health and operations keep their rules by themselves.

mod connector;
mod filter;
mod handle;
mod health;
mod inbox;
mod incoming;
mod ledger;
mod operations;
mod outbox;
mod requests;
mod shared;
mod task;

use bytes::Bytes;
use serde_json::Value as Json;
use tm_types::{Cause, Operation, OperationId};

pub use connector::{BusConnector, ConnectorOptions};
pub use handle::{Bus, BusHandle};
pub use operations::ended;

/// What a service wants from the bus.
#[derive(Clone, Debug, Default)]
pub struct BusOptions {
    /// Topic filters, subscribed at QoS 1; what was published at QoS 0 stays so.
    pub subscriptions: Vec<String>,
    /// Whether the broker keeps messages for us while we are away: the subscriptions then ride on a
    /// connection of their own, `tm-<instance>-in`, with a persistent session.
    pub persistent: bool,
    /// Operations this service executes; anything else asked of it fails with `operation.unknown`.
    /// Empty: no commands at all.
    pub operations: &'static [&'static str],
    /// Whether to hear how every operation of every service stands.
    pub follow_results: bool,
}

/// What the bus tells a service.
#[derive(Clone, PartialEq, Debug)]
pub enum BusEvent {
    /// Connected and subscribed.
    Up {
        /// Whether the broker remembered a persistent session.
        session_present: bool,
    },
    /// Not connected; told once per reason.
    Down(Cause),
    /// A message of one of the subscriptions.
    Message(BusMessage),
    /// An operation to execute: stored, in time, told as accepted.
    Command(Request),
    /// How an operation stands: of any service with `follow_results`, and always the failure of an
    /// own request that nobody answers.
    Operation(Operation),
}

/// A message of the bus.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BusMessage {
    /// Its topic.
    pub topic: String,
    /// Its payload.
    pub payload: Bytes,
    /// Whether it was kept by the broker from before we subscribed.
    pub retained: bool,
}

/// An operation that this service shall execute.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Request {
    /// Names it; pass it to `progress`, `succeed` or `fail`.
    pub id: OperationId,
    /// One of [`BusOptions::operations`].
    pub op: String,
    /// The arguments, of a shape that belongs to the operation.
    pub args: Json,
    /// Who asks: `api`, `cloud`, `sms`.
    pub issuer: String,
}
