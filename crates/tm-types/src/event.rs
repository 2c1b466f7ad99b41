use serde::{Deserialize, Serialize};

use crate::{Cause, Stamp};

/// How much an event or alarm matters.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize,
)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// For the record.
    #[default]
    Info,
    /// Something works less well.
    Warning,
    /// Something does not work.
    Critical,
}

/// Something happened, with its evidence: the message on `tm/v1/event/<service>`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Event {
    /// When.
    pub stamp: Stamp,
    /// How much it matters.
    pub severity: Severity,
    /// What happened: a code with its evidence.
    pub cause: Cause,
}
