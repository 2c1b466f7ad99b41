//! How much of the backlog may be under way at once.

use std::time::Duration;

/// What backlog may add to the way of a live batch: design §11 allows live data to be late by 2 s.
const QUEUE_TARGET: Duration = Duration::from_secs(1);

/// A window that grows while acknowledgements come promptly and halves when a queue builds up.
///
/// The path's own latency is learnt as the least one seen on this connection, so that a slow but empty link is not taken for a full one.
#[derive(Debug)]
pub(crate) struct Pace {
    window: usize,
    most: usize,
    least_latency: Duration,
    /// Acknowledgements of what was sent before the last halving tell nothing new.
    halved_at: Duration,
}

impl Pace {
    /// Starts with one message, on a connection nothing is known of.
    pub(crate) fn new(most: usize) -> Self {
        Self {
            window: 1,
            most: most.max(1),
            least_latency: Duration::MAX,
            halved_at: Duration::ZERO,
        }
    }

    /// Messages of backlog that may be unacknowledged.
    pub(crate) fn window(&self) -> usize {
        self.window
    }

    /// Takes in that what was sent at `sent_at` is acknowledged at `now`.
    pub(crate) fn acked(&mut self, sent_at: Duration, now: Duration) {
        let latency = now.saturating_sub(sent_at);
        self.least_latency = self.least_latency.min(latency);
        if latency <= self.least_latency + QUEUE_TARGET {
            self.window = (self.window + 1).min(self.most);
        } else if sent_at >= self.halved_at {
            self.window = (self.window / 2).max(1);
            self.halved_at = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn prompt_answers_open_the_window_to_its_most() {
        let mut pace = Pace::new(24);
        for round in 0..100 {
            pace.acked(ms(round * 100), ms(round * 100 + 60));
        }
        assert_eq!(pace.window(), 24);
    }

    #[test]
    fn a_queue_halves_it_once_for_all_that_was_under_way() {
        let mut pace = Pace::new(24);
        for _ in 0..30 {
            pace.acked(ms(0), ms(60));
        }
        for _ in 0..10 {
            pace.acked(ms(100), ms(3000));
        }
        assert_eq!(pace.window(), 12);
        pace.acked(ms(3001), ms(6000));
        assert_eq!(pace.window(), 6);
    }

    #[test]
    fn a_path_that_is_always_slow_is_not_a_queue() {
        let mut pace = Pace::new(4);
        for round in 0..10 {
            pace.acked(ms(round * 10_000), ms(round * 10_000 + 2500));
        }
        assert_eq!(pace.window(), 4);
    }
}
