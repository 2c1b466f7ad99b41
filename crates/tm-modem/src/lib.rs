//! The modem manager: a SIM7600G-H explained and kept alive.
//!
//! One task: [`run`] waits for the modem, the host, the bus and the clock, and hands each event to the `Manager`,
//! which decides without I/O. A backend knows one way to the modem (AT on a port, or ModemManager) and judges
//! nothing; what it reads is folded into the knowledge. The diagnosis finds the one reason why there is no internet,
//! the ladder takes the mildest step against it. See `docs/modem.md` and `docs/recovery.md`.

mod config;
mod run;

mod manager;

mod backend;
mod network_manager;
mod surroundings;
mod usb;

mod access_points;
mod data;
mod knowledge;
mod situation;

mod diagnosis;
mod ladder;

mod actuator;
mod age;
mod antenna;
mod balance;
mod messages;
mod operations;
mod usage;

mod network_time;
mod points;
mod relay;

pub use config::{BackendChoice, Config, ModemSettings, Pattern, PhoneNumber, Pin, UssdCode};
pub use run::{run, run_with};

/// The slot of the only modem.
pub(crate) const SLOT: &str = "1";
