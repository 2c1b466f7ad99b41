//! Rows of the journal into a batch, without an allocation per point.

use std::collections::HashMap;
use std::time::Duration;

use tm_columns::{Batch, Dictionary, Encoder, Header, PushError, SeriesKey, SourceKey, Vocabulary};
use tm_journal::{Row, Series};
use tm_types::{Reading, Source, Stamp};

use super::BATCH_POINTS;
use super::batch::{self, Leaning};
use super::thin::Kept;
use crate::schedule::Body;

/// With more series than this known, the batch is replaced: names of long gone devices must not stay for ever.
const KNOWN_SERIES_MAX: usize = 16 * 1024;
/// Names that are new are announced this long after the last announcement: series that come and go in turn must
/// not cost more than they save.
const ANNOUNCE_AGAIN: Duration = Duration::from_mins(10);

/// A batch and what is needed to fill it quickly.
#[derive(Default)]
pub(crate) struct Columns {
    batch: Batch,
    /// Made with the first batch: 0.3 MiB that an uplink without a cloud never needs.
    encoder: Option<Encoder>,
    sources: HashMap<Source, Known>,
    points: Vec<(SeriesKey, Reading)>,
    vocabulary: Vocabulary,
    announced: Option<Announced>,
}

/// The dictionary that batches lean on.
struct Announced {
    dictionary: Dictionary,
    /// The cloud connection that it was announced on: the broker may have forgotten it since.
    connection: u64,
    at: Duration,
    /// Something was learnt that it does not say.
    is_old: bool,
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

impl batch::Batch for Columns {
    fn push(
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

    fn records(&self) -> usize {
        self.batch.records()
    }

    fn first_seq(&self) -> u64 {
        self.batch.first_seq()
    }

    fn is_full(&self) -> bool {
        self.batch.points() >= BATCH_POINTS
    }

    fn finish(&mut self, header: &Header, leaning: Option<Leaning>) -> (Option<Vec<u8>>, Body) {
        let (announcement, payload) = match leaning {
            Some(leaning) => self.encode_leaning(header, leaning),
            None => (None, self.encode(header)),
        };
        (announcement, payload.into())
    }
}

impl Columns {
    /// The payload of what was pushed, standing alone; the batch is empty afterwards.
    fn encode(&mut self, header: &Header) -> Vec<u8> {
        let mut payload = Vec::new();
        self.encoder
            .get_or_insert_default()
            .encode(header, &self.batch, &mut payload);
        self.clear();
        payload
    }

    /// The payload of what was pushed, and before it that of the dictionary it leans on, if that has to be announced
    /// on this cloud connection; the batch is empty afterwards.
    fn encode_leaning(
        &mut self,
        header: &Header,
        Leaning { connection, now }: Leaning,
    ) -> (Option<Vec<u8>>, Vec<u8>) {
        let encoder = self.encoder.get_or_insert_default();
        let has_new = encoder.learn(&self.batch, &mut self.vocabulary);
        if let Some(announced) = &mut self.announced {
            announced.is_old |= has_new;
        }
        let standing = self.announced.take().filter(|announced| {
            let is_due = announced.is_old && now >= announced.at + ANNOUNCE_AGAIN;
            announced.connection == connection && !is_due
        });
        let mut announcement = None;
        let announced = standing.unwrap_or_else(|| {
            let mut payload = Vec::new();
            let dictionary = encoder.announce(
                &self.vocabulary,
                header,
                self.batch.first_seq(),
                &mut payload,
            );
            announcement = Some(payload);
            Announced {
                dictionary,
                connection,
                at: now,
                is_old: false,
            }
        });
        let mut payload = Vec::new();
        encoder.encode_with(&announced.dictionary, header, &self.batch, &mut payload);
        self.announced = Some(announced);
        self.clear();
        (announcement, payload)
    }

    fn clear(&mut self) {
        if self.batch.known_series() > KNOWN_SERIES_MAX {
            self.batch = Batch::new();
            self.sources.clear();
        } else {
            self.batch.clear();
        }
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

#[cfg(test)]
mod tests {
    use tm_columns::cabinet::Cabinet;

    use super::batch::Batch as _;
    use super::*;

    /// Encodes one poll of a source on that connection at that minute; whether a dictionary was announced.
    fn announces(columns: &mut Columns, source: &str, connection: u64, minute: u64) -> bool {
        let (_, poll) = Cabinet::new(1, false).next().unwrap();
        let source = Source::new(source).unwrap();
        columns.batch.push_poll(0, &source, &poll).unwrap();
        let leaning = Leaning {
            connection,
            now: Duration::from_mins(minute),
        };
        let (announcement, payload) = columns.encode_leaning(&Header::default(), leaning);
        assert!(columns.records() == 0 && payload.starts_with(b"x"));
        announcement.is_some()
    }

    #[test]
    fn a_dictionary_is_announced_per_connection_and_for_new_names_every_ten_minutes() {
        let mut columns = Columns::default();
        for (source, connection, minute, expected) in [
            ("a", 1, 0, true),
            ("a", 1, 60, false),
            ("b", 1, 61, true),
            ("c", 1, 62, false),
            ("d", 1, 70, false),
            ("a", 1, 71, true),
            ("d", 1, 100, false),
            ("d", 2, 100, true),
            ("e", 2, 101, false),
            ("a", 3, 102, true),
            ("e", 3, 200, false),
        ] {
            let got = announces(&mut columns, source, connection, minute);
            assert_eq!(got, expected, "{source} {connection} {minute}");
        }
    }
}
