use proptest::prelude::*;
use tm_types::{BootId, Clock, Timestamp};

use super::*;

const MB: u64 = 1_000_000;
const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;
/// 2026-11-25T10:00:00Z, noon in Kyiv.
const NOON_MS: i64 = 1_795_600_800_000;

/// A cabinet with one connection.
struct Bench {
    usage: Usage,
    wall_ms: i64,
    mono_ms: u64,
    boot: u32,
    clock: Clock,
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
            counters: Counters {
                session: "/Bearer/0".to_owned(),
                rx_bytes: 0,
                tx_bytes: 0,
            },
        }
    }

    fn stamp(&self) -> Stamp {
        Stamp {
            time: Timestamp::of_unix_ms(self.wall_ms),
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
        let kept = serde_json::to_string(&self.usage.memory()).unwrap();
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
    let unlimited = Usage::new(bench.usage.memory(), "Europe/Kyiv", 1, None);
    assert_eq!(unlimited.limit_reached(), None);
}

/// What an earlier release has written is read: the meter's part stands beside the sessions.
#[test]
fn the_form_of_the_memory_is_frozen() {
    let mut bench = Bench::new(1);
    bench.counters.rx_bytes = 3;
    bench.read();
    let kept = r#"{"sessions":[{"name":"/Bearer/0","boot":"00000001","bytes":{"rx_bytes":3,"tx_bytes":0}}],"belief":{"last":{"time":"2026-11-25T10:00:00.000Z","mono_ms":0,"boot":"00000001","leapt_to":null},"doubted":null},"days":[{"began":20782,"bytes":{"rx_bytes":3,"tx_bytes":0},"is_doubtful":false}],"months":[{"began":20758,"bytes":{"rx_bytes":3,"tx_bytes":0},"is_doubtful":false}],"unsorted":{"rx_bytes":0,"tx_bytes":0},"calendar":["Europe/Kyiv",1]}"#;
    let memory = bench.usage.memory();
    assert_eq!(serde_json::to_string(&memory).unwrap(), kept);
    assert_eq!(serde_json::from_str::<Memory>(kept).unwrap(), memory);
}

proptest! {
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
