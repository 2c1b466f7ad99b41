use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Severity, Source, Timestamp};

/// A condition that a person should know of, until it ends. Raised only by the agent.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Alarm {
    /// Names the alarm for as long as it exists; part of its topic.
    pub id: String,
    /// Who it is about.
    pub source: Source,
    /// What it is, as a stable code.
    pub code: String,
    /// How bad it is.
    pub severity: Severity,
    /// Whether the condition still holds.
    pub active: bool,
    /// Whether a person has taken note.
    pub acked: bool,
    /// Since when it holds.
    pub since: Timestamp,
    /// The arguments of its sentence.
    #[serde(default)]
    pub args: BTreeMap<String, String>,
}
