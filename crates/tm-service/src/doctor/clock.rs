//! The wall clock.

use tm_types::{Clock as Quality, Timestamp};

use super::{Check, Machine, own};

/// 2026-01-01T00:00:00Z: this version did not exist before.
const FIRST_MS: i64 = 1_767_225_600_000;

pub(super) fn check(machine: &Machine) -> Check {
    let stamp = machine.clock.stamp();
    let told = |name| own(name).and("time", stamp.time);
    if stamp.time < Timestamp::of_unix_ms(FIRST_MS) {
        return Check::fail("clock", told("clock_wrong"));
    }
    match stamp.clock {
        Quality::Restored => Check::warn("clock", told("clock_free")),
        _ => Check::ok("clock", told("clock_well")),
    }
}
