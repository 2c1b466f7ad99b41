//! The time the satellites tell: believed when it agrees with itself, and not at once after a jump.

use tm_types::{Anchor, Clock, FixMode, Stamp, Timestamp};

/// Consecutive three-dimensional fixes before a receiver's time is trusted (gpsd, timebase.c).
const N_FIXES: u32 = 3;
/// How much the time between two fixes may differ between the receiver and this machine: sentences arrive with
/// 50 to 300 ms delay, the relay adds up to 100 ms.
const AGREEMENT_MS: i64 = 500;
/// What `utc` is behind when the first sentence of an epoch arrives: the middle of 50 to 400 ms.
const LATENCY_MS: i64 = 200;
/// How far the anchor may be off.
const ERROR_MS: u32 = 200;
/// How long an anchor serves: a Pi's quartz is 0.2 s off by then (50 ppm).
const ANCHOR_AGE_MS: u64 = 3_600_000;
/// After a time that disagrees with what was told before: the almanac with the leap seconds may have come
/// (within 12.5 min; gpsd, timebase.c: "not trust time for 20 minutes"), or somebody is spoofing.
const TRUST_AGAIN_MS: u64 = 1_200_000;
/// Later than twenty years after the floor is no time.
const SPAN_MS: i64 = 20 * 365 * 86_400_000;

/// Watches the receiver's time.
#[derive(Debug, Default)]
pub(crate) struct SatelliteTime {
    /// Of the last fix: offset of UTC to the monotonic clock.
    last: Option<i64>,
    n_agreeing: u32,
    agreeing_since_ms: u64,
    published: Option<(u64, i64)>,
}

impl SatelliteTime {
    /// An epoch that arrived at `stamp`; the anchor to publish, if it is time for one.
    ///
    /// `utc_ms` is the receiver's time, `floor_ms` a moment that is certainly over.
    pub(crate) fn on_epoch(
        &mut self,
        stamp: &Stamp,
        mode: FixMode,
        utc_ms: Option<i64>,
        floor_ms: i64,
    ) -> Option<Anchor> {
        let is_plausible = |utc: &i64| (floor_ms..floor_ms.saturating_add(SPAN_MS)).contains(utc);
        let utc_ms = utc_ms.filter(|utc| mode == FixMode::ThreeD && is_plausible(utc));
        let (Some(utc_ms), Ok(mono_ms)) = (utc_ms, i64::try_from(stamp.mono_ms)) else {
            *self = Self {
                published: self.published,
                ..Self::default()
            };
            return None;
        };
        let utc_ms = utc_ms + LATENCY_MS;
        let offset = utc_ms - mono_ms;
        if self
            .last
            .is_some_and(|last| (offset - last).abs() <= AGREEMENT_MS)
        {
            self.n_agreeing = self.n_agreeing.saturating_add(1);
        } else {
            (self.n_agreeing, self.agreeing_since_ms) = (1, stamp.mono_ms);
        }
        self.last = Some(offset);
        let steady_ms = stamp.mono_ms.saturating_sub(self.agreeing_since_ms);
        let is_due = self.published.is_none_or(|(at, published)| {
            if (offset - published).abs() <= 2 * AGREEMENT_MS {
                stamp.mono_ms.saturating_sub(at) >= ANCHOR_AGE_MS
            } else {
                steady_ms >= TRUST_AGAIN_MS
            }
        });
        if self.n_agreeing < N_FIXES || !is_due {
            return None;
        }
        self.published = Some((stamp.mono_ms, offset));
        Some(Anchor {
            boot: stamp.boot,
            mono_ms: stamp.mono_ms,
            utc: Timestamp::of_unix_ms(utc_ms),
            source: Clock::Gnss,
            err_ms: ERROR_MS,
        })
    }

    /// The true time at `stamp` by the last fix, while it agrees with itself and with the anchor that was told last.
    pub(crate) fn utc(&self, stamp: &Stamp) -> Option<Timestamp> {
        let (offset, (_, published)) = self.last.zip(self.published)?;
        let is_trusted =
            self.n_agreeing >= N_FIXES && (offset - published).abs() <= 2 * AGREEMENT_MS;
        let mono_ms = i64::try_from(stamp.mono_ms).ok().filter(|_| is_trusted)?;
        Some(Timestamp::of_unix_ms(mono_ms + offset))
    }
}

#[cfg(test)]
mod tests {
    use tm_types::BootId;

    use super::*;

    /// 2026-11-01T00:00:00Z and 2026-11-23T08:00:00Z.
    const FLOOR: i64 = 1_793_491_200_000;
    const NOW: i64 = 1_795_420_800_000;

    /// Feeds epochs `(second, what UTC is off by, mode)`; the seconds at which an anchor came.
    fn check(epochs: impl IntoIterator<Item = (i64, i64, FixMode)>, expected: &[i64]) {
        let mut time = SatelliteTime::default();
        let mut anchors = Vec::new();
        for (second, off_ms, mode) in epochs {
            // Arrivals jitter by up to 300 ms.
            let mono_ms = u64::try_from(second * 1000 + 100 * (second % 4)).unwrap();
            let stamp = Stamp {
                time: Timestamp::EPOCH,
                mono_ms,
                boot: BootId(1),
                clock: Clock::None,
                err_ms: None,
            };
            let utc = NOW + second * 1000 + off_ms;
            if let Some(anchor) = time.on_epoch(&stamp, mode, Some(utc), FLOOR) {
                assert_eq!(anchor.utc.unix_ms(), utc + 200);
                anchors.push(second);
            }
        }
        assert_eq!(anchors, expected);
    }

    #[test]
    fn three_fixes_in_a_row_then_once_an_hour() {
        check((0..3700).map(|s| (s, 0, FixMode::ThreeD)), &[2, 3602]);
    }

    #[test]
    fn two_dimensions_or_a_gap_prove_nothing() {
        check((0..100).map(|s| (s, 0, FixMode::TwoD)), &[]);
        let gaps = (0..100).map(|s| {
            (
                s,
                0,
                if s % 3 == 2 {
                    FixMode::None
                } else {
                    FixMode::ThreeD
                },
            )
        });
        check(gaps, &[]);
    }

    #[test]
    fn a_clock_that_runs_wrong_is_never_believed() {
        check((0..100).map(|s| (s, s * 2000, FixMode::ThreeD)), &[]);
        check((0..100).map(|s| (s, -s * 1000, FixMode::ThreeD)), &[]);
        check(
            (0..100).map(|s| (s, -365 * 86_400_000, FixMode::ThreeD)),
            &[],
        );
        check(
            (0..100).map(|s| (s, 30 * 365 * 86_400_000, FixMode::ThreeD)),
            &[],
        );
    }

    #[test]
    fn a_jump_is_believed_after_twenty_minutes() {
        let jump = (0..1400).map(|s| (s, if s < 100 { 0 } else { 3_600_000 }, FixMode::ThreeD));
        check(jump, &[2, 1300]);
        let there_and_back =
            (0..1000).map(|s| (s, if s % 200 < 100 { 0 } else { 60_000 }, FixMode::ThreeD));
        check(there_and_back, &[2]);
    }

    #[test]
    fn between_anchors_the_time_is_told_while_it_is_trusted() {
        let mut time = SatelliteTime::default();
        let mut told = Vec::new();
        for second in 0..10_u64 {
            let stamp = Stamp {
                time: Timestamp::EPOCH,
                mono_ms: second * 1000,
                boot: BootId(1),
                clock: Clock::None,
                err_ms: None,
            };
            let jump = if second >= 6 { 60_000 } else { 0 };
            let utc = NOW + i64::try_from(stamp.mono_ms).unwrap() + jump;
            time.on_epoch(&stamp, FixMode::ThreeD, Some(utc), FLOOR);
            told.extend(time.utc(&stamp).map(|utc| (second, utc.unix_ms() - NOW)));
        }
        // Not before three fixes agree, and not after a jump.
        assert_eq!(told, [(2, 2200), (3, 3200), (4, 4200), (5, 5200)]);
    }

    #[test]
    fn no_time_no_anchor() {
        let stamp = Stamp {
            time: Timestamp::EPOCH,
            mono_ms: 1,
            boot: BootId(1),
            clock: Clock::None,
            err_ms: None,
        };
        assert!(
            SatelliteTime::default()
                .on_epoch(&stamp, FixMode::ThreeD, None, FLOOR)
                .is_none()
        );
    }
}
