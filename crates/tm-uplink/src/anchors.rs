//! Better times for what was stamped by an untrusted clock: held back a while, corrected when sent.
//!
//! The journal keeps every stamp as it came; only what goes to the cloud is corrected.

use tm_types::{Anchor, BootId, Clock, Stamp};

/// How long after a boot data waits for an anchor (design §4: at most 15 min).
///
/// Counted from the boot: a machine that has found no better clock by then will not find one for each new record.
const HOLD_MS: u64 = 15 * 60 * 1000;
/// What the monotonic clock may drift: 100 ppm, twice the tolerance of the crystal of a Raspberry Pi 4.
const DRIFT_MS_PER_MS: u64 = 10_000;

/// What is known about wall time in terms of monotonic time, for the boots seen since start.
#[derive(Clone, Debug, Default)]
pub(crate) struct Anchors {
    known: Vec<Anchor>,
}

/// Boots whose anchors are remembered: this one, and some before.
const BOOTS_MAX: usize = 8;

impl Anchors {
    /// Takes in an anchor; whether it is the first of its boot.
    ///
    /// Of one boot the surest is kept, and of two alike the later.
    pub(crate) fn note(&mut self, anchor: Anchor) -> bool {
        if !anchor.source.is_trusted() {
            return false;
        }
        if let Some(known) = self
            .known
            .iter_mut()
            .find(|known| known.boot == anchor.boot)
        {
            if anchor.err_ms <= known.err_ms {
                *known = anchor;
            }
            return false;
        }
        if self.known.len() == BOOTS_MAX {
            self.known.remove(0);
        }
        self.known.push(anchor);
        true
    }

    /// The stamp as it is to be sent.
    pub(crate) fn corrected(&self, stamp: Stamp) -> Stamp {
        if !is_poor(stamp.clock) {
            return stamp;
        }
        let Some(anchor) = self.of(stamp.boot) else {
            return stamp;
        };
        let passed = stamp.mono_ms.wrapping_sub(anchor.mono_ms).cast_signed();
        let drift = u32::try_from(passed.unsigned_abs() / DRIFT_MS_PER_MS).unwrap_or(u32::MAX);
        Stamp {
            time: anchor.utc.plus_ms(passed),
            clock: Clock::Estimated,
            err_ms: Some(anchor.err_ms.saturating_add(drift)),
            ..stamp
        }
    }

    /// Until which monotonic time of this boot the stamp should wait for an anchor; `None` when it need not.
    pub(crate) fn hold(&self, stamp: &Stamp, now: &Stamp) -> Option<u64> {
        let may_improve =
            is_poor(stamp.clock) && stamp.boot == now.boot && self.of(stamp.boot).is_none();
        (may_improve && now.mono_ms < HOLD_MS).then_some(HOLD_MS)
    }

    fn of(&self, boot: BootId) -> Option<&Anchor> {
        self.known.iter().find(|known| known.boot == boot)
    }
}

fn is_poor(clock: Clock) -> bool {
    matches!(clock, Clock::Restored | Clock::None)
}

#[cfg(test)]
mod tests {
    use tm_types::Timestamp;

    use super::*;

    const BOOT: BootId = BootId(7);

    fn stamp(mono_ms: u64, clock: Clock) -> Stamp {
        Stamp {
            time: Timestamp::of_unix_ms(1_000),
            mono_ms,
            boot: BOOT,
            clock,
            err_ms: None,
        }
    }

    fn anchor(mono_ms: u64, utc_ms: i64, err_ms: u32) -> Anchor {
        Anchor {
            boot: BOOT,
            mono_ms,
            utc: Timestamp::of_unix_ms(utc_ms),
            source: Clock::Gnss,
            err_ms,
        }
    }

    #[test]
    fn a_poor_stamp_is_reckoned_from_the_anchor_of_its_boot() {
        let mut anchors = Anchors::default();
        assert!(anchors.note(anchor(50_000, 1_790_000_000_000, 20)));
        let corrected = anchors.corrected(stamp(20_000, Clock::None));
        assert_eq!(corrected.time.unix_ms(), 1_789_999_970_000);
        assert_eq!(
            (corrected.clock, corrected.err_ms),
            (Clock::Estimated, Some(23))
        );
        assert_eq!(corrected.mono_ms, 20_000);
        for clock in [Clock::Ntp, Clock::Rtc, Clock::Estimated] {
            assert_eq!(
                anchors.corrected(stamp(20_000, clock)),
                stamp(20_000, clock)
            );
        }
        let other = Stamp {
            boot: BootId(8),
            ..stamp(20_000, Clock::None)
        };
        assert_eq!(anchors.corrected(other), other);
    }

    #[test]
    fn the_surest_anchor_stays() {
        let mut anchors = Anchors::default();
        assert!(anchors.note(anchor(0, 1_000_000, 20)));
        assert!(!anchors.note(anchor(0, 2_000_000, 500)));
        assert_eq!(
            anchors.corrected(stamp(0, Clock::None)).time.unix_ms(),
            1_000_000
        );
        assert!(!anchors.note(anchor(0, 3_000_000, 20)));
        assert_eq!(
            anchors.corrected(stamp(0, Clock::None)).time.unix_ms(),
            3_000_000
        );
        let guess = Anchor {
            boot: BootId(9),
            source: Clock::Restored,
            ..anchor(0, 0, 0)
        };
        assert!(!anchors.note(guess));
    }

    #[test]
    fn poor_stamps_of_this_boot_wait_for_an_anchor_until_fifteen_minutes_after_it() {
        let mut anchors = Anchors::default();
        let now = stamp(100_000, Clock::None);
        let cases = [
            (stamp(60_000, Clock::None), Some(900_000)),
            (stamp(60_000, Clock::Restored), Some(900_000)),
            (stamp(60_000, Clock::Ntp), None),
            (stamp(60_000, Clock::Estimated), None),
            (
                Stamp {
                    boot: BootId(1),
                    ..stamp(60_000, Clock::None)
                },
                None,
            ),
        ];
        for (stamp, expected) in cases {
            assert_eq!(anchors.hold(&stamp, &now), expected, "{stamp:?}");
        }
        let late = Stamp {
            mono_ms: 900_000,
            ..now
        };
        assert_eq!(anchors.hold(&stamp(60_000, Clock::None), &late), None);
        anchors.note(anchor(0, 0, 20));
        assert_eq!(anchors.hold(&stamp(60_000, Clock::None), &now), None);
    }
}
