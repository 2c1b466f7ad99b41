//! The full present state of each service: the retained messages on `tm/v1/state/<service>`.
//!
//! Fixed fields carry their unit in the name; `null` is known to be unavailable.
//! New fields are optional and may be added; nothing is renamed or removed within `v1`.

mod agent;
mod gnss;
mod modem;
mod sensors;
mod uplink;

pub use agent::{AgentState, Device, ServiceHealth, Supervisor};
pub use gnss::{
    Fix, FixMode, GnssPresence, GnssState, Place, Satellite, SatelliteSignal, SpoofingSuspicion,
};
pub use modem::{
    Balance, Cell, DataBytes, DataContext, DataUsage, GnssEngine, Messages, Modem, ModemIdentity,
    ModemPresence, ModemPrivate, ModemState, PacketData, PrivateModem, PrivateText, Recovery,
    RecoveryStatus, RecoveryStep, Registration, RegistrationStatus, Signal, Sim, SimStatus,
    TextMessage,
};
pub use sensors::{SensorDevice, SensorPresence, SensorsState};
pub use uplink::{
    BudgetPeriod, BudgetState, BudgetStep, CommandsState, CommandsStatus, JournalState, LinkStatus,
    ProfileReason, ProfileState, UplinkState, WireState,
};
