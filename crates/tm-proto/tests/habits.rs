//! Habits of receivers that were seen in gpsd's recordings (`test/daemon` of its repository), in sentences of our own.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use tm_proto::{
    calendar::Date,
    nmea0183::{Constellation, Epoch, Epochs, FixMode, checksum},
};

use Constellation::{BeiDou, Glonass, Gps, Qzss};

const PLACE: &str = "4807.0380,N,01131.0000,E";
const NO_GSA: &str = "GPGSA,A,1,,,,,,,,,,,,,,,";

fn line(body: &str) -> String {
    format!("${body}*{:02X}\r\n", checksum(body.as_bytes()))
}

fn stream(bodies: &[String]) -> Vec<u8> {
    bodies
        .iter()
        .map(|body| line(body))
        .collect::<String>()
        .into_bytes()
}

fn epochs(bodies: &[String]) -> Vec<Epoch> {
    let mut epochs = Epochs::new(Date::new(1980, 1, 6).unwrap());
    let mut found = epochs.feed(&stream(bodies));
    found.extend(epochs.finish());
    found
}

fn gga(second: u32, quality: u8, n_used: u8) -> String {
    format!("GPGGA,1200{second:02}.00,{PLACE},{quality},{n_used:02},0.9,545.4,M,46.9,M,,")
}

fn rmc(second: u32) -> String {
    format!("GPRMC,1200{second:02}.00,A,{PLACE},2.0,84.4,241126,,,A")
}

fn gsa(mode: u8) -> String {
    format!("GPGSA,A,{mode},07,09,11,13,,,,,,,,,1.5,0.9,1.2")
}

#[test]
fn three_dimensions_are_held_until_somebody_denies_the_fix() {
    let found = epochs(&[
        rmc(0),
        gga(0, 1, 8),
        gsa(3),
        // Single epochs say 2 while the altitude goes on.
        rmc(1),
        gga(1, 1, 8),
        gsa(2),
        rmc(2),
        gga(2, 1, 3),
        gsa(2),
        rmc(3),
        gga(3, 0, 0),
        NO_GSA.to_owned(),
    ]);
    let modes: Vec<FixMode> = found.iter().map(|epoch| epoch.mode).collect();
    let three = FixMode::ThreeD;
    assert_eq!(modes, [three, three, three, FixMode::None]);
    assert_eq!(
        (found[2].altitude_m, found[3].altitude_m),
        (Some(545.4), None)
    );
    assert_eq!(found[3].position, None, "quality 0 with a place is no fix");
}

#[test]
fn a_fix_without_altitude_is_flat() {
    let flat = |second| format!("GPGGA,1200{second:02}.00,{PLACE},1,03,2.9,,M,,M,,");
    let found = epochs(&[rmc(0), flat(0), gsa(2), rmc(1), flat(1), gsa(2)]);
    let last = found.last().unwrap();
    assert_eq!((last.mode, last.altitude_m), (FixMode::TwoD, None));
    assert!(last.position.is_some());
}

#[test]
fn an_epoch_whose_end_was_lost_is_not_told() {
    let found = epochs(&[
        rmc(0),
        gga(0, 1, 8),
        rmc(1),
        gga(1, 1, 8),
        // GGA, the end, was damaged on the way.
        rmc(2),
        rmc(3),
        gga(3, 1, 8),
    ]);
    let times: Vec<u32> = found
        .iter()
        .map(|epoch| epoch.time_of_day_ms.unwrap() % 60_000 / 1000)
        .collect();
    assert_eq!(times, [0, 1, 3]);
}

#[test]
fn speed_follows_from_two_places_where_nobody_tells_it() {
    let gga = |second: u32, minutes: &str| {
        format!("GPGGA,1200{second:02}.00,48{minutes},N,01131.0000,E,1,08,0.9,545.4,M,46.9,M,,")
    };
    let zda = |second: u32| format!("GPZDA,1200{second:02}.00,24,11,2026,,");
    let found = epochs(&[
        zda(0),
        gga(0, "07.0000"),
        zda(1),
        gga(1, "07.0100"),
        zda(2),
        gga(2, "07.0300"),
    ]);
    let speeds: Vec<Option<f64>> = found.iter().map(|epoch| epoch.speed_mps).collect();
    assert_eq!(speeds[0], None);
    // A minute of latitude is 1853.2 m there.
    for (speed, metres) in [(speeds[1], 18.53), (speeds[2], 37.06)] {
        assert!((speed.unwrap() - metres).abs() < 0.05, "{speeds:?}");
    }
}

#[test]
fn ten_epochs_a_second() {
    let mut bodies = Vec::new();
    for tenth in 0..30 {
        let time = format!("1200{:02}.{}0", tenth / 10, tenth % 10);
        bodies.push(format!("GNRMC,{time},A,{PLACE},2.0,84.4,241126,,,A"));
        bodies.push(format!("GNGGA,{time},{PLACE},1,08,0.9,545.4,M,46.9,M,,"));
    }
    let found = epochs(&bodies);
    let ms: Vec<i64> = found.iter().map(|epoch| epoch.unix_ms().unwrap()).collect();
    assert_eq!(ms.len(), 30);
    assert!(ms.windows(2).all(|pair| pair[1] - pair[0] == 100));
    assert!(
        found[1..]
            .iter()
            .all(|epoch| epoch.mode == FixMode::ThreeD && epoch.speed_mps == Some(1.029))
    );
}

#[test]
fn two_talkers_on_one_line_are_two_sentences() {
    let whole = [rmc(0), gga(0, 1, 8)].map(|body| line(&body));
    let joined = whole.concat().replace("\r\n", "") + "\r\n";
    let mut epochs = Epochs::new(Date::new(1980, 1, 6).unwrap());
    epochs.feed(joined.as_bytes());
    let epoch = epochs.finish().unwrap();
    assert_eq!(
        (epoch.mode, epoch.speed_mps),
        (FixMode::ThreeD, Some(1.029))
    );
    // One that begins within another costs that one.
    let cut = &line(&rmc(1))[..20];
    let mut epochs = Epochs::new(Date::new(1980, 1, 6).unwrap());
    epochs.feed(format!("{cut}{}", line(&rmc(2))).as_bytes());
    assert_eq!(epochs.counters().n_sentences, 1);
    assert_eq!(epochs.counters().n_corrupt, 1);
}

#[test]
fn a_wrong_speed_and_binary_between_sentences_are_passed_over() {
    // 9600 Bd read as 115200 gives mostly 0x00, 0x80, 0xE0, 0xF8; a u-blox frame and a gpsd's greeting.
    let noise = [
        &[0x00, 0x80, 0xf8, 0x00, 0xe0, b'$', 0x80, 0xfe][..],
        b"\xb5\x62\x01\x07\x04\x00$GP*\x00\r\n",
        b"{\"class\":\"VERSION\",\"release\":\"3.25\"}\r\n",
    ];
    let mut bytes = Vec::new();
    for second in 0..5 {
        for body in [rmc(second), gga(second, 1, 8)] {
            bytes.extend(noise[second as usize % 3]);
            bytes.extend(b"\r\n");
            bytes.extend(line(&body).as_bytes());
        }
    }
    let mut epochs = Epochs::new(Date::new(1980, 1, 6).unwrap());
    let mut found = epochs.feed(&bytes);
    found.extend(epochs.finish());
    assert_eq!(found.len(), 5);
    assert_eq!(epochs.counters().n_sentences, 10);
    assert!(epochs.counters().n_corrupt > 0);
}

#[test]
fn satellites_are_known_by_system_number_and_signal() {
    let found = epochs(&[
        rmc(0),
        gga(0, 1, 8),
        "GPGSA,A,3,13,30,,,,,,,,,,,1.5,0.9,1.2,1".to_owned(),
        "GNGSA,A,3,78,,,,,,,,,,,,1.5,0.9,1.2,2".to_owned(),
        "PQGSA,A,3,12,,,,,,,,,,,,1.5,0.9,1.2,4".to_owned(),
        "PQGSA,A,3,02,,,,,,,,,,,,1.5,0.9,1.2,5".to_owned(),
        "GPGSV,1,1,02,13,80,264,31,30,34,085,24,1".to_owned(),
        "GPGSV,1,1,01,13,80,264,29,8".to_owned(),
        "GLGSV,1,1,01,78,38,036,22,1".to_owned(),
        "PQGSV,1,1,01,12,20,116,27,0,4".to_owned(),
        "PQGSV,1,1,01,02,55,090,33,1,5".to_owned(),
    ]);
    let satellites = found[0].satellites.clone().unwrap();
    let told: Vec<_> = satellites
        .iter()
        .map(|sat| {
            (
                sat.constellation,
                sat.number,
                sat.signal,
                sat.cn0_dbhz,
                sat.is_used,
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            (Gps, Some(13), Some(1), Some(31), true),
            (Gps, Some(30), Some(1), Some(24), true),
            (Gps, Some(13), Some(8), Some(29), true),
            (Glonass, Some(14), Some(1), Some(22), true),
            (BeiDou, Some(12), None, Some(27), true),
            (Qzss, Some(2), Some(1), Some(33), true),
        ]
    );
    assert_eq!(
        (satellites[0].elevation_deg, satellites[0].azimuth_deg),
        (Some(80), Some(264))
    );
    assert_eq!(
        found[0].n_used,
        Some(5),
        "a satellite in two signals is one"
    );
}

#[test]
fn a_lost_part_of_a_group_doubles_nothing() {
    let group = "GPGSV,2,2,05,15,47,298,22";
    let found = epochs(&[
        rmc(0),
        gga(0, 1, 8),
        group.to_owned(),
        rmc(1),
        gga(1, 1, 8),
        group.to_owned(),
        rmc(2),
        gga(2, 1, 8),
        group.to_owned(),
    ]);
    let satellites = found.last().unwrap().satellites.as_ref().unwrap();
    assert_eq!(satellites.len(), 1);
}

#[test]
fn more_than_twelve_satellites_in_one_sentence() {
    let found = epochs(&[
        rmc(0),
        gga(0, 1, 8),
        format!(
            "GPGSA,A,3,27,23,13,07,25,01,02,03,04,05,06,08,09,10,{}07.9,06.0,05.2",
            ",".repeat(10)
        ),
    ]);
    assert_eq!(
        (found[0].n_used, found[0].pdop, found[0].vdop),
        (Some(14), Some(7.9), Some(5.2))
    );
}

#[test]
fn dilutions_that_mean_unknown_are_unknown() {
    for dilution in ["0.00", "99.00", "99.99", ""] {
        let gga = format!("GPGGA,120000.00,{PLACE},1,08,{dilution},545.4,M,46.9,M,,");
        assert_eq!(epochs(&[rmc(0), gga])[0].hdop, None, "{dilution}");
    }
}

#[test]
fn a_receiver_that_loses_the_time_loses_the_date() {
    let none = ["GPGGA,,,,,,0,,,,,,,,", "GPRMC,,V,,,,,,,,,,N"].map(str::to_owned);
    let found = epochs(&[&[rmc(0), gga(0, 1, 8)][..], &none, &[gga(9, 1, 8)]].concat());
    let last = found.last().unwrap();
    assert_eq!((last.mode, last.unix_ms()), (FixMode::ThreeD, None));
}

#[test]
fn gns_of_an_engine_that_calls_itself_unsafe_tells_only_its_time() {
    let gns = "GNGNS,120000.00,4510.000000,N,00544.000000,E,AAN,11,2.8,1.0,49.0,,,V".to_owned();
    let found = epochs(&[rmc(0), gga(0, 1, 5), gns]);
    assert_eq!(found[0].altitude_m, Some(545.4));
    assert_eq!(found[0].position.unwrap().latitude_e7, 481_173_000);
}
