//! The services of the demo: the real ones, each on a thread of its own.

use std::net::TcpListener;

use anyhow::{Context, Result, ensure};
use tm_service::Host;
use tm_service::config::Report;

use crate::supervise::Running;
use crate::world::World;

/// Their names, and those of their directories.
pub(super) const NAMES: [&str; 6] = ["uplink", "api", "modem", "gnss", "sensors", "agent"];

/// Every service, running.
#[derive(Debug)]
pub(super) struct Services {
    running: Vec<Running>,
    uplink: (tm_uplink::Config, Host),
}

impl Services {
    /// Starts them as processes start: configured anew, with new runs. The API answers on `listener`.
    pub(super) fn start(world: &World, listener: TcpListener) -> Result<Self> {
        let mut report = Report::default();
        let (uplink, uplink_host) = world.service::<tm_uplink::Config>("uplink", &mut report)?;
        let (api, api_host) = world.service::<tm_api::Config>("api", &mut report)?;
        let (modem, modem_host) = world.service::<tm_modem::Config>("modem", &mut report)?;
        let (gnss, gnss_host) = world.service::<tm_gnss::Config>("gnss", &mut report)?;
        let (sensors, sensors_host) =
            world.service::<tm_sensors::Config>("sensors", &mut report)?;
        let (agent, agent_host) = world.service::<tm_agent::Config>("agent", &mut report)?;
        report.check_unknown(&world.environment, &[]);
        ensure!(
            report.findings().is_empty(),
            "the variables are wrong: {:?}",
            report.findings()
        );
        let running = vec![
            Running::start(uplink_host.clone(), uplink.clone(), tm_uplink::run)?,
            Running::start(api_host, api, async move |config, host| {
                let listener = tokio::net::TcpListener::from_std(listener.try_clone()?)?;
                tm_api::run_on(listener, config, host).await
            })?,
            Running::start(modem_host, modem, tm_modem::run)?,
            Running::start(gnss_host, gnss, tm_gnss::run)?,
            Running::start(sensors_host, sensors, tm_sensors::run)?,
            Running::start(agent_host, agent, tm_agent::run)?,
        ];
        Ok(Self {
            running,
            uplink: (uplink, uplink_host),
        })
    }

    /// Stops the uplink as a power cut of its container would, and starts it again.
    pub(super) fn restart_uplink(&mut self) -> Result<()> {
        let (config, host) = &self.uplink;
        self.running.retain(|service| service.name() != "uplink");
        let uplink = Running::start(host.clone(), config.clone(), tm_uplink::run)
            .context("start the uplink again")?;
        self.running.push(uplink);
        Ok(())
    }

    /// Whether the threads of all turn.
    pub(super) fn are_alive(&self) -> bool {
        self.running.iter().all(Running::is_alive)
    }
}
