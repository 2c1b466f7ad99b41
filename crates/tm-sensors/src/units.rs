//! The unit symbols that a configuration may use.

/// RFC 8428 §12.1 and RFC 8798 §3 and §4 (secondary units), without those that measure bodies and events.
const SYMBOLS: &[&str] = &[
    // RFC 8428.
    "m", "kg", "g", "s", "A", "K", "cd", "mol", "Hz", "rad", "sr", "N", "Pa", "J", "W", "C", "V",
    "F", "Ohm", "S", "Wb", "T", "H", "Cel", "lm", "lx", "Bq", "Gy", "Sv", "kat", "m2", "m3", "l",
    "m/s", "m/s2", "m3/s", "l/s", "W/m2", "cd/m2", "bit", "bit/s", "lat", "lon", "pH", "dB", "dBW",
    "Bspl", "count", "/", "%", "%RH", "%EL", "EL", "1/s", "1/min", "S/m", // RFC 8798.
    "B", "VA", "VAs", "var", "vars", "J/m", "kg/m3", "deg", "NTU", "ms", "min", "h", "MHz", "kW",
    "kVA", "kvar", "Ah", "Wh", "kWh", "varh", "kvarh", "kVAh", "Wh/km", "KiB", "GB", "Mbit/s",
    "B/s", "MB/s", "mV", "mA", "dBm", "ug/m3", "mm/h", "m/h", "ppm", "/100", "/1000", "hPa", "mm",
    "cm", "km", "km/h",
];

/// What people write instead, and what it is called here.
const HABITS: &[(&str, &str)] = &[
    ("°C", "Cel"),
    ("degC", "Cel"),
    ("celsius", "Cel"),
    ("°", "deg"),
    ("Ω", "Ohm"),
    ("ohm", "Ohm"),
    ("rH", "%RH"),
    ("KWh", "kWh"),
    ("VAr", "var"),
    ("kVAr", "kvar"),
    ("kVArh", "kvarh"),
    ("volt", "V"),
    ("mbar", "hPa"),
    ("sec", "s"),
    ("m³", "m3"),
    ("µg/m³", "ug/m3"),
];

/// Whether a symbol is one of the vocabulary's; otherwise what was probably meant.
pub(crate) fn check(symbol: &str) -> Result<(), Option<&'static str>> {
    if symbol.is_empty() || SYMBOLS.contains(&symbol) {
        return Ok(());
    }
    let habit = HABITS
        .iter()
        .find(|(written, _)| written.eq_ignore_ascii_case(symbol));
    let other_case = || {
        let same = |known: &&&str| known.eq_ignore_ascii_case(symbol);
        SYMBOLS.iter().find(same).copied()
    };
    Err(habit.map(|(_, meant)| *meant).or_else(other_case))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols() {
        for (symbol, expected) in [
            ("", Ok(())),
            ("kWh", Ok(())),
            ("Cel", Ok(())),
            ("°C", Err(Some("Cel"))),
            ("KWH", Err(Some("kWh"))),
            ("Volt", Err(Some("V"))),
            ("furlong", Err(None)),
        ] {
            assert_eq!(check(symbol), expected, "{symbol}");
        }
        for symbol in SYMBOLS {
            assert!(tm_types::Unit::new(symbol).is_ok(), "{symbol}");
        }
        for (_, meant) in HABITS {
            assert_eq!(check(meant), Ok(()), "{meant}");
        }
    }
}
