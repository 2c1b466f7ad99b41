//! Hosts and configurations for several services in one process, from one set of variables.

use std::path::PathBuf;

use anyhow::{Context, Result};
use tm_service::config::{BusSettings, DeviceSettings, Environment, Report, Settings};
use tm_service::{Clock, Host, HostParts, Store};
use tm_types::Instance;

/// What every service of this process shares.
#[derive(Debug)]
pub(crate) struct World {
    /// The variables.
    pub(crate) environment: Environment,
    /// Each service has a directory of its own below it.
    pub(crate) data: PathBuf,
    /// The clock.
    pub(crate) clock: Clock,
}

impl World {
    /// Configuration and host of one service, from the variables as in its container.
    pub(crate) fn service<C: Settings>(
        &self,
        name: &str,
        report: &mut Report,
    ) -> Result<(C, Host)> {
        let instance = Instance::new(name).context("name a service")?;
        let config = C::load(&instance.variable_prefix(), &self.environment, report);
        let bus_settings = BusSettings::load("TM_BUS_", &self.environment, report);
        let directory = self.data.join(name);
        let store = Store::open(&directory)
            .with_context(|| format!("open the directory {}", directory.display()))?;
        let host = Host::new(HostParts {
            device: DeviceSettings::load_device(&self.environment, report),
            bus_address: bus_settings.address(&self.environment),
            bus_credentials: bus_settings.credentials(),
            bus_settings,
            clock: self.clock.clone(),
            store,
            version: env!("CARGO_PKG_VERSION"),
            notices: Vec::new(),
            instance,
        });
        Ok((config, host))
    }
}
