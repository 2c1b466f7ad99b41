//! The session and the bus against brokers that behave badly, and against a real one.

mod bus;
mod config;
mod doctor;
mod operations;
mod peer;
mod probe;
mod session;
mod session_attempt;
mod session_tls;
