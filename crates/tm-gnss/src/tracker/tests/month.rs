//! Thirty days in a town, sentence by sentence.

use tm_proto::calendar::Date;

use super::*;
use crate::place::Spot;
use crate::place::town::Receiver;

/// 2026-11-23T00:00:00Z.
const START_MS: i64 = 1_795_392_000_000;
const DAY: u32 = 17_280;
const HOUR: u32 = 720;

/// What a forger plays.
#[derive(Clone, Copy)]
struct Forgery {
    north_m: f64,
    ahead_ms: i64,
    is_uniform: bool,
}

fn sentences(utc_ms: i64, spot: Spot, error_m: f64, is_uniform: bool) -> String {
    let date = Date::from_unix_days(utc_ms.div_euclid(86_400_000)).unwrap();
    let date = format!(
        "{:02}{:02}{:02}",
        date.day(),
        date.month(),
        date.year() % 100
    );
    let second = utc_ms.rem_euclid(86_400_000) / 1000;
    let (hour, minute) = (second / 3600, second / 60 % 60);
    let time = format!("{hour:02}{minute:02}{:02}.0", second % 60);
    let minutes = |degrees: f64, width: usize| {
        let whole = degrees.trunc();
        let minutes = (degrees - whole) * 60.0;
        format!("{whole:0width$}{minutes:09.6}")
    };
    let place = format!(
        "{},N,{},E",
        minutes(spot.latitude_deg, 2),
        minutes(spot.longitude_deg, 3)
    );
    let satellites = |part: u32| {
        let one = |n: u32| {
            let level = if is_uniform { 46 } else { 20 + 3 * n };
            format!(",{:02},40,100,{level:02}", 7 + n)
        };
        let four: String = (part * 4..part * 4 + 4).map(one).collect();
        format!("GPGSV,2,{},08{four},1", part + 1)
    };
    let (hdop, altitude_m) = (error_m / 5.0, spot.altitude_m);
    [
        satellites(0),
        satellites(1),
        format!("GPGGA,{time},{place},1,08,{hdop:.1},{altitude_m:.1},M,25.0,M,,"),
        format!("GPRMC,{time},A,{place},0.0,,{date},,,A,V"),
        format!("GPGSA,A,3,07,08,09,10,11,12,13,14,,,,,1.5,{hdop:.1},1.2,1"),
    ]
    .iter()
    .map(|body| line(body))
    .collect()
}

/// Every five seconds a fix with the reflections of a town; on three days an hour of forgery, each of another kind.
/// Each of them is recognised, and the cabinet never seems to move.
#[test]
fn thirty_days_of_reflections_and_three_forgeries_are_no_movement() {
    // A look every five seconds is no silence.
    let variables = [("TM_GNSS_SILENT_AFTER_S", "30")];
    let forgery = |look: u32| {
        let (day, time) = (look / DAY, look % DAY);
        let (north_m, ahead_ms, is_uniform) = match day {
            _ if !(12 * HOUR..13 * HOUR).contains(&time) => return None,
            // All at once; a repeater elsewhere, whose time is right; the time alone, by one transmitter.
            5 => (5_000.0, 420_000, true),
            15 => (20_000.0, 0, true),
            25 => (0.0, 86_400_000, true),
            _ => return None,
        };
        Some(Forgery {
            north_m,
            ahead_ms,
            is_uniform,
        })
    };
    let (mut bench, mut receiver) = (Bench::new(NOTHING, &variables), Receiver::new(42));
    for look in 0..30 * DAY {
        let forged = forgery(look);
        let (_, spot, error_m) = receiver.next(forged.map_or(0.0, |forged| forged.north_m));
        let ahead_ms = forged.map_or(0, |forged| forged.ahead_ms);
        let utc_ms = START_MS + i64::from(look) * 5000 + ahead_ms;
        let is_uniform = forged.is_some_and(|forged| forged.is_uniform);
        bench.on(Event::Relayed {
            source: "modem".to_owned(),
            bytes: sentences(utc_ms, spot, error_m, is_uniform).into_bytes(),
        });
        bench.wait(5);
        // A month of states fills the memory.
        bench
            .effects
            .retain(|effect| matches!(effect, Effect::Event(..)));
    }
    let noon = |day: u64| day * 86_400 + 12 * 3600;
    // A minute after the true sky is back.
    let expected = [5, 15, 25].into_iter().flat_map(|day| {
        [
            (noon(day), Severity::Warning, "gnss.spoofing_suspected"),
            (noon(day) + 3660, Severity::Info, "gnss.spoofing_over"),
        ]
    });
    assert_eq!(bench.events(), expected.collect::<Vec<_>>());
    let place = bench.tracker.place().unwrap();
    let off = Spot {
        latitude_deg: place.latitude_deg,
        longitude_deg: place.longitude_deg,
        altitude_m: 0.0,
    };
    let off_m = off.from(crate::place::town::TRUTH).distance_m();
    assert!(
        place.moved == Some(false) && off_m < place.accuracy_m.min(2.0),
        "{off_m} m: {place:?}"
    );
}
