//! The TOML document that describes a register map, checked once, with the line of every mistake.
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
use super::map::{Device, Register, Table, WORDS_MAX};
use crate::report::Deadband;
use crate::units;

/// The longest document that is looked at.
const DOCUMENT_MAX: usize = 256 * 1024;
/// The most registers of a document.
const REGISTERS_MAX: usize = 4096;
/// Registered port of Modbus TCP (MODBUS Messaging on TCP/IP Implementation Guide V1.0b, 4.2).
const MODBUS_PORT: u16 = 502;

/// A document is not a register map.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("line {line}: {reason}")]
pub(crate) struct MapError {
    /// The line, from 1.
    pub(crate) line: usize,
    /// What is wrong there.
    pub(crate) reason: String,
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
            if let Some(other) = registers.iter().find(|other| other.overlaps(&register)) {
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

/// The line of a byte offset, from 1.
fn line_at(document: &str, offset: usize) -> usize {
    let before = document.as_bytes().iter().take(offset);
    1 + before.filter(|byte| **byte == b'\n').count()
}

#[cfg(test)]
mod tests;
