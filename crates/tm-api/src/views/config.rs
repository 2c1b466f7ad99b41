use serde::{Deserialize, Serialize};
use tm_types::{ActiveConfig, ConfigSource, Instance};

use super::Look;

/// Every service that works by a document.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct ConfigsView {
    /// The services, with null for the document itself.
    pub(crate) configs: Vec<ConfigView>,
}

/// The document that a service works by.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct ConfigView {
    /// The service.
    pub(crate) service: Instance,
    /// The document and where it comes from.
    #[serde(flatten)]
    pub(crate) config: ActiveConfig,
    /// Whether this may be outdated because the service does not report.
    pub(crate) stale: bool,
}

/// What a change of the document brought, or would bring.
#[derive(Serialize, Deserialize, utoipa::ToSchema)]
pub(crate) struct ConfigChangeView {
    /// The revision that is in force, or would be.
    pub(crate) revision: String,
    /// Where its document comes from.
    source: ConfigSource,
    /// Whether nothing was changed.
    dry_run: bool,
    /// Devices of the document.
    devices: u32,
    /// Registers of the document.
    registers: u32,
    /// Devices that only the new document has, at most 20 names.
    added: Vec<String>,
    /// Devices that only the old document has, at most 20 names.
    removed: Vec<String>,
    /// Devices that are read otherwise than before, at most 20 names.
    changed: Vec<String>,
    /// How many devices go on as they are.
    unchanged: u32,
}

impl ConfigsView {
    pub(crate) fn new(look: Look<'_>) -> Self {
        let services = look.world.services.iter();
        let configs = services.filter_map(|(name, service)| {
            let config = service.config.clone()?;
            Some(ConfigView {
                service: name.clone(),
                config: ActiveConfig {
                    document: None,
                    ..config
                },
                stale: service.is_stale(&look.now),
            })
        });
        Self {
            configs: configs.collect(),
        }
    }
}
