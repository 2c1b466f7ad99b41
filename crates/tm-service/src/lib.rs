//! The bones of every service: configuration, host, bus session, health, operations, log, stop.
//!
//! A service is `async fn run(config, host) -> Result<Infallible, Error>` and a main of eight lines
//! around [`service_main`]. `run` touches nothing global; all of it comes in through [`Host`].
//! The same function runs in its container, in the demo and in the end-to-end tests.

pub mod config;

mod adjtimex;
mod clock;
mod host;
mod progress;
mod store;

pub mod bus;
pub mod dedup;
pub mod doctor;
pub mod metering;
pub mod port;
pub mod probe;
pub mod session;

mod log;
mod service;
mod watchdog;

pub use clock::{Clock, ManualClock};
pub use dedup::{Dedup, Verdict};
pub use host::{Host, HostParts};
pub use log::{filter as log_filter, start_log};
pub use progress::Progress;
pub use service::service_main;
pub use store::Store;
