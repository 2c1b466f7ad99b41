//! What is told, and what is not, while the sky is suspected; and the whole story with a simulated receiver.

use std::time::SystemTime;

use tm_sim::sim7600::{Clock as SimClock, Line, Motion, Scenario, Sim7600, Sim7600Config};
use tm_types::Quality;
use tokio::io::{AsyncReadExt, DuplexStream};

use super::*;

/// 2026-11-23T08:00:00Z.
const START_S: u64 = 1_795_420_800;

/// Eight satellites, at these levels; else a fix like that of the other tests, some seconds ahead.
fn under(second: u32, north_m: f64, ahead_s: u32, level: impl Fn(u32) -> u32) -> String {
    let satellites = |part: u32| {
        let one = |n: u32| format!(",{:02},40,100,{:02}", 7 + n, level(n));
        let four: String = (part * 4..part * 4 + 4).map(one).collect();
        line(&format!("GPGSV,2,{},08{four},1", part + 1))
    };
    let fix = fix(second + ahead_s, north_m, UTC);
    let (_, rest) = fix.split_once('\n').expect("the satellites come first");
    format!("{}{}{rest}", satellites(0), satellites(1))
}

fn truth(second: u32) -> String {
    under(second, 0.0, 0, |n| 20 + 3 * n)
}

fn falsehood(second: u32) -> String {
    under(second, 5000.0, 420, |_| 46)
}

impl Bench {
    fn qualities(&self) -> Vec<(u64, Quality, Option<Reason>)> {
        let polls = self.polls().into_iter();
        let quality = |(at, reading): (u64, Reading)| (at, reading.quality(), reading.reason());
        polls.map(quality).collect()
    }

    fn n_anchors(&self) -> usize {
        self.n(|effect| matches!(effect, Effect::Anchor(_)))
    }
}

#[test]
fn clients_of_gpsd_and_chrony_get_nothing_from_it_either() {
    let variables = [
        ("TM_GNSS_GPSD_LISTEN", "127.0.0.1:2947"),
        ("TM_GNSS_CHRONY_SOCK", "/run/gnss.sock"),
    ];
    let mut bench = Bench::new(NOTHING, &variables);
    // (until this second, of which sky)
    for (until, is_true) in [(10, true), (20, false), (100, true)] {
        for second in until - 10..until {
            let sky = if is_true {
                truth(second)
            } else {
                falsehood(second)
            };
            bench.relay("modem", &sky);
        }
    }
    bench.relay("modem", "$GPTXT,half a sentence");
    let mut shown = (0, 0);
    let mut n_compared = 0;
    let mut sentences = Vec::new();
    for effect in &bench.effects {
        match effect {
            Effect::Show { is_trusted, .. } if *is_trusted => shown.0 += 1,
            Effect::Show { .. } => shown.1 += 1,
            Effect::Compare(_) => n_compared += 1,
            Effect::Sentences(lines) => sentences.extend_from_slice(lines),
            _ => {}
        }
    }
    // The honest ten seconds, of which the third fix begins the trust; all that follows is suspected.
    assert_eq!(shown, (10, 20));
    assert_eq!(n_compared, 8);
    let honest: String = (0..10).map(truth).collect();
    let passed = String::from_utf8(sentences).unwrap();
    let more = passed
        .strip_prefix(&honest)
        .unwrap_or_else(|| panic!("{passed}"));
    assert!(
        more.len() <= falsehood(10).len(),
        "only until it is noticed: {more}"
    );
}

#[test]
fn the_place_is_averaged_not_forged_and_left_when_it_is_left() {
    let variables = [("TM_GNSS_GEOFENCE", "50.4501,30.5234,300")];
    let mut bench = Bench::new(NOTHING, &variables);
    // Quarters of an hour: the truth, a falsehood 5 km away, the truth again, then 400 m carried away in earnest.
    let mut second = 0;
    for (seconds, north_m, is_false) in [
        (1200, 0.0, false),
        (600, 0.0, true),
        (900, 0.0, false),
        (300, 400.0, false),
    ] {
        for step in 0..seconds {
            // Carried at 10 m/s, as a vehicle does.
            let north_m = if north_m > 0.0 {
                (10.0 * f64::from(step)).min(north_m)
            } else {
                0.0
            };
            let sky = if is_false {
                falsehood(second)
            } else {
                under(second, north_m, 0, |n| 20 + 3 * n)
            };
            bench.relay("modem", &sky);
            second += 1;
        }
    }
    let events = bench.events();
    let told: Vec<&str> = events.iter().map(|(_, _, code)| *code).collect();
    assert_eq!(
        told,
        [
            "gnss.spoofing_suspected",
            "gnss.spoofing_over",
            "gnss.moved",
            "gnss.geofence_left"
        ]
    );
    let (at, severity, _) = events[2];
    assert!(
        (2700..2700 + 130).contains(&at) && severity == Severity::Critical,
        "{events:?}"
    );
    let state = bench.state();
    assert_eq!(state.inside_geofence, Some(false));
    let place = state.place.as_ref().unwrap();
    assert_eq!(place.moved, Some(true));
    assert!((place.latitude_deg - 50.4537).abs() < 2e-4, "{place:?}");
    let kept = bench.effects.iter().rev().find_map(|effect| match effect {
        Effect::RememberPlace(kept) => Some(serde_json::to_value(kept).unwrap()),
        _ => None,
    });
    assert_eq!(kept.unwrap()["side"]["is_inside"], false);
    let moved = bench.effects.iter().filter_map(|effect| match effect {
        Effect::Points(_, points) => points.iter().find(|point| point.name.as_str() == "moved"),
        _ => None,
    });
    let moved: Vec<bool> = moved.map(|point| point.reading == true.into()).collect();
    assert_eq!(moved.last(), Some(&true), "{moved:?}");
    assert!(moved.iter().filter(|moved| !**moved).count() > 1);
}

#[test]
fn nothing_is_fed_from_a_sky_that_is_suspected() {
    let mut bench = Bench::new(NOTHING, &[("TM_GNSS_PUBLISH_S", "100")]);
    for second in 0..2 {
        bench.relay("modem", &truth(second));
    }
    for second in 2..1500 {
        bench.relay("modem", &falsehood(second));
    }
    assert_eq!(
        bench.n_anchors(),
        0,
        "three honest fixes would have made one"
    );
    let cause = code::GNSS_SPOOFING_SUSPECTED
        .with("distance_km", "5.0")
        .and("time_s", "+420")
        .and("satellites", 8);
    let state = bench.state();
    assert_eq!(state.cause, cause);
    let suspicion = state.suspicion.clone().unwrap();
    assert_eq!(suspicion.since.mono_ms, 12_000);
    assert!((suspicion.trusted_latitude_deg - 50.4501).abs() < 1e-6);
    assert_eq!(
        bench.health(),
        (HealthStatus::Degraded, Some("gnss.spoofing_suspected"))
    );
    assert_eq!(bench.n(|e| matches!(e, Effect::Health(..))), 2, "told once");
    let qualities = bench.qualities();
    assert_eq!(qualities[0], (0, Quality::Good, None));
    assert_eq!(qualities[1].0, 10, "at once, as changes are");
    for (at, quality, reason) in &qualities[1..] {
        assert_eq!(
            (*quality, *reason),
            (Quality::Uncertain, Some(Reason::Implausible)),
            "{at}"
        );
    }
    for second in 1500..1570 {
        bench.relay("modem", &truth(second));
    }
    let state = bench.state();
    assert_eq!(
        (state.cause.code.as_str(), &state.suspicion),
        ("gnss.fix", &None)
    );
    assert_eq!(bench.health(), (HealthStatus::Up, None));
    assert_eq!(
        bench.events(),
        [
            (2, Severity::Warning, "gnss.spoofing_suspected"),
            (1560, Severity::Info, "gnss.spoofing_over")
        ]
    );
    assert_eq!(bench.qualities().last(), Some(&(1560, Quality::Good, None)));
    assert_eq!(bench.n_anchors(), 1, "the time is told again");
    let kept: Vec<bool> = bench
        .effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::RememberSuspicion(suspicion) => Some(suspicion.is_some()),
            _ => None,
        })
        .collect();
    assert_eq!(kept, [true, false]);
}

#[test]
fn a_false_place_is_no_movement() {
    let mut bench = Bench::new(NOTHING, &[("TM_GNSS_PUBLISH_S", "86400")]);
    for second in 0..20 {
        bench.relay("modem", &truth(second));
    }
    for second in 20..300 {
        // It moves about, too.
        bench.relay(
            "modem",
            &under(second, 5000.0 + f64::from(second) * 100.0, 420, |_| 46),
        );
    }
    for second in 300..400 {
        bench.relay("modem", &truth(second));
    }
    assert_eq!(
        bench.times(),
        [0, 20, 360],
        "the fix, the suspicion, its end"
    );
}

#[test]
fn a_lost_fix_proves_nothing() {
    let mut bench = Bench::new(NOTHING, &[]);
    for second in 0..200 {
        let sentences = match second {
            20..50 => falsehood(second),
            90..95 => no_fix(),
            _ => truth(second),
        };
        bench.relay("modem", &sentences);
    }
    let ends: Vec<u64> = bench.events().iter().map(|(at, ..)| *at).collect();
    assert_eq!(ends, [20, 155]);
}

#[test]
fn another_relay_may_stand_elsewhere() {
    let mut bench = Bench::new(NOTHING, &[]);
    for second in 0..20 {
        bench.relay("modem", &truth(second));
    }
    bench.wait(10);
    for second in 30..60 {
        bench.relay("roof", &falsehood(second));
    }
    assert_eq!(bench.state().source.as_deref(), Some("bus:roof"));
    assert_eq!(bench.events(), []);
}

#[test]
fn a_suspicion_outlives_the_service() {
    let mut bench = Bench::new(NOTHING, &[]);
    for second in 0..10 {
        let sentences = if second < 5 {
            truth(second)
        } else {
            falsehood(second)
        };
        bench.relay("modem", &sentences);
    }
    let kept = bench.effects.iter().rev().find_map(|effect| match effect {
        Effect::RememberSuspicion(Some(suspicion)) => Some((**suspicion).clone()),
        _ => None,
    });
    let kept = serde_json::to_string(&kept).unwrap();
    let resumed: Option<Suspicion> = serde_json::from_str(&kept).unwrap();
    bench.tracker = Tracker::new(config(&[]), HEARD, resumed, Kept::default(), bench.start);
    bench.effects.clear();
    for second in 10..60 {
        bench.relay("modem", &falsehood(second));
    }
    assert_eq!(bench.causes(), ["gnss.spoofing_suspected"]);
    assert_eq!((bench.n_anchors(), bench.events()), (0, vec![]));
    for second in 60..130 {
        bench.relay("modem", &truth(second));
    }
    assert_eq!(
        bench.events(),
        [(120, Severity::Info, "gnss.spoofing_over")]
    );
}

/// A tracker on the NMEA line of a simulated module.
struct Story {
    bench: Bench,
    module: Sim7600,
    line: DuplexStream,
}

impl Story {
    async fn begin(motion: Option<Motion>) -> Self {
        let began = Instant::now();
        let start = SystemTime::UNIX_EPOCH + Duration::from_secs(START_S);
        let module = Sim7600::start(Sim7600Config {
            clock: SimClock::new(move || start + began.elapsed()),
            time_to_fix: Duration::ZERO,
            motion,
            ..Sim7600Config::default()
        });
        let line = module.handle().open(Line::Nmea).await.unwrap();
        let mut bench = Bench::new(NOTHING, &[("TM_GNSS_SOURCE", "/dev/nmea")]);
        bench.on(Event::Port(PortEvent::Opened("/dev/nmea".to_owned())));
        Self {
            bench,
            module,
            line,
        }
    }

    async fn run(&mut self, time: Duration) {
        let end = Instant::now() + time;
        let mut buffer = vec![0; 4096];
        loop {
            let due = self.bench.tracker.deadline().unwrap_or(end).min(end);
            let event = tokio::select! {
                n = self.line.read(&mut buffer) => {
                    Event::Port(PortEvent::Bytes(buffer[..n.unwrap()].to_vec()))
                }
                () = tokio::time::sleep_until(due) => Event::Due,
            };
            self.bench.elapsed = self.bench.start.elapsed();
            self.bench.on(event);
            if Instant::now() >= end {
                return;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_story_with_a_simulated_receiver() {
    let mut story = Story::begin(None).await;
    story.run(Duration::from_secs(30)).await;
    assert_eq!(story.bench.state().cause.code, "gnss.fix");
    story.module.handle().play(Scenario::Spoofing);
    story.run(Duration::from_secs(3)).await;
    let state = story.bench.state();
    assert_eq!(state.cause.code, "gnss.spoofing_suspected");
    let args = &state.cause.args;
    assert!(args["distance_km"].starts_with("36."), "{args:?}");
    assert_eq!(args["time_s"], "+420");
    assert_eq!(args["satellites"], "20");
    story.run(Duration::from_mins(5)).await;
    assert_eq!(story.bench.state().cause.code, "gnss.spoofing_suspected");
    assert_eq!(story.bench.n_anchors(), 1, "the one from before");
    story.module.handle().play(Scenario::SpoofingOver);
    story.run(Duration::from_secs(55)).await;
    assert_eq!(story.bench.state().cause.code, "gnss.spoofing_suspected");
    story.run(Duration::from_secs(10)).await;
    assert_eq!(story.bench.state().cause.code, "gnss.fix");
    assert_eq!(story.bench.health(), (HealthStatus::Up, None));
    let codes: Vec<&str> = story
        .bench
        .events()
        .iter()
        .map(|(.., code)| *code)
        .collect();
    assert_eq!(codes, ["gnss.spoofing_suspected", "gnss.spoofing_over"]);
}

#[tokio::test(start_paused = true)]
async fn an_hour_on_the_road_with_a_jammer_now_and_then() {
    let motion = Motion {
        speed_mps: 30.0,
        heading_deg: 90.0,
    };
    let mut story = Story::begin(Some(motion)).await;
    let handle = story.module.handle();
    for minutes in [5, 1, 10, 20] {
        story.run(Duration::from_secs(60 * minutes)).await;
        handle.play(Scenario::NoSky);
        story.run(Duration::from_secs(30 * minutes)).await;
        handle.play(Scenario::Normal);
        story.run(Duration::from_secs(20)).await;
    }
    assert_eq!(story.bench.events(), []);
    assert!(
        story
            .bench
            .states()
            .iter()
            .all(|state| state.suspicion.is_none())
    );
    assert_eq!(story.bench.state().cause.code, "gnss.fix");
}
