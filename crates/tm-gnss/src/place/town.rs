//! A simulated receiver that stands in a town.

use super::Spot;

/// Numbers that look random and are the same every time (`SplitMix64`, with the sum of twelve for a bell).
struct Chance(u64);

impl Chance {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        f64::from(u32::try_from((mixed ^ (mixed >> 31)) >> 32).unwrap()) / f64::from(u32::MAX)
    }

    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0
    }
}

/// Where it stands.
pub(crate) const TRUTH: Spot = Spot {
    latitude_deg: 50.4501,
    longitude_deg: 30.5234,
    altitude_m: 179.0,
};
const METRES_PER_DEG: f64 = 111_195.0;

/// A receiver in a town: errors that drift for an hour (2.5 m) and for a minute (1.5 m), noise of half a metre, and
/// four reflections an hour, 10 to 60 m off for 15 s to two minutes, one in twenty of them 60 to 200 m off for up to a
/// minute; of half of them it knows.
pub(crate) struct Receiver {
    chance: Chance,
    slow: [f64; 2],
    quick: [f64; 2],
    /// Metres north and east, looks that are left, and whether the receiver knows.
    reflection: ([f64; 2], u32, bool),
    mono_ms: u64,
}

const STEP_S: f64 = 5.0;

impl Receiver {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            chance: Chance(seed),
            slow: [0.0; 2],
            quick: [0.0; 2],
            reflection: ([0.0; 2], 0, false),
            mono_ms: 1_000_000,
        }
    }

    /// A fix five seconds later, with the error that the receiver states, while it stands this far north of the truth.
    pub(crate) fn next(&mut self, north_m: f64) -> (u64, Spot, f64) {
        self.mono_ms += 5000;
        let chance = &mut self.chance;
        for (state, sigma, tau) in [(&mut self.slow, 2.5, 3600.0), (&mut self.quick, 1.5, 60.0)] {
            let keep = f64::exp(-STEP_S / tau);
            for axis in state.iter_mut() {
                *axis = *axis * keep + chance.normal() * sigma * (1.0 - keep * keep).sqrt();
            }
        }
        let (shift, left, is_known) = &mut self.reflection;
        if *left > 0 {
            *left -= 1;
        } else if chance.uniform() < STEP_S / 900.0 {
            let is_far = chance.uniform() < 0.05;
            let (least_m, more_m) = if is_far { (60.0, 140.0) } else { (10.0, 50.0) };
            let far_m = least_m + more_m * chance.uniform();
            let angle = chance.uniform() * std::f64::consts::TAU;
            *shift = [far_m * angle.cos(), far_m * angle.sin()];
            *left = match chance.uniform() {
                long if long < 0.25 && is_far => 12,
                long if long < 0.25 => 24,
                middle if middle < 0.5 => 8,
                _ => 3,
            };
            *is_known = chance.uniform() < 0.5;
        } else {
            *shift = [0.0; 2];
        }
        let error_m = if *is_known && *left > 0 { 20.0 } else { 3.0 };
        let noise = [chance.normal() * 0.5, chance.normal() * 0.5];
        let off = |axis: usize| self.slow[axis] + self.quick[axis] + shift[axis] + noise[axis];
        let spot = Spot {
            latitude_deg: TRUTH.latitude_deg + (off(0) + north_m) / METRES_PER_DEG,
            longitude_deg: TRUTH.longitude_deg
                + off(1) / METRES_PER_DEG / TRUTH.latitude_deg.to_radians().cos(),
            altitude_m: TRUTH.altitude_m + chance.normal() * 4.0,
        };
        (self.mono_ms, spot, error_m)
    }
}
