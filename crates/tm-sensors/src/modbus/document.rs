//! The TOML document that describes a register map, checked once, with the line of every mistake.
//!
//! The format is described in `docs/sensors.md`. Keys are only ever added.

mod channel;
mod register;

use std::collections::HashSet;
use std::time::Duration;

use serde::Deserialize;
use tm_types::{PointName, Source};
use toml::Spanned;

use self::channel::ChannelText;
use self::register::RegisterText;
use super::map::{Device, Register, WORDS_MAX};
use super::place::Place;
use crate::channel::{Book, Rules};
use crate::document::{DocumentError, Page};

/// The longest document that is looked at.
const DOCUMENT_MAX: usize = 768 * 1024;
/// The most registers of a document.
const REGISTERS_MAX: usize = 12_288;
/// Registers between two wanted ones that cost less than a request of their own: 16 bytes against
/// 13 bytes of frames, two silences of 3.5 characters and the device's own time.
const MAX_HOLE: u16 = 8;

/// A document, understood.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Map {
    /// What is polled.
    pub(crate) devices: Vec<Device>,
    /// Rules of the channels, of these devices and of any other driver.
    pub(crate) rules: Book,
}

/// Reads a document whose points will be published by `source`.
pub(crate) fn parse(document: &str, source: &Source) -> Result<Map, DocumentError> {
    let (page, written) = Page::read::<Document>(document, DOCUMENT_MAX)?;
    let mut reader = Reader {
        page,
        source,
        registers: HashSet::new(),
    };
    let mut names = HashSet::new();
    let mut n_registers = 0;
    let mut devices: Vec<Device> = Vec::with_capacity(written.device.len());
    for device in &written.device {
        let name = device.name.get_ref();
        if !names.insert(name.clone()) {
            return Err(reader
                .page
                .at(&device.name, format!("a second device is called {name}")));
        }
        n_registers += device.register.len();
        if n_registers > REGISTERS_MAX {
            let reason = format!("more than {REGISTERS_MAX} registers in all");
            return Err(reader.page.at(&device.name, reason));
        }
        let read = reader.device(device)?;
        if devices
            .iter()
            .any(|other| other.place.contradicts(&read.place))
        {
            let reason = "another device speaks on this port with other settings";
            return Err(reader.page.at(&device.port, reason));
        }
        reader
            .registers
            .extend(read.registers.iter().map(|r| r.name.clone()));
        devices.push(read);
    }
    let mut rules = reader.channels(&written.channel)?;
    for register in devices.iter().flat_map(|device| &device.registers) {
        if register.rules != Rules::default() {
            rules.rule(register.name.clone(), register.rules.clone());
        }
    }
    Ok(Map { devices, rules })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default)]
    device: Vec<DeviceText>,
    #[serde(default)]
    channel: Vec<ChannelText>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DeviceText {
    name: Spanned<String>,
    port: Spanned<String>,
    unit_id: Option<Spanned<i64>>,
    period_s: Option<Spanned<i64>>,
    timeout_ms: Option<Spanned<i64>>,
    gap_ms: Option<Spanned<i64>>,
    max_count: Option<Spanned<i64>>,
    max_hole: Option<Spanned<i64>>,
    address_base: Option<Spanned<i64>>,
    #[serde(default)]
    register: Vec<RegisterText>,
}

struct Reader<'a> {
    page: Page<'a>,
    source: &'a Source,
    /// The points of the registers read so far.
    registers: HashSet<PointName>,
}

impl Reader<'_> {
    fn device(&self, written: &DeviceText) -> Result<Device, DocumentError> {
        let name = written.name.get_ref();
        if name.contains('/') || PointName::new(name).is_err() {
            let reason = "the name of a device is made of a-z, 0-9 and -";
            return Err(self.page.at(&written.name, reason));
        }
        let place: Place = (written.port.get_ref().parse())
            .map_err(|reason: String| self.page.at(&written.port, reason))?;
        let unit_id = self
            .page
            .number("unit_id", written.unit_id.as_ref(), 0..=u8::MAX, 1)?;
        // A minute: the design's default for energy meters. Up to 18 hours fit the number.
        let period_s =
            self.page
                .number("period_s", written.period_s.as_ref(), 1..=65_535_u16, 60)?;
        let timeout_ms = self.page.number(
            "timeout_ms",
            written.timeout_ms.as_ref(),
            50..=60_000_u16,
            1000,
        )?;
        let max = self.page.number(
            "max_count",
            written.max_count.as_ref(),
            1..=WORDS_MAX,
            WORDS_MAX,
        )?;
        let gap_ms = self
            .page
            .number("gap_ms", written.gap_ms.as_ref(), 0..=10_000_u16, 0)?;
        let max_hole = written.max_hole.as_ref();
        let max_hole = self
            .page
            .number("max_hole", max_hole, 0..=WORDS_MAX, MAX_HOLE)?;
        let base = self
            .page
            .number("address_base", written.address_base.as_ref(), 0..=1, 0)?;
        if written.register.is_empty() {
            return Err(self
                .page
                .at(&written.name, format!("{name} has no [[device.register]]")));
        }
        let mut registers: Vec<Register> = Vec::with_capacity(written.register.len());
        for text in &written.register {
            let register = self.register(name, base, max, text)?;
            if registers.iter().any(|other| other.name == register.name) {
                let reason = format!(
                    "a second register of {name} is called {}",
                    text.name.get_ref()
                );
                return Err(self.page.at(&text.name, reason));
            }
            if let Some(other) = registers.iter().find(|other| other.overlaps(&register)) {
                let reason = format!("{} overlaps {}", register.name, other.name);
                return Err(self.page.at(&text.address, reason));
            }
            registers.push(register);
        }
        Ok(Device {
            name: name.clone(),
            place,
            unit_id,
            period: Duration::from_secs(period_s.into()),
            timeout: Duration::from_millis(timeout_ms.into()),
            gap: Duration::from_millis(gap_ms.into()),
            max_count: max,
            max_hole,
            registers,
        })
    }
}

#[cfg(test)]
mod tests;
