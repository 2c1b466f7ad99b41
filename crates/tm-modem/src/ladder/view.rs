//! The ladder as the state shows it.

use tm_types::{Recovery, RecoveryStatus, Stamp};

use super::Ladder;
use super::episode::Phase;

impl Ladder {
    /// For the state.
    pub(crate) fn view(&self, now: &Stamp) -> Recovery {
        let episode = self.memory.episode.as_ref();
        let trouble = episode.filter(|episode| episode.quiet_since_ms.is_none());
        let diagnosis = self
            .diagnosis
            .as_ref()
            .filter(|diagnosis| trouble.is_some() && !diagnosis.standing.is_quiet());
        let passed = now.mono_ms.saturating_sub(self.memory.mono_ms);
        let status = self.status();
        let due_ms = self.due_ms.filter(|_| status != RecoveryStatus::Watching);
        let next_in_s = due_ms.map(|due| {
            let left = due.saturating_sub(self.memory.powered_ms.saturating_add(passed));
            u32::try_from(left.div_ceil(1000)).unwrap_or(u32::MAX)
        });
        let last = self.memory.steps.last();
        Recovery {
            status,
            diagnosis: diagnosis.map(|diagnosis| diagnosis.cause.code.clone()),
            since: trouble.map(|episode| episode.since),
            rung: last.map(|step| step.rung),
            next_in_s,
            hands_off_until: self.memory.hands_off.as_ref().map(|quiet| quiet.shown),
            steps: self.memory.shown(),
        }
    }

    fn status(&self) -> RecoveryStatus {
        if self.memory.held_by.is_some() {
            return RecoveryStatus::Held;
        }
        if self.memory.hands_off.is_some() {
            return RecoveryStatus::HandsOff;
        }
        let Some(episode) = &self.memory.episode else {
            return RecoveryStatus::Watching;
        };
        let is_quiet = episode.quiet_since_ms.is_some();
        match episode.phase {
            Phase::Acting(_) | Phase::Judging(_) => RecoveryStatus::Judging,
            _ if is_quiet => RecoveryStatus::Watching,
            Phase::Waiting => RecoveryStatus::Waiting,
            Phase::BackingOff(_) => RecoveryStatus::BackingOff,
            Phase::Ended => {
                let row = self.diagnosis.as_ref();
                let row = row.and_then(|diagnosis| self.table.row(&diagnosis.cause.code));
                if row.is_none_or(|row| row.person) {
                    RecoveryStatus::Stopped
                } else {
                    RecoveryStatus::Waiting
                }
            }
        }
    }
}
