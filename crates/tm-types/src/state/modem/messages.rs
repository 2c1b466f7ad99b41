//! Text messages, and what service codes tell.

use serde::{Deserialize, Serialize};

use crate::{Stamp, Timestamp};

/// A prepaid balance, as a service code gave it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Balance {
    /// The amount in the operator's currency, as printed; null when the pattern does not fit.
    pub amount: Option<String>,
    /// The operator's words.
    pub text: String,
    /// When it was read.
    pub stamp: Stamp,
}

/// The store of received text messages, newest last, at most as many as configured.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Messages {
    /// Received messages, newest last.
    pub inbox: Vec<TextMessage>,
    /// Messages dropped for room, since the store was made.
    pub dropped: u64,
    /// Messages sent, since the store was made.
    pub sent: u64,
}

/// A received text message.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TextMessage {
    /// Number of the message in the inbox: grows, never used twice.
    pub id: u64,
    /// Who sent it: a number with `+`, a short number, or a name; masked in the API below `admin`.
    pub from: String,
    /// What it says; null in the state on the bus and in the API below `admin`: a message may hold a code or a secret.
    pub text: Option<String>,
    /// When the operator took it, by the operator's clock; null when not told.
    pub sent_at: Option<Timestamp>,
    /// When it was read here.
    pub stamp: Stamp,
    /// Whether parts of it never came.
    pub incomplete: bool,
}

/// What the modem service tells our own services only, on `tm/v1/private/<service>`.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct ModemPrivate {
    /// Every modem.
    pub modems: Vec<PrivateModem>,
}

/// What is private of one modem.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct PrivateModem {
    /// The slot, as [`Modem::id`](super::Modem::id).
    pub id: String,
    /// What the messages of the inbox say, newest last.
    pub messages: Vec<PrivateText>,
}

/// What a received text message says.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PrivateText {
    /// The message, as [`TextMessage::id`].
    pub id: u64,
    /// Its text.
    pub text: String,
}
