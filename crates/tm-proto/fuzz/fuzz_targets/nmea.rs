//! Sentences of a receiver: any bytes, in any portions, with pauses between; and any bodies, with right checksums.
//!
//! The first byte chooses between the two, the second the size of the portions; a byte 0x1D is a pause.
//! Held: nothing panics, portions make no difference, what is kept is bounded, and no epoch says more than its mode.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tm_proto::{
    calendar::Date,
    nmea0183::{Counters, Epoch, Epochs, FixMode, checksum},
};

/// What comes out when the bytes between two pauses arrive in portions of `size`.
fn play(size: usize, bytes: &[u8]) -> (Vec<Epoch>, Counters) {
    let mut epochs = Epochs::new(Date::new(2026, 11, 1).unwrap());
    let mut seen = Vec::new();
    for part in bytes.split(|byte| *byte == 0x1d) {
        for portion in part.chunks(size) {
            seen.extend(epochs.feed(portion));
        }
        seen.extend(epochs.silence());
    }
    seen.extend(epochs.finish());
    (seen, epochs.counters())
}

/// Each line as the body of a sentence.
fn sentences(bytes: &[u8]) -> Vec<u8> {
    let mut stream = Vec::new();
    for body in bytes.split(|byte| *byte == b'\n') {
        if body == [0x1d] {
            stream.push(0x1d);
        } else {
            stream.extend(
                [
                    b"$",
                    body,
                    format!("*{:02X}\r\n", checksum(body)).as_bytes(),
                ]
                .concat(),
            );
        }
    }
    stream
}

fuzz_target!(|data: &[u8]| {
    let [choice, size, bytes @ ..] = data else {
        return;
    };
    let bytes = if choice & 1 == 0 {
        bytes.to_vec()
    } else {
        sentences(bytes)
    };
    let (seen, counters) = play(1, &bytes);
    assert_eq!(
        play(usize::from(*size) + 1, &bytes),
        (seen.clone(), counters)
    );
    assert_eq!(counters.n_dropped, 0);
    for epoch in seen {
        if let Some(position) = epoch.position {
            assert!(epoch.mode > FixMode::None);
            assert!((-90.0..=90.0).contains(&position.latitude_deg()));
            assert!((-180.0..=180.0).contains(&position.longitude_deg()));
        }
        assert!(epoch.altitude_m.is_none() || epoch.mode == FixMode::ThreeD);
        assert!(epoch.speed_mps.is_none_or(|speed| speed >= 0.0));
        assert!(
            epoch
                .course_deg
                .is_none_or(|course| (0.0..=360.0).contains(&course))
        );
        assert!(
            epoch
                .satellites
                .is_none_or(|satellites| satellites.len() <= 256)
        );
        assert!(
            epoch
                .date
                .is_none_or(|date| date >= Date::new(2026, 11, 1).unwrap())
        );
    }
});
