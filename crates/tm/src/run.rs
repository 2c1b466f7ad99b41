//! `tm run SERVICE…`: real services in one process, configured by the environment.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use clap::{Args, ValueEnum};
use tm_service::Clock;
use tm_service::config::{
    ConfigSettings, DeviceSettings, Environment, LogSettings, Report, Settings,
};
use tm_types::text::{Language, sentence};
use tracing::warn;

use crate::supervise::Running;
use crate::world::World;

/// Which services to run, and where they keep their files.
#[derive(Args, Debug)]
pub struct Arguments {
    /// The services.
    #[arg(required = true, value_enum)]
    services: Vec<Service>,
    /// Each service keeps its files in a directory of its name below this one.
    #[arg(long, env = "TM_DATA_DIR", default_value = "/data")]
    data: PathBuf,
}

/// A service of tm-server.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, ValueEnum)]
pub enum Service {
    /// The modem manager.
    Modem,
    /// The GNSS reader.
    Gnss,
    /// The sensor collector.
    Sensors,
    /// The sensor collector for what needs device nodes.
    Io,
    /// The uplink.
    Uplink,
    /// The on-device API.
    Api,
    /// The device agent.
    Agent,
}

/// Runs the services until SIGINT or SIGTERM.
///
/// # Errors
/// When a service cannot be set up, or a variable is wrong under `TM_CONFIG_STRICT=true`.
pub fn main(arguments: &Arguments) -> Result<()> {
    let mut services = arguments.services.clone();
    services.sort_unstable();
    services.dedup();
    let world = World {
        environment: Environment::of_process(),
        data: arguments.data.clone(),
        clock: Clock::system(),
    };
    let mut report = Report::default();
    let strict = ConfigSettings::load("TM_CONFIG_", &world.environment, &mut report).strict;
    LogSettings::load("TM_LOG_", &world.environment, &mut report);
    DeviceSettings::load("TM_DEVICE_", &world.environment, &mut report);
    let starts = services
        .iter()
        .map(|service| prepare(*service, &world, &mut report))
        .collect::<Result<Vec<_>>>()?;
    report.check_unknown(&world.environment, &[]);
    for finding in report.findings() {
        warn!(code = finding.code, "{}", sentence(Language::En, finding));
    }
    ensure!(
        !strict || report.findings().is_empty(),
        "TM_CONFIG_STRICT is set, and variables are wrong"
    );

    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let running = starts
        .into_iter()
        .map(|start| start())
        .collect::<Result<Vec<_>>>()?;
    runtime.block_on(stop_signal())?;
    drop(running);
    Ok(())
}

type Start = Box<dyn FnOnce() -> Result<Running>>;

/// Loads a service's configuration; what comes back starts it.
fn prepare(service: Service, world: &World, report: &mut Report) -> Result<Start> {
    macro_rules! of {
        ($name:literal, $service:ident) => {{
            let (config, host) = world.service::<$service::Config>($name, report)?;
            Box::new(move || {
                Running::start(host, config, $service::run).context(concat!("start ", $name))
            })
        }};
    }
    Ok(match service {
        Service::Modem => of!("modem", tm_modem),
        Service::Gnss => of!("gnss", tm_gnss),
        Service::Sensors => of!("sensors", tm_sensors),
        Service::Io => of!("io", tm_sensors),
        Service::Uplink => of!("uplink", tm_uplink),
        Service::Api => of!("api", tm_api),
        Service::Agent => of!("agent", tm_agent),
    })
}

async fn stop_signal() -> Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).context("wait for SIGTERM")?;
    tokio::select! {
        _ = terminate.recv() => Ok(()),
        interrupted = tokio::signal::ctrl_c() => interrupted.context("wait for Ctrl-C"),
    }
}
