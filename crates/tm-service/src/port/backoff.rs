//! How long to wait before a port is opened again.

use std::time::Duration;

/// The first wait: a glitch is over at once.
const FIRST: Duration = Duration::from_millis(500);
/// The longest wait. Looking through sysfs costs about 0.1 ms, and a modem that returns is seen within this time.
const LONGEST: Duration = Duration::from_secs(10);

/// Growing waits between attempts, with jitter so that a cabinet full of devices does not move in step.
#[derive(Debug, Default)]
pub struct Backoff {
    n_failures: u32,
}

impl Backoff {
    /// The next wait: 0.5 s, doubling up to 10 s, less up to a quarter.
    pub fn next_wait(&mut self) -> Duration {
        let whole = FIRST
            .saturating_mul(1 << self.n_failures.min(5))
            .min(LONGEST);
        self.n_failures = self.n_failures.saturating_add(1);
        whole.mul_f64(1.0 - fastrand::f64() / 4.0)
    }

    /// The port works: the next failure waits briefly again.
    pub fn reset(&mut self) {
        self.n_failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_bound_and_start_again() {
        let mut backoff = Backoff::default();
        let waits: Vec<Duration> = (0..100).map(|_| backoff.next_wait()).collect();
        assert!(waits[0] <= FIRST && waits[0] >= FIRST.mul_f64(0.75));
        assert!(waits[1] > waits[0] && waits[3] > waits[2]);
        assert!(
            waits[5..]
                .iter()
                .all(|wait| (LONGEST.mul_f64(0.75)..=LONGEST).contains(wait))
        );
        backoff.reset();
        assert!(backoff.next_wait() <= FIRST);
    }
}
