//! Bytes from outside to a payload: bounded, borrowed, and never a panic.

use std::borrow::Cow;

use thiserror::Error;

use crate::payload::{Metric, Payload, Property, WireValue};
use crate::wire::{Field, Fields};

/// The largest payload that is read, in bytes. A birth of [`METRICS_MAX`] long metrics fits.
pub const PAYLOAD_MAX: usize = 1 << 20;
/// The most metrics of a payload that is read: what bounds the memory an answer takes.
pub const METRICS_MAX: usize = 8192;
/// The most properties of one metric that is read.
pub const PROPERTIES_MAX: usize = 64;

/// Why bytes are not a payload.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum Error {
    /// Larger than [`PAYLOAD_MAX`].
    #[error("the payload has {0} bytes, more than {PAYLOAD_MAX}")]
    TooLarge(usize),
    /// More metrics than [`METRICS_MAX`], or more properties of one than [`PROPERTIES_MAX`].
    #[error("the payload has too many metrics or properties")]
    TooMany,
    /// It ends within a field.
    #[error("the payload ends within a field")]
    Truncated,
    /// A number of more than 64 bits.
    #[error("a varint has more than 64 bits")]
    Varint,
    /// A field with a number that no field has.
    #[error("a field has an impossible number")]
    Tag,
    /// A field of another wire type than the schema's.
    #[error("a field has another wire type than the schema says")]
    WireType,
    /// A text that is not UTF-8.
    #[error("a text is not UTF-8")]
    Text,
    /// A property set whose keys and values are not equally many.
    #[error("a property set has {keys} keys for {values} values")]
    Properties {
        /// How many keys it has.
        keys: usize,
        /// How many values it has.
        values: usize,
    },
}

/// Reads a payload.
///
/// Unknown fields are passed over; of a field that is there twice the last counts, as protobuf
/// says. A value that is a data set, a template or an extension is read as none.
pub fn decode(bytes: &[u8]) -> Result<Payload<'_>, Error> {
    if bytes.len() > PAYLOAD_MAX {
        return Err(Error::TooLarge(bytes.len()));
    }
    let mut payload = Payload::default();
    let mut fields = Fields(bytes);
    while let Some((number, field)) = fields.next()? {
        match number {
            1 => payload.timestamp = Some(field.u64()?),
            2 => {
                if payload.metrics.len() == METRICS_MAX {
                    return Err(Error::TooMany);
                }
                payload.metrics.push(metric(field.bytes()?)?);
            }
            3 => payload.seq = Some(field.u64()?),
            4 => payload.uuid = Some(field.text()?),
            5 => payload.body = Some(field.bytes()?),
            _ => {}
        }
    }
    Ok(payload)
}

fn metric(bytes: &[u8]) -> Result<Metric<'_>, Error> {
    let mut metric = Metric::default();
    let mut fields = Fields(bytes);
    while let Some((number, field)) = fields.next()? {
        match number {
            1 => metric.name = Some(field.text()?),
            2 => metric.alias = Some(field.u64()?),
            3 => metric.timestamp = Some(field.u64()?),
            4 => metric.datatype = Some(field.u32()?),
            5 => metric.is_historical = field.bool()?,
            6 => metric.is_transient = field.bool()?,
            7 => metric.is_null = field.bool()?,
            9 => metric.properties = Cow::Owned(properties(field.bytes()?)?),
            16 => metric.value = Some(WireValue::Bytes(field.bytes()?)),
            10..=15 => metric.value = Some(value(number - 10, field)?),
            17..=19 => metric.value = None,
            _ => {}
        }
    }
    Ok(metric)
}

fn properties(bytes: &[u8]) -> Result<Vec<Property<'_>>, Error> {
    let mut keys = Vec::new();
    let mut values = Vec::new();
    let mut fields = Fields(bytes);
    while let Some((number, field)) = fields.next()? {
        match number {
            1 => keys.push(field.text()?),
            2 => values.push(property(field.bytes()?)?),
            _ => {}
        }
        if keys.len().max(values.len()) > PROPERTIES_MAX {
            return Err(Error::TooMany);
        }
    }
    if keys.len() != values.len() {
        return Err(Error::Properties {
            keys: keys.len(),
            values: values.len(),
        });
    }
    let pairs = keys.into_iter().zip(values);
    Ok(pairs
        .map(|(key, (datatype, value))| Property {
            key,
            datatype,
            value,
        })
        .collect())
}

/// A property's type and value.
type Typed<'a> = (Option<u32>, Option<WireValue<'a>>);

fn property(bytes: &[u8]) -> Result<Typed<'_>, Error> {
    let (mut datatype, mut found, mut is_null) = (None, None, false);
    let mut fields = Fields(bytes);
    while let Some((number, field)) = fields.next()? {
        match number {
            1 => datatype = Some(field.u32()?),
            2 => is_null = field.bool()?,
            3..=8 => found = Some(value(number - 3, field)?),
            9..=11 => found = None,
            _ => {}
        }
    }
    Ok((datatype, found.filter(|_| !is_null)))
}

/// A value by its place in the `oneof`, 0 to 5.
fn value(place: u32, field: Field<'_>) -> Result<WireValue<'_>, Error> {
    Ok(match place {
        0 => WireValue::Int(field.u32()?),
        1 => WireValue::Long(field.u64()?),
        2 => WireValue::Float(field.f32()?),
        3 => WireValue::Double(field.f64()?),
        4 => WireValue::Boolean(field.bool()?),
        _ => WireValue::String(field.text()?),
    })
}
