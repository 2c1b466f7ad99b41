//! The vocabulary of tm-server: what a measurement, a time and a state look like, everywhere.
//!
//! Rust, the bus, the API, the journal and the payloads use these types and these names.
//! Nothing here does I/O, reads a clock, or panics on input.
//! What crosses a border is frozen by the literal JSON in `tests/v1.rs`.

mod error;
mod name;
mod number;
mod value;

mod reading;
mod time;

mod point;
mod poll;
mod sensor_block;
mod stamp;

pub mod code;
pub mod text;
pub mod topic;

mod alarm;
mod anchor;
mod config;
mod event;
mod health;
mod operation;
mod problem;
mod state;

pub use alarm::Alarm;
pub use anchor::Anchor;
pub use code::{Cause, Code};
pub use config::{ActiveConfig, ConfigSource, PreviousConfig};
pub use error::Invalid;
pub use event::{Event, Severity};
pub use health::{Health, HealthStatus};
pub use name::{Instance, PointName, SeriesId, Source, Unit};
pub use number::{Decimal, Number};
pub use operation::{Command, Operation, OperationId, OperationStatus, is_operation_name};
pub use point::{Kind, Point};
pub use poll::{Poll, Sequence};
pub use problem::{FieldError, Problem};
pub use reading::{Quality, Reading, Reason};
pub use stamp::{BootId, Clock, RunId, Stamp};
pub use state::{
    AgentState, Balance, BudgetPeriod, BudgetState, BudgetStep, Cell, CommandsState,
    CommandsStatus, DataBytes, DataContext, DataUsage, Device, Fix, FixMode, GnssEngine,
    GnssPresence, GnssState, JournalState, LinkStatus, Messages, Modem, ModemIdentity,
    ModemPresence, ModemPrivate, ModemState, PacketData, Place, PrivateModem, PrivateText,
    ProfileReason, ProfileState, Recovery, RecoveryStatus, RecoveryStep, Registration,
    RegistrationStatus, Satellite, SatelliteSignal, SensorDevice, SensorPresence, SensorsState,
    ServiceHealth, Signal, Sim, SimStatus, SpoofingSuspicion, Supervisor, TextMessage, UplinkState,
    WireState,
};
pub use time::Timestamp;
pub use value::{Text, Value};
