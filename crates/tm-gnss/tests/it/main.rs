//! The whole service: simulated sentences on a port or relayed, a real broker, what arrives on the bus.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod bench;
mod sources;
