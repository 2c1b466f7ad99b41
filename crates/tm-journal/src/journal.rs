//! The journal: append into memory, commit to flash, read what is committed.

use std::io;

use tm_types::{Poll, Source};

use crate::commit::{Active, DroppedRange};
use crate::cursor::Cursor;
use crate::dictionary::Definer;
use crate::disk::Disk;
use crate::format::{
    GROUP_RECORDS_MAX, Header, PAYLOAD_MAX, RECORD_HEADER, RecordHead, Seal, StreamId, kind,
    segment_name,
};
use crate::message::Message;
use crate::reader::Reader;
use crate::recover;
use crate::row;
use crate::walk::{End, Item, Lost, READ_ATTEMPTS, Walk};

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

/// A record could not be read at the moment; the reader stands where it was.
///
/// Asked again eight times, the journal gives the unreadable pages up as damaged.
#[derive(Debug, thiserror::Error)]
#[error("read segment {segment} of the journal")]
pub struct ReadError {
    /// The segment's file name.
    pub segment: String,
    /// What the disk said.
    #[source]
    pub source: io::Error,
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
            row::encode(source, poll, definer, out)
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

    /// A reader that begins with record `from`.
    pub fn reader(&self, from: u64) -> Reader<D::File> {
        Reader::new(from, self.stream)
    }

    /// Reads the records of the next commit at the reader's place; `false` when there is nothing more yet.
    ///
    /// In bad-disk mode what is only in memory is read too, under a stream of its own.
    /// Look at [`Reader::lost`] and [`Reader::absent`] even when no record came.
    pub fn read(&self, reader: &mut Reader<D::File>) -> Result<bool, ReadError> {
        reader.clear();
        loop {
            let at = reader.next;
            let index = self
                .segments
                .partition_point(|segment| segment.end_seq <= at);
            let Some(segment) = self.segments.get(index) else {
                return Ok(self.read_memory(reader));
            };
            if at < segment.first_seq {
                reader.absent.push(at..segment.first_seq);
                reader.next = segment.first_seq;
                continue;
            }
            self.read_group(reader, segment)
                .map_err(|source| ReadError {
                    segment: segment_name(segment.number),
                    source,
                })?;
            if reader.records().len() > 0 || !reader.lost.is_empty() {
                return Ok(true);
            }
        }
    }

    fn read_group(&self, reader: &mut Reader<D::File>, segment: &Segment) -> io::Result<()> {
        let at = reader.next;
        reader.from_memory = false;
        let mut walk = match reader.walk.take() {
            Some(walk) if reader.segment == segment.number && walk.next_seq <= at => walk,
            _ => match self.enter(segment) {
                Ok(walk) => walk,
                Err(_) if reader.failures >= READ_ATTEMPTS => {
                    reader.lost.push(Lost {
                        range: at..segment.end_seq,
                        points: segment.points_end - segment.points_before,
                    });
                    (reader.next, reader.failures) = (segment.end_seq, 0);
                    return Ok(());
                }
                Err(error) => {
                    reader.failures += 1;
                    return Err(error);
                }
            },
        };
        reader.failures = 0;
        let known = Some((segment.end_seq, segment.points_end));
        let result = walk.next(
            &self.disk,
            End {
                bytes: self.readable_bytes(segment),
                known,
            },
        );
        reader.segment = segment.number;
        reader.stream = segment.stream;
        reader.first_item = walk.items.partition_point(|item| item.seq < at);
        let lost = walk.lost.iter().filter(|lost| lost.range.end > at);
        reader.lost.extend(lost.map(|lost| Lost {
            range: lost.range.start.max(at)..lost.range.end,
            points: lost.points,
        }));
        reader.next = walk.next_seq.max(at);
        reader.walk = Some(walk);
        result.map(drop)
    }

    fn readable_bytes(&self, segment: &Segment) -> u64 {
        match &self.active {
            Some(active) if active.number == segment.number => active.offset,
            _ => segment.bytes,
        }
    }

    /// Opens a segment for walking, with the definitions of its header.
    pub(crate) fn enter(&self, segment: &Segment) -> io::Result<Walk<D::File>> {
        let file = self.disk.open(&segment_name(segment.number))?;
        let found = recover::read_header(&self.disk, &file, segment.bytes)?;
        let mut walk = Walk::new(
            file,
            segment.seal,
            segment.data_at,
            segment.first_seq,
            segment.points_before,
        );
        // Spoilt since it was opened, the header takes its names with it, but not the records.
        if let recover::Found::Header(header, _) = found {
            walk.dictionary.define(&header.dictionary);
        }
        Ok(walk)
    }

    /// What the disk would not take, while it is bad.
    fn read_memory(&self, reader: &mut Reader<D::File>) -> bool {
        let at = reader.next;
        if at < self.buffer.first_seq {
            reader.absent.push(at..self.buffer.first_seq);
            reader.next = self.buffer.first_seq;
        }
        if !self.is_bad || reader.next >= self.buffer.end() {
            return !reader.absent.is_empty();
        }
        let memory = &mut reader.memory;
        memory.bytes.clone_from(&self.buffer.bytes);
        memory.dictionary.clone_from(&self.definer.dictionary);
        let items = (self.buffer.first_seq..)
            .zip(Buffer::records(&self.buffer.bytes))
            .map(|(seq, (at, head))| Item {
                seq,
                kind: head.kind,
                points: head.points,
                at: at + RECORD_HEADER,
                length: head.length,
            });
        memory
            .items
            .extend(items.filter(|item| item.seq >= reader.next));
        reader.from_memory = true;
        reader.stream = self.memory_stream;
        reader.next = self.buffer.end();
        true
    }
}
