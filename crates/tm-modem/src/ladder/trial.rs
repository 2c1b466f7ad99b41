//! A step under way: its call, and the proof that it helped.

use tm_types::{Severity, code};

use super::episode::{Phase, Trial};
use super::table::Rung;
use super::{Call, Ladder};
use crate::diagnosis::{Stage, Standing};

/// A call that failed may have worked all the same: a port that closes before its answer. So long it is looked at.
const FAILED_LOOK_MS: u64 = 30_000;

impl Ladder {
    pub(super) fn on_done(&mut self, rung: Rung, call: Call) {
        let now_ms = self.now_ms();
        let Some(episode) = &mut self.memory.episode else {
            return;
        };
        let Phase::Acting(trial) = &mut episode.phase else {
            return;
        };
        if trial.rung != rung.number() {
            return;
        }
        let judge_ms = self.table.rule(rung).judge_s * 1000;
        match call {
            Call::Taken => {
                trial.until_ms = now_ms.saturating_add(judge_ms);
                episode.phase = Phase::Judging(trial.clone());
                if rung >= Rung::Reset {
                    // It enumerates anew, even if nobody looked while it was gone.
                    self.memory.enumerated_ms = Some(now_ms);
                    self.save(false);
                }
            }
            Call::Failed(_) => {
                trial.until_ms = now_ms.saturating_add(FAILED_LOOK_MS.min(judge_ms));
                episode.phase = Phase::Judging(trial.clone());
            }
            Call::Unavailable(reason) => {
                let tries = self.table.rule(rung).tries;
                episode.tried[usize::from(rung.number())] = tries;
                episode.n_steps = episode.n_steps.saturating_sub(1);
                episode.phase = Phase::Waiting;
                // It was not taken, so it counts for nothing.
                self.memory.steps.pop();
                self.barred.insert(rung, reason.clone());
                self.say_unavailable(rung, &reason);
                self.save(false);
            }
        }
    }

    /// The call is under way; one that never answers is judged as if it had.
    pub(super) fn turn_acting(&mut self, mut trial: Trial) -> bool {
        let now_ms = self.now_ms();
        if now_ms < trial.until_ms {
            self.due(trial.until_ms);
            return false;
        }
        let judge_ms =
            Rung::of_number(trial.rung).map_or(0, |rung| self.table.rule(rung).judge_s * 1000);
        trial.until_ms = now_ms.saturating_add(judge_ms);
        self.set_phase(Phase::Judging(trial));
        true
    }

    /// Looks whether a step has helped.
    pub(super) fn judge(&mut self, mut trial: Trial) -> bool {
        let now_ms = self.now_ms();
        let Some((standing, stage)) = self
            .diagnosis
            .as_ref()
            .map(|diagnosis| (diagnosis.standing, diagnosis.stage))
        else {
            return false;
        };
        if stage == Stage::Gone {
            trial.is_gone = true;
        } else if trial.is_gone && !trial.is_back {
            // It has enumerated: from here it gets the whole of its patience, once.
            trial.is_back = true;
            let bring_up_ms = self.table.general.bring_up_s * 1000;
            trial.until_ms = trial.until_ms.max(now_ms.saturating_add(bring_up_ms));
        }
        let began_open = trial.stage == Stage::Open;
        if standing == Standing::Healthy && !began_open {
            self.finish(&trial, true);
            return true;
        }
        if standing != Standing::Healthy && began_open {
            // It was asked for while the link worked, and has cut it: from here it can help.
            trial.stage = stage;
        }
        let helped_ms = self.table.general.helped_s * 1000;
        if stage > trial.stage {
            let since_ms = *trial.better_since_ms.get_or_insert(now_ms);
            let sure_ms = since_ms.saturating_add(helped_ms);
            if now_ms >= sure_ms {
                self.finish(&trial, true);
                return true;
            }
            self.due(sure_ms);
        } else {
            trial.better_since_ms = None;
            if now_ms >= trial.until_ms {
                // Where nothing tells, no evidence of trouble is the best there is.
                self.finish(&trial, standing.is_quiet());
                return true;
            }
            self.due(trial.until_ms);
        }
        self.set_phase(Phase::Judging(trial));
        false
    }

    fn finish(&mut self, trial: &Trial, has_helped: bool) {
        let now_ms = self.now_ms();
        let (_, evidence) = self.facts();
        let gap_ms = self
            .table
            .row(&trial.diagnosis)
            .map_or(0, |row| row.gap_s * 1000);
        if let Some(step) = self.memory.steps.last_mut() {
            step.helped = Some(has_helped);
        }
        if let Some(episode) = &mut self.memory.episode {
            episode.forget_patience();
            if !has_helped {
                episode.spent = Some(trial.diagnosis.clone());
                episode.not_before_ms = now_ms.saturating_add(gap_ms);
            }
            episode.phase = Phase::Waiting;
        }
        if let Some(rung) = Rung::of_number(trial.rung) {
            let (severity, code) = if has_helped {
                (Severity::Info, code::RECOVERY_STEP_HELPED)
            } else {
                (Severity::Warning, code::RECOVERY_STEP_FAILED)
            };
            let seconds = now_ms.saturating_sub(trial.since_ms) / 1000;
            let cause = Self::about(code, rung)
                .and("seconds", seconds)
                .and("evidence", evidence);
            self.say(severity, cause);
        }
        self.save(false);
    }

    fn set_phase(&mut self, phase: Phase) {
        if let Some(episode) = &mut self.memory.episode {
            episode.phase = phase;
        }
    }
}
