//! A `[[device.register]]`.

use serde::Deserialize;
use tm_types::{Decimal, Kind, PointName, SeriesId};
use toml::Spanned;

use super::super::decode::{Encoding, Order, WordOrder};
use super::super::map::{Register, Table, Writable};
use super::Reader;
use super::channel::RulesText;
use crate::document::DocumentError;
use crate::report::Deadband;

/// The most registers of a text: a text value has at most 64 characters.
const TEXT_WORDS_MAX: u16 = 32;

/// A register as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RegisterText {
    pub(super) name: Spanned<String>,
    function: Spanned<Table>,
    pub(super) address: Spanned<i64>,
    #[serde(rename = "type")]
    encoding: Option<Spanned<TypeText>>,
    bit: Option<Spanned<i64>>,
    width: Option<Spanned<i64>>,
    length: Option<Spanned<i64>>,
    #[serde(default)]
    word_order: WordOrder,
    #[serde(default)]
    byte_order: WordOrder,
    factor: Option<Spanned<f64>>,
    offset: Option<Spanned<f64>>,
    scale: Option<Spanned<i64>>,
    resolution: Option<Spanned<f64>>,
    unit: Option<Spanned<String>>,
    #[serde(default)]
    kind: Option<Kind>,
    period_s: Option<Spanned<i64>>,
    deadband: Option<Spanned<f64>>,
    deadband_percent: Option<Spanned<f64>>,
    heartbeat_s: Option<Spanned<i64>>,
    min: Option<Spanned<f64>>,
    max: Option<Spanned<f64>>,
    max_rate: Option<Spanned<f64>>,
    stale_s: Option<Spanned<i64>>,
    aggregate_s: Option<Spanned<i64>>,
    #[serde(default)]
    identity: bool,
    writable: Option<Spanned<WritableText>>,
}

/// The type as it is written: its size may stand in other keys.
#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "snake_case")]
enum TypeText {
    U16,
    I16,
    U32,
    I32,
    U64,
    I64,
    F32,
    F64,
    Bool,
    Bits,
    String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WritableText {
    min: f64,
    max: f64,
}

impl Reader<'_> {
    pub(super) fn register(
        &self,
        device: &str,
        base: u16,
        max_count: u16,
        written: &RegisterText,
    ) -> Result<Register, DocumentError> {
        let name = PointName::new(&format!("{device}/{}", written.name.get_ref()))
            .map_err(|error| self.page.at(&written.name, error.to_string()))?;
        SeriesId::of(self.source, &name)
            .map_err(|error| self.page.at(&written.name, error.to_string()))?;
        let table = *written.function.get_ref();
        let encoding = self.encoding(table, written)?;
        if encoding.n_words() > max_count && !table.is_bits() {
            let reason = format!("the type takes more than max_count = {max_count} registers");
            return Err(self.page.at(&written.name, reason));
        }
        let (step, scale) = self.resolution(written)?;
        let kind = written.kind.unwrap_or(match encoding {
            Encoding::Bool | Encoding::Bits(_, 1) | Encoding::Text(_) => Kind::State,
            _ => Kind::Gauge,
        });
        if let Some(place) = &written.aggregate_s
            && kind != Kind::Gauge
        {
            return Err(self.page.at(
                place,
                "a counter or a state has no minimum, mean or maximum",
            ));
        }
        let mut rules = self.rules(&RulesText {
            heartbeat_s: written.heartbeat_s.as_ref(),
            min: written.min.as_ref(),
            max: written.max.as_ref(),
            max_rate: written.max_rate.as_ref(),
            stale_s: written.stale_s.as_ref(),
            aggregate_s: written.aggregate_s.as_ref(),
        })?;
        rules.is_identity = written.identity;
        let deadband = self.deadband(written.deadband.as_ref(), written.deadband_percent.as_ref());
        Ok(Register {
            name,
            table,
            address: self.address(base, encoding, written)?,
            encoding,
            order: Order {
                words: written.word_order,
                bytes: written.byte_order,
            },
            factor: self.decimal("factor", written.factor.as_ref(), 1, true)?,
            offset: self.decimal("offset", written.offset.as_ref(), 0, false)?,
            scale,
            step,
            unit: self.page.unit(written.unit.as_ref())?,
            kind,
            period: self.seconds("period_s", written.period_s.as_ref())?,
            deadband: deadband?.unwrap_or(Deadband::None),
            rules,
            writable: self.writable(table, encoding, written)?,
        })
    }

    fn encoding(&self, table: Table, written: &RegisterText) -> Result<Encoding, DocumentError> {
        let given = written.encoding.as_ref().map(|text| *text.get_ref());
        if let Some(place) = written.bit.as_ref().or(written.width.as_ref())
            && !matches!(given, Some(TypeText::Bits))
        {
            return Err(self.page.at(place, "bit and width belong to the type bits"));
        }
        if let Some(place) = &written.length
            && !matches!(given, Some(TypeText::String))
        {
            return Err(self.page.at(place, "length belongs to the type string"));
        }
        let is_bool = matches!(given, Some(TypeText::Bool));
        if let Some(place) = &written.encoding
            && table.is_bits() != is_bool
        {
            let reason = "bool is the type of coils and discrete inputs, and their only one";
            return Err(self.page.at(place, reason));
        }
        Ok(match given {
            None if table.is_bits() => Encoding::Bool,
            None | Some(TypeText::U16) => Encoding::U16,
            Some(TypeText::I16) => Encoding::I16,
            Some(TypeText::U32) => Encoding::U32,
            Some(TypeText::I32) => Encoding::I32,
            Some(TypeText::U64) => Encoding::U64,
            Some(TypeText::I64) => Encoding::I64,
            Some(TypeText::F32) => Encoding::F32,
            Some(TypeText::F64) => Encoding::F64,
            Some(TypeText::Bool) => Encoding::Bool,
            Some(TypeText::Bits) => {
                let Some(bit) = &written.bit else {
                    return Err(self
                        .page
                        .at(&written.name, "bit is 0 to 15, for the type bits"));
                };
                let lowest = self.page.number("bit", Some(bit), 0_u8..=15, 0)?;
                let width = written.width.as_ref();
                let width = self.page.number("width", width, 1..=16 - lowest, 1)?;
                Encoding::Bits(lowest, width)
            }
            Some(TypeText::String) => {
                let Some(length) = &written.length else {
                    let reason = "length says how many registers the string takes";
                    return Err(self.page.at(&written.name, reason));
                };
                let n_words = self
                    .page
                    .number("length", Some(length), 1..=TEXT_WORDS_MAX, 1)?;
                Encoding::Text(n_words)
            }
        })
    }

    fn address(
        &self,
        base: u16,
        encoding: Encoding,
        written: &RegisterText,
    ) -> Result<u16, DocumentError> {
        // The last address a value of this size can begin at.
        let last = u16::MAX - (encoding.n_words() - 1);
        let address = u16::try_from(*written.address.get_ref()).ok();
        address
            .and_then(|address| address.checked_sub(base))
            .filter(|address| *address <= last)
            .ok_or_else(|| {
                let high = u32::from(last) + u32::from(base);
                let reason = format!(
                    "address is {base} to {high} here; without the leading 3 or 4 of \"30001\""
                );
                self.page.at(&written.address, reason)
            })
    }

    /// The step in units of the last kept place, and the places.
    fn resolution(&self, written: &RegisterText) -> Result<(i64, Option<u8>), DocumentError> {
        match (&written.scale, &written.resolution) {
            (None, None) => Ok((1, None)),
            (Some(_), Some(place)) => Err(self.page.at(place, "scale or resolution, not both")),
            (Some(scale), None) => {
                let places = u8::try_from(*scale.get_ref()).ok();
                let places = places.filter(|places| *places <= 9);
                let places =
                    places.ok_or_else(|| self.page.at(scale, "scale is 0 to 9 decimal places"))?;
                Ok((1, Some(places)))
            }
            (None, Some(resolution)) => {
                let step = self.step(resolution)?;
                Ok((step.units(), Some(step.scale())))
            }
        }
    }

    /// A step of at most 9 decimal places, more than 0.
    pub(super) fn step(&self, written: &Spanned<f64>) -> Result<Decimal, DocumentError> {
        let step = Decimal::of_f64(*written.get_ref());
        let step = step.filter(|step| (1..=1_000_000).contains(&step.units()) && step.scale() <= 9);
        let reason = "resolution is a step such as 0.5, of at most 9 decimal places";
        step.ok_or_else(|| self.page.at(written, reason))
    }

    pub(super) fn decimal(
        &self,
        what: &str,
        written: Option<&Spanned<f64>>,
        default: i64,
        is_divisor: bool,
    ) -> Result<Decimal, DocumentError> {
        let Some(written) = written else {
            return Ok(Decimal::integer(default));
        };
        Decimal::of_f64(*written.get_ref())
            .filter(|number| !is_divisor || number.units() != 0)
            .ok_or_else(|| {
                let not_0 = if is_divisor { ", not 0" } else { "" };
                let reason = format!("{what} is a decimal number of at most 15 digits{not_0}");
                self.page.at(written, reason)
            })
    }

    fn writable(
        &self,
        table: Table,
        encoding: Encoding,
        written: &RegisterText,
    ) -> Result<Option<Writable>, DocumentError> {
        let Some(place) = &written.writable else {
            return Ok(None);
        };
        if !table.is_writable() {
            return Err(self
                .page
                .at(place, "only coils and holding registers can be written"));
        }
        if matches!(encoding, Encoding::Bits(..) | Encoding::Text(_)) {
            return Err(self
                .page
                .at(place, "only a whole number or coil can be written"));
        }
        let WritableText { min, max } = *place.get_ref();
        if !(min.is_finite() && max.is_finite() && min < max) {
            return Err(self.page.at(place, "min is less than max"));
        }
        Ok(Some(Writable { min, max }))
    }
}
