//! Thermal zones: what they are called, and which of their numbers can be believed.

use std::collections::HashMap;

use tm_types::{PointName, Reading, Reason, Value};

/// What a thermal zone of a computer can show; beyond it the number is an error code.
const ZONE_MILLI_CEL: std::ops::RangeInclusive<i64> = -55_000..=150_000;
/// The longest part of a zone's type that goes into a name: with the longest source it fits a series id.
const TYPE_MAX: usize = 16;

/// Names the zones by their types, in their order: `cpu-thermal` is `cpu-temperature`, a second
/// one of a type `acpitz-2-temperature`.
///
/// Intel calls the processor `x86_pkg_temp`, the Raspberry Pi `cpu-thermal`.
pub(super) fn zone_names(types: &[&str]) -> Vec<PointName> {
    let mut uses: HashMap<String, u32> = HashMap::new();
    let named = types.iter().map(|zone_type| {
        let word = zone_word(zone_type);
        let nth = uses.entry(word.clone()).or_insert(0);
        *nth += 1;
        let name = match nth {
            1 => format!("{word}-temperature"),
            _ => format!("{word}-{nth}-temperature"),
        };
        PointName::new(&name).expect("made of the alphabet, and short")
    });
    named.collect()
}

/// The type in kebab-case without its suffix.
fn zone_word(zone_type: &str) -> String {
    let mut word = String::new();
    for c in zone_type.trim().chars().take(TYPE_MAX) {
        if c.is_ascii_alphanumeric() {
            word.push(c.to_ascii_lowercase());
        } else if !word.is_empty() && !word.ends_with('-') {
            word.push('-');
        }
    }
    let word = word.trim_end_matches('-');
    let word = word
        .strip_suffix("-thermal")
        .or_else(|| word.strip_suffix("-temp"))
        .unwrap_or(word);
    match word {
        "" => "zone".to_owned(),
        "x86-pkg" => "cpu".to_owned(),
        other => other.to_owned(),
    }
}

/// The reading of a `temp` file, which holds thousandths of a degree: `48686`.
///
/// Rounded to tenths: the zones of a Pi step by about half a degree.
pub(super) fn zone_reading(temp: &str) -> Reading {
    match temp.trim().parse::<i64>() {
        Ok(milli) if ZONE_MILLI_CEL.contains(&milli) => {
            let tenths = (milli + 50 * milli.signum()) / 100;
            Value::decimal(tenths, 1).map_or(Reading::Missing(Reason::OutOfRange), Reading::Good)
        }
        Ok(_) => Reading::Missing(Reason::OutOfRange),
        Err(_) => Reading::Missing(Reason::BadReply),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tm_types::{SeriesId, Source};

    #[test]
    fn names() {
        let types = [
            "cpu-thermal\n",
            "x86_pkg_temp",
            "acpitz",
            "acpitz",
            "",
            "INT3400 Thermal",
            "!!!",
            "gpu_thermal",
        ];
        let got: Vec<String> = zone_names(&types).iter().map(ToString::to_string).collect();
        let expected = [
            "cpu-temperature",
            "cpu-2-temperature",
            "acpitz-temperature",
            "acpitz-2-temperature",
            "zone-temperature",
            "int3400-temperature",
            "zone-2-temperature",
            "gpu-temperature",
        ];
        assert_eq!(got, expected);
        let long = zone_names(&["ü".repeat(500).as_str(), &"x".repeat(500)]);
        let source: Source = "s".repeat(32).parse().unwrap();
        for name in &long {
            assert!(SeriesId::of(&source, name).is_ok(), "{name}");
        }
    }

    #[test]
    fn readings() {
        let cases = [
            ("48686\n", "48.7"),
            ("-4050", "-4.1"),
            ("0", "0"),
            ("150000", "150"),
            ("150001", "out_of_range"),
            ("-274000", "out_of_range"),
            ("", "bad_reply"),
            ("48.7", "bad_reply"),
            ("garbage", "bad_reply"),
            ("99999999999999999999999", "bad_reply"),
        ];
        for (text, expected) in cases {
            let reading = zone_reading(text);
            let got = match (reading.value(), reading.reason()) {
                (Some(value), None) => value.to_string(),
                (None, Some(reason)) => reason.as_str().to_owned(),
                other => panic!("{other:?}"),
            };
            assert_eq!(got, expected, "{text:?}");
        }
    }
}
