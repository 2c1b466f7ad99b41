//! How much data went through: by connection, by day and by billing month.
//!
//! Counters of bytes begin at zero with every connection, every modem and every start of the host; what they
//! gained since the last reading is added up here. Days and months begin at midnight in the cabinet's time zone,
//! and only a clock that is believed ends one: until then bytes are kept apart, shown with the present day and
//! month, and counted where the time is found again. No byte is counted twice, and none is taken back.
//!
//! The memory is written at most once a minute: a power cut loses what was counted in that minute. The first
//! reading of a connection counts whole, also when the connection is older than this service.

mod belief;
mod periods;
mod sessions;
#[cfg(test)]
mod tests;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use tm_types::{Cause, DataBytes, DataUsage, Stamp, Timestamp, code};

use belief::Belief;
use periods::{Calendar, Periods};
use sessions::Sessions;

/// A reading of a connection's counters.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Counters {
    /// Names the connection within a boot, such as the D-Bus path of a bearer.
    pub(crate) session: String,
    /// From the network since the connection began, bytes.
    pub(crate) rx_bytes: u64,
    /// To the network since the connection began, bytes.
    pub(crate) tx_bytes: u64,
}

/// What is kept over a restart; at most a few kilobytes.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Memory {
    sessions: Sessions,
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
pub(crate) struct Usage {
    memory: Memory,
    calendar: Calendar,
    limit_mb: Option<u32>,
}

impl Usage {
    /// Goes on from `memory`. `zone` is an IANA name, UTC where nobody knows it; `billing_day` is 1 to 28.
    pub(crate) fn new(
        mut memory: Memory,
        zone: &str,
        billing_day: u32,
        limit_mb: Option<u32>,
    ) -> Self {
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
            limit_mb,
        }
    }

    /// Takes in a reading. A connection's counters that fall begin a new count.
    pub(crate) fn on_counters(&mut self, counters: &Counters, stamp: &Stamp) {
        self.on_time(stamp);
        let gained = self.memory.sessions.on_counters(counters, stamp.boot);
        add(&mut self.memory.unsorted, gained);
        self.sort(stamp);
    }

    /// Lets time pass without a reading: days and months end also while nothing is connected.
    pub(crate) fn on_time(&mut self, stamp: &Stamp) {
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

    /// What is told; nothing before the first reading ever.
    pub(crate) fn usage(&self) -> Option<DataUsage> {
        let session = self.memory.sessions.present()?;
        let with_unsorted = |mut bytes: DataBytes| {
            add(&mut bytes, self.memory.unsorted);
            bytes
        };
        Some(DataUsage {
            session,
            day: with_unsorted(self.memory.days.present()),
            month: with_unsorted(self.memory.months.present()),
            month_began: self.month_began(),
            limit_mb: self.limit_mb,
        })
    }

    fn month_began(&self) -> Option<Timestamp> {
        self.calendar.began(self.memory.months.began()?)
    }

    /// `modem.data_limit` once the month's bytes in both directions have reached the limit.
    pub(crate) fn limit_reached(&self) -> Option<Cause> {
        let limit = self.limit_mb?;
        let month = self.usage()?.month;
        let used = month.rx_bytes.saturating_add(month.tx_bytes) / 1_000_000;
        (used >= u64::from(limit)).then(|| {
            code::MODEM_DATA_LIMIT
                .with("limit", limit)
                .and("used", used)
        })
    }

    /// What to keep.
    pub(crate) fn memory(&self) -> &Memory {
        &self.memory
    }
}

/// A date as it is kept: days since 1970-01-01.
fn number_of(date: Date) -> i32 {
    let epoch = Date::constant(1970, 1, 1);
    date.since(epoch).map_or(0, |span| span.get_days())
}

fn add(sum: &mut DataBytes, more: DataBytes) {
    sum.rx_bytes = sum.rx_bytes.saturating_add(more.rx_bytes);
    sum.tx_bytes = sum.tx_bytes.saturating_add(more.tx_bytes);
}
