//! From our vocabulary to Sparkplug's: types, values, quality.

use tm_types::{Clock, Kind, Number, Quality, Reading, Value};

use crate::DataType;
use crate::payload::{Property, WireValue};

/// `Quality` of a good value (`tck-id-payloads-propertyset-quality-value-value`).
pub const QUALITY_GOOD: u32 = 192;
/// `Quality` of a value that may not be the present one, or is doubtful.
pub const QUALITY_STALE: u32 = 500;
/// `Quality` of a value that must not be used, and of none at all.
pub const QUALITY_BAD: u32 = 0;

/// The property with the quality code, an Int32; the specification's name.
pub const QUALITY: &str = "Quality";
/// The property with the reason of a quality that is not good, a text; null where it is good.
///
/// The names of [`tm_types::Reason`], and `clock_none` or `clock_restored` for a value whose time
/// nobody can vouch for. Our own: the quality codes tell too little.
pub const REASON: &str = "reason";
/// The property with the unit's symbol, a text; only in births. The name hosts use for it.
pub const UNIT: &str = "engUnit";

/// The type that a value asks for.
///
/// A stated resolution decides for numbers, so that 21.0 °C of a thermometer is no integer.
pub(crate) fn datatype(value: &Value, scale: Option<u8>) -> DataType {
    match value {
        Value::Number(Number::Decimal(decimal)) if decimal.scale() == 0 => {
            if scale.is_some_and(|scale| scale > 0) {
                DataType::Double
            } else {
                DataType::Int64
            }
        }
        Value::Number(_) => DataType::Double,
        Value::Bool(_) => DataType::Boolean,
        Value::Text(_) => DataType::String,
    }
}

/// The type of a metric that never had a value: a guess, which the first value may correct.
pub(crate) fn guess(kind: Kind, scale: Option<u8>) -> DataType {
    match kind {
        Kind::Counter if scale.unwrap_or(0) == 0 => DataType::Int64,
        Kind::Counter | Kind::Gauge => DataType::Double,
        Kind::State => DataType::String,
    }
}

/// Whether a metric that was born as `born` can carry a value that asks for `asked`.
pub(crate) fn carries(born: DataType, asked: DataType) -> bool {
    born == asked || (born == DataType::Double && asked == DataType::Int64)
}

/// The value on the wire; an integer becomes a float where the metric is one (exact to 2^53).
pub(crate) fn wire(value: &Value, datatype: DataType) -> WireValue<'_> {
    match value {
        Value::Number(Number::Decimal(decimal))
            if decimal.scale() == 0 && datatype == DataType::Int64 =>
        {
            WireValue::Long(decimal.units().cast_unsigned())
        }
        Value::Number(number) => WireValue::Double(number.to_f64()),
        Value::Bool(flag) => WireValue::Boolean(*flag),
        Value::Text(text) => WireValue::String(text.as_str()),
    }
}

/// How good a reading is, in Sparkplug's words.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Verdict {
    /// 0, 192 or 500.
    pub(crate) code: u32,
    /// Why it is not good.
    pub(crate) reason: Option<&'static str>,
}

impl Verdict {
    /// Of a metric that had no reading yet.
    pub(crate) const UNKNOWN: Self = Self {
        code: QUALITY_STALE,
        reason: Some("stale"),
    };

    /// Of a reading that was stamped by such a clock.
    pub(crate) fn of(reading: &Reading, clock: Clock) -> Self {
        let reason = reading.reason().map(tm_types::Reason::as_str);
        let code = match reading.quality() {
            Quality::Good => QUALITY_GOOD,
            Quality::Uncertain => QUALITY_STALE,
            Quality::Bad => QUALITY_BAD,
        };
        match (code, clock) {
            (QUALITY_GOOD, Clock::None) => Self::late("clock_none"),
            (QUALITY_GOOD, Clock::Restored) => Self::late("clock_restored"),
            _ => Self { code, reason },
        }
    }

    /// The same, of a device that does not answer any more.
    pub(crate) fn of_the_past(self) -> Self {
        if self.is_good() { Self::UNKNOWN } else { self }
    }

    pub(crate) fn is_good(self) -> bool {
        self.code == QUALITY_GOOD
    }

    fn late(reason: &'static str) -> Self {
        Self {
            code: QUALITY_STALE,
            reason: Some(reason),
        }
    }

    /// As properties; each says its type (`tck-id-payloads-metric-propertyvalue-type-req`).
    pub(crate) fn properties(self) -> [Property<'static>; 2] {
        [
            Property {
                key: QUALITY,
                datatype: Some(DataType::Int32.code()),
                value: Some(WireValue::Int(self.code)),
            },
            Property {
                key: REASON,
                datatype: Some(DataType::String.code()),
                value: self.reason.map(WireValue::String),
            },
        ]
    }
}

/// The unit as a property.
pub(crate) fn unit_property(symbol: &str) -> Property<'_> {
    Property {
        key: UNIT,
        datatype: Some(DataType::String.code()),
        value: Some(WireValue::String(symbol)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tm_types::Reason;

    #[test]
    fn a_value_asks_for_its_type() {
        for (value, scale, expected) in [
            (Value::from(21), None, DataType::Int64),
            (Value::from(21), Some(0), DataType::Int64),
            (Value::from(21), Some(1), DataType::Double),
            (Value::of_f64(21.5).unwrap(), None, DataType::Double),
            (Value::of_f64(0.1 + 0.2).unwrap(), Some(0), DataType::Double),
            (Value::from(true), Some(1), DataType::Boolean),
            (Value::text("home").unwrap(), None, DataType::String),
        ] {
            assert_eq!(datatype(&value, scale), expected, "{value}");
        }
    }

    #[test]
    fn integers_are_two_s_complement_and_floats_where_the_metric_is_one() {
        for (value, born, expected) in [
            (Value::from(-1), DataType::Int64, WireValue::Long(u64::MAX)),
            (
                Value::from(i64::MIN),
                DataType::Int64,
                WireValue::Long(1 << 63),
            ),
            (Value::from(-1), DataType::Double, WireValue::Double(-1.0)),
            (
                Value::decimal(-973, 1).unwrap(),
                DataType::Double,
                WireValue::Double(-97.3),
            ),
        ] {
            assert_eq!(wire(&value, born), expected, "{value}");
        }
    }

    #[test]
    fn quality_is_one_of_three() {
        let value = || Value::from(1);
        for (reading, clock, code, reason) in [
            (Reading::Good(value()), Clock::Ntp, 192, None),
            (Reading::Good(value()), Clock::Estimated, 192, None),
            (Reading::Good(value()), Clock::None, 500, Some("clock_none")),
            (
                Reading::Good(value()),
                Clock::Restored,
                500,
                Some("clock_restored"),
            ),
            (
                Reading::Uncertain(value(), Reason::Stale),
                Clock::Ntp,
                500,
                Some("stale"),
            ),
            (
                Reading::Bad(value(), Reason::Implausible),
                Clock::None,
                0,
                Some("implausible"),
            ),
            (
                Reading::Missing(Reason::Timeout),
                Clock::Ntp,
                0,
                Some("timeout"),
            ),
        ] {
            assert_eq!(
                Verdict::of(&reading, clock),
                Verdict { code, reason },
                "{reading:?} {clock:?}"
            );
        }
    }
}
