//! Where a Modbus line is: a host, or a serial bus with its settings.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use tm_service::port::{Parity, PortUrl, SerialLine};

/// Registered port of Modbus TCP (MODBUS Messaging on TCP/IP Implementation Guide V1.0b, 4.2).
const MODBUS_PORT: u16 = 502;
/// The speed of most meters as they come from the factory, 8N1.
const DEFAULT_BAUD: u32 = 9600;
/// Above 19200 baud the silence is this, whatever the speed (MODBUS over Serial Line V1.02, 2.5.1.1).
const SHORTEST_SILENCE: Duration = Duration::from_micros(1750);

/// One connection or bus; devices with the same place share it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// Modbus TCP.
    Tcp {
        /// Name or address, without brackets.
        host: String,
        /// TCP port.
        port: u16,
    },
    /// RTU frames over a TCP connection: a transparent serial server.
    RtuOverTcp {
        /// Name or address, without brackets.
        host: String,
        /// TCP port.
        port: u16,
    },
    /// RTU on a serial bus.
    Serial {
        /// The tty.
        url: PortUrl,
        /// How it is spoken.
        line: SerialLine,
    },
}

/// What a port may be written as; the reason of a text that is none.
const FORMS: &str = "a port is written as tcp://host:port, rtu+tcp://host:port, /dev/…, usb:vvvv:pppp:ii or usb-path:1-1.3, a serial one with ?baud=9600&parity=even&stop=1";

/// Reads the `port` of a device.
impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let forms = || FORMS.to_owned();
        if let Some(rest) = text.strip_prefix("rtu+tcp://") {
            let url = format!("tcp://{rest}").parse().map_err(|_| forms())?;
            let (host, port) = host_and_port(url).ok_or_else(forms)?;
            return Ok(Self::RtuOverTcp { host, port });
        }
        if text.starts_with("tcp://") {
            let with_port = || format!("{}:{MODBUS_PORT}", text.trim_end_matches('/')).parse();
            let url = text.parse().or_else(|_| with_port()).map_err(|_| forms())?;
            let (host, port) = host_and_port(url).ok_or_else(forms)?;
            return Ok(Self::Tcp { host, port });
        }
        let (tty, settings) = text.split_once('?').unwrap_or((text, ""));
        let url = tty.parse().map_err(|_| forms())?;
        let mut line = SerialLine::plain(DEFAULT_BAUD);
        for setting in settings.split('&').filter(|setting| !setting.is_empty()) {
            match setting.split_once('=') {
                Some(("baud", baud)) => {
                    let number = baud.parse().ok();
                    // What UARTs and adapters can do.
                    line.baud = number
                        .filter(|baud| (300..=4_000_000).contains(baud))
                        .ok_or("baud is 300 to 4000000")?;
                }
                Some(("parity", parity)) => {
                    line.parity = match parity {
                        "none" => Parity::None,
                        "even" => Parity::Even,
                        "odd" => Parity::Odd,
                        _ => return Err("parity is none, even or odd".to_owned()),
                    };
                }
                Some(("stop", stop)) => {
                    line.two_stop_bits = match stop {
                        "1" => false,
                        "2" => true,
                        _ => return Err("stop is 1 or 2".to_owned()),
                    };
                }
                _ => {
                    return Err(format!(
                        "{setting:?} is no setting of a port: baud, parity, stop"
                    ));
                }
            }
        }
        Ok(Self::Serial { url, line })
    }
}

/// As it is read.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tcp = |host: &str, port: u16| {
            let host = host.to_owned();
            PortUrl::Tcp { host, port }
        };
        match self {
            Self::Tcp { host, port } => tcp(host, *port).fmt(f),
            Self::RtuOverTcp { host, port } => write!(f, "rtu+{}", tcp(host, *port)),
            Self::Serial { url, line } => {
                let url = url.to_string();
                let tty = url.split('?').next().unwrap_or_default();
                let parity = match line.parity {
                    Parity::None => "none",
                    Parity::Even => "even",
                    Parity::Odd => "odd",
                };
                let stop = if line.two_stop_bits { 2 } else { 1 };
                write!(f, "{tty}?baud={}&parity={parity}&stop={stop}", line.baud)
            }
        }
    }
}

impl Place {
    /// Whether both are the same port, however it is spoken.
    pub(crate) fn is_same_port(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Serial { url, .. }, Self::Serial { url: other, .. }) => url == other,
            (
                Self::Tcp { host, port } | Self::RtuOverTcp { host, port },
                Self::Tcp {
                    host: other,
                    port: same,
                }
                | Self::RtuOverTcp {
                    host: other,
                    port: same,
                },
            ) => host == other && port == same,
            _ => false,
        }
    }

    /// Whether both are the same port, spoken differently.
    pub(crate) fn contradicts(&self, other: &Self) -> bool {
        self.is_same_port(other) && self != other
    }

    /// How it is spoken; the usual settings for one that has none.
    pub(super) fn line(&self) -> SerialLine {
        match self {
            Self::Serial { line, .. } => *line,
            Self::Tcp { .. } | Self::RtuOverTcp { .. } => SerialLine::plain(DEFAULT_BAUD),
        }
    }

    /// The same port with these settings; only a serial one has any.
    pub(super) fn with(&self, line: SerialLine) -> Self {
        match self {
            Self::Serial { url, .. } => Self::Serial {
                url: url.clone(),
                line,
            },
            other => other.clone(),
        }
    }

    /// How long the bus must have been silent before a frame: 3.5 characters of 11 bits
    /// (MODBUS over Serial Line V1.02, 2.5.1.1); nothing on TCP.
    pub(super) fn silence(&self) -> Duration {
        match self {
            Self::Tcp { .. } | Self::RtuOverTcp { .. } => Duration::ZERO,
            Self::Serial { line, .. } if line.baud > 19_200 => SHORTEST_SILENCE,
            Self::Serial { line, .. } => Duration::from_secs_f64(3.5 * 11.0 / f64::from(line.baud)),
        }
    }
}

fn host_and_port(url: PortUrl) -> Option<(String, u16)> {
    let PortUrl::Tcp { host, port } = url else {
        return None;
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    Some((host.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn serial(text: &str) -> (u32, Parity, bool) {
        match text.parse::<Place>().unwrap() {
            Place::Serial { line, .. } => (line.baud, line.parity, line.two_stop_bits),
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn serial_settings() {
        assert_eq!(serial("/dev/ttyUSB0"), (9600, Parity::None, false));
        assert_eq!(
            serial("usb-path:1-1.3?baud=19200&parity=even"),
            (19_200, Parity::Even, false)
        );
        assert_eq!(
            serial("usb:0403:6001:00?stop=2&parity=odd"),
            (9600, Parity::Odd, true)
        );
        for (text, words) in [
            ("ttyUSB0", "/dev/"),
            ("/dev/ttyUSB0?baud=12", "baud is"),
            ("/dev/ttyUSB0?baud=fast", "baud is"),
            ("/dev/ttyUSB0?parity=mark", "parity is"),
            ("/dev/ttyUSB0?stop=3", "stop is"),
            ("/dev/ttyUSB0?bits=7", "no setting"),
            ("rtu+tcp://gateway", "rtu+tcp"),
        ] {
            let reason = text.parse::<Place>().unwrap_err();
            assert!(reason.contains(words), "{text}: {reason}");
        }
    }

    #[test]
    fn hosts() {
        let tcp = |host: &str, port| Place::Tcp {
            host: host.to_owned(),
            port,
        };
        assert_eq!("tcp://meter".parse::<Place>(), Ok(tcp("meter", 502)));
        assert_eq!("tcp://[::1]:1502".parse::<Place>(), Ok(tcp("::1", 1502)));
        let (host, port) = ("moxa".to_owned(), 4001);
        assert_eq!(
            "rtu+tcp://moxa:4001".parse::<Place>(),
            Ok(Place::RtuOverTcp { host, port })
        );
    }

    #[test]
    fn silence_is_three_and_a_half_characters() {
        for (text, us) in [
            ("/dev/t?baud=9600", 4010),
            ("/dev/t?baud=19200", 2005),
            ("/dev/t?baud=115200", 1750),
            ("tcp://h", 0),
        ] {
            let silence = text.parse::<Place>().unwrap().silence();
            assert_eq!(silence.as_micros(), us, "{text}");
        }
    }
}
