use serde::{Deserialize, Serialize};

use crate::{BootId, Clock, Stamp, Timestamp};

/// How far a trusted clock may be off that does not say so itself.
const ERR_MS: u32 = 1000;

/// A moment known by both clocks: lets times taken with a wrong wall clock be corrected.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Anchor {
    /// The boot that `mono_ms` counts from.
    pub boot: BootId,
    /// Milliseconds since boot.
    pub mono_ms: u64,
    /// The true time at that moment, UTC.
    pub utc: Timestamp,
    /// Who says so.
    pub source: Clock,
    /// How far `utc` may be off, in milliseconds.
    pub err_ms: u32,
}

impl Anchor {
    /// What a stamp says about its boot, if its clock is one that somebody set.
    ///
    /// ```
    /// use tm_types::{Anchor, BootId, Clock, Stamp, Timestamp};
    ///
    /// let mut stamp = Stamp {
    ///     time: Timestamp::of_unix_ms(1_790_000_000_000),
    ///     mono_ms: 60_000,
    ///     boot: BootId(7),
    ///     clock: Clock::Ntp,
    ///     err_ms: Some(12),
    /// };
    /// assert_eq!(Anchor::of(&stamp).map(|anchor| anchor.err_ms), Some(12));
    /// stamp.clock = Clock::Restored;
    /// assert_eq!(Anchor::of(&stamp), None);
    /// ```
    pub fn of(stamp: &Stamp) -> Option<Self> {
        stamp.clock.is_trusted().then(|| Self {
            boot: stamp.boot,
            mono_ms: stamp.mono_ms,
            utc: stamp.time,
            source: stamp.clock,
            err_ms: stamp.err_ms.unwrap_or(ERR_MS),
        })
    }
}
