//! The whole service: a simulated module on a port, a real broker, what arrives on the bus.

#[path = "../../../tm-service/tests/it/broker.rs"]
mod broker;

mod bench;
mod field;
mod ports;
