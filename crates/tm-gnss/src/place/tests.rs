use tm_proto::calendar::Date;
use tm_proto::nmea0183::{Epoch, Epochs};

use super::*;
use crate::movement::error_m;

/// Numbers that look random and are the same every time (`SplitMix64`, with the sum of twelve for a bell).
struct Chance(u64);

impl Chance {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        f64::from(u32::try_from((mixed ^ (mixed >> 31)) >> 32).unwrap()) / f64::from(u32::MAX)
    }

    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0
    }
}

const TRUTH: Spot = Spot {
    latitude_deg: 50.4501,
    longitude_deg: 30.5234,
    altitude_m: 179.0,
};
const METRES_PER_DEG: f64 = 111_195.0;

/// A receiver in a town: errors that drift for an hour (2.5 m) and for a minute (1.5 m), noise of half a metre, and
/// four reflections an hour, 10 to 60 m off for 15 s to two minutes, one in twenty of them 60 to 200 m off for up to a
/// minute; of half of them it knows.
struct Receiver {
    chance: Chance,
    slow: [f64; 2],
    quick: [f64; 2],
    /// Metres north and east, looks that are left, and whether the receiver knows.
    reflection: ([f64; 2], u32, bool),
    mono_ms: u64,
}

const STEP_S: f64 = 5.0;

impl Receiver {
    fn new(seed: u64) -> Self {
        Self {
            chance: Chance(seed),
            slow: [0.0; 2],
            quick: [0.0; 2],
            reflection: ([0.0; 2], 0, false),
            mono_ms: 1_000_000,
        }
    }

    /// A fix five seconds later, with the error that the receiver states, while it stands this far north of the truth.
    fn next(&mut self, north_m: f64) -> (u64, Spot, f64) {
        self.mono_ms += 5000;
        let chance = &mut self.chance;
        for (state, sigma, tau) in [(&mut self.slow, 2.5, 3600.0), (&mut self.quick, 1.5, 60.0)] {
            let keep = f64::exp(-STEP_S / tau);
            for axis in state.iter_mut() {
                *axis = *axis * keep + chance.normal() * sigma * (1.0 - keep * keep).sqrt();
            }
        }
        let (shift, left, is_known) = &mut self.reflection;
        if *left > 0 {
            *left -= 1;
        } else if chance.uniform() < STEP_S / 900.0 {
            let is_far = chance.uniform() < 0.05;
            let (least_m, more_m) = if is_far { (60.0, 140.0) } else { (10.0, 50.0) };
            let far_m = least_m + more_m * chance.uniform();
            let angle = chance.uniform() * std::f64::consts::TAU;
            *shift = [far_m * angle.cos(), far_m * angle.sin()];
            *left = match chance.uniform() {
                long if long < 0.25 && is_far => 12,
                long if long < 0.25 => 24,
                middle if middle < 0.5 => 8,
                _ => 3,
            };
            *is_known = chance.uniform() < 0.5;
        } else {
            *shift = [0.0; 2];
        }
        let error_m = if *is_known && *left > 0 { 20.0 } else { 3.0 };
        let noise = [chance.normal() * 0.5, chance.normal() * 0.5];
        let off = |axis: usize| self.slow[axis] + self.quick[axis] + shift[axis] + noise[axis];
        let spot = Spot {
            latitude_deg: TRUTH.latitude_deg + (off(0) + north_m) / METRES_PER_DEG,
            longitude_deg: TRUTH.longitude_deg
                + off(1) / METRES_PER_DEG / TRUTH.latitude_deg.to_radians().cos(),
            altitude_m: TRUTH.altitude_m + chance.normal() * 4.0,
        };
        (self.mono_ms, spot, error_m)
    }
}

/// Stands for so many hours, `north_m` from the truth; what happened, with the second at which it did.
fn stand(home: &mut Home, receiver: &mut Receiver, hours: u32, north_m: f64) -> Vec<(u32, News)> {
    let mut news = Vec::new();
    for look in 0..hours * 720 {
        let (mono_ms, spot, error_m) = receiver.next(north_m);
        let happened = home.take(mono_ms, spot, error_m, 50.0);
        news.extend(happened.map(|happened| (look * 5, happened)));
    }
    news
}

fn off_m(home: &Home) -> (f64, f64) {
    let known = home.estimate().unwrap();
    (known.spot.from(TRUTH).distance_m(), known.accuracy_m)
}

#[test]
fn a_day_of_standing_is_known_within_what_is_stated() {
    let mut n_outside = [0; 3];
    let mut worst = [0.0_f64; 3];
    for seed in 0..20 {
        let (mut home, mut receiver) = (Home::default(), Receiver::new(seed));
        for (index, hours) in [1, 5, 18].into_iter().enumerate() {
            assert_eq!(
                stand(&mut home, &mut receiver, hours, 0.0),
                [],
                "seed {seed}"
            );
            let (off_m, accuracy_m) = off_m(&home);
            n_outside[index] += u32::from(off_m > accuracy_m);
            worst[index] = worst[index].max(off_m);
        }
        let known = home.estimate().unwrap();
        assert!((known.hours - 24.0).abs() < 0.3, "{}", known.hours);
        assert!(
            (1.0..3.0).contains(&known.accuracy_m),
            "{}",
            known.accuracy_m
        );
        assert!((known.spot.altitude_m - TRUTH.altitude_m).abs() < 1.0);
    }
    // 95 % of 20; after one, six and twenty-four hours.
    assert!(n_outside.iter().all(|n| *n <= 2), "{n_outside:?}");
    assert!(
        worst[0] < 8.0 && worst[1] < 6.0 && worst[2] < 2.5,
        "{worst:?}"
    );
}

/// The recording that stands still, over and over for ten minutes: the middle of its fixes is found.
#[test]
fn a_recording_averages_to_its_middle() {
    let log = include_bytes!("../../../tm-proto/tests/nmea/bu353s4.log");
    let mut epochs = Epochs::new(Date::new(2019, 1, 1).unwrap());
    let mut all = epochs.feed(log);
    all.extend(epochs.silence());
    let fix = |epoch: &Epoch| {
        let position = epoch.position?;
        let spot = Spot {
            latitude_deg: position.latitude_deg(),
            longitude_deg: position.longitude_deg(),
            altitude_m: epoch.altitude_m?,
        };
        Some((spot, error_m(epoch)))
    };
    let fixes: Vec<(Spot, f64)> = all.iter().filter_map(fix).collect();
    assert_eq!(fixes.len(), 25);
    let mut home = Home::default();
    for (second, (spot, error_m)) in (0..600).zip(fixes.iter().cycle()) {
        assert_eq!(home.take(second * 1000, *spot, *error_m, 50.0), None);
    }
    let known = home.estimate().unwrap();
    let distances = fixes
        .iter()
        .map(|(spot, _)| spot.from(known.spot).distance_m());
    let mut distances: Vec<f64> = distances.collect();
    distances.sort_by(f64::total_cmp);
    assert!(distances[12] < 0.3 && distances[24] < 1.3, "{distances:?}");
    assert!(distances[24] < known.accuracy_m, "{known:?}");
}

#[test]
fn thirty_days_of_reflections_and_three_of_spoofing_are_no_movement() {
    let (mut home, mut receiver) = (Home::default(), Receiver::new(42));
    for day in 0..30 {
        assert_eq!(stand(&mut home, &mut receiver, 24, 0.0), [], "day {day}");
        if day % 10 == 5 {
            // For half a minute a forged sky may go unnoticed; then it is doubted, here for an hour.
            for look in 0..720 {
                let (mono_ms, spot, error_m) = receiver.next(5000.0);
                if look < 6 {
                    assert_eq!(home.take(mono_ms, spot, error_m, 50.0), None);
                } else {
                    home.doubt();
                }
            }
        }
    }
    let (off_m, accuracy_m) = off_m(&home);
    assert!(off_m < accuracy_m.min(2.0), "{off_m} of {accuracy_m}");
    assert_eq!(home.moved(), Some(false));
}

#[test]
fn a_move_of_a_hundred_metres_is_noticed_within_two_minutes_and_so_is_the_way_back() {
    let mut n_late = 0;
    for seed in 0..50 {
        let (mut home, mut receiver) = (Home::default(), Receiver::new(seed));
        assert_eq!(stand(&mut home, &mut receiver, 2, 0.0), []);
        let news = stand(&mut home, &mut receiver, 1, 100.0);
        let [(after_s, News::Moved(metres))] = news[..] else {
            panic!("seed {seed}: {news:?}");
        };
        // A reflection may point back home just then: it lasts for two minutes more at most.
        n_late += u32::from(after_s > 120);
        assert!(
            after_s <= 240 && (60.0..140.0).contains(&metres),
            "seed {seed}: {news:?}"
        );
        assert_eq!(home.moved(), Some(true));
        let news = stand(&mut home, &mut receiver, 1, 0.0);
        let [(after_s, News::Back)] = news[..] else {
            panic!("seed {seed}: {news:?}");
        };
        assert!(after_s <= 480, "seed {seed}: {after_s} s");
        let (off_m, _) = off_m(&home);
        assert!(
            off_m < 8.0,
            "the time elsewhere is not in the average: {off_m}"
        );
    }
    assert!(n_late <= 2, "{n_late} of 50");
}

#[test]
fn who_stands_elsewhere_for_a_day_is_at_home_there() {
    let (mut home, mut receiver) = (Home::default(), Receiver::new(7));
    stand(&mut home, &mut receiver, 3, 0.0);
    let news = stand(&mut home, &mut receiver, 30, 400.0);
    assert!(
        matches!(news[..], [(_, News::Moved(_)), (_, News::Settled)]),
        "{news:?}"
    );
    assert_eq!(home.moved(), Some(false));
    let (off_m, _) = off_m(&home);
    assert!((off_m - 400.0).abs() < 4.0, "{off_m}");
}

#[test]
fn what_was_gathered_survives_a_restart_and_doubts_change_nothing() {
    let (mut home, mut receiver) = (Home::default(), Receiver::new(3));
    stand(&mut home, &mut receiver, 4, 0.0);
    let kept = home.take_unsaved().unwrap();
    assert_eq!(home.take_unsaved(), None, "once an hour, not more");
    let text = serde_json::to_string(&kept).unwrap();
    let mut again = Home::new(serde_json::from_str(&text).unwrap());
    let (before, after) = (home.estimate().unwrap(), again.estimate().unwrap());
    assert!(before.spot.from(after.spot).distance_m() < 0.1);
    assert_eq!(again.moved(), Some(false));
    // Nineteen looks elsewhere, then doubts: they begin anew.
    for _ in 0..10 {
        for _ in 0..19 {
            let (mono_ms, spot, error_m) = receiver.next(5000.0);
            assert_eq!(again.take(mono_ms, spot, error_m, 50.0), None);
        }
        again.doubt();
    }
    assert_eq!(off_m(&again), {
        let known = after;
        (known.spot.from(TRUTH).distance_m(), known.accuracy_m)
    });
}

#[test]
fn a_circle_is_left_and_entered() {
    let fence: Fence = "50.4501, 30.5234, 200".parse().unwrap();
    let (mut watch, mut receiver) = (FenceWatch::new(fence, None), Receiver::new(1));
    let mut turns = Vec::new();
    for (until, north_m) in [
        (100, 0.0),
        (200, 195.0),
        (300, 260.0),
        (400, 205.0),
        (500, 100.0),
    ] {
        for look in until - 100..until {
            let (mono_ms, spot, error_m) = receiver.next(north_m);
            let turned = watch.take(mono_ms, spot, error_m);
            turns.extend(turned.map(|is_inside| (look / 100, is_inside)));
        }
    }
    assert_eq!(
        turns,
        [(2, false), (4, true)],
        "near the line nothing turns"
    );
    assert_eq!(watch.is_inside(), Some(true));
    // Carried out while nobody watched; outside to begin with; and another circle, in which it is.
    let kept = watch.kept();
    for (fence, kept, expected) in [
        ("50.4501,30.5234,200", kept.as_ref(), Some(false)),
        ("50.4501,30.5234,200", None, Some(false)),
        ("50.4501,30.5234,2000", kept.as_ref(), None),
    ] {
        let mut watch = FenceWatch::new(fence.parse().unwrap(), kept);
        let mut turned = None;
        for _ in 0..40 {
            let (mono_ms, spot, error_m) = receiver.next(400.0);
            turned = watch.take(mono_ms, spot, error_m).or(turned);
        }
        assert_eq!(turned, expected, "{fence}");
    }
}

#[test]
fn circles_as_text() {
    for (text, shown) in [
        ("50.45,30.52,200", Some("50.45,30.52,200")),
        (" -33.9 , 151.2 , 1e3 ", Some("-33.9,151.2,1000")),
        ("", None),
        ("50.45,30.52", None),
        ("50.45,30.52,200,1", None),
        ("91,0,200", None),
        ("0,181,200", None),
        ("0,0,9", None),
        ("0,0,NaN", None),
        ("nan,0,100", None),
        ("0,0,inf", None),
    ] {
        let fence: Option<Fence> = text.parse().ok();
        assert_eq!(
            fence.map(|fence| fence.to_string()).as_deref(),
            shown,
            "{text}"
        );
    }
}
