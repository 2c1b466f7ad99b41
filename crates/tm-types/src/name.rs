//! Names: sources, points, series, units. All kebab-case, all bounded, all checked once.

use std::fmt;
use std::str::FromStr;

use compact_str::{CompactString, format_compact};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::Invalid;

/// The longest series id, source and point name together, in characters.
const SERIES_MAX: usize = 64;
/// The longest source or instance name.
const SOURCE_MAX: usize = 32;
/// The longest point name: a series id less one character of source and the slash.
const POINT_MAX: usize = SERIES_MAX - 2;
/// The longest unit symbol.
const UNIT_MAX: usize = 16;

macro_rules! text_newtype {
    ($(#[$doc:meta])* $name:ident, $check:path, $error:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        #[cfg_attr(feature = "openapi", schema(value_type = String))]
        pub struct $name(CompactString);

        impl $name {
            /// Checks and keeps the text.
            pub fn new(text: &str) -> Result<Self, Invalid> {
                if $check(text) { Ok(Self(CompactString::new(text))) } else { Err($error) }
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = Invalid;
            fn from_str(text: &str) -> Result<Self, Invalid> {
                Self::new(text)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(self.as_str(), f)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = CompactString::deserialize(deserializer)?;
                if $check(&text) { Ok(Self(text)) } else { Err(de::Error::custom($error)) }
            }
        }
    };
}

text_newtype!(
    /// Who measured: the last level of `tm/v1/data/<source>`.
    ///
    /// 1 to 32 characters of `a-z 0-9 -`; the built-in services use their instance name.
    Source,
    is_source,
    Invalid::Name { what: "source", max: SOURCE_MAX, alphabet: "a-z, 0-9 and -" }
);

text_newtype!(
    /// The name of a running service: in topics, client ids and as prefix of its variables.
    ///
    /// Usually the service's own name (`modem`); two collectors run as `sensors` and `io`.
    Instance,
    is_source,
    Invalid::Name { what: "instance", max: SOURCE_MAX, alphabet: "a-z, 0-9 and -" }
);

text_newtype!(
    /// What was measured, within its source: kebab-case, `/` between parts (`1/rsrp`).
    PointName,
    is_point,
    Invalid::Name { what: "point name", max: POINT_MAX, alphabet: "a-z, 0-9, - and /" }
);

text_newtype!(
    /// One measured quantity of one source: `<source>/<name>`, at most 64 characters.
    SeriesId,
    is_series,
    Invalid::Name { what: "series id", max: SERIES_MAX, alphabet: "a-z, 0-9, - and /" }
);

text_newtype!(
    /// The unit of a value: an RFC 8428 or RFC 8798 symbol such as `Cel`, `%RH`, `dBm`, `m/s`.
    ///
    /// Empty for a value without a unit. Unknown symbols pass: the vocabulary is open.
    Unit,
    is_unit,
    Invalid::Name { what: "unit", max: UNIT_MAX, alphabet: "printable ASCII without spaces" }
);

impl SeriesId {
    /// Joins a source and a point name.
    pub fn of(source: &Source, name: &PointName) -> Result<Self, Invalid> {
        Self::new(&format_compact!("{source}/{name}"))
    }

    /// The source, before the first slash.
    pub fn source(&self) -> &str {
        self.0.split_once('/').map_or("", |(source, _)| source)
    }

    /// The point name, after the first slash.
    pub fn name(&self) -> &str {
        self.0.split_once('/').map_or("", |(_, name)| name)
    }
}

impl Unit {
    /// No unit: a count, a ratio, a text.
    pub const NONE: Self = Self(CompactString::const_new(""));

    /// One of our own symbols, known at compile time.
    ///
    /// # Panics
    /// At compile time, in a `const`, when the symbol is longer than 16 bytes.
    pub const fn known(symbol: &'static str) -> Self {
        assert!(symbol.len() <= UNIT_MAX, "a unit has at most 16 characters");
        Self(CompactString::const_new(symbol))
    }
}

impl Default for Unit {
    fn default() -> Self {
        Self::NONE
    }
}

impl Instance {
    /// The source under which this instance publishes its own measurements.
    pub fn source(&self) -> Source {
        Source(self.0.clone())
    }

    /// The prefix of this instance's variables: `TM_<INSTANCE>_`.
    pub fn variable_prefix(&self) -> String {
        format!("TM_{}_", self.0.to_ascii_uppercase().replace('-', "_"))
    }
}

fn is_word(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'))
}

fn is_source(text: &str) -> bool {
    text.len() <= SOURCE_MAX && is_word(text)
}

fn is_point(text: &str) -> bool {
    text.len() <= POINT_MAX && text.split('/').all(is_word)
}

fn is_series(text: &str) -> bool {
    text.len() <= SERIES_MAX
        && text
            .split_once('/')
            .is_some_and(|(source, name)| is_source(source) && is_point(name))
}

fn is_unit(text: &str) -> bool {
    text.len() <= UNIT_MAX && text.bytes().all(|b| b.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keep_their_alphabet() {
        let long = "a".repeat(64);
        let cases: [(&str, bool, bool); 9] = [
            ("modem", true, true),
            ("temp-psu", true, true),
            ("1/rsrp", false, true),
            ("", false, false),
            ("/rsrp", false, false),
            ("a//b", false, false),
            ("Temp", false, false),
            ("tëmp", false, false),
            (&long, false, false),
        ];
        for (text, source, point) in cases {
            assert_eq!(Source::new(text).is_ok(), source, "source {text:?}");
            assert_eq!(PointName::new(text).is_ok(), point, "point {text:?}");
        }
    }

    #[test]
    fn a_series_is_source_and_name() {
        let series = SeriesId::new("modem/1/rsrp").unwrap();
        assert_eq!((series.source(), series.name()), ("modem", "1/rsrp"));
        let source = Source::new(&"s".repeat(32)).unwrap();
        let name = PointName::new(&"n".repeat(40)).unwrap();
        assert!(
            SeriesId::of(&source, &name).is_err(),
            "65 characters and more are refused"
        );
    }

    #[test]
    fn variables_carry_the_instance() {
        assert_eq!(Instance::new("io").unwrap().variable_prefix(), "TM_IO_");
        assert_eq!(
            Instance::new("meter-room").unwrap().variable_prefix(),
            "TM_METER_ROOM_"
        );
    }
}
