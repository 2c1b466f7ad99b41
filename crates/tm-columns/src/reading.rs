//! Readings as rows hold them: borrowed, nothing to free.

use tm_types::{Number, Reading, Reason, Value};

/// A borrowed [`Value`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ValueRef<'a> {
    /// A finite number, in the form [`Number::of_f64`] gives it.
    Number(Number),
    /// Yes or no.
    Bool(bool),
    /// A text that [`tm_types::Text::new`] accepts.
    Text(&'a str),
}

/// A borrowed [`Reading`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReadingRef<'a> {
    /// Measured as specified.
    Good(ValueRef<'a>),
    /// Measured, but to be used with care.
    Uncertain(ValueRef<'a>, Reason),
    /// Measured, but not to be used.
    Bad(ValueRef<'a>, Reason),
    /// Not measured.
    Missing(Reason),
}

impl<'a> From<&'a Value> for ValueRef<'a> {
    fn from(value: &'a Value) -> Self {
        match value {
            Value::Number(number) => Self::Number(*number),
            Value::Bool(flag) => Self::Bool(*flag),
            Value::Text(text) => Self::Text(text.as_str()),
        }
    }
}

impl<'a> From<&'a Reading> for ReadingRef<'a> {
    fn from(reading: &'a Reading) -> Self {
        match reading {
            Reading::Good(value) => Self::Good(value.into()),
            Reading::Uncertain(value, why) => Self::Uncertain(value.into(), *why),
            Reading::Bad(value, why) => Self::Bad(value.into(), *why),
            Reading::Missing(why) => Self::Missing(*why),
        }
    }
}
