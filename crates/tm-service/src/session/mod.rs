//! An MQTT 3.1.1 session with a broker, the same for the bus and for the cloud.
//!
//! The owner feeds messages under tokens of its own and hears which of them the broker took.
//! Whatever was fed and not [`Acked`](SessionEvent::Acked) when [`Down`](SessionEvent::Down) comes
//! is lost and must be fed again. The session reconnects by itself, with back-off.

mod backoff;
mod connect;
mod driver;
mod link;
mod options;
mod owner;
mod reason;
mod tls;
mod wire;

use bytes::Bytes;
use tokio::sync::oneshot;

pub use options::{Address, BackOff, BadAddress, Options, Qos, Will};
pub use owner::{Acknowledger, Session, Standing};
pub use reason::{DownReason, Refusal};
pub use tls::{BadTls, Pem, TlsOptions};
pub use wire::Wire;

/// The owner's name for a message it feeds.
pub type Token = u64;

/// A message on its way to the broker.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// The owner's name for it; told again in [`SessionEvent::Acked`].
    pub token: Token,
    /// Where to.
    pub topic: String,
    /// What.
    pub payload: Bytes,
    /// A QoS 0 message is never acked and never given back.
    pub qos: Qos,
    /// Whether the broker keeps it for later subscribers.
    pub retain: bool,
}

/// A message from the broker.
#[derive(Clone, Debug)]
pub struct Incoming {
    /// Where it was published.
    pub topic: String,
    /// What.
    pub payload: Bytes,
    /// How it is delivered to us.
    pub qos: Qos,
    /// Whether it was kept by the broker from before we subscribed.
    pub retain: bool,
    /// To be acknowledged; `None` for QoS 0 and where acks are not manual.
    pub receipt: Option<Receipt>,
}

/// The right to acknowledge one incoming message, on the connection it came by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Receipt {
    connection: u64,
    packet: u16,
}

/// A connection that waits for its will before it is made; without [`Options::asks_for_will`] there is none.
///
/// It may be kept for as long as there shall be no connection. Dropped, it is given up, and asked for again after a wait.
#[derive(Debug)]
pub struct Attempt {
    /// Which broker it goes to.
    pub address: Address,
    will: oneshot::Sender<Will>,
}

impl Attempt {
    /// Makes the connection, with this will.
    pub fn with(self, will: Will) {
        // Nobody waits any more only when the session has ended.
        let _ = self.will.send(will);
    }
}

/// Where the next connection goes after one was left.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Turn {
    /// To the same broker.
    Same,
    /// To the other one, where there are two.
    Other,
}

impl Receipt {
    /// A receipt without a connection, for tests of what is acknowledged and when.
    pub fn for_test(connection: u64, packet: u16) -> Self {
        Self { connection, packet }
    }

    /// The packet's id on its connection.
    pub fn packet(&self) -> u16 {
        self.packet
    }
}

/// What a session tells its owner.
#[derive(Debug)]
pub enum SessionEvent {
    /// Connected and subscribed; feed from the first message that is not acked.
    Up {
        /// Whether the broker remembered the session.
        session_present: bool,
        /// Whether the subscriptions stand; false only where they need not
        /// ([`Options::needs_subscriptions`]).
        is_subscribed: bool,
        /// Which broker it is.
        address: Address,
    },
    /// The connection could not be made or is lost. Told again when the reason changes.
    Down(DownReason),
    /// A connection is about to be made.
    Connects(Attempt),
    /// The broker took the message, or has answered what was asked ([`Session::ask`]).
    Acked(Token),
    /// A message.
    Message(Incoming),
}

/// Why a message was not taken; it is given back.
#[derive(Debug)]
pub enum NotTaken {
    /// As many as the window allows are on the way; feed again after the next `Acked`.
    Full(Outgoing),
    /// Not connected; feed again after the next `Up`.
    Down(Outgoing),
    /// It can never be sent: larger than `max_packet`, or its topic is not one.
    Unsendable(Outgoing),
}
