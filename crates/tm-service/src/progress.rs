//! Whether the service's own loop still turns.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Marks of the service's loop; clones share them.
///
/// [`Bus::next`](crate::bus::Bus::next) beats by itself, also while it waits: a service whose loop
/// awaits the bus needs no mark of its own.
#[derive(Clone, Debug)]
pub struct Progress {
    started: Instant,
    last_ms: Arc<AtomicU64>,
}

impl Progress {
    /// A loop that has just turned.
    pub fn new() -> Self {
        Self {
            started: Instant::now(),
            last_ms: Arc::default(),
        }
    }

    /// The loop has turned.
    pub fn beat(&self) {
        self.last_ms.store(self.now_ms(), Ordering::Relaxed);
    }

    /// How long ago it last did.
    pub fn age(&self) -> Duration {
        let last = self.last_ms.load(Ordering::Relaxed);
        Duration::from_millis(self.now_ms().saturating_sub(last))
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

impl Default for Progress {
    fn default() -> Self {
        Self::new()
    }
}
