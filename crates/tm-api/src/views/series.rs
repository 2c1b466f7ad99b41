use std::collections::BTreeMap;

use serde::Serialize;
use tm_types::{Clock, Kind, Quality, Reading, Reason, SeriesId, Timestamp, Unit, Value};

use super::Look;
use crate::world::Latest;

/// A series with its last reading.
#[derive(Clone, Serialize, utoipa::ToSchema)]
pub(crate) struct SeriesView {
    /// `<source>/<name>`.
    pub(crate) series: SeriesId,
    /// What it counts as.
    pub(crate) kind: Kind,
    /// Unit of the value: an RFC 8428 or RFC 8798 symbol; empty for none.
    pub(crate) unit: Unit,
    /// Number, boolean or text; integers beyond 2^53 are strings; null when there is none.
    #[schema(value_type = Option<serde_json::Value>)]
    pub(crate) value: Option<Value>,
    /// How far the value can be trusted.
    pub(crate) quality: Quality,
    /// Why it is not good; null for a good value.
    pub(crate) reason: Option<Reason>,
    /// When it was measured.
    pub(crate) time: Timestamp,
    /// What the clock was set by then.
    pub(crate) clock: Clock,
    /// Milliseconds since it was measured, by the monotonic clock.
    pub(crate) age_ms: u64,
}

/// Every series heard of.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct SeriesListView {
    /// The series, by name.
    pub(crate) series: Vec<SeriesView>,
}

/// The last readings, by series.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct LatestView {
    /// When this was asked.
    pub(crate) time: Timestamp,
    /// The last reading of each series.
    #[schema(value_type = BTreeMap<String, Reading>)]
    pub(crate) readings: BTreeMap<SeriesId, Reading>,
}

impl SeriesView {
    pub(crate) fn new(look: Look<'_>, series: &SeriesId, latest: &Latest) -> Self {
        Self {
            series: series.clone(),
            kind: latest.kind,
            unit: latest.unit.clone(),
            value: latest.reading.value().cloned(),
            quality: latest.reading.quality(),
            reason: latest.reading.reason(),
            time: latest.stamp.time,
            clock: latest.stamp.clock,
            age_ms: look.age_ms(&latest.stamp),
        }
    }

    /// Every series, or those of one source.
    pub(crate) fn all(look: Look<'_>, source: Option<&str>) -> Vec<Self> {
        of_source(look, source)
            .map(|(series, latest)| Self::new(look, series, latest))
            .collect()
    }
}

impl LatestView {
    pub(crate) fn new(look: Look<'_>, source: Option<&str>) -> Self {
        let readings = of_source(look, source)
            .map(|(series, latest)| (series.clone(), latest.reading.clone()))
            .collect();
        Self {
            time: look.now.time,
            readings,
        }
    }
}

fn of_source<'a>(
    look: Look<'a>,
    source: Option<&'a str>,
) -> impl Iterator<Item = (&'a SeriesId, &'a Latest)> {
    let all = look.world.latest.iter();
    all.filter(move |(series, _)| source.is_none_or(|source| series.source() == source))
}
