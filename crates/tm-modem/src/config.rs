//! `TM_MODEM_*`.

use tm_service::config::{Expected, Secret, Setting};
use tm_service::port::PortUrl;

tm_service::settings! {
    /// `TM_MODEM_*`: the modem.
    pub struct Config {
        /// The modem's AT port.
        pub port: PortUrl = "usb:1e0e:9001:02",
        /// Whether a modem (and its SIM) ought to be there: `true` makes its absence a fault, `false` never,
        /// `auto` once it was seen.
        pub expected: Expected = "auto",
        /// Seconds between two readings of signal, cell, temperature and supply (5 to 3600).
        pub poll_s: u32 [5..=3600] = 60,
        /// PIN of the SIM, 4 to 8 digits. Sent only while all three tries are left.
        pub pin: Option<Pin> = None,
        /// Whether to switch the GNSS engine on and relay its sentences to the bus.
        pub nmea_relay: bool = true,
        /// The modem's NMEA port.
        pub nmea_port: PortUrl = "usb:1e0e:9001:01",
    }
}

/// The PIN of a SIM: 4 to 8 digits, never shown.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pin(Secret);

impl Pin {
    /// The digits, for the one command that needs them.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

impl Setting for Pin {
    const TYPE: &'static str = "secret";
    const EXPECTED: &'static str = "4 to 8 digits";
    const SECRET: bool = true;

    fn parse(text: &str) -> Option<Self> {
        let is_pin = (4..=8).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        is_pin.then(|| Self(Secret::new(text)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_is_digits_and_stays_hidden() {
        let pin = Pin::parse("0042").unwrap();
        assert_eq!(
            (pin.expose(), format!("{pin:?}").as_str()),
            ("0042", "Pin(***)")
        );
        for text in ["", "42", "123456789", "12a4", "1234 "] {
            assert_eq!(Pin::parse(text), None, "{text:?}");
        }
    }
}
