//! `tm demo`: every service in one process, an embedded broker, simulated hardware, a cloud side.
//!
//! The services are the real ones, configured by variables as in a container. Between them and the
//! brokers stand gates, so that a story can cut the way.

mod cloud;
mod hardware;
mod http;
mod progress;

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use clap::Args;
use tempfile::TempDir;
use tm_service::config::{Environment, Report};
use tm_service::{Clock, Host};
use tm_sim::broker::Broker;
use tm_sim::gate::{Gate, GateHandle};
use tracing::info;

use crate::supervise::Running;
use crate::world::World;

pub use cloud::{Cloud, Received};
pub use hardware::Hardware;

/// The demo's options on the command line.
#[derive(Args, Debug, Clone)]
pub struct Arguments {
    /// Port of the page; a busy one moves to the next free one.
    #[arg(long, default_value_t = 8080)]
    pub port: u16,
    /// What happens to the hardware, such as `20s unplug; 40s plug`.
    #[arg(long)]
    pub script: Option<String>,
    /// Seed of everything simulated.
    #[arg(long, default_value_t = 42)]
    pub seed: u64,
    /// Where the services keep their files; without it a temporary directory.
    #[arg(long)]
    pub data: Option<PathBuf>,
    /// A file that gets the addresses as JSON once everything runs.
    #[arg(long)]
    pub ready_file: Option<PathBuf>,
    /// Variables that override the demo's own: `TM_UPLINK_PAYLOAD=json`.
    #[arg(long = "set", value_name = "NAME=VALUE")]
    pub variables: Vec<String>,
}

impl Default for Arguments {
    fn default() -> Self {
        Self {
            port: 8080,
            script: None,
            seed: 42,
            data: None,
            ready_file: None,
            variables: Vec::new(),
        }
    }
}

/// A running demo. Dropping it stops every service.
#[derive(Debug)]
pub struct Demo {
    /// Where the page and the API are.
    pub page: SocketAddr,
    /// The local broker's URL.
    pub bus: String,
    /// The cloud broker's URL.
    pub cloud_url: String,
    /// The way from the services to the local broker.
    pub bus_gate: GateHandle,
    /// The way from the uplink to the cloud broker.
    pub cloud_gate: GateHandle,
    /// What the cloud side received.
    pub cloud: Cloud,
    /// The simulated hardware.
    pub hardware: Hardware,
    services: Vec<Running>,
    uplink: Option<(tm_uplink::Config, Host)>,
    _gates: (Gate, Gate),
    _folder: Option<TempDir>,
}

/// Runs the demo until Ctrl-C.
///
/// # Errors
/// When it cannot be started.
pub fn main(arguments: Arguments) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let ready_file = arguments.ready_file.clone();
        let demo = Demo::start(arguments).await?;
        progress::greet(&demo)?;
        if let Some(file) = ready_file {
            let addresses = serde_json::json!({
                "page": format!("http://localhost:{}/", demo.page.port()),
                "bus": demo.bus,
                "cloud": demo.cloud_url,
            });
            std::fs::write(&file, addresses.to_string())
                .with_context(|| format!("write {}", file.display()))?;
        }
        tokio::select! {
            outcome = progress::tell(&demo) => outcome,
            interrupted = tokio::signal::ctrl_c() => interrupted.context("wait for Ctrl-C"),
        }
    })
}

impl Demo {
    /// Starts brokers, gates, hardware and every service.
    ///
    /// # Errors
    /// When a port or directory cannot be had, or a variable is wrong: the demo is strict.
    pub async fn start(arguments: Arguments) -> Result<Self> {
        Self::start_by(Clock::system(), arguments).await
    }

    /// The same by another clock than the machine's: for stories of clocks that step.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub async fn start_by(clock: Clock, arguments: Arguments) -> Result<Self> {
        let listener = http::bind(arguments.port).await?;
        let page = listener.local_addr()?;
        let (bus, cloud_broker) = tokio::task::spawn_blocking(|| {
            Ok::<_, std::io::Error>((Broker::start()?, Broker::start()?))
        })
        .await?
        .context("start the embedded brokers")?;
        let gates = (
            Gate::open(bus.address())?,
            Gate::open(cloud_broker.address())?,
        );
        let cloud = Cloud::subscribe(&cloud_broker.url()).await?;

        let (folder, data) = if let Some(data) = arguments.data.clone() {
            (None, data)
        } else {
            let folder = tempfile::tempdir().context("make a temporary directory")?;
            let data = folder.path().to_owned();
            (Some(folder), data)
        };
        let mut hardware = Hardware::start(&data.join("hardware"), arguments.seed).await?;
        if let Some(script) = &arguments.script {
            hardware.play(script, gates.1.handle())?;
        }

        let mut environment = Environment::default();
        for (name, value) in hardware.variables().into_iter().chain([
            ("TM_BUS_URL", format!("mqtt://{}", gates.0.address())),
            ("TM_DEVICE_ID", "demo-cabinet".into()),
            ("TM_DEVICE_SITE", "DEMO-1".into()),
            ("TM_DEVICE_NAME", "Cabinet of the demo".into()),
            ("TM_UPLINK_URL", format!("mqtt://{}", gates.1.address())),
            ("TM_UPLINK_BATCH_S", "5".into()),
        ]) {
            environment = environment.with(name, &value);
        }
        for variable in &arguments.variables {
            let (name, value) = variable
                .split_once('=')
                .with_context(|| format!("read {variable}: it is not NAME=VALUE"))?;
            environment = environment.with(name, value);
        }
        let world = World {
            environment,
            data,
            clock,
        };

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

        let listener = listener.into_std()?;
        let services = vec![
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
        info!(%page, "the demo runs");
        Ok(Self {
            page,
            bus: bus.url(),
            cloud_url: cloud_broker.url(),
            bus_gate: gates.0.handle(),
            cloud_gate: gates.1.handle(),
            cloud,
            hardware,
            services,
            uplink: Some((uplink, uplink_host)),
            _gates: gates,
            _folder: folder,
        })
    }

    /// Stops the uplink as a power cut of its container would, and starts it again.
    ///
    /// # Errors
    /// When its thread cannot be made.
    pub fn restart_uplink(&mut self) -> Result<()> {
        let Some((config, host)) = &self.uplink else {
            return Ok(());
        };
        self.services.retain(|service| service.name() != "uplink");
        self.services.push(Running::start(
            host.clone(),
            config.clone(),
            tm_uplink::run,
        )?);
        Ok(())
    }

    /// Whether the threads of all services turn.
    pub fn is_alive(&self) -> bool {
        self.services.iter().all(Running::is_alive)
    }
}
