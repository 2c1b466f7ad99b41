//! Random walks and the one cast they need.

use fastrand::Rng;

/// To the nearest whole number; far values saturate.
#[expect(
    clippy::cast_possible_truncation,
    reason = "saturates, which is what is wanted"
)]
pub(crate) fn round(value: f64) -> i64 {
    value.round() as i64
}

/// About normally distributed with mean 0 and standard deviation 1.
pub(crate) fn gauss(random: &mut Rng) -> f64 {
    // The sum of twelve uniform numbers has variance 1.
    (0..12).map(|_| random.f64()).sum::<f64>() - 6.0
}

/// A quantity that wanders around its mean.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Walk {
    value: f64,
    mean: f64,
    step: f64,
}

impl Walk {
    /// Starts at its mean; `step` is the standard deviation of one step, about seven times less than that of the walk.
    pub(crate) fn around(mean: f64, step: f64) -> Self {
        Self {
            value: mean,
            mean,
            step,
        }
    }

    pub(crate) fn step(&mut self, random: &mut Rng) -> f64 {
        self.value += gauss(random) * self.step + (self.mean - self.value) * 0.01;
        self.value
    }

    pub(crate) fn value(&self) -> f64 {
        self.value
    }
}
