//! Words of registers to readings: exact for whole numbers, shortest decimal for floats.

use serde::Deserialize;
use tm_types::{Decimal, Reading, Reason, Value};

use super::map::Register;

/// What the words of a register mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Encoding {
    /// Whole number of 16 bits.
    U16,
    /// With sign, two's complement.
    I16,
    /// Two registers.
    U32,
    /// Two registers, with sign.
    I32,
    /// Four registers.
    U64,
    /// Four registers, with sign.
    I64,
    /// IEEE 754, two registers.
    F32,
    /// IEEE 754, four registers.
    F64,
    /// One coil or discrete input.
    Bool,
    /// Bits of one register: the lowest, from 0, and how many. One is a yes or no, more are a number.
    #[serde(skip)]
    Bits(u8, u8),
    /// A text of so many registers, two characters in each.
    #[serde(skip)]
    Text(u16),
}

impl Encoding {
    /// How many registers (or bits) a value takes.
    pub(crate) fn n_words(self) -> u16 {
        match self {
            Self::U16 | Self::I16 | Self::Bool | Self::Bits(..) => 1,
            Self::Text(n_words) => n_words,
            Self::U32 | Self::I32 | Self::F32 => 2,
            Self::U64 | Self::I64 | Self::F64 => 4,
        }
    }

    /// Which bits of its register belong to it; `None` for whole registers.
    pub(super) fn mask(self) -> Option<u16> {
        let Self::Bits(bit, width) = self else {
            return None;
        };
        let ones = (1_u32 << width) - 1;
        Some(low_u16(u64::from(ones << bit)))
    }
}

/// The order of a value's parts on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Order {
    /// Which register comes first.
    pub(crate) words: WordOrder,
    /// Which byte comes first inside a register.
    pub(crate) bytes: WordOrder,
}

/// Which part comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum WordOrder {
    /// The most significant one.
    #[default]
    Big,
    /// The least significant one.
    Little,
}

/// The reading of a register's words, `words.len()` being its `n_words`.
pub(crate) fn reading(register: &Register, words: &[u16]) -> Reading {
    let straight = |word: &u16| match register.order.bytes {
        WordOrder::Big => *word,
        WordOrder::Little => word.swap_bytes(),
    };
    if let Encoding::Text(_) = register.encoding {
        let bytes = words.iter().flat_map(|word| straight(word).to_be_bytes());
        return text(&bytes.collect::<Vec<u8>>());
    }
    let bits = match register.order.words {
        WordOrder::Big => join(words.iter().map(straight)),
        WordOrder::Little => join(words.iter().rev().map(straight)),
    };
    let number = match register.encoding {
        Encoding::Bool => return Reading::from(bits != 0),
        Encoding::Bits(bit, 1) => return Reading::from(bits >> bit & 1 != 0),
        Encoding::Bits(bit, width) => {
            return of_whole(register, i128::from(bits >> bit & ((1 << width) - 1)));
        }
        Encoding::F32 => float32(f32::from_bits(low_u32(bits))),
        Encoding::F64 => f64::from_bits(bits),
        whole => return of_whole(register, integer(whole, bits)),
    };
    if !number.is_finite() {
        // Meters send NaN for "not available".
        return Reading::Missing(Reason::DeviceError);
    }
    match Decimal::of_f64(number) {
        Some(decimal) => scaled(register, decimal.units().into(), decimal.scale()),
        None => of_float(register, number),
    }
}

/// Up to the first zero, without the blanks around it; nothing but blanks is an empty text.
fn text(bytes: &[u8]) -> Reading {
    let end = bytes.iter().position(|byte| *byte == 0);
    let shown = std::str::from_utf8(&bytes[..end.unwrap_or(bytes.len())]).ok();
    let shown = shown.filter(|text| !text.contains(char::is_control));
    let value = shown.and_then(|text| Value::text(text.trim()).ok());
    value.map_or(Reading::Missing(Reason::BadReply), Reading::Good)
}

fn join(words: impl Iterator<Item = u16>) -> u64 {
    words.fold(0, |bits, word| (bits << 16) | u64::from(word))
}

fn low_u16(bits: u64) -> u16 {
    let [.., a, b] = bits.to_be_bytes();
    u16::from_be_bytes([a, b])
}

fn low_u32(bits: u64) -> u32 {
    let [.., a, b, c, d] = bits.to_be_bytes();
    u32::from_be_bytes([a, b, c, d])
}

fn integer(encoding: Encoding, bits: u64) -> i128 {
    let low = low_u32(bits);
    match encoding {
        Encoding::I16 => {
            let [.., a, b] = low.to_be_bytes();
            i16::from_be_bytes([a, b]).into()
        }
        Encoding::I32 => low.cast_signed().into(),
        Encoding::I64 => bits.cast_signed().into(),
        _ => bits.into(),
    }
}

/// The float that the shortest decimal text of `number` stands for: 230.1, not 230.10000610351562.
fn float32(number: f32) -> f64 {
    number.to_string().parse().unwrap_or(f64::NAN)
}

fn of_whole(register: &Register, whole: i128) -> Reading {
    scaled(register, whole, 0)
}

/// `units / 10^scale` times the factor plus the offset, rounded to the register's resolution.
fn scaled(register: &Register, units: i128, scale: u8) -> Reading {
    // 64 bits times 64 bits: always within 128.
    let units = units * i128::from(register.factor.units());
    let scale = scale + register.factor.scale();
    #[expect(
        clippy::cast_precision_loss,
        reason = "the nearest float is what is wanted"
    )]
    let nearest = || {
        // More digits than a decimal holds: the nearest float is left.
        let number = units as f64 / 10_f64.powi(scale.into()) + register.offset.to_f64();
        rounded_float(register, number)
    };
    exact(register, units, scale).unwrap_or_else(nearest)
}

/// The value as a decimal, if its digits fit.
fn exact(register: &Register, units: i128, scale: u8) -> Option<Reading> {
    let fine = scale.max(register.offset.scale());
    let at =
        |units: i128, scale: u8| units.checked_mul(10_i128.checked_pow(u32::from(fine - scale))?);
    let sum = at(units, scale)?
        .checked_add(at(register.offset.units().into(), register.offset.scale())?)?;
    let (units, scale) = match register.scale {
        Some(wanted) if fine > wanted || register.step != 1 => {
            let common = fine.max(wanted);
            let sum = sum.checked_mul(10_i128.checked_pow(u32::from(common - fine))?)?;
            let step = i128::from(register.step);
            let divisor = step.checked_mul(10_i128.checked_pow(u32::from(common - wanted))?)?;
            // Half away from zero.
            let n_steps = (sum + divisor / 2 * sum.signum()) / divisor;
            (n_steps.checked_mul(step)?, wanted)
        }
        _ => (sum, fine),
    };
    let value = Value::decimal(i64::try_from(units).ok()?, scale).ok()?;
    Some(Reading::Good(value))
}

fn of_float(register: &Register, number: f64) -> Reading {
    let number = number * register.factor.to_f64() + register.offset.to_f64();
    rounded_float(register, number)
}

fn rounded_float(register: &Register, number: f64) -> Reading {
    let rounded = match register.scale {
        Some(scale) => {
            let power = 10_f64.powi(scale.into());
            #[expect(clippy::cast_precision_loss, reason = "a step has few digits")]
            let step = register.step as f64;
            (number * power / step).round() * step / power
        }
        None => number,
    };
    Value::of_f64(rounded).map_or(Reading::Missing(Reason::OutOfRange), Reading::Good)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tm_types::{Kind, PointName, Unit};

    use super::super::map::Table;
    use super::*;
    use crate::channel::Rules;
    use crate::report::Deadband;

    fn register(encoding: Encoding) -> Register {
        Register {
            name: PointName::new("meter/x").unwrap(),
            table: Table::Input,
            address: 0,
            encoding,
            order: Order::default(),
            factor: Decimal::integer(1),
            offset: Decimal::integer(0),
            scale: None,
            step: 1,
            unit: Unit::NONE,
            kind: Kind::Gauge,
            period: None,
            deadband: Deadband::None,
            rules: Rules::default(),
            writable: None,
        }
    }

    fn shown(reading: &Reading) -> String {
        match (reading.value(), reading.reason()) {
            (Some(value), None) => value.to_string(),
            (_, reason) => reason.unwrap().as_str().to_owned(),
        }
    }

    #[test]
    fn every_type() {
        use Encoding::{Bool, F32, F64, I16, I32, I64, U16, U32, U64};
        let cases: [(Encoding, &[u16], &str); 19] = [
            (U16, &[65_535], "65535"),
            (I16, &[65_535], "-1"),
            (I16, &[0x8000], "-32768"),
            (U32, &[0x0001, 0x0000], "65536"),
            (U32, &[0xffff, 0xffff], "4294967295"),
            (I32, &[0xffff, 0xfffe], "-2"),
            (U64, &[0, 0, 0, 7], "7"),
            (U64, &[0x0020, 0, 0, 1], "9007199254740993"),
            (
                U64,
                &[0xffff, 0xffff, 0xffff, 0xffff],
                "18446744073709552000",
            ),
            (I64, &[0xffff, 0xffff, 0xffff, 0xffff], "-1"),
            // 230.1 as IEEE 754: 0x4366199A.
            (F32, &[0x4366, 0x199a], "230.1"),
            (F32, &[0xc366, 0x199a], "-230.1"),
            (F32, &[0, 0], "0"),
            (F32, &[0x7fc0, 0], "device_error"),
            (F32, &[0x7f80, 0], "device_error"),
            (F64, &[0x4009, 0x21fb, 0x5444, 0x2d18], "3.141592653589793"),
            (F64, &[0x7ff8, 0, 0, 0], "device_error"),
            (Bool, &[0], "false"),
            (Bool, &[1], "true"),
        ];
        for (encoding, words, expected) in cases {
            let got = shown(&reading(&register(encoding), words));
            assert_eq!(got, expected, "{encoding:?} {words:x?}");
        }
    }

    #[test]
    fn little_word_order() {
        let mut register = register(Encoding::F32);
        register.order.words = WordOrder::Little;
        assert_eq!(shown(&reading(&register, &[0x199a, 0x4366])), "230.1");
        register.encoding = Encoding::U32;
        assert_eq!(shown(&reading(&register, &[1, 0])), "1");
    }

    #[test]
    fn bytes_bits_and_texts() {
        use Encoding::{Bits, F32, Text, U16};
        use WordOrder::{Big, Little};
        let cases: [(Encoding, WordOrder, WordOrder, &[u16], &str); 13] = [
            (U16, Big, Little, &[0x3412], "4660"),
            // 230.1 in the four orders of the field: ABCD, CDAB, BADC, DCBA.
            (F32, Big, Big, &[0x4366, 0x199a], "230.1"),
            (F32, Little, Big, &[0x199a, 0x4366], "230.1"),
            (F32, Big, Little, &[0x6643, 0x9a19], "230.1"),
            (F32, Little, Little, &[0x9a19, 0x6643], "230.1"),
            (Bits(0, 1), Big, Big, &[1], "true"),
            (Bits(15, 1), Big, Big, &[0x7fff], "false"),
            (Bits(4, 3), Big, Big, &[0x00af], "2"),
            (Bits(0, 16), Big, Big, &[0xffff], "65535"),
            (Text(3), Big, Big, &[0x5344, 0x4d20, 0x2000], "SDM"),
            (Text(2), Big, Little, &[0x4453, 0x004d], "SDM"),
            (Text(1), Big, Big, &[0xffff], "bad_reply"),
            (Text(1), Big, Big, &[0], ""),
        ];
        for (encoding, word_order, byte_order, words, expected) in cases {
            let mut register = register(encoding);
            (register.order.words, register.order.bytes) = (word_order, byte_order);
            let got = shown(&reading(&register, words));
            assert_eq!(got, expected, "{encoding:?} {words:x?}");
        }
    }

    #[test]
    fn offsets_and_steps() {
        // (word, factor, offset, step, places, expected)
        let cases = [
            (2730, (1, 1), (-27_315, 2), 1, None, "-0.15"),
            (2731, (1, 1), (-27_315, 2), 1, Some(1), "-0.1"),
            (230, (1, 1), (0, 0), 5, Some(1), "23"),
            (232, (1, 1), (0, 0), 5, Some(1), "23"),
            (233, (1, 1), (0, 0), 5, Some(1), "23.5"),
            (1234, (1, 0), (0, 0), 20, Some(0), "1240"),
            (7, (1, 0), (0, 0), 5, Some(1), "7"),
        ];
        for (word, factor, offset, step, scale, expected) in cases {
            let mut register = register(Encoding::U16);
            register.factor = Decimal::new(factor.0, factor.1).unwrap();
            register.offset = Decimal::new(offset.0, offset.1).unwrap();
            (register.step, register.scale) = (step, scale);
            assert_eq!(shown(&reading(&register, &[word])), expected, "{word}");
        }
    }

    #[test]
    fn factors_and_places() {
        type Case = (
            Encoding,
            &'static [u16],
            (i64, u8),
            Option<u8>,
            &'static str,
        );
        let cases: [Case; 11] = [
            (Encoding::U16, &[2301], (1, 1), None, "230.1"),
            (Encoding::U16, &[2300], (1, 1), None, "230"),
            (Encoding::I16, &[0xffff], (25, 1), None, "-2.5"),
            (Encoding::U16, &[2349], (1, 2), Some(1), "23.5"),
            (Encoding::I16, &[0xf6d3], (1, 2), Some(1), "-23.5"),
            (Encoding::U16, &[1], (1, 9), Some(0), "0"),
            (
                Encoding::U32,
                &[0xffff, 0xffff],
                (1000, 0),
                None,
                "4294967295000",
            ),
            (
                Encoding::I64,
                &[0x7fff, 0xffff, 0xffff, 0xffff],
                (10, 0),
                None,
                "92233720368547760000",
            ),
            (Encoding::F32, &[0x4366, 0x199a], (1, 0), Some(0), "230"),
            (Encoding::F32, &[0x4366, 0x199a], (1, 3), None, "0.2301"),
            (
                Encoding::F64,
                &[0x4009, 0x21fb, 0x5444, 0x2d18],
                (1, 0),
                Some(3),
                "3.142",
            ),
        ];
        for (encoding, words, (units, factor_scale), scale, expected) in cases {
            let mut register = register(encoding);
            register.factor = Decimal::new(units, factor_scale).unwrap();
            register.scale = scale;
            assert_eq!(
                shown(&reading(&register, words)),
                expected,
                "{words:x?} {units} {scale:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(words: [u16; 4], encoding in 0..9_usize, units in 1..999_999_999_999_999_i64, factor_scale in 0..15_u8, scale in proptest::option::of(0..9_u8), little: bool) {
            use Encoding::{Bool, F32, F64, I16, I32, I64, U16, U32, U64};
            let encoding = [U16, I16, U32, I32, U64, I64, F32, F64, Bool][encoding];
            let mut register = register(encoding);
            register.factor = Decimal::new(units, factor_scale).unwrap();
            register.scale = scale;
            if little { register.order.words = WordOrder::Little; }
            let words = &words[..usize::from(encoding.n_words())];
            let _ = reading(&register, words);
        }

        #[test]
        fn every_f32_is_the_number_it_prints(bits: u32) {
            let number = f32::from_bits(bits);
            prop_assume!(number.is_finite() && number != 0.0);
            let [high, low] = [(bits >> 16) as u16, (bits & 0xffff) as u16];
            let got = reading(&register(Encoding::F32), &[high, low]);
            if let Some(value) = got.value().and_then(Value::to_f64) {
                #[expect(clippy::cast_possible_truncation, reason = "the point of the test")]
                let back = value as f32;
                prop_assert_eq!(back.to_bits(), bits);
            } else {
                prop_assert!(false, "a finite number has a value");
            }
        }
    }
}
