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
    /// In the order of their boots.
    known: Vec<Anchor>,
}

/// Boots whose anchors are remembered: this one, and some before.
const BOOTS_MAX: usize = 8;

impl Anchors {
    /// What an earlier run knew.
    pub(crate) fn of_earlier(mut known: Vec<Anchor>) -> Self {
        known.truncate(BOOTS_MAX);
        Self { known }
    }

    /// Whether there is an anchor of that boot.
    pub(crate) fn is_known(&self, boot: BootId) -> bool {
        self.of(boot).is_some()
    }

    /// What is known: one anchor of each boot.
    pub(crate) fn known(&self) -> &[Anchor] {
        &self.known
    }

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

    /// What a clock would show now that had been set when this boot's anchor was told; the clock's own, if that was set.
    pub(crate) fn as_set(&self, now: Stamp) -> Stamp {
        match self.of(now.boot) {
            Some(anchor) if is_poor(now.clock) => Stamp {
                clock: anchor.source,
                ..self.corrected(now, now.boot)
            },
            _ => now,
        }
    }

    /// The stamp as it is to be sent in this boot.
    pub(crate) fn corrected(&self, stamp: Stamp, boot: BootId) -> Stamp {
        if !is_poor(stamp.clock) {
            return stamp;
        }
        let Some(anchor) = self.of(stamp.boot) else {
            return self.bounded(stamp, boot);
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

    /// A stamp of an earlier boot that nobody has ever set the clock of.
    ///
    /// A restored clock begins with a moment that had been before that boot, so the time is no earlier than it says;
    /// and that boot was over when this one began.
    fn bounded(&self, stamp: Stamp, boot: BootId) -> Stamp {
        let present = self
            .of(boot)
            .filter(|_| stamp.boot != boot && stamp.clock == Clock::Restored);
        let Some(present) = present else {
            return stamp;
        };
        let began = present
            .utc
            .plus_ms(-i64::try_from(present.mono_ms).unwrap_or(i64::MAX));
        let Ok(after) = u32::try_from(began.ms_since(stamp.time)) else {
            // Later than this boot: it was not restored from what had been.
            return stamp;
        };
        Stamp {
            clock: Clock::Estimated,
            err_ms: Some(after.saturating_add(present.err_ms)),
            ..stamp
        }
    }

    /// Until which monotonic time of this boot the stamp should wait for an anchor; `None` when it need not.
    ///
    /// One of an earlier boot waits for this boot's anchor, which bounds it, unless there is one of its own.
    pub(crate) fn hold(&self, stamp: &Stamp, now: &Stamp) -> Option<u64> {
        let may_improve = is_poor(stamp.clock)
            && self.of(stamp.boot).is_none()
            && self.of(now.boot).is_none()
            && (stamp.boot == now.boot || stamp.clock == Clock::Restored);
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

    fn of_earlier(mono_ms: u64, clock: Clock) -> Stamp {
        Stamp {
            boot: BootId(1),
            ..stamp(mono_ms, clock)
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
        let corrected = anchors.corrected(stamp(20_000, Clock::None), BOOT);
        assert_eq!(corrected.time.unix_ms(), 1_789_999_970_000);
        assert_eq!(
            (corrected.clock, corrected.err_ms),
            (Clock::Estimated, Some(23))
        );
        assert_eq!(corrected.mono_ms, 20_000);
        for clock in [Clock::Ntp, Clock::Rtc, Clock::Estimated] {
            assert_eq!(
                anchors.corrected(stamp(20_000, clock), BOOT),
                stamp(20_000, clock)
            );
        }
        let other = Stamp {
            boot: BootId(8),
            ..stamp(20_000, Clock::None)
        };
        assert_eq!(anchors.corrected(other, BOOT), other);
    }

    #[test]
    fn a_clock_that_nobody_has_set_goes_by_the_anchor() {
        let mut anchors = Anchors::default();
        let unset = stamp(60_000, Clock::None);
        assert_eq!(anchors.as_set(unset), unset);
        assert!(anchors.note(anchor(50_000, 1_790_000_000_000, 20)));
        let now = anchors.as_set(unset);
        assert_eq!(
            (now.time.unix_ms(), now.clock),
            (1_790_000_010_000, Clock::Gnss)
        );
        let set = stamp(60_000, Clock::Ntp);
        assert_eq!(anchors.as_set(set), set);
    }

    #[test]
    fn a_boot_that_was_never_set_is_bounded_by_the_next_one() {
        let mut anchors = Anchors::default();
        let restored = of_earlier(20_000, Clock::Restored);
        assert_eq!(anchors.corrected(restored, BOOT), restored);
        // This boot began an hour after the time that the other one's clock shows.
        assert!(anchors.note(anchor(50_000, 1_000 + 3_600_000 + 50_000, 20)));
        let bounded = anchors.corrected(restored, BOOT);
        assert_eq!(bounded.time, restored.time);
        assert_eq!(
            (bounded.clock, bounded.err_ms),
            (Clock::Estimated, Some(3_600_020))
        );
        let unknown = of_earlier(20_000, Clock::None);
        assert_eq!(anchors.corrected(unknown, BOOT), unknown);
        let future = Stamp {
            time: Timestamp::of_unix_ms(4_000_000),
            ..restored
        };
        assert_eq!(anchors.corrected(future, BOOT), future);
        // Its own anchor knows better.
        assert!(anchors.note(Anchor {
            boot: BootId(1),
            ..anchor(20_000, 1_000_000, 20)
        }));
        assert_eq!(anchors.corrected(restored, BOOT).err_ms, Some(20));
        let again = Anchors::of_earlier(anchors.known().to_vec());
        assert_eq!(again.corrected(restored, BOOT).err_ms, Some(20));
    }

    #[test]
    fn the_surest_anchor_stays() {
        let mut anchors = Anchors::default();
        assert!(anchors.note(anchor(0, 1_000_000, 20)));
        assert!(!anchors.note(anchor(0, 2_000_000, 500)));
        assert_eq!(
            anchors
                .corrected(stamp(0, Clock::None), BOOT)
                .time
                .unix_ms(),
            1_000_000
        );
        assert!(!anchors.note(anchor(0, 3_000_000, 20)));
        assert_eq!(
            anchors
                .corrected(stamp(0, Clock::None), BOOT)
                .time
                .unix_ms(),
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
            (of_earlier(60_000, Clock::None), None),
            (of_earlier(60_000, Clock::Restored), Some(900_000)),
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
