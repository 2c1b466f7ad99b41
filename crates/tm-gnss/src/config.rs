//! `TM_GNSS_*`.

use std::fmt;
use std::str::FromStr;

use tm_service::config::Expected;
use tm_service::port::{InvalidUrl, PortUrl};

tm_service::settings! {
    /// `TM_GNSS_*`: the GNSS reader.
    pub struct Config {
        /// Where sentences come from: `auto` (whatever is relayed on the bus), `bus`, or a port:
        /// `/dev/ttyACM0`, `usb:1546:01a8:00`, `tcp://10.0.0.4:10110`.
        pub source: SourceSetting = "auto",
        /// Whether a source ought to be there: `true` makes its absence a fault, `false` never,
        /// `auto` once it was heard.
        pub expected: Expected = "auto",
        /// Seconds between two published positions while the cabinet stands still (1 to 86400).
        pub publish_s: u32 [1..=86_400] = 600,
        /// Metres from the last published position that count as movement (1 to 100000).
        pub move_m: f64 [1.0..=100_000.0] = 50.0,
        /// Seconds without a sentence after which a source is silent (2 to 3600).
        pub silent_after_s: u32 [2..=3600] = 5,
    }
}

/// Where sentences come from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SourceSetting {
    /// Whatever is found; today the same as [`Bus`](Self::Bus).
    Auto,
    /// A relay on the bus, `tm/v1/nmea/<source>`: the first that is heard.
    Bus,
    /// A port of our own.
    Port(PortUrl),
}

impl FromStr for SourceSetting {
    type Err = InvalidUrl;

    fn from_str(text: &str) -> Result<Self, InvalidUrl> {
        match text {
            "auto" => Ok(Self::Auto),
            "bus" => Ok(Self::Bus),
            port => port.parse().map(Self::Port),
        }
    }
}

impl fmt::Display for SourceSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Bus => f.write_str("bus"),
            Self::Port(port) => fmt::Display::fmt(port, f),
        }
    }
}

tm_service::setting!(
    SourceSetting,
    "source",
    "auto, bus, or a port: /dev/…, usb:vvvv:pppp:ii or tcp://host:port"
);
