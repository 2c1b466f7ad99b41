//! The uplink between two real brokers, with a gate before the cloud.

mod abort;
mod delivery;
mod disk;
mod faults;
mod world;
