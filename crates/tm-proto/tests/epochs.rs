//! Epochs against gpsd's expectations, against the `nmea` crate, and on streams that were made difficult.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use tm_proto::{
    calendar::Date,
    nmea0183::{Constellation, Epoch, Epochs, FixMode, Framer, Message, Position, checksum},
};

const LOGS: [(&str, &[u8], &str); 3] = [
    (
        "quectel-eg25-g",
        include_bytes!("nmea/quectel-eg25-g.log"),
        include_str!("nmea/quectel-eg25-g.expected.tsv"),
    ),
    (
        "bu353s4",
        include_bytes!("nmea/bu353s4.log"),
        include_str!("nmea/bu353s4.expected.tsv"),
    ),
    (
        "april6_2019",
        include_bytes!("nmea/april6_2019.log"),
        include_str!("nmea/april6_2019.expected.tsv"),
    ),
];

fn no_floor() -> Date {
    Date::new(1980, 1, 6).unwrap()
}

fn epochs(bytes: &[u8]) -> Vec<Epoch> {
    let mut epochs = Epochs::new(no_floor());
    let mut found = epochs.feed(bytes);
    found.extend(epochs.finish());
    found
}

fn sentence(body: &str) -> String {
    format!("${body}*{:02X}\r\n", checksum(body.as_bytes()))
}

fn stream(bodies: &[&str]) -> Vec<u8> {
    bodies
        .iter()
        .map(|body| sentence(body))
        .collect::<String>()
        .into_bytes()
}

#[test]
fn recordings_give_what_gpsd_gives() {
    for (name, log, expected) in LOGS {
        let found = epochs(log);
        for row in expected.lines().skip(1) {
            let fields: Vec<Option<f64>> =
                row.split('\t').map(|field| field.parse().ok()).collect();
            let [_, mode, latitude, longitude, altitude, speed, course] = fields[..] else {
                panic!("{row}")
            };
            let ms: Option<i64> = row.split('\t').next().and_then(|ms| ms.parse().ok());
            let is_at = |epoch: &&Epoch| ms.is_some() && epoch.unix_ms() == ms;
            let epoch = found
                .iter()
                .rfind(is_at)
                .unwrap_or_else(|| panic!("{name}: no epoch for {row}"));
            let near = |ours: Option<f64>, theirs: Option<f64>, tolerance: f64| match (ours, theirs)
            {
                (Some(ours), Some(theirs)) => (ours - theirs).abs() <= tolerance,
                (_, None) => true,
                (None, Some(_)) => false,
            };
            let position = epoch.position;
            assert!(
                near(Some(f64::from(epoch.mode as u8 + 1)), mode, 0.0),
                "{name}: {row}"
            );
            assert!(
                near(position.map(Position::latitude_deg), latitude, 1e-7),
                "{name}: {row}"
            );
            assert!(
                near(position.map(Position::longitude_deg), longitude, 1e-7),
                "{name}: {row}"
            );
            assert!(near(epoch.altitude_m, altitude, 0.05), "{name}: {row}");
            assert!(near(epoch.speed_mps, speed, 0.01), "{name}: {row}");
            if speed.is_some_and(|speed| speed > 0.5) {
                assert!(near(epoch.course_deg, course, 0.1), "{name}: {row}");
            }
        }
        // And no fix that gpsd does not have.
        let fix = |row: &&str| row.split('\t').nth(1).is_some_and(|mode| mode > "1");
        let n_expected = expected.lines().skip(1).filter(fix).count();
        let has_dated_fix = |epoch: &&Epoch| epoch.mode > FixMode::None && epoch.date.is_some();
        assert_eq!(
            found.iter().filter(has_dated_fix).count(),
            n_expected,
            "{name}"
        );
    }
}

#[test]
fn portions_and_noise_between_sentences_do_not_matter() {
    for (name, log, _) in LOGS {
        let expected = epochs(log);
        let mut bytewise = Epochs::new(no_floor());
        let mut found: Vec<Epoch> = log
            .iter()
            .flat_map(|byte| bytewise.feed(&[*byte]))
            .collect();
        found.extend(bytewise.finish());
        assert_eq!(found, expected, "{name}");
        let noisy: Vec<u8> = log
            .split_inclusive(|byte| *byte == b'\n')
            .flat_map(|line| [&b"\xff\x00xyz$GPGGA,12\n$$"[1..], &b"\r\n"[..], line].concat())
            .collect();
        assert_eq!(epochs(&noisy), expected, "{name} with noise");
    }
}

#[test]
fn a_day_at_once_loses_nothing() {
    let log = LOGS[0].1;
    let n_sentences = |log: &[u8]| {
        let mut epochs = Epochs::new(no_floor());
        epochs.feed(log);
        assert_eq!(epochs.counters().n_dropped, 0);
        epochs.counters().n_sentences
    };
    assert_eq!(n_sentences(&log.repeat(50)), 50 * n_sentences(log));
}

#[test]
fn a_flipped_bit_is_never_a_position() {
    let log = LOGS[1].1;
    let good = epochs(log);
    for at in (400..2000).step_by(7) {
        let mut bytes = log.to_vec();
        bytes[at] ^= 1 << (at % 7);
        for epoch in epochs(&bytes) {
            let Some(position) = epoch.position else {
                continue;
            };
            assert!(
                good.iter().any(|epoch| epoch.position == Some(position)),
                "byte {at}: {epoch:?}"
            );
        }
    }
}

#[test]
fn fields_agree_with_the_nmea_crate() {
    let mut n_compared = 0;
    for (_, log, _) in LOGS {
        let mut framer = Framer::default();
        framer.feed(log);
        while let Some(sentence) = framer.next() {
            let line = sentence.to_line();
            let (Some(ours), Ok(theirs)) = (Message::parse(&sentence), nmea::parse_str(&line))
            else {
                continue;
            };
            let close = |a: Option<f64>, b: Option<f64>| match (a, b) {
                (Some(a), Some(b)) => assert!((a - b).abs() < 1e-4, "{line}: {a} {b}"),
                (a, b) => assert_eq!(a, b, "{line}"),
            };
            match (ours, theirs) {
                (Message::Gga(ours), nmea::ParseResult::GGA(theirs)) => {
                    close(ours.position.map(Position::latitude_deg), theirs.latitude);
                    close(ours.position.map(Position::longitude_deg), theirs.longitude);
                    close(ours.altitude_m, theirs.altitude.map(f64::from));
                    close(
                        ours.n_used.map(f64::from),
                        theirs.fix_satellites.map(f64::from),
                    );
                }
                (Message::Rmc(ours), nmea::ParseResult::RMC(theirs)) => {
                    close(ours.position.map(Position::latitude_deg), theirs.lat);
                    close(ours.position.map(Position::longitude_deg), theirs.lon);
                    close(ours.course_deg, theirs.true_course.map(f64::from));
                    let speed = theirs
                        .speed_over_ground
                        .map(|knots| f64::from(knots) * 1852.0 / 3600.0);
                    match (ours.speed_mps, speed) {
                        (Some(a), Some(b)) => assert!((a - b).abs() < 1e-3, "{line}"),
                        (a, b) => assert_eq!(a, b, "{line}"),
                    }
                }
                (Message::Gsa(ours), nmea::ParseResult::GSA(theirs)) => {
                    assert_eq!(ours.used.len(), theirs.fix_sats_prn.len(), "{line}");
                    close(ours.pdop, theirs.pdop.map(f64::from));
                }
                (Message::Gsv(ours), nmea::ParseResult::GSV(theirs)) => {
                    let theirs: Vec<_> = theirs.sats_info.iter().flatten().collect();
                    // The crate leaves out GLONASS slots without a number.
                    let ours = ours
                        .satellites
                        .iter()
                        .filter(|satellite| satellite.number.is_some());
                    assert_eq!(ours.clone().count(), theirs.len(), "{line}");
                    for (ours, theirs) in ours.zip(theirs) {
                        close(ours.cn0_dbhz.map(f64::from), theirs.snr().map(f64::from));
                        close(
                            ours.azimuth_deg.map(f64::from),
                            theirs.azimuth().map(f64::from),
                        );
                    }
                }
                _ => continue,
            }
            n_compared += 1;
        }
    }
    assert!(n_compared > 300, "only {n_compared} sentences compared");
}

#[test]
fn the_sim7600_set_is_one_epoch() {
    // A fix of a Raspberry Pi 4G HAT (public note on `mmcli --location-get`), in the order the module prints.
    let log = b"$GPGSV,3,1,10,01,60,307,38,10,11,052,29,14,21,289,33,17,11,316,34,1*62\r\n\
        $GPGSV,3,2,10,21,77,021,25,27,15,151,23,32,35,064,37,03,34,232,,1*60\r\n\
        $GPGSV,3,3,10,08,46,167,,22,39,109,,1*6D\r\n\
        $GPGGA,194135.00,4510.878819,N,00544.224017,E,1,05,2.8,229.5,M,49.0,M,,*69\r\n\
        $GNGNS,194135.00,4510.878819,N,00544.224017,E,AAN,07,2.8,229.5,49.0,,,V*6B\r\n\
        $PQXFI,194135.0,4510.878819,N,00544.224017,E,229.5,10.39,3.05,0.11*55\r\n\
        $GPVTG,,T,0.8,M,0.0,N,0.0,K,A*05\r\n\
        $GPRMC,194135.00,A,4510.878819,N,00544.224017,E,0.0,,210323,0.8,W,A*0B\r\n\
        $GPGSA,A,2,01,10,14,17,32,,,,,,,,3.0,2.8,0.9*31\r\n\
        $GNGSA,A,2,87,88,,,,,,,,,,,3.0,2.8,0.9,2*3C\r\n";
    let found = epochs(log);
    let [epoch] = found.as_slice() else {
        panic!("{found:?}")
    };
    assert_eq!(epoch.unix_ms(), Some(1_679_427_695_000));
    let position = epoch.position.unwrap();
    assert_eq!(
        (position.latitude_e7, position.longitude_e7),
        (451_813_137, 57_370_670)
    );
    assert_eq!(
        (epoch.horizontal_error_m, epoch.vertical_error_m),
        (Some(10.39), Some(3.05))
    );
    assert_eq!((epoch.speed_mps, epoch.course_deg), (Some(0.0), None));
    assert_eq!(epoch.n_used, Some(7));
    let satellites = epoch.satellites.as_ref().unwrap();
    assert_eq!(satellites.len(), 10);
    assert_eq!(
        satellites
            .iter()
            .filter(|satellite| satellite.is_used)
            .count(),
        5
    );
    assert_eq!(satellites[0].cn0_dbhz, Some(38));
    assert_eq!(satellites[8].cn0_dbhz, None);
}

#[test]
fn before_the_first_fix_nothing_is_invented() {
    let log = b"$GPGSV,1,1,01,40,,,34,1*66\r\n$GLGSV,1,1,01,,,,18,1*70\r\n$GPGGA,,,,,,0,,,,,,,,*66\r\n\
        $GNGNS,,,,,,NNN,,,,,,*1D\r\n$PQXFI,,,,,,,,,,*56\r\n$GPVTG,,T,,M,,N,,K,N*2C\r\n$GPRMC,,V,,,,,,,,,,N*53\r\n\
        $GPGSA,A,1,,,,,,,,,,,,,,,,*32\r\n$GNGSA,A,1,,,,,,,,,,,,,,,,*2C\r\n";
    let twice = [&log[..], &log[..]].concat();
    let found = epochs(&twice);
    assert_eq!(found.len(), 2, "the repeated GSV opens the second");
    for epoch in found {
        assert_eq!(
            (epoch.mode, epoch.position, epoch.unix_ms()),
            (FixMode::None, None, None)
        );
        let satellites = epoch.satellites.unwrap();
        assert_eq!(satellites[0].constellation, Constellation::Sbas);
        assert_eq!(
            (satellites[1].constellation, satellites[1].number),
            (Constellation::Glonass, None)
        );
    }
}

#[test]
fn a_date_is_withheld_until_it_is_told_and_turns_at_midnight() {
    let gga = |time: &str| format!("GPGGA,{time},4510.8,N,00544.2,E,1,05,2.8,229.5,M,49.0,M,,");
    let rmc = "GPRMC,235958.00,A,4510.8,N,00544.2,E,0.0,,311226,,,A";
    let bodies = [
        &gga("235957.00"),
        rmc,
        &gga("235959.00"),
        &gga("000000.00"),
        &gga("000001.00"),
    ];
    let mut epochs = Epochs::new(no_floor());
    let times: Vec<Option<i64>> = bodies
        .iter()
        .map(|body| {
            assert_eq!(epochs.feed(&stream(&[body])), []);
            epochs.silence().unwrap().unix_ms()
        })
        .collect();
    let midnight = Date::new(2027, 1, 1).unwrap().unix_days() * 86_400_000;
    let expected = [
        None,
        Some(midnight - 2000),
        Some(midnight - 1000),
        Some(midnight),
        Some(midnight + 1000),
    ];
    assert_eq!(times, expected);
}

#[test]
fn dates_before_the_floor_move_by_whole_rollovers() {
    let mut epochs = Epochs::new(Date::new(2026, 1, 1).unwrap());
    for (printed, expected, is_corrected) in [
        ("100407", Date::new(2026, 11, 24), true),
        ("241126", Date::new(2026, 11, 24), false),
        ("220899", Date::new(2038, 11, 21), true),
    ] {
        epochs.feed(&stream(&[&format!(
            "GPRMC,120000.00,A,4510.8,N,00544.2,E,0.0,,{printed},,,A"
        )]));
        let epoch = epochs.silence().unwrap();
        assert_eq!(
            (epoch.date, epoch.is_date_corrected),
            (expected, is_corrected),
            "{printed}"
        );
    }
}

#[test]
fn a_pause_inside_a_burst_refines_the_same_epoch() {
    let mut epochs = Epochs::new(no_floor());
    epochs.feed(&stream(&[
        "GPGGA,120000.00,4510.8,N,00544.2,E,1,05,2.8,229.5,M,49.0,M,,",
    ]));
    let first = epochs.silence().unwrap();
    assert_eq!(
        (first.unix_ms(), first.speed_mps, first.refines_previous),
        (None, None, false)
    );
    assert_eq!(epochs.silence(), None, "nothing new");
    epochs.feed(&stream(&[
        "GPRMC,120000.00,A,4510.8,N,00544.2,E,10.0,90.0,241126,,,A",
    ]));
    let second = epochs.silence().unwrap();
    assert!(second.refines_previous && second.unix_ms().is_some());
    assert_eq!(
        (second.altitude_m, second.speed_mps),
        (Some(229.5), Some(5.144))
    );
}

#[test]
fn satellites_alone_are_no_statement_about_the_fix() {
    let mut epochs = Epochs::new(no_floor());
    epochs.feed(&stream(&["GPGSV,1,1,01,12,40,100,34,1"]));
    assert_eq!(epochs.silence(), None);
    epochs.feed(&stream(&[
        "GPGGA,120000.00,4510.8,N,00544.2,E,1,05,2.8,229.5,M,49.0,M,,",
    ]));
    let epoch = epochs.silence().unwrap();
    assert_eq!(
        epoch.satellites.map(|satellites| satellites.len()),
        Some(1),
        "kept for the fix that follows"
    );
}

#[test]
fn old_and_new_versions_are_read_by_field_count() {
    // Version 2.3 of the manual's examples (AT manual V3.00, 17.2), then 4.11 with mode and status.
    let old = stream(&[
        "GPGGA,051147.0,3113.320991,N,12121.248076,E,1,10,0.8,47.5,M,0,M,,",
        "GPVTG,NaN,T,,M,0.0,N,0.0,K,A",
        "GPRMC,051147.0,A,3113.320991,N,12121.248076,E,0.0,0.0,211211,,,A",
    ]);
    let epoch = epochs(&old).remove(0);
    assert_eq!(
        (epoch.n_used, epoch.altitude_m, epoch.speed_mps),
        (Some(10), Some(47.5), Some(0.0))
    );
    let new = stream(&["GNRMC,051147.00,A,3113.3209,N,12121.2480,E,1.0,,211226,,,A,V"]);
    assert_eq!(epochs(&new)[0].speed_mps, Some(0.514));
}

#[test]
fn only_whole_sentences_count() {
    for line in [
        "$GPGGA,,,,,,0,,,,,,,,*67\r\n",
        "$GPGGA,,,,,,0,,,,,,,,\r\n",
        "$GPGGA,,,,,,0,,,,,,,,*6\r\n",
        "$GPGGA,,,,,,0,,,,,,,,*+6\r\n",
        "GPGGA,,,,,,0,,,,,,,,*66\r\n",
        "$*00\r\n",
    ] {
        let mut framer = Framer::default();
        framer.feed(line.as_bytes());
        assert_eq!(framer.next(), None, "{line}");
    }
    let mut framer = Framer::default();
    framer.feed(
        &[
            &b"$"[..],
            &[b'x'; 10_000],
            b"\r\n$GPGGA,,,,,,0,,,,,,,,*66\r\n",
        ]
        .concat(),
    );
    assert_eq!(
        framer
            .next()
            .map(|sentence| sentence.address().to_owned())
            .as_deref(),
        Some("GPGGA")
    );
    assert_eq!(framer.counters().n_overflows, 1);
}
