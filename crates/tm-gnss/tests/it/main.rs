//! The whole service: simulated sentences on a port or relayed, a real broker, what arrives on the bus.

#[path = "../../../tm-service/tests/it/broker.rs"]
mod broker;

mod bench;
mod sources;
