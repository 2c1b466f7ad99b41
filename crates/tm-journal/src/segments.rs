//! A new segment now and then, and the oldest dropped under the quota or removed when all of it is sent.

use std::io;
use std::ops::Range;

use crate::commit::{Active, Commit, CommitError, DroppedRange, failed};
use crate::cursor::Cursor;
use crate::disk::{Disk, write_all};
use crate::format::{Header, PAGE, segment_name};
use crate::journal::{Dropped, Journal, Segment};
use crate::walk::{End, Lost};

impl<D: Disk> Journal<D> {
    /// Begins a segment whose first group takes `group_bytes`; drops under the quota.
    pub(crate) fn begin_segment(
        &mut self,
        group_bytes: u64,
        cursor: &Cursor,
        with: &Commit<'_>,
    ) -> Result<(), CommitError> {
        let number = self.next_number;
        self.next_number += 1;
        let mut header = Header {
            number,
            stream: self.stream,
            prior_end: self.disk_end,
            first_seq: self.buffer.first_seq,
            points_before: self.points_total,
            salt: crate::recover::random(),
            dropped_records: self.dropped.records,
            dropped_points: self.dropped.points,
            cursor: cursor.clone(),
            app_state: self.app_state.clone(),
            dictionary: Vec::new(),
        };
        self.definer
            .dictionary
            .encode_from(0, &mut header.dictionary);
        // Room for the header as it will be: the cursor grows by at most two edges for each victim.
        let head_bytes = header.encode().len() as u64;
        let least = (head_bytes + PAGE as u64 + group_bytes).max(4 * head_bytes);
        let bytes = self.next_bytes.max(least).next_multiple_of(PAGE as u64);
        let victims = self.victims(bytes, with.in_flight);
        let mut dropped = Vec::new();
        for &index in &victims {
            let unsent = self.count_unsettled(&self.segments[index], cursor);
            let range = self.segments[index].first_seq..self.segments[index].end_seq;
            header.cursor.settle(range.clone());
            header.dropped_records += unsent.records;
            header.dropped_points += unsent.points;
            dropped.push(DroppedRange { range, unsent });
        }
        let head = header.encode();
        let name = segment_name(number);
        let made = self
            .disk
            .create(&name, bytes)
            .map_err(failed("make a segment"))
            .and_then(|file| {
                write_all(&self.disk, &file, 0, &head).map_err(failed("write a header"))?;
                self.disk
                    .sync_data(&file)
                    .map_err(failed("sync a header"))?;
                self.disk.sync_dir().map_err(failed("sync the directory"))?;
                Ok(file)
            });
        let file = match made {
            Ok(file) => file,
            Err(error) => {
                // If this fails as well, the next opening finds an unfinished or empty segment, and copes.
                let _ = self.disk.remove(&name);
                return Err(error);
            }
        };
        self.durable_low = header.cursor.low();
        self.doomed
            .extend(victims.iter().map(|&index| self.segments[index].number));
        self.dropped = Dropped {
            records: header.dropped_records,
            points: header.dropped_points,
        };
        self.segments
            .push(Segment::of(&header, head.len() as u64, bytes));
        self.active = Some(Active {
            number,
            file,
            offset: head.len() as u64,
            is_done: false,
        });
        self.defined = self.definer.dictionary.len();
        self.next_bytes = (self.next_bytes * 2).min(self.largest_segment());
        self.unreported.append(&mut dropped);
        Ok(())
    }

    /// The oldest segments that have to go so that `bytes` more fit under the quota.
    fn victims(&self, bytes: u64, in_flight: &[Range<u64>]) -> Vec<usize> {
        let mut total = self.disk_bytes() + bytes;
        let mut victims = Vec::new();
        for (index, segment) in self.segments.iter().enumerate() {
            if total <= self.config.quota_bytes {
                break;
            }
            let is_in_flight = in_flight
                .iter()
                .any(|sent| sent.start < segment.end_seq && sent.end > segment.first_seq);
            if !is_in_flight && !self.doomed.contains(&segment.number) {
                total -= segment.bytes;
                victims.push(index);
            }
        }
        victims
    }

    /// Counts what would be lost with a segment, by reading it where it is partly settled.
    fn count_unsettled(&self, segment: &Segment, cursor: &Cursor) -> Dropped {
        let range = segment.first_seq..segment.end_seq;
        let records = cursor.unsettled_in(&range);
        let all = Dropped {
            records,
            points: segment.points_end - segment.points_before,
        };
        if records == range.end - range.start || records == 0 {
            return if records == 0 {
                Dropped::default()
            } else {
                all
            };
        }
        let Ok(mut walk) = self.enter(segment) else {
            return all;
        };
        let mut points = 0;
        let known = Some((segment.end_seq, segment.points_end));
        let end = End {
            bytes: segment.bytes,
            known,
        };
        loop {
            match walk.next(&self.disk, end) {
                Ok(true) => {
                    let unsettled = walk
                        .items
                        .iter()
                        .filter(|item| !cursor.is_settled(item.seq));
                    points += unsettled.map(|item| u64::from(item.points)).sum::<u64>();
                    let lost = walk
                        .lost
                        .iter()
                        .filter(|lost| cursor.unsettled_in(&lost.range) > 0);
                    points += lost.map(|lost: &Lost| lost.points).sum::<u64>();
                }
                Ok(false) => return Dropped { records, points },
                Err(_) => return all,
            }
        }
    }

    /// Removes the victims of the quota, and the oldest segments while nothing in them is left to send.
    pub(crate) fn reclaim(&mut self) {
        let active = self.active.as_ref().map(|active| active.number);
        let leading = self.segments.iter().take_while(|segment| {
            segment.end_seq <= self.durable_low && Some(segment.number) != active
        });
        let settled: Vec<u64> = leading.map(|segment| segment.number).collect();
        for number in settled {
            if !self.doomed.contains(&number) {
                self.doomed.push(number);
            }
        }
        // One at a time, each made durable, the oldest first: a power cut never leaves a hole between segments.
        self.doomed.sort_unstable();
        while let Some(&number) = self.doomed.first() {
            let gone = match self.disk.remove(&segment_name(number)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => false,
                _ => self.disk.sync_dir().is_ok(),
            };
            if !gone {
                // Tried again with the next commit.
                return;
            }
            self.doomed.remove(0);
            self.segments.retain(|segment| segment.number != number);
        }
    }

    pub(crate) fn largest_segment(&self) -> u64 {
        // At least eight pieces under any quota, so that dropping one is dropping little.
        self.config
            .segment_bytes
            .min(self.config.quota_bytes / 8)
            .max(PAGE as u64 * 4)
    }
}
