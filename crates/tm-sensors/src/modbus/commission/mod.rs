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
use tm_types::Cause;

use super::place::Place;
use args::{Probe, Scan};
use client::{Open, opener};
use scan::Scanner;

/// What was being polled on the port may still answer: its answer must not be taken for ours.
const SETTLE: Duration = Duration::from_millis(300);
/// How long a scan keeps a port on which devices are polled, before it is their turn.
const TURN: Duration = Duration::from_secs(10);

/// A look that is asked for.
pub(crate) struct Look {
    port: Place,
    task: Task,
}

enum Task {
    /// The registers of one device.
    Probe(Probe, Open),
    /// Who answers.
    Scan(Scanner),
}

impl Look {
    /// Reads the arguments of `probe` and `scan`.
    pub(crate) fn read(op: &str, args: &Json) -> Result<Self, Cause> {
        if op == "probe" {
            let args = Probe::read(args)?;
            return Ok(Self {
                port: args.port.clone(),
                task: Task::Probe(args.clone(), opener(&args.port)),
            });
        }
        let args = Scan::read(args)?;
        let (port, open) = (args.port.clone(), opener(&args.port));
        let task = Task::Scan(Scanner::new(args, open));
        Ok(Self { port, task })
    }

    /// The port that must be free for it.
    pub(crate) fn port(&self) -> &Place {
        &self.port
    }

    /// Looks, in bounded time; none when others want their turn at the port before it goes on. The
    /// result fits a message.
    pub(crate) async fn turn(
        &mut self,
        progress: &(impl Fn(u8) + Sync),
    ) -> Result<Option<Json>, Cause> {
        tokio::time::sleep(SETTLE).await;
        match &mut self.task {
            Task::Probe(args, open) => probe::run(args, open).await.map(Some),
            Task::Scan(scanner) => scanner.turn(TURN, progress).await,
        }
    }
}
