//! Opening a journal: headers of all segments, the records of the last one only.

use std::hash::{BuildHasher, Hasher};
use std::io;

use crate::commit::CommitError;
use crate::cursor::Cursor;
use crate::dictionary::Definer;
use crate::disk::Disk;
use crate::format::{Header, segment_name, segment_number};
use crate::head::{Found, read_header};
use crate::journal::{Buffer, Config, Dropped, Journal, Segment};
use crate::stream::StreamId;
use crate::walk::{End, Lost, Walk};

/// The first segment of a stream.
const FIRST_SEGMENT_BYTES: u64 = 64 * 1024;
/// More records than fit into the segments of any one opening that could not be read.
const UNSEEN_RECORDS: u64 = 1 << 32;

/// What an opening found.
#[derive(Debug)]
pub struct Recovered {
    /// What is settled; at most as old as the cursor's own period.
    pub cursor: Cursor,
    /// The first number of this opening: all records below are older.
    pub end: u64,
    /// One past the last record known to be on flash: `end`, or less while the disk does not even take that much.
    pub durable_end: u64,
    /// The caller's state as of record `app_state_seq`; empty when there is none.
    pub app_state: Vec<u8>,
    /// Bring `app_state` up to date by reading the records from here on.
    pub app_state_seq: u64,
    /// Records of segments that are missing or cannot be read, and that were not settled.
    /// The points of a missing oldest segment are not known, and given as 0.
    pub missing: Vec<Lost>,
    /// Records that are damaged in the last segment. Others show when they are read.
    pub damaged: Vec<Lost>,
    /// The last write before this opening was cut short: what it held was never acknowledged.
    pub has_torn_tail: bool,
    /// Files of a newer version, left as they are: neither sent nor understood, but counted under the quota.
    pub set_aside: Vec<String>,
    /// Files that hold no sound header. They are removed; what they held is in `missing`.
    pub headless: Vec<String>,
    /// Files that the disk would not let us read. They stay for the next opening.
    pub unreadable: Vec<String>,
    /// Why the journal begins in bad-disk mode, if it does.
    pub trouble: Option<CommitError>,
}

/// The journal's directory cannot be listed, or none of its files be read: run without, and try again.
#[derive(Debug, thiserror::Error)]
#[error("read the journal's segments")]
pub struct OpenError(#[source] pub io::Error);

impl<D: Disk> Journal<D> {
    /// Opens the journal in the directory that `disk` stands for. A new stream begins; no file is written before the first commit.
    pub fn open(disk: D, config: Config) -> Result<(Self, Recovered), OpenError> {
        let mut files: Vec<(u64, u64)> = disk
            .list()
            .map_err(OpenError)?
            .into_iter()
            .filter_map(|(name, bytes)| Some((segment_number(&name)?, bytes)))
            .collect();
        files.sort_unstable();
        let mut recovered = Recovered {
            cursor: Cursor::default(),
            end: 0,
            durable_end: 0,
            app_state: Vec::new(),
            app_state_seq: 0,
            missing: Vec::new(),
            damaged: Vec::new(),
            has_torn_tail: false,
            set_aside: Vec::new(),
            headless: Vec::new(),
            unreadable: Vec::new(),
            trouble: None,
        };
        let mut journal = Self {
            disk,
            config,
            stream: StreamId {
                counter: 1,
                random: random32(),
            },
            memory_stream: StreamId {
                counter: 1,
                random: random32(),
            },
            segments: Vec::new(),
            active: None,
            next_number: files
                .last()
                .map_or(1, |(number, _)| number.saturating_add(1)),
            next_bytes: FIRST_SEGMENT_BYTES,
            set_aside_bytes: 0,
            definer: Definer::default(),
            defined: 0,
            buffer: Buffer::default(),
            points_total: 0,
            disk_end: 0,
            app_state: Vec::new(),
            dropped: Dropped::default(),
            is_bad: false,
            unsynced_tail: None,
            durable_low: 0,
            unreported: Vec::new(),
            doomed: Vec::new(),
            out: Vec::new(),
        };
        journal.next_bytes = FIRST_SEGMENT_BYTES.min(journal.largest_segment());
        let headers = journal.read_headers(&files, &mut recovered)?;
        journal
            .read_last(headers, &mut recovered)
            .map_err(OpenError)?;
        Ok((journal, recovered))
    }

    /// Sorts the files into segments, newer ones and useless ones.
    fn read_headers(
        &mut self,
        files: &[(u64, u64)],
        recovered: &mut Recovered,
    ) -> Result<Vec<(Header, Segment)>, OpenError> {
        let mut headers: Vec<(Header, Segment)> = Vec::new();
        let mut trouble = None;
        for &(number, bytes) in files {
            let name = segment_name(number);
            let found = self
                .disk
                .open(&name)
                .and_then(|file| read_header(&self.disk, &file, bytes));
            match found {
                Ok(Found::Header(header, data_at))
                    if header.number == number && follows(&headers, &header) =>
                {
                    let segment = Segment::of(&header, data_at, bytes);
                    headers.push((*header, segment));
                }
                Ok(Found::Nothing) => {
                    // No record is written before its header is durable: mostly this is a segment that was just being made.
                    let _ = self.disk.remove(&name).and_then(|()| self.disk.sync_dir());
                    recovered.headless.push(name);
                }
                Ok(_) => {
                    self.set_aside_bytes += bytes;
                    recovered.set_aside.push(name);
                }
                Err(error) => {
                    trouble = Some(error);
                    self.set_aside_bytes += bytes;
                    recovered.unreadable.push(name);
                }
            }
        }
        match trouble {
            Some(error) if headers.is_empty() => Err(OpenError(error)),
            _ => Ok(headers),
        }
    }

    /// Finds the ends of all segments, reading only the last one and those before a gap.
    fn read_last(
        &mut self,
        headers: Vec<(Header, Segment)>,
        recovered: &mut Recovered,
    ) -> io::Result<()> {
        let Some((last, _)) = headers.last() else {
            return Ok(());
        };
        recovered.cursor = last.cursor.clone();
        recovered.app_state.clone_from(&last.app_state);
        recovered.app_state_seq = last.first_seq;
        self.app_state.clone_from(&last.app_state);
        self.dropped = Dropped {
            records: last.dropped_records,
            points: last.dropped_points,
        };
        let counter = headers
            .iter()
            .map(|(header, _)| header.stream.counter)
            .max()
            .unwrap_or(0)
            .saturating_add(1);
        self.stream.counter = counter;
        self.memory_stream.counter = counter;

        let nexts: Vec<Option<Next>> = headers
            .iter()
            .skip(1)
            .map(|(next, _)| Some(Next::of(next)))
            .chain([None])
            .collect();
        let mut gaps = Vec::new();
        for ((header, mut segment), next) in headers.into_iter().zip(nexts) {
            match next {
                Some(next)
                    if next.number == segment.number + 1 && next.prior_end > segment.first_seq =>
                {
                    segment.end_seq = next.prior_end;
                    segment.points_end = next.points_before.max(segment.points_before);
                }
                Some(next) => {
                    // What begins at or behind the end that the next one knows of was unreadable when that was made.
                    let most = if next.prior_end > segment.first_seq {
                        next.prior_end
                    } else {
                        next.first_seq
                    };
                    self.scan(&header, &mut segment, Some((most, next.points_before)))?;
                    if next.prior_end > segment.end_seq {
                        let points = next.points_before.saturating_sub(segment.points_end);
                        gaps.push(Lost {
                            range: segment.end_seq..next.prior_end,
                            points,
                        });
                    }
                }
                None => self.scan_last(&header, &mut segment, recovered)?,
            }
            self.segments.push(segment);
        }
        self.settle_gaps(gaps, recovered);
        match self.sync_tail() {
            Ok(()) => recovered.durable_end = recovered.end,
            Err(source) => {
                self.is_bad = true;
                recovered.trouble = Some(CommitError {
                    step: "make the last run's records durable",
                    source,
                });
            }
        }
        Ok(())
    }

    /// Reads the newest segment: its end, its last cursor, and what is damaged in it.
    fn scan_last(
        &mut self,
        header: &Header,
        segment: &mut Segment,
        recovered: &mut Recovered,
    ) -> io::Result<()> {
        let (walk, mut lost) = self.scan(header, segment, None)?;
        recovered.durable_end = segment.first_seq;
        recovered.end = segment.end_seq;
        recovered.has_torn_tail = walk.has_torn_tail;
        if let Some(cursor) = walk.cursor {
            recovered.cursor = cursor;
        }
        if let Some((range, group)) = walk.last_group {
            // The last commit counts up to its first damage. It was most likely never whole, so nothing of it was
            // acknowledged, and records kept from behind a lost one would make its repeat look known.
            if let Some(torn) = lost
                .iter()
                .position(|lost| lost.range.start >= group.first_seq)
            {
                (segment.end_seq, segment.points_end) = walk.sound_until;
                lost.truncate(torn);
                recovered.has_torn_tail = true;
            }
            self.unsynced_tail = Some((segment.number, range));
            recovered.durable_end = group.first_seq;
        }
        recovered.damaged = lost;
        Ok(())
    }

    /// Reads a whole segment to find its end, where `most` records and points bound it.
    fn scan(
        &self,
        header: &Header,
        segment: &mut Segment,
        most: Option<(u64, u64)>,
    ) -> io::Result<(Walk<D::File>, Vec<Lost>)> {
        let file = self.disk.open(&segment_name(segment.number))?;
        let mut walk = Walk::new(
            file,
            segment.seal,
            segment.data_at,
            segment.first_seq,
            segment.points_before,
        );
        walk.dictionary.define(&header.dictionary);
        let mut lost = Vec::new();
        let end = End {
            bytes: segment.bytes,
            known: None,
        };
        loop {
            match walk.next(&self.disk, end) {
                Ok(true) => {
                    lost.append(&mut walk.lost);
                    let first_seq = walk
                        .last_group
                        .as_ref()
                        .map_or(0, |(_, group)| group.first_seq);
                    match most {
                        Some((seq, points)) if walk.next_seq > seq => {
                            // Torn when it was written, this one counts in part or not at all.
                            if first_seq < seq {
                                (segment.end_seq, segment.points_end) =
                                    (seq, points.max(segment.points_before));
                            }
                            break;
                        }
                        _ => {
                            (segment.end_seq, segment.points_end) =
                                (walk.next_seq, walk.next_points);
                        }
                    }
                }
                Ok(false) => break,
                // The walk gives a page up as damaged after a few attempts, and goes on.
                Err(_) => {}
            }
        }
        Ok((walk, lost))
    }

    /// Settles every number that no segment holds, and counts those that should have been there.
    fn settle_gaps(&mut self, mut gaps: Vec<Lost>, recovered: &mut Recovered) {
        let cursor = &mut recovered.cursor;
        self.durable_low = cursor.low();
        if let Some(first) = self
            .segments
            .first()
            .filter(|first| first.first_seq > cursor.low())
        {
            // Segments below the low-water mark go when it is on disk, so the oldest one should reach down to it.
            gaps.push(Lost {
                range: cursor.low()..first.first_seq,
                points: 0,
            });
        }
        gaps.retain(|gap| cursor.unsettled_in(&gap.range) > 0);
        recovered.missing = gaps;
        let mut at = 0;
        for segment in &self.segments {
            cursor.settle(at..segment.first_seq);
            at = at.max(segment.end_seq);
        }
        for lost in &recovered.damaged {
            cursor.settle(lost.range.clone());
        }
        recovered.end = recovered.end.max(at).max(cursor.high());
        let newest = self.segments.last().map_or(0, |segment| segment.number);
        if self.next_number > newest + 1
            && !(recovered.set_aside.is_empty() && recovered.unreadable.is_empty())
        {
            // Newer files may hold numbers that we cannot see: begin behind all that they can hold.
            recovered.end += UNSEEN_RECORDS;
        }
        cursor.settle(at..recovered.end);
        self.points_total = self.segments.last().map_or(0, |segment| segment.points_end);
        self.disk_end = at;
        self.buffer.first_seq = recovered.end;
    }
}

/// What a segment's header says of the one before it.
#[derive(Clone, Copy)]
struct Next {
    number: u64,
    prior_end: u64,
    first_seq: u64,
    points_before: u64,
}

impl Next {
    fn of(header: &Header) -> Self {
        Self {
            number: header.number,
            prior_end: header.prior_end,
            first_seq: header.first_seq,
            points_before: header.points_before,
        }
    }
}

/// Whether a header can stand behind those found so far.
fn follows(headers: &[(Header, Segment)], header: &Header) -> bool {
    header.prior_end <= header.first_seq
        && headers.last().is_none_or(|(last, _)| {
            header.first_seq >= last.first_seq && header.points_before >= last.points_before
        })
}

/// 64 bits that nobody can foresee: the kernel seeds the standard library's hash keys.
pub(crate) fn random() -> u64 {
    std::hash::RandomState::new().build_hasher().finish()
}

fn random32() -> u32 {
    let bytes = random().to_le_bytes();
    u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}
