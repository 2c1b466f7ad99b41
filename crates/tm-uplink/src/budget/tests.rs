//! Days and months of a cabinet, by hand and at random.

use proptest::prelude::*;
use tm_service::metering::Memory;
use tm_types::{BootId, Clock, DataBytes, Timestamp};

use super::*;

const HOUR_MS: u64 = 3_600_000;
const MIB: u64 = 1 << 20;

/// A cabinet that begins at midnight in Kyiv, on the first of December.
struct Bench {
    meter: Meter,
    budget: Budget,
    ms: u64,
    clock: Clock,
}

impl Bench {
    fn new(day_mib: u32, month_mib: u32) -> Self {
        let mut bench = Self {
            meter: Meter::new(Memory::default(), "Europe/Kyiv", 1),
            budget: Budget::new(Some(day_mib), Some(month_mib)),
            ms: 0,
            clock: Clock::Ntp,
        };
        bench.pass(0, 0);
        bench
    }

    fn stamp(&self) -> Stamp {
        let midnight: Timestamp = "2026-11-30T22:00:00Z".parse().unwrap();
        Stamp {
            time: midnight.plus_ms(i64::try_from(self.ms).unwrap()),
            mono_ms: self.ms,
            boot: BootId(1),
            clock: self.clock,
            err_ms: None,
        }
    }

    /// Lets time pass and bytes flow; the code that is told of it.
    fn pass(&mut self, ms: u64, bytes: u64) -> Option<String> {
        self.ms += ms;
        let stamp = self.stamp();
        let bytes = DataBytes {
            rx_bytes: bytes / 4,
            tx_bytes: bytes - bytes / 4,
        };
        self.meter.add(bytes, &stamp);
        let now = Duration::from_millis(self.ms);
        let news = self.budget.judge(&self.meter, &stamp, now);
        news.map(|(_, cause)| cause.code)
    }
}

#[test]
fn a_day_that_is_spent_holds_measurements_until_the_next_one() {
    let mut bench = Bench::new(10, 0);
    assert_eq!(bench.budget.allowed().backlog, BACKLOG_WINDOW);
    assert_eq!(bench.pass(12 * HOUR_MS, 5 * MIB), None);
    assert_eq!(bench.budget.step(), BudgetStep::Lean);
    assert_eq!(bench.budget.trouble(), None, "that is everyday life");
    let held = Allowed {
        live: true,
        backlog: 0,
    };
    assert_eq!(bench.budget.allowed(), held);
    let told = bench.pass(HOUR_MS, 2 * MIB);
    assert_eq!(told.as_deref(), Some("uplink.budget_low"));
    assert_eq!(bench.budget.step(), BudgetStep::Thrifty);
    assert_eq!(bench.pass(HOUR_MS, 0), None, "said once");
    let told = bench.pass(0, 5 * MIB / 2);
    assert_eq!(told.as_deref(), Some("uplink.budget_spent"));
    let cause = bench.budget.trouble().unwrap();
    assert_eq!(cause.args["period"], "day");
    assert_eq!(
        (&*cause.args["used"], &*cause.args["limit"]),
        ("9.5", "10.0")
    );
    let held = Allowed {
        live: false,
        backlog: 0,
    };
    assert_eq!(bench.budget.allowed(), held);
    assert_eq!(bench.pass(10 * HOUR_MS - 1, MIB), None, "alarms go on");
    let told = bench.pass(1, 0);
    assert_eq!(told.as_deref(), Some("uplink.budget_lasts"));
    assert_eq!(bench.budget.trouble(), None);
    assert!(bench.budget.allowed().live);
}

#[test]
fn the_stricter_of_two_budgets_counts() {
    let mut bench = Bench::new(10, 310);
    let told = bench.pass(HOUR_MS, 2 * MIB);
    assert_eq!(told.as_deref(), Some("uplink.budget_low"), "by the day");
    assert_eq!(bench.budget.trouble().unwrap().args["period"], "day");
    let mut bench = Bench::new(10, 31);
    for day in 0..4 {
        for (hours, mib) in [(11, 4), (12, 4), (1, 0)] {
            bench.pass(hours * HOUR_MS, mib * MIB);
            assert_eq!(bench.budget.steps[0], BudgetStep::Free, "{day}");
        }
    }
    let cause = bench.budget.trouble().unwrap();
    assert_eq!(cause.args["period"], "month");
    assert_eq!(bench.budget.step(), BudgetStep::Spent);
}

#[test]
fn without_a_clock_nothing_changes_and_after_six_hours_nothing_is_held() {
    let mut bench = Bench::new(10, 0);
    bench.pass(HOUR_MS, 10 * MIB);
    assert_eq!(bench.budget.step(), BudgetStep::Spent);
    bench.clock = Clock::None;
    bench.pass(0, 0);
    assert_eq!(bench.pass(6 * HOUR_MS - 1, 0), None);
    assert_eq!(bench.budget.step(), BudgetStep::Spent);
    let told = bench.pass(1, 0);
    assert_eq!(told.as_deref(), Some("uplink.budget_lasts"));
    assert!(bench.budget.allowed().live);
    bench.clock = Clock::Gnss;
    let told = bench.pass(0, 0);
    assert_eq!(told.as_deref(), Some("uplink.budget_spent"), "the same day");
}

#[test]
fn without_budgets_everything_goes() {
    let mut bench = Bench::new(0, 0);
    bench.pass(HOUR_MS, 1000 * MIB);
    assert_eq!(bench.budget.step(), BudgetStep::Free);
    assert_eq!(bench.budget.allowed(), Allowed::EVERYTHING);
}

proptest! {
    // Each is some days of minutes.
    #![proptest_config(ProptestConfig::with_cases(24))]
    /// However greedy a cabinet is: its measurements stop within one message of what they may use, and what waited
    /// never takes the new day's budget at once.
    #[test]
    fn measurements_never_use_more_than_their_part(
        limit_mib in 1u32..50,
        live_per_minute in 0u64..200_000,
        days in 1u64..4,
    ) {
        const MESSAGE: u64 = 16 * 1024;
        let mut bench = Bench::new(limit_mib, 0);
        let limit = u64::from(limit_mib) * MIB;
        let mut backlog = 100 * limit;
        for minute in 1..days * 1440 {
            bench.pass(60_000, 0);
            let allowed = bench.budget.allowed();
            if allowed.live {
                bench.pass(0, live_per_minute);
            } else {
                backlog += live_per_minute;
            }
            // As much of what waits as fits, one message after the other.
            while bench.budget.allowed().backlog > 0 && backlog > 0 {
                let message = backlog.min(MESSAGE);
                backlog -= message;
                bench.pass(0, message);
            }
            let used = bench.budget.periods()[0].used;
            let most = limit * 95 / 100 + live_per_minute.max(MESSAGE);
            prop_assert!(used <= most, "{used} of {limit}");
            let hours = minute % 1440 / 60;
            if hours < 12 && live_per_minute == 0 {
                prop_assert!(used <= limit * (hours + 2) / 24 + MESSAGE, "{used} after {hours} h");
            }
        }
        // What waited has used what was left.
        let used = bench.budget.periods()[0].used;
        prop_assert!(used + 2 * MESSAGE >= limit * 75 / 100, "{used} of {limit}");
    }
}
