use std::collections::HashMap;

use proptest::prelude::*;
use tm_types::{BootId, Clock};

use super::*;

const MB: u64 = 1_000_000;
const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;
const YEARS_MS: i64 = 10 * 365 * DAY_MS;
/// 2026-11-25T10:00:00Z, noon in Kyiv.
const NOON_MS: i64 = 1_795_600_800_000;

/// A cabinet with one connection.
struct Bench {
    usage: Usage,
    wall_ms: i64,
    mono_ms: u64,
    boot: u32,
    clock: Clock,
    /// How far the wall clock is off.
    off_ms: i64,
    counters: Counters,
}

impl Bench {
    fn new(billing_day: u32) -> Self {
        Self {
            usage: Usage::new(Memory::default(), "Europe/Kyiv", billing_day, Some(10)),
            wall_ms: NOON_MS,
            mono_ms: 0,
            boot: 1,
            clock: Clock::Ntp,
            off_ms: 0,
            counters: Counters {
                session: "/Bearer/0".to_owned(),
                rx_bytes: 0,
                tx_bytes: 0,
            },
        }
    }

    fn stamp(&self) -> Stamp {
        Stamp {
            time: Timestamp::of_unix_ms(self.wall_ms + self.off_ms),
            mono_ms: self.mono_ms,
            boot: BootId(self.boot),
            clock: self.clock,
            err_ms: None,
        }
    }

    fn pass(&mut self, ms: i64) {
        self.wall_ms += ms;
        self.mono_ms += u64::try_from(ms).unwrap();
    }

    /// Data flows for that long, read every ten minutes at most.
    fn run(&mut self, ms: i64, rx_bytes: u64) {
        let n_steps = (ms / (10 * MINUTE_MS)).clamp(1, 10_000);
        for step in 0..n_steps {
            self.pass(ms / n_steps + if step == 0 { ms % n_steps } else { 0 });
            if step == 0 {
                self.counters.rx_bytes += rx_bytes;
            }
            self.read();
        }
    }

    fn read(&mut self) {
        self.usage.on_counters(&self.counters, &self.stamp());
    }

    fn restart(&mut self, zone: &str, billing_day: u32) {
        let kept = serde_json::to_string(self.usage.memory()).unwrap();
        assert!(kept.len() < 4096, "{}", kept.len());
        let memory = serde_json::from_str(&kept).unwrap();
        self.usage = Usage::new(memory, zone, billing_day, Some(10));
    }

    fn connect_anew(&mut self, session: &str) {
        self.counters = Counters {
            session: session.to_owned(),
            rx_bytes: 0,
            tx_bytes: 0,
        };
    }

    /// Received in this session, this day, this month, MB.
    fn mb(&self) -> [u64; 3] {
        let told = self.usage.usage().unwrap();
        [told.session, told.day, told.month].map(|bytes| bytes.rx_bytes / MB)
    }
}

#[test]
fn a_session_a_day_and_a_month_end_each_at_its_time() {
    let mut bench = Bench::new(28);
    assert_eq!(bench.usage.usage(), None);
    bench.run(HOUR_MS, 3 * MB);
    assert_eq!(bench.mb(), [3, 3, 3]);
    bench.run(11 * HOUR_MS - 1, MB);
    assert_eq!(bench.mb(), [4, 4, 4], "one millisecond before midnight");
    bench.run(1, 2 * MB);
    assert_eq!(bench.mb(), [6, 2, 6]);
    let began = bench.usage.usage().unwrap().month_began.unwrap();
    assert_eq!(began.to_string(), "2026-10-27T22:00:00.000Z");
    bench.connect_anew("/Bearer/1");
    bench.run(2 * DAY_MS, 5 * MB);
    assert_eq!(bench.mb(), [5, 0, 0], "the billing month began");
    bench.run(HOUR_MS, MB);
    assert_eq!(bench.mb(), [6, 1, 1]);
    let began = bench.usage.usage().unwrap().month_began.unwrap();
    assert_eq!(began.to_string(), "2026-11-27T22:00:00.000Z");
}

#[test]
fn counters_that_fall_are_a_new_session_and_a_restart_is_none() {
    let mut bench = Bench::new(1);
    bench.run(MINUTE_MS, 5 * MB);
    bench.restart("Europe/Kyiv", 1);
    bench.run(MINUTE_MS, MB);
    assert_eq!(bench.mb(), [6, 6, 6]);
    bench.connect_anew("/Bearer/0");
    bench.run(MINUTE_MS, 2 * MB);
    assert_eq!(bench.mb(), [2, 8, 8], "the same path, counted from zero");
    (bench.boot, bench.mono_ms) = (2, 0);
    bench.connect_anew("/Bearer/0");
    bench.run(MINUTE_MS, 3 * MB);
    assert_eq!(
        bench.mb(),
        [3, 11, 11],
        "more than before, but after a boot"
    );
    bench.read();
    assert_eq!(bench.mb(), [3, 11, 11]);
}

#[test]
fn two_connections_read_in_turn_are_each_counted_once() {
    let mut bench = Bench::new(1);
    for reading in 1..=5 {
        for session in ["/Bearer/0", "/Bearer/1"] {
            bench.connect_anew(session);
            bench.counters.tx_bytes = reading * MB;
            bench.read();
        }
    }
    assert_eq!(bench.usage.usage().unwrap().day.tx_bytes, 10 * MB);
}

#[test]
fn the_limit_is_reached_by_both_directions_together() {
    let mut bench = Bench::new(1);
    bench.counters.tx_bytes = 4 * MB;
    bench.run(MINUTE_MS, 6 * MB - 1);
    assert_eq!(bench.usage.limit_reached(), None);
    bench.run(MINUTE_MS, 2 * MB);
    let cause = code::MODEM_DATA_LIMIT.with("limit", 10).and("used", 11);
    assert_eq!(bench.usage.limit_reached(), Some(cause));
    let unlimited = Usage::new(bench.usage.memory().clone(), "Europe/Kyiv", 1, None);
    assert_eq!(unlimited.limit_reached(), None);
}

#[test]
fn without_a_good_clock_bytes_wait_and_are_counted_where_the_time_is_found() {
    for clock in [Clock::None, Clock::Restored, Clock::Estimated] {
        let mut bench = Bench::new(1);
        bench.clock = clock;
        bench.off_ms = -YEARS_MS;
        bench.run(HOUR_MS, 2 * MB);
        assert_eq!(bench.mb(), [2, 2, 2]);
        assert_eq!(bench.usage.usage().unwrap().month_began, None);
        (bench.clock, bench.off_ms) = (Clock::Ntp, 0);
        bench.run(HOUR_MS, MB);
        assert_eq!(bench.mb(), [3, 3, 3]);
        // A power cut, and a day later the clock is as it was.
        (bench.clock, bench.off_ms) = (clock, -DAY_MS);
        bench.wall_ms += DAY_MS;
        (bench.boot, bench.mono_ms) = (2, 0);
        bench.connect_anew("/Bearer/0");
        bench.run(HOUR_MS, 4 * MB);
        assert_eq!(bench.mb(), [4, 7, 7], "{clock:?}: with the present day");
        (bench.clock, bench.off_ms) = (Clock::Network, 0);
        bench.run(MINUTE_MS, 0);
        assert_eq!(bench.mb(), [4, 4, 7], "{clock:?}: in the day that it is");
    }
}

#[test]
fn a_leap_of_ten_years_neither_wipes_nor_doubles() {
    for off_ms in [YEARS_MS, -YEARS_MS, 40 * DAY_MS, -20 * DAY_MS] {
        for hours in [0, 1, 2, 5] {
            let mut bench = Bench::new(1);
            bench.run(HOUR_MS, 3 * MB);
            bench.off_ms = off_ms;
            bench.run(MINUTE_MS, MB);
            assert_eq!(bench.mb(), [4, 4, 4], "{off_ms}: not at once");
            bench.run(hours * HOUR_MS + MINUTE_MS, MB);
            bench.off_ms = 0;
            bench.run(2 * HOUR_MS, MB);
            assert_eq!(bench.mb(), [6, 6, 6], "{off_ms} for {hours} h");
            bench.run(DAY_MS, MB);
            assert_eq!(bench.mb()[2], 7);
        }
    }
}

#[test]
fn a_clock_that_was_wrong_from_the_first_is_put_right() {
    let mut bench = Bench::new(1);
    bench.off_ms = YEARS_MS;
    bench.run(HOUR_MS, 3 * MB);
    bench.off_ms = 0;
    bench.run(2 * HOUR_MS, MB);
    let began = bench.usage.usage().unwrap().month_began.unwrap();
    assert_eq!(began.to_string(), "2026-10-31T22:00:00.000Z");
    bench.run(30 * DAY_MS, MB);
    bench.off_ms = YEARS_MS;
    bench.run(MINUTE_MS, MB);
    bench.off_ms = 0;
    bench.run(MINUTE_MS, MB);
    assert_eq!(bench.mb()[2], 2, "December's, nothing of 2036");
}

#[test]
fn another_billing_day_keeps_what_was_counted() {
    let mut bench = Bench::new(1);
    bench.run(HOUR_MS, 3 * MB);
    bench.restart("Europe/Kyiv", 20);
    bench.run(HOUR_MS, MB);
    assert_eq!(bench.mb(), [4, 4, 4]);
    let began = bench.usage.usage().unwrap().month_began.unwrap();
    assert_eq!(began.to_string(), "2026-11-19T22:00:00.000Z");
    bench.restart("Nowhere/Atlantis", 20);
    bench.run(HOUR_MS, MB);
    assert_eq!(bench.mb(), [5, 5, 5], "UTC then");
}

/// Something that happens between two readings.
#[derive(Clone, Debug)]
struct Step {
    minutes: i64,
    rx_bytes: u64,
    tx_bytes: u64,
    change: Change,
    clock: Clock,
    /// A reading with a clock far off.
    flicker: i64,
}

#[derive(Clone, Copy, Debug)]
enum Change {
    None,
    Restart,
    NewBearer,
    CountersFall,
    Reboot,
}

fn step() -> impl Strategy<Value = Step> {
    let change = prop_oneof![
        6 => Just(Change::None),
        1 => Just(Change::Restart),
        1 => Just(Change::NewBearer),
        1 => Just(Change::CountersFall),
        1 => Just(Change::Reboot),
    ];
    let clock = prop_oneof![
        4 => Just(Clock::Ntp),
        1 => Just(Clock::Network),
        1 => Just(Clock::Restored),
        1 => Just(Clock::None),
    ];
    let flicker = prop_oneof![6 => Just(0i64), 1 => Just(1i64), 1 => Just(-1i64)];
    let minutes = prop_oneof![3 => 0i64..180, 1 => 0i64..4000];
    (minutes, 0u64..MB, 0u64..MB, change, clock, flicker).prop_map(
        |(minutes, rx_bytes, tx_bytes, change, clock, flicker)| Step {
            minutes,
            rx_bytes,
            tx_bytes,
            change,
            clock,
            flicker,
        },
    )
}

proptest! {
    #[test]
    fn whatever_happens_every_byte_is_in_one_day_and_one_month(
        steps in prop::collection::vec(step(), 1..120),
        billing_day in 1u32..=28,
        zone in prop::sample::select(vec!["Europe/Kyiv", "UTC", "America/Santiago", "Pacific/Apia"]),
    ) {
        let mut bench = Bench::new(billing_day);
        bench.restart(zone, billing_day);
        bench.read();
        let local = jiff::tz::TimeZone::get(zone).unwrap();
        let mut days: HashMap<(i16, i8, i8), u64> = HashMap::new();
        let mut months: HashMap<(i16, i8), u64> = HashMap::new();
        let (mut waiting, mut at) = (0, None);
        for (n, step) in steps.into_iter().enumerate() {
            bench.pass(step.minutes * MINUTE_MS);
            let gained = step.rx_bytes + step.tx_bytes;
            match step.change {
                Change::None => {}
                Change::Restart => bench.restart(zone, billing_day),
                Change::NewBearer => bench.connect_anew(&format!("/Bearer/{n}")),
                Change::CountersFall => {
                    // As much again would be the same connection to anybody.
                    if step.rx_bytes < bench.counters.rx_bytes {
                        bench.counters.rx_bytes = 0;
                        bench.counters.tx_bytes = 0;
                    }
                }
                Change::Reboot => {
                    (bench.boot, bench.mono_ms) = (bench.boot + 1, 0);
                    bench.connect_anew("/Bearer/0");
                }
            }
            bench.counters.rx_bytes += step.rx_bytes;
            bench.counters.tx_bytes += step.tx_bytes;
            bench.clock = step.clock;
            // No two wrong times agree, so none of them stands.
            bench.off_ms = step.flicker * (YEARS_MS + i64::try_from(n).unwrap() * 40 * DAY_MS);
            bench.read();
            waiting += gained;
            if step.flicker == 0 && step.clock.is_trusted() {
                let now = jiff::Timestamp::from_millisecond(bench.wall_ms).unwrap();
                let date = now.to_zoned(local.clone()).date();
                let months_ago = i16::from(i32::from(date.day()) < i32::try_from(billing_day).unwrap());
                let month = date.year() * 12 + i16::from(date.month()) - 1 - months_ago;
                let keys = ((date.year(), date.month(), date.day()), (month / 12, i8::try_from(month % 12).unwrap()));
                *days.entry(keys.0).or_default() += waiting;
                *months.entry(keys.1).or_default() += waiting;
                (waiting, at) = (0, Some(keys));
            }
            let told = bench.usage.usage().unwrap();
            let sum = |bytes: DataBytes| bytes.rx_bytes + bytes.tx_bytes;
            let (day, month) = at.map_or((0, 0), |(day, month)| (days[&day], months[&month]));
            prop_assert_eq!(sum(told.day), day + waiting);
            prop_assert_eq!(sum(told.month), month + waiting);
            prop_assert_eq!(told.session.rx_bytes, bench.counters.rx_bytes);
        }
    }

    #[test]
    fn any_counters_and_any_clock_are_borne(
        readings in prop::collection::vec((any::<u64>(), any::<u64>(), any::<i64>(), any::<u64>(), 0u32..3), 0..60),
    ) {
        let mut bench = Bench::new(1);
        for (rx_bytes, tx_bytes, wall_ms, mono_ms, boot) in readings {
            bench.counters = Counters { session: "x".repeat(999), rx_bytes, tx_bytes };
            let stamp = Stamp { time: Timestamp::of_unix_ms(wall_ms), mono_ms, boot: BootId(boot), ..bench.stamp() };
            bench.usage.on_counters(&bench.counters, &stamp);
            let told = bench.usage.usage().unwrap();
            prop_assert_eq!((told.session.rx_bytes, told.session.tx_bytes), (rx_bytes, tx_bytes));
        }
        bench.restart("Europe/Kyiv", 1);
    }
}
