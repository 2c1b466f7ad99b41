//! `tm gnss`: what the GNSS reader makes of a recording.

use std::io::{self, Write as _};

use anyhow::{Context as _, Result};
use clap::{Args, Subcommand};
use tm_gnss::replay::{Line, replay};

/// What to do.
#[derive(Args, Debug)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Reads a receiver's raw output from standard input and prints its epochs.
    Replay {
        /// One JSON object a line: time, lat, lon, alt, speed, track, mode, `satellites_used`, as gpsd names them.
        #[arg(long)]
        json: bool,
    },
}

/// Does what the arguments name.
///
/// # Errors
/// When standard input cannot be read or nothing can be printed.
pub fn main(arguments: &Arguments) -> Result<()> {
    let Command::Replay { json } = arguments.command;
    let mut out = io::stdout().lock();
    let print = |line: &Line| {
        if json {
            serde_json::to_writer(&mut out, line)?;
            writeln!(out)
        } else {
            writeln!(out, "{line}")
        }
    };
    replay(io::stdin().lock(), print).context("replay standard input")?;
    out.flush().context("print")
}
