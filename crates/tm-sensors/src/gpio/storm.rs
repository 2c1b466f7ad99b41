//! A line that flutters: loose contacts, a relay that hums, a wire that works as an antenna.
//!
//! More edges in a second than the line can rightly have is a storm. The line is then let go of for a while, so that
//! neither the kernel nor the bus has work with it, and is not believed before it has been calm for as long.

use std::time::Duration;

use tokio::time::Instant;

/// Edges are counted over this long.
const WINDOW: Duration = Duration::from_secs(1);
/// So long a line is let go of, and so long it has to be calm afterwards.
pub(super) const REST: Duration = Duration::from_secs(5);

/// Watches the edges of one line.
#[derive(Debug)]
pub(super) struct Storm {
    limit: u32,
    window: Instant,
    n_edges: u32,
    /// Until when the line has to be calm to be believed again.
    settling: Option<Instant>,
    n_storms: u32,
}

impl Storm {
    /// `limit` edges in a second are the most that the line can rightly have.
    pub(super) fn new(limit: u32, now: Instant) -> Self {
        Self {
            limit,
            window: now,
            n_edges: 0,
            settling: None,
            n_storms: 0,
        }
    }

    /// Takes note of edges; says whether they are a storm, and the line is to be let go of for [`REST`].
    pub(super) fn is_storm(&mut self, now: Instant, n_edges: u32) -> bool {
        if now.saturating_duration_since(self.window) >= WINDOW {
            (self.window, self.n_edges) = (now, 0);
        }
        self.n_edges = self.n_edges.saturating_add(n_edges);
        if self.n_edges <= self.limit {
            return false;
        }
        self.n_edges = 0;
        self.n_storms = self.n_storms.saturating_add(1);
        self.settling = Some(now + REST + REST);
        true
    }

    /// When the line can be believed again; `None` while it is believed.
    pub(super) fn settling(&self) -> Option<Instant> {
        self.settling
    }

    /// Whether the line is believed at `now`.
    pub(super) fn is_calm(&mut self, now: Instant) -> bool {
        if self.settling.is_some_and(|until| now >= until) {
            self.settling = None;
        }
        self.settling.is_none()
    }

    /// Storms since the service started.
    pub(super) fn n_storms(&self) -> u32 {
        self.n_storms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges_within_and_beyond_the_limit() {
        let start = Instant::now();
        let at = |ms: u64| start + Duration::from_millis(ms);
        let mut storm = Storm::new(10, start);
        // (when, edges, a storm)
        for (ms, n_edges, expected) in [
            (0, 10, false),
            (999, 0, false),
            (1000, 10, false),
            (1500, 1, true),
            (1500, 10, false),
            (2600, 11, true),
            (9000, u32::MAX, true),
            (9000, u32::MAX, true),
        ] {
            assert_eq!(storm.is_storm(at(ms), n_edges), expected, "{ms} {n_edges}");
        }
        assert_eq!(storm.n_storms(), 4);
        assert!(!storm.is_calm(at(18_999)));
        assert_eq!(storm.settling(), Some(at(19_000)));
        assert!(storm.is_calm(at(19_000)));
        assert_eq!(storm.settling(), None);
    }
}
