//! Skies second by second: false ones, and true ones that look odd.

use tm_proto::calendar::Date;
use tm_proto::nmea0183::{Epoch, Epochs, FixMode, Position};
use tm_types::{Anchor, BootId, Clock, Satellite, Timestamp};

use super::*;
use crate::sky;
use crate::witness::Witnesses;

/// 2026-11-23T08:00:00Z.
const START_MS: i64 = 1_795_420_800_000;
const WEEKS_1024_MS: i64 = 1024 * 7 * 86_400_000;

/// Which satellites are heard, and how well.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Sky {
    /// Ten between 20 and 47 dBHz.
    Open,
    /// The same at one level.
    Uniform,
    /// Ten others.
    Others,
    /// The same, drowned: 12 dB weaker, two lost.
    Jammed,
}

/// One second.
#[derive(Clone, Copy, Debug)]
struct Second {
    north_m: f64,
    time_ms: i64,
    sky: Sky,
    speed_mps: f64,
    has_fix: bool,
    /// The host's clock, and what it is off by.
    host: (Clock, i64),
    /// What the mobile network's time and the clock chip's are off by, where they are known.
    network_ms: Option<i64>,
    rtc_ms: Option<i64>,
    boot: u32,
}

const TRUE: Second = Second {
    north_m: 0.0,
    time_ms: 0,
    sky: Sky::Open,
    speed_mps: 0.0,
    has_fix: true,
    host: (Clock::None, 0),
    network_ms: None,
    rtc_ms: None,
    boot: 7,
};
/// Everything at once, as a spoofer nearby does.
const FALSE: Second = Second {
    north_m: 30_000.0,
    time_ms: 420_000,
    sky: Sky::Uniform,
    ..TRUE
};
const NO_FIX: Second = Second {
    has_fix: false,
    ..TRUE
};

fn satellites(sky: Sky) -> Vec<Satellite> {
    let satellite = |n: u8| {
        let level = match sky {
            Sky::Open | Sky::Others => Some(20 + n * 3),
            Sky::Uniform => Some(46),
            Sky::Jammed => Some(8 + n * 3).filter(|_| n > 1),
        };
        Satellite {
            system: "gps".to_owned(),
            id: u16::from(n) + if sky == Sky::Others { 20 } else { 1 },
            elevation_deg: Some(40),
            azimuth_deg: None,
            cn0_dbhz: level,
            used: true,
            signals: Vec::new(),
        }
    };
    (0..10).map(satellite).collect()
}

fn epoch_at(utc_ms: i64, north_m: f64, speed_mps: f64) -> Epoch {
    #[expect(clippy::cast_possible_truncation, reason = "a latitude")]
    let latitude_e7 = 489_226_000 + (north_m / 111_195.0 * 1e7).round() as i32;
    Epoch {
        time_of_day_ms: Some(utc_ms.rem_euclid(86_400_000).try_into().unwrap()),
        date: Date::from_unix_days(utc_ms.div_euclid(86_400_000)),
        mode: FixMode::ThreeD,
        position: Some(Position {
            latitude_e7,
            longitude_e7: 247_103_000,
        }),
        speed_mps: Some(speed_mps),
        hdop: Some(1.0),
        ..Epoch::default()
    }
}

/// Who knows the time in that second.
fn witnesses(second: &Second, stamp: &Stamp, true_ms: i64) -> Vec<Witness> {
    let mut witnesses = Witnesses::default();
    if let Some(off_ms) = second.network_ms {
        let anchor = Anchor {
            boot: stamp.boot,
            mono_ms: stamp.mono_ms,
            utc: Timestamp::of_unix_ms(true_ms + off_ms),
            source: Clock::Network,
            err_ms: 3_000,
        };
        witnesses.on_anchor(&anchor, stamp);
    }
    let rtc_s = second.rtc_ms.map(|off_ms| (true_ms + off_ms) / 1000);
    witnesses.on_rtc(rtc_s, stamp);
    witnesses.at(stamp)
}

/// Plays seconds; when the sky was suspected, and when trusted again.
fn play(watch: &mut Watch, seconds: impl IntoIterator<Item = Second>) -> Vec<(i64, Turn)> {
    play_from(watch, 0, seconds)
}

fn play_from(
    watch: &mut Watch,
    first: i64,
    seconds: impl IntoIterator<Item = Second>,
) -> Vec<(i64, Turn)> {
    let mut turns = Vec::new();
    for (at, second) in (first..).zip(seconds) {
        if !second.has_fix {
            watch.on_no_fix();
            continue;
        }
        // Arrivals jitter by up to 300 ms.
        let mono_ms = u64::try_from(at * 1000 + 100 * (at % 4)).unwrap();
        let (clock, off_ms) = second.host;
        let stamp = Stamp {
            time: Timestamp::of_unix_ms(START_MS + at * 1000 + off_ms),
            mono_ms,
            boot: BootId(second.boot),
            clock,
            err_ms: None,
        };
        let utc_ms = START_MS + at * 1000 + second.time_ms;
        let epoch = epoch_at(utc_ms, second.north_m, second.speed_mps);
        let look = Look::of(&epoch, &stamp, &satellites(second.sky)).unwrap();
        match watch.on_fix(
            look,
            &stamp,
            &witnesses(&second, &stamp, START_MS + at * 1000),
        ) {
            Turn::None => {}
            turn => turns.push((at, turn)),
        }
    }
    turns
}

fn run(second: Second, n: usize) -> impl Iterator<Item = Second> {
    std::iter::repeat_n(second, n)
}

/// A minute of truth, then these seconds; when what turned, counted from then on.
fn check(seconds: impl IntoIterator<Item = Second>, expected: &[(i64, Turn)]) {
    let mut watch = Watch::default();
    assert_eq!(play(&mut watch, run(TRUE, 60)), []);
    let turns = play_from(&mut watch, 60, seconds);
    let turns: Vec<_> = turns
        .into_iter()
        .map(|(at, turn)| (at - 60, turn))
        .collect();
    assert_eq!(turns, expected);
}

#[test]
fn two_that_jump_together_are_a_suspicion() {
    let cases = [
        FALSE,
        Second {
            time_ms: 0,
            ..FALSE
        },
        Second {
            north_m: 0.0,
            ..FALSE
        },
        Second {
            sky: Sky::Open,
            ..FALSE
        },
        Second {
            sky: Sky::Others,
            ..FALSE
        },
        Second {
            time_ms: -420_000,
            sky: Sky::Open,
            ..FALSE
        },
        Second {
            north_m: -3_000.0,
            time_ms: 60_000,
            sky: Sky::Open,
            ..FALSE
        },
        Second {
            north_m: 0.0,
            sky: Sky::Others,
            ..FALSE
        },
    ];
    for second in cases {
        check(run(second, 300), &[(0, Turn::Suspected)]);
    }
}

#[test]
fn one_alone_is_weather() {
    let alone = [
        Second {
            north_m: 30_000.0,
            ..TRUE
        },
        Second {
            time_ms: 420_000,
            ..TRUE
        },
        Second {
            time_ms: -2_000,
            ..TRUE
        },
        Second {
            sky: Sky::Uniform,
            ..TRUE
        },
        Second {
            sky: Sky::Others,
            ..TRUE
        },
        // Within what receivers and lorries do.
        Second {
            north_m: 300.0,
            time_ms: 800,
            sky: Sky::Uniform,
            ..TRUE
        },
    ];
    for second in alone {
        check(run(second, 300), &[]);
        // And back again, and for a moment.
        check(run(second, 100).chain(run(TRUE, 100)), &[]);
        check(
            run(second, 1).chain(run(TRUE, 100)).chain(run(second, 2)),
            &[],
        );
    }
}

#[test]
fn together_means_within_half_a_minute() {
    let place = Second {
        north_m: 30_000.0,
        ..TRUE
    };
    let both = Second {
        time_ms: 60_000,
        ..place
    };
    check(
        run(place, 20).chain(run(both, 10)),
        &[(20, Turn::Suspected)],
    );
    check(run(place, 40).chain(run(both, 100)), &[]);
}

#[test]
fn an_outage_and_a_lorry_are_not_spoofing() {
    // An hour without a fix, 70 km away when it is over, under other satellites.
    let arrived = Second {
        north_m: 70_000.0,
        sky: Sky::Others,
        ..TRUE
    };
    check(run(NO_FIX, 3600).chain(run(arrived, 300)), &[]);
    check(run(NO_FIX, 3600).chain(run(TRUE, 300)), &[]);
    // Ten minutes, 15 km.
    let near = Second {
        north_m: 15_000.0,
        ..TRUE
    };
    check(run(NO_FIX, 600).chain(run(near, 300)), &[]);
    // The first fix is wild, 200 km off, under other satellites.
    let wild = Second {
        north_m: 200_000.0,
        ..arrived
    };
    check(
        run(NO_FIX, 600).chain(run(wild, 3)).chain(run(TRUE, 300)),
        &[],
    );
    // The fix comes and goes on the way, a position of 5 km off among them.
    let way = (0..1200).map(|at| match at % 20 {
        0..5 => NO_FIX,
        9 => Second {
            north_m: f64::from(at) * 25.0 + 5_000.0,
            ..TRUE
        },
        _ => Second {
            north_m: f64::from(at) * 25.0,
            speed_mps: 25.0,
            ..TRUE
        },
    });
    check(way, &[]);
}

#[test]
fn a_moving_cabinet_and_a_jammed_one_are_trusted() {
    let moving = (0..3600).map(|at| Second {
        north_m: f64::from(at) * 30.0,
        speed_mps: 30.0,
        sky: if at / 100 % 2 == 0 {
            Sky::Open
        } else {
            Sky::Jammed
        },
        has_fix: at % 100 < 80,
        ..TRUE
    });
    check(moving, &[]);
    // Sentences that were held up for six seconds come together.
    let held = (0..600).map(|at| Second {
        north_m: f64::from(at - at % 7) * 30.0,
        time_ms: -i64::from(at % 7) * 1000,
        ..TRUE
    });
    check(held, &[]);
}

#[test]
fn leap_seconds_and_rollovers_are_no_jump_of_the_time() {
    // The almanac comes: 18 s, while the position settles by 5 km.
    let leap = Second {
        time_ms: -18_000,
        north_m: 5_000.0,
        ..TRUE
    };
    check(run(TRUE, 600).chain(run(leap, 100)), &[]);
    // Not half an hour later.
    check(
        run(TRUE, 1800).chain(run(leap, 1)),
        &[(1800, Turn::Suspected)],
    );
    // Unless the receiver started anew.
    check(
        run(TRUE, 1800)
            .chain(run(NO_FIX, 30))
            .chain(run(TRUE, 60))
            .chain(run(leap, 20)),
        &[],
    );
    let rollover = Second {
        time_ms: -WEEKS_1024_MS,
        north_m: 5_000.0,
        ..TRUE
    };
    check(run(TRUE, 1800).chain(run(rollover, 100)), &[]);
}

#[test]
fn a_minute_of_agreement_with_what_was_trusted_ends_it() {
    check(
        run(FALSE, 100).chain(run(TRUE, 100)),
        &[(0, Turn::Suspected), (160, Turn::Over)],
    );
    // Every false second and every gap begins the minute anew.
    let back = |n| run(TRUE, n);
    let relapse = run(FALSE, 100)
        .chain(back(50))
        .chain(run(FALSE, 1))
        .chain(back(50));
    check(
        relapse.chain(run(NO_FIX, 5)).chain(back(100)),
        &[(0, Turn::Suspected), (266, Turn::Over)],
    );
    // The right place at a wrong time, or under a sky of one level, is not enough.
    for second in [
        Second {
            north_m: 0.0,
            sky: Sky::Open,
            ..FALSE
        },
        Second {
            north_m: 0.0,
            time_ms: 0,
            ..FALSE
        },
    ] {
        check(
            run(FALSE, 10).chain(run(second, 3600)),
            &[(0, Turn::Suspected)],
        );
    }
    // A lorry goes on in the meantime.
    let lorry = |at: i32| Second {
        north_m: f64::from(at) * 25.0,
        speed_mps: 25.0,
        ..TRUE
    };
    let mut watch = Watch::default();
    let story = (0..700).map(|at| match at {
        60..360 => Second {
            north_m: 30_000.0 + f64::from(at) * 25.0,
            ..FALSE
        },
        _ => lorry(at),
    });
    assert_eq!(
        play(&mut watch, story),
        [(60, Turn::Suspected), (420, Turn::Over)]
    );
}

#[test]
fn a_place_elsewhere_is_trusted_only_after_half_an_hour_with_ntp() {
    let place = Second {
        north_m: 30_000.0,
        ..TRUE
    };
    // Hours make every place reachable, but not trusted.
    check(
        run(FALSE, 10).chain(run(place, 20_000)),
        &[(0, Turn::Suspected)],
    );
    let told = Second {
        host: (Clock::Ntp, 300),
        ..place
    };
    check(
        run(FALSE, 10).chain(run(told, 3600)),
        &[(0, Turn::Suspected), (1811, Turn::Over)],
    );
    // Nor is every place believed where only time and sky were false.
    let here = Second {
        north_m: 0.0,
        ..FALSE
    };
    let near = Second {
        north_m: 10_000.0,
        ..TRUE
    };
    check(
        run(here, 10).chain(run(near, 3600)),
        &[(0, Turn::Suspected)],
    );
    // Nor the false place itself, when the cabinet was moving and might have got there.
    let mut watch = Watch::default();
    let lorry = (0..60).map(|at| Second {
        north_m: f64::from(at) * 25.0,
        speed_mps: 25.0,
        ..TRUE
    });
    let false_place = Second {
        time_ms: 0,
        ..FALSE
    };
    let story = lorry.chain(run(false_place, 10)).chain(run(place, 7200));
    assert_eq!(play(&mut watch, story), [(60, Turn::Suspected)]);
    // Not by a clock that GNSS or nobody set, nor by one that disagrees, nor under one level, nor while it jumps.
    let jumping = |at: i32| Second {
        north_m: f64::from(at % 600 / 300) * 5_000.0 + 30_000.0,
        ..told
    };
    let doubts: [Box<dyn Iterator<Item = Second>>; 4] = [
        Box::new(run(
            Second {
                host: (Clock::Gnss, 0),
                ..place
            },
            7200,
        )),
        Box::new(run(
            Second {
                host: (Clock::Ntp, 0),
                ..FALSE
            },
            7200,
        )),
        Box::new(run(
            Second {
                sky: Sky::Uniform,
                ..told
            },
            7200,
        )),
        Box::new((0..7200).map(jumping)),
    ];
    for doubt in doubts {
        check(run(FALSE, 10).chain(doubt), &[(0, Turn::Suspected)]);
    }
}

#[test]
fn a_time_that_disagrees_with_ntp_is_a_suspicion_by_itself() {
    let ntp = Second {
        host: (Clock::Ntp, 0),
        ..TRUE
    };
    let late = |time_ms| Second { time_ms, ..ntp };
    let turns = |seconds: &[(usize, Second)]| {
        let seconds = seconds.iter().flat_map(|(n, second)| run(*second, *n));
        play(&mut Watch::default(), seconds)
    };
    // From the first fix on, without any jump; it is over a minute after the true time is back.
    assert_eq!(
        turns(&[(100, late(420_000)), (100, ntp)]),
        [(30, Turn::Suspected), (160, Turn::Over)]
    );
    // A slow drift is noticed once it is two seconds off for half a minute.
    let drift = (0..200).map(|s| (1, late(50 * s)));
    let drift: Vec<_> = drift.collect();
    let turns_of_drift = turns(&[&[(1300, ntp)][..], &drift].concat());
    assert!(
        matches!(turns_of_drift[..], [(1360..=1380, Turn::Suspected)]),
        "{turns_of_drift:?}"
    );
    // Leap seconds that are not known yet, rollovers, less than half a minute, a clock without NTP: nothing.
    for seconds in [
        &[(1000, late(18_000)), (1000, ntp)][..],
        &[(1000, late(-WEEKS_1024_MS))],
        &[(100, ntp), (20, late(60_000)), (100, ntp)],
        &[(
            500,
            Second {
                host: (Clock::Rtc, 3_600_000),
                ..TRUE
            },
        )],
    ] {
        assert_eq!(turns(seconds), [], "{seconds:?}");
    }
    // But leap seconds that do not come.
    assert_eq!(turns(&[(1300, late(18_000))]), [(1231, Turn::Suspected)]);
}

const SUSPECTED: (i64, Turn) = (30, Turn::Suspected);

#[test]
fn without_ntp_the_network_and_the_clock_chip_are_asked() {
    let known = |network_ms, rtc_ms| Second {
        network_ms,
        rtc_ms,
        ..TRUE
    };
    let late = |second: Second, time_ms| Second { time_ms, ..second };
    let turns = |seconds: &[(usize, Second)]| {
        let mut watch = Watch::default();
        let seconds = seconds.iter().flat_map(|(n, second)| run(*second, *n));
        let turns = play(&mut watch, seconds);
        let witness = watch.suspicion().and_then(|s| s.told.witness);
        (turns, witness)
    };
    let (both, chip) = (
        known(Some(2_000), Some(-90_000)),
        known(None, Some(-90_000)),
    );
    let network = known(Some(2_000), None);
    // From the first fix on: seven minutes are too much for a network, an hour is for a chip.
    assert_eq!(
        turns(&[(100, late(network, 420_000))]),
        (vec![SUSPECTED], Some(Clock::Network))
    );
    assert_eq!(
        turns(&[(100, late(chip, -3_600_000))]),
        (vec![SUSPECTED], Some(Clock::Rtc))
    );
    assert_eq!(
        turns(&[(100, late(both, 3_600_000))]),
        (vec![SUSPECTED], Some(Clock::Network))
    );
    // One of them is enough for the satellites: networks an hour off, and chips with a flat battery, are known.
    for (witnesses, off_ms) in [
        (known(Some(3_600_000), Some(0)), 0),
        (known(Some(0), Some(-86_400_000)), 0),
        (both, 420_000),
        (network, 50_000),
        (chip, 500_000),
        (both, WEEKS_1024_MS),
    ] {
        let second = late(witnesses, off_ms);
        assert_eq!(turns(&[(1300, second)]), (vec![], None), "{second:?}");
    }
    // It is over a minute after the true time is back, but not because nobody is left to contradict.
    let over = |at| (at, Turn::Over);
    assert_eq!(
        turns(&[(100, late(both, 3_600_000)), (100, both)]).0,
        [SUSPECTED, over(160)]
    );
    assert_eq!(
        turns(&[(100, late(both, 3_600_000)), (3600, late(TRUE, 3_600_000))]),
        (vec![SUSPECTED], Some(Clock::Network))
    );
    // NTP comes, and tells that the network was wrong.
    let ntp = Second {
        host: (Clock::Ntp, 0),
        ..known(Some(3_600_000), None)
    };
    let wrong = known(Some(3_600_000), None);
    assert_eq!(
        turns(&[(100, wrong), (3600, ntp)]).0,
        [SUSPECTED, over(160)]
    );
    // They know the time too roughly to end what jumps gave away.
    let elsewhere = |second: Second| Second {
        north_m: 30_000.0,
        time_ms: 20_000,
        sky: Sky::Others,
        ..second
    };
    assert_eq!(
        turns(&[(60, both), (7200, elsewhere(both))]).0,
        [(60, Turn::Suspected)]
    );
}

#[test]
fn a_restart_makes_no_sky_true() {
    let mut watch = Watch::default();
    play(&mut watch, run(TRUE, 60).chain(run(FALSE, 60)));
    let kept = serde_json::to_string(watch.suspicion().unwrap()).unwrap();
    let resumed = || Watch::new(Some(serde_json::from_str(&kept).unwrap()));
    // The same boot: place and time are compared.
    let mut watch = resumed();
    assert_eq!(
        watch.suspicion().unwrap().cause(),
        resumed().suspicion().unwrap().cause()
    );
    assert_eq!(play_from(&mut watch, 120, run(FALSE, 600)), []);
    assert_eq!(
        play_from(&mut watch, 720, run(TRUE, 100)),
        [(780, Turn::Over)]
    );
    // Another boot an hour later: the place is, and the time only with NTP.
    let reboot = |second: Second| Second {
        boot: 8,
        time_ms: second.time_ms + 3_600_000,
        ..second
    };
    let mut watch = resumed();
    assert_eq!(play(&mut watch, run(reboot(FALSE), 7200)), []);
    assert_eq!(
        play_from(&mut watch, 7200, run(reboot(TRUE), 100)),
        [(7260, Turn::Over)]
    );
    let late = Second {
        host: (Clock::Ntp, 3_600_000),
        ..reboot(TRUE)
    };
    let late = Second {
        time_ms: late.time_ms + 420_000,
        ..late
    };
    let mut watch = resumed();
    assert_eq!(play(&mut watch, run(late, 7200)), []);
}

#[test]
fn another_receiver_is_no_jump() {
    let mut watch = Watch::default();
    assert_eq!(play(&mut watch, run(TRUE, 60)), []);
    watch.on_other_receiver();
    assert_eq!(play_from(&mut watch, 60, run(FALSE, 60)), []);
}

#[test]
fn the_cause_says_what_jumped() {
    let cause = |second| {
        let mut watch = Watch::default();
        play(&mut watch, run(TRUE, 60).chain(run(second, 1)));
        let cause = watch.suspicion().unwrap().cause();
        ["distance_km", "time_s", "satellites"].map(|name| cause.args[name].clone())
    };
    assert_eq!(cause(FALSE), ["30.0", "+420", "10"]);
    assert_eq!(
        cause(Second {
            north_m: 0.0,
            time_ms: -60_000,
            ..FALSE
        }),
        ["0", "-60", "10"]
    );
    assert_eq!(
        cause(Second {
            sky: Sky::Open,
            ..FALSE
        }),
        ["30.0", "+420", "0"]
    );
}

/// What three receivers printed, some in the year of a rollover.
#[test]
fn recorded_skies_are_true() {
    let logs: [(&str, usize, &[u8]); 3] = [
        (
            "quectel",
            10,
            include_bytes!("../../../tm-proto/tests/nmea/quectel-eg25-g.log"),
        ),
        (
            "bu353s4",
            10,
            include_bytes!("../../../tm-proto/tests/nmea/bu353s4.log"),
        ),
        (
            "april6",
            2,
            include_bytes!("../../../tm-proto/tests/nmea/april6_2019.log"),
        ),
    ];
    for (name, least, log) in logs {
        let mut watch = Watch::default();
        let mut epochs = Epochs::new(Date::new(2019, 1, 1).unwrap());
        let mut satellites = Vec::new();
        let (mut n_fixes, mut mono_ms) = (0, 0);
        let mut all = epochs.feed(log);
        all.extend(epochs.silence());
        for epoch in all {
            mono_ms += 1000;
            if let Some(heard) = &epoch.satellites {
                satellites = sky::satellites(heard);
            }
            let stamp = Stamp {
                time: Timestamp::EPOCH,
                mono_ms,
                boot: BootId(1),
                clock: Clock::None,
                err_ms: None,
            };
            let Some(look) = Look::of(&epoch, &stamp, &satellites) else {
                watch.on_no_fix();
                continue;
            };
            n_fixes += 1;
            assert_eq!(
                watch.on_fix(look, &stamp, &[]),
                Turn::None,
                "{name} {epoch:?}"
            );
        }

        assert!(n_fixes >= least, "{name}: {n_fixes}");
    }
}
