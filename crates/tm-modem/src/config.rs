//! `TM_MODEM_*`.

use tm_service::config::{Expected, Secret};
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
        pub pin: Option<Secret> = None,
        /// Whether to switch the GNSS engine on and relay its sentences to the bus.
        pub nmea_relay: bool = true,
        /// The modem's NMEA port.
        pub nmea_port: PortUrl = "usb:1e0e:9001:01",
    }
}
