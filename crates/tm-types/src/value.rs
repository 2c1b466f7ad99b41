//! What a point can hold: a number, a yes or no, or a short text.

use std::fmt;

use compact_str::CompactString;
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::number::JSON_INTEGER_MAX;
use crate::{Decimal, Invalid, Number};

/// The most characters of a text value.
const TEXT_MAX: usize = 64;

/// A text of at most 64 characters that cannot be taken for a large integer.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Text(CompactString);

impl Text {
    /// Checks and keeps the text.
    pub fn new(text: &str) -> Result<Self, Invalid> {
        if text.chars().count() > TEXT_MAX || large_integer(text).is_some() {
            return Err(Invalid::Text);
        }
        Ok(Self(CompactString::new(text)))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The value of a reading.
///
/// In JSON a number, `true`/`false` or a string; an integer beyond 2^53 is a string of digits.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Value {
    /// A finite number.
    Number(Number),
    /// Yes or no: a contact, a flag.
    Bool(bool),
    /// A word: a state, an operator's name.
    Text(Text),
}

impl Value {
    /// A finite float, as an exact decimal where it is one.
    pub fn of_f64(value: f64) -> Result<Self, Invalid> {
        Number::of_f64(value).map(Self::Number)
    }

    /// `units / 10^scale`, exactly.
    pub fn decimal(units: i64, scale: u8) -> Result<Self, Invalid> {
        Decimal::new(units, scale).map(|d| Self::Number(Number::Decimal(d)))
    }

    /// A short text.
    pub fn text(text: &str) -> Result<Self, Invalid> {
        Text::new(text).map(Self::Text)
    }

    /// The value as a float; a flag counts as 0 or 1, a text has none.
    pub fn to_f64(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(number.to_f64()),
            Self::Bool(flag) => Some(f64::from(u8::from(*flag))),
            Self::Text(_) => None,
        }
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Number(Number::Decimal(Decimal::integer(value)))
    }
}

impl From<u32> for Value {
    fn from(value: u32) -> Self {
        i64::from(value).into()
    }
}

impl From<i32> for Value {
    fn from(value: i32) -> Self {
        i64::from(value).into()
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => fmt::Display::fmt(number, f),
            Self::Bool(flag) => fmt::Display::fmt(flag, f),
            Self::Text(text) => f.write_str(text.as_str()),
        }
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Number(number) => number.serialize(serializer),
            Self::Bool(flag) => serializer.serialize_bool(*flag),
            Self::Text(text) => serializer.serialize_str(text.as_str()),
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl Visitor<'_> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, a boolean or a text of at most 64 characters")
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Value, E> {
        match i64::try_from(value) {
            Ok(value) => Ok(value.into()),
            #[expect(
                clippy::cast_precision_loss,
                reason = "beyond i64 only a float is left"
            )]
            Err(_) => self.visit_f64(value as f64),
        }
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        Value::of_f64(value).map_err(de::Error::custom)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Value, E> {
        match large_integer(text) {
            Some(units) => Ok(units.into()),
            None => Value::text(text).map_err(de::Error::custom),
        }
    }
}

/// The integer a string stands for: canonical digits, within 64 bits and beyond 2^53.
fn large_integer(text: &str) -> Option<i64> {
    if !(16..=20).contains(&text.len()) {
        return None;
    }
    let value: i64 = text.parse().ok()?;
    let canonical = !text.starts_with(['+', '0']) && !text.starts_with("-0");
    (canonical && value.unsigned_abs() > JSON_INTEGER_MAX.unsigned_abs()).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(json: &str, expected: &str) {
        let value: Value = serde_json::from_str(json).unwrap();
        assert_eq!(serde_json::to_string(&value).unwrap(), expected);
    }

    #[test]
    fn json_there_and_back() {
        check("21.50", "21.5");
        check("-0.0", "-0.0");
        check("true", "true");
        check("\"ok\"", "\"ok\"");
        check("9007199254740992", "9007199254740992");
        check("9007199254740993", "\"9007199254740993\"");
        check("\"-9223372036854775808\"", "\"-9223372036854775808\"");
        check("\"8938003991234567890123\"", "\"8938003991234567890123\"");
        check("1e-7", "1e-7");
    }

    #[test]
    fn refused() {
        for json in [
            "null",
            "[]",
            "{}",
            "1e999",
            &format!("\"{}\"", "x".repeat(65)),
        ] {
            assert!(serde_json::from_str::<Value>(json).is_err(), "{json}");
        }
        assert!(Value::of_f64(f64::NAN).is_err());
        assert!(Text::new("9007199254740993").is_err());
    }

    proptest! {
        #[test]
        fn every_integer_is_exact(value: i64) {
            let json = serde_json::to_string(&Value::from(value)).unwrap();
            prop_assert_eq!(serde_json::from_str::<Value>(&json).unwrap(), Value::from(value));
        }

        #[test]
        fn every_float_is_exact(bits: u64) {
            let float = f64::from_bits(bits);
            prop_assume!(float.is_finite());
            let value = Value::of_f64(float).unwrap();
            let json = serde_json::to_string(&value).unwrap();
            prop_assert_eq!(serde_json::from_str::<Value>(&json).unwrap(), value);
        }
    }
}
