//! A series between two moments: its rows, what they come to, and its picture.

use std::time::Duration;

use tm_types::{Kind, SeriesId, Timestamp, Value};

use super::figure::{decimals, magnitude, symbol};
use super::plot::{Frame, Plot};
use super::zone::Zone;
use crate::history::{Range, RangeError, Rows, Step};
use crate::labels::Labels;
use crate::span::usual_step;
use crate::views::Look;

/// Columns of a counter: each is wide enough to be seen.
const COLUMNS_OF_A_COUNTER: u64 = 60;

/// A series between two moments.
#[derive(Debug)]
pub(super) struct Chart {
    pub(super) from: Timestamp,
    pub(super) to: Timestamp,
    pub(super) step: Duration,
    pub(super) range: Range,
    /// The unit as people write it.
    pub(super) unit: String,
    /// What values are divided by to be in that unit.
    pub(super) divisor: f64,
    /// Decimals of its figures.
    pub(super) decimals: usize,
    reports: Vec<Timestamp>,
}

/// What the rows come to.
#[derive(Clone, PartialEq, Debug, Default)]
pub(super) struct Summary {
    /// Smallest and largest value, in the unit of the series.
    pub(super) ends: Option<(f64, f64)>,
    pub(super) mean: Option<f64>,
    /// Growth of a counter.
    pub(super) growth: f64,
    pub(super) resets: u64,
    /// Changes of a condition.
    pub(super) changes: u64,
    /// Usable readings.
    pub(super) readings: u64,
    pub(super) unusable: u64,
}

impl Chart {
    /// Reads a series in at most `columns` rows.
    pub(super) fn load(
        look: Look<'_>,
        series: &SeriesId,
        (from, to): (Timestamp, Timestamp),
        columns: u64,
    ) -> Result<Self, RangeError> {
        let kind = look.world.latest.get(series).map(|latest| latest.kind);
        let columns = match kind {
            Some(Kind::Counter) => columns.min(COLUMNS_OF_A_COUNTER),
            _ => columns,
        };
        // The last millisecond is the present moment, and no reason for longer steps.
        let step = usual_step(to.ms_since(from).saturating_sub(1), columns);
        let history = &look.world.history;
        let range = history.range(series, from, to, Step::Every(step), look.now.time)?;
        let reports = history.reports(series.source(), from, to, step);
        let largest = |rows: &Rows| match rows {
            Rows::Gauge(rows) => rows.iter().filter_map(|row| row.max).fold(0.0, f64::max),
            Rows::Counter(rows) => rows.iter().map(|row| row.delta).fold(0.0, f64::max),
            Rows::State(_) | Rows::Raw(_) => 0.0,
        };
        let (divisor, unit) = match range.unit.as_str() {
            "B" => magnitude(largest(&range.rows)),
            unit => (1.0, symbol(unit)),
        };
        Ok(Self {
            from,
            to,
            step,
            unit: unit.to_owned(),
            divisor,
            decimals: if divisor > 1.0 {
                2
            } else {
                places(&range.rows)
            },
            range,
            reports,
        })
    }

    /// The picture; none where nothing usable was measured.
    pub(super) fn plot(&self, height_px: i32, labels: &Labels) -> Option<Plot> {
        let frame = self.frame(height_px);
        match &self.range.rows {
            Rows::Gauge(rows) => {
                let unit = self.range.unit.as_str();
                Plot::gauge(rows, &self.reports, frame, unit, self.divisor)
            }
            Rows::Counter(rows) => Plot::counter(rows, frame, self.divisor),
            Rows::State(rows) => Plot::state(rows, frame, |name| condition(name, labels)),
            Rows::Raw(_) => None,
        }
    }

    /// Puts the picture with its axes, or why there is none.
    pub(super) fn draw(&self, out: &mut String, height_px: i32, zone: &Zone, labels: &Labels) {
        let most = if height_px > 110 { 7 } else { 5 };
        if let Some(plot) = self.plot(height_px, labels) {
            let times = zone.marks(self.from, self.to, most);
            plot.put(out, self.frame(height_px), &times);
            return;
        }
        out.push_str("<p class=\"none\">");
        out.push_str(match self.range.points {
            0 => labels.no_readings,
            _ => labels.no_usable,
        });
        out.push_str("</p>");
    }

    fn frame(&self, height_px: i32) -> Frame {
        Frame {
            from: self.from,
            to: self.to,
            step_ms: self.step_ms(),
            height_px,
        }
    }

    /// Length of a row, milliseconds.
    pub(super) fn step_ms(&self) -> i64 {
        i64::try_from(self.step.as_millis())
            .unwrap_or(i64::MAX)
            .max(1)
    }

    /// What the rows come to.
    pub(super) fn summary(&self) -> Summary {
        let mut summary = Summary::default();
        match &self.range.rows {
            Rows::Gauge(rows) => {
                let mut sum = 0.0;
                for row in rows {
                    summary.readings += u64::from(row.count);
                    summary.unusable += u64::from(row.bad);
                    sum += row.mean.unwrap_or(0.0) * f64::from(row.count);
                }
                let low = rows.iter().filter_map(|row| row.min).reduce(f64::min);
                let high = rows.iter().filter_map(|row| row.max).reduce(f64::max);
                summary.ends = low.zip(high);
                #[expect(clippy::cast_precision_loss, reason = "at most the points of the ring")]
                let readings = summary.readings as f64;
                summary.mean = low.map(|_| sum / readings);
            }
            Rows::Counter(rows) => {
                for row in rows {
                    summary.readings += u64::from(row.count);
                    summary.unusable += u64::from(row.bad);
                    summary.growth += row.delta;
                    summary.resets += u64::from(row.resets);
                }
            }
            Rows::State(rows) => {
                for row in rows {
                    summary.readings += u64::from(row.count);
                    summary.unusable += u64::from(row.bad);
                    summary.changes += u64::from(row.changes);
                }
            }
            Rows::Raw(_) => {}
        }
        summary
    }
}

/// A condition as the history names it, in the reader's words.
pub(super) fn condition(name: &str, labels: &Labels) -> String {
    match name {
        "true" => labels.yes.to_owned(),
        "false" => labels.no.to_owned(),
        other => other.to_owned(),
    }
}

/// The same for a value.
pub(super) fn condition_of(value: &Value, labels: &Labels) -> String {
    condition(&value.to_string(), labels)
}

/// Decimals that the measured values have; means get no more.
fn places(rows: &Rows) -> usize {
    let values: Vec<f64> = match rows {
        Rows::Gauge(rows) => rows
            .iter()
            .flat_map(|row| [row.min, row.max])
            .flatten()
            .collect(),
        Rows::Counter(rows) => rows
            .iter()
            .flat_map(|row| [row.first, row.last])
            .flatten()
            .collect(),
        Rows::State(_) | Rows::Raw(_) => Vec::new(),
    };
    values.into_iter().map(decimals).max().unwrap_or(0)
}
