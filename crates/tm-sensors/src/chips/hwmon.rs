//! Channels of the kernel's hardware monitoring chips, from the names of their files.
//!
//! `temp1_input` with its `temp1_label` and `temp1_fault`: Linux, `Documentation/hwmon/sysfs-interface.rst`.

use std::collections::HashMap;

use super::channel::{Channel, Files, Quantity, kebab};

/// The longest label that goes into a name.
const LABEL_MAX: usize = 16;

/// The channels of a chip that has files of these names; `labels` are the texts of its `*_label` files.
///
/// A quantity that is there once has no number: `temperature`, else `temperature-2` or `temperature-core-0`.
pub(super) fn channels(files: &[String], labels: &HashMap<String, String>) -> Vec<Channel> {
    let found: Vec<(&str, Quantity, i8)> = files
        .iter()
        .filter_map(|file| {
            let stem = file.strip_suffix("_input")?;
            let (quantity, exponent) = meaning(stem)?;
            Some((stem, quantity, exponent))
        })
        .collect();
    let mut channels: Vec<Channel> = Vec::new();
    for (stem, quantity, exponent) in &found {
        let n_alike = found
            .iter()
            .filter(|(_, other, _)| other == quantity)
            .count();
        let number = stem.trim_start_matches(|sign: char| sign.is_ascii_lowercase());
        let label = labels.get(&format!("{stem}_label"));
        let label = label.map_or_else(String::new, |label| kebab(label, LABEL_MAX));
        let numbered = format!("{}-{number}", quantity.word());
        let mut name = match label.as_str() {
            "" if n_alike == 1 => quantity.word().to_owned(),
            "" => numbered.clone(),
            label => format!("{}-{label}", quantity.word()),
        };
        if channels.iter().any(|other| other.name == name) {
            name = numbered;
        }
        let fault = format!("{stem}_fault");
        channels.push(Channel {
            name,
            quantity: *quantity,
            exponent: *exponent,
            files: Files::Processed(format!("{stem}_input")),
            fault: files.contains(&fault).then_some(fault),
        });
    }
    channels
}

/// Quantity and power of ten of `temp1`, `in0`.
fn meaning(stem: &str) -> Option<(Quantity, i8)> {
    let kind = stem.trim_end_matches(|sign: char| sign.is_ascii_digit());
    if !(1..=3).contains(&(stem.len() - kind.len())) {
        return None;
    }
    Some(match kind {
        "temp" => (Quantity::Temperature, -3),
        "humidity" => (Quantity::Humidity, -3),
        "in" => (Quantity::Voltage, -3),
        "curr" => (Quantity::Current, -3),
        "power" => (Quantity::Power, -6),
        "fan" => (Quantity::Fan, 0),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(files: &[&str], labels: &[(&str, &str)], expected: &[&str]) {
        let files: Vec<String> = files.iter().map(|&file| file.to_owned()).collect();
        let labels = labels
            .iter()
            .map(|&(file, text)| (file.to_owned(), text.to_owned()));
        let channels = channels(&files, &labels.collect());
        let told: Vec<String> = channels
            .into_iter()
            .map(|channel| format!("{} {}", channel.name, channel.fault.unwrap_or_default()))
            .collect();
        let told: Vec<&str> = told.iter().map(|line| line.trim_end()).collect();
        assert_eq!(told, expected);
    }

    #[test]
    fn chips() {
        // Linux drivers/hwmon: sht3x.c, ina2xx.c.
        check(
            &[
                "humidity1_alarm",
                "humidity1_input",
                "name",
                "temp1_input",
                "temp1_max",
            ],
            &[],
            &["humidity", "temperature"],
        );
        check(
            &[
                "curr1_input",
                "in0_input",
                "in1_input",
                "power1_input",
                "shunt_resistor",
            ],
            &[],
            &["current", "voltage-0", "voltage-1", "power"],
        );
        check(
            &[
                "temp1_input",
                "temp2_input",
                "temp2_fault",
                "temp3_input",
                "fan1_input",
            ],
            &[
                ("temp1_label", "Core 0\n"),
                ("temp2_label", "Core 0\n"),
                ("temp3_label", "!!\n"),
            ],
            &[
                "temperature-core-0",
                "temperature-2 temp2_fault",
                "temperature-3",
                "fan",
            ],
        );
    }

    #[test]
    fn what_is_no_channel() {
        check(
            &[
                "temp_input",
                "temp1",
                "temp1_max",
                "temp1234_input",
                "pwm1_input",
                "_input",
                "",
                "energy1_input",
            ],
            &[],
            &[],
        );
    }
}
