//! Plays the hardware of a cabinet, and the network's bad days. Never shipped.

#[cfg(feature = "broker")]
pub mod broker;
pub mod gate;
mod port;
mod task;

pub use gate::{Gate, GateHandle};
