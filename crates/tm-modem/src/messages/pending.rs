//! Operations that a text message asked for, and whose end is to be answered.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tm_types::OperationId;
use tm_types::text::Language;
use tokio::time::Instant;

use super::words::Command;

/// Operations that are waited for; more are not accepted in the time.
const PENDING_MAX: usize = 8;
/// How long the end is waited for. A restart of the machine is part of it; the wait begins anew after one.
const PATIENCE: Duration = Duration::from_mins(15);

/// What is waited for; kept, because a reboot is answered by the next run.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(super) struct Pending(Vec<Asked>);

/// Who asked for what.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(super) struct Asked {
    id: OperationId,
    pub(super) to: String,
    pub(super) command: Command,
    pub(super) language: Language,
    #[serde(skip)]
    until: Option<Instant>,
}

impl Pending {
    /// The service begins: the wait does as well.
    pub(super) fn begin(&mut self, now: Instant) {
        self.0.truncate(PENDING_MAX);
        for asked in &mut self.0 {
            asked.until = Some(now + PATIENCE);
        }
    }

    pub(super) fn push(
        &mut self,
        id: OperationId,
        to: &str,
        command: Command,
        language: Language,
        now: Instant,
    ) {
        if self.0.len() >= PENDING_MAX {
            self.0.remove(0);
        }
        self.0.push(Asked {
            id,
            to: to.to_owned(),
            command,
            language,
            until: Some(now + PATIENCE),
        });
    }

    pub(super) fn take(&mut self, id: &OperationId) -> Option<Asked> {
        let at = self.0.iter().position(|asked| asked.id == *id)?;
        Some(self.0.remove(at))
    }

    pub(super) fn take_overdue(&mut self, now: Instant) -> Vec<Asked> {
        let is_overdue = |asked: &mut Asked| asked.until.is_none_or(|until| until <= now);
        self.0.extract_if(.., is_overdue).collect()
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.0.iter().filter_map(|asked| asked.until).min()
    }
}
