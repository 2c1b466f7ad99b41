//! What stands in a segment file, byte by byte. Drawn in `docs/journal.md`; all numbers little-endian.

use crate::cursor::Cursor;
use crate::stream::StreamId;

/// First bytes of every segment, in every version.
const MAGIC: [u8; 8] = *b"tmjrnl\r\n";
/// The version this release writes, and the only one it reads.
const VERSION: u32 = 1;
/// Fixed part of a header.
const HEADER_FIXED: usize = 96;
/// Headers and data begin on flash pages, so that no commit rewrites a page of the header.
pub(crate) const PAGE: usize = 4096;
/// First bytes of a group.
pub(crate) const GROUP_MARK: [u8; 4] = *b"tmG1";
/// Bytes before a group's records.
pub(crate) const GROUP_HEADER: usize = 36;
/// What a commit takes on disk beside its records, bytes.
pub const COMMIT_BYTES: u64 = GROUP_HEADER as u64;
/// Bytes before a record's payload.
pub(crate) const RECORD_HEADER: usize = 12;
/// The longest payload of a record: its length takes 24 bits.
pub(crate) const PAYLOAD_MAX: usize = (1 << 24) - 1;
/// A group holds at most this many numbered records: their offset takes 16 bits.
pub(crate) const GROUP_RECORDS_MAX: usize = u16::MAX as usize;

/// Kinds of records; below 16 they are numbered, above they belong to the journal itself.
pub(crate) mod kind {
    pub(crate) const ROW: u8 = 1;
    pub(crate) const MESSAGE: u8 = 2;
    pub(crate) const DEFINITIONS: u8 = 16;
    pub(crate) const CURSOR: u8 = 17;
    pub(crate) const FIRST_UNNUMBERED: u8 = 16;
}

/// The head of a segment. It is durable before the first record is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) number: u64,
    pub(crate) stream: StreamId,
    /// One past the last record before this segment; what an earlier file holds beyond it is void.
    pub(crate) prior_end: u64,
    /// The first record of this segment.
    pub(crate) first_seq: u64,
    /// Points in all records before this segment, since the journal began.
    pub(crate) points_before: u64,
    /// Mixed into every checksum of the segment: bytes from anywhere else do not pass.
    pub(crate) salt: u64,
    /// Dropped by the quota since the journal began.
    pub(crate) dropped_records: u64,
    pub(crate) dropped_points: u64,
    pub(crate) cursor: Cursor,
    /// The caller's state as of `prior_end`.
    pub(crate) app_state: Vec<u8>,
    /// Encoded definitions, all of them.
    pub(crate) dictionary: Vec<u8>,
}

/// What a file that should begin with a header begins with.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Head {
    Whole(Box<Header>, u64),
    /// The header is longer than the bytes given.
    Longer(usize),
    Newer(u32),
    Broken,
}

impl Header {
    /// Both copies, each padded to whole pages.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut cursor = Vec::new();
        self.cursor.encode(&mut cursor);
        let mut out = Vec::with_capacity(2 * PAGE);
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&length32(cursor.len()));
        out.extend_from_slice(&self.stream.counter.to_le_bytes());
        out.extend_from_slice(&self.stream.random.to_le_bytes());
        for number in [
            self.number,
            self.prior_end,
            self.first_seq,
            self.points_before,
            self.salt,
            self.dropped_records,
            self.dropped_points,
        ] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        out.extend_from_slice(&length32(self.app_state.len()));
        out.extend_from_slice(&length32(self.dictionary.len()));
        out.resize(HEADER_FIXED, 0);
        out.extend_from_slice(&cursor);
        out.extend_from_slice(&self.app_state);
        out.extend_from_slice(&self.dictionary);
        let crc = crc32c::crc32c(&out);
        out.extend_from_slice(&crc.to_le_bytes());
        out.resize(out.len().next_multiple_of(PAGE), 0);
        out.extend_from_within(..);
        out
    }

    /// Reads one copy; [`Head::Whole`] says where the copy ends, pages included.
    pub(crate) fn decode(bytes: &[u8]) -> Head {
        let (Some(magic), Some(version)) = (bytes.get(..8), u32_at(bytes, 8)) else {
            return Head::Broken;
        };
        if magic != MAGIC || version == 0 {
            return Head::Broken;
        }
        if version > VERSION {
            return Head::Newer(version);
        }
        Self::decode_version_1(bytes).unwrap_or(Head::Broken)
    }

    fn decode_version_1(bytes: &[u8]) -> Option<Head> {
        let length = |at| Some(u32_at(bytes, at)? as usize);
        let (cursor, state, dictionary) = (length(12)?, length(80)?, length(84)?);
        let state_at = HEADER_FIXED.checked_add(cursor)?;
        let dictionary_at = state_at.checked_add(state)?;
        let crc_at = dictionary_at.checked_add(dictionary)?;
        let Some(crc) = u32_at(bytes, crc_at) else {
            return Some(Head::Longer(crc_at.checked_add(4)?));
        };
        if crc != crc32c::crc32c(bytes.get(..crc_at)?) {
            return None;
        }
        let header = Self {
            stream: StreamId {
                counter: u32_at(bytes, 16)?,
                random: u32_at(bytes, 20)?,
            },
            number: u64_at(bytes, 24)?,
            prior_end: u64_at(bytes, 32)?,
            first_seq: u64_at(bytes, 40)?,
            points_before: u64_at(bytes, 48)?,
            salt: u64_at(bytes, 56)?,
            dropped_records: u64_at(bytes, 64)?,
            dropped_points: u64_at(bytes, 72)?,
            cursor: Cursor::decode(bytes.get(HEADER_FIXED..state_at)?)?,
            app_state: bytes.get(state_at..dictionary_at)?.to_vec(),
            dictionary: bytes.get(dictionary_at..crc_at)?.to_vec(),
        };
        Some(Head::Whole(
            Box::new(header),
            (crc_at + 4).next_multiple_of(PAGE) as u64,
        ))
    }

    pub(crate) fn seal(&self) -> Seal {
        Seal {
            salt: self.salt,
            stream: self.stream,
        }
    }
}

/// What the checksums of a segment begin with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seal {
    salt: u64,
    stream: StreamId,
}

impl Seal {
    fn start(self, first_seq: u64) -> u32 {
        let crc = crc32c::crc32c_append(self.stream.random, &self.salt.to_le_bytes());
        crc32c::crc32c_append(crc, &first_seq.to_le_bytes())
    }
}

/// The head of one commit's records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Group {
    /// Bytes of records after the head.
    pub(crate) length: u32,
    pub(crate) first_seq: u64,
    pub(crate) points_before: u64,
    /// Numbered records in it.
    pub(crate) records: u32,
    /// Points in them.
    pub(crate) points: u32,
}

impl Group {
    pub(crate) fn encode(&self, seal: Seal) -> [u8; GROUP_HEADER] {
        let mut out = [0; GROUP_HEADER];
        out[..4].copy_from_slice(&GROUP_MARK);
        out[4..8].copy_from_slice(&self.length.to_le_bytes());
        out[8..16].copy_from_slice(&self.first_seq.to_le_bytes());
        out[16..24].copy_from_slice(&self.points_before.to_le_bytes());
        out[24..28].copy_from_slice(&self.records.to_le_bytes());
        out[28..32].copy_from_slice(&self.points.to_le_bytes());
        let crc = crc32c::crc32c_append(seal.start(self.first_seq), &out[..32]);
        out[32..].copy_from_slice(&crc.to_le_bytes());
        out
    }

    pub(crate) fn decode(bytes: &[u8], seal: Seal) -> Option<Self> {
        let bytes = bytes.get(..GROUP_HEADER)?;
        let group = Self {
            length: u32_at(bytes, 4)?,
            first_seq: u64_at(bytes, 8)?,
            points_before: u64_at(bytes, 16)?,
            records: u32_at(bytes, 24)?,
            points: u32_at(bytes, 28)?,
        };
        (bytes == group.encode(seal)).then_some(group)
    }

    /// The group as far as it counts: what lies behind the known end of a segment is void.
    pub(crate) fn cut_off(mut self, end: Option<(u64, u64)>) -> Option<Self> {
        let Some((seq, points)) = end else {
            return Some(self);
        };
        let records = seq.checked_sub(self.first_seq)?;
        if records < u64::from(self.records) {
            self.records = u32::try_from(records).unwrap_or(self.records);
            self.points =
                u32::try_from(points.saturating_sub(self.points_before)).unwrap_or(self.points);
        }
        Some(self)
    }
}

/// The head of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RecordHead {
    pub(crate) length: usize,
    pub(crate) kind: u8,
    /// Counted from the group's first record.
    pub(crate) offset: u16,
    pub(crate) points: u16,
}

impl RecordHead {
    /// The head with its checksum still open; [`RecordHead::close`] fills it in.
    pub(crate) fn encode(self) -> [u8; RECORD_HEADER] {
        let mut out = [0; RECORD_HEADER];
        let length = length32(self.length);
        out[..3].copy_from_slice(&length[..3]);
        out[3] = self.kind;
        out[8..10].copy_from_slice(&self.offset.to_le_bytes());
        out[10..].copy_from_slice(&self.points.to_le_bytes());
        out
    }

    /// Numbers the record at the front of `bytes` and closes its checksum.
    pub(crate) fn close(bytes: &mut [u8], offset: u16, seal: Seal, first_seq: u64) {
        bytes[8..10].copy_from_slice(&offset.to_le_bytes());
        let crc = Self::checksum(bytes, seal, first_seq);
        bytes[4..8].copy_from_slice(&crc.to_le_bytes());
    }

    /// Reads a head; the payload may be cut off.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; RECORD_HEADER] = bytes.get(..RECORD_HEADER)?.try_into().ok()?;
        Some(Self {
            length: u32::from_le_bytes([bytes[0], bytes[1], bytes[2], 0]) as usize,
            kind: bytes[3],
            offset: u16::from_le_bytes([bytes[8], bytes[9]]),
            points: u16::from_le_bytes([bytes[10], bytes[11]]),
        })
    }

    /// Whether `bytes`, one whole record, is what was written.
    pub(crate) fn is_sound(bytes: &[u8], seal: Seal, first_seq: u64) -> bool {
        u32_at(bytes, 4) == Some(Self::checksum(bytes, seal, first_seq))
    }

    fn checksum(bytes: &[u8], seal: Seal, first_seq: u64) -> u32 {
        let crc = crc32c::crc32c_append(seal.start(first_seq), &bytes[..4]);
        crc32c::crc32c_append(crc, &bytes[8..])
    }
}

fn length32(length: usize) -> [u8; 4] {
    u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes()
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes(bytes.try_into().ok()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    let bytes = bytes.get(at..at.checked_add(8)?)?;
    Some(u64::from_le_bytes(bytes.try_into().ok()?))
}

/// The file name of segment `number`.
pub(crate) fn segment_name(number: u64) -> String {
    format!("{number:016x}.segment")
}

/// The number in a segment's file name.
pub(crate) fn segment_number(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".segment")?;
    let number = u64::from_str_radix(digits, 16).ok()?;
    (segment_name(number) == name).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        let mut cursor = Cursor::at(5);
        cursor.settle(8..9);
        Header {
            number: 3,
            stream: StreamId {
                counter: 2,
                random: 0xc0ff_ee00,
            },
            prior_end: 10,
            first_seq: 11,
            points_before: 99,
            salt: 0x0123_4567_89ab_cdef,
            dropped_records: 1,
            dropped_points: 2,
            cursor,
            app_state: b"state".to_vec(),
            dictionary: b"names".to_vec(),
        }
    }

    #[test]
    fn a_header_comes_back_twice() {
        let bytes = header().encode();
        assert_eq!(bytes.len(), 2 * PAGE);
        let whole = Head::Whole(Box::new(header()), PAGE as u64);
        assert_eq!(Header::decode(&bytes), whole);
        assert_eq!(Header::decode(&bytes[PAGE..]), whole);
    }

    #[test]
    fn a_flipped_bit_or_a_cut_is_noticed() {
        let bytes = header().encode();
        let Head::Whole(..) = Header::decode(&bytes) else {
            panic!("whole")
        };
        for at in 0..114 {
            let mut bad = bytes.clone();
            bad[at] ^= 0x10;
            assert!(
                !matches!(Header::decode(&bad[..PAGE]), Head::Whole(..)),
                "byte {at}"
            );
        }
        assert_eq!(Header::decode(&[]), Head::Broken);
        assert!(matches!(Header::decode(&bytes[..100]), Head::Longer(_)));
        let mut newer = bytes;
        newer[8] = 2;
        assert_eq!(Header::decode(&newer), Head::Newer(2));
    }

    #[test]
    fn a_group_of_another_segment_does_not_pass() {
        let seal = header().seal();
        let group = Group {
            length: 7,
            first_seq: 4,
            points_before: 3,
            records: 2,
            points: 1,
        };
        let bytes = group.encode(seal);
        assert_eq!(Group::decode(&bytes, seal), Some(group));
        assert_eq!(
            Group::decode(
                &bytes,
                Header {
                    salt: 1,
                    ..header()
                }
                .seal()
            ),
            None
        );
        for at in 0..GROUP_HEADER {
            let mut bad = bytes;
            bad[at] ^= 1;
            assert_eq!(Group::decode(&bad, seal), None, "byte {at}");
        }
    }

    #[test]
    fn names_of_files() {
        assert_eq!(segment_number(&segment_name(300)), Some(300));
        assert_eq!(segment_number("lock"), None);
        assert_eq!(segment_number("12c.segment"), None);
    }
}
