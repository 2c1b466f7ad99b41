//! A column of integers in the cheapest of its forms.

use std::io::Write;

use crate::packed;

/// Columns hold integers up to this size, so that their steps stay exact in any JSON reader.
pub(crate) const LIMIT: i64 = 1 << 51;

/// Room for the residuals of the forms, kept between columns.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    deltas: Vec<i64>,
    sorted: Vec<i64>,
    trial: Vec<i64>,
    best: Vec<i64>,
}

/// What an item is a residual to.
#[derive(Clone, Copy, Debug)]
enum Form {
    /// `["…",base,step]`: a straight line; without step a level.
    Line { base: i64, step: i64 },
    /// `[first,"…",step]`: the item before and a step; without step the item before.
    Walk { step: i64 },
    /// `[first,step,"…"]`: the item before and the step before.
    Slope,
}

/// Appends the column; `values` has at least one, none beyond [`LIMIT`].
///
/// One value repeated is that value; a regular grid `[start,step]`; else the cheapest [`Form`].
pub(crate) fn write(out: &mut Vec<u8>, values: &[i64], scratch: &mut Scratch) {
    let first = values[0];
    let Some(second) = values.get(1) else {
        return integer(out, first.into());
    };
    let step = second - first;
    scratch.deltas.clear();
    let deltas = values.windows(2).map(|pair| pair[1] - pair[0]);
    scratch.deltas.extend(deltas);
    if scratch.deltas.iter().all(|delta| *delta == step) {
        return match step {
            0 => integer(out, first.into()),
            _ => array(out, &[Part::Integer(first), Part::Integer(step)]),
        };
    }
    let parts = match scratch.choose(values) {
        Form::Line { base, step: 0 } => &[Part::Residuals(&scratch.best), Part::Integer(base)][..],
        Form::Line { base, step } => &[
            Part::Residuals(&scratch.best),
            Part::Integer(base),
            Part::Integer(step),
        ],
        Form::Walk { step: 0 } => &[Part::Integer(first), Part::Residuals(&scratch.best)],
        Form::Walk { step } => &[
            Part::Integer(first),
            Part::Residuals(&scratch.best),
            Part::Integer(step),
        ],
        Form::Slope => &[
            Part::Integer(first),
            Part::Integer(step),
            Part::Residuals(&scratch.best),
        ],
    };
    array(out, parts);
}

impl Scratch {
    /// The cheapest form; its residuals are left in `best`.
    fn choose(&mut self, values: &[i64]) -> Form {
        let step = median(&mut self.sorted, self.deltas.iter().copied());
        let slope = slope(values);
        let mut best = (u64::MAX, Form::Slope);
        for (form, extra) in [
            (Form::Line { base: 0, step: 0 }, 0),
            (Form::Walk { step: 0 }, 0),
            (Form::Slope, PART),
            (
                Form::Line {
                    base: 0,
                    step: slope,
                },
                PART,
            ),
            (Form::Walk { step }, PART),
        ] {
            self.trial.clear();
            let form = match form {
                Form::Line { step, .. } => {
                    let steps = (0..).map(|i| step * i);
                    let level = values.iter().zip(steps).map(|(value, steps)| value - steps);
                    let base = median(&mut self.sorted, level.clone());
                    self.trial.extend(level.map(|value| value - base));
                    Form::Line { base, step }
                }
                Form::Walk { step } => {
                    self.trial
                        .extend(self.deltas.iter().map(|delta| delta - step));
                    form
                }
                Form::Slope => {
                    let steps = self.deltas.windows(2);
                    self.trial.extend(steps.map(|pair| pair[1] - pair[0]));
                    form
                }
            };
            let cost = cost(&self.trial) + extra;
            if cost < best.0 {
                best = (cost, form);
                std::mem::swap(&mut self.trial, &mut self.best);
            }
        }
        best.1
    }
}

/// The whole step that leads from the first to the last value: jitter hardly counts.
///
/// No more than half a unit per value beyond the last value, so that the line stays within 2^53.
fn slope(values: &[i64]) -> i64 {
    let steps = i64::try_from(values.len() - 1).expect("few values").max(1);
    let rise = values[values.len() - 1] - values[0];
    (rise + rise.signum() * steps / 2) / steps
}

fn median(sorted: &mut Vec<i64>, values: impl Iterator<Item = i64>) -> i64 {
    sorted.clear();
    sorted.extend(values);
    let middle = sorted.len() / 2;
    *sorted.select_nth_unstable(middle).1
}

/// Appends an integer; beyond 2^53 as a string, which no reader can round.
pub(crate) fn integer(out: &mut Vec<u8>, value: i128) {
    if value.unsigned_abs() <= 1 << 53 {
        write!(out, "{value}").expect("a Vec takes everything");
    } else {
        write!(out, "\"{value}\"").expect("a Vec takes everything");
    }
}

enum Part<'a> {
    Integer(i64),
    Residuals(&'a [i64]),
}

fn array(out: &mut Vec<u8>, parts: &[Part<'_>]) {
    for (i, part) in parts.iter().enumerate() {
        out.push(if i == 0 { b'[' } else { b',' });
        match part {
            Part::Integer(value) => integer(out, (*value).into()),
            Part::Residuals(values) => {
                let width = width_of(values);
                out.reserve(values.len() * width + 2);
                out.push(b'"');
                for value in *values {
                    packed::push(out, *value, width);
                }
                out.push(b'"');
            }
        }
    }
    out.push(b']');
}

fn width_of(values: &[i64]) -> usize {
    let (min, max) = values.iter().fold((0, 0), |(min, max), value| {
        (min.min(*value), max.max(*value))
    });
    packed::width(min, max)
}

/// What an integer beside the residuals costs: about 12 bits.
const PART: u64 = 12 << 23;

/// What deflate will make of the residuals, roughly, in 1/2^23 bits.
///
/// A value costs about log2(1 + 2|value|); in a wide column each further digit costs 3.3 bits
/// even where it is zero.
fn cost(values: &[i64]) -> u64 {
    const ONE: u32 = 1.0f32.to_bits();
    const DIGIT: u32 = 28_000_000;
    let width = u32::try_from(width_of(values)).expect("at most 18");
    let floor = (width - 1) * DIGIT;
    values
        .iter()
        .map(|value| {
            // The bits of a float are its logarithm, but for a small error.
            #[expect(clippy::cast_precision_loss, reason = "an estimate")]
            let float = (1 + 2 * value.unsigned_abs()) as f32;
            u64::from((float.to_bits() - ONE).max(floor))
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        for (values, text) in [
            (&[7][..], "7"),
            (&[7, 7, 7], "7"),
            (&[7, 9], "[7,2]"),
            (&[1000, 2000, 3000], "[1000,1000]"),
            (&[50, 51, 49, 50, 52, 50], r#"["01a020",50]"#),
            (
                &[50, 52, 55, 56, 56, 55, 53, 52, 50, 48, 49],
                r#"[50,"2310ababb1"]"#,
            ),
            (
                &[1000, 2003, 3000, 4003, 5000, 6003, 6997, 8000, 9000],
                r#"["030303c00",1000,1000]"#,
            ),
            (
                &[100, 111, 121, 132, 142, 152, 163, 173],
                r#"[100,"1010010",10]"#,
            ),
            (
                &[0, 1, 4, 9, 16, 25, 36, 49, 64, 81, 100],
                r#"[0,1,"222222222"]"#,
            ),
            (
                &[1 << 51, -(1 << 51)],
                "[2251799813685248,-4503599627370496]",
            ),
        ] {
            let mut out = Vec::new();
            write(&mut out, values, &mut Scratch::default());
            assert_eq!(String::from_utf8(out).unwrap(), text);
        }
    }

    #[test]
    fn large_integers_are_strings() {
        let mut out = Vec::new();
        integer(&mut out, 1 << 53);
        integer(&mut out, -(1 << 53) - 1);
        assert_eq!(out, b"9007199254740992\"-9007199254740993\"");
    }
}
