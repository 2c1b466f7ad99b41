//! How often the machine may be rebooted: a fault that survives a reboot must not become a loop.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tm_types::Stamp;

/// What "a day" is.
const DAY: Duration = Duration::from_hours(24);
/// More than any setting allows within a day.
const KEPT: usize = 32;

/// When the machine was rebooted on request; kept in the store.
#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct RebootLog {
    asked: Vec<Stamp>,
}

impl RebootLog {
    /// Reboots within the last day.
    ///
    /// Within one boot the monotonic clock tells; across boots only the wall clock can, in either
    /// direction, so that a clock that once was years ahead does not forbid reboots for years.
    pub(crate) fn within_a_day(&self, now: &Stamp) -> usize {
        let day_ms = DAY.as_millis();
        let is_recent = |asked: &&Stamp| {
            if asked.boot == now.boot {
                u128::from(now.mono_ms.saturating_sub(asked.mono_ms)) < day_ms
            } else {
                u128::from(now.time.ms_since(asked.time).unsigned_abs()) < day_ms
            }
        };
        self.asked.iter().filter(is_recent).count()
    }

    /// Notes a reboot that is about to be asked for.
    pub(crate) fn note(&mut self, now: Stamp) {
        self.asked.push(now);
        let surplus = self.asked.len().saturating_sub(KEPT);
        self.asked.drain(..surplus);
    }

    /// Takes the last one back: the supervisor refused it.
    pub(crate) fn take_back(&mut self) {
        self.asked.pop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tm_types::{BootId, Clock, Timestamp};

    const HOUR_MS: i64 = 3_600_000;
    const YEAR_MS: i64 = 365 * 24 * HOUR_MS;

    fn stamp(boot: u32, mono_hours: u64, wall_ms: i64) -> Stamp {
        Stamp {
            time: Timestamp::of_unix_ms(1_790_000_000_000 + wall_ms),
            mono_ms: mono_hours * 3_600_000,
            boot: BootId(boot),
            clock: Clock::None,
            err_ms: None,
        }
    }

    #[test]
    fn what_counts_as_within_a_day() {
        let cases = [
            ("this boot, an hour ago", stamp(1, 1, 0), 1),
            (
                "this boot, clock stepped ahead",
                stamp(1, 1, 10 * YEAR_MS),
                1,
            ),
            (
                "this boot, clock stepped back",
                stamp(1, 1, -10 * YEAR_MS),
                1,
            ),
            ("this boot, 24 hours ago", stamp(1, 24, 24 * HOUR_MS), 0),
            ("last boot, an hour ago", stamp(2, 0, HOUR_MS), 1),
            ("last boot, 23 hours ago", stamp(2, 0, 23 * HOUR_MS), 1),
            ("last boot, 24 hours ago", stamp(2, 0, 24 * HOUR_MS), 0),
            (
                "last boot, the clock was an hour ahead",
                stamp(2, 0, -HOUR_MS),
                1,
            ),
            (
                "last boot, the clock was years ahead",
                stamp(2, 0, -10 * YEAR_MS),
                0,
            ),
        ];
        let mut log = RebootLog::default();
        log.note(stamp(1, 0, 0));
        for (case, now, expected) in cases {
            assert_eq!(log.within_a_day(&now), expected, "{case}");
        }
    }

    #[test]
    fn the_log_is_bounded_and_can_take_back() {
        let mut log = RebootLog::default();
        for boot in 0..1000 {
            log.note(stamp(boot, 0, 0));
        }
        let now = stamp(1000, 0, 0);
        assert_eq!(log.within_a_day(&now), KEPT);
        log.take_back();
        assert_eq!(log.within_a_day(&now), KEPT - 1);
    }
}
