use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// Where a configuration document comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ConfigSource {
    /// Given over the API or the bus, and kept on the device: it outranks the variables.
    Revision,
    /// A variable holds it.
    Variable,
    /// A variable names the file that holds it.
    File,
    /// There is none.
    None,
}

/// The configuration document of a service: the retained message on `tm/v1/cfg/<service>`.
///
/// Never holds a secret: everybody on the bus may read it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ActiveConfig {
    /// Names the document by its content, 16 hex digits: the same document has the same revision.
    pub revision: String,
    /// Where it comes from.
    pub source: ConfigSource,
    /// Since when it is in force, by the clock of then.
    pub since: Timestamp,
    /// The document; null when it is too long for the bus.
    pub document: Option<String>,
    /// Length of the document in bytes.
    pub bytes: u64,
    /// What a rollback brings back; null when there is nothing to go back to.
    pub previous: Option<PreviousConfig>,
}

/// What was in force before.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PreviousConfig {
    /// The revision of the kept document; null for whatever the variables say.
    pub revision: Option<String>,
}
