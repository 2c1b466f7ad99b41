//! When something was measured, by two clocks, and how good the wall clock was.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{Invalid, Timestamp};

macro_rules! hex_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        #[cfg_attr(feature = "openapi", schema(value_type = String, min_length = 8, max_length = 8))]
        pub struct $name(pub u32);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:08x}", self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = Invalid;
            fn from_str(text: &str) -> Result<Self, Invalid> {
                let digits = text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
                if text.len() != 8 || !digits {
                    return Err(Invalid::Hex { digits: 8 });
                }
                u32::from_str_radix(text, 16).map(Self).map_err(|_| Invalid::Hex { digits: 8 })
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = compact_str::CompactString::deserialize(deserializer)?;
                text.parse().map_err(de::Error::custom)
            }
        }
    };
}

hex_id!(
    /// One boot of the machine: the first 8 hex digits of the kernel's `boot_id`.
    BootId
);

hex_id!(
    /// One run of a publishing process: 8 hex digits drawn at its start.
    RunId
);

/// What the wall clock was set by when a stamp was taken.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Clock {
    /// Disciplined by NTP.
    Ntp,
    /// From the machine's own clock chip.
    Rtc,
    /// From the Date header of an HTTPS answer.
    Https,
    /// From the mobile network (NITZ).
    Network,
    /// From satellites.
    Gnss,
    /// Read back from disk after a start: late by the time without power.
    Restored,
    /// Reckoned afterwards from an anchor.
    Estimated,
    /// Unknown.
    #[default]
    None,
}

impl Clock {
    /// Every quality, in the order of their codec numbers: append only.
    pub const ALL: [Self; 8] = [
        Self::Ntp,
        Self::Rtc,
        Self::Https,
        Self::Network,
        Self::Gnss,
        Self::Restored,
        Self::Estimated,
        Self::None,
    ];

    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ntp => "ntp",
            Self::Rtc => "rtc",
            Self::Https => "https",
            Self::Network => "network",
            Self::Gnss => "gnss",
            Self::Restored => "restored",
            Self::Estimated => "estimated",
            Self::None => "none",
        }
    }

    /// Whether the wall time was set by something outside this machine.
    pub fn is_trusted(self) -> bool {
        !matches!(self, Self::Restored | Self::Estimated | Self::None)
    }
}

/// When something was measured.
///
/// The wall time may be wrong after a power cut; the monotonic time with the boot id never is,
/// and lets the wall time be corrected later.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Stamp {
    /// Wall time, UTC, as the host's clock had it.
    pub time: Timestamp,
    /// Milliseconds since boot, suspended time included (`CLOCK_BOOTTIME`).
    pub mono_ms: u64,
    /// The boot that `mono_ms` counts from.
    pub boot: BootId,
    /// What the wall clock was set by.
    pub clock: Clock,
    /// How far `time` may be off, in milliseconds; null when nobody knows.
    pub err_ms: Option<u32>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_eight_lower_case_digits() {
        assert_eq!(
            "00c0ffee".parse::<BootId>().unwrap().to_string(),
            "00c0ffee"
        );
        for text in ["", "c0ffee", "00C0FFEE", "+0c0ffee", "00c0ffee0"] {
            assert!(text.parse::<RunId>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn every_clock_knows_its_name() {
        for clock in Clock::ALL {
            assert_eq!(
                serde_json::to_string(&clock).unwrap(),
                format!("\"{}\"", clock.as_str())
            );
        }
    }
}
