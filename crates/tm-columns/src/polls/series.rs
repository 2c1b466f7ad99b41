//! The series of a source: what they are, and their readings.

use tm_types::{Kind, PointName, Reading, Reason, Unit, Value};

use super::{Polls, take};
use crate::Error;
use crate::column::{Column, Item, Items};
use crate::source::Mark;

/// A series without its readings.
pub(super) struct Series {
    pub(super) name: PointName,
    pub(super) kind: Kind,
    pub(super) unit: Unit,
    pub(super) scale: Option<u8>,
    places: u8,
}

impl Polls {
    /// What the series are.
    pub(super) fn series(&self) -> Result<Vec<Series>, Error> {
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

    /// The readings of each series, `counts` of them.
    pub(super) fn readings(
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
