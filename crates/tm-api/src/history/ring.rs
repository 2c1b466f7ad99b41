use std::collections::HashMap;
use std::time::Duration;

use thiserror::Error;
use tm_types::{Anchor, Clock, Kind, Point, Quality, SeriesId, Stamp, Timestamp, Unit, Value};

use super::ROWS_MAX;
use super::aggregate::{self, Sample};
use super::boots::Boots;
use super::rows::{RawRow, Rows};
use super::slot::{Form, flags, parts};
use super::texts::Texts;

/// Series the ring keeps apart; a foreign source that invents names fills no memory.
const SERIES_MAX: usize = 2048;

/// How fine an answer is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// Every point by itself.
    Raw,
    /// Rows of this length, aggregated by the kind of the series.
    Every(Duration),
}

/// An answer: the rows of a series between two moments.
#[derive(Clone, PartialEq, Debug)]
pub struct Range {
    /// What the series counts as.
    pub kind: Kind,
    /// Unit of its values.
    pub unit: Unit,
    /// Points that went into the rows.
    pub points: usize,
    /// The rows, by time.
    pub rows: Rows,
}

/// Why a question is not answered.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum RangeError {
    /// No point of that name was heard.
    #[error("series {0} is not known")]
    UnknownSeries(SeriesId),
    /// The answer would be too large.
    #[error("{rows} rows are more than {ROWS_MAX}; a step of {step_s} s works")]
    TooManyPoints {
        /// Rows it would have.
        rows: u64,
        /// The smallest step that works, in whole seconds.
        step_s: u64,
    },
}

/// The last points of every series, oldest overwritten first.
///
/// Columns instead of records: 28 bytes a point without padding.
#[derive(Debug)]
pub struct History {
    capacity: usize,
    /// Where the next point goes; the ring is full once this has been around.
    next: usize,
    series: Vec<u16>,
    time_ms: Vec<i64>,
    mono_ms: Vec<u64>,
    value: Vec<u64>,
    boot: Vec<u8>,
    flags: Vec<u8>,
    known: Vec<Series>,
    numbers: HashMap<SeriesId, u16>,
    texts: Texts,
    boots: Boots,
}

#[derive(Debug)]
struct Series {
    kind: Kind,
    unit: Unit,
}

impl History {
    /// An empty ring of `capacity` points. Memory is touched as it fills.
    pub fn new(capacity: usize) -> Self {
        Self {
            capacity,
            next: 0,
            series: Vec::with_capacity(capacity),
            time_ms: Vec::with_capacity(capacity),
            mono_ms: Vec::with_capacity(capacity),
            value: Vec::with_capacity(capacity),
            boot: Vec::with_capacity(capacity),
            flags: Vec::with_capacity(capacity),
            known: Vec::new(),
            numbers: HashMap::new(),
            texts: Texts::default(),
            boots: Boots::default(),
        }
    }

    /// Points held.
    pub fn len(&self) -> usize {
        self.series.len()
    }

    /// Whether nothing was measured yet.
    pub fn is_empty(&self) -> bool {
        self.series.is_empty()
    }

    /// Keeps a point; `false` when it is of one series too many.
    pub fn append(&mut self, series: &SeriesId, stamp: &Stamp, point: &Point) -> bool {
        let Some(number) = self.series_number(series, point) else {
            return false;
        };
        let (form, bits) = match point.reading.value() {
            None => (Form::Missing, 0),
            Some(Value::Number(number)) => (Form::Number, number.to_f64().to_bits()),
            Some(Value::Bool(flag)) => (Form::Bool, u64::from(*flag)),
            Some(Value::Text(text)) => match self.texts.number(text) {
                Some(number) => (Form::Text, number.into()),
                None => (Form::Missing, 0),
            },
        };
        let boot = self.boots.number(stamp.boot);
        // The first time of a clock that was set corrects what was measured before.
        if !self.boots.knows(boot)
            && let Some(anchor) = Anchor::of(stamp)
        {
            self.boots.learn(anchor);
        }
        let at = self.next;
        put(&mut self.series, at, number);
        put(&mut self.time_ms, at, stamp.time.unix_ms());
        put(&mut self.mono_ms, at, stamp.mono_ms);
        put(&mut self.value, at, bits);
        put(&mut self.boot, at, boot);
        put(
            &mut self.flags,
            at,
            flags(form, point.reading.quality(), stamp.clock),
        );
        self.next = (at + 1) % self.capacity;
        true
    }

    /// Learns the true time of a boot; the most exact anchor of each boot counts.
    pub fn anchor(&mut self, anchor: Anchor) {
        self.boots.learn(anchor);
    }

    /// The rows of a series from `from` (included) to `to` (excluded).
    ///
    /// `now` ends the time a condition is known to hold.
    pub fn range(
        &self,
        series: &SeriesId,
        from: Timestamp,
        to: Timestamp,
        step: Step,
        now: Timestamp,
    ) -> Result<Range, RangeError> {
        let number = *self
            .numbers
            .get(series)
            .ok_or_else(|| RangeError::UnknownSeries(series.clone()))?;
        let Series { kind, ref unit } = self.known[usize::from(number)];
        let span_ms = to.ms_since(from).max(0).unsigned_abs();
        let step_ms = match step {
            Step::Raw => None,
            Step::Every(step) => Some(i64::try_from(step.as_millis()).unwrap_or(i64::MAX).max(1)),
        };
        if let Some(step_ms) = step_ms {
            check_cost(span_ms.div_ceil(step_ms.unsigned_abs()), span_ms)?;
        }
        let mut samples: Vec<Sample> = self
            .samples(|of| of == number)
            .filter(|s| s.time < to)
            .collect();
        samples.sort_by_key(|sample| sample.time);
        let start = samples.partition_point(|sample| sample.time < from);
        let (before, samples) = samples.split_at(start);
        let rows = match (step_ms, kind) {
            (None, _) => {
                check_cost(samples.len() as u64, span_ms)?;
                Rows::Raw(samples.iter().cloned().map(RawRow::from).collect())
            }
            (Some(step_ms), Kind::Gauge) => Rows::Gauge(aggregate::gauge(samples, step_ms)),
            (Some(step_ms), Kind::Counter) => {
                let before = before.iter().rev().find(|s| s.quality != Quality::Bad);
                Rows::Counter(aggregate::counter(samples, before, step_ms))
            }
            (Some(step_ms), Kind::State) => {
                let until = to.min(now);
                Rows::State(aggregate::state(
                    samples,
                    before.last(),
                    from,
                    until,
                    step_ms,
                ))
            }
        };
        Ok(Range {
            kind,
            unit: unit.clone(),
            points: samples.len(),
            rows,
        })
    }

    /// When the oldest point that is held of a series was measured.
    pub fn oldest(&self, series: &SeriesId) -> Option<Timestamp> {
        let number = *self.numbers.get(series)?;
        self.places(|of| of == number).map(|at| self.time(at)).min()
    }

    /// Starts of the steps in which a source told anything of any of its series.
    ///
    /// What a source leaves out while it tells others has not changed; when it tells nothing at
    /// all there is a gap.
    pub fn reports(
        &self,
        source: &str,
        from: Timestamp,
        to: Timestamp,
        step: Duration,
    ) -> Vec<Timestamp> {
        let step_ms = i64::try_from(step.as_millis()).unwrap_or(i64::MAX).max(1);
        let mut is_of = vec![false; self.known.len()];
        for (series, number) in &self.numbers {
            is_of[usize::from(*number)] = series.source() == source;
        }
        let mut steps: Vec<Timestamp> = Vec::new();
        for at in self.places(|number| is_of[usize::from(number)]) {
            let time = self.time(at);
            if time < from || time >= to {
                continue;
            }
            let start = aggregate::bucket(time, step_ms);
            // A poll has many points: most follow one of their own step.
            if steps.last() != Some(&start) {
                steps.push(start);
            }
        }
        steps.sort_unstable();
        steps.dedup();
        steps
    }

    fn samples(&self, is_wanted: impl Fn(u16) -> bool) -> impl Iterator<Item = Sample> {
        self.places(is_wanted).map(|at| self.sample(at))
    }

    /// Places of the points of some series, oldest first.
    fn places(&self, is_wanted: impl Fn(u16) -> bool) -> impl Iterator<Item = usize> {
        let oldest = if self.len() < self.capacity {
            0
        } else {
            self.next
        };
        let places = (oldest..self.len()).chain(0..oldest);
        places.filter(move |at| is_wanted(self.series[*at]))
    }

    /// When a point was measured, as far as that is known now.
    fn time(&self, at: usize) -> Timestamp {
        let (_, _, clock) = parts(self.flags[at]);
        let known = Timestamp::of_unix_ms(self.time_ms[at]);
        self.true_time(at, clock).unwrap_or(known)
    }

    fn sample(&self, at: usize) -> Sample {
        let (form, quality, clock) = parts(self.flags[at]);
        let value = match form {
            Form::Missing => None,
            Form::Number => Value::of_f64(f64::from_bits(self.value[at])).ok(),
            Form::Bool => Some(Value::Bool(self.value[at] != 0)),
            Form::Text => u32::try_from(self.value[at])
                .ok()
                .and_then(|number| self.texts.text(number))
                .map(|text| Value::Text(text.clone())),
        };
        let (time, clock) = match self.true_time(at, clock) {
            None => (Timestamp::of_unix_ms(self.time_ms[at]), clock),
            Some(time) => (time, Clock::Estimated),
        };
        Sample {
            time,
            clock,
            quality,
            value,
        }
    }

    /// When a point was measured, where its own clock did not know and an anchor does.
    fn true_time(&self, at: usize, clock: Clock) -> Option<Timestamp> {
        if clock.is_trusted() {
            return None;
        }
        self.boots.true_time(self.boot[at], self.mono_ms[at])
    }

    fn series_number(&mut self, series: &SeriesId, point: &Point) -> Option<u16> {
        if let Some(number) = self.numbers.get(series) {
            let known = &mut self.known[usize::from(*number)];
            known.kind = point.kind;
            if known.unit != point.unit {
                known.unit = point.unit.clone();
            }
            return Some(*number);
        }
        if self.known.len() >= SERIES_MAX {
            return None;
        }
        let number = u16::try_from(self.known.len()).ok()?;
        self.known.push(Series {
            kind: point.kind,
            unit: point.unit.clone(),
        });
        self.numbers.insert(series.clone(), number);
        Some(number)
    }
}

impl From<Sample> for RawRow {
    fn from(sample: Sample) -> Self {
        Self {
            t: sample.time,
            clock: sample.clock,
            quality: sample.quality,
            value: sample.value,
        }
    }
}

fn check_cost(rows: u64, span_ms: u64) -> Result<(), RangeError> {
    if rows <= ROWS_MAX {
        return Ok(());
    }
    Err(RangeError::TooManyPoints {
        rows,
        step_s: span_ms.div_ceil(ROWS_MAX * 1000).max(1),
    })
}

fn put<T>(column: &mut Vec<T>, at: usize, item: T) {
    match column.get_mut(at) {
        Some(slot) => *slot = item,
        None => column.push(item),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tm_types::{BootId, PointName, Reading, Reason};

    const BOOT: BootId = BootId(7);

    fn series(text: &str) -> SeriesId {
        SeriesId::new(text).unwrap()
    }

    fn stamp(ms: i64, clock: Clock) -> Stamp {
        Stamp {
            time: Timestamp::of_unix_ms(ms),
            mono_ms: ms.unsigned_abs(),
            boot: BOOT,
            clock,
            err_ms: None,
        }
    }

    fn gauge(value: impl Into<Reading>) -> Point {
        Point::gauge(PointName::new("level").unwrap(), Unit::known("m"), value)
    }

    fn t(ms: i64) -> Timestamp {
        Timestamp::of_unix_ms(ms)
    }

    fn raw(history: &History, id: &str) -> Vec<(i64, Option<Value>)> {
        let range = history
            .range(&series(id), t(0), t(i64::MAX), Step::Raw, t(0))
            .unwrap();
        let Rows::Raw(rows) = range.rows else {
            panic!("asked for raw rows")
        };
        rows.into_iter()
            .map(|row| (row.t.unix_ms(), row.value))
            .collect()
    }

    #[test]
    fn the_oldest_points_go_first() {
        let mut history = History::new(4);
        for n in 0..6i64 {
            assert!(history.append(&series("tank/level"), &stamp(n, Clock::Ntp), &gauge(n)));
        }
        let expected: Vec<_> = (2..6).map(|n| (n, Some(Value::from(n)))).collect();
        assert_eq!(raw(&history, "tank/level"), expected);
        assert_eq!(history.len(), 4);
    }

    #[test]
    fn every_form_of_value_comes_back() {
        let mut history = History::new(16);
        let readings = [
            Reading::Good(Value::decimal(215, 1).unwrap()),
            Reading::Good(Value::Bool(true)),
            Reading::Good(Value::text("home").unwrap()),
            Reading::Uncertain(Value::from(3), Reason::Rate),
            Reading::Bad(Value::from(85), Reason::Implausible),
            Reading::Missing(Reason::Timeout),
        ];
        for (ms, reading) in (0..).zip(readings.clone()) {
            history.append(&series("a/b"), &stamp(ms, Clock::Gnss), &gauge(reading));
        }
        let range = history
            .range(&series("a/b"), t(0), t(99), Step::Raw, t(0))
            .unwrap();
        let Rows::Raw(rows) = range.rows else {
            panic!("asked for raw rows")
        };
        for (row, reading) in rows.iter().zip(&readings) {
            assert_eq!(row.value.as_ref(), reading.value());
            assert_eq!((row.quality, row.clock), (reading.quality(), Clock::Gnss));
        }
        assert_eq!(range.unit, Unit::known("m"));
    }

    #[test]
    fn wrong_times_are_corrected_when_asked() {
        let mut history = History::new(16);
        history.append(&series("a/b"), &stamp(5_000, Clock::Restored), &gauge(1));
        history.append(&series("a/b"), &stamp(6_000, Clock::Ntp), &gauge(2));
        assert_eq!(raw(&history, "a/b")[0].0, 5_000);
        history.anchor(Anchor {
            boot: BOOT,
            mono_ms: 10_000,
            utc: t(1_790_000_000_000),
            source: Clock::Gnss,
            err_ms: 200,
        });
        let rows = raw(&history, "a/b");
        assert_eq!((rows[0].0, rows[1].0), (6_000, 1_789_999_995_000));
    }

    #[test]
    fn a_clock_that_is_set_corrects_what_was_before() {
        let mut history = History::new(16);
        let restored = Stamp {
            time: t(1_000),
            ..stamp(5_000, Clock::Restored)
        };
        history.append(&series("a/b"), &restored, &gauge(1));
        assert_eq!(raw(&history, "a/b")[0].0, 1_000);
        history.append(&series("a/b"), &stamp(6_000, Clock::Ntp), &gauge(2));
        let rows = raw(&history, "a/b");
        assert_eq!((rows[0].0, rows[1].0), (5_000, 6_000));
    }

    #[test]
    fn a_question_has_its_price() {
        let mut history = History::new(16);
        history.append(&series("a/b"), &stamp(0, Clock::Ntp), &gauge(1));
        let second = Step::Every(Duration::from_secs(1));
        let day = t(86_400_000);
        let error = history
            .range(&series("a/b"), t(0), day, second, day)
            .unwrap_err();
        let RangeError::TooManyPoints { rows, step_s } = error else {
            panic!("{error}")
        };
        assert_eq!((rows, step_s), (86_400, 18));
        let works = Step::Every(Duration::from_secs(step_s));
        assert!(history.range(&series("a/b"), t(0), day, works, day).is_ok());
        let finer = Step::Every(Duration::from_secs(step_s - 1));
        assert!(
            history
                .range(&series("a/b"), t(0), day, finer, day)
                .is_err()
        );
        assert_eq!(
            history.range(&series("a/c"), t(0), day, works, day),
            Err(RangeError::UnknownSeries(series("a/c")))
        );
        // A span that ends before it begins is empty, not an error.
        assert_eq!(
            history
                .range(&series("a/b"), day, t(0), second, day)
                .unwrap()
                .points,
            0
        );
    }

    #[test]
    fn a_source_reports_when_any_of_its_series_does() {
        let mut history = History::new(16);
        for (id, ms) in [
            ("a/b", 7_000),
            ("a/b", 1_000),
            ("a/c", 1_900),
            ("a/c", 4_000),
            ("x/b", 5_000),
        ] {
            history.append(&series(id), &stamp(ms, Clock::Ntp), &gauge(1));
        }
        let second = Duration::from_secs(1);
        let told = |source, from, to| -> Vec<i64> {
            let steps = history.reports(source, t(from), t(to), second);
            steps.into_iter().map(Timestamp::unix_ms).collect()
        };
        assert_eq!(told("a", 0, 9_000), [1_000, 4_000, 7_000]);
        assert_eq!(told("a", 1_500, 7_000), [1_000, 4_000]);
        assert_eq!(told("nobody", 0, 9_000), [0i64; 0]);
        assert_eq!(history.oldest(&series("a/b")), Some(t(1_000)));
        assert_eq!(history.oldest(&series("a/none")), None);
    }

    #[test]
    fn names_are_bounded() {
        let mut history = History::new(16);
        for n in 0..SERIES_MAX {
            assert!(history.append(&series(&format!("a/{n}")), &stamp(0, Clock::Ntp), &gauge(1)));
        }
        assert!(!history.append(&series("a/one-more"), &stamp(0, Clock::Ntp), &gauge(1)));
        assert!(history.append(&series("a/0"), &stamp(0, Clock::Ntp), &gauge(1)));
    }

    proptest! {
        #[test]
        fn the_ring_is_the_tail_of_the_list(
            points in prop::collection::vec((0u8..4, 0i64..1000, any::<i32>()), 0..100),
            capacity in 1usize..40,
        ) {
            let mut history = History::new(capacity);
            for (which, ms, value) in &points {
                history.append(&series(&format!("s/{which}")), &stamp(*ms, Clock::Ntp), &gauge(*value));
            }
            for which in 0..4u8 {
                if !points.iter().any(|(w, ..)| *w == which) { continue; }
                let tail = &points[points.len().saturating_sub(capacity)..];
                let mut expected: Vec<_> = tail
                    .iter()
                    .filter(|(w, ..)| *w == which)
                    .map(|(_, ms, value)| (*ms, Some(Value::from(*value))))
                    .collect();
                expected.sort_by_key(|(ms, _)| *ms);
                prop_assert_eq!(raw(&history, &format!("s/{which}")), expected);
            }
        }
    }
}
