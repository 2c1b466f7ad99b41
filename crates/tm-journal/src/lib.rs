//! A durable log on flash: what it has accepted survives a power cut, and it writes little.
//!
//! [`Journal`] appends records, commits them with one write and one sync, and reads them back by number.
//! [`Rules`] decides, without any I/O, when to commit, what may be acknowledged and what is still to be sent.
//! [`Disk`] is the seam: [`RealDisk`] in the field, [`memory_disk`] where power cuts are played through.
//! The format, the promises and their windows are in `docs/journal.md`.

mod varint;

mod disk;
pub mod memory_disk;
mod real_disk;

mod cursor;
mod intervals;
mod rules;

mod dictionary;
mod message;
mod row;

mod format;
mod head;
mod stream;
mod walk;

mod commit;
mod journal;
mod read;
mod reader;
mod recover;
mod segments;

pub use commit::{Commit, CommitError, Committed, DroppedRange};
pub use cursor::{Cursor, MAX_INTERVALS};
pub use dictionary::{Context, Dictionary, MAX_BYTES, MAX_ENTRIES, Series};
pub use disk::{Disk, NoDisk};
pub use format::COMMIT_BYTES;
pub use journal::{AppendError, Config, Dropped, Journal, Pending};
pub use memory_disk::MemoryDisk;
pub use message::Message;
pub use read::ReadError;
pub use reader::{Reader, Record, RecordKind};
pub use real_disk::{RealDisk, default_quota_bytes, free_bytes};
pub use recover::{OpenError, Recovered};
pub use row::{PointRef, Points, Row};
pub use rules::{Admission, Class, Effect, Event, Rules, Timing};
pub use stream::{NotAStreamId, StreamId};
pub use walk::Lost;
