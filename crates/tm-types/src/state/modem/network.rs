//! A modem's place in the mobile network, and how well it hears it.

use serde::{Deserialize, Serialize};

/// A modem's place in the mobile network.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Registration {
    /// Registered, searching, refused…
    pub status: RegistrationStatus,
    /// The operator's name, as the modem gives it.
    pub operator: Option<String>,
    /// Country and network, `255-01`.
    pub plmn: Option<String>,
    /// `gsm`, `umts`, `lte`.
    pub technology: Option<String>,
    /// Why the network refused, in its words or by its number (3GPP TS 24.301, 9.9.3.9); absent when it did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reject_cause: Option<String>,
}

/// How a modem stands with the network.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum RegistrationStatus {
    /// Not told yet.
    #[default]
    Unknown,
    /// Not registered and not searching.
    Idle,
    /// Looking for a network.
    Searching,
    /// Refused by the operator.
    Denied,
    /// Registered at home.
    Home,
    /// Registered in a foreign network.
    Roaming,
    /// Emergency calls only.
    EmergencyOnly,
}

/// Signal levels. Null is unknown, never a stand-in number.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Signal {
    /// Received power over the whole band, dBm (-113 to -51).
    pub rssi_dbm: Option<f64>,
    /// Reference signal received power, dBm (-140 to -44).
    pub rsrp_dbm: Option<f64>,
    /// Reference signal received quality, dB (-20 to -3).
    pub rsrq_db: Option<f64>,
    /// Signal to interference and noise, dB (-20 to 30).
    pub sinr_db: Option<f64>,
}

/// A cell of the mobile network.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Cell {
    /// Cell id.
    pub id: u32,
    /// Base station (eNB) of an LTE cell: the cell id without its last 8 bits.
    pub enb: Option<u32>,
    /// Tracking area code (LTE) or location area code.
    pub area_code: Option<u32>,
    /// Physical cell id of an LTE cell, 0 to 503.
    pub pci: Option<u16>,
    /// Band, as the modem writes it: `EUTRAN-BAND3`.
    pub band: Option<String>,
    /// Channel number (EARFCN, UARFCN or ARFCN).
    pub channel: Option<u32>,
    /// Downlink bandwidth of an LTE cell, MHz.
    pub bandwidth_mhz: Option<f64>,
}
