//! Whether a wall time is good enough to end a day or a month.

use serde::{Deserialize, Serialize};
use tm_types::{BootId, Stamp, Timestamp};

const FLOOR_MS: i64 = Timestamp::FLOOR.unix_ms();
/// Twenty years of service.
const CEILING_MS: i64 = FLOOR_MS + 20 * 365 * DAY_MS;
const DAY_MS: i64 = 86_400_000;
/// A step that is simply followed: at most a day changes by it, and days are remembered.
const STEP_MS: i64 = DAY_MS;
/// A cabinet may lie without power for a year; a longer leap over a restart is doubted.
const ABSENCE_MS: i64 = 400 * DAY_MS;
/// How long a doubted time has to stand, on the monotonic clock, before it counts.
const STANDING_MS: u64 = 3_600_000;
/// How long a leap may yet turn out to have been wrong.
const SETTLING_MS: i64 = 7 * DAY_MS;

/// The last time that was believed, and one that is doubted.
///
/// Good are the qualities that something outside the machine has set (`ntp`, `rtc`, `https`, `network`, `gnss`);
/// `restored`, `estimated` and `none` are not. A good time that leaps is doubted for an hour: a clock chip with a
/// dead battery and a forged time server call themselves good, too.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(super) struct Belief {
    last: Option<Moment>,
    doubted: Option<Moment>,
}

#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
struct Moment {
    time: Timestamp,
    mono_ms: u64,
    boot: BootId,
    /// Where a leap that stood has led to, while it may yet be wrong.
    #[serde(default)]
    leapt_to: Option<Timestamp>,
}

/// How a believed time came about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Trust {
    /// It follows from the last one.
    Steady,
    /// It leapt, and has stood since.
    Leap,
}

impl Moment {
    /// The wall time that this moment makes one expect at `stamp`; nothing across a boot.
    fn expected(&self, stamp: &Stamp) -> Option<i64> {
        let elapsed = i64::try_from(stamp.mono_ms.checked_sub(self.mono_ms)?).ok()?;
        (self.boot == stamp.boot).then(|| self.time.unix_ms().saturating_add(elapsed))
    }

    fn is_within_boot_of(&self, stamp: &Stamp) -> bool {
        self.expected(stamp).is_some()
    }

    fn is_followed_by(&self, stamp: &Stamp) -> bool {
        let time = stamp.time.unix_ms();
        if let Some(expected) = self.expected(stamp) {
            return (time - expected).abs() <= STEP_MS;
        }
        let gap = time - self.time.unix_ms();
        (-STEP_MS..=ABSENCE_MS).contains(&gap)
    }
}

impl Belief {
    /// Takes in a time.
    pub(super) fn on_stamp(&mut self, stamp: &Stamp) {
        if !is_good(stamp) {
            return;
        }
        let mut moment = Moment {
            time: stamp.time,
            mono_ms: stamp.mono_ms,
            boot: stamp.boot,
            leapt_to: None,
        };
        match self.last {
            Some(last) if !last.is_followed_by(stamp) => {
                // A doubted time is kept where it was first seen, to measure how long it stands.
                let doubted = self
                    .doubted
                    .take_if(|doubted| {
                        doubted.is_within_boot_of(stamp) && doubted.is_followed_by(stamp)
                    })
                    .unwrap_or(moment);
                if stamp.mono_ms - doubted.mono_ms >= STANDING_MS {
                    moment.leapt_to = Some(stamp.time);
                    self.last = Some(moment);
                } else {
                    self.doubted = Some(doubted);
                }
            }
            last => {
                moment.leapt_to = last
                    .and_then(|last| last.leapt_to)
                    .filter(|to| (-STEP_MS..SETTLING_MS).contains(&stamp.time.ms_since(*to)));
                self.last = Some(moment);
                self.doubted = None;
            }
        }
    }

    /// How the time of `stamp`, which was taken in, is believed; nothing while it is not.
    pub(super) fn of(&self, stamp: &Stamp) -> Option<Trust> {
        let last = self
            .last
            .filter(|last| is_good(stamp) && last.is_followed_by(stamp))?;
        Some(match last.leapt_to {
            Some(_) => Trust::Leap,
            None => Trust::Steady,
        })
    }
}

fn is_good(stamp: &Stamp) -> bool {
    stamp.clock.is_trusted() && (FLOOR_MS..CEILING_MS).contains(&stamp.time.unix_ms())
}
