//! Modbus TCP and RTU: a map of registers from the configuration, read in as few requests as possible.

mod map;
mod place;

mod decode;
mod document;
mod plan;
mod quarantine;

mod connection;
mod line;
mod unit;
mod write;

pub(crate) mod commission;

pub(crate) use document::{Map, parse};
pub(crate) use line::{Line, lines};
pub(crate) use map::Device;
pub(crate) use place::Place;
pub(crate) use write::{OPERATION as WRITE, Refused, Wanted};
