//! Modbus TCP: a map of registers from the configuration, read in as few requests as possible.

mod decode;
mod line;
mod map;
mod plan;

pub(crate) use line::{Line, lines};
pub(crate) use map::{Device, parse};
