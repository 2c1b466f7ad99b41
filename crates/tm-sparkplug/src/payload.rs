//! The Sparkplug B payload: the messages `Payload`, `Metric` and `PropertySet` of the schema.
//!
//! ```text
//! Payload       1 timestamp  2 metrics*  3 seq  4 uuid  5 body
//! Metric        1 name  2 alias  3 timestamp  4 datatype  5 is_historical  6 is_transient
//!               7 is_null  9 properties  10-16 value
//! PropertySet   1 keys*  2 values*
//! PropertyValue 1 type  2 is_null  3-8 value
//! ```
//!
//! Source: `sparkplug_b.proto` of Eclipse Tahu; the numbers are the schema's.

use std::borrow::Cow;

use crate::DataType;
use crate::wire::{put_bytes, put_fixed32, put_fixed64, put_nested, put_varint};

/// The value of a metric or a property, as the schema's `oneof` has it.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum WireValue<'a> {
    /// `int_value`: integers up to 32 bits, signed ones in two's complement.
    Int(u32),
    /// `long_value`: integers up to 64 bits, signed ones in two's complement.
    Long(u64),
    /// `float_value`.
    Float(f32),
    /// `double_value`.
    Double(f64),
    /// `boolean_value`.
    Boolean(bool),
    /// `string_value`.
    String(&'a str),
    /// `bytes_value`; only a metric has one.
    Bytes(&'a [u8]),
}

/// One property of a metric: a key with its typed value.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Property<'a> {
    /// Its name.
    pub key: &'a str,
    /// The schema's number of its type; see [`DataType`].
    pub datatype: Option<u32>,
    /// The value; `None` is written as `is_null`, and read where there was none that we know.
    pub value: Option<WireValue<'a>>,
}

/// One metric of a payload.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Metric<'a> {
    /// Its name: in births, and where there is no alias.
    pub name: Option<&'a str>,
    /// What stands for the name after the birth.
    pub alias: Option<u64>,
    /// When it was measured, in Unix milliseconds, UTC.
    pub timestamp: Option<u64>,
    /// The schema's number of its type; see [`DataType`].
    pub datatype: Option<u32>,
    /// Measured in the past: not the present value.
    pub is_historical: bool,
    /// Not to be stored by the host.
    pub is_transient: bool,
    /// There is no value.
    pub is_null: bool,
    /// What else is known of it.
    pub properties: Cow<'a, [Property<'a>]>,
    /// The value; `None` with `is_null`, or where it is of a kind we do not read.
    pub value: Option<WireValue<'a>>,
}

/// A whole message.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Payload<'a> {
    /// When it was sent, in Unix milliseconds, UTC.
    pub timestamp: Option<u64>,
    /// Its metrics, in their order.
    pub metrics: Vec<Metric<'a>>,
    /// Its place among the messages of the node, 0 to 255; absent from NDEATH and from commands.
    pub seq: Option<u64>,
    /// A name of the schema of `body`; not used by this node.
    pub uuid: Option<&'a str>,
    /// Bytes beside the metrics; not used by this node.
    pub body: Option<&'a [u8]>,
}

impl Payload<'_> {
    /// The payload as bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(32 + self.metrics.len() * 48);
        if let Some(timestamp) = self.timestamp {
            put_varint(&mut out, 1, timestamp);
        }
        for metric in &self.metrics {
            put_metric(&mut out, metric);
        }
        if let Some(seq) = self.seq {
            put_varint(&mut out, 3, seq);
        }
        if let Some(uuid) = self.uuid {
            put_bytes(&mut out, 4, uuid.as_bytes());
        }
        if let Some(body) = self.body {
            put_bytes(&mut out, 5, body);
        }
        out
    }
}

/// Writes a payload metric by metric, for those who need no list of them.
#[derive(Debug)]
pub(crate) struct Writer(Vec<u8>);

impl Writer {
    /// A payload that is sent at `timestamp`, with room for so many bytes.
    pub(crate) fn new(timestamp: u64, room: usize) -> Self {
        let mut out = Vec::with_capacity(room);
        put_varint(&mut out, 1, timestamp);
        Self(out)
    }

    pub(crate) fn metric(&mut self, metric: &Metric<'_>) {
        put_metric(&mut self.0, metric);
    }

    /// The payload; NDEATH has no `seq`.
    pub(crate) fn finish(mut self, seq: Option<u8>) -> Vec<u8> {
        if let Some(seq) = seq {
            put_varint(&mut self.0, 3, seq.into());
        }
        self.0
    }
}

fn put_metric(out: &mut Vec<u8>, metric: &Metric<'_>) {
    put_nested(out, 2, |out| {
        if let Some(name) = metric.name {
            put_bytes(out, 1, name.as_bytes());
        }
        if let Some(alias) = metric.alias {
            put_varint(out, 2, alias);
        }
        if let Some(timestamp) = metric.timestamp {
            put_varint(out, 3, timestamp);
        }
        if let Some(datatype) = metric.datatype {
            put_varint(out, 4, datatype.into());
        }
        // A flag that is not set is left out: that is its default.
        for (field, flag) in [
            (5, metric.is_historical),
            (6, metric.is_transient),
            (7, metric.is_null),
        ] {
            if flag {
                put_varint(out, field, 1);
            }
        }
        if !metric.properties.is_empty() {
            put_nested(out, 9, |out| put_properties(out, &metric.properties));
        }
        if let Some(value) = metric.value {
            put_value(out, 10, value);
        }
    });
}

fn put_properties(out: &mut Vec<u8>, properties: &[Property<'_>]) {
    for property in properties {
        put_bytes(out, 1, property.key.as_bytes());
    }
    for property in properties {
        put_nested(out, 2, |out| {
            if let Some(datatype) = property.datatype {
                put_varint(out, 1, datatype.into());
            }
            match property.value {
                Some(value) => put_value(out, 3, value),
                None => put_varint(out, 2, 1),
            }
        });
    }
}

/// The `oneof` of a metric begins at field 10, that of a property at 3; both have the same order.
fn put_value(out: &mut Vec<u8>, first: u32, value: WireValue<'_>) {
    match value {
        WireValue::Int(value) => put_varint(out, first, value.into()),
        WireValue::Long(value) => put_varint(out, first + 1, value),
        WireValue::Float(value) => put_fixed32(out, first + 2, value.to_le_bytes()),
        WireValue::Double(value) => put_fixed64(out, first + 3, value.to_le_bytes()),
        WireValue::Boolean(value) => put_varint(out, first + 4, value.into()),
        WireValue::String(value) => put_bytes(out, first + 5, value.as_bytes()),
        WireValue::Bytes(value) => put_bytes(out, first + 6, value),
    }
}

impl WireValue<'_> {
    /// The type this value is of when written by this node; `None` for a kind it never writes.
    pub fn datatype(&self) -> Option<DataType> {
        match self {
            Self::Int(_) => Some(DataType::Int32),
            Self::Long(_) => Some(DataType::Int64),
            Self::Double(_) => Some(DataType::Double),
            Self::Boolean(_) => Some(DataType::Boolean),
            Self::String(_) => Some(DataType::String),
            Self::Float(_) | Self::Bytes(_) => None,
        }
    }
}
