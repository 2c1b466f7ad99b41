//! How much data went through: by connection, by day and by billing month.
//!
//! Counters of bytes begin at zero with every connection, every modem and every start of the host; what they
//! gained since the last reading is added up here, and told by day and month as [`tm_service::metering`] has them.
//!
//! The memory is written at most once a minute: a power cut loses what was counted in that minute. The first
//! reading of a connection counts whole, also when the connection is older than this service.

mod sessions;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use tm_service::metering::{self, Meter};
use tm_types::{Cause, DataUsage, Stamp, code};

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
    #[serde(flatten)]
    meter: metering::Memory,
}

/// Counts.
#[derive(Debug)]
pub(crate) struct Usage {
    sessions: Sessions,
    meter: Meter,
    limit_mb: Option<u32>,
}

impl Usage {
    /// Goes on from `memory`. `zone` is an IANA name, UTC where nobody knows it; `billing_day` is 1 to 28.
    pub(crate) fn new(memory: Memory, zone: &str, billing_day: u32, limit_mb: Option<u32>) -> Self {
        Self {
            sessions: memory.sessions,
            meter: Meter::new(memory.meter, zone, billing_day),
            limit_mb,
        }
    }

    /// Takes in a reading. A connection's counters that fall begin a new count.
    pub(crate) fn on_counters(&mut self, counters: &Counters, stamp: &Stamp) {
        let gained = self.sessions.on_counters(counters, stamp.boot);
        self.meter.add(gained, stamp);
    }

    /// Lets time pass without a reading: days and months end also while nothing is connected.
    pub(crate) fn on_time(&mut self, stamp: &Stamp) {
        self.meter.on_time(stamp);
    }

    /// What is told; nothing before the first reading ever.
    pub(crate) fn usage(&self) -> Option<DataUsage> {
        Some(DataUsage {
            session: self.sessions.present()?,
            day: self.meter.day(),
            month: self.meter.month(),
            month_began: self.meter.month_span().map(|span| span.start),
            limit_mb: self.limit_mb,
        })
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
    pub(crate) fn memory(&self) -> Memory {
        Memory {
            sessions: self.sessions.clone(),
            meter: self.meter.memory().clone(),
        }
    }
}
