use std::time::Duration;

use super::BackOff;

/// Doubling waits with jitter: a fleet whose broker returns does not fall on it in one second.
#[derive(Debug)]
pub(super) struct Waits {
    options: BackOff,
    next: Duration,
}

impl Waits {
    pub(super) fn new(options: BackOff) -> Self {
        Self {
            next: options.first,
            options,
        }
    }

    /// The next wait: between half of and the whole of a step that doubles up to the longest.
    pub(super) fn next_wait(&mut self) -> Duration {
        let step = self.next;
        self.next = (step * 2).min(self.options.most);
        step.mul_f64(0.5 + fastrand::f64() / 2.0)
    }

    /// The connection held: begin again with the shortest.
    pub(super) fn reset(&mut self) {
        self.next = self.options.first;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_with_jitter_up_to_the_longest() {
        let mut waits = Waits::new(BackOff::default());
        for step in [1, 2, 4, 8, 16, 32, 60, 60] {
            let (wait, step) = (waits.next_wait(), Duration::from_secs(step));
            assert!(wait >= step / 2 && wait <= step, "{wait:?} of {step:?}");
        }
        waits.reset();
        assert!(waits.next_wait() <= Duration::from_secs(1));
    }
}
