//! One source of a payload: its columns put back together into polls.

use serde::Deserialize;
use tm_types::{
    BootId, Clock, Kind, Point, PointName, Poll, Reading, Reason, RunId, Sequence, Source, Stamp,
    Timestamp, Unit, Value,
};

use crate::Error;
use crate::column::{Column, Item, Items, integer};
use crate::source::Mark;

/// The object of one source as it stands in the payload.
#[derive(Debug, Deserialize)]
pub(crate) struct Polls {
    pub(crate) source: Source,
    pub(crate) polls: usize,
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

/// A series without its readings.
struct Series {
    name: PointName,
    kind: Kind,
    unit: Unit,
    scale: Option<u8>,
    places: u8,
}

impl Polls {
    /// Whether there is a poll at all: a source without one is not written.
    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.polls == 0 {
            return Err(Error::Invalid("polls"));
        }
        Ok(())
    }

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

    fn series(&self) -> Result<Vec<Series>, Error> {
        let n = self.values.len();
        if n == 0 {
            return Ok(Vec::new());
        }
        let names = words(&self.names, n, "names", PointName::new)?;
        let units = words(&self.units, n, "units", Unit::new)?;
        let kinds = letters(&self.kinds, n, "kinds", |letter| match letter {
            'g' => Some(Kind::Gauge),
            'c' => Some(Kind::Counter),
            's' => Some(Kind::State),
            _ => None,
        })?;
        let scales = letters(&self.scales, n, "scales", |letter| match letter {
            '-' => Some(None),
            _ => digit(letter).map(Some),
        })?;
        let places = match &self.places {
            None => scales.iter().map(|scale| scale.unwrap_or(0)).collect(),
            Some(places) => letters(places, n, "places", digit)?,
        };
        let columns = names
            .into_iter()
            .zip(units)
            .zip(kinds)
            .zip(scales)
            .zip(places);
        let series = columns.map(|((((name, unit), kind), scale), places)| Series {
            name,
            kind,
            unit,
            scale,
            places,
        });
        Ok(series.collect())
    }

    /// The different shapes, and which one each poll has.
    fn shapes(&mut self, n: usize) -> Result<(Vec<Vec<usize>>, Vec<usize>), Error> {
        let invalid = || Error::Invalid("shapes");
        let Some(shapes) = self.shapes.take() else {
            return Ok((vec![(0..n).collect()], vec![0; self.polls]));
        };
        if shapes.iter().flatten().any(|place| *place >= n) {
            return Err(invalid());
        }
        let shape = take(self.shape.take(), "shape")?.integers(self.polls);
        let shape: Option<Vec<usize>> = shape
            .ok_or_else(invalid)?
            .into_iter()
            .map(|shape| usize::try_from(shape).ok().filter(|s| *s < shapes.len()))
            .collect();
        Ok((shapes, shape.ok_or_else(invalid)?))
    }

    fn readings(
        &mut self,
        series: &[Series],
        counts: &[usize],
    ) -> Result<Vec<std::vec::IntoIter<Reading>>, Error> {
        let mut quality = self.quality.take().map(Vec::into_iter);
        let mut readings = Vec::with_capacity(series.len());
        for ((column, series), n) in self.values.drain(..).zip(series).zip(counts) {
            let marks = match &mut quality {
                None => None,
                Some(quality) => Some(marks(take(quality.next(), "quality")?, *n)?),
            };
            readings.push(column_readings(column, series.places, marks, *n)?.into_iter());
        }
        Ok(readings)
    }

    fn sequences(&mut self) -> Result<Vec<Option<Sequence>>, Error> {
        let (Some(runs), Some(numbers)) = (self.run.take(), self.n.take()) else {
            return Ok(vec![None; self.polls]);
        };
        let runs = runs.literals(self.polls).ok_or(Error::Invalid("run"))?;
        let numbers = numbers.literals(self.polls).ok_or(Error::Invalid("n"))?;
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
        let n = self.polls;
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

fn column_readings(
    column: Column,
    places: u8,
    marks: Option<Vec<Option<Mark>>>,
    n: usize,
) -> Result<Vec<Reading>, Error> {
    let invalid = || Error::Invalid("values");
    let missing = marks.iter().flatten().flatten();
    let missing = missing.filter(|m| matches!(m, Mark::Missing(_))).count();
    let values: Option<Vec<Value>> = match column.items(n - missing).ok_or_else(invalid)? {
        Items::Integers(integers) => integers
            .into_iter()
            .map(|units| Value::decimal(units, places).ok())
            .collect(),
        Items::Literals(items) => items.into_iter().collect(),
    };
    let values = values.ok_or_else(invalid)?;
    let Some(marks) = marks else {
        return Ok(values.into_iter().map(Reading::Good).collect());
    };
    let mut values = values.into_iter();
    marks
        .into_iter()
        .map(|mark| {
            let mut value = || values.next().ok_or_else(invalid);
            Ok(match mark {
                None => Reading::Good(value()?),
                Some(Mark::Uncertain(why)) => Reading::Uncertain(value()?, why),
                Some(Mark::Bad(why)) => Reading::Bad(value()?, why),
                Some(Mark::Missing(why)) => Reading::Missing(why),
            })
        })
        .collect()
}

fn marks(column: Column, n: usize) -> Result<Vec<Option<Mark>>, Error> {
    let invalid = || Error::Invalid("quality");
    let mark = |item: Item| match item {
        None => Ok(None),
        Some(Value::Text(text)) => {
            let (word, reason) = text.as_str().split_once(' ').ok_or_else(invalid)?;
            let reason = Reason::of_name(reason);
            match word {
                "uncertain" => Ok(Some(Mark::Uncertain(reason))),
                "bad" => Ok(Some(Mark::Bad(reason))),
                "missing" => Ok(Some(Mark::Missing(reason))),
                _ => Err(invalid()),
            }
        }
        Some(_) => Err(invalid()),
    };
    let items = column.literals(n).ok_or_else(invalid)?;
    items.into_iter().map(mark).collect()
}

/// One word per series, a space between them.
fn words<T, E>(
    text: &str,
    n: usize,
    what: &'static str,
    read: impl Fn(&str) -> Result<T, E>,
) -> Result<Vec<T>, Error> {
    let all: Option<Vec<T>> = text.split(' ').map(|word| read(word).ok()).collect();
    all.filter(|all| all.len() == n).ok_or(Error::Invalid(what))
}

/// One letter per series.
fn letters<T>(
    text: &str,
    n: usize,
    what: &'static str,
    read: impl Fn(char) -> Option<T>,
) -> Result<Vec<T>, Error> {
    let all: Option<Vec<T>> = text.chars().map(read).collect();
    all.filter(|all| all.len() == n).ok_or(Error::Invalid(what))
}

fn digit(letter: char) -> Option<u8> {
    match letter {
        '0'..='9' => u8::try_from(letter).ok().map(|letter| letter - b'0'),
        'A'..='F' => u8::try_from(letter).ok().map(|letter| letter - b'A' + 10),
        _ => None,
    }
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
