//! A modem: what it is, its card, and everything that is known of its service.

mod data;
mod messages;
mod network;
mod recovery;

use serde::{Deserialize, Serialize};

use crate::{Cause, Stamp, Timestamp};

pub use data::{DataBytes, DataContext, DataUsage, PacketData};
pub use messages::{Balance, Messages, ModemPrivate, PrivateModem, PrivateText, TextMessage};
pub use network::{Cell, Registration, RegistrationStatus, Signal};
pub use recovery::{Recovery, RecoveryStatus, RecoveryStep};

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
    /// By which way it is reached: `serial` or `modemmanager`; absent before one was chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backend: Option<String>,
    /// Whether the radio is on; absent when it does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub radio_on: Option<bool>,
    /// The network's time when it was last told; absent before the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_time: Option<Timestamp>,
    /// Its satellite receiver; absent when it does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gnss: Option<GnssEngine>,
    /// How much data went through it; absent before the first count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<DataUsage>,
    /// The prepaid balance; absent unless one is configured and was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub balance: Option<Balance>,
    /// Text messages; absent while none can be kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub messages: Option<Messages>,
    /// What is done to heal the link; absent while the watchdog is switched off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery: Option<Recovery>,
}

/// The satellite receiver in a modem.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GnssEngine {
    /// Whether it is switched on; null when it does not tell.
    pub on: Option<bool>,
    /// Where its sentences come from, such as `/dev/ttyUSB1`, `gps-nmea` or `gps-unmanaged`; null without any.
    pub source: Option<String>,
    /// What the antenna seems to be: `gnss.antenna_suspect`; null while nothing is wrong or it is too early to say.
    pub cause: Option<Cause>,
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
    /// USB vendor and product, `1e0e:9001`: which ports it shows; absent when not on USB or not told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usb: Option<String>,
}

/// A SIM card.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Sim {
    /// Whether it can be used.
    pub status: SimStatus,
    /// Number of the card (18 to 20 digits); masked in the API below `admin`.
    pub iccid: Option<String>,
    /// Number of the subscriber (15 digits); masked in the API below `admin`.
    pub imsi: Option<String>,
    /// Tries left for the PIN; absent when not told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pin_tries: Option<u8>,
    /// Tries left for the PUK; absent when not told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub puk_tries: Option<u8>,
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
