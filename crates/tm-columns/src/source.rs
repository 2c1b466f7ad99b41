//! What a batch holds of one source: its polls, its series, and which poll had which points.

use std::collections::HashMap;

use tm_types::{Decimal, Kind, Number, PointName, Reason, Sequence, Source, Stamp, Unit};

use crate::{ReadingRef, ValueRef};

/// The polls of one source.
#[derive(Debug)]
pub(crate) struct SourceRows {
    pub(crate) name: Source,
    /// Its place among the sources of this batch; `None` without a record.
    pub(crate) place: Option<u32>,
    pub(crate) polls: Vec<(Option<Sequence>, Stamp)>,
    /// Its series in this batch, in the order of their first points.
    pub(crate) used: Vec<u32>,
    pub(crate) shapes: Shapes,
    pub(crate) by_name: HashMap<PointName, Vec<u32>>,
}

/// Which series a poll has points of, in order: few different ones, each kept once.
#[derive(Debug, Default)]
pub(crate) struct Shapes {
    /// The different shapes, as places among the source's series.
    pub(crate) different: Vec<Box<[u32]>>,
    /// The shape of each poll.
    pub(crate) of_poll: Vec<u32>,
    index: HashMap<Box<[u32]>, u32>,
    current: Vec<u32>,
}

impl Shapes {
    /// Whether every poll has every one of `n` series once, in order.
    pub(crate) fn is_plain(&self, n: usize) -> bool {
        matches!(&self.different[..], [one] if one.len() == n && one.iter().zip(0..).all(|(place, i)| *place == i))
    }

    pub(crate) fn start(&mut self) {
        self.current.clear();
    }

    pub(crate) fn add(&mut self, place: u32) {
        self.current.push(place);
    }

    pub(crate) fn finish(&mut self) {
        let last = self.of_poll.last().copied();
        if let Some(last) = last
            && *self.different[last as usize] == self.current[..]
        {
            return self.of_poll.push(last);
        }
        let shape = self.index.get(&self.current[..]).copied();
        let shape = shape.unwrap_or_else(|| {
            let shape = u32::try_from(self.different.len()).expect("at most one per record");
            self.different.push(self.current[..].into());
            self.index.insert(self.current[..].into(), shape);
            shape
        });
        self.of_poll.push(shape);
    }

    pub(crate) fn clear(&mut self) {
        self.different.clear();
        self.of_poll.clear();
        self.index.clear();
    }
}

/// One series and its column.
#[derive(Debug)]
pub(crate) struct Series {
    pub(crate) source: u32,
    pub(crate) name: PointName,
    pub(crate) kind: Kind,
    pub(crate) unit: Unit,
    pub(crate) scale: Option<u8>,
    /// Its place among the series of its source in this batch; `None` without a point.
    pub(crate) place: Option<u32>,
    /// The values that there are.
    pub(crate) values: Vec<Stored>,
    /// The points that are not good, by their number in the series.
    pub(crate) marks: Vec<(usize, Mark)>,
    /// How many points there are, with and without a value.
    pub(crate) n: usize,
    /// Decimal places of the finest value; `None` when one is no decimal.
    pub(crate) places: Option<u8>,
}

impl Series {
    pub(crate) fn new(
        source: u32,
        name: PointName,
        kind: Kind,
        unit: Unit,
        scale: Option<u8>,
    ) -> Self {
        Self {
            source,
            name,
            kind,
            unit,
            scale,
            place: None,
            values: Vec::new(),
            marks: Vec::new(),
            n: 0,
            places: Some(0),
        }
    }

    pub(crate) fn push(&mut self, row: &Row) {
        if let Some(value) = row.value {
            self.places = match value {
                Stored::Decimal(decimal) => self.places.map(|places| places.max(decimal.scale())),
                _ => None,
            };
            self.values.push(value);
        }
        if let Some(mark) = row.mark {
            self.marks.push((self.n, mark));
        }
        self.n += 1;
    }

    pub(crate) fn clear(&mut self) {
        self.place = None;
        self.values.clear();
        self.marks.clear();
        self.n = 0;
        self.places = Some(0);
    }
}

/// A value; texts are kept by their place in the batch's text.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stored {
    Decimal(Decimal),
    Float(f64),
    Bool(bool),
    Text { start: u32, end: u32 },
}

impl Stored {
    pub(crate) fn of<'a>(&self, texts: &'a str) -> ValueRef<'a> {
        match *self {
            Self::Decimal(decimal) => ValueRef::Number(Number::Decimal(decimal)),
            Self::Float(value) => ValueRef::Number(Number::Float(value)),
            Self::Bool(flag) => ValueRef::Bool(flag),
            Self::Text { start, end } => ValueRef::Text(&texts[start as usize..end as usize]),
        }
    }
}

/// Why a point is not good.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Mark {
    Uncertain(Reason),
    Bad(Reason),
    Missing(Reason),
}

/// One point on its way into its column.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) series: u32,
    value: Option<Stored>,
    mark: Option<Mark>,
}

impl Row {
    pub(crate) fn new(series: u32, reading: ReadingRef<'_>, texts: &mut String) -> Self {
        let (value, mark) = match reading {
            ReadingRef::Good(value) => (Some(value), None),
            ReadingRef::Uncertain(value, why) => (Some(value), Some(Mark::Uncertain(why))),
            ReadingRef::Bad(value, why) => (Some(value), Some(Mark::Bad(why))),
            ReadingRef::Missing(why) => (None, Some(Mark::Missing(why))),
        };
        let value = value.map(|value| match value {
            ValueRef::Number(Number::Decimal(decimal)) => Stored::Decimal(decimal),
            ValueRef::Number(Number::Float(value)) => Stored::Float(value),
            ValueRef::Bool(flag) => Stored::Bool(flag),
            ValueRef::Text(text) => {
                let start = place(texts);
                texts.push_str(text);
                Stored::Text {
                    start,
                    end: place(texts),
                }
            }
        });
        Self {
            series,
            value,
            mark,
        }
    }

    /// The most bytes of JSON it can become, its part of the poll's shape included.
    pub(crate) fn bytes_max(&self) -> usize {
        /// A number of 25 characters, commas, and a place among the shapes.
        const POINT: usize = 40;
        /// `"uncertain not_configured",`
        const MARK: usize = 40;
        /// `\u0000`
        const ESCAPED: usize = 6;
        let text = match self.value {
            Some(Stored::Text { start, end }) => (end - start) as usize * ESCAPED,
            _ => 0,
        };
        POINT + text + if self.mark.is_some() { MARK } else { 0 }
    }
}

fn place(texts: &str) -> u32 {
    u32::try_from(texts.len()).expect("a full batch has less than 16 MiB of text")
}
