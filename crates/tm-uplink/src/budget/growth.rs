//! How fast the journal grows.

use std::time::Duration;

/// Over so long the rate is taken.
const WINDOW: Duration = Duration::from_hours(1);
/// Before so much of the first window has passed there is no rate.
const LEAST: Duration = Duration::from_mins(10);

/// Bytes appended to the journals, by the hour.
#[derive(Debug, Default)]
pub(crate) struct Growth {
    since: Duration,
    bytes: u64,
    /// Of the last whole window.
    per_hour: Option<u64>,
}

impl Growth {
    /// Begins to count at `now`.
    pub(crate) fn new(now: Duration) -> Self {
        Self {
            since: now,
            ..Self::default()
        }
    }

    /// Takes in that so many bytes were appended by `now`.
    pub(crate) fn add(&mut self, bytes: u64, now: Duration) {
        self.bytes = self.bytes.saturating_add(bytes);
        if now.saturating_sub(self.since) >= WINDOW {
            self.per_hour = self.rate(now);
            (self.since, self.bytes) = (now, 0);
        }
    }

    /// Hours until so much room is filled; nothing while no rate is known, or nothing comes.
    pub(crate) fn hours_for(&self, room_bytes: u64, now: Duration) -> Option<u64> {
        let rate = self.per_hour.or_else(|| self.rate(now))?;
        room_bytes.checked_div(rate)
    }

    fn rate(&self, now: Duration) -> Option<u64> {
        let passed = now.saturating_sub(self.since);
        let seconds = passed.as_secs();
        (passed >= LEAST).then(|| self.bytes.saturating_mul(3600) / seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_room_lasts_at_the_rate_of_the_last_hour() {
        let at = |minutes: u64| Duration::from_secs(minutes * 60);
        let mut growth = Growth::new(at(5));
        growth.add(1000, at(6));
        assert_eq!(growth.hours_for(10_000, at(14)), None, "too early to tell");
        assert_eq!(growth.hours_for(12_000, at(15)), Some(2));
        growth.add(1000, at(65));
        assert_eq!(growth.hours_for(12_000, at(66)), Some(6));
        // The next hour is under way, and the last one still counts.
        growth.add(500_000, at(70));
        assert_eq!(growth.hours_for(12_000, at(70)), Some(6));
        growth.add(0, at(125));
        assert_eq!(growth.hours_for(12_000, at(125)), Some(0));
        growth.add(0, at(185));
        assert_eq!(growth.hours_for(12_000, at(185)), None, "nothing comes");
    }
}
