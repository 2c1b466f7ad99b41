//! Small integers as text, a fixed number of characters each: `3`, `a` (-1), `b2` (-18), `042`.
//!
//! The first character is the value divided by 10^(width - 1), rounded down, and is worth -26 to
//! 35: `z`…`a` are -26…-1, `0`…`9` themselves, `A`…`Z` are 10…35. Plain decimal digits follow.

/// The smallest first character, `z`.
const HEAD_MIN: i64 = -26;
/// The largest first character, `Z`.
const HEAD_MAX: i64 = 35;
/// The widest value: 35 * 10^17 is still an `i64`.
const WIDTH_MAX: usize = 18;

/// The fewest characters that hold every value from `min` to `max` (both within 2^55).
pub(crate) fn width(min: i64, max: i64) -> usize {
    let (mut width, mut power) = (1, 1);
    while min.div_euclid(power) < HEAD_MIN || max.div_euclid(power) > HEAD_MAX {
        power *= 10;
        width += 1;
    }
    width
}

/// Appends one value in `width` characters.
pub(crate) fn push(out: &mut Vec<u8>, value: i64, width: usize) {
    let power = POWERS[width - 1];
    let head = value.div_euclid(power);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the width was chosen so that the head is -26 to 35"
    )]
    out.push(match head {
        ..0 => (i64::from(b'a') - 1 - head) as u8,
        0..=9 => b'0' + head as u8,
        _ => b'A' + (head - 10) as u8,
    });
    let mut rest = value.rem_euclid(power);
    for power in POWERS[..width - 1].iter().rev() {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "one digit"
        )]
        out.push(b'0' + (rest / power) as u8);
        rest %= power;
    }
}

/// Reads `n` values; `None` unless the text is exactly that.
pub(crate) fn unpack(text: &str, n: usize) -> Option<impl Iterator<Item = Option<i64>>> {
    let bytes = text.as_bytes();
    let width = bytes.len().checked_div(n)?;
    ((1..=WIDTH_MAX).contains(&width) && width * n == bytes.len())
        .then(|| bytes.chunks_exact(width).map(value))
}

fn value(chars: &[u8]) -> Option<i64> {
    let (head, digits) = chars.split_first()?;
    let head = match head {
        b'a'..=b'z' => i64::from(b'a') - 1 - i64::from(*head),
        b'0'..=b'9' => i64::from(head - b'0'),
        b'A'..=b'Z' => i64::from(head - b'A') + 10,
        _ => return None,
    };
    digits.iter().try_fold(head, |value, digit| {
        digit
            .is_ascii_digit()
            .then(|| value * 10 + i64::from(digit - b'0'))
    })
}

const POWERS: [i64; WIDTH_MAX] = {
    let mut powers = [1; WIDTH_MAX];
    let mut i = 1;
    while i < WIDTH_MAX {
        powers[i] = powers[i - 1] * 10;
        i += 1;
    }
    powers
};

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pack(values: &[i64]) -> String {
        let (min, max) = (values.iter().min().unwrap(), values.iter().max().unwrap());
        let width = width(*min, *max);
        let mut out = Vec::new();
        for value in values {
            push(&mut out, *value, width);
        }
        String::from_utf8(out).unwrap()
    }

    fn read(text: &str, n: usize) -> Option<Vec<i64>> {
        unpack(text, n)?.collect()
    }

    #[test]
    fn the_alphabet() {
        for (values, text) in [
            (&[0, 9, 10, 35][..], "09AZ"),
            (&[-1, -2, -26], "abz"),
            (&[36, -1, -18, 5], "36a9b205"),
            (&[-27, 359], "c3Z9"),
            (&[1000, -1], "A00a99"),
            (&[1 << 55], "36028797018963968"),
        ] {
            assert_eq!(pack(values), text);
            assert_eq!(read(text, values.len()).as_deref(), Some(values));
        }
    }

    #[test]
    fn what_is_not_packed() {
        for (text, n) in [("", 0), ("", 1), ("123", 2), ("1a", 1), ("é", 1), ("-1", 2)] {
            assert_eq!(read(text, n), None, "{text:?}");
        }
        assert_eq!(read(&"9".repeat(19), 1), None);
    }

    proptest! {
        #[test]
        fn there_and_back(values in prop::collection::vec(-(1i64 << 55)..=1 << 55, 1..20), shift in 0u32..50) {
            let values: Vec<i64> = values.into_iter().map(|value| value >> shift).collect();
            prop_assert_eq!(read(&pack(&values), values.len()), Some(values));
        }
    }
}
