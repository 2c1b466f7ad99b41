//! A modem's way to data, and how much went through it.

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// Bytes in both directions.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DataBytes {
    /// From the network, bytes.
    pub rx_bytes: u64,
    /// To the network, bytes.
    pub tx_bytes: u64,
}

/// How much data went through a modem, as its host counts it.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DataUsage {
    /// Since the present connection began.
    pub session: DataBytes,
    /// Since midnight in the cabinet's time zone.
    pub day: DataBytes,
    /// Since the billing day, midnight in the cabinet's time zone.
    pub month: DataBytes,
    /// When the present month began; null until the clock was good once.
    pub month_began: Option<Timestamp>,
    /// The configured limit of a month, MB (10^6 bytes); null without one.
    pub limit_mb: Option<u32>,
}

/// A modem's way to data, as far as the modem itself shows it.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PacketData {
    /// Whether it is attached to the packet network; null when it does not tell.
    pub attached: Option<bool>,
    /// Whether the network gives it a context for data; null when that cannot be told.
    pub active: Option<bool>,
    /// Access point name of the profile; null when it is left to the network or not told.
    pub apn: Option<String>,
    /// Address that the network gave; absent without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// The host's network interface, such as `wwan0`; absent when not told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interface: Option<String>,
    /// Every context that is defined; empty when not told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contexts: Vec<DataContext>,
}

/// A context for packet data as the modem keeps it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DataContext {
    /// Its number, 1 to 24 or 100 to 179.
    pub id: u8,
    /// Access point name; null when left to the network.
    pub apn: Option<String>,
    /// Whether it is active; null when not told.
    pub active: Option<bool>,
    /// Its address; null without one.
    pub address: Option<String>,
}
