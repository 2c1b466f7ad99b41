//! Modbus TCP: a map of registers from the configuration, read in as few requests as possible.

mod map;

mod decode;
mod document;
mod plan;

mod line;

pub(crate) mod commission;

pub(crate) use document::{MapError, parse};
pub(crate) use line::{Line, lines};
pub(crate) use map::Device;
