//! Plays the hardware of a cabinet, and the network's bad days. Never shipped.
//!
//! Every device runs in a task of its own that ends when its owner is dropped, takes its faults at run time through a
//! cloneable handle, and draws all its randomness from a seed. Values are made in the device's own raw units: nothing
//! of the product's conversions is used here, so that a wrong one shows.

#[cfg(feature = "broker")]
pub mod broker;
mod cabinet;
pub mod cli;
pub mod gate;
pub mod modbus;
pub mod modem_manager;
mod number;
mod port;
pub mod script;
pub mod sim7600;
pub mod sysfs;
mod task;

pub use cabinet::{Cabinet, CabinetConfig, Stage};
pub use gate::{Gate, GateHandle};
pub use modbus::{ModbusDevice, ModbusHandle};
pub use modem_manager::{ManagerHandle, ModemManagerTwin};
pub use script::Script;
pub use sim7600::{Sim7600, Sim7600Handle};
pub use sysfs::{SysfsHandle, SysfsTree};
