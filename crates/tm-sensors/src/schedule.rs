//! When a device is due: on the monotonic clock, without drift, without a burst after a stall.

use std::time::Duration;

use tokio::time::Instant;

/// A beat of equal periods. A stall skips beats; the phase stays.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Schedule {
    due: Instant,
    period: Duration,
}

impl Schedule {
    /// A beat whose first stroke is `first`. A period of zero counts as one millisecond.
    pub(crate) fn new(first: Instant, period: Duration) -> Self {
        let period = period.max(Duration::from_millis(1));
        Self { due: first, period }
    }

    /// The stroke that is waited for.
    pub(crate) fn due(&self) -> Instant {
        self.due
    }

    /// Moves on to the first stroke after `now`, and says how many were missed.
    pub(crate) fn advance(&mut self, now: Instant) -> u32 {
        let late = now.saturating_duration_since(self.due).as_nanos();
        let missed = u32::try_from(late / self.period.as_nanos()).unwrap_or(u32::MAX - 1);
        self.due += self.period * (missed + 1);
        missed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strokes_neither_drift_nor_burst() {
        let start = Instant::now();
        let at = |ms: u64| start + Duration::from_millis(ms);
        // (finished at, missed, next stroke), in milliseconds, with a period of 1 s.
        let cases = [
            (0, 0, 1000),
            (1003, 0, 2000),
            (2999, 0, 3000),
            (3000, 0, 4000),
            (9500, 5, 10_000),
            (10_000, 0, 11_000),
            (12_000, 1, 13_000),
        ];
        let mut schedule = Schedule::new(start, Duration::from_secs(1));
        for (finished, missed, next) in cases {
            assert_eq!(schedule.advance(at(finished)), missed, "at {finished}");
            assert_eq!(schedule.due(), at(next), "at {finished}");
        }
    }

    #[test]
    fn absurd_periods_are_survived() {
        let start = Instant::now();
        let mut zero = Schedule::new(start, Duration::ZERO);
        zero.advance(start + Duration::from_secs(1));
        assert!(zero.due() > start + Duration::from_secs(1));
    }
}
