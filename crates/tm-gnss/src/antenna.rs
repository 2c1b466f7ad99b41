//! What the satellites' levels say about the antenna and about whoever disturbs it.
//!
//! Under an open sky a receiver hears ten and more satellites at 35 to 50 dBHz; below about 28 dBHz it can hardly use one
//! (u-blox M8 receiver description, "Signal quality": acquisition from 28 dBHz). A dead antenna or cable hears none; a
//! covered one hears weakly from the first minute on. A jammer takes all of them at once.

/// Nothing heard for so long is no start of the engine: the first satellites come within half a minute.
const SILENT_MS: u64 = 120_000;
/// Weak for so long is no passing lorry.
const WEAK_MS: u64 = 120_000;
/// The best satellite of a weak sky.
const WEAK_DBHZ: u8 = 28;
/// Satellites and their median level that make a sky from which a fall can be told.
const GOOD_N: usize = 6;
const GOOD_DBHZ: f64 = 32.0;
/// A fall of the median by so much, or of the number to a third, within [`SUDDEN_MS`].
const FALL_DB: f64 = 10.0;
const SUDDEN_MS: u64 = 10_000;
/// The fall must have lasted for so long before it is told: groups of sentences may be cut.
const TOLD_AFTER_MS: u64 = 5000;
/// Back within so much of what was usual, it is over.
const BACK_DB: f64 = 6.0;
/// After so long it is the new state of things, whatever it was.
const FORGET_MS: u64 = 1_800_000;
/// Share of a new level in what is usual: about a minute at 1 Hz.
const SMOOTHING: f64 = 1.0 / 60.0;

/// What is wrong with the reception.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reception {
    /// Nothing.
    Well,
    /// No satellite at all is heard, for so many minutes.
    Deaf(u64),
    /// Satellites are heard, and all of them too weakly; how many, and the best of them in dBHz.
    Weak(usize, u8),
    /// All of them fell at once.
    Jammed,
}

/// Follows the levels.
#[derive(Debug, Default)]
pub(crate) struct Antenna {
    /// Something was heard last, or the source began.
    heard_ms: Option<u64>,
    /// The best level was enough last, or the source began.
    strong_ms: Option<u64>,
    /// Median level and number of satellites as they usually are.
    usual: Option<(f64, f64)>,
    /// Both were as usual last.
    as_usual_ms: u64,
    /// They fell.
    fell_ms: Option<u64>,
}

impl Antenna {
    /// Takes in the levels of all satellites that are truly heard, in dBHz.
    pub(crate) fn look(&mut self, mono_ms: u64, mut levels: Vec<u8>) -> Reception {
        levels.sort_unstable();
        let best = levels.last().copied();
        let heard_ms = *self.heard_ms.get_or_insert(mono_ms);
        let strong_ms = *self.strong_ms.get_or_insert(mono_ms);
        if best.is_some() {
            self.heard_ms = Some(mono_ms);
        }
        if best.is_some_and(|best| best >= WEAK_DBHZ) {
            self.strong_ms = Some(mono_ms);
        }
        if self.has_fallen(mono_ms, &levels) {
            return Reception::Jammed;
        }
        let silent_ms = mono_ms.saturating_sub(heard_ms);
        match best {
            None if silent_ms >= SILENT_MS => Reception::Deaf(silent_ms / 60_000),
            Some(best) if best < WEAK_DBHZ && mono_ms.saturating_sub(strong_ms) >= WEAK_MS => {
                Reception::Weak(levels.len(), best)
            }
            _ => Reception::Well,
        }
    }

    fn has_fallen(&mut self, mono_ms: u64, levels: &[u8]) -> bool {
        let median = levels
            .get(levels.len() / 2)
            .map_or(0.0, |level| f64::from(*level));
        let n = f64::from(u32::try_from(levels.len()).unwrap_or(u32::MAX));
        let is_good = levels.len() >= GOOD_N && median >= GOOD_DBHZ;
        let Some((usual, usual_n)) = self.usual else {
            if is_good {
                (self.usual, self.as_usual_ms) = (Some((median, n)), mono_ms);
            }
            return false;
        };
        if let Some(fell_ms) = self.fell_ms {
            let is_back = median >= usual - BACK_DB && 2.0 * n >= usual_n;
            if is_back || mono_ms.saturating_sub(fell_ms) >= FORGET_MS {
                self.fell_ms = None;
                self.usual = is_back.then_some((usual, usual_n));
                self.as_usual_ms = mono_ms;
                return false;
            }
            return mono_ms.saturating_sub(fell_ms) >= TOLD_AFTER_MS;
        }
        let is_low = median <= usual - FALL_DB || 3.0 * n <= usual_n;
        if is_low {
            if mono_ms.saturating_sub(self.as_usual_ms) <= SUDDEN_MS {
                self.fell_ms = Some(mono_ms);
            } else {
                // It faded: no jammer does that.
                self.usual = None;
            }
            return false;
        }
        if median >= usual - FALL_DB / 2.0 && 3.0 * n >= 2.0 * usual_n {
            self.as_usual_ms = mono_ms;
        }
        if is_good {
            let toward = |old: f64, new: f64| old + (new - old) * SMOOTHING;
            self.usual = Some((toward(usual, median), toward(usual_n, n)));
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seconds of a sky each: how many satellites around which level, in dBHz; the turns that are told, with their second.
    fn check(skies: &[(u64, usize, u8)], expected: &[(u64, Reception)]) {
        let mut antenna = Antenna::default();
        let mut second = 0;
        let mut told = vec![];
        let mut last = Reception::Well;
        for (seconds, n, level) in skies {
            for _ in 0..*seconds {
                let levels = (0..*n)
                    .map(|i| level + u8::try_from(i % 5).unwrap())
                    .collect();
                let now = antenna.look(1_000_000 + second * 1000, levels);
                if std::mem::discriminant(&now) != std::mem::discriminant(&last) {
                    told.push((second, now));
                }
                last = now;
                second += 1;
            }
        }
        assert_eq!(told, expected, "{skies:?}");
    }

    #[test]
    fn what_the_levels_say() {
        use Reception::{Deaf, Jammed, Weak, Well};
        // An open sky, also one that comes slowly.
        check(&[(600, 12, 38)], &[]);
        check(&[(25, 0, 0), (30, 3, 30), (600, 10, 36)], &[]);
        // No antenna, and one that is plugged in later.
        check(&[(600, 0, 0), (60, 9, 40)], &[(120, Deaf(2)), (600, Well)]);
        // A cable that breaks takes them all at once, as a jammer does; after half an hour it is a dead antenna.
        check(
            &[(300, 12, 38), (2400, 0, 0)],
            &[(305, Jammed), (2100, Deaf(30))],
        );
        // Water in the plug.
        check(
            &[(600, 5, 20), (60, 8, 36)],
            &[(120, Weak(5, 24)), (600, Well)],
        );
        // A jammer that passes by, twice.
        check(
            &[
                (300, 12, 38),
                (60, 12, 24),
                (100, 12, 37),
                (20, 2, 40),
                (60, 11, 38),
            ],
            &[(305, Jammed), (360, Well), (465, Jammed), (480, Well)],
        );
        // Shorter than is told, and a single cut group.
        check(
            &[
                (300, 12, 38),
                (4, 12, 20),
                (300, 12, 38),
                (1, 1, 38),
                (9, 12, 38),
            ],
            &[],
        );
        // Leaves, snow, a lorry: it fades, and comes back.
        let fade: Vec<_> = (0..20).map(|i| (15, 12, 40 - i)).collect();
        check(
            &[&[(300, 12, 40)][..], &fade, &[(300, 12, 40)]].concat(),
            &[],
        );
        // From a few satellites no fall can be told.
        check(&[(300, 4, 40), (60, 1, 30)], &[]);
    }
}
