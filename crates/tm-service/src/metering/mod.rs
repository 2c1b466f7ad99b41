//! Counts metered bytes by day and by billing month.
//!
//! Days and months begin at midnight in the cabinet's time zone, and only a clock that is believed ends one: until
//! then bytes are kept apart, shown with the present day and month, and counted where the time is found again.
//! No byte is counted twice, and none is taken back.

mod belief;
mod calendar;
mod periods;
#[cfg(test)]
mod tests;

use std::ops::Range;

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use tm_types::{DataBytes, Stamp, Timestamp};

pub use calendar::LocalTime;

use belief::Belief;
use calendar::Calendar;
use periods::Periods;

/// What is kept over a restart; at most a kilobyte.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Memory {
    belief: Belief,
    days: Periods,
    months: Periods,
    /// Counted while no time was believed.
    unsorted: DataBytes,
    /// By which zone and billing day the months were counted.
    calendar: Option<(String, i8)>,
}

/// Counts.
#[derive(Debug)]
pub struct Meter {
    memory: Memory,
    calendar: Calendar,
}

impl Meter {
    /// Goes on from `memory`. `zone` is an IANA name, UTC where nobody knows it; `billing_day` is 1 to 28.
    pub fn new(mut memory: Memory, zone: &str, billing_day: u32) -> Self {
        let billing_day = i8::try_from(billing_day.clamp(1, 28)).unwrap_or(1);
        let rule = Some((zone.to_owned(), billing_day));
        if memory.calendar != rule {
            // By another rule the present month began at another time. What was counted stays in it: rather too
            // much than too little, until the next month.
            memory.months.rename_at_next();
            memory.calendar = rule;
        }
        Self {
            memory,
            calendar: Calendar {
                zone: TimeZone::get(zone).unwrap_or(TimeZone::UTC),
                billing_day,
            },
        }
    }

    /// Counts bytes at the time of `stamp`.
    pub fn add(&mut self, bytes: DataBytes, stamp: &Stamp) {
        self.on_time(stamp);
        add(&mut self.memory.unsorted, bytes);
        self.sort(stamp);
    }

    /// Lets time pass: days and months end also while nothing is counted.
    pub fn on_time(&mut self, stamp: &Stamp) {
        self.memory.belief.on_stamp(stamp);
        self.sort(stamp);
    }

    /// Puts what waits into the day and month of `stamp`, if its time is believed.
    fn sort(&mut self, stamp: &Stamp) {
        let Some(trust) = self.memory.belief.of(stamp) else {
            return;
        };
        let day = self.calendar.day(stamp.time);
        let month = self.calendar.month(day);
        let waiting = std::mem::take(&mut self.memory.unsorted);
        self.memory.days.add(day, waiting, trust);
        self.memory.months.add(month, waiting, trust);
    }

    /// Of the present day, with what waits for a time.
    pub fn day(&self) -> DataBytes {
        self.with_unsorted(self.memory.days.present())
    }

    /// Of the present billing month, with what waits for a time.
    pub fn month(&self) -> DataBytes {
        self.with_unsorted(self.memory.months.present())
    }

    /// When the present day began and ends; nothing until a time was believed.
    pub fn day_span(&self) -> Option<Range<Timestamp>> {
        self.calendar.day_span(self.memory.days.began()?)
    }

    /// When the present billing month began and ends; nothing until a time was believed.
    pub fn month_span(&self) -> Option<Range<Timestamp>> {
        self.calendar.month_span(self.memory.months.began()?)
    }

    /// Whether the time of `stamp`, which was taken in, is believed.
    pub fn believes(&self, stamp: &Stamp) -> bool {
        self.memory.belief.of(stamp).is_some()
    }

    /// What the clock on the wall shows at `stamp`, which was taken in; nothing while it is not believed.
    pub fn local_time(&self, stamp: &Stamp) -> Option<LocalTime> {
        self.believes(stamp)
            .then(|| self.calendar.local(stamp.time))
    }

    /// What to keep.
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    fn with_unsorted(&self, mut bytes: DataBytes) -> DataBytes {
        add(&mut bytes, self.memory.unsorted);
        bytes
    }
}

fn add(sum: &mut DataBytes, more: DataBytes) {
    sum.rx_bytes = sum.rx_bytes.saturating_add(more.rx_bytes);
    sum.tx_bytes = sum.tx_bytes.saturating_add(more.tx_bytes);
}
