//! How often messages are answered: each answer costs money and air.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use tm_types::Stamp;

use crate::age::ms_since_at_least;

const HOUR_MS: u64 = 3_600_000;
/// Between the first two answers to one sender within an hour; doubled with each further one.
const FIRST_GAP_MS: u64 = 15_000;
/// At most.
const LAST_GAP_MS: u64 = 15 * 60_000;
/// Senders that are remembered; more numbers are hardly allowed.
const SENDERS_MAX: usize = 32;

/// The answers of the last hour; survives a restart.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(super) struct Limits {
    answers: VecDeque<Stamp>,
    senders: Vec<Sender>,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
struct Sender {
    number: String,
    last: Stamp,
    /// Answers in a row, each within an hour of the one before.
    n_answers: u32,
}

impl Sender {
    fn gap_ms(&self) -> u64 {
        let doublings = self.n_answers.saturating_sub(1).min(10);
        (FIRST_GAP_MS << doublings).min(LAST_GAP_MS)
    }
}

impl Limits {
    /// Whether one more answer to that sender may be given now; if so, it counts.
    pub(super) fn take(&mut self, number: &str, per_hour: usize, now: &Stamp) -> bool {
        self.answers
            .retain(|stamp| ms_since_at_least(stamp, now) < HOUR_MS);
        self.senders
            .retain(|sender| ms_since_at_least(&sender.last, now) < HOUR_MS);
        if self.answers.len() >= per_hour {
            return false;
        }
        let known = self.senders.iter().position(|s| s.number == number);
        let n_answers = match known.map(|at| self.senders.swap_remove(at)) {
            Some(sender) if ms_since_at_least(&sender.last, now) < sender.gap_ms() => {
                self.senders.push(sender);
                return false;
            }
            Some(sender) => sender.n_answers + 1,
            None => 1,
        };
        if self.senders.len() >= SENDERS_MAX {
            self.senders.remove(0);
        }
        self.senders.push(Sender {
            number: number.to_owned(),
            last: *now,
            n_answers,
        });
        self.answers.push_back(*now);
        true
    }
}

#[cfg(test)]
mod tests {
    use tm_types::{BootId, Clock, Timestamp};

    use super::*;

    fn at(boot: u32, second: u64) -> Stamp {
        Stamp {
            time: Timestamp::EPOCH,
            mono_ms: second * 1000,
            boot: BootId(boot),
            clock: Clock::None,
            err_ms: None,
        }
    }

    #[test]
    fn so_many_an_hour_for_all_together() {
        let mut limits = Limits::default();
        let taken = (0..20).filter(|n| limits.take(&format!("+{n}"), 6, &at(1, *n)));
        assert_eq!(taken.count(), 6);
        assert!(!limits.take("+20", 6, &at(1, 3_599)));
        assert!(limits.take("+20", 6, &at(1, 3_600)));
    }

    #[test]
    fn a_sender_waits_ever_longer_and_an_hour_forgives() {
        let mut limits = Limits::default();
        let taken: Vec<u64> = (0..3_000)
            .filter(|n| limits.take("+1", 60, &at(1, *n)))
            .collect();
        assert_eq!(taken, [0, 15, 45, 105, 225, 465, 945, 1_845, 2_745]);
        assert!(limits.take("+2", 60, &at(1, 2_746)), "another one does not");
        assert!(limits.take("+1", 60, &at(1, 6_400)));
        assert!(limits.take("+1", 60, &at(1, 6_415)));
    }

    #[test]
    fn a_restart_forgets_nothing_within_the_hour() {
        let mut limits = Limits::default();
        for n in 0..6 {
            assert!(limits.take(&format!("+{n}"), 6, &at(1, 0)));
        }
        let kept = serde_json::to_string(&limits).unwrap();
        let mut limits: Limits = serde_json::from_str(&kept).unwrap();
        assert!(!limits.take("+9", 6, &at(2, 100)));
        assert!(limits.take("+9", 6, &at(2, 3_600)), "an hour for sure");
    }
}
