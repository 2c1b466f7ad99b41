//! What is done to heal the link.

use serde::{Deserialize, Serialize};

use crate::{Stamp, Timestamp};

/// What the watchdog does to heal the link.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Recovery {
    /// What it is doing.
    pub status: RecoveryStatus,
    /// What is wrong, as a code; null while the link works.
    pub diagnosis: Option<String>,
    /// Since when the link does not work, by the monotonic clock's stamp; null while it works.
    pub since: Option<Stamp>,
    /// The rung under way or taken last, 0 to 6; null before the first.
    pub rung: Option<u8>,
    /// Seconds until the next decision; null when nothing is planned.
    pub next_in_s: Option<u32>,
    /// Nothing is done automatically until then; null when nobody asked for it.
    pub hands_off_until: Option<Timestamp>,
    /// The steps taken lately, newest last, at most 16.
    pub steps: Vec<RecoveryStep>,
}

/// What the watchdog is doing.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum RecoveryStatus {
    /// The link works, or there is none to look after.
    #[default]
    Watching,
    /// Something is wrong; it may pass by itself.
    Waiting,
    /// A step was taken; its effect is awaited.
    Judging,
    /// A round did not help; the next begins later.
    BackingOff,
    /// No step can help: a person has to.
    Stopped,
    /// An operator holds it.
    Held,
    /// A crew is on site.
    HandsOff,
}

/// One step of the recovery.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RecoveryStep {
    /// When it was taken.
    pub stamp: Stamp,
    /// The rung, 0 to 6.
    pub rung: u8,
    /// What was done, such as `reconnect`.
    pub action: String,
    /// Why, as a code.
    pub diagnosis: String,
    /// Whether it helped; null while that is awaited.
    pub helped: Option<bool>,
}
