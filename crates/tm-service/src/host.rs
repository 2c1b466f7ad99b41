//! Everything global that a service may touch, in one value that is handed in.

use std::io;
use std::path::Path;

use tm_types::{Cause, Device, Instance};

use crate::bus::{BusConnector, ConnectorOptions};
use crate::config::{BusSettings, Environment, Secret};
use crate::{Clock, Progress, Store};

/// What a service runs in: its container, the demo, or a test.
#[derive(Clone, Debug)]
pub struct Host {
    /// The name in topics, client ids and variables.
    pub instance: Instance,
    /// Who this cabinet is.
    pub device: Device,
    /// Opens the connection to the local broker.
    pub bus: BusConnector,
    /// Wall, monotonic and boot.
    pub clock: Clock,
    /// Small files that survive.
    pub store: Store,
    /// The service's version.
    pub version: &'static str,
    /// What was wrong at the start: the service's health is degraded by it (the bus adds it by itself).
    pub notices: Vec<Cause>,
    /// Marks that the loop turns.
    pub progress: Progress,
}

/// The parts a [`Host`] is made from.
#[derive(Clone, Debug)]
pub struct HostParts {
    /// The instance's name.
    pub instance: Instance,
    /// Who this cabinet is.
    pub device: Device,
    /// Address of the local broker, `mqtt://host:port`.
    pub bus_address: String,
    /// User and password at the local broker; without them the settings' credentials file counts.
    pub bus_credentials: Option<(String, Secret)>,
    /// Outbox sizes and waits.
    pub bus_settings: BusSettings,
    /// The clock.
    pub clock: Clock,
    /// The store.
    pub store: Store,
    /// The service's version.
    pub version: &'static str,
    /// What was wrong at the start.
    pub notices: Vec<Cause>,
}

impl Host {
    /// Puts a host together.
    pub fn new(parts: HostParts) -> Self {
        let progress = Progress::new();
        let bus = BusConnector::new(ConnectorOptions {
            instance: parts.instance.clone(),
            address: parts.bus_address,
            credentials: parts.bus_credentials,
            settings: parts.bus_settings,
            clock: parts.clock.clone(),
            store: parts.store.clone(),
            version: parts.version,
            notices: parts.notices.clone(),
            progress: progress.clone(),
        });
        Self {
            instance: parts.instance,
            device: parts.device,
            bus,
            clock: parts.clock,
            store: parts.store,
            version: parts.version,
            notices: parts.notices,
            progress,
        }
    }

    /// A host for tests and the demo: its own directory, the given broker, no wait for an uplink.
    pub fn for_test(
        instance: &str,
        directory: &Path,
        bus_address: &str,
        clock: Clock,
    ) -> io::Result<Self> {
        let instance = Instance::new(instance)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        Ok(Self::new(HostParts {
            instance,
            device: Device {
                id: "test".to_owned(),
                timezone: "Europe/Kyiv".to_owned(),
                ..Device::default()
            },
            bus_address: bus_address.to_owned(),
            bus_credentials: None,
            bus_settings: BusSettings {
                uplink_wait_s: 0,
                ..BusSettings::default()
            },
            clock,
            store: Store::open(directory)?,
            version: env!("CARGO_PKG_VERSION"),
            notices: Vec::new(),
        }))
    }
}

/// The instance's name: `TM_INSTANCE`, else the service's own.
pub(crate) fn instance_name(service: &str, environment: &Environment) -> Option<Instance> {
    Instance::new(environment.get("TM_INSTANCE").unwrap_or(service)).ok()
}
