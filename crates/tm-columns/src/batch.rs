//! The rows of one batch, sorted into columns as they come.

use std::collections::HashMap;

use thiserror::Error;
use tm_types::{Kind, Point, PointName, Poll, Sequence, Source, Stamp, Unit};

use crate::source::{Row, Series, Shapes, SourceRows};
use crate::{JSON_MAX, POINTS_MAX, RECORDS_MAX, ReadingRef};

/// A source that a [`Batch`] knows; of no meaning to another batch.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct SourceKey(u32);

/// A series that a [`Batch`] knows; of no meaning to another batch.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct SeriesKey(u32);

/// Why a record was not taken; the batch is as it was before.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum PushError {
    /// The record does not follow the last one; send what there is, then push it again.
    #[error("record {got} does not follow the batch, which goes on with {expected}")]
    NotContiguous {
        /// The seq after the last record.
        expected: u64,
        /// The seq of the refused record.
        got: u64,
    },
    /// The batch is as large as a batch may be; send it, then push the record again.
    #[error("the batch is full")]
    Full,
    /// A single record is larger than a batch may be: it can never be sent.
    #[error("the record does not fit into any batch")]
    TooLarge,
    /// A point belongs to another source than its record.
    #[error("a point belongs to another source than its record")]
    WrongSource,
}

/// One contiguous range of records of one class, on its way to becoming a payload.
///
/// Sources and series are made known once and then named by their keys, which stay good when
/// the batch is cleared. Pushing allocates nothing once the columns have grown to their size.
#[derive(Debug, Default)]
pub struct Batch {
    pub(crate) first_seq: u64,
    /// For each record the place of its source in `used`.
    pub(crate) order: Vec<u32>,
    /// The sources of this batch, in the order of their first records.
    pub(crate) used: Vec<u32>,
    pub(crate) sources: Vec<SourceRows>,
    pub(crate) series: Vec<Series>,
    /// Every text value, end to end.
    pub(crate) texts: String,
    by_name: HashMap<Source, u32>,
    points: usize,
    /// The most bytes of JSON that the rows can become.
    bytes: usize,
    rows: Vec<Row>,
    keys: Vec<SeriesKey>,
}

impl Batch {
    /// An empty batch that knows no source.
    pub fn new() -> Self {
        Self::default()
    }

    /// The key of a source, made known if it was not.
    pub fn source(&mut self, name: &Source) -> SourceKey {
        if let Some(key) = self.by_name.get(name) {
            return SourceKey(*key);
        }
        let key = index(self.sources.len());
        self.sources.push(SourceRows::new(name.clone()));
        self.by_name.insert(name.clone(), key);
        SourceKey(key)
    }

    /// The key of a series of `source`, made known if it was not; a scale above 15 counts as none.
    ///
    /// The same name with another kind, unit or scale is another series.
    pub fn series(
        &mut self,
        source: SourceKey,
        name: &PointName,
        kind: Kind,
        unit: &Unit,
        scale: Option<u8>,
    ) -> SeriesKey {
        let scale = scale.filter(|scale| *scale <= 15);
        let known = &mut self.sources[source.0 as usize].by_name;
        if let Some(keys) = known.get(name) {
            let same = keys.iter().find(|key| {
                let series = &self.series[**key as usize];
                series.kind == kind && series.unit == *unit && series.scale == scale
            });
            if let Some(key) = same {
                return SeriesKey(*key);
            }
        }
        let key = index(self.series.len());
        known.entry(name.clone()).or_default().push(key);
        self.series.push(Series::new(
            source.0,
            name.clone(),
            kind,
            unit.clone(),
            scale,
        ));
        SeriesKey(key)
    }

    /// Adds a record: one poll of one source. On an error the batch is unchanged.
    pub fn push<'a>(
        &mut self,
        seq: u64,
        source: SourceKey,
        sequence: Option<Sequence>,
        stamp: Stamp,
        points: impl IntoIterator<Item = (SeriesKey, ReadingRef<'a>)>,
    ) -> Result<(), PushError> {
        let expected = self.next_seq();
        if expected.is_some_and(|expected| expected != seq) {
            return Err(PushError::NotContiguous {
                expected: expected.unwrap_or_default(),
                got: seq,
            });
        }
        let texts = self.texts.len();
        let taken = self.take(source, points);
        if let Err(error) = taken {
            self.texts.truncate(texts);
            return Err(error);
        }
        if self.order.is_empty() {
            self.first_seq = seq;
        }
        self.commit(source, sequence, stamp);
        Ok(())
    }

    /// Adds a record as a whole: [`push`](Self::push) for callers without keys.
    pub fn push_poll(&mut self, seq: u64, source: &Source, poll: &Poll) -> Result<(), PushError> {
        let source = self.source(source);
        let mut keys = std::mem::take(&mut self.keys);
        keys.clear();
        for Point {
            name,
            kind,
            unit,
            scale,
            ..
        } in &poll.points
        {
            keys.push(self.series(source, name, *kind, unit, *scale));
        }
        let readings = poll.points.iter().map(|point| (&point.reading).into());
        let points = keys.iter().copied().zip(readings);
        let pushed = self.push(seq, source, poll.sequence, poll.stamp, points);
        self.keys = keys;
        pushed
    }

    /// The seq that the next record must have; `None` when any will do.
    pub fn next_seq(&self) -> Option<u64> {
        (!self.order.is_empty()).then(|| self.first_seq.wrapping_add(self.order.len() as u64))
    }

    /// The seq of the first record; 0 when there is none.
    pub fn first_seq(&self) -> u64 {
        self.first_seq
    }

    /// How many records it holds.
    pub fn records(&self) -> usize {
        self.order.len()
    }

    /// How many points it holds.
    pub fn points(&self) -> usize {
        self.points
    }

    /// Whether it holds no record.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// How many series are known: what a long-lived batch should be replaced by when it grows.
    pub fn known_series(&self) -> usize {
        self.series.len()
    }

    /// Its sources, in the order of their first records.
    pub(crate) fn used(&self) -> impl Iterator<Item = &SourceRows> {
        self.used
            .iter()
            .map(|source| &self.sources[*source as usize])
    }

    /// The series that it has of one of its sources, in the order of their first points.
    pub(crate) fn series_of<'a>(
        &'a self,
        source: &'a SourceRows,
    ) -> impl Iterator<Item = &'a Series> + Clone {
        source.used.iter().map(|key| &self.series[*key as usize])
    }

    /// Drops the records; keys stay good and memory stays reserved.
    pub fn clear(&mut self) {
        for source in self.used.drain(..) {
            let source = &mut self.sources[source as usize];
            for series in &source.used {
                self.series[*series as usize].clear();
            }
            source.clear();
        }
        self.first_seq = 0;
        self.order.clear();
        self.texts.clear();
        self.points = 0;
        self.bytes = 0;
    }

    /// Sets the points aside as rows, if all of them can be taken.
    fn take<'a>(
        &mut self,
        source: SourceKey,
        points: impl IntoIterator<Item = (SeriesKey, ReadingRef<'a>)>,
    ) -> Result<(), PushError> {
        let mut bytes = if self.sources[source.0 as usize].place.is_none() {
            SOURCE_BYTES + POLL_BYTES
        } else {
            POLL_BYTES
        };
        self.rows.clear();
        for (key, reading) in points {
            let series = &self.series[key.0 as usize];
            if series.source != source.0 {
                return Err(PushError::WrongSource);
            }
            let row = Row::new(key.0, reading, &mut self.texts);
            bytes += row.bytes_max();
            if series.place.is_none() {
                bytes += SERIES_BYTES;
            }
            self.rows.push(row);
            if bytes > JSON_MAX - HEADER_BYTES || self.rows.len() > POINTS_MAX {
                return Err(PushError::TooLarge);
            }
        }
        let full = self.order.len() == RECORDS_MAX
            || self.points + self.rows.len() > POINTS_MAX
            || self.bytes + bytes > JSON_MAX - HEADER_BYTES;
        if full {
            return Err(PushError::Full);
        }
        self.bytes += bytes;
        Ok(())
    }

    /// Moves the rows into their columns.
    fn commit(&mut self, source: SourceKey, sequence: Option<Sequence>, stamp: Stamp) {
        let rows = &mut self.sources[source.0 as usize];
        let place = *rows.place.get_or_insert_with(|| {
            self.used.push(source.0);
            index(self.used.len() - 1)
        });
        self.order.push(place);
        rows.polls.push((sequence, stamp));
        rows.shapes.start();
        for row in &self.rows {
            let series = &mut self.series[row.series as usize];
            let place = *series.place.get_or_insert_with(|| {
                rows.used.push(row.series);
                index(rows.used.len() - 1)
            });
            rows.shapes.add(place);
            series.push(row);
        }
        rows.shapes.finish();
        self.points += self.rows.len();
    }
}

/// The most bytes of a header without its texts, of a source, of a poll's columns and of a
/// series, each with room to spare.
const HEADER_BYTES: usize = 64 << 10;
const SOURCE_BYTES: usize = 512;
const POLL_BYTES: usize = 192;
const SERIES_BYTES: usize = 192;

/// A place in a table that is far smaller than 2^32.
fn index(n: usize) -> u32 {
    u32::try_from(n).expect("tables have fewer than 2^32 rows")
}

impl SourceRows {
    fn new(name: Source) -> Self {
        Self {
            name,
            place: None,
            polls: Vec::new(),
            used: Vec::new(),
            shapes: Shapes::default(),
            by_name: HashMap::new(),
        }
    }

    fn clear(&mut self) {
        self.place = None;
        self.polls.clear();
        self.used.clear();
        self.shapes.clear();
    }
}
