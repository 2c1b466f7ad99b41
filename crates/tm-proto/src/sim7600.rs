//! What a SIM7600 says, as values: dBm, dB, volts, degrees Celsius, and nothing where it does not know.
//!
//! Facts from the "SIM7500_SIM7600 Series AT Command Manual" V3.00 (2021-11-18) and from published dialogues;
//! each reader names its section. Readers take the lines of a [`crate::at::Reply`] and return nothing for an
//! answer they cannot read: the caller reports `bad_reply`.

pub mod ask;
mod cell;
mod context;
mod device;
mod fields;
mod identity;
mod message;
mod network;
mod position;
mod refusal;
mod sim;
mod urc;
mod ussd;

pub use cell::{
    CellLevels, GsmCell, LteCell, ServingCell, SignalQuality, WcdmaCell, serving_cells,
    signal_quality,
};
pub use context::{
    PdpAddress, PdpContext, packet_attachment, pdp_activity, pdp_addresses, pdp_contexts,
};
pub use device::{
    GnssEngine, NetworkClock, RadioPower, gnss_engine, network_clock, radio_power,
    supply_voltage_v, temperature_celsius, usb_composition,
};
pub use identity::{
    Identity, equipment_identity, firmware_revision, iccid, identity, subscriber_identity,
};
pub use message::{
    Announcements, MessageStore, StoredMessage, StoredStatus, announcements, message_reference,
    message_stores, service_centre, stored_message, stored_messages,
};
pub use network::{
    AccessTechnology, Operator, OperatorMode, Registration, RegistrationStatus, access_technology,
    operator, registration,
};
pub use position::{GnssPosition, gnss_position};
pub use refusal::{RefusalCause, last_error, registration_refusal};
pub use sim::{PinTries, SimState, pin_tries};
pub use urc::{SupplyAlarm, Urc};
pub use ussd::{Ussd, UssdStatus};
