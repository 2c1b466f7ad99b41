use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::Args;

use super::Scenario;

/// The demo's options on the command line.
#[derive(Args, Debug, Clone)]
pub struct Arguments {
    /// Port of the page; a busy one moves to the next free one.
    #[arg(long, default_value_t = 8080)]
    pub port: u16,
    /// A story to be played and told; `list` lists them.
    #[arg(long, value_name = "NAME", conflicts_with = "script")]
    pub scenario: Option<String>,
    /// End after the story: with 0 when it went as it should, with 1 and what did not hold otherwise.
    #[arg(long, requires = "scenario")]
    pub exit: bool,
    /// How many times shorter the pauses of the story are (1 to 1000).
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000), requires = "scenario")]
    pub hurry: u32,
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
            scenario: None,
            exit: false,
            hurry: 1,
            script: None,
            seed: 42,
            data: None,
            ready_file: None,
            variables: Vec::new(),
        }
    }
}

impl Arguments {
    /// The story that was asked for, if any.
    pub(super) fn scenario(&self) -> Result<Option<&'static Scenario>> {
        let Some(name) = &self.scenario else {
            return Ok(None);
        };
        if let Some(scenario) = Scenario::named(name) {
            return Ok(Some(scenario));
        }
        let names = Scenario::ALL.iter().map(|scenario| scenario.name);
        let names = names.collect::<Vec<_>>().join(", ");
        bail!("there is no story called {name:?}; there are {names}")
    }
}
