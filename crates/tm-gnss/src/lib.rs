//! The GNSS reader: NMEA to fixes, states and time anchors.
//!
//! One task: [`run`] waits for the port or the bus and the clock, and hands each event to the `Tracker`, which
//! decides without I/O. Sentences become epochs in `tm-proto`; from those follow the state, the measurements
//! (rarely, and on movement) and the time anchors (only when the time agrees with itself). See `docs/gnss.md`.

mod config;
mod run;
mod source;

pub mod replay;

mod tracker;

mod antenna;
mod chrony;
mod clock;
mod geometry;
mod gpsd;
mod movement;
mod place;
mod points;
mod rtc;
mod sky;
mod spoofing;
mod witness;

pub use config::{Config, ListenAddress, SourceSetting};
pub use place::{Fence, NotAFence};
pub use run::{run, run_with};
