//! What to do next: patience, the choice of a rung, rounds, and their end.

use tm_types::{Severity, code};

use super::choose::Choice;
use super::episode::{Episode, Phase, Trial};
use super::memory::Step;
use super::table::{Class, MILD, Row, Rung, Table};
use super::{Ladder, Output};
use crate::diagnosis::{Diagnosis, Stage};

/// More turns than one input can cause.
const TURNS: usize = 16;
/// A module must be away for so long at a stretch, or its row's patience if that is shorter.
const GONE_MS: u64 = 60_000;
/// Waits from here on are stretched differently on each device.
const LONG_MS: u64 = 300_000;

impl Ladder {
    /// Turns the machine until it rests, and notes when it has to be woken.
    pub(super) fn decide(&mut self) {
        for _ in 0..TURNS {
            self.due_ms = None;
            if !self.turn() {
                break;
            }
        }
    }

    /// One turn; whether there may be another.
    fn turn(&mut self) -> bool {
        let now_ms = self.now_ms();
        if let Some(quiet) = &self.memory.hands_off {
            let until_ms = quiet.until_ms;
            if now_ms >= until_ms {
                self.end_hands_off();
                return true;
            }
            self.due(until_ms);
        }
        let is_acting = matches!(
            self.memory.episode.as_ref().map(|episode| &episode.phase),
            Some(Phase::Acting(_))
        );
        if !is_acting && let Some((rung, issuer)) = self.waiting_request.take() {
            self.take_requested(rung, &issuer);
            return true;
        }
        let Some(episode) = &self.memory.episode else {
            return false;
        };
        let phase = episode.phase.clone();
        let quiet_since = episode.quiet_since_ms;
        match phase {
            Phase::Acting(trial) => return self.turn_acting(trial),
            Phase::Judging(trial) => return self.judge(trial),
            _ => {}
        }
        if let Some(since) = quiet_since {
            return self.turn_quiet(since);
        }
        let Some(diagnosis) = self.diagnosis.clone() else {
            return false;
        };
        let Some(row) = self.table.row(&diagnosis.cause.code).cloned() else {
            return false;
        };
        // A cut of the mains is waited for, however long; all else about it is the watch's business.
        let is_dark = diagnosis.is_mains_away && Table::is_outage(&diagnosis.cause);
        if self.is_paused() || is_dark {
            return false;
        }
        match phase {
            Phase::BackingOff(until_ms) => self.turn_backing_off(until_ms, &row),
            Phase::Ended => self.turn_ended(&row),
            _ => self.turn_waiting(&diagnosis, &row),
        }
    }

    /// A crew's time is over; a hold is not.
    fn end_hands_off(&mut self) {
        if self.memory.held_by.is_none() {
            self.resume();
        } else {
            self.memory.hands_off = None;
            self.save(true);
        }
    }

    /// The link works, as far as anybody can tell; for long enough it clears the level.
    fn turn_quiet(&mut self, since_ms: u64) -> bool {
        let clear_ms = since_ms.saturating_add(self.table.general.clear_s * 1000);
        if self.now_ms() < clear_ms {
            self.due(clear_ms);
            return false;
        }
        let Some(episode) = self.memory.episode.take() else {
            return false;
        };
        if episode.n_steps > 0 || !episode.said.is_empty() {
            let seconds = since_ms.saturating_sub(episode.since_ms) / 1000;
            let cause = code::RECOVERY_RESTORED
                .with("seconds", seconds)
                .and("steps", episode.n_steps);
            self.say(Severity::Info, cause);
            self.save(false);
        }
        true
    }

    fn turn_backing_off(&mut self, until_ms: u64, row: &Row) -> bool {
        let is_other_class = {
            let spent = self.memory.episode.as_ref();
            let spent = spent.and_then(|episode| episode.spent.as_deref());
            let before = spent.and_then(|code| self.table.row(code));
            before.is_some_and(|before| before.class != row.class)
        };
        let is_over = self.now_ms() >= until_ms;
        if !is_over && !is_other_class {
            self.due(until_ms);
            return false;
        }
        if let Some(episode) = &mut self.memory.episode {
            if is_over {
                episode.new_round();
                episode.spent = Some(row.code.clone());
            }
            episode.phase = Phase::Waiting;
        }
        true
    }

    fn turn_ended(&mut self, row: &Row) -> bool {
        let now_ms = self.now_ms();
        let Some(episode) = &mut self.memory.episode else {
            return false;
        };
        let tally = *episode.tally(&row.code);
        if !tally.is_ended {
            episode.is_mild = false;
            episode.phase = Phase::Waiting;
            return true;
        }
        match tally.again_ms {
            Some(again_ms) if now_ms >= again_ms => {
                episode.tally(&row.code).again_ms = None;
                episode.new_round();
                episode.is_mild = true;
                episode.spent = Some(row.code.clone());
                episode.phase = Phase::Waiting;
                true
            }
            Some(again_ms) => {
                self.due(again_ms);
                false
            }
            None => false,
        }
    }

    fn turn_waiting(&mut self, diagnosis: &Diagnosis, row: &Row) -> bool {
        let now_ms = self.now_ms();
        let patience_ms = self.stretched(row.patience_s * 1000, 0);
        let bring_up_ms = self.memory.enumerated_ms.map_or(0, |at| {
            at.saturating_add(self.table.general.bring_up_s * 1000)
        });
        let patient_ms = patience_ms.min(GONE_MS);
        let gone_ms = self
            .gone_since_ms
            .map_or(0, |since| since.saturating_add(patient_ms));
        let Some(episode) = &mut self.memory.episode else {
            return false;
        };
        let tally = *episode.tally(&row.code);
        if tally.is_ended && !episode.is_mild {
            return self.end(row);
        }
        episode.is_mild &= tally.is_ended;
        if episode.spent.as_deref() != Some(&row.code) && tally.waited_ms < patience_ms {
            let left = patience_ms - tally.waited_ms;
            self.due(now_ms.saturating_add(left));
            return false;
        }
        let not_before_ms = episode.not_before_ms;
        match self.choose(diagnosis, row) {
            Choice::Take(rung) => {
                let earliest_ms = match diagnosis.stage {
                    // One that comes and goes is not helped by a step while it is away.
                    Stage::Gone => gone_ms.max(not_before_ms),
                    // One that has just appeared is not disturbed while it starts.
                    Stage::Mute | Stage::Present => bring_up_ms.max(not_before_ms),
                    _ => not_before_ms,
                };
                if now_ms < earliest_ms {
                    self.due(earliest_ms);
                    return false;
                }
                self.take(rung, None);
                true
            }
            Choice::NothingLeft => self.end_round(row),
        }
    }

    /// Every allowed rung was tried or passed over.
    fn end_round(&mut self, row: &Row) -> bool {
        let mut held_down: Vec<Row> = Vec::new();
        if row.class != Class::Hardware {
            let others = self.hopeless(row).filter(|other| other.code != row.code);
            held_down.extend(others.filter(|other| other.rounds > 0).cloned());
        }
        let Some(episode) = &mut self.memory.episode else {
            return false;
        };
        let is_mild = episode.is_mild;
        // A round in which the strongest step was passed over may still find its cure; one with it may not.
        let strongest = row.rungs.iter().max().copied().unwrap_or(0);
        let is_whole = !episode.is_short || episode.tried[usize::from(strongest)] > 0;
        let tally = episode.tally(&row.code);
        if is_whole {
            tally.rounds = tally.rounds.saturating_add(1);
        }
        // The round was theirs as well: it went as high as they allow.
        for other in held_down {
            let highest = other.rungs.iter().max().copied().unwrap_or(0);
            let is_whole = !episode.is_short || episode.tried[usize::from(highest)] > 0;
            let tally = episode.tally(&other.code);
            tally.rounds = tally.rounds.saturating_add(u32::from(is_whole));
            tally.is_ended |= tally.rounds >= other.rounds;
        }
        let tally = episode.tally(&row.code);
        let is_over = row.rounds > 0 && tally.rounds >= row.rounds;
        if is_mild || is_over || row.rungs.is_empty() {
            tally.is_ended = true;
            return self.end(row);
        }
        let waits = &self.table.general.back_off_min;
        let index = usize::try_from(episode.n_failed).unwrap_or(usize::MAX);
        let minutes = waits.get(index).or(waits.last()).copied().unwrap_or(15);
        let salt = u64::from(episode.n_failed) + 1;
        episode.n_failed = episode.n_failed.saturating_add(1);
        episode.spent = Some(row.code.clone());
        let is_new = episode.says_once(format!("back off {minutes}"));
        let until_ms = self
            .now_ms()
            .saturating_add(self.stretched(minutes * 60_000, salt));
        if let Some(episode) = &mut self.memory.episode {
            episode.phase = Phase::BackingOff(until_ms);
        }
        if is_new {
            let cause = code::RECOVERY_BACKING_OFF.with("minutes", minutes);
            self.say(Severity::Warning, cause);
        }
        self.save(false);
        true
    }

    /// Nothing is left to do against this diagnosis.
    fn end(&mut self, row: &Row) -> bool {
        let has_mild = row.rungs.iter().any(|rung| *rung <= MILD);
        let again_ms = (row.again_h > 0 && has_mild).then(|| {
            let wait_ms = row.again_h.saturating_mul(3_600_000);
            self.now_ms().saturating_add(self.stretched(wait_ms, 99))
        });
        let (_, evidence) = self.facts();
        let Some(episode) = &mut self.memory.episode else {
            return false;
        };
        let tally = episode.tally(&row.code);
        tally.is_ended = true;
        tally.again_ms = tally.again_ms.or(again_ms);
        episode.phase = Phase::Ended;
        episode.is_mild = false;
        let is_new = row.person && episode.says_once(format!("stopped {}", row.code));
        if is_new {
            let cause = code::RECOVERY_STOPPED
                .with("diagnosis", &row.code)
                .and("evidence", evidence);
            self.say(Severity::Critical, cause);
        }
        self.save(false);
        true
    }

    /// Begins a step: told, remembered, then done.
    fn take(&mut self, rung: Rung, issuer: Option<&str>) {
        let now_ms = self.now_ms();
        let stamp = self.stamp();
        let (diagnosis, mut evidence) = self.facts();
        if let Some(issuer) = issuer {
            evidence = format!("{evidence}; asked for by {issuer}");
        }
        let rule = self.table.rule(rung);
        let stage = self
            .diagnosis
            .as_ref()
            .map_or(Stage::Gone, |diagnosis| diagnosis.stage);
        let trial = Trial {
            rung: rung.number(),
            diagnosis: diagnosis.clone(),
            stage,
            since_ms: now_ms,
            until_ms: now_ms.saturating_add(rule.act_s * 1000),
            better_since_ms: None,
            is_gone: stage == Stage::Gone,
            is_back: false,
        };
        let cause = Self::about(code::RECOVERY_STEP, rung)
            .and("diagnosis", &diagnosis)
            .and("evidence", evidence);
        self.say(Severity::Warning, cause);
        let step = Step {
            stamp,
            at_ms: now_ms,
            rung: rung.number(),
            diagnosis,
            helped: None,
            is_requested: issuer.is_some(),
        };
        self.memory.note(step, &self.table);
        if let Some(episode) = &mut self.memory.episode {
            let tried = &mut episode.tried[usize::from(rung.number())];
            *tried = tried.saturating_add(1);
            episode.n_steps = episode.n_steps.saturating_add(1);
            episode.phase = Phase::Acting(trial);
        }
        self.save(true);
        self.out.push(Output::Act(rung));
    }

    fn take_requested(&mut self, rung: Rung, issuer: &str) {
        if let Some(reason) = self.barred.get(&rung) {
            let cause = Self::about(code::RECOVERY_RUNG_UNAVAILABLE, rung).and("reason", reason);
            self.say(Severity::Warning, cause);
            return;
        }
        if self.memory.episode.is_none() {
            let (since, since_ms) = (self.stamp(), self.now_ms());
            let mut episode = Episode::new(since, since_ms);
            episode.quiet_since_ms = Some(since_ms);
            self.memory.episode = Some(episode);
        }
        self.take(rung, Some(issuer));
    }

    /// A long wait, stretched by a share that differs between devices and from wait to wait.
    fn stretched(&self, wait_ms: u64, salt: u64) -> u64 {
        if wait_ms < LONG_MS {
            return wait_ms;
        }
        let share = mixed(self.seed ^ salt.wrapping_mul(0x9e37_79b9_7f4a_7c15)) % 1001;
        let most = wait_ms / 100 * self.table.general.jitter_percent;
        wait_ms.saturating_add(most / 1000 * share)
    }
}

/// SplitMix64's last step: neighbouring numbers end far apart.
fn mixed(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}
