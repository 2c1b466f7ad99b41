//! How fast the journal grows.

use std::time::Duration;

use tm_journal::COMMIT_BYTES;

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

    /// Takes in that records of so many bytes were committed by `now`.
    pub(crate) fn on_committed(&mut self, bytes: u64, now: Duration) {
        self.bytes = self.bytes.saturating_add(bytes + COMMIT_BYTES);
        self.on_time(now);
    }

    /// Lets time pass: the rate falls also while nothing comes.
    pub(crate) fn on_time(&mut self, now: Duration) {
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
    use tm_journal::{Commit, Config, Cursor, Journal, MemoryDisk};
    use tm_types::{BootId, Clock, Point, PointName, Poll, Source, Stamp, Timestamp, Unit};

    use super::*;

    #[test]
    fn the_room_lasts_at_the_rate_of_the_last_hour() {
        let at = |minutes: u64| Duration::from_secs(minutes * 60);
        let mut growth = Growth::new(at(5));
        growth.on_committed(1000 - COMMIT_BYTES, at(6));
        assert_eq!(growth.hours_for(10_000, at(14)), None, "too early to tell");
        assert_eq!(growth.hours_for(12_000, at(15)), Some(2));
        growth.on_committed(1000 - COMMIT_BYTES, at(65));
        assert_eq!(growth.hours_for(12_000, at(66)), Some(6));
        // The next hour is under way, and the last one still counts.
        growth.on_committed(500_000, at(70));
        assert_eq!(growth.hours_for(12_000, at(70)), Some(6));
        growth.on_time(at(125));
        assert_eq!(growth.hours_for(12_000, at(125)), Some(0));
        growth.on_time(at(185));
        assert_eq!(growth.hours_for(12_000, at(185)), None, "nothing comes");
    }

    #[test]
    fn what_is_counted_is_what_the_disk_takes() {
        let config = Config::with_quota(64 << 20);
        let mut journal = Journal::open(MemoryDisk::new(), config).unwrap().0;
        let mut growth = Growth::default();
        // Of the segments that are full: a new one is as large as it will be.
        let (mut full, mut on_disk) = (0, journal.disk_bytes());
        let source = Source::new("tank").unwrap();
        for n in 0..20_000_u64 {
            let name = PointName::new("level").unwrap();
            let number = i64::try_from(n * n % 1000).unwrap();
            let poll = Poll {
                sequence: None,
                stamp: Stamp {
                    time: Timestamp::FLOOR.plus_ms(i64::try_from(n * 1000).unwrap()),
                    mono_ms: n * 1000,
                    boot: BootId(1),
                    clock: Clock::Ntp,
                    err_ms: None,
                },
                points: vec![Point::gauge(name, Unit::NONE, number)],
            };
            journal.append_row(&source, &poll).unwrap();
            let bytes = journal.buffered_bytes() as u64;
            let commit = Commit {
                cursor: &Cursor::at(0),
                write_cursor: false,
                in_flight: &[],
                app_state: &[],
            };
            journal.commit(&commit).unwrap();
            if journal.disk_bytes() != on_disk {
                full = on_disk;
                on_disk = journal.disk_bytes();
                let counted = growth.bytes;
                let is_close = (full * 85 / 100..=full).contains(&counted);
                assert!(is_close, "{counted} of {full}");
            }
            growth.on_committed(bytes, Duration::ZERO);
        }
        assert!(full > 900_000, "{full}");
    }
}
