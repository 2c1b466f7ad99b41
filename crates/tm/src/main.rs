//! `tm`: one binary for people.

use std::io::{IsTerminal, stderr};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer as _, fmt};

/// One binary for people: try tm-server, run its services, read its payloads.
#[derive(Parser)]
#[command(version, propagate_version = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs everything on simulated hardware, with an embedded broker and a small cloud side.
    #[cfg(feature = "demo")]
    Demo(tm::demo::Arguments),
    /// Measures what the product does, costs and survives; needs Mosquitto.
    #[cfg(feature = "bench")]
    Bench(tm::bench::Arguments),
    /// Runs real services in one process, configured by the environment.
    Run(tm::run::Arguments),
    /// Turns payloads into JSON lines or CSV: from standard input, files or a broker.
    Decode(tm::decode::Arguments),
    /// Derives an API token offline from the fleet's seed.
    Token(tm::token::Arguments),
    /// Makes the files that a host needs before any container runs.
    Profile(tm::profile::Arguments),
    /// Reads a recording of a satellite receiver.
    Gnss(tm::gnss::Arguments),
    /// Looks at the whole cabinet, and names causes and remedies.
    Doctor(tm::doctor::Arguments),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = match arguments.command {
        #[cfg(feature = "demo")]
        Command::Demo(arguments) => {
            // The embedded broker calls every client that leaves an error; a story tells itself what goes wrong.
            let usual = match arguments.scenario {
                Some(_) => "error,rumqttd=off",
                None => "warn,rumqttd=off",
            };
            logged(usual).and_then(|()| tm::demo::main(arguments))
        }
        #[cfg(feature = "bench")]
        Command::Bench(arguments) => {
            logged("error,rumqttc=off").and_then(|()| tm::bench::main(arguments))
        }
        Command::Run(arguments) => logged("info").and_then(|()| tm::run::main(&arguments)),
        Command::Decode(arguments) => logged("warn").and_then(|()| tm::decode::main(&arguments)),
        Command::Token(arguments) => tm::token::main(&arguments),
        Command::Profile(arguments) => tm::profile::main(&arguments),
        Command::Gnss(arguments) => tm::gnss::main(&arguments),
        Command::Doctor(arguments) => return tm::doctor::main(arguments),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tm: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Log lines go to standard error; `TM_LOG_LEVEL` chooses which.
fn logged(usual: &str) -> anyhow::Result<()> {
    let filter = std::env::var("TM_LOG_LEVEL").unwrap_or_else(|_| usual.to_owned());
    let filter = tm_service::log_filter(&filter)
        .ok_or_else(|| anyhow::anyhow!("TM_LOG_LEVEL is {filter}, which is no filter"))?;
    let layer = fmt::layer()
        .with_writer(stderr)
        .with_ansi(stderr().is_terminal());
    tracing_subscriber::registry()
        .with(layer.with_filter(filter))
        .init();
    Ok(())
}
