//! Plays the hardware of a cabinet, and the network's bad days. Never shipped.

#[cfg(feature = "broker")]
pub mod broker;
pub mod gate;
mod number;
mod port;
pub mod sim7600;
mod task;

pub use gate::{Gate, GateHandle};
pub use sim7600::{Sim7600, Sim7600Handle};
