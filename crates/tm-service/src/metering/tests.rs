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

/// A meter with clocks.
struct Bench {
    meter: Meter,
    wall_ms: i64,
    mono_ms: u64,
    boot: u32,
    clock: Clock,
    /// How far the wall clock is off.
    off_ms: i64,
}

impl Bench {
    fn new(billing_day: u32) -> Self {
        Self {
            meter: Meter::new(Memory::default(), "Europe/Kyiv", billing_day),
            wall_ms: NOON_MS,
            mono_ms: 0,
            boot: 1,
            clock: Clock::Ntp,
            off_ms: 0,
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

    /// Bytes are counted in the first step of that time, which is looked at every ten minutes at most.
    fn run(&mut self, ms: i64, rx_bytes: u64) {
        let n_steps = (ms / (10 * MINUTE_MS)).clamp(1, 10_000);
        for step in 0..n_steps {
            self.pass(ms / n_steps + if step == 0 { ms % n_steps } else { 0 });
            self.add(if step == 0 { rx_bytes } else { 0 }, 0);
        }
    }

    fn add(&mut self, rx_bytes: u64, tx_bytes: u64) {
        let bytes = DataBytes { rx_bytes, tx_bytes };
        self.meter.add(bytes, &self.stamp());
    }

    fn restart(&mut self, zone: &str, billing_day: u32) {
        let kept = serde_json::to_string(self.meter.memory()).unwrap();
        assert!(kept.len() < 2048, "{}", kept.len());
        let memory = serde_json::from_str(&kept).unwrap();
        self.meter = Meter::new(memory, zone, billing_day);
    }

    fn reboot(&mut self) {
        (self.boot, self.mono_ms) = (self.boot + 1, 0);
    }

    /// Received this day and this month, MB.
    fn mb(&self) -> [u64; 2] {
        [self.meter.day(), self.meter.month()].map(|bytes| bytes.rx_bytes / MB)
    }

    fn month_began(&self) -> String {
        self.meter.month_span().unwrap().start.to_string()
    }
}

#[test]
fn a_day_and_a_month_end_each_at_its_time() {
    let mut bench = Bench::new(28);
    bench.run(HOUR_MS, 3 * MB);
    bench.run(11 * HOUR_MS - 1, MB);
    assert_eq!(bench.mb(), [4, 4], "one millisecond before midnight");
    bench.run(1, 2 * MB);
    assert_eq!(bench.mb(), [2, 6]);
    assert_eq!(bench.month_began(), "2026-10-27T22:00:00.000Z");
    bench.run(2 * DAY_MS, 5 * MB);
    assert_eq!(bench.mb(), [0, 0], "the billing month began");
    bench.run(HOUR_MS, MB);
    assert_eq!(bench.mb(), [1, 1]);
    assert_eq!(bench.month_began(), "2026-11-27T22:00:00.000Z");
}

/// Days around the change of the clocks have 23 and 25 hours.
#[test]
fn a_period_ends_where_the_next_one_begins() {
    let hours = |span: Option<std::ops::Range<Timestamp>>| {
        let span = span.unwrap();
        span.end.ms_since(span.start) / HOUR_MS
    };
    for (days, billing_day, day_hours, month_days) in [
        (0, 1, 24, 30 * 24),
        (0, 26, 24, 31 * 24),
        (0, 25, 24, 30 * 24),
        (66, 28, 24, 31 * 24),
        (122, 28, 24, 28 * 24),
        (123, 28, 23, 31 * 24 - 1),
        (340, 1, 25, 31 * 24 + 1),
    ] {
        let mut bench = Bench::new(billing_day);
        bench.wall_ms += days * DAY_MS;
        bench.add(0, 0);
        let told = (
            hours(bench.meter.day_span()),
            hours(bench.meter.month_span()),
        );
        assert_eq!(told, (day_hours, month_days), "{days} {billing_day}");
    }
}

#[test]
fn the_clock_on_the_wall_shows_local_time_once_it_is_believed() {
    let mut bench = Bench::new(1);
    bench.clock = Clock::Restored;
    bench.add(0, 0);
    assert_eq!(bench.meter.local_time(&bench.stamp()), None);
    assert_eq!(bench.meter.day_span(), None);
    bench.clock = Clock::Ntp;
    bench.add(0, 0);
    let noon = LocalTime {
        weekday: 2,
        minute: 12 * 60,
    };
    assert_eq!(bench.meter.local_time(&bench.stamp()), Some(noon));
    bench.off_ms = YEARS_MS;
    bench.add(0, 0);
    assert_eq!(bench.meter.local_time(&bench.stamp()), None);
}

/// What an earlier release has written is read.
#[test]
fn the_form_of_the_memory_is_frozen() {
    let kept = r#"{"belief":{"last":{"time":"2026-11-25T10:00:00.000Z","mono_ms":0,"boot":"00000001","leapt_to":null},"doubted":null},"days":[{"began":20782,"bytes":{"rx_bytes":3,"tx_bytes":4},"is_doubtful":false}],"months":[{"began":20758,"bytes":{"rx_bytes":3,"tx_bytes":4},"is_doubtful":false}],"unsorted":{"rx_bytes":0,"tx_bytes":0},"calendar":["Europe/Kyiv",1]}"#;
    let mut bench = Bench::new(1);
    bench.add(3, 4);
    assert_eq!(serde_json::to_string(bench.meter.memory()).unwrap(), kept);
    let memory: Memory = serde_json::from_str(kept).unwrap();
    assert_eq!(&memory, bench.meter.memory());
}

#[test]
fn without_a_good_clock_bytes_wait_and_are_counted_where_the_time_is_found() {
    for clock in [Clock::None, Clock::Restored, Clock::Estimated] {
        let mut bench = Bench::new(1);
        bench.clock = clock;
        bench.off_ms = -YEARS_MS;
        bench.run(HOUR_MS, 2 * MB);
        assert_eq!(bench.mb(), [2, 2]);
        assert_eq!(bench.meter.month_span(), None);
        (bench.clock, bench.off_ms) = (Clock::Ntp, 0);
        bench.run(HOUR_MS, MB);
        assert_eq!(bench.mb(), [3, 3]);
        // A power cut, and a day later the clock is as it was.
        (bench.clock, bench.off_ms) = (clock, -DAY_MS);
        bench.wall_ms += DAY_MS;
        bench.reboot();
        bench.run(HOUR_MS, 4 * MB);
        assert_eq!(bench.mb(), [7, 7], "{clock:?}: with the present day");
        (bench.clock, bench.off_ms) = (Clock::Network, 0);
        bench.run(MINUTE_MS, 0);
        assert_eq!(bench.mb(), [4, 7], "{clock:?}: in the day that it is");
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
            assert_eq!(bench.mb(), [4, 4], "{off_ms}: not at once");
            bench.run(hours * HOUR_MS + MINUTE_MS, MB);
            bench.off_ms = 0;
            bench.run(2 * HOUR_MS, MB);
            assert_eq!(bench.mb(), [6, 6], "{off_ms} for {hours} h");
            bench.run(DAY_MS, MB);
            assert_eq!(bench.mb()[1], 7);
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
    assert_eq!(bench.month_began(), "2026-10-31T22:00:00.000Z");
    bench.run(30 * DAY_MS, MB);
    bench.off_ms = YEARS_MS;
    bench.run(MINUTE_MS, MB);
    bench.off_ms = 0;
    bench.run(MINUTE_MS, MB);
    assert_eq!(bench.mb()[1], 2, "December's, nothing of 2036");
}

#[test]
fn another_billing_day_keeps_what_was_counted() {
    let mut bench = Bench::new(1);
    bench.run(HOUR_MS, 3 * MB);
    bench.restart("Europe/Kyiv", 20);
    bench.run(HOUR_MS, MB);
    assert_eq!(bench.mb(), [4, 4]);
    assert_eq!(bench.month_began(), "2026-11-19T22:00:00.000Z");
    bench.restart("Nowhere/Atlantis", 20);
    bench.run(HOUR_MS, MB);
    assert_eq!(bench.mb(), [5, 5], "UTC then");
}

/// Something that happens between two counts.
#[derive(Clone, Debug)]
struct Step {
    minutes: i64,
    rx_bytes: u64,
    tx_bytes: u64,
    change: Change,
    clock: Clock,
    /// A count with a clock far off.
    flicker: i64,
}

#[derive(Clone, Copy, Debug)]
enum Change {
    None,
    Restart,
    Reboot,
}

fn step() -> impl Strategy<Value = Step> {
    let change = prop_oneof![
        6 => Just(Change::None),
        1 => Just(Change::Restart),
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
        // The first time that is believed is a right one.
        bench.add(0, 0);
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
                Change::Reboot => bench.reboot(),
            }
            bench.clock = step.clock;
            // No two wrong times agree, so none of them stands.
            bench.off_ms = step.flicker * (YEARS_MS + i64::try_from(n).unwrap() * 40 * DAY_MS);
            bench.add(step.rx_bytes, step.tx_bytes);
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
            let sum = |bytes: DataBytes| bytes.rx_bytes + bytes.tx_bytes;
            let (day, month) = at.map_or((0, 0), |(day, month)| (days[&day], months[&month]));
            prop_assert_eq!(sum(bench.meter.day()), day + waiting);
            prop_assert_eq!(sum(bench.meter.month()), month + waiting);
        }
    }

    #[test]
    fn any_bytes_and_any_clock_are_borne(
        counts in prop::collection::vec((any::<u64>(), any::<u64>(), any::<i64>(), any::<u64>(), 0u32..3), 0..60),
    ) {
        let mut bench = Bench::new(1);
        for (rx_bytes, tx_bytes, wall_ms, mono_ms, boot) in counts {
            let stamp = Stamp { time: Timestamp::of_unix_ms(wall_ms), mono_ms, boot: BootId(boot), ..bench.stamp() };
            bench.meter.add(DataBytes { rx_bytes, tx_bytes }, &stamp);
            prop_assert!(bench.meter.month().rx_bytes >= rx_bytes || !bench.meter.believes(&stamp));
            bench.meter.day_span();
            bench.meter.month_span();
            bench.meter.local_time(&stamp);
        }
        bench.restart("Europe/Kyiv", 1);
    }
}
