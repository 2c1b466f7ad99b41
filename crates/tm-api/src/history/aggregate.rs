//! From samples to rows: pure, one function per kind of series.

use std::collections::BTreeMap;

use tm_types::{Clock, Quality, Timestamp, Value};

use super::rows::{CounterRow, GaugeRow, StateRow};

/// One point of a series, with its corrected time.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Sample {
    pub(crate) time: Timestamp,
    pub(crate) clock: Clock,
    pub(crate) quality: Quality,
    /// `None` where nothing was measured.
    pub(crate) value: Option<Value>,
}

impl Sample {
    /// The value, if it may be used.
    fn usable(&self) -> Option<&Value> {
        self.value.as_ref().filter(|_| self.quality != Quality::Bad)
    }

    fn number(&self) -> Option<f64> {
        self.usable().and_then(Value::to_f64)
    }
}

/// The start of the step that `time` falls into: steps begin at multiples since 1970, so that
/// the same step has the same rows in every answer.
pub(crate) fn bucket(time: Timestamp, step_ms: i64) -> Timestamp {
    Timestamp::of_unix_ms(time.unix_ms().div_euclid(step_ms) * step_ms)
}

/// Rows of a level; steps without points have no row.
pub(crate) fn gauge(samples: &[Sample], step_ms: i64) -> Vec<GaugeRow> {
    let mut rows: Vec<GaugeRow> = Vec::new();
    let mut sum = 0.0;
    for sample in samples {
        let t = bucket(sample.time, step_ms);
        if rows.last().is_none_or(|row| row.t != t) {
            sum = 0.0;
            rows.push(GaugeRow {
                t,
                min: None,
                mean: None,
                max: None,
                count: 0,
                bad: 0,
            });
        }
        let row = rows.last_mut().expect("a row was just pushed");
        let Some(value) = sample.number() else {
            row.bad += 1;
            continue;
        };
        row.count += 1;
        sum += value;
        row.min = Some(row.min.map_or(value, |min| min.min(value)));
        row.max = Some(row.max.map_or(value, |max| max.max(value)));
        row.mean = Some(sum / f64::from(row.count));
    }
    rows
}

/// Rows of a total; `before` is the last usable value ahead of the first sample.
pub(crate) fn counter(
    samples: &[Sample],
    before: Option<&Sample>,
    step_ms: i64,
) -> Vec<CounterRow> {
    let mut rows: Vec<CounterRow> = Vec::new();
    let mut previous = before.and_then(Sample::number);
    for sample in samples {
        let t = bucket(sample.time, step_ms);
        if rows.last().is_none_or(|row| row.t != t) {
            rows.push(CounterRow {
                t,
                first: None,
                last: None,
                delta: 0.0,
                resets: 0,
                count: 0,
                bad: 0,
            });
        }
        let row = rows.last_mut().expect("a row was just pushed");
        let Some(value) = sample.number() else {
            row.bad += 1;
            continue;
        };
        row.count += 1;
        row.first.get_or_insert(value);
        row.last = Some(value);
        match previous {
            Some(previous) if value < previous => {
                row.resets += 1;
                row.delta += value;
            }
            Some(previous) => row.delta += value - previous,
            None => {}
        }
        previous = Some(value);
    }
    rows
}

/// Rows of a condition from `from` to `until`; it holds until the next sample says otherwise.
///
/// `before` is the last sample ahead of `from`. Steps in which nothing is known have no row.
pub(crate) fn state(
    samples: &[Sample],
    before: Option<&Sample>,
    from: Timestamp,
    until: Timestamp,
    step_ms: i64,
) -> Vec<StateRow> {
    let mut rows = StateRows {
        rows: Vec::new(),
        step_ms,
    };
    let mut current = before.and_then(Sample::usable);
    let mut since = from;
    for sample in samples {
        rows.hold(current, since, sample.time.min(until));
        let row = rows.at(sample.time);
        match sample.usable() {
            Some(value) => {
                row.count += 1;
                row.changes += u32::from(current.is_some_and(|current| current != value));
            }
            None => row.bad += 1,
        }
        current = sample.usable();
        row.last = current.cloned();
        since = sample.time;
    }
    rows.hold(current, since, until);
    rows.rows
}

struct StateRows {
    rows: Vec<StateRow>,
    step_ms: i64,
}

impl StateRows {
    fn at(&mut self, time: Timestamp) -> &mut StateRow {
        let t = bucket(time, self.step_ms);
        if self.rows.last().is_none_or(|row| row.t != t) {
            self.rows.push(StateRow {
                t,
                last: None,
                changes: 0,
                time_in_ms: BTreeMap::new(),
                count: 0,
                bad: 0,
            });
        }
        self.rows.last_mut().expect("a row was just pushed")
    }

    /// Books the time from `since` to `until` on the condition, step by step.
    fn hold(&mut self, condition: Option<&Value>, since: Timestamp, until: Timestamp) {
        let Some(condition) = condition else { return };
        let (name, step_ms) = (condition.to_string(), self.step_ms);
        let mut start = since;
        while start < until {
            let end = bucket(start, step_ms).plus_ms(step_ms).min(until);
            let row = self.at(start);
            let spent = end.ms_since(start).unsigned_abs();
            match row.time_in_ms.get_mut(&name) {
                Some(total) => *total += spent,
                None => {
                    row.time_in_ms.insert(name.clone(), spent);
                }
            }
            row.last = Some(condition.clone());
            start = end;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(ms: i64, value: impl Into<Value>) -> Sample {
        Sample {
            time: Timestamp::of_unix_ms(ms),
            clock: Clock::Ntp,
            quality: Quality::Good,
            value: Some(value.into()),
        }
    }

    fn missing(ms: i64) -> Sample {
        Sample {
            value: None,
            quality: Quality::Bad,
            ..at(ms, 0)
        }
    }

    fn t(ms: i64) -> Timestamp {
        Timestamp::of_unix_ms(ms)
    }

    #[test]
    fn a_level_has_minimum_mean_and_maximum() {
        let mut bad = at(1500, 99);
        bad.quality = Quality::Bad;
        let samples = [
            at(0, 1),
            at(500, 4),
            missing(700),
            bad,
            at(1999, -1),
            missing(2000),
        ];
        let row = |t, min, mean, max, count, bad| GaugeRow {
            t,
            min,
            mean,
            max,
            count,
            bad,
        };
        assert_eq!(
            gauge(&samples, 1000),
            [
                row(t(0), Some(1.0), Some(2.5), Some(4.0), 2, 1),
                row(t(1000), Some(-1.0), Some(-1.0), Some(-1.0), 1, 1),
                row(t(2000), None, None, None, 0, 1),
            ]
        );
    }

    #[test]
    fn a_total_grows_and_begins_again() {
        let samples = [
            at(0, 10),
            at(100, 15),
            missing(150),
            at(1000, 3),
            at(1100, 4),
        ];
        let rows = counter(&samples, Some(&at(-500, 8)), 1000);
        assert_eq!(rows.len(), 2);
        assert_eq!((rows[0].first, rows[0].last), (Some(10.0), Some(15.0)));
        assert!((rows[0].delta - 7.0).abs() < 1e-9 && rows[0].resets == 0 && rows[0].bad == 1);
        assert!((rows[1].delta - 4.0).abs() < 1e-9 && rows[1].resets == 1);
        assert!(counter(&samples[..1], None, 1000)[0].delta.abs() < 1e-9);
    }

    #[test]
    fn a_condition_holds_until_it_changes() {
        let samples = [at(1200, false), at(2500, true)];
        let rows = state(&samples, Some(&at(-9000, true)), t(500), t(4000), 1000);
        let spent: Vec<_> = rows
            .iter()
            .map(|row| (row.t, row.time_in_ms.clone()))
            .collect();
        let map = |pairs: &[(&str, u64)]| -> BTreeMap<String, u64> {
            pairs
                .iter()
                .map(|(name, ms)| ((*name).to_owned(), *ms))
                .collect()
        };
        assert_eq!(
            spent,
            [
                (t(0), map(&[("true", 500)])),
                (t(1000), map(&[("false", 800), ("true", 200)])),
                (t(2000), map(&[("false", 500), ("true", 500)])),
                (t(3000), map(&[("true", 1000)])),
            ]
        );
        assert_eq!(
            rows.iter().map(|row| row.changes).collect::<Vec<_>>(),
            [0, 1, 1, 0]
        );
    }

    #[test]
    fn an_unknown_condition_is_no_time() {
        let samples = [at(0, true), missing(400), at(900, true)];
        let rows = state(&samples, None, t(0), t(1000), 1000);
        assert_eq!(rows[0].time_in_ms["true"], 500);
        assert_eq!((rows[0].changes, rows[0].count, rows[0].bad), (0, 2, 1));
        assert!(state(&[], None, t(0), t(1000), 100).is_empty());
    }

    proptest! {
        #[test]
        fn levels_as_the_naive_way(
            mut points in prop::collection::vec((0i64..20_000, -50i64..50, any::<bool>()), 0..60),
            step_ms in 1i64..3000,
        ) {
            points.sort_by_key(|(ms, ..)| *ms);
            let samples: Vec<Sample> = points
                .iter()
                .map(|(ms, value, good)| if *good { at(*ms, *value) } else { missing(*ms) })
                .collect();
            let mut naive: BTreeMap<i64, (Vec<f64>, u32)> = BTreeMap::new();
            for sample in &samples {
                let slot = naive.entry(sample.time.unix_ms() / step_ms * step_ms).or_default();
                match sample.number() {
                    Some(value) => slot.0.push(value),
                    None => slot.1 += 1,
                }
            }
            let rows = gauge(&samples, step_ms);
            prop_assert_eq!(rows.len(), naive.len());
            for (row, (start, (values, bad))) in rows.iter().zip(naive) {
                prop_assert_eq!(row.t, t(start));
                prop_assert_eq!((row.count as usize, row.bad), (values.len(), bad));
                prop_assert_eq!(row.min, values.iter().copied().reduce(f64::min));
                prop_assert_eq!(row.max, values.iter().copied().reduce(f64::max));
                if let Some(mean) = row.mean {
                    #[expect(clippy::cast_precision_loss, reason = "at most 60 values")]
                    let expected = values.iter().sum::<f64>() / values.len() as f64;
                    prop_assert!((mean - expected).abs() < 1e-9);
                }
            }
        }

        #[test]
        fn deltas_add_up_whatever_the_step(
            growth in prop::collection::vec((1i64..700, 0i64..100), 1..60),
            step_ms in 1i64..3000,
        ) {
            let (mut ms, mut total, mut samples) = (0, 0, Vec::new());
            for (gap, more) in &growth {
                ms += gap;
                total += more;
                samples.push(at(ms, total));
            }
            let sum: f64 = counter(&samples, None, step_ms).iter().map(|row| row.delta).sum();
            #[expect(clippy::cast_precision_loss, reason = "at most 6000")]
            let expected = (total - growth[0].1) as f64;
            prop_assert!((sum - expected).abs() < 1e-6);
        }

        #[test]
        fn time_in_states_adds_up(
            points in prop::collection::vec((1i64..700, any::<Option<bool>>()), 0..40),
            step_ms in 1i64..3000,
        ) {
            let (mut ms, mut samples) = (0, Vec::new());
            for (gap, value) in points {
                ms += gap;
                samples.push(value.map_or_else(|| missing(ms), |value| at(ms, value)));
            }
            let until = t(ms + 500);
            let rows = state(&samples, None, t(0), until, step_ms);
            let mut naive = 0;
            for (index, sample) in samples.iter().enumerate() {
                let end = samples.get(index + 1).map_or(until, |next| next.time);
                naive += if sample.value.is_some() { end.ms_since(sample.time).unsigned_abs() } else { 0 };
            }
            prop_assert_eq!(rows.iter().flat_map(|row| row.time_in_ms.values()).sum::<u64>(), naive);
            prop_assert!(rows.windows(2).all(|pair| pair[0].t < pair[1].t));
        }
    }
}
