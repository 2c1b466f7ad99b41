//! Looking at a port while the service runs: the raw registers of a device, or who answers at all.
//!
//! A person with a phone and without the manual sees every meaning of the registers beside each
//! other, and gets a ready map where one fits. Nothing here writes to a device.

mod args;
mod client;
mod ready;
mod views;

mod probe;
mod scan;

use std::time::Duration;

use serde_json::Value as Json;
use tm_service::port::PortUrl;
use tm_types::Cause;

use args::{Probe, Scan};
use client::opener;

/// What was being polled on the port may still answer: its answer must not be taken for ours.
const SETTLE: Duration = Duration::from_millis(300);

/// A look that is asked for.
#[derive(Debug)]
pub(crate) enum Look {
    /// The registers of one device.
    Probe(Probe),
    /// Who answers.
    Scan(Scan),
}

impl Look {
    /// Reads the arguments of `probe` and `scan`.
    pub(crate) fn read(op: &str, args: &Json) -> Result<Self, Cause> {
        match op {
            "probe" => Probe::read(args).map(Self::Probe),
            _ => Scan::read(args).map(Self::Scan),
        }
    }

    /// The port that must be free for it.
    pub(crate) fn port(&self) -> &PortUrl {
        match self {
            Self::Probe(probe) => &probe.port,
            Self::Scan(scan) => &scan.port,
        }
    }

    /// Looks, in bounded time; the result fits a message.
    pub(crate) async fn run(self, progress: impl Fn(u8) + Send) -> Result<Json, Cause> {
        tokio::time::sleep(SETTLE).await;
        let open = opener(self.port());
        match self {
            Self::Probe(args) => probe::run(&args, &open).await,
            Self::Scan(args) => scan::run(&args, &open, progress).await,
        }
    }
}
