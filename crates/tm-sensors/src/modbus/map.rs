//! The register map: what a TOML document says, checked once, with the line of every mistake.
//!
//! The format is described in `docs/sensors.md`. Keys are only ever added.

use std::collections::HashSet;
use std::time::Duration;

use serde::Deserialize;
use thiserror::Error;
use tm_service::port::PortUrl;
use tm_types::{Decimal, Kind, PointName, SeriesId, Source, Unit};
use toml::Spanned;

use super::decode::{Encoding, WordOrder};
use crate::report::Deadband;
use crate::units;

/// The longest document that is looked at.
const DOCUMENT_MAX: usize = 256 * 1024;
/// The most registers of a document.
const REGISTERS_MAX: usize = 4096;
/// Registered port of Modbus TCP (MODBUS Messaging on TCP/IP Implementation Guide V1.0b, 4.2).
const MODBUS_PORT: u16 = 502;
/// The most registers of one request (MODBUS Application Protocol V1.1b3, 6.3 and 6.4).
pub(super) const WORDS_MAX: u16 = 125;
/// The most coils of one request (MODBUS Application Protocol V1.1b3, 6.1 and 6.2).
pub(super) const BITS_MAX: u16 = 2000;

/// A document is not a register map.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("line {line}: {reason}")]
pub(crate) struct MapError {
    /// The line, from 1.
    pub(crate) line: usize,
    /// What is wrong there.
    pub(crate) reason: String,
}

/// A device of the map.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Device {
    /// Names the device, and begins the names of its points.
    pub(crate) name: String,
    /// Host of its port.
    pub(crate) host: String,
    /// TCP port.
    pub(crate) port: u16,
    /// Unit id behind that port.
    pub(crate) unit_id: u8,
    /// Between two polls.
    pub(crate) period: Duration,
    /// For one answer.
    pub(crate) timeout: Duration,
    /// The most registers asked for at once.
    pub(crate) max_count: u16,
    /// What is read, in the order of the document.
    pub(crate) registers: Vec<Register>,
}

/// The four tables of Modbus.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Table {
    /// Function 1.
    Coil,
    /// Function 2.
    Discrete,
    /// Function 3.
    Holding,
    /// Function 4.
    Input,
}

impl Table {
    /// Whether it holds single bits.
    pub(crate) fn is_bits(self) -> bool {
        matches!(self, Self::Coil | Self::Discrete)
    }
}

/// A value of a device.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Register {
    /// `<device>/<register>`.
    pub(crate) name: PointName,
    /// Where it is.
    pub(crate) table: Table,
    /// As it goes on the wire, from 0.
    pub(crate) address: u16,
    /// What its words mean.
    pub(crate) encoding: Encoding,
    /// Which word comes first.
    pub(crate) word_order: WordOrder,
    /// What the number is multiplied by.
    pub(crate) factor: Decimal,
    /// Decimal places that are kept.
    pub(crate) scale: Option<u8>,
    /// Unit of the result.
    pub(crate) unit: Unit,
    /// What it counts as.
    pub(crate) kind: Kind,
    /// When it is worth a message.
    pub(crate) deadband: Deadband,
}

/// Reads a document whose points will be published by `source`.
pub(crate) fn parse(document: &str, source: &Source) -> Result<Vec<Device>, MapError> {
    if document.len() > DOCUMENT_MAX {
        let reason = format!("the document is longer than {DOCUMENT_MAX} bytes");
        return Err(MapError { line: 1, reason });
    }
    let written: Document = toml::from_str(document).map_err(|error| MapError {
        line: line_at(document, error.span().map_or(0, |span| span.start)),
        reason: error.message().replace('\n', ", "),
    })?;
    let reader = Reader { document, source };
    let mut names = HashSet::new();
    let mut n_registers = 0;
    let mut devices = Vec::with_capacity(written.device.len());
    for device in &written.device {
        let name = device.name.get_ref();
        if !names.insert(name.clone()) {
            return Err(reader.at(&device.name, format!("a second device is called {name}")));
        }
        n_registers += device.register.len();
        if n_registers > REGISTERS_MAX {
            let reason = format!("more than {REGISTERS_MAX} registers in all");
            return Err(reader.at(&device.name, reason));
        }
        devices.push(reader.device(device)?);
    }
    Ok(devices)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default)]
    device: Vec<DeviceText>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DeviceText {
    name: Spanned<String>,
    port: Spanned<String>,
    unit_id: Option<Spanned<i64>>,
    period_s: Option<Spanned<i64>>,
    timeout_ms: Option<Spanned<i64>>,
    max_count: Option<Spanned<i64>>,
    address_base: Option<Spanned<i64>>,
    #[serde(default)]
    register: Vec<RegisterText>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RegisterText {
    name: Spanned<String>,
    function: Spanned<Table>,
    address: Spanned<i64>,
    #[serde(rename = "type")]
    encoding: Option<Spanned<Encoding>>,
    #[serde(default)]
    word_order: WordOrder,
    factor: Option<Spanned<f64>>,
    scale: Option<Spanned<i64>>,
    unit: Option<Spanned<String>>,
    #[serde(default)]
    kind: Option<Kind>,
    deadband: Option<Spanned<f64>>,
}

struct Reader<'a> {
    document: &'a str,
    source: &'a Source,
}

impl Reader<'_> {
    fn at<T>(&self, place: &Spanned<T>, reason: impl Into<String>) -> MapError {
        MapError {
            line: line_at(self.document, place.span().start),
            reason: reason.into(),
        }
    }

    /// The number within its range, or the default.
    fn number(
        &self,
        what: &str,
        written: Option<&Spanned<i64>>,
        range: std::ops::RangeInclusive<u16>,
        default: u16,
    ) -> Result<u16, MapError> {
        let Some(written) = written else {
            return Ok(default);
        };
        let number = u16::try_from(*written.get_ref()).ok();
        number
            .filter(|number| range.contains(number))
            .ok_or_else(|| {
                let (low, high) = range.into_inner();
                self.at(written, format!("{what} is {low} to {high}"))
            })
    }

    fn device(&self, written: &DeviceText) -> Result<Device, MapError> {
        let name = written.name.get_ref();
        if name.contains('/') || PointName::new(name).is_err() {
            let reason = "the name of a device is made of a-z, 0-9 and -";
            return Err(self.at(&written.name, reason));
        }
        let (host, port) = self.port(&written.port)?;
        let unit_id = self.number("unit_id", written.unit_id.as_ref(), 0..=255, 1)?;
        // A minute: the design's default for energy meters. Up to 18 hours fit the number.
        let period_s = self.number("period_s", written.period_s.as_ref(), 1..=65_535, 60)?;
        let timeout_ms =
            self.number("timeout_ms", written.timeout_ms.as_ref(), 50..=60_000, 1000)?;
        let max = self.number(
            "max_count",
            written.max_count.as_ref(),
            1..=WORDS_MAX,
            WORDS_MAX,
        )?;
        let base = self.number("address_base", written.address_base.as_ref(), 0..=1, 0)?;
        if written.register.is_empty() {
            return Err(self.at(&written.name, format!("{name} has no [[device.register]]")));
        }
        let mut registers: Vec<Register> = Vec::with_capacity(written.register.len());
        for text in &written.register {
            let register = self.register(name, base, max, text)?;
            if registers.iter().any(|other| other.name == register.name) {
                let reason = format!(
                    "a second register of {name} is called {}",
                    text.name.get_ref()
                );
                return Err(self.at(&text.name, reason));
            }
            if let Some(other) = registers.iter().find(|other| overlap(other, &register)) {
                let reason = format!("{} overlaps {}", register.name, other.name);
                return Err(self.at(&text.address, reason));
            }
            registers.push(register);
        }
        Ok(Device {
            name: name.clone(),
            host,
            port,
            unit_id: unit_id.to_le_bytes()[0],
            period: Duration::from_secs(period_s.into()),
            timeout: Duration::from_millis(timeout_ms.into()),
            max_count: max,
            registers,
        })
    }

    fn port(&self, written: &Spanned<String>) -> Result<(String, u16), MapError> {
        let text = written.get_ref().trim();
        let with_port = || format!("{}:{MODBUS_PORT}", text.trim_end_matches('/')).parse();
        match text.parse().or_else(|_| with_port()) {
            Ok(PortUrl::Tcp { host, port }) => {
                let host = host.trim_start_matches('[').trim_end_matches(']');
                Ok((host.to_owned(), port))
            }
            Ok(_) => Err(self.at(written, "only tcp:// ports are read by this version")),
            Err(_) => Err(self.at(
                written,
                "a port is written as tcp://host or tcp://host:port",
            )),
        }
    }

    fn register(
        &self,
        device: &str,
        base: u16,
        max_count: u16,
        written: &RegisterText,
    ) -> Result<Register, MapError> {
        let name = PointName::new(&format!("{device}/{}", written.name.get_ref()))
            .map_err(|error| self.at(&written.name, error.to_string()))?;
        SeriesId::of(self.source, &name)
            .map_err(|error| self.at(&written.name, error.to_string()))?;

        let table = *written.function.get_ref();
        let encoding = match (&written.encoding, table.is_bits()) {
            (None, true) => Encoding::Bool,
            (None, false) => Encoding::U16,
            (Some(encoding), is_bits) => {
                let given = *encoding.get_ref();
                if is_bits != (given == Encoding::Bool) {
                    let reason =
                        "bool is the type of coils and discrete inputs, and their only one";
                    return Err(self.at(encoding, reason));
                }
                given
            }
        };
        if encoding.n_words() > max_count && !table.is_bits() {
            let reason = format!("the type takes more than max_count = {max_count} registers");
            return Err(self.at(&written.name, reason));
        }
        // The last address a value of this size can begin at.
        let last = u16::MAX - (encoding.n_words() - 1);
        let address = u16::try_from(*written.address.get_ref()).ok();
        let address = address
            .and_then(|address| address.checked_sub(base))
            .filter(|address| *address <= last)
            .ok_or_else(|| {
                let high = u32::from(last) + u32::from(base);
                let reason = format!(
                    "address is {base} to {high} here; without the leading 3 or 4 of \"30001\""
                );
                self.at(&written.address, reason)
            })?;
        let scale = match &written.scale {
            None => None,
            Some(scale) => {
                let number = u8::try_from(*scale.get_ref())
                    .ok()
                    .filter(|scale| *scale <= 9);
                Some(number.ok_or_else(|| self.at(scale, "scale is 0 to 9 decimal places"))?)
            }
        };
        Ok(Register {
            name,
            table,
            address,
            encoding,
            word_order: written.word_order,
            factor: self.factor(written)?,
            scale,
            unit: self.unit(written)?,
            kind: written.kind.unwrap_or(if encoding == Encoding::Bool {
                Kind::State
            } else {
                Kind::Gauge
            }),
            deadband: self.deadband(written)?,
        })
    }

    fn factor(&self, written: &RegisterText) -> Result<Decimal, MapError> {
        let Some(factor) = &written.factor else {
            return Ok(Decimal::integer(1));
        };
        Decimal::of_f64(*factor.get_ref())
            .filter(|factor| factor.units() != 0)
            .ok_or_else(|| {
                self.at(
                    factor,
                    "factor is a decimal number of at most 15 digits, not 0",
                )
            })
    }

    fn unit(&self, written: &RegisterText) -> Result<Unit, MapError> {
        let Some(unit) = &written.unit else {
            return Ok(Unit::NONE);
        };
        let symbol = unit.get_ref();
        units::check(symbol).map_err(|meant| {
            let hint = meant.map_or_else(String::new, |meant| format!("; write {meant:?}"));
            self.at(unit, format!("{symbol:?} is not a unit of RFC 8428{hint}"))
        })?;
        Unit::new(symbol).map_err(|error| self.at(unit, error.to_string()))
    }

    fn deadband(&self, written: &RegisterText) -> Result<Deadband, MapError> {
        match &written.deadband {
            None => Ok(Deadband::None),
            Some(band) if *band.get_ref() >= 0.0 && band.get_ref().is_finite() => {
                Ok(Deadband::Absolute(*band.get_ref()))
            }
            Some(band) => Err(self.at(
                band,
                "deadband is a number of the register's unit, not negative",
            )),
        }
    }
}

/// Whether two values of one device share a register.
fn overlap(a: &Register, b: &Register) -> bool {
    let end =
        |register: &Register| u32::from(register.address) + u32::from(register.encoding.n_words());
    a.table == b.table && u32::from(a.address) < end(b) && u32::from(b.address) < end(a)
}

/// The line of a byte offset, from 1.
fn line_at(document: &str, offset: usize) -> usize {
    let before = document.as_bytes().iter().take(offset);
    1 + before.filter(|byte| **byte == b'\n').count()
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;
    use proptest::prelude::*;

    const GOOD: &str = r#"
[[device]]
name = "meter"
port = "tcp://192.0.2.10"
unit_id = 3
period_s = 10
max_count = 20
address_base = 1

[[device.register]]
name = "voltage"
function = "input"
address = 1
type = "f32"
scale = 1
unit = "V"

[[device.register]]
name = "energy"
function = "holding"
address = 343
type = "u32"
word_order = "little"
factor = 0.01
unit = "kWh"
kind = "counter"

[[device.register]]
name = "door"
function = "discrete"
address = 1

[[device]]
name = "psu"
port = "tcp://[::1]:1502"
register = [{ name = "level", function = "holding", address = 0, deadband = 5.0 }]
"#;

    fn source() -> Source {
        "sensors".parse().unwrap()
    }

    #[test]
    fn a_whole_map() {
        let [meter, psu] = parse(GOOD, &source()).unwrap().try_into().unwrap();
        assert_eq!(
            (meter.host.as_str(), meter.port, meter.unit_id),
            ("192.0.2.10", 502, 3)
        );
        assert_eq!(
            (meter.period, meter.max_count),
            (Duration::from_secs(10), 20)
        );
        let [voltage, energy, door] = meter.registers.try_into().unwrap();
        assert_eq!(voltage.name.as_str(), "meter/voltage");
        assert_eq!(
            (voltage.address, voltage.encoding, voltage.scale),
            (0, Encoding::F32, Some(1))
        );
        assert_eq!(
            (energy.address, energy.word_order),
            (342, WordOrder::Little)
        );
        assert_eq!(
            (energy.kind, energy.factor),
            (Kind::Counter, Decimal::new(1, 2).unwrap())
        );
        assert_eq!(
            (door.table, door.encoding, door.kind),
            (Table::Discrete, Encoding::Bool, Kind::State)
        );

        assert_eq!((psu.host.as_str(), psu.port, psu.unit_id), ("::1", 1502, 1));
        assert_eq!(
            (psu.period, psu.timeout),
            (Duration::from_mins(1), Duration::from_secs(1))
        );
        assert_eq!(psu.registers[0].encoding, Encoding::U16);
        assert_eq!(psu.registers[0].deadband, Deadband::Absolute(5.0));
        assert_eq!(parse("", &source()).unwrap(), []);
    }

    /// `from` replaced by `to` in the good map is refused at `line`, and the reason says `words`.
    fn refused(from: &str, to: &str, line: usize, words: &str) {
        assert!(GOOD.contains(from), "{from}");
        let document = GOOD.replacen(from, to, 1);
        let error = parse(&document, &source()).unwrap_err();
        assert!(
            error.line == line && error.reason.contains(words),
            "{to}: {error}"
        );
    }

    #[test]
    fn mistakes_name_their_line() {
        refused("name = \"meter\"", "name = \"Meter\"", 3, "a-z");
        refused("name = \"meter\"", "name = \"a/b\"", 3, "a-z");
        refused("name = \"psu\"", "name = \"meter\"", 34, "second device");
        refused("tcp://192.0.2.10", "192.0.2.10", 4, "tcp://");
        refused("tcp://192.0.2.10", "/dev/ttyUSB0", 4, "only tcp://");
        refused("tcp://192.0.2.10", "tcp://192.0.2.10:0", 4, "tcp://");
        refused("unit_id = 3", "unit_id = 256", 5, "0 to 255");
        refused("unit_id = 3", "unit_id = -1", 5, "0 to 255");
        refused("unit_id = 3", "unit_id = \"3\"", 5, "invalid type");
        refused("unit_id = 3", "unitid = 3", 5, "unknown field");
        refused("period_s = 10", "period_s = 0", 6, "1 to");
        refused("max_count = 20", "max_count = 126", 7, "1 to 125");
        refused("max_count = 20", "max_count = 1", 11, "max_count = 1");
        refused("address_base = 1", "address_base = 2", 8, "0 to 1");
        refused(
            "function = \"input\"",
            "function = \"analog\"",
            12,
            "unknown variant",
        );
        refused("address = 1\n", "address = 0\n", 13, "address is 1");
        refused(
            "address = 1\n",
            "address = 65536\n",
            13,
            "address is 1 to 65535",
        );
        refused("type = \"f32\"", "type = \"float\"", 14, "unknown variant");
        refused("type = \"f32\"", "type = \"bool\"", 14, "coils");
        refused("scale = 1", "scale = 10", 15, "0 to 9");
        refused("unit = \"V\"", "unit = \"\u{b0}C\"", 16, "write \"Cel\"");
        refused("unit = \"V\"", "unit = \"furlong\"", 16, "not a unit");
        refused(
            "name = \"energy\"",
            "name = \"voltage\"",
            19,
            "second register",
        );
        refused(
            "function = \"holding\"\naddress = 343",
            "function = \"input\"\naddress = 2",
            21,
            "overlaps meter/voltage",
        );
        refused("factor = 0.01", "factor = 0", 24, "not 0");
        refused("factor = 0.01", "factor = 0.0", 24, "not 0");
        refused("factor = 0.01", "factor = nan", 24, "decimal number");
        refused(
            "kind = \"counter\"",
            "kind = \"total\"",
            26,
            "unknown variant",
        );
        refused("deadband = 5.0", "deadband = -1.0", 36, "not negative");
        refused("[[device.register]]", "[[device.register]", 10, "");
        refused(
            "\nregister = [{ name = \"level\", function = \"holding\", address = 0, deadband = 5.0 }]",
            "",
            34,
            "no [[device.register]]",
        );
    }

    #[test]
    fn a_series_id_has_its_limit() {
        let long: Source = "s".repeat(32).parse().unwrap();
        let document = GOOD.replace(
            "name = \"voltage\"",
            &format!("name = \"{}\"", "v".repeat(30)),
        );
        let error = parse(&document, &long).unwrap_err();
        assert_eq!(error.line, 11);
        assert!(parse(&document, &"s".parse().unwrap()).is_ok());
    }

    #[test]
    fn absurd_documents() {
        assert_eq!(
            parse(&" ".repeat(DOCUMENT_MAX + 1), &source())
                .unwrap_err()
                .line,
            1
        );
        let mut many = GOOD.to_owned();
        for address in 0..REGISTERS_MAX {
            write!(
                many,
                "\n[[device.register]]\nname='r{address}'\nfunction='input'\naddress={address}\n"
            )
            .unwrap();
        }
        assert!(parse(&many, &source()).is_err());
    }

    proptest! {
        #[test]
        fn nothing_panics(start in 0..GOOD.len(), length in 0..40_usize, insert in "[ -~\n]{0,10}") {
            let end = (start + length).min(GOOD.len());
            prop_assume!(GOOD.is_char_boundary(start) && GOOD.is_char_boundary(end));
            let document = format!("{}{insert}{}", &GOOD[..start], &GOOD[end..]);
            if let Err(error) = parse(&document, &source()) {
                prop_assert!(error.line >= 1 && error.line <= 1 + document.lines().count());
            }
        }
    }
}
