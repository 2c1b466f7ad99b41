//! Making records durable: one write and one sync per commit, a new segment now and then, the oldest dropped under the quota.

use std::io;
use std::ops::Range;

use crate::cursor::Cursor;
use crate::disk::{Disk, write_all};
use crate::format::{GROUP_HEADER, Group, RECORD_HEADER, RecordHead, kind, segment_name};
use crate::journal::{Buffer, Dropped, Journal, KEPT_BYTES};

/// What the caller knows at a commit.
#[derive(Debug, Clone, Copy)]
pub struct Commit<'a> {
    /// What is settled; written into the header of a new segment.
    pub cursor: &'a Cursor,
    /// Also write the cursor as a record of this commit: segments below its low-water mark go.
    pub write_cursor: bool,
    /// Ranges that are sent and not yet acknowledged: the quota spares their segments.
    pub in_flight: &'a [Range<u64>],
    /// The caller's own state, true of exactly the records appended so far. Given back by the next opening.
    pub app_state: &'a [u8],
}

/// What a commit did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Committed {
    /// One past the last durable record.
    pub end: u64,
    /// What the quota took: settle these ranges, and report them. Records and points already settled are not counted.
    pub dropped: Vec<DroppedRange>,
}

/// A segment that the quota took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DroppedRange {
    /// All its records.
    pub range: Range<u64>,
    /// Those that were never acknowledged, and their points.
    pub unsent: Dropped,
}

/// The disk did not take the records: they stay in memory, and the next commit tries a new segment.
#[derive(Debug, thiserror::Error)]
#[error("{step} for the journal")]
pub struct CommitError {
    /// What was being done.
    pub step: &'static str,
    /// What the disk said.
    #[source]
    pub source: io::Error,
}

/// The segment that is appended to: the last one of the list.
#[derive(Debug)]
pub(crate) struct Active<F> {
    pub(crate) number: u64,
    pub(crate) file: F,
    /// End of what is durable.
    pub(crate) offset: u64,
    /// Begin a new segment at the next commit.
    pub(crate) is_done: bool,
}

pub(crate) fn failed(step: &'static str) -> impl Fn(io::Error) -> CommitError {
    move |source| CommitError { step, source }
}

impl<D: Disk> Journal<D> {
    /// Makes everything appended durable.
    ///
    /// Without records, and with no cursor to write, it costs nothing, except in bad-disk mode, where it tries the disk.
    pub fn commit(&mut self, with: &Commit<'_>) -> Result<Committed, CommitError> {
        let result = self.try_commit(with);
        self.is_bad = result.is_err();
        if result.is_ok() {
            self.reclaim();
        }
        result
    }

    fn try_commit(&mut self, with: &Commit<'_>) -> Result<Committed, CommitError> {
        self.sync_tail()
            .map_err(failed("make the last run's records durable"))?;
        if self.buffer.records == 0 && !with.write_cursor && !self.is_bad {
            let dropped = std::mem::take(&mut self.unreported);
            return Ok(Committed {
                end: self.disk_end,
                dropped,
            });
        }
        let mut cursor = with.cursor.clone();
        self.settle_unreported(&mut cursor);
        let length = self.build_group(with.write_cursor.then_some(&cursor));
        let active = self.active.as_ref().filter(|active| !active.is_done);
        let has_room = active
            .zip(self.segments.last())
            .is_some_and(|(active, segment)| active.offset + length <= segment.bytes);
        if !has_room {
            self.begin_segment(length, &cursor, with)?;
            self.settle_unreported(&mut cursor);
            // The header of the new segment carries all definitions.
            self.build_group(with.write_cursor.then_some(&cursor));
        }
        self.write_group()?;
        if with.write_cursor {
            self.durable_low = cursor.low();
        }
        self.app_state.clear();
        self.app_state.extend_from_slice(with.app_state);
        Ok(Committed {
            end: self.disk_end,
            dropped: std::mem::take(&mut self.unreported),
        })
    }

    /// What the quota took in a commit that failed later on is settled all the same, though the caller does not know yet.
    fn settle_unreported(&self, cursor: &mut Cursor) {
        for dropped in &self.unreported {
            cursor.settle(dropped.range.clone());
        }
    }

    /// Lays out the group in `out`, checksums still open; returns its length.
    fn build_group(&mut self, cursor: Option<&Cursor>) -> u64 {
        let out = &mut self.out;
        out.clear();
        out.resize(GROUP_HEADER, 0);
        let definitions = out.len();
        if self.defined < self.definer.dictionary.len() {
            push_record(out, kind::DEFINITIONS, |out| {
                self.definer.dictionary.encode_from(self.defined, out);
            });
        }
        let definitions = definitions..out.len();
        if let Some(cursor) = cursor {
            push_record(out, kind::CURSOR, |out| cursor.encode(out));
        }
        out.extend_from_slice(&self.buffer.bytes);
        // Twice, before and behind the records: one bad spot must not take the names of a whole segment.
        out.extend_from_within(definitions);
        out.len() as u64
    }

    /// Closes the checksums, writes, syncs.
    fn write_group(&mut self) -> Result<(), CommitError> {
        let (Some(active), Some(segment)) = (&mut self.active, self.segments.last_mut()) else {
            return Err(failed("find a segment")(io::ErrorKind::NotFound.into()));
        };
        let first_seq = self.buffer.first_seq;
        let mut at = GROUP_HEADER;
        let mut offset = 0_u16;
        while let Some(head) = self.out.get(at..).and_then(RecordHead::decode) {
            let end = at + RECORD_HEADER + head.length;
            let is_numbered = head.kind < kind::FIRST_UNNUMBERED;
            RecordHead::close(
                &mut self.out[at..end],
                if is_numbered { offset } else { 0 },
                segment.seal,
                first_seq,
            );
            offset = offset.saturating_add(u16::from(is_numbered));
            at = end;
        }
        let group = Group {
            length: u32::try_from(self.out.len() - GROUP_HEADER).unwrap_or(u32::MAX),
            first_seq,
            points_before: self.points_total,
            records: u32::try_from(self.buffer.records).unwrap_or(u32::MAX),
            points: u32::try_from(self.buffer.points).unwrap_or(u32::MAX),
        };
        self.out[..GROUP_HEADER].copy_from_slice(&group.encode(segment.seal));
        let written = write_all(&self.disk, &active.file, active.offset, &self.out)
            .map_err(failed("write"))
            .and_then(|()| self.disk.sync_data(&active.file).map_err(failed("sync")));
        if let Err(error) = written {
            // After a failed sync the kernel may call lost pages clean: this file is never appended to again.
            self.active = None;
            return Err(error);
        }
        let length = self.out.len() as u64;
        active.offset += length;
        self.points_total += self.buffer.points;
        self.disk_end = self.buffer.end();
        segment.end_seq = self.disk_end;
        segment.points_end = self.points_total;
        self.defined = self.definer.dictionary.len();
        self.buffer.clear();
        self.out.clear();
        self.out.shrink_to(KEPT_BYTES);
        // Names can only be dropped while no row in memory uses them, and a segment is worth it only when it is nearly full.
        let left = segment.bytes - active.offset;
        if self.definer.is_full() && left < (segment.bytes / 8).max(2 * length) {
            active.is_done = true;
            self.definer.clear();
            self.defined = 0;
        }
        Ok(())
    }

    /// Forgets records below `seq` that are only in memory: the cloud has them, and the disk never needs to.
    pub fn trim(&mut self, seq: u64) {
        let seq = seq.min(self.buffer.end());
        if !self.is_bad || seq <= self.buffer.first_seq {
            return;
        }
        let (mut bytes, mut points, mut records) = (0, 0, 0);
        for ((at, head), number) in Buffer::records(&self.buffer.bytes).zip(self.buffer.first_seq..)
        {
            if number >= seq {
                break;
            }
            bytes = at + RECORD_HEADER + head.length;
            points += u64::from(head.points);
            records += 1;
        }
        self.buffer.bytes.drain(..bytes);
        self.buffer.points -= points;
        self.buffer.records -= records;
        self.buffer.first_seq = seq;
    }

    /// Writes the last run's tail once more: what a failed sync may have lost becomes durable, what is durable stays as it is.
    pub(crate) fn sync_tail(&mut self) -> io::Result<()> {
        let Some((number, range)) = self.unsynced_tail.clone() else {
            return Ok(());
        };
        let file = self.disk.open(&segment_name(number))?;
        let mut bytes = vec![0; usize::try_from(range.end - range.start).unwrap_or(0)];
        crate::disk::read_full(&self.disk, &file, range.start, &mut bytes)?;
        write_all(&self.disk, &file, range.start, &bytes)?;
        self.disk.sync_data(&file)?;
        // A newer segment whose making failed was removed, perhaps not durably: coming back, it would void this tail.
        self.disk.sync_dir()?;
        self.unsynced_tail = None;
        Ok(())
    }
}

fn push_record(out: &mut Vec<u8>, kind: u8, encode: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(
        &RecordHead {
            length: 0,
            kind,
            offset: 0,
            points: 0,
        }
        .encode(),
    );
    encode(out);
    let length = out.len() - start - RECORD_HEADER;
    out[start..start + RECORD_HEADER].copy_from_slice(
        &RecordHead {
            length,
            kind,
            offset: 0,
            points: 0,
        }
        .encode(),
    );
}
