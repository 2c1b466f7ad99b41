//! The uplink as a process of its own, and what the kernel says about it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result};
use tempfile::TempDir;

use super::Bench;

/// Ticks of CPU time in a second (`sysconf(_SC_CLK_TCK)`, 100 on every Linux).
const TICKS_PER_S: u64 = 100;

/// An uplink that dies with this value.
#[derive(Debug)]
pub(super) struct Uplink {
    child: Child,
    program: Option<PathBuf>,
    variables: Vec<(String, String)>,
    directory: TempDir,
}

/// CPU and memory of a process.
#[derive(Clone, Copy, Debug)]
pub(super) struct Usage {
    pub(super) cpu: Duration,
    pub(super) rss_kib: u64,
    pub(super) peak_kib: u64,
}

impl Uplink {
    /// Starts an uplink between two brokers; `variables` are `TM_UPLINK_…`.
    pub(super) fn start(
        bench: &Bench,
        bus: SocketAddr,
        cloud: &str,
        variables: &[(&str, &str)],
    ) -> Result<Self> {
        let directory = bench.directory()?;
        let own = |name: &str, value: String| (name.to_owned(), value);
        let data = directory.path().to_string_lossy().into_owned();
        let mut all = vec![
            own("TM_UPLINK_DIRECTORY", format!("{data}/journal")),
            own("TM_DATA_DIR", data),
            own("TM_BUS_URL", format!("mqtt://{bus}")),
            own("TM_DEVICE_ID", "test".to_owned()),
            own("TM_UPLINK_URL", cloud.to_owned()),
            own("TM_LOG_LEVEL", "error".to_owned()),
        ];
        all.extend(
            variables
                .iter()
                .map(|(name, value)| own(name, (*value).to_owned())),
        );
        let program = bench.uplink.clone();
        Ok(Self {
            child: spawn(program.as_ref(), &all)?,
            program,
            variables: all,
            directory,
        })
    }

    /// Kills it with SIGKILL.
    pub(super) fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Starts it once more over the same files.
    pub(super) fn start_again(&mut self) -> Result<()> {
        self.child = spawn(self.program.as_ref(), &self.variables)?;
        Ok(())
    }

    /// Where its two journals lie.
    pub(super) fn journals(&self) -> PathBuf {
        self.directory.path().join("journal")
    }

    /// Bytes of the files of both journals.
    pub(super) fn journal_bytes(&self) -> u64 {
        let folders = ["urgent", "data"].map(|name| self.journals().join(name));
        let files = folders.iter().filter_map(|folder| folder.read_dir().ok());
        let lengths = files
            .flatten()
            .filter_map(|entry| Some(entry.ok()?.metadata().ok()?.len()));
        lengths.sum()
    }

    pub(super) fn usage(&self) -> Result<Usage> {
        Usage::of(&self.child)
    }
}

impl Drop for Uplink {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Usage {
    /// What the kernel counts of a child.
    pub(super) fn of(child: &Child) -> Result<Self> {
        let of = |file: &str| std::fs::read_to_string(format!("/proc/{}/{file}", child.id()));
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
        Ok(Self {
            cpu: Duration::from_millis(ticks * 1000 / TICKS_PER_S),
            rss_kib: kib("VmRSS:"),
            peak_kib: kib("VmHWM:"),
        })
    }

    /// Seconds of CPU since an earlier look.
    pub(super) fn cpu_since(&self, before: &Self) -> f64 {
        self.cpu.saturating_sub(before.cpu).as_secs_f64()
    }
}

fn spawn(program: Option<&PathBuf>, variables: &[(String, String)]) -> Result<Child> {
    let mut command = if let Some(program) = program {
        Command::new(program)
    } else {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["run", "uplink"]);
        command
    };
    command
        .envs(variables.iter().cloned())
        .stdout(Stdio::null())
        .spawn()
        .context("start the uplink")
}
