//! Who beside the satellites knows the time: NTP, the mobile network, the machine's own clock chip.

use tm_types::{Anchor, Clock, Stamp, Timestamp};

/// A quartz goes wrong by one part in so many (100 ppm) while it only counts.
const QUARTZ: u64 = 10_000;
/// How far a time that agrees with NTP may be off.
const NTP_MS: i64 = 2_000;
/// 3GPP TS 22.042 lets a network's time be off by so much.
const NETWORK_MS: i64 = 60_000;
/// A clock chip with a watch crystal loses up to four minutes in a month of frost (100 ppm).
const RTC_MS: i64 = 600_000;

/// One of them, at one moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Witness {
    /// Who it is.
    pub(crate) clock: Clock,
    /// The time it tells.
    pub(crate) utc_ms: i64,
    /// Another time that is no farther away agrees.
    pub(crate) within_ms: i64,
}

/// What was told, as the offset of UTC to the monotonic clock.
#[derive(Clone, Copy, Debug)]
struct Told {
    mono_ms: u64,
    offset_ms: i64,
}

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Witnesses {
    network: Option<Told>,
    rtc: Option<Told>,
}

impl Witnesses {
    /// An anchor from the bus; of another boot, or of the satellites themselves, it says nothing.
    pub(crate) fn on_anchor(&mut self, anchor: &Anchor, now: &Stamp) {
        if anchor.source == Clock::Network && anchor.boot == now.boot {
            self.network = Told::of(anchor.mono_ms, anchor.utc.unix_ms());
        }
    }

    /// What the clock chip says at `now`; nothing when there is none, or it stood still.
    pub(crate) fn on_rtc(&mut self, unix_s: Option<i64>, now: &Stamp) {
        let utc_ms = unix_s.map(|unix_s| unix_s.saturating_mul(1000));
        // Without a battery it begins in 1970 or 2000.
        let utc_ms = utc_ms.filter(|utc_ms| *utc_ms >= Timestamp::FLOOR.unix_ms());
        self.rtc = utc_ms.and_then(|utc_ms| Told::of(now.mono_ms, utc_ms));
    }

    /// Who can be asked at `now`. NTP is asked alone, because it is right.
    pub(crate) fn at(&self, now: &Stamp) -> Vec<Witness> {
        if now.clock == Clock::Ntp {
            return vec![Witness {
                clock: Clock::Ntp,
                utc_ms: now.time.unix_ms(),
                within_ms: NTP_MS,
            }];
        }
        let network = self
            .network
            .and_then(|told| told.at(now, Clock::Network, NETWORK_MS));
        let rtc = self.rtc.and_then(|told| told.at(now, Clock::Rtc, RTC_MS));
        network.into_iter().chain(rtc).collect()
    }
}

impl Told {
    fn of(mono_ms: u64, utc_ms: i64) -> Option<Self> {
        let offset_ms = utc_ms.checked_sub_unsigned(mono_ms)?;
        Some(Self { mono_ms, offset_ms })
    }

    fn at(self, now: &Stamp, clock: Clock, within_ms: i64) -> Option<Witness> {
        let age_ms = now.mono_ms.saturating_sub(self.mono_ms);
        Some(Witness {
            clock,
            utc_ms: self.offset_ms.checked_add_unsigned(now.mono_ms)?,
            within_ms: within_ms.saturating_add_unsigned(age_ms / QUARTZ),
        })
    }
}

#[cfg(test)]
mod tests {
    use tm_types::BootId;

    use super::*;

    const NOW_MS: i64 = 1_795_420_800_000;

    fn stamp(mono_ms: u64, clock: Clock) -> Stamp {
        Stamp {
            time: Timestamp::of_unix_ms(NOW_MS + 77),
            mono_ms,
            boot: BootId(7),
            clock,
            err_ms: None,
        }
    }

    fn anchor(source: Clock, boot: u32) -> Anchor {
        Anchor {
            boot: BootId(boot),
            mono_ms: 1_000,
            utc: Timestamp::of_unix_ms(NOW_MS),
            source,
            err_ms: 3_000,
        }
    }

    fn asked(witnesses: &Witnesses, at: &Stamp) -> Vec<(Clock, i64, i64)> {
        let all = witnesses.at(at).into_iter();
        all.map(|w| (w.clock, w.utc_ms - NOW_MS, w.within_ms))
            .collect()
    }

    #[test]
    fn ntp_is_asked_alone_and_the_others_go_on_with_the_monotonic_clock() {
        let mut witnesses = Witnesses::default();
        let now = stamp(1_000, Clock::Restored);
        assert_eq!(asked(&witnesses, &now), []);
        witnesses.on_anchor(&anchor(Clock::Network, 7), &now);
        witnesses.on_rtc(Some(NOW_MS / 1000 - 5), &now);
        let later = stamp(11_000, Clock::Restored);
        assert_eq!(
            asked(&witnesses, &later),
            [
                (Clock::Network, 10_000, 60_001),
                (Clock::Rtc, 5_000, 600_001)
            ]
        );
        assert_eq!(
            asked(&witnesses, &stamp(11_000, Clock::Ntp)),
            [(Clock::Ntp, 77, 2_000)]
        );
    }

    #[test]
    fn who_knows_nothing_is_not_asked() {
        let mut witnesses = Witnesses::default();
        let now = stamp(1_000, Clock::None);
        // Another boot, the satellites themselves, a chip without a battery, and none.
        witnesses.on_anchor(&anchor(Clock::Network, 8), &now);
        witnesses.on_anchor(&anchor(Clock::Gnss, 7), &now);
        for unix_s in [Some(946_684_800), Some(-1), Some(i64::MIN), None] {
            witnesses.on_rtc(Some(NOW_MS / 1000), &now);
            witnesses.on_rtc(unix_s, &now);
            assert_eq!(asked(&witnesses, &now), [], "{unix_s:?}");
        }
    }
}
