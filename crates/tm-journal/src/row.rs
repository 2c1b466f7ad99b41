//! One bus message as a record: a few bytes a point, exact in every bit.
//!
//! A row is a context (source, boot, run), its number `n`, the stamp as differences to the context's bases, then the points.
//! A point is one tag byte, the series number unless it is the previous one plus one, and the value as a varint where it is a decimal.
//! Names live in the segment's [`Dictionary`]; when that is full they stand in the row.

use tm_types::{
    Clock, Decimal, Number, Point, Poll, Reading, Reason, Sequence, Source, Stamp, Text, Timestamp,
    Value,
};

use crate::dictionary::{Context, Definer, Dictionary, Entry, Series, series_of};
use crate::varint::{self, Cursored};

/// Low three bits of a tag: what follows.
mod form {
    pub(super) const DECIMAL: u8 = 0;
    pub(super) const FLOAT: u8 = 1;
    pub(super) const FALSE: u8 = 2;
    pub(super) const TRUE: u8 = 3;
    pub(super) const TEXT: u8 = 4;
    /// The reason is in the next byte.
    pub(super) const MISSING: u8 = 5;
    /// The next byte is the reason (and the quality), then comes the tag of the value.
    pub(super) const DOUBTFUL: u8 = 6;
    /// The series' definition follows, then the tag of the value.
    pub(super) const INLINE: u8 = 7;
}
/// In a tag: the series is the one after the previous point's.
const NEXT: u8 = 0x08;
/// The decimal's scale stands in the upper four bits of the tag.
const SCALE_SHIFT: u32 = 4;
/// In the byte after [`form::DOUBTFUL`]: bad rather than uncertain.
const IS_BAD: u8 = 0x80;
/// In the clock byte: an error bound follows.
const HAS_ERR: u8 = 0x08;

/// Appends `poll` of `source` to `out`; new names go into the definer.
pub(crate) fn encode(source: &Source, poll: &Poll, definer: &mut Definer, out: &mut Vec<u8>) {
    let stamp = &poll.stamp;
    let run = poll.sequence.map(|sequence| sequence.run);
    let (mut previous, time_base, mono_base) =
        if let Some((id, context)) = definer.context(source, run, stamp) {
            varint::put_u64(out, u64::from(id) + 1);
            (id, context.time_base_ms, context.mono_base_ms)
        } else {
            out.push(0);
            Entry::Context(Context::of(source, run, stamp)).encode(out);
            (u32::MAX, stamp.time.unix_ms(), stamp.mono_ms)
        };
    if let Some(sequence) = poll.sequence {
        varint::put_u64(out, sequence.n);
    }
    // The two clocks run alike: the second difference is nearly always one byte.
    let mono = stamp.mono_ms.wrapping_sub(mono_base).cast_signed();
    let time = stamp.time.unix_ms().wrapping_sub(time_base);
    varint::put_i64(out, mono);
    varint::put_i64(out, time.wrapping_sub(mono));
    let clock = number_in(&Clock::ALL, stamp.clock);
    out.push(clock | stamp.err_ms.map_or(0, |_| HAS_ERR));
    if let Some(err_ms) = stamp.err_ms {
        varint::put_u64(out, err_ms.into());
    }
    for point in &poll.points {
        previous = encode_point(point, previous, definer, out);
    }
}

fn encode_point(point: &Point, previous: u32, definer: &mut Definer, out: &mut Vec<u8>) -> u32 {
    let expected = previous.wrapping_add(1);
    let Some(id) = definer.series(point, expected) else {
        out.push(form::INLINE | NEXT);
        Entry::Series(series_of(point)).encode(out);
        encode_reading(&point.reading, 0, NEXT, out);
        return previous;
    };
    encode_reading(
        &point.reading,
        id,
        if id == expected { NEXT } else { 0 },
        out,
    );
    id
}

fn encode_reading(reading: &Reading, id: u32, next: u8, out: &mut Vec<u8>) {
    let tag = |out: &mut Vec<u8>, tag: u8| {
        out.push(tag | next);
        if next == 0 {
            varint::put_u64(out, id.into());
        }
    };
    match reading {
        Reading::Good(value) => encode_value(value, out, tag),
        Reading::Missing(why) => {
            tag(out, form::MISSING);
            out.push(reason_number(*why));
        }
        Reading::Uncertain(value, why) => {
            tag(out, form::DOUBTFUL);
            out.push(reason_number(*why));
            encode_value(value, out, Vec::push);
        }
        Reading::Bad(value, why) => {
            tag(out, form::DOUBTFUL);
            out.push(reason_number(*why) | IS_BAD);
            encode_value(value, out, Vec::push);
        }
    }
}

#[inline]
fn encode_value(value: &Value, out: &mut Vec<u8>, mut tag: impl FnMut(&mut Vec<u8>, u8)) {
    match value {
        Value::Number(Number::Decimal(decimal)) => {
            tag(out, form::DECIMAL | (decimal.scale() << SCALE_SHIFT));
            varint::put_i64(out, decimal.units());
        }
        Value::Number(Number::Float(float)) => {
            tag(out, form::FLOAT);
            out.extend_from_slice(&float.to_bits().to_le_bytes());
        }
        Value::Bool(flag) => tag(out, if *flag { form::TRUE } else { form::FALSE }),
        Value::Text(text) => {
            tag(out, form::TEXT);
            varint::put_bytes(out, text.as_str().as_bytes());
        }
    }
}

fn reason_number(reason: Reason) -> u8 {
    number_in(&Reason::ALL, reason)
}

/// The codec number of `wanted`: its place in the list of all.
fn number_in<T: PartialEq + Copy>(all: &[T], wanted: T) -> u8 {
    let numbered = (0_u8..).zip(all).find(|(_, known)| **known == wanted);
    numbered.map_or(0, |(number, _)| number)
}

fn reason_of(number: u8) -> Reason {
    // A later version may know more reasons than this one.
    Reason::ALL
        .get(usize::from(number))
        .copied()
        .unwrap_or(Reason::Other)
}

/// A row, read as far as its stamp; the points follow by [`Row::points`].
#[derive(Debug, Clone)]
pub struct Row<'a> {
    /// Who published.
    pub source: Source,
    /// Run and number; absent from foreign publishers.
    pub sequence: Option<Sequence>,
    /// When the device was read, as it was stamped then.
    pub stamp: Stamp,
    dictionary: &'a Dictionary,
    first: u32,
    points: Cursored<'a>,
}

impl<'a> Row<'a> {
    /// Reads the payload of a row record with its segment's dictionary.
    ///
    /// `None` when it makes no sense, or refers to a definition that was lost.
    pub fn decode(payload: &'a [u8], dictionary: &'a Dictionary) -> Option<Self> {
        let mut input = Cursored::new(payload);
        let inline;
        let (context, first) = match input.u64()? {
            0 => match Entry::decode(&mut input)? {
                Entry::Context(context) => {
                    inline = context;
                    (&inline, u32::MAX)
                }
                Entry::Series(_) => return None,
            },
            id => {
                let id = u32::try_from(id - 1).ok()?;
                (dictionary.context(id)?, id)
            }
        };
        let sequence = match context.run {
            Some(run) => Some(Sequence {
                run,
                n: input.u64()?,
            }),
            None => None,
        };
        let mono = input.i64()?;
        let time = input.i64()?.wrapping_add(mono);
        let clock = input.u8()?;
        let err_ms = match clock & HAS_ERR {
            0 => None,
            _ => Some(u32::try_from(input.u64()?).ok()?),
        };
        let stamp = Stamp {
            time: Timestamp::of_unix_ms(context.time_base_ms.wrapping_add(time)),
            mono_ms: context.mono_base_ms.wrapping_add(mono.cast_unsigned()),
            boot: context.boot,
            clock: *Clock::ALL.get(usize::from(clock & !HAS_ERR))?,
            err_ms,
        };
        Some(Self {
            source: context.source.clone(),
            sequence,
            stamp,
            dictionary,
            first,
            points: input,
        })
    }

    /// The points in the order of the message.
    pub fn points(&self) -> Points<'a> {
        Points {
            dictionary: self.dictionary,
            previous: self.first,
            input: self.points,
        }
    }

    /// The whole message; `None` when a point makes no sense.
    pub fn to_poll(&self) -> Option<Poll> {
        let points = self
            .points()
            .map(|point| point.map(PointRef::into_point))
            .collect::<Option<Vec<_>>>()?;
        Some(Poll {
            sequence: self.sequence,
            stamp: self.stamp,
            points,
        })
    }
}

/// A point as it lies in the journal: its names borrowed or, where the dictionary was full, its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PointRef<'a> {
    /// The series' number in the dictionary, stable within a segment; absent where the dictionary was full.
    pub id: Option<u32>,
    /// Name, kind, unit and scale.
    pub series: std::borrow::Cow<'a, Series>,
    /// The value, or why there is none.
    pub reading: Reading,
}

impl PointRef<'_> {
    /// The point as the bus had it.
    pub fn into_point(self) -> Point {
        let series = self.series.into_owned();
        Point {
            name: series.name,
            kind: series.kind,
            unit: series.unit,
            reading: self.reading,
            scale: series.scale,
        }
    }
}

/// Iterates the points of a row; yields `None` inside once, and ends, where they make no sense.
#[derive(Debug, Clone)]
pub struct Points<'a> {
    dictionary: &'a Dictionary,
    previous: u32,
    input: Cursored<'a>,
}

impl<'a> Iterator for Points<'a> {
    type Item = Option<PointRef<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.input.rest.is_empty() {
            return None;
        }
        let point = self.point();
        if point.is_none() {
            self.input.rest = &[];
        }
        Some(point)
    }
}

impl<'a> Points<'a> {
    #[inline]
    fn point(&mut self) -> Option<PointRef<'a>> {
        use std::borrow::Cow;
        let mut tag = self.input.u8()?;
        let (id, series) = if tag & form::INLINE == form::INLINE {
            let Entry::Series(series) = Entry::decode(&mut self.input)? else {
                return None;
            };
            tag = self.input.u8()?;
            (None, Cow::Owned(series))
        } else {
            let id = match tag & NEXT {
                0 => u32::try_from(self.input.u64()?).ok()?,
                _ => self.previous.wrapping_add(1),
            };
            self.previous = id;
            (Some(id), Cow::Borrowed(self.dictionary.series(id)?))
        };
        let reading = match tag & 7 {
            form::MISSING => Reading::Missing(reason_of(self.input.u8()?)),
            form::DOUBTFUL => {
                let why = self.input.u8()?;
                let tag = self.input.u8()?;
                let value = self.value(tag)?;
                match why & IS_BAD {
                    0 => Reading::Uncertain(value, reason_of(why)),
                    _ => Reading::Bad(value, reason_of(why & !IS_BAD)),
                }
            }
            _ => Reading::Good(self.value(tag)?),
        };
        Some(PointRef {
            id,
            series,
            reading,
        })
    }

    #[inline]
    fn value(&mut self, tag: u8) -> Option<Value> {
        Some(match tag & 7 {
            form::DECIMAL => {
                let decimal = Decimal::new(self.input.i64()?, tag >> SCALE_SHIFT).ok()?;
                Value::Number(Number::Decimal(decimal))
            }
            form::FLOAT => {
                let float = f64::from_bits(u64::from_le_bytes(self.input.array()?));
                Value::Number(float.is_finite().then_some(Number::Float(float))?)
            }
            form::FALSE => Value::Bool(false),
            form::TRUE => Value::Bool(true),
            form::TEXT => Value::Text(Text::new(self.input.text()?).ok()?),
            _ => return None,
        })
    }
}
