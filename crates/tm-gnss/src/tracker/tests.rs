//! The tracker against sentences in the shape of a SIM7600 (no device needed), second by second.

mod month;
mod spoofing;

use proptest::prelude::*;
use tm_proto::nmea0183::checksum;
use tm_service::config::{Environment, Report, Settings};
use tm_service::port::Absence;
use tm_types::{BootId, Clock, FixMode as Mode, Reading, Severity, Timestamp};

use super::*;

/// The tracker and its clocks.
struct Bench {
    tracker: Tracker,
    start: Instant,
    elapsed: Duration,
    effects: Vec<Effect>,
}

const NOTHING: Seen = Seen { source: false };
const HEARD: Seen = Seen { source: true };
/// 2026-11-23T08:00:00Z.
const UTC: &str = "231126";

fn config(variables: &[(&str, &str)]) -> Config {
    let mut environment = Environment::default();
    for (name, value) in variables {
        environment = environment.with(name, value);
    }
    let mut report = Report::default();
    let config = Config::load("TM_GNSS_", &environment, &mut report);
    assert!(report.findings().is_empty(), "{:?}", report.findings());
    config
}

fn line(body: &str) -> String {
    format!("${body}*{:02X}\r\n", checksum(body.as_bytes()))
}

/// One second of a SIM7600 with a fix; `north_m` metres north of Kyiv.
fn fix(second: u32, north_m: f64, date: &str) -> String {
    let time = format!("08{:02}{:02}.0", second / 60, second % 60);
    let latitude = format!("50{:09.6}", 27.006 + north_m / 1853.2);
    [
        "GPGSV,1,1,02,07,40,100,31,09,20,200,28,1".to_owned(),
        format!("GPGGA,{time},{latitude},N,03031.404000,E,1,09,0.9,179.0,M,25.0,M,,"),
        "GPVTG,,T,,M,0.0,N,0.0,K,A".to_owned(),
        format!("GPRMC,{time},A,{latitude},N,03031.404000,E,0.0,,{date},,,A,V"),
        "GPGSA,A,3,07,09,11,13,14,16,20,22,27,,,,1.5,0.9,1.2,1".to_owned(),
    ]
    .iter()
    .map(|body| line(body))
    .collect()
}

/// One second without a fix, as the manual shows it.
fn no_fix() -> String {
    [
        "GPGSV,1,1,01,07,40,100,31,1",
        "GPGGA,,,,,,0,,,,,,,,",
        "GPRMC,,V,,,,,,,,,,N",
        "GPGSA,A,1,,,,,,,,,,,,,,,,1",
    ]
    .map(line)
    .concat()
}

impl Bench {
    fn new(seen: Seen, variables: &[(&str, &str)]) -> Self {
        let start = Instant::now();
        let tracker = Tracker::new(config(variables), seen, None, Kept::default(), start);
        Self {
            tracker,
            start,
            elapsed: Duration::ZERO,
            effects: Vec::new(),
        }
    }

    fn now(&self) -> Now {
        let mono_ms = 10_000 + u64::try_from(self.elapsed.as_millis()).unwrap();
        // 1970: the machine's own wall clock must not matter.
        let stamp = Stamp {
            time: Timestamp::EPOCH,
            mono_ms,
            boot: BootId(7),
            clock: Clock::None,
            err_ms: None,
        };
        Now {
            instant: self.start + self.elapsed,
            stamp,
        }
    }

    fn on(&mut self, event: Event) {
        let effects = self.tracker.on(event, self.now());
        self.effects.extend(effects);
    }

    /// Lets time pass to the end of this many seconds.
    fn wait(&mut self, seconds: u64) {
        let end = self.elapsed + Duration::from_secs(seconds);
        while let Some(at) = self
            .tracker
            .deadline()
            .map(|at| at.duration_since(self.start))
        {
            if at > end {
                break;
            }
            self.elapsed = self.elapsed.max(at);
            self.on(Event::Due);
        }
        self.elapsed = end;
    }

    fn relay(&mut self, source: &str, sentences: &str) {
        self.on(Event::Relayed {
            source: source.to_owned(),
            bytes: sentences.as_bytes().to_vec(),
        });
        self.wait(1);
    }

    fn states(&self) -> Vec<&GnssState> {
        let states = self.effects.iter().filter_map(|effect| match effect {
            Effect::State(state) => Some(&**state),
            _ => None,
        });
        states.collect()
    }

    fn state(&self) -> &GnssState {
        self.states().last().expect("a state was published")
    }

    fn causes(&self) -> Vec<&str> {
        let mut causes: Vec<&str> = self
            .states()
            .iter()
            .map(|state| state.cause.code.as_str())
            .collect();
        causes.dedup();
        causes
    }

    fn events(&self) -> Vec<(u64, Severity, &str)> {
        let events = self.effects.iter().filter_map(|effect| match effect {
            Effect::Event(stamp, severity, cause) => {
                Some((stamp.mono_ms / 1000 - 10, *severity, cause.code.as_str()))
            }
            _ => None,
        });
        events.collect()
    }

    fn health(&self) -> (HealthStatus, Option<&str>) {
        let health = self.effects.iter().rev().find_map(|effect| match effect {
            Effect::Health(status, reasons) => {
                Some((*status, reasons.first().map(|r| r.code.as_str())))
            }
            _ => None,
        });
        health.expect("health was reported")
    }

    /// When measurements were published, in seconds from the start, and the latitude.
    fn polls(&self) -> Vec<(u64, Reading)> {
        let polls = self.effects.iter().filter_map(|effect| match effect {
            Effect::Points(stamp, points) => {
                let latitude = points
                    .iter()
                    .find(|point| point.name.as_str() == "latitude")
                    .unwrap();
                Some((stamp.mono_ms / 1000 - 10, latitude.reading.clone()))
            }
            _ => None,
        });
        polls.collect()
    }

    fn times(&self) -> Vec<u64> {
        self.polls().iter().map(|(at, _)| *at).collect()
    }

    fn n(&self, wanted: impl Fn(&Effect) -> bool) -> usize {
        self.effects.iter().filter(|effect| wanted(effect)).count()
    }
}

#[test]
fn a_fix_is_told_at_once_then_rarely() {
    let mut bench = Bench::new(NOTHING, &[]);
    for second in 0..1300 {
        bench.relay("modem", &fix(second, 0.0, UTC));
    }
    let state = bench.state();
    assert_eq!(
        (state.presence, state.source.as_deref()),
        (GnssPresence::Present, Some("bus:modem"))
    );
    assert_eq!(state.cause, code::GNSS_FIX.with("satellites", 9));
    let fix = state.fix.as_ref().unwrap();
    assert_eq!(fix.mode, Mode::ThreeD);
    assert_eq!(fix.latitude_deg, Some(50.4501));
    assert_eq!(fix.longitude_deg, Some(30.5234));
    assert_eq!((fix.altitude_m, fix.course_deg), (Some(179.0), None));
    assert_eq!(state.satellites.len(), 2);
    assert_eq!(bench.health(), (HealthStatus::Up, None));
    assert_eq!(bench.n(|e| *e == Effect::Remember(HEARD)), 1);
    assert_eq!(bench.times(), [0, 600, 1200]);
    // One when the first sentence came, one with the fix, then one in five seconds.
    let n_states = bench.states().len();
    assert!((255..=265).contains(&n_states), "{n_states}");
    let first = &bench.states()[0..2];
    assert_eq!(
        (first[0].fix.is_none(), first[1].fix.is_some()),
        (true, true)
    );
    assert_eq!(bench.n(|e| matches!(e, Effect::Anchor(_))), 1);
}

#[test]
fn the_time_is_the_receivers_and_the_latency_is_counted() {
    let mut bench = Bench::new(NOTHING, &[]);
    for second in 0..5 {
        bench.relay("modem", &fix(second, 0.0, UTC));
    }
    let anchor = bench.effects.iter().find_map(|effect| match effect {
        Effect::Anchor(anchor) => Some(*anchor),
        _ => None,
    });
    let anchor = anchor.unwrap();
    assert_eq!(anchor.utc.to_string(), "2026-11-23T08:00:02.200Z");
    assert_eq!((anchor.mono_ms, anchor.source), (12_000, Clock::Gnss));
}

#[test]
fn a_date_from_before_the_rollover_sets_no_clock() {
    // 1024 weeks before 2026-11-23.
    let mut bench = Bench::new(NOTHING, &[]);
    for second in 0..30 {
        bench.relay("modem", &fix(second, 0.0, "090407"));
    }
    let time = bench.state().fix.as_ref().unwrap().gnss_time.unwrap();
    assert_eq!(time.to_string().get(..10), Some("2026-11-23"));
    assert_eq!(bench.n(|e| matches!(e, Effect::Anchor(_))), 0);
}

#[test]
fn bytes_one_by_one_with_garbage_between_give_the_same() {
    let mut bench = Bench::new(NOTHING, &[("TM_GNSS_SOURCE", "tcp://127.0.0.1:10110")]);
    bench.on(Event::Port(PortEvent::Opened(
        "tcp://127.0.0.1:10110".to_owned(),
    )));
    for second in 0..10 {
        let mut bytes = b"\xff\x00$GPGGA,broken*00\r\n".to_vec();
        bytes.extend_from_slice(fix(second, 0.0, UTC).as_bytes());
        bytes.extend_from_slice(b"$GPRMC,cut");
        for byte in bytes {
            bench.on(Event::Port(PortEvent::Bytes(vec![byte])));
        }
        bench.wait(1);
    }
    assert_eq!(
        bench.state().fix.as_ref().unwrap().latitude_deg,
        Some(50.4501)
    );
    assert!(
        bench.state().sentences_skipped >= 9,
        "{}",
        bench.state().sentences_skipped
    );
    assert_eq!(bench.n(|e| matches!(e, Effect::Anchor(_))), 1);
    // An endless line is no source.
    for _ in 0..20 {
        bench.on(Event::Port(PortEvent::Bytes(vec![b'$'; 2000])));
        bench.wait(1);
    }
    assert_eq!(bench.state().presence, GnssPresence::Silent);
}

#[test]
fn movement_is_told_when_it_is_one() {
    let mut bench = Bench::new(NOTHING, &[]);
    for second in 0..100 {
        // From the 50th second 100 m away; one wild second before.
        let north_m = if second >= 50 || second == 20 {
            100.0
        } else {
            f64::from(second % 3)
        };
        bench.relay("modem", &fix(second, north_m, UTC));
    }
    assert_eq!(bench.times(), [0, 51]);
}

#[test]
fn a_demo_publishes_every_second() {
    let mut bench = Bench::new(NOTHING, &[("TM_GNSS_PUBLISH_S", "1")]);
    for second in 0..20 {
        bench.relay("modem", &fix(second, 0.0, UTC));
    }
    assert_eq!(bench.times(), (0..20).collect::<Vec<_>>());
    assert!(bench.states().len() >= 20);
}

#[test]
fn a_lost_fix_is_a_state_and_after_a_quarter_of_an_hour_a_reason() {
    let mut bench = Bench::new(NOTHING, &[]);
    for second in 0..30 {
        bench.relay("modem", &fix(second, 0.0, UTC));
    }
    for _ in 0..899 {
        bench.relay("modem", &no_fix());
    }
    let state = bench.state();
    assert_eq!(state.cause, code::GNSS_NO_FIX.with("satellites", 1));
    let last = state.fix.as_ref().unwrap();
    assert_eq!(
        (last.mode, last.latitude_deg),
        (Mode::None, Some(50.4501)),
        "where it was last"
    );
    assert_eq!(bench.health(), (HealthStatus::Up, None));
    assert_eq!(bench.polls()[1], (30, Reading::Missing(Reason::NotPresent)));
    for _ in 0..10 {
        bench.relay("modem", &no_fix());
    }
    assert_eq!(
        bench.health(),
        (HealthStatus::Degraded, Some("gnss.no_fix"))
    );
    bench.relay("modem", &fix(60, 0.0, UTC));
    assert_eq!(bench.health(), (HealthStatus::Up, None));
    assert_eq!(
        bench.causes(),
        ["gnss.no_fix", "gnss.fix", "gnss.no_fix", "gnss.fix"]
    );
}

#[test]
fn a_fix_that_comes_and_goes_does_not_flood() {
    let mut bench = Bench::new(NOTHING, &[]);
    for second in 0..60 {
        let sentences = if second % 2 == 0 {
            fix(second, 0.0, UTC)
        } else {
            no_fix()
        };
        bench.relay("modem", &sentences);
    }
    let n = bench.polls().len();
    assert!((6..=7).contains(&n), "{n}");
    assert_eq!(bench.n(|e| matches!(e, Effect::Anchor(_))), 0);
}

#[test]
fn silence_is_grey_until_something_was_heard() {
    let cases = [
        (NOTHING, "auto", "gnss.not_configured", HealthStatus::Up),
        (HEARD, "auto", "gnss.silent", HealthStatus::Degraded),
        (NOTHING, "true", "gnss.silent", HealthStatus::Degraded),
        (HEARD, "false", "gnss.not_configured", HealthStatus::Up),
    ];
    for (seen, expected, code, status) in cases {
        let mut bench = Bench::new(seen, &[("TM_GNSS_EXPECTED", expected)]);
        bench.wait(100);
        assert_eq!(bench.causes(), [code], "{seen:?} {expected}");
        assert_eq!(bench.health(), (status, Some(code)));
        assert_eq!(
            (bench.states().len(), bench.polls().len()),
            (1, 0),
            "a steady state is silent"
        );
    }
}

#[test]
fn a_relay_that_stops_is_silent_and_another_takes_over() {
    let mut bench = Bench::new(NOTHING, &[]);
    for second in 0..10 {
        bench.relay("modem", &fix(second, 0.0, UTC));
        bench.relay("roof", &fix(second, 5000.0, UTC));
    }
    assert_eq!(
        bench.state().fix.as_ref().unwrap().latitude_deg,
        Some(50.4501),
        "the first one is followed"
    );
    bench.wait(10);
    assert_eq!(bench.state().presence, GnssPresence::Silent);
    assert_eq!(
        bench.state().cause,
        code::GNSS_SILENT
            .with("source", "bus:modem")
            .and("seconds", 5)
    );
    assert_eq!(
        bench.polls().pop().unwrap().1,
        Reading::Missing(Reason::Timeout)
    );
    bench.relay("roof", &fix(30, 5000.0, UTC));
    assert_eq!(bench.state().source.as_deref(), Some("bus:roof"));
    assert_eq!(bench.health(), (HealthStatus::Up, None));
}

#[test]
fn a_port_fails_opens_falls_silent_and_is_opened_again() {
    let url = "tcp://127.0.0.1:10110";
    let mut bench = Bench::new(NOTHING, &[("TM_GNSS_SOURCE", url)]);
    bench.on(Event::Port(PortEvent::Failed(OpenError::Refused)));
    let refused = code::GNSS_SOURCE_UNUSABLE
        .with("source", url)
        .and("error", "connection refused");
    assert_eq!(bench.state().cause, refused);
    bench.on(Event::Port(PortEvent::Opened(url.to_owned())));
    for second in 0..10 {
        bench.on(Event::Port(PortEvent::Bytes(
            fix(second, 0.0, UTC).into_bytes(),
        )));
        bench.wait(1);
    }
    assert_eq!(bench.state().source.as_deref(), Some(url));
    assert_eq!(bench.n(|e| *e == Effect::Reopen), 0);
    bench.wait(6);
    assert_eq!(
        (bench.state().presence, bench.n(|e| *e == Effect::Reopen)),
        (GnssPresence::Silent, 1)
    );
    bench.on(Event::Port(PortEvent::Opened(url.to_owned())));
    bench.wait(150);
    assert_eq!(
        bench.n(|e| *e == Effect::Reopen),
        3,
        "once a minute, for a peer that is gone without a word"
    );
    bench.on(Event::Port(PortEvent::Lost("end of file".to_owned())));
    let absent = Absence::Node("/dev/ttyACM0".into()).into();
    bench.on(Event::Port(PortEvent::Failed(absent)));
    bench.on(Event::Port(PortEvent::Opened(url.to_owned())));
    bench.on(Event::Port(PortEvent::Bytes(
        fix(300, 0.0, UTC).into_bytes(),
    )));
    bench.wait(1);
    assert_eq!(bench.state().cause.code, "gnss.fix");
}

/// Bytes as a receiver may deliver them: seconds of sentences, cut anywhere, and noise.
fn portion() -> impl Strategy<Value = Vec<u8>> {
    let cut = (0u32..3600, 0usize..500).prop_map(|(second, at)| {
        let sentences = if second % 5 == 0 {
            no_fix()
        } else {
            fix(second, f64::from(second), UTC)
        };
        sentences
            .as_bytes()
            .iter()
            .copied()
            .skip(at % 200)
            .take(at)
            .collect()
    });
    prop_oneof![3 => cut, 1 => prop::collection::vec(any::<u8>(), 0..300)]
}

#[test]
fn the_antenna_is_named_and_so_is_a_jammer() {
    let sky = |n: usize, level: usize, fix: &str| {
        let one = |i: usize| format!(",{:02},40,100,{:02}", i + 1, level + i % 4);
        let group = |part: usize| {
            let last = (part * 4 + 4).min(n);
            let four: String = (part * 4..last).map(one).collect();
            line(&format!(
                "GPGSV,{},{},{n:02}{four},1",
                n.div_ceil(4).max(1),
                part + 1
            ))
        };
        let groups: String = (0..n.div_ceil(4).max(1)).map(group).collect();
        let (_, rest) = fix.split_once('\n').expect("the satellites come first");
        format!("{groups}{rest}")
    };
    // (seconds, satellites, their level, whether there is a fix), and the cause at the end
    for (skies, cause, status) in [
        (
            &[(130, 0, 0, false)][..],
            "gnss.antenna_suspect",
            HealthStatus::Up,
        ),
        (
            &[(950, 0, 0, false)],
            "gnss.antenna_suspect",
            HealthStatus::Degraded,
        ),
        (
            &[(130, 4, 20, false)],
            "gnss.weak_signals",
            HealthStatus::Up,
        ),
        (&[(130, 4, 36, false)], "gnss.no_fix", HealthStatus::Up),
        (
            &[(100, 8, 38, true), (10, 8, 20, true)],
            "gnss.jamming_suspected",
            HealthStatus::Degraded,
        ),
        (
            &[(100, 8, 38, true), (10, 0, 0, false)],
            "gnss.jamming_suspected",
            HealthStatus::Degraded,
        ),
        (
            &[(100, 8, 38, true), (10, 0, 0, false), (5, 8, 38, true)],
            "gnss.fix",
            HealthStatus::Up,
        ),
    ] {
        let mut bench = Bench::new(HEARD, &[]);
        let mut second = 0;
        for (seconds, n, level, has_fix) in skies {
            for _ in 0..*seconds {
                let rest = if *has_fix {
                    fix(second, 0.0, UTC)
                } else {
                    no_fix()
                };
                bench.relay("modem", &sky(*n, *level, &rest));
                second += 1;
            }
        }
        assert_eq!(bench.state().cause.code.as_str(), cause, "{skies:?}");
        assert_eq!(bench.health().0, status, "{skies:?}");
    }
}

proptest! {
    #[test]
    fn whatever_a_receiver_delivers_is_borne(
        portions in prop::collection::vec((portion(), 0u64..4), 0..60),
    ) {
        let mut bench = Bench::new(NOTHING, &[]);
        for (bytes, seconds) in portions {
            bench.on(Event::Relayed { source: "modem".to_owned(), bytes });
            bench.wait(seconds);
            let is_spinning = bench.tracker.deadline().is_some_and(|at| at <= bench.now().instant);
            prop_assert!(!is_spinning || seconds == 0, "it would spin");
        }
    }
}
