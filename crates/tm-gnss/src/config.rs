//! `TM_GNSS_*`.

use std::fmt;
use std::net::{AddrParseError, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use crate::place::Fence;
use tm_service::config::Expected;
use tm_service::port::{InvalidUrl, PortUrl};

tm_service::settings! {
    /// `TM_GNSS_*`: the GNSS reader.
    pub struct Config {
        /// Where sentences come from: `auto` (a relay on the bus, else a gpsd, else a USB receiver), `bus`,
        /// `gpsd://10.0.0.4:2947`, a port (`/dev/ttyACM0`, `usb:1546:01a8:00`, `tcp://10.0.0.4:10110`),
        /// or a recording (`file:/data/log.nmea`).
        pub source: SourceSetting = "auto",
        /// Whether a source ought to be there: `true` makes its absence a fault, `false` never,
        /// `auto` once it was heard.
        pub expected: Expected = "auto",
        /// Seconds between two published positions while the cabinet stands still (1 to 86400).
        pub publish_s: u32 [1..=86_400] = 600,
        /// Metres from the last published position that count as movement (1 to 100000).
        pub move_m: f64 [1.0..=100_000.0] = 50.0,
        /// A circle the cabinet ought to stay in: latitude, longitude and radius in metres, `50.45,30.52,200`. Empty: none.
        pub geofence: Option<Fence> = None,
        /// Seconds without a sentence after which a source is silent (2 to 3600).
        pub silent_after_s: u32 [2..=3600] = 5,
        /// Address and port for clients of gpsd, such as `0.0.0.0:2947`. Empty: no server. The protocol knows no password.
        pub gpsd_listen: Option<ListenAddress> = None,
        /// Socket of a chronyd (`refclock SOCK …`) that gets the satellites' time while it is trusted. Empty: none.
        pub chrony_sock: Option<String> = None,
    }
}

/// An address of this machine and a port.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ListenAddress(pub SocketAddr);

impl FromStr for ListenAddress {
    type Err = AddrParseError;

    fn from_str(text: &str) -> Result<Self, AddrParseError> {
        text.parse().map(Self)
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

tm_service::setting!(
    ListenAddress,
    "address",
    "an address with a port, such as 0.0.0.0:2947"
);

/// Where sentences come from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SourceSetting {
    /// Whatever is found first: a relay on the bus, a gpsd, a USB receiver.
    Auto,
    /// A relay on the bus, `tm/v1/nmea/<source>`: the first that is heard.
    Bus,
    /// A gpsd, which is asked for its receiver's sentences; a TCP URL.
    Gpsd(PortUrl),
    /// A port of our own.
    Port(PortUrl),
    /// A recording, played once at the pace of its times.
    File(PathBuf),
}

/// The port of gpsd (IANA `gpsd`).
const GPSD_PORT: u16 = 2947;

impl FromStr for SourceSetting {
    type Err = InvalidUrl;

    fn from_str(text: &str) -> Result<Self, InvalidUrl> {
        if let Some(address) = text.strip_prefix("gpsd://") {
            let url = format!("tcp://{address}");
            let url = url
                .parse()
                .or_else(|_| format!("{}:{GPSD_PORT}", url.trim_end_matches('/')).parse());
            return url.map(Self::Gpsd);
        }
        if let Some(path) = text.strip_prefix("file:") {
            let is_absolute = path.starts_with('/') && path.len() > 1;
            return is_absolute
                .then(|| Self::File(path.into()))
                .ok_or(InvalidUrl);
        }
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
            Self::Gpsd(url) => f.write_str(&url.to_string().replacen("tcp://", "gpsd://", 1)),
            Self::Port(port) => fmt::Display::fmt(port, f),
            Self::File(path) => write!(f, "file:{}", path.display()),
        }
    }
}

tm_service::setting!(
    SourceSetting,
    "source",
    "auto, bus, gpsd://host:port, file:/path, or a port: /dev/…, usb:vvvv:pppp:ii or tcp://host:port"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_come_out_as_they_went_in() {
        for (text, shown) in [
            ("auto", "auto"),
            ("bus", "bus"),
            ("gpsd://gpsd", "gpsd://gpsd:2947"),
            ("gpsd://10.0.0.4:2950", "gpsd://10.0.0.4:2950"),
            ("gpsd://[::1]/", "gpsd://[::1]:2947"),
            ("file:/data/drive.nmea", "file:/data/drive.nmea"),
            ("/dev/ttyACM0", "/dev/ttyACM0"),
            ("tcp://10.0.0.4:10110", "tcp://10.0.0.4:10110"),
        ] {
            let setting: SourceSetting = text.parse().unwrap();
            assert_eq!(setting.to_string(), shown);
            assert_eq!(shown.parse(), Ok(setting));
        }
        for text in ["", "gpsd://", "gpsd://:2947", "file:", "file:log", "modem"] {
            assert_eq!(text.parse::<SourceSetting>(), Err(InvalidUrl), "{text}");
        }
    }
}
