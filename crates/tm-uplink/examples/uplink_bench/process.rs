//! The uplink as a process of its own, and what the kernel says about it.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command};
use std::time::Duration;

use anyhow::{Context as _, Result};
use tempfile::TempDir;
use tm_service::config::{Environment, Report, Settings as _};
use tm_service::{Clock, Host};
use tm_uplink::Config;

/// Ticks of CPU time in a second (`sysconf(_SC_CLK_TCK)`, 100 on every Linux).
const TICKS_PER_S: u64 = 100;

/// An uplink that dies with this value.
pub(crate) struct Uplink {
    child: Child,
    _directory: TempDir,
}

/// CPU and memory of a process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage {
    pub(crate) cpu: Duration,
    pub(crate) rss_kib: u64,
    pub(crate) peak_kib: u64,
}

impl Uplink {
    /// Starts this program again as an uplink; `variables` are `TM_UPLINK_…`.
    pub(crate) fn start(bus: SocketAddr, cloud: &str, variables: &[(&str, &str)]) -> Result<Self> {
        let directory = TempDir::new()?;
        let child = Command::new(std::env::current_exe()?)
            .args([
                "uplink",
                &directory.path().to_string_lossy(),
                &format!("mqtt://{bus}"),
            ])
            .env("TM_UPLINK_URL", cloud)
            .envs(variables.iter().copied())
            .spawn()?;
        Ok(Self {
            child,
            _directory: directory,
        })
    }

    pub(crate) fn usage(&self) -> Result<Usage> {
        let of = |file: &str| std::fs::read_to_string(format!("/proc/{}/{file}", self.child.id()));
        let stat = of("stat")?;
        let (_, fields) = stat.rsplit_once(')').context("read the process's stat")?;
        // utime and stime are the 14th and 15th fields, the 12th and 13th behind the name (proc(5)).
        let ticks: u64 = fields
            .split_whitespace()
            .skip(11)
            .take(2)
            .filter_map(|ticks| ticks.parse::<u64>().ok())
            .sum();
        let status = of("status")?;
        let kib = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name));
            line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok())
                .unwrap_or(0)
        };
        Ok(Usage {
            cpu: Duration::from_millis(ticks * 1000 / TICKS_PER_S),
            rss_kib: kib("VmRSS:"),
            peak_kib: kib("VmHWM:"),
        })
    }
}

impl Drop for Uplink {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The uplink itself: directory and bus as arguments, the rest from the environment.
pub(crate) async fn run(arguments: &[String]) -> Result<()> {
    let [directory, bus] = arguments else {
        anyhow::bail!("uplink DIRECTORY BUS")
    };
    let config = Config::load("TM_UPLINK_", &Environment::of_process(), &mut Report::new());
    let host = Host::for_test("uplink", Path::new(directory), bus, Clock::system())?;
    match tm_uplink::run(config, host).await? {}
}
