//! The sensor collector: the machine itself, 1-Wire, the kernel's chips, contacts and Modbus.
//!
//! [`run`] polls every device on its own schedule and publishes one message for each poll that
//! has something to tell: `machine` points by their bare name, the others as `<device>/<what>`.
//! Nothing depends on the instance's name; the same code runs as `sensors` and as `io`.

mod config;
mod service;

mod desk;
mod revision;

mod chips;
mod driver;
mod gpio;
mod lines;
mod machine;
mod modbus;
mod one_wire;

mod blocking;
mod channel;
mod document;
mod report;
mod schedule;
mod state;
mod units;

pub use config::{Config, FilePath};
pub use service::run;
