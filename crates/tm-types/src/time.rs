//! Wall time on the wire: UTC, milliseconds, RFC 3339 with `Z` and three decimals.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::Invalid;

/// 0001-01-01T00:00:00Z in Unix milliseconds.
const MIN_MS: i64 = -62_135_596_800_000;
/// 9999-12-30T21:59:59.999Z, the last one `jiff` prints in every zone.
const MAX_MS: i64 = 253_402_207_199_999;

const PRINTER: jiff::fmt::temporal::DateTimePrinter =
    jiff::fmt::temporal::DateTimePrinter::new().precision(Some(3));

/// A moment in UTC, in whole milliseconds, between the years 1 and 9999.
///
/// JSON: `"2026-11-22T10:15:30.250Z"`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
pub struct Timestamp(i64);

impl Timestamp {
    /// The Unix epoch. A start for arithmetic, never a measurement's time.
    pub const EPOCH: Self = Self(0);
    /// 2026-11-01T00:00:00Z. This software is younger: a clock that tells an earlier time is wrong.
    pub const FLOOR: Self = Self(1_793_491_200_000);

    /// From Unix milliseconds; times beyond the years 1 to 9999 are held at the border.
    pub fn of_unix_ms(ms: i64) -> Self {
        Self(ms.clamp(MIN_MS, MAX_MS))
    }

    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub const fn unix_ms(self) -> i64 {
        self.0
    }

    /// This moment `ms` later (earlier when negative).
    #[must_use]
    pub fn plus_ms(self, ms: i64) -> Self {
        Self::of_unix_ms(self.0.saturating_add(ms))
    }

    /// Milliseconds from `earlier` to this moment.
    pub fn ms_since(self, earlier: Self) -> i64 {
        self.0 - earlier.0
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = jiff::Timestamp::from_millisecond(self.0).map_err(|_| fmt::Error)?;
        PRINTER
            .print_timestamp(&time, jiff::fmt::StdFmtWrite(f))
            .map_err(|_| fmt::Error)
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Timestamp {
    type Err = Invalid;

    /// RFC 3339 with any offset; digits beyond milliseconds are cut off.
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let time: jiff::Timestamp = text.parse().map_err(|_| Invalid::Time)?;
        let ms = time.as_millisecond();
        if (MIN_MS..=MAX_MS).contains(&ms) {
            Ok(Self(ms))
        } else {
            Err(Invalid::Time)
        }
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = compact_str::CompactString::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn three_decimals_and_a_z() {
        assert_eq!(
            Timestamp::of_unix_ms(1_790_000_000_250).to_string(),
            "2026-09-21T14:13:20.250Z"
        );
        assert_eq!(Timestamp::EPOCH.to_string(), "1970-01-01T00:00:00.000Z");
    }

    #[test]
    fn offsets_are_read_and_nonsense_refused() {
        let utc: Timestamp = "2026-11-22T10:00:00Z".parse().unwrap();
        let kyiv: Timestamp = "2026-11-22T12:00:00.0009+02:00".parse().unwrap();
        assert_eq!(utc, kyiv);
        for text in [
            "",
            "now",
            "2026-11-22",
            "2026-13-01T00:00:00Z",
            "1790000000",
        ] {
            assert!(text.parse::<Timestamp>().is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn text_there_and_back(ms in MIN_MS..=MAX_MS) {
            let time = Timestamp::of_unix_ms(ms);
            prop_assert_eq!(time.to_string().parse::<Timestamp>().unwrap(), time);
        }
    }
}
