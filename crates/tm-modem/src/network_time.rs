//! The time the mobile network tells: believed when it is plausible and agrees with itself.

use tm_types::{Anchor, Clock, Stamp, Timestamp};

const FLOOR_MS: i64 = Timestamp::FLOOR.unix_ms();
/// Twenty years of service; a later time is a network's mistake.
const CEILING_MS: i64 = FLOOR_MS + 20 * 365 * 86_400_000;
/// Two readings agree when both clocks passed the same time between them, to the second they are printed in
/// and a late answer.
const AGREEMENT_MS: i64 = 2_000;
/// How long an anchor serves: a Pi's quartz is 0.2 s off by then (50 ppm).
const ANCHOR_AGE_MS: u64 = 3_600_000;
/// A Pi's quartz goes wrong by one part in so many (50 ppm).
const DRIFT: u64 = 20_000;
/// How far the network's time may be off. 3GPP TS 22.042 demands a minute, networks keep a second or two; the
/// answer has whole seconds.
const ERROR_MS: u32 = 3_000;

/// Watches the modem's clock.
#[derive(Debug, Default)]
pub(crate) struct NetworkTime {
    last: Option<i64>,
    published: Option<(u64, i64)>,
}

impl NetworkTime {
    /// A reading of the modem's clock, whole seconds UTC, at `stamp`; the anchor to publish, if it is time for one.
    pub(crate) fn on_reading(&mut self, stamp: &Stamp, unix_s: i64) -> Option<Anchor> {
        // The printed second has passed by half on average.
        let utc_ms = unix_s.checked_mul(1000)?.checked_add(500)?;
        if !(FLOOR_MS..CEILING_MS).contains(&utc_ms) {
            self.last = None;
            return None;
        }
        let offset = utc_ms - i64::try_from(stamp.mono_ms).ok()?;
        let agrees = |other: i64| (offset - other).abs() <= AGREEMENT_MS;
        let agrees_with_last = self.last.replace(offset).is_some_and(agrees);
        let is_needed = self.published.is_none_or(|(mono_ms, published)| {
            stamp.mono_ms.saturating_sub(mono_ms) >= ANCHOR_AGE_MS || !agrees(published)
        });
        if !(agrees_with_last && is_needed) {
            return None;
        }
        self.published = Some((stamp.mono_ms, offset));
        Some(Anchor {
            boot: stamp.boot,
            mono_ms: stamp.mono_ms,
            utc: Timestamp::of_unix_ms(utc_ms),
            source: Clock::Network,
            err_ms: ERROR_MS,
        })
    }

    /// The stamp with the network's time, where that was confirmed in this boot and the machine's own clock is not
    /// trusted. It also holds while the modem is gone: the monotonic clock goes on.
    pub(crate) fn improve(&self, stamp: Stamp) -> Stamp {
        let Some((confirmed_ms, offset)) = self.published.filter(|_| !stamp.clock.is_trusted())
        else {
            return stamp;
        };
        let Ok(mono_ms) = i64::try_from(stamp.mono_ms) else {
            return stamp;
        };
        let drift_ms = stamp.mono_ms.saturating_sub(confirmed_ms) / DRIFT;
        let drift_ms = u32::try_from(drift_ms).unwrap_or(u32::MAX);
        Stamp {
            time: Timestamp::of_unix_ms(mono_ms.saturating_add(offset)),
            clock: Clock::Network,
            err_ms: Some(ERROR_MS.saturating_add(drift_ms)),
            ..stamp
        }
    }

    /// The modem is gone or was restarted: its clock has to prove itself again.
    pub(crate) fn forget(&mut self) {
        self.last = None;
    }
}

#[cfg(test)]
mod tests {
    use tm_types::BootId;

    use super::*;

    /// 2026-11-23T08:00:00Z.
    const NOW_S: i64 = 1_795_420_800;

    fn stamp(mono_s: u64) -> Stamp {
        Stamp {
            // The machine's own clock may be anywhere.
            time: Timestamp::EPOCH,
            mono_ms: mono_s * 1000,
            boot: BootId(1),
            clock: Clock::None,
            err_ms: None,
        }
    }

    #[test]
    fn two_readings_that_agree_make_an_anchor_once_an_hour() {
        let mut time = NetworkTime::default();
        let mut anchors = Vec::new();
        for minute in 0..130 {
            anchors.extend(time.on_reading(
                &stamp(100 + minute * 60),
                NOW_S + 60 * i64::try_from(minute).unwrap(),
            ));
        }
        let at: Vec<u64> = anchors.iter().map(|anchor| anchor.mono_ms / 1000).collect();
        assert_eq!(at, [160, 160 + 3600, 160 + 7200]);
        assert_eq!(anchors[0].utc.to_string(), "2026-11-23T08:01:00.500Z");
        assert_eq!(
            (anchors[0].source, anchors[0].err_ms),
            (Clock::Network, 3_000)
        );
    }

    #[test]
    fn a_step_of_the_network_needs_two_readings_again() {
        let mut time = NetworkTime::default();
        assert!(time.on_reading(&stamp(0), NOW_S).is_none());
        assert!(time.on_reading(&stamp(60), NOW_S + 60).is_some());
        assert!(time.on_reading(&stamp(120), NOW_S + 7320).is_none());
        assert!(
            time.on_reading(&stamp(180), NOW_S + 180).is_none(),
            "back again: an outlier"
        );
        assert!(time.on_reading(&stamp(240), NOW_S + 240).is_none());
        assert!(time.on_reading(&stamp(300), NOW_S + 7500).is_none());
        assert!(time.on_reading(&stamp(360), NOW_S + 7560).is_some());
    }

    #[test]
    fn times_that_cannot_be_are_no_times() {
        for wrong in [
            0,
            315_964_800,
            NOW_S - 365 * 86_400,
            NOW_S + 30 * 365 * 86_400,
            i64::MAX,
            i64::MIN,
        ] {
            let mut time = NetworkTime::default();
            for second in 0..3 {
                assert_eq!(
                    time.on_reading(&stamp(second), wrong.saturating_add(1)),
                    None,
                    "{wrong}"
                );
            }
        }
    }
}
