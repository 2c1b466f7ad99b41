//! Which unreadable messages are told: the first few, then one a minute. A mad source must not fill the link with events.

use std::time::Duration;

/// Complaints at once.
const BURST: u32 = 5;
/// Then one in this time.
const EVERY: Duration = Duration::from_mins(1);

/// Lets a few through.
#[derive(Debug)]
pub(super) struct Complaints {
    left: u32,
    /// When the next is earned.
    earned_at: Duration,
}

impl Complaints {
    pub(super) fn new(now: Duration) -> Self {
        Self {
            left: BURST,
            earned_at: now + EVERY,
        }
    }

    /// Whether this one is told.
    pub(super) fn is_told(&mut self, now: Duration) -> bool {
        while self.left < BURST && now >= self.earned_at {
            self.left += 1;
            self.earned_at += EVERY;
        }
        if self.left == BURST {
            self.earned_at = now + EVERY;
        }
        let is_told = self.left > 0;
        self.left = self.left.saturating_sub(1);
        is_told
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_then_one_a_minute() {
        let at = Duration::from_secs;
        let mut complaints = Complaints::new(at(0));
        let told = |complaints: &mut Complaints, seconds, n| {
            (0..n).filter(|_| complaints.is_told(at(seconds))).count()
        };
        assert_eq!(told(&mut complaints, 1000, 100), 5);
        assert_eq!(told(&mut complaints, 1059, 100), 0);
        assert_eq!(told(&mut complaints, 1060, 100), 1);
        assert_eq!(told(&mut complaints, 1180, 100), 2);
        assert_eq!(told(&mut complaints, 9000, 100), 5);
    }
}
