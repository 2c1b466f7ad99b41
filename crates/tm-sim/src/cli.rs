//! The simulator on its own.

use std::{
    io::{self, Write as _},
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
};

use anyhow::Context as _;
use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};

use crate::{
    cabinet::{Cabinet, CabinetConfig, Stage},
    gate::Gate,
    modem_manager::{ManagerConfig, ModemManagerTwin},
    script::{Event, Script},
    sim7600::{Motion, Sim7600Config},
};

/// Plays a cabinet's hardware and prints where it is, as one JSON object; ends with Ctrl-C.
#[derive(Debug, Parser)]
#[command(name = "tm-sim", after_help = format!("Events of a script: {}", Event::names().join(", ")))]
pub struct Arguments {
    /// Where the links of the modem's ports and the trees of /sys and /proc are made [default: a temporary directory]
    #[arg(long)]
    directory: Option<PathBuf>,
    /// Seed of all randomness
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// What happens when, such as "10s unplug; 30s plug; 60s no-sky"
    #[arg(long, default_value = "")]
    script: Script,
    /// Speed of the antenna in m/s, heading east at first
    #[arg(long, default_value_t = 0.0)]
    speed_mps: f64,
    /// Offer the hardware to other machines as well: the AT port at 7001, NMEA at 7002, Modbus at 7003 of this address
    #[arg(long)]
    listen: Option<Ipv4Addr>,
    /// Play ModemManager and NetworkManager on the bus at this address as well, such as unix:path=/tmp/bus
    #[arg(long)]
    dbus: Option<String>,
    /// Show the modem as a USB device in this socket of the directory's sys and dev, such as 1-1.3
    #[arg(long)]
    usb: Option<String>,
}

/// Where `--listen` offers the AT port; the others follow.
const FIRST_PORT: u16 = 7001;

/// Runs until it is told to stop.
///
/// # Errors
/// When something cannot be started.
pub fn main(arguments: Arguments) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("start the runtime")?;
    runtime.block_on(run(arguments))
}

async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let temporary = tempfile::tempdir().context("make a temporary directory")?;
    let directory = arguments
        .directory
        .unwrap_or_else(|| temporary.path().to_owned());
    std::fs::create_dir_all(&directory)
        .with_context(|| format!("make the directory {}", directory.display()))?;
    let motion = (arguments.speed_mps > 0.0).then_some(Motion {
        speed_mps: arguments.speed_mps,
        heading_deg: 90.0,
    });
    let modem = Sim7600Config {
        motion,
        ..Sim7600Config::default()
    };
    let config = CabinetConfig {
        directory,
        seed: arguments.seed,
        modem,
        with_ptys: arguments.listen.is_none(),
    };
    let cabinet = Cabinet::start(config).await.context("start the cabinet")?;
    if let Some(socket) = &arguments.usb {
        cabinet
            .on_usb(socket)
            .await
            .context("make the USB device")?;
    }
    let _offered = offer(&cabinet, arguments.listen)?;
    let mut out = io::stdout().lock();
    writeln!(out, "{}", cabinet.addresses())
        .and_then(|()| out.flush())
        .context("print the addresses")?;
    let twin = match &arguments.dbus {
        Some(address) => Some(manager(address).await?),
        None => None,
    };
    let stage = Stage {
        manager: twin.as_ref().map(ModemManagerTwin::handle),
        ..cabinet.stage()
    };
    let play = async {
        arguments.script.play(&stage).await;
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = play => {}
        stop = stopped() => stop.context("wait for a signal")?,
    }
    Ok(())
}

async fn manager(address: &str) -> anyhow::Result<ModemManagerTwin> {
    let connecting = zbus::connection::Builder::address(address)
        .with_context(|| format!("read the bus address {address}"))?;
    let connection = connecting
        .build()
        .await
        .with_context(|| format!("connect to the bus at {address}"))?;
    ModemManagerTwin::start(connection, ManagerConfig::default())
        .await
        .context("serve on the bus")
}

/// Ctrl-C, or the SIGTERM of a container that is stopped.
async fn stopped() -> io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted,
        _ = terminate.recv() => Ok(()),
    }
}

/// Forwards fixed ports to where the hardware really is.
fn offer(cabinet: &Cabinet, address: Option<Ipv4Addr>) -> anyhow::Result<Vec<Gate>> {
    let Some(address) = address else {
        return Ok(Vec::new());
    };
    let ports = cabinet.tcp();
    let targets = [ports.at, ports.nmea, cabinet.meter()];
    let gates = (FIRST_PORT..).zip(targets).map(|(port, target)| {
        let public = SocketAddr::from((address, port));
        Gate::open_on(public, target).with_context(|| format!("listen on {public}"))
    });
    gates.collect()
}
