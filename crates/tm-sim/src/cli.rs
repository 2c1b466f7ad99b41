//! The simulator on its own.

use std::{
    io::{self, Write as _},
    path::PathBuf,
};

use anyhow::Context as _;
use clap::Parser;

use crate::{
    cabinet::{Cabinet, CabinetConfig},
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
}

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
        with_ptys: true,
    };
    let cabinet = Cabinet::start(config).await.context("start the cabinet")?;
    let mut out = io::stdout().lock();
    writeln!(out, "{}", cabinet.addresses())
        .and_then(|()| out.flush())
        .context("print the addresses")?;
    let stage = cabinet.stage();
    let play = async {
        arguments.script.play(&stage).await;
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = play => {}
        stop = tokio::signal::ctrl_c() => stop.context("wait for Ctrl-C")?,
    }
    Ok(())
}
