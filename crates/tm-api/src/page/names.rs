//! What people call a series.

use tm_types::SeriesId;

use crate::labels::Labels;

/// Sources whose name says nothing that the quantity does not.
const OWN_SOURCES: [&str; 4] = ["modem", "gnss", "sensors", "io"];

/// Quantity and device: `Temperature · bme280`. The series' own words where they are not known.
pub(super) fn title(series: &SeriesId, labels: &Labels) -> String {
    let name = series.name();
    let (device, quantity) = name.rsplit_once('/').unwrap_or(("", name));
    let quantity = labels.quantity(quantity).unwrap_or(quantity);
    let is_own = OWN_SOURCES.contains(&series.source());
    let mut text = quantity.to_owned();
    // The modem's slot is no name; which temperature it is, is.
    let device = match (series.source(), quantity) {
        ("modem", _) if series.name().ends_with("/temperature") => labels.modem.to_owned(),
        ("modem", _) => String::new(),
        _ => short_device(device),
    };
    for part in [device.as_str(), if is_own { "" } else { series.source() }] {
        if !part.is_empty() {
            text.push_str(" · ");
            text.push_str(part);
        }
    }
    text
}

/// A device on a tile that holds nothing else: long numbers cut.
pub(super) fn short_device(device: &str) -> String {
    match device.split_once('-') {
        // A 1-Wire sensor: its family and twelve digits.
        Some((family, number)) if family.len() == 2 && number.len() == 12 && number.is_ascii() => {
            format!("{family}-…{}", &number[8..])
        }
        _ => device.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tm_types::text::Language;

    #[test]
    fn series_have_names_for_people() {
        let cases = [
            ("modem/1/rsrp", "Signal (RSRP)"),
            ("modem/1/temperature", "Temperature · Modem"),
            ("sensors/bme280/temperature", "Temperature · bme280"),
            (
                "sensors/28-0316a2795c1a/temperature",
                "Temperature · 28-…5c1a",
            ),
            ("sensors/cpu-temperature", "Processor temperature"),
            ("pump-house/level", "Level · pump-house"),
            ("pump-house/well/level", "Level · well · pump-house"),
            ("tank/strange-name", "strange-name · tank"),
            ("sensors/rs485/a/b", "b · rs485/a"),
        ];
        for (series, expected) in cases {
            let series = SeriesId::new(series).unwrap();
            assert_eq!(title(&series, Labels::of(Language::En)), expected);
        }
        let door = SeriesId::new("io/door-open").unwrap();
        assert_eq!(title(&door, Labels::of(Language::Uk)), "Двері відчинено");
    }
}
