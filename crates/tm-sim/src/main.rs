//! The simulator on its own: `cargo run -p tm-sim -- --script "10s unplug; 30s plug"`.

use clap::Parser as _;
use tm_sim::cli;

fn main() -> anyhow::Result<()> {
    cli::main(cli::Arguments::parse())
}
