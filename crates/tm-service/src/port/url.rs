//! What a port is called in the configuration.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// What the SIM7600's UART speaks unless told otherwise (UART Application Note V2.00, 2), and what most tools assume.
const DEFAULT_BAUD: u32 = 115_200;

/// Where a device is reached. Text, JSON and environment: the URL.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum PortUrl {
    /// A tty by its path.
    Device {
        /// An absolute path.
        path: PathBuf,
        /// Symbols per second; USB devices do not care.
        baud: u32,
    },
    /// The tty of a USB device, found by what the device is.
    Usb {
        /// Vendor id.
        vendor: u16,
        /// Product id.
        product: u16,
        /// Interface number, as in sysfs `bInterfaceNumber`.
        interface: u8,
    },
    /// The tty of a USB device, found by where it is plugged in.
    UsbPath {
        /// Bus and sockets: `1-1.3`.
        path: String,
        /// Interface number; absent for the lowest one that has a tty.
        interface: Option<u8>,
    },
    /// A TCP server.
    Tcp {
        /// Host name or address, an IPv6 address in brackets.
        host: String,
        /// Port, 1 to 65535.
        port: u16,
    },
}

/// A text is not a port URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a port is written as /dev/…, usb:vvvv:pppp:ii, usb-path:1-1.3 or tcp://host:port")]
pub struct InvalidUrl;

impl FromStr for PortUrl {
    type Err = InvalidUrl;

    fn from_str(text: &str) -> Result<Self, InvalidUrl> {
        let text = text.trim();
        let url = if let Some(rest) = text.strip_prefix("tcp://") {
            tcp(rest)
        } else if let Some(rest) = text.strip_prefix("usb-path:") {
            usb_path(rest)
        } else if let Some(rest) = text.strip_prefix("usb:") {
            usb(rest)
        } else if text.starts_with('/') {
            device(text)
        } else {
            None
        };
        url.ok_or(InvalidUrl)
    }
}

fn device(text: &str) -> Option<PortUrl> {
    let (path, baud) = match text.split_once("?baud=") {
        Some((path, baud)) => (path, baud.parse().ok().filter(|baud| *baud > 0)?),
        None => (text, DEFAULT_BAUD),
    };
    (path.len() > 1).then(|| PortUrl::Device {
        path: path.into(),
        baud,
    })
}

fn usb(text: &str) -> Option<PortUrl> {
    let mut parts = text.split(':');
    let vendor = hex(parts.next()?, 4)?;
    let product = hex(parts.next()?, 4)?;
    let interface = interface(parts.next()?)?;
    parts.next().is_none().then_some(PortUrl::Usb {
        vendor,
        product,
        interface,
    })
}

fn usb_path(text: &str) -> Option<PortUrl> {
    let (path, interface) = match text.split_once(':') {
        Some((path, number)) => (path, Some(self::interface(number)?)),
        None => (text, None),
    };
    let (bus, sockets) = path.split_once('-')?;
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let is_path = is_number(bus) && sockets.split('.').all(is_number);
    is_path.then(|| PortUrl::UsbPath {
        path: path.to_owned(),
        interface,
    })
}

fn tcp(text: &str) -> Option<PortUrl> {
    let (host, port) = text.trim_end_matches('/').rsplit_once(':')?;
    let port = port.parse().ok().filter(|port| *port > 0)?;
    let is_bracketed = host.starts_with('[') && host.ends_with(']') && host.len() > 2;
    let is_plain = !host.is_empty() && !host.contains([':', '/', '@', ' ']);
    (is_bracketed || is_plain).then(|| PortUrl::Tcp {
        host: host.to_owned(),
        port,
    })
}

fn interface(text: &str) -> Option<u8> {
    u8::try_from(hex(text, 2)?).ok()
}

fn hex(text: &str, n_digits: usize) -> Option<u16> {
    let good = text.len() == n_digits && text.bytes().all(|b| b.is_ascii_hexdigit());
    good.then(|| u16::from_str_radix(text, 16).ok()).flatten()
}

impl fmt::Display for PortUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Device {
                path,
                baud: DEFAULT_BAUD,
            } => write!(f, "{}", path.display()),
            Self::Device { path, baud } => write!(f, "{}?baud={baud}", path.display()),
            Self::Usb {
                vendor,
                product,
                interface,
            } => {
                write!(f, "usb:{vendor:04x}:{product:04x}:{interface:02x}")
            }
            Self::UsbPath {
                path,
                interface: Some(interface),
            } => {
                write!(f, "usb-path:{path}:{interface:02x}")
            }
            Self::UsbPath {
                path,
                interface: None,
            } => write!(f, "usb-path:{path}"),
            Self::Tcp { host, port } => write!(f, "tcp://{host}:{port}"),
        }
    }
}

crate::setting!(
    PortUrl,
    "port",
    "/dev/…, usb:vvvv:pppp:ii, usb-path:1-1.3 or tcp://host:port"
);

impl Serialize for PortUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PortUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_come_out_as_they_went_in() {
        for text in [
            "/dev/ttyAMA0",
            "/dev/serial/by-path/platform-fd500000-port0?baud=9600",
            "usb:1e0e:9001:02",
            "usb-path:1-1.3",
            "usb-path:3-2:0a",
            "tcp://10.0.0.4:2947",
            "tcp://[::1]:4001",
            "tcp://gateway.local:23",
        ] {
            let url: PortUrl = text.parse().unwrap();
            assert_eq!(url.to_string(), text);
            let json = serde_json::to_string(&url).unwrap();
            assert_eq!(serde_json::from_str::<PortUrl>(&json).unwrap(), url);
        }
        assert_eq!(
            "/dev/ttyS0?baud=115200".parse(),
            "/dev/ttyS0".parse::<PortUrl>()
        );
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            "/",
            "ttyUSB2",
            "COM3",
            "/dev/ttyS0?baud=0",
            "/dev/ttyS0?baud=fast",
            "usb:1e0e:9001",
            "usb:1e0e:9001:2",
            "usb:1e0e:9001:002",
            "usb:1e0e:9001:02:1",
            "usb:+e0e:9001:02",
            "usb-path:1",
            "usb-path:1-",
            "usb-path:../../etc",
            "tcp://",
            "tcp://host",
            "tcp://host:0",
            "tcp://host:70000",
            "tcp://:80",
            "tcp://::1:80",
            "tcp://user@host:1",
        ] {
            assert_eq!(text.parse::<PortUrl>(), Err(InvalidUrl), "{text}");
        }
    }
}
