use serde::{Deserialize, Serialize};

use crate::{Cause, Stamp};

/// Every modem of the cabinet: the state on `tm/v1/state/modem`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ModemState {
    /// One entry per slot, also for a slot whose modem is gone.
    pub modems: Vec<Modem>,
}

/// One modem, or the place where one should be.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Modem {
    /// The slot: `1`. Stays when the modem in it is exchanged.
    pub id: String,
    /// Whether it is there and answers.
    pub presence: ModemPresence,
    /// The present situation as one code, such as `modem.sim_absent`.
    pub cause: Cause,
    /// Where it is reached, such as `/dev/ttyUSB2`; null while it is not.
    pub port: Option<String>,
    /// When this was read; null before the first answer.
    pub stamp: Option<Stamp>,
    /// What it is.
    pub identity: ModemIdentity,
    /// Its SIM card.
    pub sim: Sim,
    /// Its place in the mobile network.
    pub registration: Registration,
    /// How well it hears the network.
    pub signal: Signal,
    /// The cell it is in; null when not registered.
    pub cell: Option<Cell>,
    /// Temperature of the module, °C.
    pub temperature_cel: Option<i32>,
    /// Supply voltage of the module, V.
    pub supply_v: Option<f64>,
    /// Its way to data; absent while nothing is known of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<PacketData>,
}

/// Whether a modem is there.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ModemPresence {
    /// None was ever seen, and none is expected.
    NotConfigured,
    /// Was there, or is expected, and is not.
    Absent,
    /// Its port is open, but it does not answer.
    Mute,
    /// Answers.
    Present,
}

/// What a modem says it is.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ModemIdentity {
    /// Maker, in its own words.
    pub manufacturer: Option<String>,
    /// Model, such as `SIM7600G-H`.
    pub model: Option<String>,
    /// Firmware revision.
    pub revision: Option<String>,
    /// Serial number of the radio (15 digits); masked in the API below `admin`.
    pub imei: Option<String>,
}

/// A SIM card.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Sim {
    /// Whether it can be used.
    pub status: SimStatus,
    /// Number of the card (18 to 20 digits); masked in the API below `admin`.
    pub iccid: Option<String>,
    /// Number of the subscriber (15 digits); masked in the API below `admin`.
    pub imsi: Option<String>,
}

/// Whether a SIM can be used.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum SimStatus {
    /// Not asked yet.
    #[default]
    Unknown,
    /// No card.
    Absent,
    /// Being read.
    Busy,
    /// Asks for its PIN.
    PinRequired,
    /// Asks for its PUK.
    PukRequired,
    /// Does not work.
    Failure,
    /// Usable.
    Ready,
}

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
