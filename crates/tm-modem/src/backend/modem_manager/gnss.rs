//! The satellite receiver: by which way its sentences come, and the sentences that ModemManager keeps.
//!
//! `gps-unmanaged`: ModemManager only switches the engine on and leaves the NMEA port to us: every sentence, in
//! order. `gps-nmea`: it reads the port itself and keeps the newest sentence of each kind (`$GPGGA`, `$GPGSA`…);
//! of the GSV sentences of a kind a whole sequence. What it keeps is published with every sentence (refresh rate 0)
//! and is relayed here when it has rested for a moment. See `docs/modem.md` for what is lost that way.

use std::path::PathBuf;
use std::time::Duration;

use tm_types::GnssEngine;
use tokio::time::Instant;

use super::properties::{Properties, Read};
use super::watch::{GPS_NMEA, Published};

pub(super) const LOCATION: &str = "org.freedesktop.ModemManager1.Modem.Location";

/// MMModemLocationSource.
pub(super) const PLACE_3GPP: u32 = 1 << 0;
const GPS_RAW: u32 = 1 << 1;
const GPS_UNMANAGED: u32 = 1 << 4;
const GPS: u32 = GPS_RAW | GPS_NMEA | GPS_UNMANAGED;

/// A burst is over when nothing came for so long; at 1 Hz the engine writes for about 50 ms, then rests.
const REST: Duration = Duration::from_millis(150);
/// Without a fix the sentences do not change, and what does not change is not published: they are told again.
const REPEAT: Duration = Duration::from_secs(5);

/// What has to be set up so that sentences come.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Setup {
    /// `Location.Setup` with these sources and signals.
    Sources(u32, bool),
    /// `Location.SetGpsRefreshRate(0)`: publish every update.
    Refresh,
}

/// What is missing. `port` is the NMEA port that we could read ourselves.
///
/// Sources that somebody else has switched on stay on; raw or NMEA and unmanaged exclude each other, so where one
/// of those is on already it is kept to.
pub(super) fn missing(location: Option<&Properties>, port: Option<&PathBuf>) -> Vec<Setup> {
    let enabled = location.word("Enabled").unwrap_or_default();
    let offered = location.word("Capabilities").unwrap_or_default();
    if enabled & GPS_UNMANAGED != 0 {
        return Vec::new();
    }
    let is_signalled = location.flag("SignalsLocation").unwrap_or_default();
    if port.is_some() && offered & GPS_UNMANAGED != 0 && enabled & GPS == 0 {
        return vec![Setup::Sources(enabled | GPS_UNMANAGED, is_signalled)];
    }
    if offered & GPS_NMEA == 0 {
        return Vec::new();
    }
    let mut setup = Vec::new();
    if location
        .word("GpsRefreshRate")
        .is_some_and(|rate| rate != 0)
    {
        setup.push(Setup::Refresh);
    }
    if enabled & GPS_NMEA == 0 || !is_signalled {
        setup.push(Setup::Sources(enabled | GPS_NMEA, true));
    }
    setup
}

/// For the state: whether the engine is on, and where its sentences come from.
pub(super) fn describe(
    location: Option<&Properties>,
    port: Option<&PathBuf>,
) -> Option<GnssEngine> {
    let enabled = location.word("Enabled")?;
    let source = match () {
        () if enabled & GPS_UNMANAGED != 0 => {
            let node = port.map_or_else(String::new, |port| format!(" ({})", port.display()));
            Some(format!("gps-unmanaged{node}"))
        }
        () if enabled & GPS_NMEA != 0 => Some("gps-nmea".to_owned()),
        () => None,
    };
    let is_offered = location.word("Capabilities").unwrap_or_default() & GPS != 0;
    is_offered.then_some(GnssEngine {
        on: Some(enabled & GPS != 0),
        source,
        cause: None,
    })
}

/// A constellation that is not heard any more is kept for ever, too. One whose satellites are heard changes every
/// second, and even one that is only in the almanac moves by a degree in this time.
const STALE: Duration = Duration::from_mins(2);
/// Five constellations with two signals and up to four sentences each are forty.
const SKIES_MAX: usize = 64;

/// The sentences that ModemManager keeps, from one rest to the next.
#[derive(Debug, Default)]
pub(super) struct Cache {
    newest: String,
    /// What came since, not read yet.
    published: Option<Published>,
    due: Option<Instant>,
    /// The last sentence about the satellites of each talker, and since when it is the same.
    skies: Vec<(String, Instant)>,
}

impl Cache {
    /// Something was published.
    pub(super) fn on_published(&mut self, published: Published, now: Instant) {
        self.published = Some(published);
        self.due = Some(now + REST);
    }

    /// When [`due`](Self::due) is to be called.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.due
    }

    /// The burst is over, or nothing has changed for long and there is no fix: whole lines.
    pub(super) fn due(&mut self, now: Instant) -> Option<Vec<u8>> {
        self.due.take_if(|due| *due <= now)?;
        if let Some(sentences) = self.published.take().and_then(|word| word.sentences()) {
            self.newest = sentences;
        }
        let mut lines: Vec<&str> = self.newest.split(['\r', '\n']).collect();
        lines.retain(|line| line.starts_with('$'));
        forget_stale(&mut self.skies, &mut lines, now);
        if lines.is_empty() {
            return None;
        }
        // What is kept comes in no order; this is the engine's own, with satellites first.
        lines.sort_by_key(|line| order(line));
        if !lines.iter().any(|line| has_fix(line)) {
            self.due = Some(now + REPEAT);
        }
        let mut bytes = Vec::with_capacity(self.newest.len() + 2);
        for line in lines {
            bytes.extend_from_slice(line.as_bytes());
            bytes.extend_from_slice(b"\r\n");
        }
        Some(bytes)
    }
}

/// Leaves out what was said of constellations that are not heard any more.
fn forget_stale(skies: &mut Vec<(String, Instant)>, lines: &mut Vec<&str>, now: Instant) {
    let old = std::mem::take(skies);
    let told = lines.iter().filter(|line| kind(line) == "GSV");
    *skies = told
        .take(SKIES_MAX)
        .map(|line| {
            let same = old.iter().find(|(known, _)| known == line);
            ((*line).to_owned(), same.map_or(now, |(_, since)| *since))
        })
        .collect();
    // One fresh sentence of a talker speaks for all of them.
    let is_fresh = |line: &str| {
        let of_talker = skies
            .iter()
            .filter(|(known, _)| known.get(..3) == line.get(..3));
        of_talker.into_iter().any(|(_, since)| now < *since + STALE)
    };
    lines.retain(|line| kind(line) != "GSV" || is_fresh(line));
}

fn kind(line: &str) -> &str {
    let name = line.split(',').next().unwrap_or_default();
    name.get(3..).unwrap_or_default()
}

fn order(line: &str) -> usize {
    let kinds = ["GSV", "GGA", "GNS", "VTG", "RMC", "GSA"];
    kinds
        .iter()
        .position(|known| *known == kind(line))
        .unwrap_or(2)
}

/// A position that is told again later would be an old one.
fn has_fix(line: &str) -> bool {
    let mut fields = line.split(',');
    match kind(line) {
        "GGA" => !matches!(fields.nth(6), None | Some("" | "0")),
        "RMC" => fields.nth(2) == Some("A"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use zbus::zvariant::Value;

    use super::*;
    use crate::backend::modem_manager::properties::properties;

    fn location(offered: u32, enabled: u32, rate: u32, is_signalled: bool) -> Properties {
        properties([
            ("Capabilities", Value::from(offered)),
            ("Enabled", Value::from(enabled)),
            ("GpsRefreshRate", Value::from(rate)),
            ("SignalsLocation", Value::from(is_signalled)),
        ])
    }

    #[test]
    fn the_port_if_it_can_be_read_else_what_is_kept() {
        const ALL: u32 = PLACE_3GPP | GPS;
        let port = PathBuf::from("/dev/ttyUSB1");
        let check = |location: Properties, has_port: bool, expected: &[Setup]| {
            let port = has_port.then_some(&port);
            assert_eq!(missing(Some(&location), port), expected, "{location:?}");
        };
        check(location(PLACE_3GPP, PLACE_3GPP, 30, false), true, &[]);
        let unmanaged = Setup::Sources(PLACE_3GPP | GPS_UNMANAGED, false);
        check(location(ALL, PLACE_3GPP, 30, false), true, &[unmanaged]);
        check(
            location(ALL, PLACE_3GPP | GPS_UNMANAGED, 30, false),
            true,
            &[],
        );
        check(
            location(ALL, PLACE_3GPP | GPS_UNMANAGED, 30, false),
            false,
            &[],
        );
        let nmea = Setup::Sources(PLACE_3GPP | GPS_NMEA, true);
        check(
            location(ALL, PLACE_3GPP, 30, false),
            false,
            &[Setup::Refresh, nmea.clone()],
        );
        check(location(ALL, PLACE_3GPP | GPS_NMEA, 0, true), false, &[]);
        check(
            location(ALL, PLACE_3GPP | GPS_NMEA, 0, false),
            true,
            &[nmea],
        );
        // Somebody wants positions: the two live together.
        let both = Setup::Sources(PLACE_3GPP | GPS_RAW | GPS_NMEA, true);
        check(location(ALL, PLACE_3GPP | GPS_RAW, 0, true), true, &[both]);
        assert!(missing(None, Some(&port)).is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_is_one_message_and_old_positions_are_not_told_again() {
        let mut cache = Cache::default();
        let fix = "$GPRMC,1,A,*00\r\n$GPGSV,2,1,*00\r\n$GPGSV,2,2,*00\r\n$GPGGA,1,2,N,3,E,1,*00";
        cache.on_published(Published::of("$GPRMC,1,A,*00"), Instant::now());
        tokio::time::advance(Duration::from_millis(100)).await;
        cache.on_published(Published::of(fix), Instant::now());
        tokio::time::advance(Duration::from_millis(100)).await;
        assert_eq!(cache.due(Instant::now()), None, "the burst goes on");
        tokio::time::advance(Duration::from_millis(50)).await;
        assert_eq!(
            cache.due(Instant::now()).unwrap(),
            b"$GPGSV,2,1,*00\r\n$GPGSV,2,2,*00\r\n$GPGGA,1,2,N,3,E,1,*00\r\n$GPRMC,1,A,*00\r\n"
        );
        assert_eq!(cache.deadline(), None);
        let silent = Published::of("$GPGGA,,,,,,0,,*00\r\n$GPRMC,,V,*00");
        cache.on_published(silent, Instant::now());
        tokio::time::advance(REST).await;
        assert!(cache.due(Instant::now()).is_some());
        assert_eq!(cache.deadline(), Some(Instant::now() + REPEAT));
    }

    #[tokio::test(start_paused = true)]
    async fn a_constellation_that_fell_silent_is_not_told_for_ever() {
        let mut cache = Cache::default();
        let mut told = Vec::new();
        for second in 0..130 {
            let text = format!("$GLGSV,1,1,01,70,*00\r\n$GPGSV,1,1,01,01,{second},*00");
            cache.on_published(Published::of(&text), Instant::now());
            tokio::time::advance(REST).await;
            let text = String::from_utf8(cache.due(Instant::now()).unwrap()).unwrap();
            assert!(text.contains("$GPGSV"));
            told.push(text.contains("$GLGSV"));
            tokio::time::advance(Duration::from_secs(1).saturating_sub(REST)).await;
        }
        assert_eq!(told.iter().filter(|is_told| **is_told).count(), 120);
        assert!(!told[129]);
    }
}
