//! The whole service: a simulated module on a port, a real broker, what arrives on the bus.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../../../tm-service/tests/it/broker.rs"]
mod broker;

mod bench;
mod field;
mod ports;
