//! The asker's side of operations: commands on their way, and who has not answered.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use tm_types::{Instance, Operation, OperationId, OperationStatus, Timestamp, code, topic};
use tokio::time::Instant;

use super::operations;

/// No `accepted` within this means that nobody listens (commands use clean sessions).
const PATIENCE: Duration = Duration::from_secs(2);

/// Requests that nobody has answered yet.
#[derive(Default, Debug)]
pub(super) struct Requests {
    pending: Vec<Pending>,
    /// To be sent on this connection, or never.
    unsent: VecDeque<(OperationId, String, Bytes)>,
}

#[derive(Debug)]
struct Pending {
    id: OperationId,
    service: Instance,
    op: String,
    until: Instant,
}

impl Requests {
    pub(super) fn ask(&mut self, id: OperationId, service: &Instance, op: &str, command: Bytes) {
        self.pending.push(Pending {
            id: id.clone(),
            service: service.clone(),
            op: op.to_owned(),
            until: Instant::now() + PATIENCE,
        });
        self.unsent
            .push_back((id, topic::command(service, op), command));
    }

    /// The next command to send; those whose asker was told "unavailable" never go out.
    pub(super) fn next_unsent(&mut self) -> Option<(String, Bytes)> {
        let (_, topic, command) = self.unsent.pop_front()?;
        Some((topic, command))
    }

    /// Whether an asker waits for an answer.
    pub(super) fn is_waiting(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Somebody has answered.
    pub(super) fn answered(&mut self, id: &OperationId) {
        self.pending.retain(|pending| pending.id != *id);
    }

    /// What is to be told the askers that nobody has answered.
    pub(super) fn overdue(&mut self, now: Instant, time: Timestamp) -> Vec<Operation> {
        let mut overdue = Vec::new();
        let unsent = &mut self.unsent;
        self.pending.retain(|pending| {
            if pending.until > now {
                return true;
            }
            unsent.retain(|(id, ..)| *id != pending.id);
            let cause = code::SERVICE_UNAVAILABLE.with("service", &pending.service);
            overdue.push(operations::ended(
                pending.id.clone(),
                pending.service.clone(),
                pending.op.clone(),
                OperationStatus::Failed,
                &cause,
                time,
            ));
            false
        });
        overdue
    }
}
