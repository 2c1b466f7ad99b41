//! What the satellite receiver's sentences say of its antenna.
//!
//! A receiver without a working antenna goes on talking and hears nothing; one without a view of the sky hears a
//! little and finds no position. Only the first is the antenna's fault, and only after the time of a cold start.

use std::time::Duration;

use tm_proto::nmea0183::{Constellation, Framer, Message, Sentence};
use tm_types::{Cause, code};
use tokio::time::Instant;

/// A cold start finds its first satellites within a minute; the almanac takes 12.5 minutes (IS-GPS-200, 20.3.2).
const PATIENCE: Duration = Duration::from_mins(15);
/// The engine speaks once a second; without a word for this long nothing is known of its antenna.
const SILENCE: Duration = Duration::from_mins(1);
/// What was heard holds for this long: a satellite fades for seconds, a group of sentences may be cut.
const HELD: Duration = Duration::from_secs(10);

/// How a receiver hears the satellites.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Reception {
    /// It is off, or says nothing.
    Unknown,
    /// It has heard nothing yet, and it is too early to wonder.
    Starting,
    /// It knows where it is.
    Fix,
    /// It hears satellites, but too few or too weak for a position: no view of the sky.
    Weak,
    /// It has heard no satellite at all for this long, at least fifteen minutes.
    Deaf(Duration),
}

/// Watches the antenna.
#[derive(Debug, Default)]
pub(crate) struct Antenna {
    framer: Framer,
    is_on: bool,
    /// The last whole sentence.
    spoken: Option<Instant>,
    /// The last satellite with a signal.
    heard: Option<Instant>,
    /// The last position.
    fixed: Option<Instant>,
    /// Since when it speaks and hears nothing.
    deaf_since: Option<Instant>,
}

impl Antenna {
    /// Whether the engine is on; nothing where it does not tell, which is taken for on while it speaks.
    pub(crate) fn on_engine(&mut self, is_on: Option<bool>) {
        let is_on = is_on.unwrap_or(true);
        if !is_on || !self.is_on {
            *self = Self {
                is_on,
                ..Self::default()
            };
        }
    }

    /// Takes in what the engine said.
    pub(crate) fn on_sentences(&mut self, bytes: &[u8], now: Instant) {
        self.framer.feed(bytes);
        while let Some(sentence) = self.framer.next() {
            self.on_sentence(&sentence, now);
        }
    }

    fn on_sentence(&mut self, sentence: &Sentence, now: Instant) {
        if self.spoken.is_none_or(|spoken| now >= spoken + SILENCE) {
            self.deaf_since = None;
        }
        self.spoken = Some(now);
        // The rest is not worth reading here.
        let is_told = sentence
            .address()
            .get(2..)
            .is_some_and(|kind| matches!(kind, "GSV" | "GGA" | "GNS" | "RMC"));
        let message = is_told.then(|| Message::parse(sentence)).flatten();
        let (is_heard, is_fix) = match message {
            Some(Message::Gsv(gsv)) => (gsv.satellites.iter().any(is_heard), false),
            // Quality 6 is dead reckoning, 7 and 8 are no reception at all.
            Some(Message::Gga(gga)) => {
                let is_fix = matches!(gga.quality, Some(1..=5)) && gga.position.is_some();
                (is_fix, is_fix)
            }
            Some(Message::Gns(gns)) => {
                let is_fix = gns.has_fix == Some(true) && gns.position.is_some();
                (is_fix, is_fix)
            }
            Some(Message::Rmc(rmc)) => {
                let is_fix = rmc.is_valid == Some(true) && rmc.position.is_some();
                (is_fix, is_fix)
            }
            _ => (false, false),
        };
        if is_fix {
            self.fixed = Some(now);
        }
        if is_heard {
            self.heard = Some(now);
            self.deaf_since = None;
        } else {
            self.deaf_since.get_or_insert(now);
        }
    }

    /// How it hears now.
    pub(crate) fn reception(&self, now: Instant) -> Reception {
        let is_within = |time: Option<Instant>, span| time.is_some_and(|time| now < time + span);
        if !self.is_on || !is_within(self.spoken, SILENCE) {
            return Reception::Unknown;
        }
        if is_within(self.fixed, HELD) {
            return Reception::Fix;
        }
        let deaf = self.deaf_since.map_or(Duration::ZERO, |since| now - since);
        if deaf >= PATIENCE {
            Reception::Deaf(deaf)
        } else if self.heard.is_some() {
            Reception::Weak
        } else {
            Reception::Starting
        }
    }

    /// `gnss.antenna_suspect` while no satellite is heard. Its minutes go in doubling steps, so that the state does not
    /// change every minute.
    pub(crate) fn cause(&self, now: Instant) -> Option<Cause> {
        let Reception::Deaf(time) = self.reception(now) else {
            return None;
        };
        let quarters = (time.as_secs() / PATIENCE.as_secs()).max(1);
        let minutes = 15 << quarters.ilog2();
        Some(code::GNSS_ANTENNA_SUSPECT.with("minutes", minutes))
    }
}

/// Satellites of augmentation systems without a direction appear with a dead antenna on this chip (MDM9207); so an
/// augmentation satellite counts only where its direction is known.
fn is_heard(satellite: &tm_proto::nmea0183::Satellite) -> bool {
    let has_signal = satellite.cn0_dbhz.is_some_and(|cn0| cn0 > 0);
    let has_direction = satellite.elevation_deg.is_some() && satellite.azimuth_deg.is_some();
    has_signal && (satellite.constellation != Constellation::Sbas || has_direction)
}

#[cfg(test)]
mod tests {
    use tm_proto::nmea0183::checksum;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const MINUTE: Duration = Duration::from_mins(1);
    const NO_FIX: &[&str] = &[
        "GPGGA,,,,,,0,,,,,,,,",
        "GPRMC,,V,,,,,,,,,,N",
        "GPGSA,A,1,,,,,,,,,,,,,,,,",
    ];
    /// In view by the almanac, none heard.
    const SILENT: &str = "GPGSV,1,1,02,14,49,042,,19,34,153,,1";
    const PHANTOM: &str = "GPGSV,1,1,02,33,,,34,40,,,34,1";
    const HEARD: &str = "GPGSV,1,1,01,14,49,042,22,1";
    const FIX: &str = "GPGGA,191506.99,3645.820000,N,03124.650000,E,1,05,1.2,50.0,M,30.0,M,,";

    /// Speaks once a second.
    struct Bench {
        antenna: Antenna,
        now: Instant,
    }

    impl Bench {
        fn new() -> Self {
            let mut antenna = Antenna::default();
            antenna.on_engine(Some(true));
            Self {
                antenna,
                now: Instant::now(),
            }
        }

        fn say(&mut self, time: Duration, bodies: &[&str]) -> Reception {
            let mut lines = String::new();
            for body in bodies {
                let sum = checksum(body.as_bytes());
                lines.extend(["$", body, &format!("*{sum:02X}\r\n")]);
            }
            for _ in 0..time.as_secs() {
                self.now += SECOND;
                self.antenna.on_sentences(lines.as_bytes(), self.now);
            }
            self.antenna.reception(self.now)
        }

        fn minutes(&self) -> Option<String> {
            let cause = self.antenna.cause(self.now)?;
            assert!(cause.is(code::GNSS_ANTENNA_SUSPECT));
            Some(cause.args["minutes"].clone())
        }
    }

    #[test]
    fn an_engine_that_hears_nothing_for_fifteen_minutes_is_deaf() {
        for bodies in [
            NO_FIX,
            &[SILENT, NO_FIX[0]],
            &[PHANTOM, NO_FIX[0], "GPGSV,1,1,00"],
            &["GPGSV,1,1,01,14,49,042,00,1"],
        ] {
            let mut bench = Bench::new();
            assert_eq!(bench.say(15 * MINUTE, bodies), Reception::Starting);
            assert_eq!(bench.minutes(), None);
            assert!(
                matches!(bench.say(SECOND, bodies), Reception::Deaf(_)),
                "{bodies:?}"
            );
            assert_eq!(bench.minutes().as_deref(), Some("15"));
            bench.say(14 * MINUTE, bodies);
            assert_eq!(bench.minutes().as_deref(), Some("15"));
            bench.say(MINUTE, bodies);
            assert_eq!(bench.minutes().as_deref(), Some("30"));
            bench.say(91 * MINUTE, bodies);
            assert_eq!(bench.minutes().as_deref(), Some("120"));
            // One satellite is enough, at once.
            assert_eq!(bench.say(SECOND, &[HEARD]), Reception::Weak);
            assert_eq!(bench.minutes(), None);
        }
    }

    #[test]
    fn few_satellites_are_the_sky_and_not_the_antenna() {
        let mut bench = Bench::new();
        let reception = bench.say(120 * MINUTE, &[HEARD, NO_FIX[0]]);
        assert_eq!((reception, bench.minutes()), (Reception::Weak, None));
        assert_eq!(bench.say(SECOND, &[FIX]), Reception::Fix);
        assert_eq!(bench.say(5 * SECOND, &[SILENT, NO_FIX[0]]), Reception::Fix);
        assert_eq!(
            bench.say(10 * SECOND, &[SILENT, NO_FIX[0]]),
            Reception::Weak
        );
        // A lost antenna is suspected as late as one that never was.
        assert_eq!(bench.say(14 * MINUTE, NO_FIX), Reception::Weak);
        assert!(matches!(bench.say(MINUTE, NO_FIX), Reception::Deaf(_)));
    }

    #[test]
    fn a_silent_engine_or_one_that_is_off_says_nothing_of_its_antenna() {
        let mut bench = Bench::new();
        bench.say(20 * MINUTE, NO_FIX);
        bench.now += MINUTE;
        assert_eq!(bench.antenna.reception(bench.now), Reception::Unknown);
        assert_eq!(bench.say(SECOND, NO_FIX), Reception::Starting, "anew");
        bench.say(20 * MINUTE, NO_FIX);
        bench.antenna.on_engine(None);
        assert!(bench.minutes().is_some());
        bench.antenna.on_engine(Some(false));
        assert_eq!(bench.say(20 * MINUTE, NO_FIX), Reception::Unknown);
        bench.antenna.on_engine(Some(true));
        assert_eq!(bench.say(15 * MINUTE, NO_FIX), Reception::Starting);
    }

    #[test]
    fn dead_reckoning_is_no_reception_and_a_wrong_checksum_no_word() {
        let mut bench = Bench::new();
        let reckoned = FIX.replace(",E,1,", ",E,6,");
        bench.say(16 * MINUTE, &[&reckoned]);
        assert!(bench.minutes().is_some());
        bench
            .antenna
            .on_sentences(b"$GPGSV,1,1,01,14,49,042,22,1*00\r\n", bench.now);
        assert!(bench.minutes().is_some());
    }

    /// gpsd's regression log of a Quectel EG25-G: the same chip as the SIM7600's.
    #[test]
    fn a_recorded_start_is_weak_then_a_fix() {
        let log = include_bytes!("../../tm-proto/tests/nmea/quectel-eg25-g.log");
        let mut bench = Bench::new();
        let mut seen = Vec::new();
        for line in log.split_inclusive(|byte| *byte == b'\n') {
            bench.now += Duration::from_millis(80);
            bench.antenna.on_sentences(line, bench.now);
            let reception = bench.antenna.reception(bench.now);
            if seen.last() != Some(&reception) {
                seen.push(reception);
            }
        }
        let expected = [
            Reception::Unknown,
            Reception::Weak,
            Reception::Fix,
            Reception::Weak,
            Reception::Fix,
        ];
        assert_eq!(seen, expected, "the fix was lost once");
    }

    #[test]
    fn garbage_is_borne() {
        let mut bench = Bench::new();
        for length in [1, 255, 4096, 100_000] {
            bench.antenna.on_sentences(&vec![b'$'; length], bench.now);
            bench.antenna.on_sentences(&vec![0xFF; length], bench.now);
        }
        assert_eq!(bench.antenna.reception(bench.now), Reception::Unknown);
    }
}
