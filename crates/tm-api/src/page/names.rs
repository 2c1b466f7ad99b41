//! What people call a series.

use tm_types::SeriesId;

use crate::labels::Labels;

/// Sources whose name says nothing that the quantity does not.
const OWN_SOURCES: [&str; 4] = ["modem", "gnss", "sensors", "io"];

/// Quantity and device: `Temperature · bme280`. The series' own words where they are not known.
pub(super) fn title(series: &SeriesId, labels: &Labels) -> String {
    let name = series.name();
    let (device, quantity) = name.rsplit_once('/').unwrap_or(("", name));
    let quantity = words(quantity, labels);
    let is_own = OWN_SOURCES.contains(&series.source());
    let mut text = quantity;
    // The modem's slot is no name; which temperature it is, is.
    let device = match series.source() {
        "modem" if series.name().ends_with("/temperature") => labels.modem.to_owned(),
        "modem" => String::new(),
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

/// A quantity in words, and which of several it is: `voltage-0-1` is `Voltage 0-1`.
fn words(name: &str, labels: &Labels) -> String {
    let mut known = name;
    loop {
        if let Some(word) = labels.quantity(known) {
            let which = name[known.len()..].trim_start_matches('-');
            return format!("{word} {which}").trim_end().to_owned();
        }
        match known.rsplit_once('-') {
            Some((shorter, _)) => known = shorter,
            None => return name.to_owned(),
        }
    }
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
            ("sensors/bme280-76/humidity", "Humidity · bme280-76"),
            ("sensors/ads1115-48/voltage-0-1", "Voltage 0-1 · ads1115-48"),
            ("sensors/nct/temperature-core-0", "Temperature core-0 · nct"),
            ("sensors/mmcblk0/wear", "Flash wear · mmcblk0"),
            ("io/mains", "Mains"),
            ("sensors/odd-name-3", "odd-name-3"),
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
