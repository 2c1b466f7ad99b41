//! Counts what the cloud connection costs, and keeps it over restarts.

use std::time::Duration;

use tm_service::metering::{Memory, Meter};
use tm_service::session::Wire;
use tm_service::{Host, Store};
use tm_types::{DataBytes, Stamp};

use super::Period;

/// The file that keeps the counts.
const COSTS: &str = "costs";
/// Between two writes of it: what a power cut loses.
const WRITE_EVERY: Duration = Duration::from_mins(10);

/// The meter of the cloud connection.
pub(crate) struct Costs {
    meter: Meter,
    wire: Wire,
    /// What of the wire is in the meter.
    counted: DataBytes,
    /// When it was last looked at.
    seen: Stamp,
    store: Store,
}

impl Costs {
    /// Goes on from what an earlier run has kept.
    pub(crate) fn open(host: &Host, wire: Wire, billing_day: u32) -> Self {
        let memory: Memory = host.store.load(COSTS).unwrap_or_default();
        Self {
            meter: Meter::new(memory, &host.device.timezone, billing_day),
            counted: DataBytes::default(),
            wire,
            seen: host.clock.stamp(),
            store: host.store.clone(),
        }
    }

    /// Bytes that went over the wire since the last [`look`](Self::look).
    pub(crate) fn uncounted(&self) -> u64 {
        total(self.gained())
    }

    fn gained(&self) -> DataBytes {
        let now = self.wire.with_headers();
        DataBytes {
            rx_bytes: now.rx_bytes.saturating_sub(self.counted.rx_bytes),
            tx_bytes: now.tx_bytes.saturating_sub(self.counted.tx_bytes),
        }
    }

    /// Counts what went over the wire until now; what the meter says of it.
    pub(crate) fn look(&mut self, now: Stamp) -> &Meter {
        let gained = self.gained();
        self.seen = now;
        self.counted = self.wire.with_headers();
        let day = self.meter.day_span();
        self.meter.add(gained, &now);
        // A time that goes on by itself is no reason to wear the flash.
        let is_new_day = self.meter.day_span() != day;
        if is_new_day || total(gained) > 0 {
            let every = if is_new_day {
                Duration::ZERO
            } else {
                WRITE_EVERY
            };
            self.store.save_every(COSTS, every, self.meter.memory());
        }
        &self.meter
    }
}

impl Drop for Costs {
    /// The last bytes count too; they are written with everything that waits.
    fn drop(&mut self) {
        self.look(self.seen);
    }
}

/// The day and the month as the meter has them.
pub(super) fn periods(meter: &Meter, stamp: &Stamp, limits: [Option<u64>; 2]) -> [Period; 2] {
    let now = meter.believes(stamp).then_some(stamp.time);
    let used = [meter.day(), meter.month()].map(total);
    let [day, month] = [meter.day_span(), meter.month_span()];
    let period = |at: usize, span| Period {
        used: used[at],
        limit: limits[at],
        span,
        now,
    };
    [period(0, day), period(1, month)]
}

fn total(bytes: DataBytes) -> u64 {
    bytes.rx_bytes.saturating_add(bytes.tx_bytes)
}
