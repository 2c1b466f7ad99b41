//! The batch codec: many polls of many series as one small, readable, exact object.
//!
//! A batch is one contiguous range of one class of the journal; [`Batch`] takes its rows without
//! allocating per point, [`Encoder`] makes the payload, [`decode`] gives the same rows back, bit
//! for bit. [`Vocabulary`] collects what batches repeat, so that a [`Dictionary`] says it once for
//! all of them. The format `columns` v1 is described in `docs/columns.md`. No I/O, no clock.

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

mod deflate;
mod dictionary;
mod header;
mod line;

pub mod cabinet;

pub use batch::{Batch, PushError, SeriesKey, SourceKey};
pub use decode::{Decoded, Error, Record, decode, decode_json, unpack};
pub use dictionary::{DICTIONARIES_MAX, DICTIONARY_MAX, Dictionaries, Dictionary, Vocabulary};
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
