//! One quantity of a chip: which files hold it, in which unit, and what of it is believed.

use tm_types::{Reading, Reason, Unit, Value};

use super::exact::Exact;
use crate::report::Deadband;

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quantity {
    Temperature,
    Humidity,
    Pressure,
    Voltage,
    Current,
    Power,
    Illuminance,
    Fan,
}

impl Quantity {
    /// What the name of a channel begins with.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Temperature => "temperature",
            Self::Humidity => "humidity",
            Self::Pressure => "pressure",
            Self::Voltage => "voltage",
            Self::Current => "current",
            Self::Power => "power",
            Self::Illuminance => "illuminance",
            Self::Fan => "fan",
        }
    }

    pub(super) fn unit(self) -> Unit {
        const CEL: Unit = Unit::known("Cel");
        const HUMIDITY: Unit = Unit::known("%RH");
        const PASCAL: Unit = Unit::known("Pa");
        const VOLT: Unit = Unit::known("V");
        const AMPERE: Unit = Unit::known("A");
        const WATT: Unit = Unit::known("W");
        const LUX: Unit = Unit::known("lx");
        const PER_MINUTE: Unit = Unit::known("1/min");
        match self {
            Self::Temperature => CEL,
            Self::Humidity => HUMIDITY,
            Self::Pressure => PASCAL,
            Self::Voltage => VOLT,
            Self::Current => AMPERE,
            Self::Power => WATT,
            Self::Illuminance => LUX,
            Self::Fan => PER_MINUTE,
        }
    }

    /// Decimal places that are kept: finer than the finest step of the sensors named in `docs/sensors.md`.
    pub(super) fn places(self) -> u8 {
        match self {
            Self::Temperature | Self::Humidity | Self::Illuminance => 2,
            Self::Pressure => 1,
            Self::Voltage | Self::Current | Self::Power => 6,
            Self::Fan => 0,
        }
    }

    /// What is worth a message.
    pub(super) fn deadband(self, of_temperature: Deadband) -> Deadband {
        match self {
            Self::Temperature => of_temperature,
            Self::Humidity => Deadband::Absolute(1.0),
            Self::Pressure => Deadband::Absolute(20.0),
            Self::Fan => Deadband::Percent(5.0),
            Self::Voltage | Self::Current | Self::Power | Self::Illuminance => {
                Deadband::Percent(1.0)
            }
        }
    }

    /// What can be: of the driver's sensor by its data sheet, else of nature.
    fn believes(self, driver: &str, value: &Value) -> bool {
        let range = match (driver, self) {
            // BME280 data sheet 1.6, tables 1 to 4; BMP280 data sheet 1.14, table 2.
            ("bme280" | "bmp280", Self::Temperature) => -40.0..=85.0,
            ("bme280" | "bmp280", Self::Pressure) => 30_000.0..=110_000.0,
            // SHT3x-DIS data sheet 7, table 2.
            ("sht3x", Self::Temperature) => -40.0..=125.0,
            (_, Self::Temperature) => -273.15..=f64::MAX,
            (_, Self::Humidity) => 0.0..=100.0,
            (_, Self::Pressure | Self::Illuminance | Self::Fan) => 0.0..=f64::MAX,
            (_, Self::Voltage | Self::Current | Self::Power) => return true,
        };
        value.to_f64().is_some_and(|number| range.contains(&number))
    }
}

/// Where a number comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Files {
    /// The number itself.
    Processed(String),
    /// What the converter gave: (raw + offset) × scale.
    Raw {
        raw: String,
        scale: String,
        offset: Option<String>,
    },
}

/// One channel of a chip.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Channel {
    /// `temperature`, `voltage-0`, `voltage-0-1`; unique within the chip.
    pub(super) name: String,
    pub(super) quantity: Quantity,
    /// From the kernel's unit to ours, a power of ten.
    pub(super) exponent: i8,
    pub(super) files: Files,
    /// Holds `1` while the sensor itself is broken (hwmon's `temp1_fault`).
    pub(super) fault: Option<String>,
}

/// The texts of a channel's files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Texts {
    pub(super) number: String,
    /// Scale and offset, of a raw number.
    pub(super) scale: Option<String>,
    pub(super) offset: Option<String>,
    pub(super) fault: Option<String>,
}

impl Channel {
    /// The reading that these texts of the driver's are.
    pub(super) fn reading(&self, driver: &str, texts: &Texts) -> Reading {
        if texts
            .fault
            .as_deref()
            .is_some_and(|text| text.trim() != "0")
        {
            return Reading::Missing(Reason::DeviceError);
        }
        let Some(value) = self.value(driver, texts) else {
            return Reading::Missing(Reason::BadReply);
        };
        if !self.quantity.believes(driver, &value) {
            return Reading::Missing(Reason::OutOfRange);
        }
        Reading::Good(value)
    }

    fn value(&self, driver: &str, texts: &Texts) -> Option<Value> {
        let mut number = Exact::parse(&texts.number)?;
        let mut exponent = self.exponent;
        if let Some(scale) = &texts.scale {
            let offset = texts
                .offset
                .as_deref()
                .map_or(Some(Exact::ZERO), Exact::parse);
            let scale = Exact::parse(scale)?;
            number = number.plus(offset?)?.times(scale)?;
            if is_in_volts(driver, scale) {
                exponent = 0;
            }
        }
        number.shifted(exponent)?.rounded(self.quantity.places())
    }
}

/// The driver `mcp3422` scales to volts where the kernel's rule is millivolts: `mcp3422_scales` is in nanovolts and
/// told as nanounits (`drivers/iio/adc/mcp3422.c`; Raspberry Pi forum, topic 391674). Its steps are 1 mV to 1.953 µV:
/// a corrected driver would tell them as 1 to 0.001953, this one as 0.001 to 0.000001953.
fn is_in_volts(driver: &str, scale: Exact) -> bool {
    const LARGEST: Exact = Exact::of(1, 3);
    driver.starts_with("mcp342") && scale.is_at_most(LARGEST)
}

/// Lower case letters and digits, anything else as one dash; at most `max` characters.
pub(super) fn kebab(text: &str, max: usize) -> String {
    let mut word = String::new();
    for sign in text.trim().chars() {
        if sign.is_ascii_alphanumeric() {
            word.push(sign.to_ascii_lowercase());
        } else if !word.is_empty() && !word.ends_with('-') {
            word.push('-');
        }
    }
    word.truncate(max);
    word.trim_end_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(quantity: Quantity, exponent: i8, driver: &str, texts: [&str; 3], expected: &str) {
        let channel = Channel {
            name: quantity.word().to_owned(),
            quantity,
            exponent,
            files: Files::Processed(String::new()),
            fault: None,
        };
        let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let texts = Texts {
            number: texts[0].to_owned(),
            scale: given(texts[1]),
            offset: given(texts[2]),
            fault: None,
        };
        let reading = channel.reading(driver, &texts);
        let got = match (reading.value(), reading.reason()) {
            (Some(value), _) => format!("{value} {}", quantity.unit()),
            (None, reason) => reason.unwrap().as_str().to_owned(),
        };
        assert_eq!(got, expected, "{driver} {texts:?}");
    }

    #[test]
    fn numbers_of_the_kernel() {
        use Quantity::{Current, Humidity, Illuminance, Power, Pressure, Temperature, Voltage};
        check(Temperature, -3, "bme280", ["23450\n", "", ""], "23.45 Cel");
        check(Temperature, -3, "bme280", ["-7", "", ""], "-0.01 Cel");
        check(Temperature, -3, "bme280", ["85001", "", ""], "85 Cel");
        check(Temperature, -3, "bme280", ["86000", "", ""], "out_of_range");
        check(Temperature, -3, "max31855", ["1200000", "", ""], "1200 Cel");
        check(
            Temperature,
            -3,
            "max31855",
            ["-300000", "", ""],
            "out_of_range",
        );
        check(
            Pressure,
            3,
            "bme280",
            ["101.327589843", "", ""],
            "101327.6 Pa",
        );
        check(
            Pressure,
            3,
            "bme280",
            ["0.000000000", "", ""],
            "out_of_range",
        );
        check(
            Humidity,
            -3,
            "bme280",
            ["47123.437500000", "", ""],
            "47.12 %RH",
        );
        check(Humidity, -3, "sht3x", ["100001", "", ""], "100 %RH");
        check(Humidity, -3, "sht3x", ["100010", "", ""], "out_of_range");
        check(
            Voltage,
            -3,
            "ads1115",
            ["-32768", "0.125000000", ""],
            "-4.096 V",
        );
        check(
            Voltage,
            -3,
            "mcp3424",
            ["2047", "0.001000000", ""],
            "2.047 V",
        );
        check(
            Voltage,
            -3,
            "mcp3424",
            ["-131072", "0.000015625", ""],
            "-2.048 V",
        );
        check(
            Voltage,
            -3,
            "mcp3422",
            ["131071", "0.000001953", ""],
            "0.255982 V",
        );
        check(
            Voltage,
            -3,
            "mcp3424",
            ["131071", "0.015625", ""],
            "2.047984 V",
        );
        check(Voltage, -3, "x", ["100", "0.5", "-20"], "0.04 V");
        check(Current, -3, "ina219", ["1234", "", ""], "1.234 A");
        check(Power, -6, "ina219", ["15000000", "", ""], "15 W");
        check(
            Illuminance,
            0,
            "bh1750",
            ["104", "0.833333", ""],
            "86.67 lx",
        );
        for bad in ["", "garbage", "12 34", "1e9", "0x10", "9999999999999999999"] {
            check(Voltage, -3, "x", [bad, "", ""], "bad_reply");
            check(
                Voltage,
                -3,
                "x",
                ["1", bad.trim_end_matches(' '), ""],
                if bad.is_empty() {
                    "0.001 V"
                } else {
                    "bad_reply"
                },
            );
        }
    }

    #[test]
    fn a_broken_sensor_has_no_number() {
        let channel = Channel {
            name: "temperature".to_owned(),
            quantity: Quantity::Temperature,
            exponent: -3,
            files: Files::Processed(String::new()),
            fault: Some("temp1_fault".to_owned()),
        };
        for (fault, expected) in [
            ("0\n", None),
            ("1\n", Some(Reason::DeviceError)),
            ("?", Some(Reason::DeviceError)),
        ] {
            let texts = Texts {
                number: "1000".to_owned(),
                scale: None,
                offset: None,
                fault: Some(fault.to_owned()),
            };
            assert_eq!(channel.reading("x", &texts).reason(), expected, "{fault:?}");
        }
    }

    #[test]
    fn words() {
        for (text, expected) in [
            ("Core 0\n", "core-0"),
            ("  +3V3 (main)", "3v3-main"),
            ("", ""),
            ("Датчик", ""),
            ("aaaaaaaaaaa-b", "aaaaaaaaaaa"),
        ] {
            assert_eq!(kebab(text, 12), expected, "{text:?}");
        }
    }
}
