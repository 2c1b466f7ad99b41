//! The whole service: a simulated module on a port, a real broker, what arrives on the bus.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod bench;
mod field;
mod ports;
