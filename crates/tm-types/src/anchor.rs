use serde::{Deserialize, Serialize};

use crate::{BootId, Clock, Timestamp};

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
