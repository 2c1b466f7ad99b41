//! Names for chips that stay the same over restarts and plugging: the driver's name and the address on the bus.

use super::channel::kebab;

/// The longest driver's name and the longest address in a name.
const PART_MAX: usize = 16;

/// The name of a chip with that driver, below the kernel's device of that name.
///
/// ```text
/// bme280  1-0076    bme280-76        I2C bus 1 is the one on the Pi's header
/// bme280  3-0076    bme280-3-76
/// bmp280  spi0.1    bmp280-spi0-1
/// poe     rpi-poe   poe-rpi-poe
/// ```
pub(super) fn name(driver: &str, device: &str) -> String {
    let driver = match kebab(driver, PART_MAX) {
        driver if driver.is_empty() => "chip".to_owned(),
        driver => driver,
    };
    let address = match i2c(device) {
        Some(("1", address)) => address.to_owned(),
        Some((bus, address)) => format!("{bus}-{address}"),
        None => kebab(device, PART_MAX),
    };
    if address.is_empty() {
        return driver;
    }
    format!("{driver}-{address}")
}

/// Bus and address of an I2C client: `1-0076`. The address has seven bits; ten are shown with a leading `a`.
fn i2c(device: &str) -> Option<(&str, &str)> {
    let (bus, address) = device.split_once('-')?;
    let is_bus = !bus.is_empty() && bus.len() <= 3 && bus.bytes().all(|b| b.is_ascii_digit());
    let is_address = address.len() == 4
        && address
            .bytes()
            .all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    (is_bus && is_address).then(|| (bus, address.strip_prefix("00").unwrap_or(address)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for (driver, device, expected) in [
            ("bme280", "1-0076", "bme280-76"),
            ("bme280", "1-0077", "bme280-77"),
            ("bme280", "10-0076", "bme280-10-76"),
            ("x", "1-a050", "x-a050"),
            ("bmp280", "spi0.1", "bmp280-spi0-1"),
            ("TI,ads1115\n", "1-0048", "ti-ads1115-48"),
            ("dht11", "dht11@11", "dht11-dht11-11"),
            ("", "1-0048", "chip-48"),
            ("nct6775", "", "nct6775"),
            ("\u{0}", "\u{ff}", "chip"),
            (
                "a-very-long-name-of-a-driver",
                "a-very-long-name-of-a-device",
                "a-very-long-name-a-very-long-name",
            ),
        ] {
            assert_eq!(name(driver, device), expected, "{driver:?} {device:?}");
        }
    }
}
