//! When and how long, as people write it in an address: `-24h`, `5m`, RFC 3339.

use std::str::FromStr as _;
use std::time::Duration;

use tm_types::Timestamp;

use crate::error::ApiError;

/// Steps that fit into minutes, hours and days, in seconds.
const STEPS_S: [u64; 16] = [
    1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21_600, 86_400,
];

/// RFC 3339, `now`, or `-` and a span; nothing for nothing.
pub(crate) fn moment(
    name: &str,
    text: Option<&str>,
    now: Timestamp,
) -> Result<Option<Timestamp>, ApiError> {
    let Some(text) = text.filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let time = match text.strip_prefix('-') {
        Some(before) => {
            span(before).and_then(|span| Some(now.plus_ms(-i64::try_from(span.as_millis()).ok()?)))
        }
        None if text == "now" => Some(now),
        // A bare `+` in a query means a space: `…12:00:00 02:00`.
        None => Timestamp::from_str(&text.replace(' ', "+")).ok(),
    };
    let expected = "a time such as 2026-11-22T10:00:00Z, or before now such as -24h";
    time.map(Some)
        .ok_or_else(|| ApiError::bad_field(name, expected))
}

/// Digits and `s`, `m`, `h` or `d`; bare digits are seconds.
pub(crate) fn span(text: &str) -> Option<Duration> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_lowercase());
    let unit = match &text[digits.len()..] {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return None,
    };
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    digits
        .parse::<u64>()
        .ok()?
        .checked_mul(unit)
        .map(Duration::from_secs)
}

/// The shortest usual step that cuts a span into at most `rows` parts.
pub(crate) fn usual_step(span_ms: i64, rows: u64) -> Duration {
    let seconds = span_ms.max(0).unsigned_abs().div_ceil(1000);
    let fits = |step: &&u64| seconds.div_ceil(**step) <= rows;
    let step = STEPS_S.iter().find(fits).copied();
    Duration::from_secs(step.unwrap_or_else(|| seconds.div_ceil(rows.max(1))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_digits_and_a_unit() {
        let cases = [
            ("60", Some(60)),
            ("30s", Some(30)),
            ("5m", Some(300)),
            ("24h", Some(86_400)),
            ("7d", Some(604_800)),
            ("0", Some(0)),
            ("", None),
            ("m", None),
            ("-5m", None),
            ("1.5h", None),
            ("5w", None),
            ("99999999999999999999", None),
            ("5 m", None),
            ("9999999999999999d", None),
            ("+5", None),
        ];
        for (text, expected) in cases {
            assert_eq!(span(text), expected.map(Duration::from_secs), "{text:?}");
        }
    }

    #[test]
    fn moments_are_absolute_or_before_now() {
        let now = Timestamp::of_unix_ms(1_000_000_000_000);
        let at = |text: &str| moment("from", Some(text), now).ok().flatten();
        assert_eq!(at("now"), Some(now));
        assert_eq!(at("-90s"), Some(now.plus_ms(-90_000)));
        assert_eq!(at("2001-09-09T01:46:40Z"), Some(now));
        assert_eq!(at("2001-09-09T03:46:40 02:00"), Some(now));
        for text in ["yesterday", "-", "-x", "1000000000", "2001-09-09"] {
            assert_eq!(at(text), None, "{text}");
        }
    }

    #[test]
    fn the_usual_step_gives_few_rows() {
        for (span_s, step_s) in [
            (0, 1),
            (360, 1),
            (3600, 10),
            (86_400, 300),
            (400 * 86_400, 96_000),
        ] {
            assert_eq!(
                usual_step(span_s * 1000, 360),
                Duration::from_secs(step_s),
                "{span_s}"
            );
        }
    }
}
