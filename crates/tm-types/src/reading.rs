//! A reading has a value, or says why not.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::Value;

/// How far a value can be trusted.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Quality {
    /// Measured as specified.
    #[default]
    Good,
    /// Measured, but something speaks against it.
    Uncertain,
    /// Not to be used; kept for the record.
    Bad,
}

/// Why a reading has no value, or one that is not good.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The device did not answer in time.
    Timeout,
    /// The device or channel is not there.
    NotPresent,
    /// An answer came that cannot be one (checksum, length, wrong id).
    BadReply,
    /// Outside what the sensor can measure.
    OutOfRange,
    /// Inside the sensor's range, yet not believable here (85 °C after power-on).
    Implausible,
    /// Changed faster than the quantity can.
    Rate,
    /// Older than it may be.
    Stale,
    /// The device refused (exception, permission).
    Refused,
    /// Set aside after repeated failure so that the rest goes on.
    Quarantined,
    /// Not settled yet after power-on.
    WarmingUp,
    /// The device reports a fault of its own.
    DeviceError,
    /// Nobody asked for it to be measured.
    NotConfigured,
    /// A reason this version does not know.
    Other,
}

impl Reason {
    /// Every reason, in the order of their codec numbers: append only.
    pub const ALL: [Self; 13] = [
        Self::Timeout,
        Self::NotPresent,
        Self::BadReply,
        Self::OutOfRange,
        Self::Implausible,
        Self::Rate,
        Self::Stale,
        Self::Refused,
        Self::Quarantined,
        Self::WarmingUp,
        Self::DeviceError,
        Self::NotConfigured,
        Self::Other,
    ];

    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::NotPresent => "not_present",
            Self::BadReply => "bad_reply",
            Self::OutOfRange => "out_of_range",
            Self::Implausible => "implausible",
            Self::Rate => "rate",
            Self::Stale => "stale",
            Self::Refused => "refused",
            Self::Quarantined => "quarantined",
            Self::WarmingUp => "warming_up",
            Self::DeviceError => "device_error",
            Self::NotConfigured => "not_configured",
            Self::Other => "other",
        }
    }

    /// The reason of that name; `Other` for a name this version does not know.
    pub fn of_name(name: &str) -> Self {
        Self::ALL
            .into_iter()
            .find(|reason| reason.as_str() == name)
            .unwrap_or(Self::Other)
    }
}

impl<'de> Deserialize<'de> for Reason {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = compact_str::CompactString::deserialize(deserializer)?;
        Ok(Self::of_name(&name))
    }
}

/// A value, a doubtful value with its reason, or the reason why there is none.
///
/// JSON: `{"value": 21.5, "quality": "good", "reason": null}`, without a value
/// `{"value": null, "quality": "bad", "reason": "timeout"}`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reading {
    /// Measured as specified.
    Good(Value),
    /// Measured, but to be used with care.
    Uncertain(Value, Reason),
    /// Measured, but not to be used.
    Bad(Value, Reason),
    /// Not measured.
    Missing(Reason),
}

impl Reading {
    /// Puts the three JSON fields together.
    ///
    /// What contradicts itself is read from the safe side: no value is bad, a doubtful value
    /// without a reason has the reason `other`, a good value has none.
    pub fn of_parts(value: Option<Value>, quality: Quality, reason: Option<Reason>) -> Self {
        let why = reason.unwrap_or(Reason::Other);
        match (value, quality) {
            (None, _) => Self::Missing(why),
            (Some(value), Quality::Good) => Self::Good(value),
            (Some(value), Quality::Uncertain) => Self::Uncertain(value, why),
            (Some(value), Quality::Bad) => Self::Bad(value, why),
        }
    }

    /// The value, whatever its quality.
    pub fn value(&self) -> Option<&Value> {
        match self {
            Self::Good(value) | Self::Uncertain(value, _) | Self::Bad(value, _) => Some(value),
            Self::Missing(_) => None,
        }
    }

    /// How far it can be trusted.
    pub fn quality(&self) -> Quality {
        match self {
            Self::Good(_) => Quality::Good,
            Self::Uncertain(..) => Quality::Uncertain,
            Self::Bad(..) | Self::Missing(_) => Quality::Bad,
        }
    }

    /// Why it is not good; `None` for a good one.
    pub fn reason(&self) -> Option<Reason> {
        match self {
            Self::Good(_) => None,
            Self::Uncertain(_, why) | Self::Bad(_, why) | Self::Missing(why) => Some(*why),
        }
    }
}

impl<T: Into<Value>> From<T> for Reading {
    fn from(value: T) -> Self {
        Self::Good(value.into())
    }
}

/// The three fields as they stand in JSON.
#[derive(Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = Reading))]
struct ReadingFields {
    /// Number, boolean or text; integers beyond 2^53 are strings; null when there is none.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<serde_json::Value>))]
    value: Option<Value>,
    #[serde(default)]
    quality: Quality,
    /// Why it is not good; null for a good value.
    reason: Option<Reason>,
}

impl Serialize for Reading {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        ReadingFields {
            value: self.value().cloned(),
            quality: self.quality(),
            reason: self.reason(),
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Reading {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let fields = ReadingFields::deserialize(deserializer)?;
        Ok(Self::of_parts(fields.value, fields.quality, fields.reason))
    }
}

#[cfg(feature = "openapi")]
mod schema {
    use utoipa::openapi::{RefOr, schema::Schema};
    use utoipa::{PartialSchema, ToSchema};

    use super::{Reading, ReadingFields};

    impl PartialSchema for Reading {
        fn schema() -> RefOr<Schema> {
            ReadingFields::schema()
        }
    }

    impl ToSchema for Reading {
        fn name() -> std::borrow::Cow<'static, str> {
            "Reading".into()
        }

        fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
            ReadingFields::schemas(schemas);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contradictions_are_read_from_the_safe_side() {
        let cases = [
            (r#"{"value":1}"#, Reading::from(1)),
            (
                r#"{"value":1,"quality":"good","reason":"stale"}"#,
                Reading::from(1),
            ),
            (r#"{"value":null}"#, Reading::Missing(Reason::Other)),
            (
                r#"{"value":null,"quality":"good","reason":"timeout"}"#,
                Reading::Missing(Reason::Timeout),
            ),
            (
                r#"{"value":85,"quality":"bad"}"#,
                Reading::Bad(85.into(), Reason::Other),
            ),
            (
                r#"{"value":2,"quality":"uncertain","reason":"from-2031"}"#,
                Reading::Uncertain(2.into(), Reason::Other),
            ),
        ];
        for (json, expected) in cases {
            assert_eq!(
                serde_json::from_str::<Reading>(json).unwrap(),
                expected,
                "{json}"
            );
        }
    }

    #[test]
    fn every_reason_knows_its_name() {
        for reason in Reason::ALL {
            assert_eq!(Reason::of_name(reason.as_str()), reason);
            assert_eq!(
                serde_json::to_string(&reason).unwrap(),
                format!("\"{}\"", reason.as_str())
            );
        }
    }
}
