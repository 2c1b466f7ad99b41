//! Positions from the AT port and from the NMEA port.

use tm_proto::{
    calendar::Date,
    nmea0183::{Epoch, Epochs, FixMode, Position},
    sim7600::{self, GnssPosition},
};

use crate::player::{replies, transcript};

/// Latitude and longitude in 1e-7 degrees, seconds since 1970, metres.
fn key(position: GnssPosition) -> (i32, i32, Option<i64>, Option<f64>) {
    let Position {
        latitude_e7,
        longitude_e7,
    } = position.position;
    let unix_s = position.unix_ms.map(|ms| ms / 1000);
    (latitude_e7, longitude_e7, unix_s, position.altitude_m)
}

#[test]
fn positions_of_the_at_port() {
    let replies = replies(transcript!("positions"));
    let read: Vec<_> = replies
        .iter()
        .map(|reply| sim7600::gnss_position(&reply.lines).map(|fix| fix.map(key)))
        .collect();
    let fix = |lat, lon, unix_s, altitude| Some(Some((lat, lon, Some(unix_s), Some(altitude))));
    assert_eq!(
        read,
        [
            fix(606_912_578, 287_697_632, 1_644_320_851, 85.9),
            fix(464_970_489, 113_366_666, 1_696_535_187, 323.3),
            fix(302_097_814, -977_646_948, 1_617_921_411, 196.1),
            fix(515_086_209, -315_473, 1_638_931_779, 20.7),
            // Another family's form.
            None,
            None,
            fix(210_244_002, 1_058_426_917, 1_682_405_841, 23.1),
            fix(210_243_998, 1_058_426_918, 1_682_405_846, 23.1),
            Some(None),
        ]
    );
    let first = sim7600::gnss_position(&replies[0].lines).unwrap().unwrap();
    assert_eq!(
        (first.speed_mps, first.course_deg, first.hdop),
        (Some(0.0), None, Some(1.3))
    );
}

#[test]
fn a_damaged_position_is_none() {
    let replies = replies(transcript!("position_damaged"));
    let whole = sim7600::gnss_position(&replies[0].lines).unwrap().unwrap();
    assert_eq!(
        key(whole),
        (489_107_071, 28_382_226, Some(1_698_153_439), Some(17.6))
    );
    assert_eq!(sim7600::gnss_position(&replies[1].lines), None);
    assert_eq!(sim7600::gnss_position(&replies[2].lines), Some(None));
    let identity = sim7600::identity(&replies[3].lines).unwrap();
    assert_eq!(identity.model.as_deref(), Some("SIMCOM_SIM7600E-L1C"));
    assert_eq!(sim7600::gnss_position(&replies[5].lines), Some(None));
}

/// The epochs of a file of sentences: whole, byte by byte, and with noise between.
fn epochs(transcript: &str) -> Vec<Epoch> {
    let run = |portion: usize, noise: &[u8]| {
        let mut epochs = Epochs::new(Date::new(2010, 1, 1).unwrap());
        let mut bytes = Vec::new();
        for line in transcript.lines().skip(1) {
            bytes.extend(noise);
            bytes.extend(line.as_bytes());
            bytes.extend(b"\r\n");
        }
        bytes.extend(noise);
        let mut seen: Vec<Epoch> = bytes
            .chunks(portion)
            .flat_map(|part| epochs.feed(part))
            .collect();
        seen.extend(epochs.silence());
        seen
    };
    let expected = run(usize::MAX, b"");
    for (portion, noise) in [
        (1, &b""[..]),
        (7, b"\r\n"),
        (1, b"\x00\xff$GPGGA,\r\n"),
        (64, b"AT\r\n"),
    ] {
        assert_eq!(run(portion, noise), expected);
    }
    expected
}

#[test]
fn sentences_of_a_4g_hat() {
    let epochs = epochs(transcript!("nmea_hat"));
    let [none, flat] = epochs.as_slice() else {
        panic!("{epochs:#?}")
    };
    assert_eq!(
        (none.mode, none.position, none.date),
        (FixMode::None, None, None)
    );
    // GSA says 2D; with an altitude it is held to be 3D, as gpsd does.
    assert_eq!(flat.mode, FixMode::ThreeD);
    let position = flat.position.unwrap();
    // 45°10.878819' N, 5°44.224017' E.
    assert_eq!(
        (position.latitude_e7, position.longitude_e7),
        (451_813_137, 57_370_670)
    );
    assert_eq!(flat.altitude_m, Some(229.5));
    assert_eq!(flat.date, Date::new(2023, 3, 21));
}

#[test]
fn sentences_of_the_manual() {
    let epochs = epochs(transcript!("nmea_manual"));
    let [epoch] = epochs.as_slice() else {
        panic!("{epochs:#?}")
    };
    let position = epoch.position.unwrap();
    assert_eq!(
        (position.latitude_e7, position.longitude_e7),
        (312_220_165, 1_213_541_346)
    );
    assert_eq!(
        (epoch.altitude_m, epoch.course_deg),
        (Some(47.5), Some(0.0))
    );
    assert_eq!(epoch.date, Date::new(2011, 12, 21));
}
