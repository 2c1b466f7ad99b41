//! A column as it is read: any of its forms, nothing trusted.

use std::fmt;

use serde::de::{self, IntoDeserializer, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use tm_types::Value;

use crate::packed;

/// One item of a literal column; null is `None`.
pub(crate) type Item = Option<Value>;

/// A column in one of its forms.
#[derive(Debug)]
pub(crate) enum Column {
    /// `value`: every item.
    Constant(Item),
    /// `{"list":[…]}`: the items.
    List(Vec<Item>),
    /// `{"runs":[value,count,…]}`: each value so many times.
    Runs(Vec<Item>),
    /// `[start,step]`.
    Grid(i64, i64),
    /// `["…",base,step]`: each is on the line, and a residual; step 0 when absent.
    Line(String, i64, i64),
    /// `[first,"…",step]`: each but the first is the one before, the step, and a residual.
    Walk(i64, String, i64),
    /// `[first,step,"…"]`: each step but the first is the step before and a residual.
    Slope(i64, i64, String),
}

/// A column's items: scaled integers, or values as they stand.
#[derive(Debug, PartialEq)]
pub(crate) enum Items {
    Integers(Vec<i64>),
    Literals(Vec<Item>),
}

impl Column {
    /// The `n` items; `None` when the column does not have exactly that many.
    pub(crate) fn items(self, n: usize) -> Option<Items> {
        let items = match self {
            Self::Constant(item) => Items::Literals(vec![item; n]),
            Self::List(items) => {
                if items.len() != n {
                    return None;
                }
                Items::Literals(items)
            }
            Self::Runs(runs) => Items::Literals(expand(runs, n)?),
            Self::Grid(..) if n == 0 => return None,
            Self::Grid(start, step) => Items::Integers(sums(start, (1..n).map(|_| Some(step)))?),
            Self::Line(residuals, base, step) => Items::Integers(
                packed::unpack(&residuals, n)?
                    .zip(0..)
                    .map(|(residual, i)| {
                        base.checked_add(step.checked_mul(i)?)?
                            .checked_add(residual?)
                    })
                    .collect::<Option<_>>()?,
            ),
            Self::Walk(first, residuals, step) => {
                let steps = packed::unpack(&residuals, n.checked_sub(1)?)?
                    .map(|residual| step.checked_add(residual?));
                Items::Integers(sums(first, steps)?)
            }
            Self::Slope(first, step, residuals) => {
                let residuals = packed::unpack(&residuals, n.checked_sub(2)?)?;
                let steps = sums(step, residuals)?;
                Items::Integers(sums(first, steps.into_iter().map(Some))?)
            }
        };
        Some(items)
    }

    /// The `n` items as integers.
    pub(crate) fn integers(self, n: usize) -> Option<Vec<i128>> {
        match self.items(n)? {
            Items::Integers(integers) => Some(integers.into_iter().map(Into::into).collect()),
            Items::Literals(items) => items.iter().map(|item| integer(item.as_ref()?)).collect(),
        }
    }

    /// The `n` items as values or nulls.
    pub(crate) fn literals(self, n: usize) -> Option<Vec<Item>> {
        Some(match self.items(n)? {
            Items::Integers(integers) => integers.into_iter().map(|i| Some(i.into())).collect(),
            Items::Literals(items) => items,
        })
    }
}

/// An item as an integer; beyond 64 bits it stands as a text of digits.
pub(crate) fn integer(item: &Value) -> Option<i128> {
    match item {
        Value::Number(tm_types::Number::Decimal(decimal)) => decimal.units_at(0).map(Into::into),
        Value::Text(text) => text.as_str().parse().ok(),
        _ => None,
    }
}

/// `first` and after it every sum with the steps; `None` on overflow.
fn sums(first: i64, steps: impl Iterator<Item = Option<i64>>) -> Option<Vec<i64>> {
    let mut all = Vec::with_capacity(steps.size_hint().0 + 1);
    all.push(first);
    let mut last = first;
    for step in steps {
        last = last.checked_add(step?)?;
        all.push(last);
    }
    Some(all)
}

fn expand(runs: Vec<Item>, n: usize) -> Option<Vec<Item>> {
    let mut items = Vec::with_capacity(n);
    let mut runs = runs.into_iter();
    while let Some(value) = runs.next() {
        let count = usize::try_from(integer(&runs.next()??)?).ok()?;
        if count > n - items.len() {
            return None;
        }
        items.extend(std::iter::repeat_n(value, count));
    }
    (items.len() == n).then_some(items)
}

impl<'de> Deserialize<'de> for Column {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ColumnVisitor)
    }
}

struct ColumnVisitor;

fn constant<E: de::Error>(value: impl IntoDeserializer<'static, E>) -> Result<Column, E> {
    Value::deserialize(value.into_deserializer()).map(|value| Column::Constant(Some(value)))
}

impl<'de> Visitor<'de> for ColumnVisitor {
    type Value = Column;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a column: a value, an array of two or three, or an object of list or runs")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Column, E> {
        Ok(Column::Constant(None))
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Column, E> {
        constant(value)
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Column, E> {
        constant(value)
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Column, E> {
        constant(value)
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Column, E> {
        constant(value)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Column, E> {
        constant(text.to_owned())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Column, A::Error> {
        let parts = (
            seq.next_element()?,
            seq.next_element()?,
            seq.next_element()?,
        );
        if seq.next_element::<de::IgnoredAny>()?.is_some() {
            return Err(de::Error::invalid_length(4, &self));
        }
        Ok(match parts {
            (Some(Part::Integer(start)), Some(Part::Integer(step)), None) => {
                Column::Grid(start, step)
            }
            (Some(Part::Packed(residuals)), Some(Part::Integer(base)), step) => {
                Column::Line(residuals, base, or_zero(step.as_ref())?)
            }
            (Some(Part::Integer(first)), Some(Part::Packed(residuals)), step) => {
                Column::Walk(first, residuals, or_zero(step.as_ref())?)
            }
            (
                Some(Part::Integer(first)),
                Some(Part::Integer(step)),
                Some(Part::Packed(residuals)),
            ) => Column::Slope(first, step, residuals),
            _ => return Err(de::Error::custom(NO_FORM)),
        })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Column, A::Error> {
        let column = match map.next_key::<String>()?.as_deref() {
            Some("list") => Column::List(map.next_value()?),
            Some("runs") => Column::Runs(map.next_value()?),
            _ => return Err(de::Error::custom("the object is no form of a column")),
        };
        match map.next_key::<de::IgnoredAny>()? {
            None => Ok(column),
            Some(_) => Err(de::Error::custom("a column has one form")),
        }
    }
}

const NO_FORM: &str = "the array is no form of a column";

fn or_zero<E: de::Error>(step: Option<&Part>) -> Result<i64, E> {
    match step {
        None => Ok(0),
        Some(Part::Integer(step)) => Ok(*step),
        Some(Part::Packed(_)) => Err(E::custom(NO_FORM)),
    }
}

/// An element of an array form.
enum Part {
    Integer(i64),
    Packed(String),
}

impl<'de> Deserialize<'de> for Part {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PartVisitor;
        impl Visitor<'_> for PartVisitor {
            type Value = Part;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an integer or a text of packed residuals")
            }

            fn visit_i64<E: de::Error>(self, value: i64) -> Result<Part, E> {
                Ok(Part::Integer(value))
            }

            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Part, E> {
                i64::try_from(value).map(Part::Integer).map_err(E::custom)
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Part, E> {
                Ok(Part::Packed(text.to_owned()))
            }
        }
        deserializer.deserialize_any(PartVisitor)
    }
}
