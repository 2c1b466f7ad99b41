//! Walks the groups of one segment file, finds its way again behind damage, and says what was lost.

use std::io;
use std::ops::Range;

use crate::cursor::Cursor;
use crate::dictionary::Dictionary;
use crate::disk::{Disk, read_full};
use crate::format::{GROUP_HEADER, GROUP_MARK, Group, PAGE, RECORD_HEADER, RecordHead, Seal, kind};

/// Read ahead in pieces of this size.
const WINDOW: u64 = 128 * 1024;
/// After this many failed reads in a row a page counts as lost; before, the caller waits and asks again.
pub(crate) const READ_ATTEMPTS: u32 = 8;

/// Records that will never be read, though the journal knew of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost {
    /// Their numbers.
    pub range: Range<u64>,
    /// The points in them. Where several ranges of one commit are lost, the first carries the sum.
    pub points: u64,
}

/// A record within the window.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Item {
    pub(crate) seq: u64,
    pub(crate) kind: u8,
    pub(crate) points: u16,
    pub(crate) at: usize,
    pub(crate) length: usize,
}

/// Where a walk has to end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct End {
    /// No byte at or beyond this offset is looked at.
    pub(crate) bytes: u64,
    /// One past the last record and the points up to there; absent when that is to be found out.
    pub(crate) known: Option<(u64, u64)>,
}

/// One segment, read group by group.
#[derive(Debug)]
pub(crate) struct Walk<F> {
    file: F,
    seal: Seal,
    offset: u64,
    pub(crate) next_seq: u64,
    pub(crate) next_points: u64,
    pub(crate) dictionary: Dictionary,
    window: Vec<u8>,
    window_at: u64,
    failures: u32,
    /// What the last group held.
    pub(crate) items: Vec<Item>,
    /// What was found missing before and in the last group.
    pub(crate) lost: Vec<Lost>,
    /// The last cursor record met.
    pub(crate) cursor: Option<Cursor>,
    /// Where the last group stands, head included.
    pub(crate) last_group: Option<(Range<u64>, Group)>,
    /// One past the last record of the last group before any damage in it, and the points up to there.
    pub(crate) sound_until: (u64, u64),
    /// Bytes that are not zero follow the last group: a write was cut short there.
    pub(crate) has_torn_tail: bool,
}

impl<F> Walk<F> {
    pub(crate) fn new(
        file: F,
        seal: Seal,
        data_at: u64,
        first_seq: u64,
        points_before: u64,
    ) -> Self {
        Self {
            file,
            seal,
            offset: data_at,
            next_seq: first_seq,
            next_points: points_before,
            dictionary: Dictionary::default(),
            window: Vec::new(),
            window_at: 0,
            failures: 0,
            items: Vec::new(),
            lost: Vec::new(),
            cursor: None,
            last_group: None,
            sound_until: (first_seq, points_before),
            has_torn_tail: false,
        }
    }

    /// The bytes of a record of the last group.
    pub(crate) fn payload(&self, item: &Item) -> &[u8] {
        &self.window[item.at..item.at + item.length]
    }

    /// Reads the next group; `false` when there is none and nothing was lost either.
    ///
    /// A read error leaves the walk where it was; after several in a row the unreadable pages count as damaged.
    pub(crate) fn next<D: Disk<File = F>>(&mut self, disk: &D, end: End) -> io::Result<bool> {
        self.items.clear();
        self.lost.clear();
        if end.known.is_some_and(|(seq, _)| self.next_seq >= seq) {
            return Ok(false);
        }
        if let Some(group) = self.find_group(disk, end)? {
            let body_at = self.offset + GROUP_HEADER as u64;
            self.ensure(
                disk,
                self.offset,
                GROUP_HEADER + group.length as usize,
                end.bytes,
            )?;
            self.note_lost(
                self.next_seq..group.first_seq,
                group.points_before.saturating_sub(self.next_points),
            );
            self.read_records(body_at, group);
            self.next_seq = group.first_seq + u64::from(group.records);
            self.next_points = group.points_before + u64::from(group.points);
            let group_end = body_at + u64::from(group.length);
            self.last_group = Some((self.offset..group_end, group));
            self.offset = group_end;
            return Ok(true);
        }
        if let Some((seq, points)) = end.known {
            self.note_lost(self.next_seq..seq, points.saturating_sub(self.next_points));
            (self.next_seq, self.next_points) = (seq, points);
        }
        Ok(!self.lost.is_empty())
    }

    /// Stands at the next group that is sound, and returns its head.
    fn find_group<D: Disk<File = F>>(&mut self, disk: &D, end: End) -> io::Result<Option<Group>> {
        let head = GROUP_HEADER as u64;
        while self.offset + head <= end.bytes {
            self.ensure(disk, self.offset, GROUP_HEADER, end.bytes)?;
            let at = self.in_window(self.offset);
            let group = Group::decode(&self.window[at..], self.seal)
                .filter(|group| {
                    self.offset + head + u64::from(group.length) <= end.bytes
                        && group.first_seq >= self.next_seq
                        && group.first_seq.checked_add(group.records.into()).is_some()
                })
                .and_then(|group| group.cut_off(end.known));
            if group.is_some() {
                return Ok(group);
            }
            // Behind the damage: the next mark, wherever it is in what has been read so far.
            let rest = &self.window[at..];
            let used = without_zeros(rest);
            self.has_torn_tail |= !used.is_empty();
            let found = used
                .get(1..)
                .unwrap_or(&[])
                .windows(GROUP_MARK.len())
                .position(|bytes| bytes == GROUP_MARK);
            self.offset += match found {
                Some(distance) => distance as u64 + 1,
                // A mark may lie across the edge of the window.
                None => (rest.len().saturating_sub(GROUP_MARK.len() - 1) as u64).max(1),
            };
        }
        self.offset = end.bytes;
        Ok(None)
    }

    /// Takes apart the records of a group that is wholly in the window.
    fn read_records(&mut self, body_at: u64, group: Group) {
        let start = self.in_window(body_at);
        let body_end = start + group.length as usize;
        let (mut at, mut expected, mut points) = (start, 0_u32, 0_u64);
        let first_lost = self.lost.len();
        while let Some(head) = RecordHead::decode(&self.window[at..body_end]) {
            let payload_at = at + RECORD_HEADER;
            let Some(record) = self
                .window
                .get(at..payload_at + head.length)
                .filter(|_| payload_at + head.length <= body_end)
            else {
                break;
            };
            if RecordHead::is_sound(record, self.seal, group.first_seq) {
                let payload = &record[RECORD_HEADER..];
                match head.kind {
                    kind::DEFINITIONS => {
                        self.dictionary.define(payload);
                    }
                    kind::CURSOR => self.cursor = Cursor::decode(payload).or(self.cursor.take()),
                    kind::ROW | kind::MESSAGE
                        if u32::from(head.offset) >= expected
                            && u32::from(head.offset) < group.records =>
                    {
                        let seq = group.first_seq + u64::from(head.offset);
                        push_lost(&mut self.lost, group.first_seq + u64::from(expected)..seq);
                        expected = u32::from(head.offset) + 1;
                        points += u64::from(head.points);
                        let (kind, points) = (head.kind, head.points);
                        self.items.push(Item {
                            seq,
                            kind,
                            points,
                            at: payload_at,
                            length: head.length,
                        });
                    }
                    _ => {}
                }
            }
            // A damaged record is stepped over; if its length was hit, nothing behind it passes its checksum.
            at = payload_at + head.length;
        }
        push_lost(
            &mut self.lost,
            group.first_seq + u64::from(expected)..group.first_seq + u64::from(group.records),
        );
        self.sound_until = match self.lost.get(first_lost) {
            Some(lost) => {
                let sound = self
                    .items
                    .iter()
                    .take_while(|item| item.seq < lost.range.start);
                let points = sound.map(|item| u64::from(item.points)).sum::<u64>();
                (lost.range.start, group.points_before + points)
            }
            None => (
                group.first_seq + u64::from(group.records),
                group.points_before + points,
            ),
        };
        if let Some(first) = self.lost.get_mut(first_lost) {
            first.points = u64::from(group.points).saturating_sub(points);
        }
    }

    fn note_lost(&mut self, range: Range<u64>, points: u64) {
        if range.start < range.end {
            self.lost.push(Lost { range, points });
        }
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "the offset lies in the window, which is in memory"
    )]
    fn in_window(&self, offset: u64) -> usize {
        (offset - self.window_at) as usize
    }

    /// Has `length` bytes from `offset` in the window.
    fn ensure<D: Disk<File = F>>(
        &mut self,
        disk: &D,
        offset: u64,
        length: usize,
        limit: u64,
    ) -> io::Result<()> {
        let wanted = offset + length as u64;
        if offset >= self.window_at && wanted <= self.window_at + self.window.len() as u64 {
            return Ok(());
        }
        let end = wanted.max(offset + WINDOW).min(limit);
        let bytes = usize::try_from(end - offset).map_err(|_| io::ErrorKind::OutOfMemory)?;
        self.window.clear();
        self.window.resize(bytes, 0);
        self.window_at = offset;
        let result = read_full(disk, &self.file, offset, &mut self.window);
        match result {
            // A file shorter than its segment reads as zeros, and so as damage.
            Ok(came) => self.window[came..].fill(0),
            Err(error) if self.failures < READ_ATTEMPTS => {
                self.failures += 1;
                self.window.clear();
                return Err(error);
            }
            Err(_) => {
                for (index, page) in self.window.chunks_mut(PAGE).enumerate() {
                    if !read_full(disk, &self.file, offset + (index * PAGE) as u64, page)
                        .is_ok_and(|came| came == page.len())
                    {
                        page.fill(0);
                    }
                }
            }
        }
        self.failures = 0;
        Ok(())
    }
}

/// Cuts off most of the zeros at the end: what is not written yet is searched at the speed of a comparison.
fn without_zeros(mut bytes: &[u8]) -> &[u8] {
    const ZEROS: [u8; 256] = [0; 256];
    while let Some((rest, last)) = bytes.split_last_chunk::<256>() {
        if *last != ZEROS {
            return bytes;
        }
        bytes = rest;
    }
    if bytes.iter().all(|byte| *byte == 0) {
        &[]
    } else {
        bytes
    }
}

/// Adds a lost range without points, joined to the one before where they touch.
fn push_lost(lost: &mut Vec<Lost>, range: Range<u64>) {
    if range.start < range.end {
        lost.push(Lost { range, points: 0 });
    }
}
