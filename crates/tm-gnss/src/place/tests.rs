use tm_proto::calendar::Date;
use tm_proto::nmea0183::{Epoch, Epochs};

use super::town::{Receiver, TRUTH};
use super::*;
use crate::movement::error_m;

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

/// The figures of `docs/gnss.md`, by seeds other than those by which the number of looks was chosen.
///
/// A build without optimisation goes as far as seconds allow: a tenth of them.
#[test]
fn a_thousand_moves_and_five_years_of_standing() {
    let share = if cfg!(debug_assertions) { 10 } else { 1 };
    let (n_moves, n_months) = (1000 / share, 60 / share);
    let mut late = Vec::new();
    for seed in 100_000..100_000 + n_moves {
        let (mut home, mut receiver) = (Home::default(), Receiver::new(seed));
        let before = stand(&mut home, &mut receiver, 2, 0.0);
        let news = stand(&mut home, &mut receiver, 1, 100.0);
        let ([], [(after_s, News::Moved(_))]) = (&before[..], &news[..]) else {
            panic!("seed {seed}: {before:?} {news:?}");
        };
        late.extend(Some(*after_s).filter(|after_s| *after_s > 120));
    }
    let mut alarms = Vec::new();
    for seed in 200_000..200_000 + n_months {
        let (mut home, mut receiver) = (Home::default(), Receiver::new(seed));
        let news = stand(&mut home, &mut receiver, 24 * 30, 0.0);
        alarms.extend((!news.is_empty()).then_some((seed, news)));
    }
    println!(
        "{} of {n_moves} moves were noticed after more than 120 s: {late:?}; false alarms in {n_months} months: {alarms:?}",
        late.len()
    );
    let n_late = u64::try_from(late.len()).unwrap();
    assert!(
        n_late * 50 <= n_moves && alarms.len() <= 1,
        "{late:?} {alarms:?}"
    );
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
