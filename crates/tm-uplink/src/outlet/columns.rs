//! Rows of the journal into a batch, without an allocation per point.

use std::collections::HashMap;

use tm_columns::{Batch, Encoder, Header, PushError, SeriesKey, SourceKey};
use tm_journal::{Row, Series};
use tm_types::{Reading, Source, Stamp};

use super::thin::Kept;

/// With more series than this known, the batch is replaced: names of long gone devices must not stay for ever.
const KNOWN_SERIES_MAX: usize = 16 * 1024;

/// A batch and what is needed to fill it quickly.
#[derive(Default)]
pub(crate) struct Columns {
    batch: Batch,
    /// Made with the first batch: 0.3 MiB that an uplink without a cloud never needs.
    encoder: Option<Encoder>,
    sources: HashMap<Source, Known>,
    points: Vec<(SeriesKey, Reading)>,
}

/// What is known of a source: its key, and the keys of its series by their numbers in the journal's dictionary.
struct Known {
    key: SourceKey,
    /// The numbers mean something else after a dictionary was begun anew: the series tells.
    series: Vec<Option<(Series, SeriesKey)>>,
}

/// Why a row was not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Refused {
    /// Encode what there is, then push again.
    Full,
    /// It makes no sense, or is larger than any batch.
    Unreadable,
}

impl Columns {
    /// Adds the points of a row that are kept under its number; `stamp` is the row's as it is to be sent.
    pub(super) fn push(
        &mut self,
        seq: u64,
        row: &Row<'_>,
        stamp: Stamp,
        kept: Kept<'_>,
    ) -> Result<(), Refused> {
        let batch = &mut self.batch;
        if !self.sources.contains_key(&row.source) {
            let key = batch.source(&row.source);
            let series = Vec::new();
            self.sources
                .insert(row.source.clone(), Known { key, series });
        }
        let known = self.sources.get_mut(&row.source).expect("just made known");
        self.points.clear();
        for (at, point) in row.points().enumerate() {
            let point = point.ok_or(Refused::Unreadable)?;
            if !kept.has(at) {
                continue;
            }
            let series = known.series_key(batch, point.id, &point.series);
            self.points.push((series, point.reading));
        }
        let points = self
            .points
            .iter()
            .map(|(key, reading)| (*key, reading.into()));
        match batch.push(seq, known.key, row.sequence, stamp, points) {
            Ok(()) => Ok(()),
            Err(PushError::Full | PushError::NotContiguous { .. }) => Err(Refused::Full),
            Err(PushError::TooLarge | PushError::WrongSource) => Err(Refused::Unreadable),
        }
    }

    /// Records in the batch.
    pub(crate) fn records(&self) -> usize {
        self.batch.records()
    }

    /// The number of its first record.
    pub(crate) fn first_seq(&self) -> u64 {
        self.batch.first_seq()
    }

    /// Points in the batch.
    pub(crate) fn points(&self) -> usize {
        self.batch.points()
    }

    /// The payload of what was pushed; the batch is empty afterwards.
    pub(crate) fn encode(&mut self, header: &Header) -> Vec<u8> {
        let mut payload = Vec::new();
        self.encoder
            .get_or_insert_default()
            .encode(header, &self.batch, &mut payload);
        if self.batch.known_series() > KNOWN_SERIES_MAX {
            self.batch = Batch::new();
            self.sources.clear();
        } else {
            self.batch.clear();
        }
        payload
    }
}

impl Known {
    fn series_key(&mut self, batch: &mut Batch, id: Option<u32>, series: &Series) -> SeriesKey {
        let slot = id.map(|id| id as usize);
        if let Some(Some((known, key))) = slot.and_then(|slot| self.series.get(slot))
            && known == series
        {
            return *key;
        }
        let key = batch.series(
            self.key,
            &series.name,
            series.kind,
            &series.unit,
            series.scale,
        );
        if let Some(slot) = slot {
            if self.series.len() <= slot {
                self.series.resize_with(slot + 1, || None);
            }
            self.series[slot] = Some((series.clone(), key));
        }
        key
    }
}
