//! Channels of the kernel's Industrial I/O devices, from the names of their files.
//!
//! ```text
//! in_temp_input              the number itself
//! in_voltage0_raw            what the converter gave, with in_voltage0_scale or in_voltage_scale
//! in_voltage0-voltage1_raw   a difference, with in_voltage-voltage_scale
//! ```
//! Linux, `Documentation/ABI/testing/sysfs-bus-iio`.

use super::channel::{Channel, Files, Quantity, kebab};

/// The longest modifier (`ambient`, `object`) that goes into a name.
const MODIFIER_MAX: usize = 12;

/// The channels of a device that has files of these names. A raw number without a scale has no unit and is left out.
pub(super) fn channels(files: &[String]) -> Vec<Channel> {
    let mut channels: Vec<Channel> = Vec::new();
    for file in files {
        let Some((stem, is_raw)) = stem(file) else {
            continue;
        };
        let Some((name, quantity, exponent)) = meaning(stem) else {
            continue;
        };
        let files = if is_raw {
            let is_processed = files
                .iter()
                .any(|other| *other == format!("in_{stem}_input"));
            let Some(scale) = attribute(files, stem, "scale") else {
                continue;
            };
            if is_processed {
                continue;
            }
            Files::Raw {
                raw: file.clone(),
                scale,
                offset: attribute(files, stem, "offset"),
            }
        } else {
            Files::Processed(file.clone())
        };
        if channels.iter().all(|other| other.name != name) {
            channels.push(Channel {
                name,
                quantity,
                exponent,
                files,
                fault: None,
            });
        }
    }
    channels
}

/// What stands between `in_` and `_input` or `_raw`, and whether it was `_raw`.
fn stem(file: &str) -> Option<(&str, bool)> {
    let rest = file.strip_prefix("in_")?;
    let processed = rest.strip_suffix("_input").map(|stem| (stem, false));
    processed.or_else(|| Some((rest.strip_suffix("_raw")?, true)))
}

/// Name, quantity and power of ten of `voltage0-voltage1`, `temp`, `temp_ambient`.
fn meaning(stem: &str) -> Option<(String, Quantity, i8)> {
    let (channel, modifier) = stem.split_once('_').unwrap_or((stem, ""));
    let (first, second) = match channel.split_once('-') {
        Some((first, second)) => (first, Some(second)),
        None => (channel, None),
    };
    let (kind, number) = split(first);
    let (quantity, exponent) = match kind {
        "temp" => (Quantity::Temperature, -3),
        "humidityrelative" => (Quantity::Humidity, -3),
        "pressure" => (Quantity::Pressure, 3),
        "voltage" => (Quantity::Voltage, -3),
        "current" => (Quantity::Current, -3),
        "power" => (Quantity::Power, -3),
        "illuminance" => (Quantity::Illuminance, 0),
        _ => return None,
    };
    let other = match second.map(split) {
        None => "",
        Some((other, number)) if other == kind && !number.is_empty() => number,
        Some(_) => return None,
    };
    let mut name = quantity.word().to_owned();
    let modifier = kebab(modifier, MODIFIER_MAX);
    for part in [number, other, &modifier] {
        if !part.is_empty() {
            name.push('-');
            name.push_str(part);
        }
    }
    Some((name, quantity, exponent))
}

/// Letters and the number after them: `voltage12`. Numbers are short.
fn split(word: &str) -> (&str, &str) {
    let letters = word.trim_end_matches(|sign: char| sign.is_ascii_digit());
    let number = &word[letters.len()..];
    if number.len() > 3 {
        return ("", "");
    }
    (letters, number)
}

/// The file with a raw number's scale or offset: its own, that of its kind, or that of the whole device.
fn attribute(files: &[String], stem: &str, what: &str) -> Option<String> {
    let of_kind: String = stem.chars().filter(|sign| !sign.is_ascii_digit()).collect();
    let bare = of_kind.split(['_', '-']).next().unwrap_or_default();
    let candidates = [
        format!("in_{stem}_{what}"),
        format!("in_{of_kind}_{what}"),
        format!("in_{bare}_{what}"),
        format!("in_{what}"),
        what.to_owned(),
    ];
    let mut candidates = candidates.into_iter();
    candidates.find(|file| files.contains(file))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `name quantity files`, one channel a line.
    fn told(files: &[&str]) -> Vec<String> {
        let files: Vec<String> = files.iter().map(|&file| file.to_owned()).collect();
        let told = channels(&files).into_iter().map(|channel| {
            let files = match channel.files {
                Files::Processed(file) => file,
                Files::Raw { raw, scale, offset } => {
                    format!("{raw} {scale} {}", offset.unwrap_or_default())
                }
            };
            format!("{}: {}", channel.name, files.trim_end())
        });
        told.collect()
    }

    #[test]
    fn devices() {
        // Linux drivers/iio: pressure/bmp280-core.c.
        let bme280 = [
            "dev",
            "name",
            "uevent",
            "in_temp_input",
            "in_temp_oversampling_ratio",
            "in_pressure_input",
            "in_humidityrelative_input",
        ];
        assert_eq!(
            told(&bme280),
            [
                "temperature: in_temp_input",
                "pressure: in_pressure_input",
                "humidity: in_humidityrelative_input",
            ]
        );
        // adc/ti-ads1015.c.
        let ads1115 = [
            "in_voltage0-voltage1_raw",
            "in_voltage0-voltage1_scale",
            "in_voltage0_raw",
            "in_voltage0_scale",
            "in_voltage3_raw",
            "in_voltage3_scale",
            "in_voltage0_sampling_frequency",
            "in_voltage_scale_available",
            "in_timestamp_en",
        ];
        assert_eq!(
            told(&ads1115),
            [
                "voltage-0-1: in_voltage0-voltage1_raw in_voltage0-voltage1_scale",
                "voltage-0: in_voltage0_raw in_voltage0_scale",
                "voltage-3: in_voltage3_raw in_voltage3_scale",
            ]
        );
        // A difference whose scale is that of all differences; a temperature with an offset.
        let shared = [
            "in_voltage0-voltage1_raw",
            "in_voltage-voltage_scale",
            "in_temp_raw",
            "in_temp_scale",
            "in_temp_offset",
        ];
        assert_eq!(
            told(&shared),
            [
                "voltage-0-1: in_voltage0-voltage1_raw in_voltage-voltage_scale",
                "temperature: in_temp_raw in_temp_scale in_temp_offset",
            ]
        );
        // The number itself is preferred to the converter's; modifiers are part of the name.
        let both = [
            "in_voltage2_input",
            "in_voltage2_raw",
            "in_voltage_scale",
            "in_temp_object_raw",
            "in_temp_scale",
        ];
        assert_eq!(
            told(&both),
            [
                "voltage-2: in_voltage2_input",
                "temperature-object: in_temp_object_raw in_temp_scale",
            ]
        );
    }

    #[test]
    fn what_is_no_channel() {
        let files = [
            "in_voltage0_raw", // Without a scale it has no unit.
            "in_accel_x_raw",
            "in_accel_scale",
            "out_voltage0_raw",
            "out_voltage_scale",
            "in_voltage0-current1_raw",
            "in_voltage0-voltage_raw",
            "in_temp_scale",
            "in__input",
            "in_input",
            "in_voltage99999_input",
            "in_temp",
            "",
            "in_\u{438}_input",
        ];
        assert_eq!(told(&files), [""; 0]);
    }
}
