//! The files of a DS18B20 as the kernel's `w1_therm` driver shows them.

use super::{Entry, SensorFault};
use crate::number::round;

/// Configuration register and reserved bytes of the scratchpad at 12 bits (DS18B20 data sheet, "Memory").
const REST: [u8; 6] = [0x4b, 0x46, 0x7f, 0xff, 0x0c, 0x10];

pub(super) fn sensor(id: &str, degrees: f64, fault: Option<SensorFault>) -> Vec<Entry> {
    let directory = format!("sys/bus/w1/devices/{id}");
    if fault == Some(SensorFault::Removed) {
        return vec![Entry::Absent(directory.into())];
    }
    let name = Entry::text(&format!("{directory}/name"), format!("{id}\n"));
    let (temperature, w1_slave) = (
        format!("{directory}/temperature"),
        format!("{directory}/w1_slave"),
    );
    if fault == Some(SensorFault::Garbage) {
        return vec![
            name,
            Entry::text(&temperature, "\u{1}?-\n"),
            Entry::text(&w1_slave, "?? ff 00\n\n"),
        ];
    }
    // 1/16 degree; 85 °C is what the sensor holds at power-on.
    let sixteenths = if fault == Some(SensorFault::PowerOn) {
        85 * 16
    } else {
        round(degrees * 16.0)
    };
    let millidegrees = sixteenths * 1000 / 16;
    let [.., high, low] = sixteenths.to_be_bytes();
    let mut scratchpad = vec![low, high];
    scratchpad.extend(REST);
    let crc = crc8(&scratchpad);
    scratchpad.push(crc);
    let is_bad = fault == Some(SensorFault::BadCrc);
    if is_bad {
        scratchpad[0] ^= 0x40;
    }
    let bytes: Vec<String> = scratchpad
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let bytes = bytes.join(" ");
    let verdict = if is_bad { "NO" } else { "YES" };
    let text = format!("{bytes} : crc={crc:02x} {verdict}\n{bytes} t={millidegrees}\n");
    let temperature = if is_bad {
        Entry::Unreadable(temperature.into())
    } else {
        Entry::text(&temperature, format!("{millidegrees}\n"))
    };
    vec![name, temperature, Entry::text(&w1_slave, text)]
}

/// Dallas/Maxim CRC-8, polynomial x^8 + x^5 + x^4 + 1, least significant bit first.
fn crc8(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ byte, |crc, _| {
            if crc & 1 == 1 {
                crc >> 1 ^ 0x8c
            } else {
                crc >> 1
            }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_the_data_sheet() {
        // ROM code of Maxim's application note 27.
        assert_eq!(crc8(&[0x02, 0x1c, 0xb8, 0x01, 0x00, 0x00, 0x00]), 0xa2);
        // Seen on many sensors at power-on: 85 °C.
        assert_eq!(
            crc8(&[0x50, 0x05, 0x4b, 0x46, 0x7f, 0xff, 0x0c, 0x10]),
            0x1c
        );
    }

    #[test]
    fn below_zero_is_two_s_complement() {
        let entries = sensor("28-x", -10.125, None);
        let Entry::Text(_, text) = &entries[2] else {
            panic!("a text")
        };
        assert!(text.starts_with("5e ff 4b 46 7f ff 0c 10 "), "{text}");
        assert!(text.ends_with(" t=-10125\n"), "{text}");
    }
}
