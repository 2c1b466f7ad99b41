//! Protocols of the cabinet's hardware as pure parsers: the SIM7600's AT dialogue, short messages and NMEA 0183.
//!
//! Bytes go in, values come out: no I/O, no clock, no log, and no panic on any input.
//! Raw AT codes, knots and `ddmm.mmmm` end here; what leaves this crate carries its unit in its name.

pub mod at;
pub mod calendar;
pub mod nmea0183;
pub mod sim7600;
pub mod sms;
