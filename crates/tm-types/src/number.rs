//! Numbers that come out as they went in: decimals by scale, other floats by their bits.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::Invalid;

/// The largest scale: 15 digits after the point.
const SCALE_MAX: u8 = 15;
/// Decimals with a fraction stay below this, so that they survive a JSON number exactly.
const FRACTION_LIMIT: i64 = 1_000_000_000_000_000;
/// Integers up to this size survive a JSON number exactly (2^53).
pub(crate) const JSON_INTEGER_MAX: i64 = 1 << 53;

/// Powers of ten that an `f64` holds exactly.
const POWERS: [f64; SCALE_MAX as usize + 1] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
];

/// An exact decimal: `units / 10^scale`, kept without trailing zeros.
///
/// With `scale` 0 any 64-bit integer; with a fraction at most 15 digits in all.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Decimal {
    units: i64,
    scale: u8,
}

impl Decimal {
    /// `units / 10^scale`; trailing zeros are taken off.
    pub fn new(mut units: i64, mut scale: u8) -> Result<Self, Invalid> {
        while scale > 0 && units % 10 == 0 {
            units /= 10;
            scale -= 1;
        }
        if scale > SCALE_MAX || (scale > 0 && units.unsigned_abs() >= FRACTION_LIMIT.unsigned_abs())
        {
            return Err(Invalid::Number);
        }
        Ok(Self { units, scale })
    }

    /// A whole number.
    pub const fn integer(units: i64) -> Self {
        Self { units, scale: 0 }
    }

    /// The decimal that `value` is printed as, if it has at most 15 digits.
    ///
    /// The division of two exactly held numbers is rounded once, as parsing the decimal text is:
    /// equality means that text and float are the same number to any JSON reader.
    pub fn of_f64(value: f64) -> Option<Self> {
        if value == 0.0 {
            return (!value.is_sign_negative()).then_some(Self::integer(0));
        }
        for (scale, power) in (0u8..).zip(POWERS) {
            let units = (value * power).round();
            if units.is_nan() || units.abs() >= 1e15 {
                return None;
            }
            if (units / power).to_bits() == value.to_bits() {
                #[expect(clippy::cast_possible_truncation, reason = "below 10^15, whole")]
                return Some(Self {
                    units: units as i64,
                    scale,
                });
            }
        }
        None
    }

    /// The number in units of `10^-scale`.
    pub fn units(self) -> i64 {
        self.units
    }

    /// Digits after the decimal point, 0 to 15.
    pub fn scale(self) -> u8 {
        self.scale
    }

    /// The units on a finer (or the same) scale; `None` when coarser or out of range.
    pub fn units_at(self, scale: u8) -> Option<i64> {
        let more = scale.checked_sub(self.scale)?;
        self.units.checked_mul(10i64.checked_pow(more.into())?)
    }

    /// The nearest float.
    #[expect(
        clippy::cast_precision_loss,
        reason = "exact below 2^53, nearest above"
    )]
    pub fn to_f64(self) -> f64 {
        self.units as f64 / POWERS[usize::from(self.scale)]
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.scale == 0 {
            return write!(f, "{}", self.units);
        }
        let power = 10u64.pow(self.scale.into());
        let (whole, part) = (
            self.units.unsigned_abs() / power,
            self.units.unsigned_abs() % power,
        );
        let sign = if self.units < 0 { "-" } else { "" };
        write!(
            f,
            "{sign}{whole}.{part:0width$}",
            width = usize::from(self.scale)
        )
    }
}

impl fmt::Debug for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A finite number: an exact decimal where it is one, else a float kept bit for bit.
#[derive(Clone, Copy, Debug)]
pub enum Number {
    /// An exact decimal.
    Decimal(Decimal),
    /// A finite float that no decimal of 15 digits equals (also -0.0).
    Float(f64),
}

impl Number {
    /// A finite float, as a decimal where it is one.
    pub fn of_f64(value: f64) -> Result<Self, Invalid> {
        match Decimal::of_f64(value) {
            Some(decimal) => Ok(Self::Decimal(decimal)),
            None if value.is_finite() => Ok(Self::Float(value)),
            None => Err(Invalid::Number),
        }
    }

    /// The nearest float.
    pub fn to_f64(self) -> f64 {
        match self {
            Self::Decimal(decimal) => decimal.to_f64(),
            Self::Float(value) => value,
        }
    }
}

impl PartialEq for Number {
    /// Equal means the same bits: -0.0 is not 0.
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Decimal(a), Self::Decimal(b)) => a == b,
            (Self::Float(a), Self::Float(b)) => a.to_bits() == b.to_bits(),
            _ => false,
        }
    }
}

impl Eq for Number {}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Decimal(decimal) => fmt::Display::fmt(decimal, f),
            Self::Float(value) => write!(f, "{value}"),
        }
    }
}

impl Serialize for Number {
    /// A JSON number; integers beyond 2^53 as a string, which no reader can round.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Decimal(d) if d.scale > 0 => serializer.serialize_f64(d.to_f64()),
            Self::Decimal(d) if d.units.unsigned_abs() <= JSON_INTEGER_MAX.unsigned_abs() => {
                serializer.serialize_i64(d.units)
            }
            Self::Decimal(d) => serializer.collect_str(d),
            Self::Float(value) => serializer.serialize_f64(*value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn floats_become_the_decimal_they_are_printed_as() {
        let cases: [(f64, Option<(i64, u8)>); 10] = [
            (21.5, Some((215, 1))),
            (0.0, Some((0, 0))),
            (-0.0, None),
            (-97.0, Some((-97, 0))),
            (48.922_633_6, Some((489_226_336, 7))),
            (1e-7, Some((1, 7))),
            (0.1 + 0.2, None),
            (1e15, None),
            (1e300, None),
            (f64::MIN_POSITIVE, None),
        ];
        for (value, expected) in cases {
            let got = Decimal::of_f64(value).map(|d| (d.units(), d.scale()));
            assert_eq!(got, expected, "{value}");
        }
    }

    #[test]
    fn display_is_plain_decimal() {
        for (units, scale, text) in [
            (-5, 2, "-0.05"),
            (1234, 3, "1.234"),
            (1200, 2, "12"),
            (7, 0, "7"),
        ] {
            assert_eq!(Decimal::new(units, scale).unwrap().to_string(), text);
        }
        assert!(Decimal::new(1, 16).is_err());
        assert!(Decimal::new(FRACTION_LIMIT + 1, 1).is_err());
    }

    proptest! {
        #[test]
        fn every_decimal_survives_its_float(units in -(FRACTION_LIMIT - 1)..FRACTION_LIMIT, scale in 0u8..=15) {
            let decimal = Decimal::new(units, scale).unwrap();
            prop_assert_eq!(Decimal::of_f64(decimal.to_f64()), Some(decimal));
        }

        #[test]
        fn every_finite_float_keeps_its_bits(bits: u64) {
            let value = f64::from_bits(bits);
            prop_assume!(value.is_finite());
            prop_assert_eq!(Number::of_f64(value).unwrap().to_f64().to_bits(), bits);
        }
    }
}
