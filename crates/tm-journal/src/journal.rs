//! The journal: append into memory, commit to flash, read what is committed.

use tm_types::{Poll, Source};

use crate::commit::{Active, DroppedRange};
use crate::cursor::Cursor;
use crate::dictionary::Definer;
use crate::disk::Disk;
use crate::format::{
    GROUP_RECORDS_MAX, Header, PAYLOAD_MAX, RECORD_HEADER, RecordHead, Seal, kind,
};
use crate::message::Message;
use crate::row;
use crate::stream::StreamId;

/// A buffer keeps this much when it is empty: more than an ordinary commit, less than one at full speed.
pub(crate) const KEPT_BYTES: usize = 32 * 1024;

/// How much a journal may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// Bytes of all segments together; beyond it the oldest is dropped, sent or not.
    pub quota_bytes: u64,
    /// Bytes of a full-grown segment. 4 MiB is the erase unit of common SD cards, and the piece the quota drops at a time.
    /// The first segment of a stream is small and each next one twice as large, so that restarts do not eat the quota.
    pub segment_bytes: u64,
    /// Bytes of records that may wait in memory for a disk (design §6: 1 MiB).
    pub memory_bytes: usize,
}

impl Config {
    /// The usual sizes under a quota.
    pub fn with_quota(quota_bytes: u64) -> Self {
        Self {
            quota_bytes,
            segment_bytes: 4 << 20,
            memory_bytes: 1 << 20,
        }
    }
}

/// Why a record was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// The memory is full: commit first; in bad-disk mode leave the message to the bus.
    #[error("append a record: {buffered_bytes} bytes are waiting to be committed")]
    Full {
        /// What is waiting.
        buffered_bytes: usize,
    },
    /// Longer than a record can be, or more points than one can count.
    #[error(
        "append a record of {bytes} bytes and {points} points: it is larger than a record can be"
    )]
    TooLarge {
        /// Its payload.
        bytes: usize,
        /// Its points.
        points: usize,
    },
}

/// What waits to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pending {
    /// Records, exactly.
    pub records: u64,
    /// Points; exact but for a segment that is partly sent, where they are shared out evenly.
    pub points: u64,
}

/// What the quota has dropped since the journal began, over all restarts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Dropped {
    /// Records that were never acknowledged.
    pub records: u64,
    /// The points in them.
    pub points: u64,
}

/// An append-only durable log in one directory.
///
/// It blocks, reads no clock, and never panics on what it finds on disk.
#[derive(Debug)]
pub struct Journal<D: Disk> {
    pub(crate) disk: D,
    pub(crate) config: Config,
    pub(crate) stream: StreamId,
    /// Under this one, records are sent that are in memory only.
    pub(crate) memory_stream: StreamId,
    pub(crate) segments: Vec<Segment>,
    pub(crate) active: Option<Active<D::File>>,
    pub(crate) next_number: u64,
    pub(crate) next_bytes: u64,
    /// Bytes of segments that this release cannot read.
    pub(crate) set_aside_bytes: u64,
    pub(crate) definer: Definer,
    /// Entries of the dictionary that the active segment holds already.
    pub(crate) defined: usize,
    pub(crate) buffer: Buffer,
    pub(crate) points_total: u64,
    /// One past the last record on disk.
    pub(crate) disk_end: u64,
    /// The caller's state as of `disk_end`.
    pub(crate) app_state: Vec<u8>,
    pub(crate) dropped: Dropped,
    pub(crate) is_bad: bool,
    /// The last group of the previous run, while it could not be made durable again.
    pub(crate) unsynced_tail: Option<(u64, std::ops::Range<u64>)>,
    /// The low-water mark on disk. Segments below it can go: found missing by the next opening, they are not missed.
    pub(crate) durable_low: u64,
    /// What the quota took and the caller has not been told yet.
    pub(crate) unreported: Vec<DroppedRange>,
    /// Segments whose removal failed, or is due.
    pub(crate) doomed: Vec<u64>,
    pub(crate) out: Vec<u8>,
}

/// A segment file as far as it is known without opening it.
#[derive(Debug, Clone)]
pub(crate) struct Segment {
    pub(crate) number: u64,
    pub(crate) stream: StreamId,
    pub(crate) seal: Seal,
    pub(crate) data_at: u64,
    pub(crate) bytes: u64,
    pub(crate) first_seq: u64,
    pub(crate) end_seq: u64,
    pub(crate) points_before: u64,
    pub(crate) points_end: u64,
}

impl Segment {
    /// A segment of which only the header is known: empty as far as one can tell.
    pub(crate) fn of(header: &Header, data_at: u64, bytes: u64) -> Self {
        Self {
            number: header.number,
            stream: header.stream,
            seal: header.seal(),
            data_at,
            bytes,
            first_seq: header.first_seq,
            end_seq: header.first_seq,
            points_before: header.points_before,
            points_end: header.points_before,
        }
    }
}

/// Records that wait for a commit, laid out as they will lie on disk.
#[derive(Debug, Default)]
pub(crate) struct Buffer {
    pub(crate) bytes: Vec<u8>,
    pub(crate) first_seq: u64,
    pub(crate) records: usize,
    pub(crate) points: u64,
}

impl Buffer {
    pub(crate) fn end(&self) -> u64 {
        self.first_seq + self.records as u64
    }

    pub(crate) fn clear(&mut self) {
        self.first_seq = self.end();
        self.bytes.clear();
        // What a bad disk had let pile up is given back.
        self.bytes.shrink_to(KEPT_BYTES);
        self.records = 0;
        self.points = 0;
    }

    /// Each record: where it begins, and its head.
    pub(crate) fn records(bytes: &[u8]) -> impl Iterator<Item = (usize, RecordHead)> {
        let mut at = 0;
        std::iter::from_fn(move || {
            let head = RecordHead::decode(bytes.get(at..)?)?;
            let start = at;
            at += RECORD_HEADER + head.length;
            Some((start, head))
        })
    }
}

impl<D: Disk> Journal<D> {
    /// The stream that this opening appends to.
    pub fn stream(&self) -> StreamId {
        self.stream
    }

    /// One past the last appended record; the number the next one gets.
    pub fn end(&self) -> u64 {
        self.buffer.end()
    }

    /// One past the last record on disk.
    pub fn committed_end(&self) -> u64 {
        self.disk_end
    }

    /// Bytes of records that wait for a commit.
    pub fn buffered_bytes(&self) -> usize {
        self.buffer.bytes.len()
    }

    /// Whether the last commit failed: records are readable from memory, and the next commit tries a new segment.
    pub fn is_bad(&self) -> bool {
        self.is_bad
    }

    /// Bytes of all segment files.
    pub fn disk_bytes(&self) -> u64 {
        self.segments
            .iter()
            .map(|segment| segment.bytes)
            .sum::<u64>()
            + self.set_aside_bytes
    }

    /// How many segment files there are.
    pub fn segments(&self) -> usize {
        self.segments.len()
    }

    /// What the quota has dropped since the journal began.
    pub fn dropped(&self) -> Dropped {
        self.dropped
    }

    /// The disk, for what the journal itself does not ask.
    pub fn disk(&self) -> &D {
        &self.disk
    }

    /// Appends a bus message; returns its number. Nothing is durable before [`Journal::commit`].
    pub fn append_row(&mut self, source: &Source, poll: &Poll) -> Result<u64, AppendError> {
        self.append(kind::ROW, poll.points.len(), |definer, out| {
            row::encode(source, poll, definer, out);
        })
    }

    /// Appends a message as it is; returns its number. Nothing is durable before [`Journal::commit`].
    pub fn append_message(&mut self, message: &Message<'_>) -> Result<u64, AppendError> {
        self.append(kind::MESSAGE, 0, |_, out| message.encode(out))
    }

    fn append(
        &mut self,
        kind: u8,
        points: usize,
        encode: impl FnOnce(&mut Definer, &mut Vec<u8>),
    ) -> Result<u64, AppendError> {
        let start = self.buffer.bytes.len();
        let full = AppendError::Full {
            buffered_bytes: start,
        };
        if self.buffer.records >= GROUP_RECORDS_MAX {
            return Err(full);
        }
        let head = RecordHead {
            length: 0,
            kind,
            offset: 0,
            points: 0,
        };
        self.buffer.bytes.extend_from_slice(&head.encode());
        encode(&mut self.definer, &mut self.buffer.bytes);
        let bytes = self.buffer.bytes.len() - start - RECORD_HEADER;
        let checked = u16::try_from(points).ok().filter(|_| bytes <= PAYLOAD_MAX);
        let Some(count) = checked else {
            self.buffer.bytes.truncate(start);
            return Err(AppendError::TooLarge { bytes, points });
        };
        // A single record may exceed the memory when nothing else is in it.
        if start > 0 && self.buffer.bytes.len() > self.config.memory_bytes {
            self.buffer.bytes.truncate(start);
            return Err(full);
        }
        let head = RecordHead {
            length: bytes,
            kind,
            offset: 0,
            points: count,
        };
        self.buffer.bytes[start..start + RECORD_HEADER].copy_from_slice(&head.encode());
        let seq = self.buffer.end();
        self.buffer.records += 1;
        self.buffer.points += u64::from(count);
        Ok(seq)
    }

    /// What waits to be sent under `cursor`.
    pub fn pending(&self, cursor: &Cursor) -> Pending {
        let mut pending = Pending::default();
        let mut add = |range: std::ops::Range<u64>, points: u64| {
            let unsettled = cursor.unsettled_in(&range);
            let all = range.end.saturating_sub(range.start).max(1);
            pending.records += unsettled;
            let share = u128::from(points) * u128::from(unsettled) / u128::from(all);
            pending.points += u64::try_from(share).unwrap_or(points);
        };
        for segment in &self.segments {
            add(
                segment.first_seq..segment.end_seq,
                segment.points_end - segment.points_before,
            );
        }
        if self.is_bad {
            add(self.buffer.first_seq..self.buffer.end(), self.buffer.points);
        }
        pending
    }
}
