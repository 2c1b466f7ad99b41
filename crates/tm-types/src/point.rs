use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{PointName, Quality, Reading, Reason, Unit, Value};

/// What a series counts as: decides how history and thinning aggregate it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A level that goes up and down: minimum, mean, maximum.
    #[default]
    Gauge,
    /// A total that only grows: first, last, delta with resets.
    Counter,
    /// A condition: time spent in each.
    State,
}

impl Kind {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gauge => "gauge",
            Self::Counter => "counter",
            Self::State => "state",
        }
    }
}

/// One measured quantity of one poll.
///
/// JSON: `{"name":"dc-voltage","kind":"gauge","unit":"V","value":48.012,"quality":"good",
/// "reason":null,"scale":3}`. Only `name` and `value` are needed on the way in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Point {
    /// Its name within the source.
    pub name: PointName,
    /// Gauge, counter or state.
    pub kind: Kind,
    /// Unit of the value.
    pub unit: Unit,
    /// The value, or why there is none.
    pub reading: Reading,
    /// Decimal places the device resolves (0 to 15); absent when unknown.
    pub scale: Option<u8>,
}

impl Point {
    /// A gauge without a stated resolution.
    pub fn gauge(name: PointName, unit: Unit, reading: impl Into<Reading>) -> Self {
        Self {
            name,
            kind: Kind::Gauge,
            unit,
            reading: reading.into(),
            scale: None,
        }
    }

    /// A counter without a stated resolution.
    pub fn counter(name: PointName, unit: Unit, reading: impl Into<Reading>) -> Self {
        Self {
            kind: Kind::Counter,
            ..Self::gauge(name, unit, reading)
        }
    }

    /// A state: a contact, a mode, a word.
    pub fn state(name: PointName, reading: impl Into<Reading>) -> Self {
        Self {
            kind: Kind::State,
            ..Self::gauge(name, Unit::NONE, reading)
        }
    }

    /// The same point with the device's resolution in decimal places.
    #[must_use]
    pub fn with_scale(self, scale: u8) -> Self {
        Self {
            scale: Some(scale),
            ..self
        }
    }
}

/// The fields as they stand in JSON, on the way out.
#[derive(Serialize)]
struct PointOut<'a> {
    name: &'a PointName,
    kind: Kind,
    unit: &'a Unit,
    value: Option<&'a Value>,
    quality: Quality,
    reason: Option<Reason>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scale: Option<u8>,
}

/// The fields as they may come in: everything but the name has a default.
#[derive(Deserialize)]
struct PointIn {
    name: PointName,
    #[serde(default)]
    kind: Kind,
    #[serde(default)]
    unit: Unit,
    value: Option<Value>,
    #[serde(default)]
    quality: Quality,
    reason: Option<Reason>,
    scale: Option<u8>,
}

impl Serialize for Point {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        PointOut {
            name: &self.name,
            kind: self.kind,
            unit: &self.unit,
            value: self.reading.value(),
            quality: self.reading.quality(),
            reason: self.reading.reason(),
            scale: self.scale,
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Point {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let fields = PointIn::deserialize(deserializer)?;
        Ok(Self {
            name: fields.name,
            kind: fields.kind,
            unit: fields.unit,
            reading: Reading::of_parts(fields.value, fields.quality, fields.reason),
            scale: fields.scale.filter(|scale| *scale <= 15),
        })
    }
}
