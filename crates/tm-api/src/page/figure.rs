//! Figures as people read them: units, sizes, signs. `page.js` does the same for what it is sent.

use tm_types::{Quality, Value};

use super::escape;
use crate::labels::Labels;
use crate::views::SeriesView;

/// Signs of a number that a person reads; a longer one is told by its power of ten.
const DIGITS_MAX: usize = 17;

/// A value with its unit, or the reason why there is none that may be used; markup.
///
/// A bad value is no value here: 85 °C from a sensor that was not ready is no temperature.
/// Who wants it for the record asks the API.
pub(super) fn reading(view: &SeriesView, labels: &Labels) -> String {
    let why = view.reason.map(|reason| labels.reason(reason));
    match (&view.value, view.quality) {
        (Some(value), Quality::Good) => with_unit(value, view.unit.as_str(), labels),
        (Some(value), Quality::Uncertain) => format!(
            "{} <small>({})</small>",
            with_unit(value, view.unit.as_str(), labels),
            why.unwrap_or_default()
        ),
        (None, _) | (_, Quality::Bad) => {
            format!("— <small>{}</small>", why.unwrap_or_default())
        }
    }
}

/// A value with its unit; markup.
pub(super) fn with_unit(value: &Value, unit: &str, labels: &Labels) -> String {
    match (value, unit) {
        (Value::Number(number), "B") => bytes(number.to_f64()),
        (value, "") => escape(&plain(value, labels)),
        (value, unit) => format!(
            "{}\u{a0}<small>{}</small>",
            escape(&plain(value, labels)),
            escape(symbol(unit))
        ),
    }
}

/// A value without its unit.
pub(super) fn plain(value: &Value, labels: &Labels) -> String {
    match value {
        Value::Number(number) => {
            let text = number.to_string();
            signed(if text.len() > DIGITS_MAX {
                short(number.to_f64())
            } else {
                text
            })
        }
        Value::Bool(flag) => if *flag { labels.yes } else { labels.no }.to_owned(),
        Value::Text(text) => text.as_str().to_owned(),
    }
}

/// A number with that many decimals.
pub(super) fn fixed(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    if text.len() > DIGITS_MAX {
        return signed(short(value));
    }
    // What rounds to nothing has no sign.
    if text.bytes().all(|b| matches!(b, b'-' | b'0' | b'.')) {
        return text.trim_start_matches('-').to_owned();
    }
    signed(text)
}

/// A number too long to be read in full.
fn short(value: f64) -> String {
    format!("{value:.4e}")
}

/// With the sign that is as wide as a digit.
fn signed(text: String) -> String {
    match text.strip_prefix('-') {
        Some(rest) => format!("−{rest}"),
        None => text,
    }
}

/// Decimals that a number needs, at most four.
pub(super) fn decimals(value: f64) -> usize {
    let text = format!("{value:.4}");
    let part = text.split_once('.').map_or("", |(_, part)| part);
    part.trim_end_matches('0').len()
}

/// How people write a unit.
pub(super) fn symbol(unit: &str) -> &str {
    match unit {
        "Cel" => "°C",
        "%RH" => "% RH",
        "lat" | "lon" | "deg" => "°",
        "m3" => "m³",
        other => other,
    }
}

/// Bytes in their largest unit; markup.
pub(super) fn bytes(count: f64) -> String {
    let (divisor, unit) = magnitude(count);
    let size = count / divisor;
    let decimals = usize::from(unit != "B" && size.abs() < 100.0);
    format!("{}\u{a0}<small>{unit}</small>", fixed(size, decimals))
}

/// What to divide a number of bytes by, and what that is called.
pub(super) fn magnitude(count: f64) -> (f64, &'static str) {
    let mut found = (1.0, "B");
    for (divisor, unit) in [(1e3, "kB"), (1e6, "MB"), (1e9, "GB"), (1e12, "TB")] {
        if count.abs() >= divisor {
            found = (divisor, unit);
        }
    }
    found
}

/// The class of a reading. What is not there, or not yet, is no fault and has no colour of one.
pub(super) fn class(view: &SeriesView) -> &'static str {
    use tm_types::Reason::{NotConfigured, NotPresent, WarmingUp};
    match (view.quality, view.reason) {
        (Quality::Good, _) => "good",
        (Quality::Uncertain, _) => "uncertain",
        (Quality::Bad, Some(NotConfigured | NotPresent | WarmingUp)) => "absent",
        (Quality::Bad, _) => "bad",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_readable() {
        let cases = [
            (0.0, "0\u{a0}<small>B</small>"),
            (999.0, "999\u{a0}<small>B</small>"),
            (1500.0, "1.5\u{a0}<small>kB</small>"),
            (123_456_789.0, "123\u{a0}<small>MB</small>"),
        ];
        for (count, expected) in cases {
            assert_eq!(bytes(count), expected);
        }
    }

    #[test]
    fn figures_have_their_decimals_and_a_wide_minus() {
        let cases = [
            (-97.25, 1, "−97.2"),
            (-0.04, 1, "0.0"),
            (0.0, 0, "0"),
            (21.5, 2, "21.50"),
            (-f64::MAX, 1, "−1.7977e308"),
        ];
        for (value, decimals, expected) in cases {
            assert_eq!(fixed(value, decimals), expected);
        }
        for (value, expected) in [(1.0, 0), (1.5, 1), (0.1 + 0.2, 1), (1e-7, 0), (3.875, 3)] {
            assert_eq!(decimals(value), expected, "{value}");
        }
    }
}
