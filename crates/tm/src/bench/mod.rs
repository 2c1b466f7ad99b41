//! `tm bench uplink`: what the uplink does, costs and survives, measured between two Mosquittos.
//!
//! The uplink runs as a process of its own, so that its CPU and memory are its own; `--uplink` takes the
//! binary of an image. `drain`, `queue` and `outage` check on the way that everything arrived.
#![expect(clippy::print_stdout, reason = "figures for people")]

mod bridge;
mod collector;
mod drain;
mod flash;
mod links;
mod live;
mod load;
mod month;
mod mosquitto;
mod outage;
mod process;
mod queue;
mod rates;
mod recovery;
mod wire;
mod witness;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use clap::{Args, Subcommand, ValueEnum};
use tempfile::TempDir;
use tm_sim::GateHandle;

pub use flash::device_bytes;

use mosquitto::Mosquitto;

/// One way's delay, and bytes a second, of an ordinary LTE link.
const LTE: Link = Link {
    delay: Duration::from_millis(30),
    bytes_per_s: 5_000_000 / 8,
};

/// What is measured.
#[derive(Args, Debug)]
pub struct Arguments {
    #[command(subcommand)]
    subject: Subject,
}

#[derive(Subcommand, Debug)]
enum Subject {
    /// The uplink: rates, drain, memory, wire, flash, recovery, and a Mosquitto bridge beside it.
    Uplink(Bench),
}

/// What of the uplink is measured, and with what.
#[derive(Args, Debug)]
struct Bench {
    /// Which measurements.
    #[arg(value_enum, default_value = "all")]
    which: Vec<Which>,
    /// The uplink's binary; without it this program runs as one.
    #[arg(long, value_name = "FILE")]
    uplink: Option<PathBuf>,
    /// Where the journals lie: for `flash`, a file system of its own; without it a temporary directory.
    #[arg(long, value_name = "DIRECTORY")]
    directory: Option<PathBuf>,
    /// Seconds that `flash` watches.
    #[arg(long, default_value_t = 600, value_name = "S")]
    seconds: u64,
    /// Millions of points in the largest queue of `queue`.
    #[arg(long, default_value_t = 8, value_name = "M")]
    million: u64,
    /// Size of the journal of `recovery`.
    #[arg(long, default_value_t = 1024, value_name = "MIB")]
    mib: u64,
    /// Days that `outage` lasts.
    #[arg(long, default_value_t = 30, value_name = "DAYS")]
    days: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Which {
    /// Points a second end to end, and their CPU.
    Rates,
    /// A backlog on loopback and over an emulated LTE link, and how late live data is meanwhile.
    Drain,
    /// Memory with more and more points queued.
    Queue,
    /// Bytes on the wire: one TLS connection over ten batches of 60 s.
    Wire,
    /// The same for each payload, profile and rate, and what it comes to in a month.
    Month,
    /// Bytes that reach the block device, in real time.
    Flash,
    /// How soon a journal is open again after a kill.
    Recovery,
    /// Links that are half open, nearly dead, slow and far: connections, memory, and whether all arrives.
    Links,
    /// A Mosquitto bridge with the same load, and what a kill costs each.
    Bridge,
    /// An outage of days at the standard load, and its end.
    Outage,
    /// All but `flash`, `month`, `recovery`, `links` and `outage`, which take minutes.
    All,
}

/// A link to be emulated.
#[derive(Clone, Copy, Debug)]
struct Link {
    delay: Duration,
    bytes_per_s: u64,
}

impl Link {
    fn set(self, gate: &GateHandle) {
        gate.set_delay(self.delay);
        gate.set_rate(Some(self.bytes_per_s));
    }
}

/// Measures, and prints.
///
/// # Errors
/// When something cannot be started, or what was sent does not arrive.
pub fn main(arguments: Arguments) -> Result<()> {
    let Subject::Uplink(bench) = arguments.subject;
    ensure!(
        Mosquitto::is_installed(),
        "this measurement needs mosquitto (apt install mosquitto)"
    );
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(measure(&bench))
}

async fn measure(bench: &Bench) -> Result<()> {
    let wants = |which| {
        let by_all = [
            Which::Rates,
            Which::Drain,
            Which::Queue,
            Which::Wire,
            Which::Bridge,
        ];
        bench.which.contains(&which) || bench.which.contains(&Which::All) && by_all.contains(&which)
    };
    if wants(Which::Rates) {
        rates::measure(bench).await.context("measure the rates")?;
    }
    if wants(Which::Drain) {
        drain::measure(bench).await.context("measure the drain")?;
    }
    if wants(Which::Queue) {
        queue::measure(bench).await.context("measure the queue")?;
    }
    if wants(Which::Wire) {
        wire::measure(bench).await.context("measure the wire")?;
    }
    if wants(Which::Month) {
        month::measure(bench).await.context("measure a month")?;
    }
    if wants(Which::Bridge) {
        bridge::measure(bench).await.context("measure the bridge")?;
    }
    if wants(Which::Recovery) {
        recovery::measure(bench)
            .await
            .context("measure the recovery")?;
    }
    if wants(Which::Flash) {
        flash::measure(bench).await.context("measure the flash")?;
    }
    if wants(Which::Links) {
        links::measure(bench).await.context("measure bad links")?;
    }
    if wants(Which::Outage) {
        outage::measure(bench).await.context("measure the outage")?;
    }
    Ok(())
}

impl Bench {
    /// A directory for a journal.
    fn directory(&self) -> Result<TempDir> {
        match &self.directory {
            Some(base) => TempDir::with_prefix_in("bench-", base)
                .with_context(|| format!("make a directory in {}", base.display())),
            None => TempDir::new().context("make a temporary directory"),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^53")]
fn per(count: u64, by: f64) -> f64 {
    count as f64 / by
}
