//! The series of a source: what they are, which poll has which, and their columns.

use std::io::Write;

use tm_types::Number;

use super::{Encoder, INFALLIBLE};
use crate::ValueRef;
use crate::integers::{self, LIMIT};
use crate::literals::string;
use crate::source::{Mark, Series, SourceRows};

impl Encoder {
    /// Name, unit, scale and kind of every series.
    pub(super) fn series<'a>(&mut self, series: impl Iterator<Item = &'a Series> + Clone) {
        for (key, text) in [
            (
                "names",
                (|series| series.name.as_str()) as fn(&Series) -> &str,
            ),
            ("units", |series| series.unit.as_str()),
        ] {
            self.key(key);
            let texts: Vec<&str> = series.clone().map(text).collect();
            self.put(|out| string(out, &texts.join(" ")));
        }
        self.key("kinds");
        self.letters(
            series
                .clone()
                .map(|series| series.kind.as_str().as_bytes()[0]),
        );
        self.key("scales");
        self.letters(series.map(|series| series.scale.map_or(b'-', digit)));
    }

    /// Which series each poll has, where that is not all of them, each once, in order.
    pub(super) fn shapes(&mut self, source: &SourceRows) {
        self.key("shapes");
        self.json.push(b'[');
        for (i, shape) in source.shapes.different.iter().enumerate() {
            self.put(|out| out.extend_from_slice(if i == 0 { b"[" } else { b",[" }));
            for (i, place) in shape.iter().enumerate() {
                let comma = if i == 0 { "" } else { "," };
                self.put(|out| write!(out, "{comma}{place}").expect(INFALLIBLE));
            }
            self.json.push(b']');
        }
        self.json.push(b']');
        self.key("shape");
        self.integers(source.shapes.of_poll.iter().map(|shape| (*shape).into()));
    }

    pub(super) fn values<'a>(
        &mut self,
        series: impl Iterator<Item = &'a Series> + Clone,
        texts: &str,
    ) {
        self.key("values");
        self.json.push(b'[');
        let mut places = Vec::new();
        for (i, series) in series.clone().enumerate() {
            if i > 0 {
                self.json.push(b',');
            }
            places.push(self.column(series, texts));
        }
        self.json.push(b']');
        let differ = series
            .zip(&places)
            .any(|(series, places)| series.scale.unwrap_or(0) != *places);
        if differ {
            self.key("places");
            self.letters(places.into_iter().map(digit));
        }
    }

    /// One column of values; says how many decimal places its integers have.
    fn column(&mut self, series: &Series, texts: &str) -> u8 {
        let declared = series.scale.unwrap_or(0);
        let values = series.values.iter().map(|value| value.of(texts));
        let Some(first) = values.clone().next() else {
            self.put(|out| out.extend_from_slice(b"null"));
            return declared;
        };
        let is_constant = values.clone().all(|value| value == first);
        if !is_constant && let Some(finest) = series.places {
            for places in [declared.max(finest), finest] {
                if self.scaled(values.clone(), places) {
                    integers::write(&mut self.json, &self.integers, &mut self.scratch);
                    return places;
                }
            }
        }
        self.literals(values, value);
        declared
    }

    /// Puts the values, all decimals, into `integers`; whether they can be.
    fn scaled<'a>(&mut self, values: impl Iterator<Item = ValueRef<'a>>, places: u8) -> bool {
        self.integers.clear();
        for value in values {
            let ValueRef::Number(Number::Decimal(decimal)) = value else {
                return false;
            };
            let units = if decimal.scale() == places {
                Some(decimal.units())
            } else {
                decimal.units_at(places)
            };
            match units {
                Some(units) if units.unsigned_abs() <= LIMIT.unsigned_abs() => {
                    self.integers.push(units);
                }
                _ => return false,
            }
        }
        true
    }

    /// Why points are not good, for each series with such points.
    pub(super) fn quality<'a>(&mut self, series: impl Iterator<Item = &'a Series> + Clone) {
        if series.clone().all(|series| series.marks.is_empty()) {
            return;
        }
        self.key("quality");
        for (i, series) in series.enumerate() {
            self.json.push(if i == 0 { b'[' } else { b',' });
            let mut marks = series.marks.iter().peekable();
            let marks: Vec<Option<Mark>> = (0..series.n)
                .map(|n| marks.next_if(|(marked, _)| *marked == n).map(|(_, m)| *m))
                .collect();
            self.literals(marks.iter(), |out, mark| match mark {
                None => out.extend_from_slice(b"null"),
                Some(mark) => {
                    let (word, reason) = match mark {
                        Mark::Uncertain(reason) => ("uncertain", reason),
                        Mark::Bad(reason) => ("bad", reason),
                        Mark::Missing(reason) => ("missing", reason),
                    };
                    write!(out, "\"{word} {}\"", reason.as_str()).expect(INFALLIBLE);
                }
            });
        }
        self.json.push(b']');
    }
}

/// 0 to 15 as one character.
fn digit(places: u8) -> u8 {
    b"0123456789ABCDEF"[usize::from(places)]
}

/// A value as it stands in any JSON of ours.
fn value(out: &mut Vec<u8>, value: &ValueRef<'_>) {
    match value {
        ValueRef::Number(number) => {
            serde_json::to_writer(out, number).expect("a number is finite");
        }
        ValueRef::Bool(flag) => write!(out, "{flag}").expect(INFALLIBLE),
        ValueRef::Text(text) => string(out, text),
    }
}
