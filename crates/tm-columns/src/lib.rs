//! The batch codec: many polls of many series as one small, readable, exact object.
//!
//! A batch is one contiguous range of one class of the journal; [`Batch`] takes its rows without
//! allocating per point, [`Encoder`] makes the payload, [`decode`] gives the same rows back, bit
//! for bit. The format `columns` v1 is described in `docs/columns.md`. No I/O, no clock.

mod batch;
mod reading;

mod encode;
mod integers;
mod literals;
mod order;
mod packed;

mod column;
mod decode;
mod polls;
mod source;

mod gzip;
mod header;
mod line;

pub mod cabinet;

pub use batch::{Batch, PushError, SeriesKey, SourceKey};
pub use decode::{Decoded, Error, Record, decode, decode_json, unpack};
pub use encode::{Encoder, encode};
pub use header::Header;
pub use reading::{ReadingRef, ValueRef};

/// The version this crate writes and reads: the field `v`.
pub const VERSION: u32 = 1;
/// The most records (polls) of one batch.
pub const RECORDS_MAX: usize = 1 << 16;
/// The most points of one batch.
pub const POINTS_MAX: usize = 1 << 19;
/// The largest payload after `gunzip`, in bytes: a batch is full before it could exceed this.
pub const JSON_MAX: usize = 16 << 20;
