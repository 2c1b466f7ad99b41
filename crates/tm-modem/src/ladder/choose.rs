//! Which rung: the mildest that the diagnosis allows, was not tried in this round, and is within its limit.

use tm_types::{Severity, code};

use super::Ladder;
use super::table::{Class, MILD, Row, Rung};
use crate::diagnosis::Diagnosis;

/// So long after a diagnosis that only a person can mend was seen last, its class goes no higher than the mild rungs.
const CEILING_MS: u64 = 3_600_000;

/// What the search for the next rung found.
pub(super) enum Choice {
    Take(Rung),
    /// Every rung was tried, or is passed over.
    NothingLeft,
}

impl Ladder {
    /// The mildest rung that may be taken now.
    pub(super) fn choose(&mut self, diagnosis: &Diagnosis, row: &Row) -> Choice {
        let ceiling = self.ceiling(row);
        let now = self.stamp();
        let away_ms = self
            .memory
            .episode
            .as_ref()
            .map_or(0, |episode| self.now_ms().saturating_sub(episode.since_ms));
        let rungs = row
            .rungs
            .iter()
            .filter_map(|number| Rung::of_number(*number));
        for rung in rungs.filter(|rung| rung.number() <= ceiling) {
            let rule = self.table.rule(rung).clone();
            let Some(episode) = &mut self.memory.episode else {
                break;
            };
            let tried = &mut episode.tried[usize::from(rung.number())];
            if *tried >= rule.tries {
                continue;
            }
            if let Some(reason) = self.barred.get(&rung).cloned() {
                *tried = rule.tries;
                self.say_unavailable(rung, &reason);
                continue;
            }
            let is_cutting =
                rung == Rung::Reboot && (diagnosis.is_mains_away || diagnosis.has_other_way);
            if away_ms < rule.after_s * 1000 || is_cutting {
                episode.is_short = true;
                continue;
            }
            let (count, _) = self.memory.within(rung, &self.table, &now);
            if count >= rule.cap {
                self.say_capped(rung, rule.cap, rule.window_h);
                continue;
            }
            return Choice::Take(rung);
        }
        Choice::NothingLeft
    }

    /// The highest rung for this diagnosis now.
    ///
    /// A refused card is searching between two refusals: what only a person can mend holds its whole class down
    /// to its own highest rung, and to the mild ones once its rounds are over.
    fn ceiling(&self, row: &Row) -> u8 {
        let Some(episode) = &self.memory.episode else {
            return 0;
        };
        let mut ceiling = if episode.is_mild { MILD } else { u8::MAX };
        if row.class == Class::Hardware {
            // Faults of the hardware come apart: a held port says nothing about a module that is gone.
            return ceiling;
        }
        for other in self.hopeless(row) {
            let Some(tally) = episode.tallies.get(&other.code) else {
                continue;
            };
            let highest = other.rungs.iter().max().copied();
            if tally.is_ended {
                ceiling = ceiling.min(MILD);
            } else if let Some(highest) = highest {
                ceiling = ceiling.min(highest);
            }
        }
        ceiling
    }

    /// What only a person can mend and stood lately, in the class of this row.
    pub(super) fn hopeless(&self, row: &Row) -> impl Iterator<Item = &Row> {
        let now_ms = self.now_ms();
        let class = row.class;
        let tallies = self.memory.episode.iter();
        let tallies = tallies.flat_map(|episode| &episode.tallies);
        let stood = tallies.filter(move |(_, tally)| {
            let is_recent = now_ms.saturating_sub(tally.seen_ms) < CEILING_MS;
            is_recent && tally.has_stood()
        });
        let rows = stood.filter_map(|(code, _)| self.table.row(code));
        rows.filter(move |other| other.person && other.class == class)
    }

    pub(super) fn say_unavailable(&mut self, rung: Rung, reason: &str) {
        let is_new = self
            .memory
            .episode
            .as_mut()
            .is_some_and(|episode| episode.says_once(format!("unavailable {}", rung.number())));
        if is_new {
            let cause = Self::about(code::RECOVERY_RUNG_UNAVAILABLE, rung).and("reason", reason);
            self.say(Severity::Warning, cause);
        }
    }

    fn say_capped(&mut self, rung: Rung, cap: usize, hours: u64) {
        let Some(episode) = &mut self.memory.episode else {
            return;
        };
        episode.is_short = true;
        if episode.says_once(format!("capped {}", rung.number())) {
            let cause = Self::about(code::RECOVERY_CAP_REACHED, rung)
                .and("count", cap)
                .and("hours", hours);
            self.say(Severity::Warning, cause);
        }
    }
}
