//! What is asked, within bounds.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::time::Duration;

use serde::{Deserialize, Deserializer, de};
use serde_json::Value as Json;
use tm_service::port::{Parity, SerialLine};
use tm_types::{Cause, code};

use super::super::connection::Addressee;
use super::super::map::Table;
use super::super::place::Place;

/// Registers shown at once: each is shown in a dozen ways, and the result is kept for a day.
pub(super) const COUNT_MAX: u16 = 32;
/// Speeds that adapters have.
const BAUDS: RangeInclusive<u32> = 300..=1_000_000;
/// The longest that a scan may take, in seconds.
const LIMIT_S_MAX: u32 = 600;

/// The arguments of `probe`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Probe {
    /// Where the device is.
    #[serde(deserialize_with = "port")]
    pub(super) port: Place,
    /// Which one it is there.
    #[serde(default = "one")]
    pub(super) unit_id: u8,
    /// Which table to read.
    #[serde(default = "holding")]
    pub(super) function: Table,
    /// The first register, as it goes on the wire.
    #[serde(default)]
    pub(super) address: u16,
    /// How many, 1 to 32.
    #[serde(default = "eight")]
    pub(super) count: u16,
    /// Speed of a serial port, 300 to 1000000 baud; when not given, as the port says, or 9600.
    baud: Option<u32>,
    /// Its check bit; when not given, as the port says, or none.
    parity: Option<Parity>,
    /// Its stop bits, 1 or 2; when not given, as the port says, or 1.
    stop_bits: Option<u8>,
    /// For each answer, 50 to 5000 ms.
    #[serde(default = "second")]
    pub(super) timeout_ms: u32,
    /// Whether to try the ready maps.
    #[serde(default = "yes")]
    pub(super) suggest: bool,
}

/// The arguments of `scan`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Scan {
    /// Which port.
    #[serde(deserialize_with = "port")]
    pub(super) port: Place,
    /// First and last unit id, 1 to 247.
    #[serde(default = "every_unit")]
    pub(super) unit_ids: [u8; 2],
    /// The table of the register that is asked for.
    #[serde(default = "holding")]
    pub(super) function: Table,
    /// The register that is asked for; a device that refuses it is found as well.
    #[serde(default)]
    pub(super) address: u16,
    /// Speeds of a serial port to try, at most 8.
    #[serde(default = "usual_bauds")]
    pub(super) bauds: Vec<u32>,
    /// Check bits of a serial port to try.
    #[serde(default = "usual_parities")]
    pub(super) parities: Vec<Parity>,
    /// For each answer, 50 to 2000 ms.
    #[serde(default = "fifth")]
    pub(super) timeout_ms: u32,
    /// For everything, 1 to 600 s.
    #[serde(default = "two_minutes")]
    pub(super) limit_s: u32,
}

impl Probe {
    /// Reads and checks them.
    pub(crate) fn read(args: &Json) -> Result<Self, Cause> {
        let probe: Self = from(args)?;
        within("count", probe.count, 1..=COUNT_MAX)?;
        within("timeout_ms", probe.timeout_ms, 50..=5000)?;
        if let Some(baud) = probe.baud {
            within("baud", baud, BAUDS)?;
        }
        if let Some(stop_bits) = probe.stop_bits {
            within("stop_bits", stop_bits, 1..=2)?;
        }
        let end = u32::from(probe.address) + u32::from(probe.count);
        within("address + count", end, 1..=65_536)?;
        Ok(probe)
    }

    /// How its port speaks.
    pub(super) fn line(&self) -> SerialLine {
        let of_port = self.port.line();
        SerialLine {
            baud: self.baud.unwrap_or(of_port.baud),
            parity: self.parity.unwrap_or(of_port.parity),
            two_stop_bits: self.stop_bits.map_or(of_port.two_stop_bits, |n| n == 2),
        }
    }

    /// Its port as the map writes it, with the settings of a serial one.
    pub(super) fn place(&self) -> Place {
        self.port.with(self.line())
    }

    /// The device.
    pub(super) fn addressee(&self) -> Addressee {
        addressee(self.unit_id, self.timeout_ms)
    }
}

impl Scan {
    /// Reads and checks them.
    pub(crate) fn read(args: &Json) -> Result<Self, Cause> {
        let scan: Self = from(args)?;
        let [first, last] = scan.unit_ids;
        within("unit_ids", first, 1..=247)?;
        within("unit_ids", last, first..=247)?;
        within("timeout_ms", scan.timeout_ms, 50..=2000)?;
        within("limit_s", scan.limit_s, 1..=LIMIT_S_MAX)?;
        within("the number of bauds", scan.bauds.len(), 1..=8)?;
        within("the number of parities", scan.parities.len(), 1..=3)?;
        for baud in &scan.bauds {
            within("bauds", *baud, BAUDS)?;
        }
        Ok(scan)
    }

    /// The settings to try one after the other; one for a port that has none.
    pub(super) fn lines(&self) -> Vec<SerialLine> {
        if !matches!(self.port, Place::Serial { .. }) {
            return vec![SerialLine::plain(self.bauds[0])];
        }
        let of_baud = |baud: &u32| {
            let line = SerialLine::plain(*baud);
            let parities = self.parities.iter();
            parities.map(move |parity| SerialLine {
                parity: *parity,
                ..line
            })
        };
        self.bauds.iter().flat_map(of_baud).collect()
    }

    /// One of the devices.
    pub(super) fn addressee(&self, unit_id: u8) -> Addressee {
        addressee(unit_id, self.timeout_ms)
    }

    pub(super) fn limit(&self) -> Duration {
        Duration::from_secs(self.limit_s.into())
    }
}

fn from<T: de::DeserializeOwned>(args: &Json) -> Result<T, Cause> {
    T::deserialize(args).map_err(bad)
}

fn bad(detail: impl Display) -> Cause {
    code::OPERATION_BAD_ARGUMENTS.with("detail", detail)
}

fn within<T: PartialOrd + Display + Copy>(
    what: &str,
    number: T,
    range: RangeInclusive<T>,
) -> Result<(), Cause> {
    if range.contains(&number) {
        return Ok(());
    }
    let (low, high) = range.into_inner();
    Err(bad(format_args!("{what} is {low} to {high}")))
}

fn port<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Place, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(de::Error::custom)
}

/// A device that is looked at once: it needs no pause.
fn addressee(unit_id: u8, timeout_ms: u32) -> Addressee {
    Addressee {
        unit_id,
        timeout: Duration::from_millis(timeout_ms.into()),
        gap: Duration::ZERO,
    }
}

fn one() -> u8 {
    1
}

fn eight() -> u16 {
    8
}

fn second() -> u32 {
    1000
}

fn fifth() -> u32 {
    200
}

fn two_minutes() -> u32 {
    120
}

fn every_unit() -> [u8; 2] {
    [1, 247]
}

/// What meters and supplies are delivered with.
fn usual_bauds() -> Vec<u32> {
    vec![9600, 19_200, 2400, 115_200]
}

fn usual_parities() -> Vec<Parity> {
    vec![Parity::None, Parity::Even]
}

fn holding() -> Table {
    Table::Holding
}

fn yes() -> bool {
    true
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn probes() {
        let least = Probe::read(&json!({"port": "tcp://10.0.0.4"})).unwrap();
        assert_eq!(least.port.to_string(), "tcp://10.0.0.4:502");
        assert_eq!((least.unit_id, least.count, least.suggest), (1, 8, true));
        for (args, part) in [
            (json!({}), "missing field `port`"),
            (json!(null), "invalid type"),
            (json!([]), "invalid length"),
            (json!({"port": 3}), "invalid type"),
            (json!({"port": "everywhere"}), "tcp://"),
            (json!({"port": "tcp://h", "count": 0}), "count is 1 to 32"),
            (json!({"port": "tcp://h", "count": 33}), "count is 1 to 32"),
            (json!({"port": "tcp://h", "unit_id": 256}), "256"),
            (json!({"port": "tcp://h", "function": "writing"}), "writing"),
            (
                json!({"port": "tcp://h", "timeout_ms": 49}),
                "timeout_ms is",
            ),
            (
                json!({"port": "tcp://h", "address": 65_529}),
                "address + count",
            ),
            (
                json!({"port": "tcp://h", "speed": 1}),
                "unknown field `speed`",
            ),
        ] {
            let cause = Probe::read(&args).unwrap_err();
            assert!(cause.is(code::OPERATION_BAD_ARGUMENTS));
            assert!(cause.args["detail"].contains(part), "{args}: {cause:?}");
        }
    }

    #[test]
    fn a_suggested_map_has_the_settings_of_the_port() {
        for (args, place) in [
            (json!({"port": "tcp://h"}), "tcp://h:502"),
            (
                json!({"port": "/dev/ttyUSB0?baud=300", "baud": 19200, "parity": "even"}),
                "/dev/ttyUSB0?baud=19200&parity=even&stop=1",
            ),
            (
                json!({"port": "/dev/ttyS1?baud=2400&parity=odd", "stop_bits": 2}),
                "/dev/ttyS1?baud=2400&parity=odd&stop=2",
            ),
            (json!({"port": "rtu+tcp://h:4001"}), "rtu+tcp://h:4001"),
            (
                json!({"port": "usb-path:1-1.3", "stop_bits": 2}),
                "usb-path:1-1.3?baud=9600&parity=none&stop=2",
            ),
        ] {
            let probe = Probe::read(&args).unwrap();
            assert_eq!(probe.place().to_string(), place);
            let document = format!(
                "[[device]]\nname = 'a'\nport = '{place}'\nregister = [{{ name = 'x', function = 'input', address = 0 }}]\n"
            );
            let map = crate::modbus::parse(&document, &"io".parse().unwrap()).unwrap();
            let written = &map.devices[0].place;
            assert_eq!(*written, probe.place());
            assert!(written.is_same_port(&probe.port), "{place}");
            assert!(!written.is_same_port(&"/dev/ttyS0".parse().unwrap()));
        }
    }

    #[test]
    fn scans() {
        let least = Scan::read(&json!({"port": "tcp://10.0.0.4:503"})).unwrap();
        assert_eq!((least.unit_ids, least.limit_s), ([1, 247], 120));
        assert_eq!(least.lines().len(), 1, "a TCP port has no settings");
        let serial = json!({"port": "usb-path:1-1.3", "bauds": [9600, 19200]});
        let lines = Scan::read(&serial).unwrap().lines();
        let told: Vec<_> = lines.iter().map(|l| (l.baud, l.parity)).collect();
        let (none, even) = (Parity::None, Parity::Even);
        assert_eq!(
            told,
            [(9600, none), (9600, even), (19_200, none), (19_200, even)]
        );
        for (args, part) in [
            (
                json!({"port": "tcp://h", "unit_ids": [0, 5]}),
                "unit_ids is 1 to 247",
            ),
            (
                json!({"port": "tcp://h", "unit_ids": [5, 4]}),
                "unit_ids is 5 to 247",
            ),
            (
                json!({"port": "tcp://h", "unit_ids": [5]}),
                "invalid length",
            ),
            (
                json!({"port": "tcp://h", "limit_s": 601}),
                "limit_s is 1 to 600",
            ),
        ] {
            let cause = Scan::read(&args).unwrap_err();
            assert!(cause.args["detail"].contains(part), "{args}: {cause:?}");
        }
    }
}
