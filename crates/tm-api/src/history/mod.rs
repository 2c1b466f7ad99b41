//! What was measured lately: a ring in memory behind `append` and `range`.
//!
//! The ring keeps raw stamps; wrong wall times are corrected when a question is answered, once
//! an anchor for their boot is known. Memory is bounded by construction: 28 bytes a point.

mod aggregate;
mod boots;
mod ring;
mod rows;
mod slot;
mod texts;

pub use ring::{History, Range, RangeError, Step};
pub use rows::{CounterRow, GaugeRow, RawRow, Rows, StateRow};

/// Rows that one answer may have.
pub const ROWS_MAX: u64 = 5_000;
