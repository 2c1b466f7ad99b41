//! The modem manager: a SIM7600G-H explained and kept alive.
//!
//! One task: [`run`] waits for the ports, the clock and the bus, and hands each event to the `Manager`, which
//! decides without I/O. The dialogue asks one question at a time, each with a deadline; what the answers say is
//! folded into the knowledge, from which state, measurements and health follow. See `docs/modem.md`.

mod config;
mod run;

mod backend;
mod manager;

mod access_points;
mod data;
mod knowledge;
mod network_time;
mod operations;
mod points;
mod relay;
mod situation;
mod surroundings;
mod usb;

pub use config::{BackendChoice, Config, ModemSettings, Pattern, PhoneNumber, Pin, UssdCode};
pub use run::{run, run_with};

/// The slot of the only modem.
pub(crate) const SLOT: &str = "1";
