//! One source of a payload: its columns put back together into polls.

mod series;

use serde::Deserialize;
use tm_types::{BootId, Clock, Point, Poll, RunId, Sequence, Source, Stamp, Timestamp, Value};

use self::series::Series;
use crate::Error;
use crate::column::{Column, Item, integer};

/// The object of one source as it stands in the payload.
#[derive(Debug, Deserialize)]
pub(crate) struct Polls {
    pub(crate) source: Source,
    #[serde(rename = "polls")]
    pub(crate) length: usize,
    run: Option<Column>,
    n: Option<Column>,
    time: Column,
    mono_zero: Column,
    boot: Column,
    clock: Column,
    err_ms: Column,
    names: String,
    units: String,
    kinds: String,
    scales: String,
    shapes: Option<Vec<Vec<usize>>>,
    shape: Option<Column>,
    values: Vec<Column>,
    places: Option<String>,
    quality: Option<Vec<Column>>,
}

impl Polls {
    /// The polls, with at most `points_max` points in all.
    pub(crate) fn decode(mut self, points_max: usize) -> Result<Vec<Poll>, Error> {
        let series = self.series()?;
        let (shapes, shape) = self.shapes(series.len())?;
        let counts = counts(&shapes, &shape, series.len(), points_max)?;
        let mut readings = self.readings(&series, &counts)?;
        let sequences = self.sequences()?;
        let stamps = self.stamps()?;
        let mut polls = Vec::with_capacity(stamps.len());
        for ((sequence, stamp), shape) in sequences.into_iter().zip(stamps).zip(shape) {
            let places = &shapes[shape];
            let mut points = Vec::with_capacity(places.len());
            for place in places {
                let Series {
                    name,
                    kind,
                    unit,
                    scale,
                    ..
                } = &series[*place];
                points.push(Point {
                    name: name.clone(),
                    kind: *kind,
                    unit: unit.clone(),
                    reading: readings[*place].next().ok_or(Error::Invalid("values"))?,
                    scale: *scale,
                });
            }
            polls.push(Poll {
                sequence,
                stamp,
                points,
            });
        }
        Ok(polls)
    }

    /// The different shapes, and which one each poll has.
    fn shapes(&mut self, n: usize) -> Result<(Vec<Vec<usize>>, Vec<usize>), Error> {
        let invalid = || Error::Invalid("shapes");
        let Some(shapes) = self.shapes.take() else {
            return Ok((vec![(0..n).collect()], vec![0; self.length]));
        };
        if shapes.iter().flatten().any(|place| *place >= n) {
            return Err(invalid());
        }
        let shape = take(self.shape.take(), "shape")?.integers(self.length);
        let shape: Option<Vec<usize>> = shape
            .ok_or_else(invalid)?
            .into_iter()
            .map(|shape| usize::try_from(shape).ok().filter(|s| *s < shapes.len()))
            .collect();
        Ok((shapes, shape.ok_or_else(invalid)?))
    }

    fn sequences(&mut self) -> Result<Vec<Option<Sequence>>, Error> {
        let (runs, numbers) = match (self.run.take(), self.n.take()) {
            (Some(runs), Some(numbers)) => (runs, numbers),
            (None, None) => return Ok(vec![None; self.length]),
            _ => return Err(Error::Invalid("run")),
        };
        let runs = runs.literals(self.length).ok_or(Error::Invalid("run"))?;
        let numbers = numbers.literals(self.length).ok_or(Error::Invalid("n"))?;
        let sequence = |(run, n): (&Item, &Item)| {
            if run.is_none() {
                return Ok(None);
            }
            let run: RunId = parse(run).ok_or(Error::Invalid("run"))?;
            let n = n.as_ref().and_then(integer);
            let n = n.and_then(|n| u64::try_from(n).ok());
            let n = n.ok_or(Error::Invalid("n"))?;
            Ok(Some(Sequence { run, n }))
        };
        runs.iter().zip(&numbers).map(sequence).collect()
    }

    fn stamps(self) -> Result<Vec<Stamp>, Error> {
        let n = self.length;
        let times = self.time.integers(n).ok_or(Error::Invalid("time"))?;
        let zeros = self.mono_zero.integers(n);
        let zeros = zeros.ok_or(Error::Invalid("mono_zero"))?;
        let boots = self.boot.literals(n).ok_or(Error::Invalid("boot"))?;
        let clocks = self.clock.literals(n).ok_or(Error::Invalid("clock"))?;
        let errors = self.err_ms.literals(n).ok_or(Error::Invalid("err_ms"))?;
        let mut stamps = Vec::with_capacity(n);
        for ((((time, zero), boot), clock), error) in times
            .into_iter()
            .zip(zeros)
            .zip(boots)
            .zip(clocks)
            .zip(errors)
        {
            let unix_ms = i64::try_from(time).map_err(|_| Error::Invalid("time"))?;
            let stamp_time = Timestamp::of_unix_ms(unix_ms);
            if stamp_time.unix_ms() != unix_ms {
                return Err(Error::Invalid("time"));
            }
            let mono = time.checked_sub(zero).and_then(|ms| u64::try_from(ms).ok());
            let boot: Option<BootId> = parse(&boot);
            let err_ms = match error {
                None => None,
                Some(value) => Some(
                    integer(&value)
                        .and_then(|ms| u32::try_from(ms).ok())
                        .ok_or(Error::Invalid("err_ms"))?,
                ),
            };
            stamps.push(Stamp {
                time: stamp_time,
                mono_ms: mono.ok_or(Error::Invalid("mono_zero"))?,
                boot: boot.ok_or(Error::Invalid("boot"))?,
                clock: self::clock(&clock).ok_or(Error::Invalid("clock"))?,
                err_ms,
            });
        }
        Ok(stamps)
    }
}

/// How many points each series has.
fn counts(
    shapes: &[Vec<usize>],
    shape: &[usize],
    n_series: usize,
    points_max: usize,
) -> Result<Vec<usize>, Error> {
    let mut polls = vec![0usize; shapes.len()];
    for shape in shape {
        polls[*shape] += 1;
    }
    let mut counts = vec![0usize; n_series];
    let mut points = 0usize;
    for (shape, polls) in shapes.iter().zip(polls) {
        points = points.saturating_add(shape.len().saturating_mul(polls));
        if points > points_max {
            return Err(Error::TooLarge);
        }
        for place in shape {
            counts[*place] += polls;
        }
    }
    Ok(counts)
}

fn take<T>(field: Option<T>, what: &'static str) -> Result<T, Error> {
    field.ok_or(Error::Invalid(what))
}

fn parse<T: std::str::FromStr>(item: &Item) -> Option<T> {
    match item {
        Some(Value::Text(text)) => text.as_str().parse().ok(),
        _ => None,
    }
}

fn clock(item: &Item) -> Option<Clock> {
    let Some(Value::Text(text)) = item else {
        return None;
    };
    Clock::ALL
        .into_iter()
        .find(|clock| clock.as_str() == text.as_str())
}
