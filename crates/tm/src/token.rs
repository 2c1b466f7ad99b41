//! `tm token`: derives an API token offline, from the fleet's seed.

use std::io::{self, Write};

use anyhow::{Context, Result};
use clap::Args;

/// What the token is for.
#[derive(Args, Debug)]
pub struct Arguments {
    /// The device's id: its balena UUID.
    #[arg(long)]
    device: String,
    /// What the token allows: read, operate, config or admin.
    #[arg(long)]
    scope: tm_api::Scope,
    /// The variable that holds the fleet's seed; a seed never stands on a command line.
    #[arg(long, default_value = "TM_API_TOKEN_SEED")]
    seed_variable: String,
}

/// Prints the token, and nothing else, so that it can be piped.
///
/// # Errors
/// When the variable is not set.
pub fn main(arguments: &Arguments) -> Result<()> {
    let seed = std::env::var(&arguments.seed_variable)
        .ok()
        .filter(|seed| !seed.is_empty())
        .with_context(|| format!("read the seed: {} is not set", arguments.seed_variable))?;
    let token = tm_api::derive_token(&seed, &arguments.device, arguments.scope);
    writeln!(io::stdout(), "{token}").context("print the token")
}
