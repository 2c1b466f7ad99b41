//! Decimal numbers as the kernel writes them, computed with exactly.

use tm_types::Value;

/// A decimal number: `units` divided by ten to the power of `scale`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Exact {
    units: i128,
    scale: u8,
}

/// The most digits of a number that is read: the product of two of them fits.
const DIGITS_MAX: usize = 18;

impl Exact {
    pub(super) const ZERO: Self = Self { units: 0, scale: 0 };

    /// `units` divided by ten to the power of `scale`.
    pub(super) const fn of(units: i64, scale: u8) -> Self {
        Self {
            units: units as i128,
            scale,
        }
    }

    /// `23450`, `-12.5`, `101.327589843`; nothing else.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (is_negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (whole, part) = match digits.split_once('.') {
            Some((_, "")) => return None,
            Some(parts) => parts,
            None => (digits, ""),
        };
        let is_number =
            !whole.is_empty() && (whole.bytes().chain(part.bytes())).all(|b| b.is_ascii_digit());
        if !is_number || whole.len() + part.len() > DIGITS_MAX {
            return None;
        }
        let units: i128 = format!("{whole}{part}").parse().ok()?;
        Some(Self {
            units: if is_negative { -units } else { units },
            scale: u8::try_from(part.len()).ok()?,
        })
    }

    /// Whether this is not more than the other; numbers too large to compare are.
    pub(super) fn is_at_most(self, other: Self) -> bool {
        let scale = self.scale.max(other.scale);
        let both = self.units_at(scale).zip(other.units_at(scale));
        both.is_some_and(|(one, other)| one <= other)
    }

    pub(super) fn plus(self, other: Self) -> Option<Self> {
        let scale = self.scale.max(other.scale);
        let units = self.units_at(scale)?.checked_add(other.units_at(scale)?)?;
        Some(Self { units, scale })
    }

    pub(super) fn times(self, other: Self) -> Option<Self> {
        Some(Self {
            units: self.units.checked_mul(other.units)?,
            scale: self.scale.checked_add(other.scale)?,
        })
    }

    /// Multiplied by ten to the power of `exponent`.
    pub(super) fn shifted(self, exponent: i8) -> Option<Self> {
        if exponent <= 0 {
            let scale = self.scale.checked_add(exponent.unsigned_abs())?;
            return Some(Self { scale, ..self });
        }
        let power = 10_i128.checked_pow(exponent.unsigned_abs().into())?;
        Some(Self {
            units: self.units.checked_mul(power)?,
            ..self
        })
    }

    /// The value with at most so many decimal places, halves away from zero.
    pub(super) fn rounded(self, places: u8) -> Option<Value> {
        let units = match self.scale.checked_sub(places) {
            None | Some(0) => self.units_at(places)?,
            Some(more) => {
                let power = 10_i128.checked_pow(more.into())?;
                let half = power / 2 * self.units.signum();
                self.units.checked_add(half)? / power
            }
        };
        Value::decimal(i64::try_from(units).ok()?, places).ok()
    }

    fn units_at(self, scale: u8) -> Option<i128> {
        let more = scale.checked_sub(self.scale)?;
        self.units.checked_mul(10_i128.checked_pow(more.into())?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn number(text: &str) -> Exact {
        Exact::parse(text).unwrap()
    }

    #[test]
    fn texts() {
        for (text, expected) in [
            ("23450\n", Some("23450")),
            ("-12.5", Some("-12.5")),
            ("0.125000000\n", Some("0.125")),
            ("-0.5", Some("-0.5")),
            ("0", Some("0")),
            ("999999999.999999999", None),
            ("123456789012345678", Some("123456789012345678")),
            ("1234567890123456789", None),
            ("", None),
            ("-", None),
            (".5", None),
            ("5.", None),
            ("+5", None),
            ("--5", None),
            ("5 dB", None),
            ("1e3", None),
            ("0x10", None),
            ("٣", None),
        ] {
            // Nine places lose nothing of these.
            let got =
                Exact::parse(text).and_then(|it| it.rounded(if it.scale == 0 { 0 } else { 9 }));
            assert_eq!(
                got.map(|value| value.to_string()).as_deref(),
                expected,
                "{text:?}"
            );
        }
    }

    #[test]
    fn arithmetic() {
        // ADS1115 at ±4.096 V: 12345 × 0.125 mV.
        let volts = number("12345").times(number("0.125000000")).unwrap();
        let volts = volts.shifted(-3).unwrap();
        assert_eq!(volts.rounded(6).unwrap().to_string(), "1.543125");
        assert_eq!(volts.rounded(2).unwrap().to_string(), "1.54");
        let sum = number("-40.25").plus(number("1000")).unwrap();
        assert_eq!(sum.rounded(3).unwrap().to_string(), "959.75");
        let pascals = number("101.327589843").shifted(3).unwrap();
        assert_eq!(pascals.rounded(1).unwrap().to_string(), "101327.6");
        for (text, expected) in [
            ("0.05", "0.1"),
            ("-0.05", "-0.1"),
            ("0.04", "0"),
            ("-0.04", "0"),
        ] {
            assert_eq!(number(text).rounded(1).unwrap().to_string(), expected);
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(a in "-?[0-9]{0,20}(\\.[0-9]{0,20})?", b in "-?[0-9]{1,9}(\\.[0-9]{1,9})?", shift: i8, places in 0_u8..16) {
            if let (Some(a), Some(b)) = (Exact::parse(&a), Exact::parse(&b)) {
                let _ = a.plus(b).and_then(|it| it.times(b)).and_then(|it| it.shifted(shift)).and_then(|it| it.rounded(places));
            }
        }
    }
}
