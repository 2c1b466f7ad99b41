//! From a payload to the records it was made of. Nothing in it is trusted.

use serde::Deserialize;
use thiserror::Error;
use tm_types::{Poll, Source, Value};

use crate::column::{Column, integer};
use crate::polls::Polls;
use crate::{Header, JSON_MAX, POINTS_MAX, RECORDS_MAX, VERSION, deflate, order};

/// Why a payload cannot be decoded.
#[derive(Debug, Error)]
pub enum Error {
    /// It leans on a dictionary that was not announced, or not to this reader.
    #[error("the payload leans on the dictionary {0:08x}, which is not known")]
    Dictionary(u32),
    /// Neither gzip nor zlib, damaged, or cut short.
    #[error("unpack the payload: {0}")]
    Packed(#[from] std::io::Error),
    /// Larger than any batch may be, packed or by its own counts.
    #[error("the payload holds more than a batch may")]
    TooLarge,
    /// Not JSON, or without the fields of a batch.
    #[error("read the payload: {0}")]
    Json(#[from] serde_json::Error),
    /// Another version of the format.
    #[error("the payload is version {0}, this decoder reads {VERSION}")]
    Version(u64),
    /// The parts do not fit together.
    #[error("the payload contradicts itself in \"{0}\"")]
    Invalid(&'static str),
}

/// One record of a batch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    /// Its number in the stream.
    pub seq: u64,
    /// Who measured.
    pub source: Source,
    /// What was measured.
    pub poll: Poll,
}

/// A decoded batch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Decoded {
    /// Device, class and stream of all records.
    pub header: Header,
    /// The seq of the first record, also when there is none.
    pub first_seq: u64,
    /// The records in the order of their seqs.
    pub records: Vec<Record>,
}

/// Reads a payload that stands alone; [`Dictionaries`](crate::Dictionaries) reads the others too.
pub fn decode(payload: &[u8]) -> Result<Decoded, Error> {
    decode_json(&unpack(payload)?)
}

/// The JSON in a payload that stands alone, of at most [`JSON_MAX`] bytes; [`decode_json`] reads it.
pub fn unpack(payload: &[u8]) -> Result<Vec<u8>, Error> {
    deflate::read_gzip(payload, JSON_MAX)?.ok_or(Error::TooLarge)
}

/// Reads a payload that is already unpacked.
pub fn decode_json(json: &[u8]) -> Result<Decoded, Error> {
    #[derive(Deserialize)]
    struct Version {
        v: u64,
    }
    let batch: Fields = match serde_json::from_slice(json) {
        Ok(batch) => batch,
        Err(error) => match serde_json::from_slice(json) {
            Ok(Version { v }) if v != u64::from(VERSION) => return Err(Error::Version(v)),
            _ => return Err(error.into()),
        },
    };
    if batch.v != u64::from(VERSION) {
        return Err(Error::Version(batch.v));
    }
    batch.records()
}

#[derive(Deserialize)]
struct Fields {
    v: u64,
    device: Option<String>,
    class: String,
    stream: String,
    seq: Value,
    n: usize,
    order: Option<Column>,
    sources: Vec<Polls>,
}

impl Fields {
    fn records(self) -> Result<Decoded, Error> {
        let first_seq = integer(&self.seq)
            .and_then(|seq| u64::try_from(seq).ok())
            .ok_or(Error::Invalid("seq"))?;
        if self.n > RECORDS_MAX {
            return Err(Error::TooLarge);
        }
        // Every source has a poll, so that their number is bounded by that of the records too.
        let lengths = self.sources.iter().map(|source| source.length);
        if lengths.clone().any(|length| length == 0) {
            return Err(Error::Invalid("polls"));
        }
        if lengths.fold(0, usize::saturating_add) != self.n {
            return Err(Error::Invalid("n"));
        }
        let mut names = Vec::with_capacity(self.sources.len());
        let mut polls = Vec::with_capacity(self.sources.len());
        let mut points_left = POINTS_MAX;
        for source in self.sources {
            names.push(source.source.clone());
            let decoded = source.decode(points_left)?;
            points_left -= decoded.iter().map(|poll| poll.points.len()).sum::<usize>();
            polls.push(decoded);
        }
        let order = order(self.order, self.n, &polls).ok_or(Error::Invalid("order"))?;
        let mut polls: Vec<_> = polls.into_iter().map(Vec::into_iter).collect();
        let mut records = Vec::with_capacity(self.n);
        for (k, place) in (0..).zip(order) {
            let poll = polls.get_mut(place).and_then(Iterator::next);
            records.push(Record {
                seq: first_seq.checked_add(k).ok_or(Error::Invalid("seq"))?,
                poll: poll.ok_or(Error::Invalid("order"))?,
                source: names[place].clone(),
            });
        }
        Ok(Decoded {
            header: Header {
                device: self.device,
                class: self.class,
                stream: self.stream,
            },
            first_seq,
            records,
        })
    }
}

/// The place of its source for each record, as written or else by time.
fn order(column: Option<Column>, n: usize, polls: &[Vec<Poll>]) -> Option<Vec<usize>> {
    let Some(column) = column else {
        return Some(order::by_time(&times(polls)).collect());
    };
    let places = column.integers(n)?.into_iter();
    places.map(|place| usize::try_from(place).ok()).collect()
}

fn times(polls: &[Vec<Poll>]) -> Vec<Vec<i64>> {
    let time = |poll: &Poll| poll.stamp.time.unix_ms();
    polls
        .iter()
        .map(|polls| polls.iter().map(time).collect())
        .collect()
}
