//! The uplink between two real brokers, with a gate before the cloud.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod abort;
mod brokers;
mod budget;
mod commands;
mod delivery;
mod disk;
mod faults;
mod links;
mod outage;
mod scripted;
mod series;
mod sparkplug;
mod world;
