//! Reading from a journal: segment after segment, then what is only in memory.

use std::io;

use crate::disk::Disk;
use crate::format::{RECORD_HEADER, segment_name};
use crate::head::{Found, read_header};
use crate::journal::{Buffer, Journal, Segment};
use crate::reader::Reader;
use crate::walk::{End, Item, Lost, READ_ATTEMPTS, Walk};

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

impl<D: Disk> Journal<D> {
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
        let found = read_header(&self.disk, &file, segment.bytes)?;
        let mut walk = Walk::new(
            file,
            segment.seal,
            segment.data_at,
            segment.first_seq,
            segment.points_before,
        );
        // Spoilt since it was opened, the header takes its names with it, but not the records.
        if let Found::Header(header, _) = found {
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
