//! The executor's side of operations: what was asked, once, and how it stands, across restarts.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use tm_types::text::Language;
use tm_types::{
    BootId, Cause, Code, Command, Instance, Operation, OperationId, OperationStatus, Problem,
    Stamp, code,
};

/// Operations that are remembered.
const KEPT: usize = 64;
/// For how long; results are cleared from the bus after it.
const KEPT_FOR: Duration = Duration::from_secs(24 * 3600);
/// Operations that end the service or the machine: finding one begun means that it was done.
const RESTART: &str = "restart";
const REBOOT: &str = "reboot";

/// The operations of one service, as they are kept in its store.
#[derive(Default, Debug, Serialize, Deserialize)]
pub(super) struct Book {
    records: VecDeque<Record>,
    /// To be stored and published.
    #[serde(skip)]
    changed: Vec<OperationId>,
    /// To be cleared from the bus.
    #[serde(skip)]
    cleared: Vec<OperationId>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Record {
    operation: Operation,
    boot: BootId,
    mono_ms: u64,
}

impl Book {
    /// Takes up a command: true when it is to be executed, false for one that was seen before.
    pub(super) fn receive(
        &mut self,
        service: &Instance,
        op: &str,
        command: &Command,
        is_known: bool,
        now: &Stamp,
    ) -> bool {
        if self.find(&command.id).is_some() {
            self.changed.push(command.id.clone());
            return false;
        }
        while self.records.len() >= KEPT {
            let ended = |record: &Record| record.operation.status.is_final();
            let oldest = self.records.iter().position(ended).unwrap_or(0);
            self.forget(oldest);
        }
        self.records.push_back(Record {
            operation: Operation {
                id: command.id.clone(),
                service: service.clone(),
                op: op.to_owned(),
                status: OperationStatus::Accepted,
                progress_percent: None,
                result: None,
                problem: None,
                updated_at: now.time,
            },
            boot: now.boot,
            mono_ms: now.mono_ms,
        });
        self.changed.push(command.id.clone());
        if !is_known {
            let cause = code::OPERATION_UNKNOWN.with("service", service);
            self.fail(&command.id, &cause.and("op", op), now);
        }
        is_known
    }

    pub(super) fn progress(&mut self, id: &OperationId, percent: Option<u8>, now: &Stamp) {
        self.update(id, now, |operation| {
            operation.status = OperationStatus::Running;
            operation.progress_percent = percent.map(|percent| percent.min(100));
        });
    }

    pub(super) fn succeed(&mut self, id: &OperationId, result: Json, now: &Stamp) {
        self.update(id, now, |operation| {
            operation.status = OperationStatus::Succeeded;
            operation.progress_percent = None;
            operation.result = Some(result);
        });
    }

    pub(super) fn fail(&mut self, id: &OperationId, cause: &Cause, now: &Stamp) {
        self.update(id, now, |operation| {
            operation.status = OperationStatus::Failed;
            operation.progress_percent = None;
            operation.problem = Some(problem(cause, id));
        });
    }

    pub(super) fn expire(&mut self, id: &OperationId, now: &Stamp) {
        self.update(id, now, |operation| {
            operation.status = OperationStatus::Expired;
            operation.problem = Some(problem(&code::OPERATION_EXPIRED.plain(), id));
        });
    }

    /// After a start: nothing runs any more. A restart has happened; a reboot, if the boot is another.
    pub(super) fn recover(&mut self, now: &Stamp) {
        let open: Vec<(OperationId, bool)> = self
            .records
            .iter()
            .filter(|record| !record.operation.status.is_final())
            .map(|record| {
                let op = record.operation.op.as_str();
                let is_done = op == RESTART || (op == REBOOT && record.boot != now.boot);
                (record.operation.id.clone(), is_done)
            })
            .collect();
        for (id, is_done) in open {
            if is_done {
                self.succeed(&id, Json::Null, now);
            } else {
                self.fail(&id, &code::OPERATION_INTERRUPTED.plain(), now);
            }
        }
    }

    /// Forgets what is older than a day. Times of another boot count by the wall clock, if it can
    /// be trusted now.
    pub(super) fn forget_old(&mut self, now: &Stamp) {
        let is_old = |record: &Record| {
            let ms = if record.boot == now.boot {
                now.mono_ms.saturating_sub(record.mono_ms)
            } else if now.clock.is_trusted() {
                u64::try_from(now.time.ms_since(record.operation.updated_at)).unwrap_or(0)
            } else {
                0
            };
            Duration::from_millis(ms) > KEPT_FOR
        };
        while let Some(index) = self.records.iter().position(is_old) {
            self.forget(index);
        }
    }

    /// How each kept operation stands, to publish again on a broker that may have forgotten.
    pub(super) fn all(&self) -> impl Iterator<Item = &Operation> {
        self.records.iter().map(|record| &record.operation)
    }

    /// Whether there is something to store and to publish.
    pub(super) fn is_changed(&self) -> bool {
        !self.changed.is_empty() || !self.cleared.is_empty()
    }

    /// What changed since the last call, and which results to clear from the bus.
    pub(super) fn take_changes(&mut self) -> (Vec<Operation>, Vec<OperationId>) {
        let ids = std::mem::take(&mut self.changed);
        let changed = ids.iter().filter_map(|id| self.find(id));
        (
            changed.map(|record| record.operation.clone()).collect(),
            std::mem::take(&mut self.cleared),
        )
    }

    fn find(&self, id: &OperationId) -> Option<&Record> {
        self.records
            .iter()
            .find(|record| record.operation.id == *id)
    }

    fn update(&mut self, id: &OperationId, now: &Stamp, change: impl FnOnce(&mut Operation)) {
        let mut records = self.records.iter_mut();
        let Some(record) = records.find(|record| record.operation.id == *id) else {
            return;
        };
        if record.operation.status.is_final() {
            return;
        }
        change(&mut record.operation);
        record.operation.updated_at = now.time;
        (record.boot, record.mono_ms) = (now.boot, now.mono_ms);
        self.changed.push(id.clone());
    }

    fn forget(&mut self, index: usize) {
        if let Some(record) = self.records.remove(index) {
            self.cleared.push(record.operation.id);
        }
    }
}

/// The problem of an operation that did not succeed.
pub(super) fn problem(cause: &Cause, id: &OperationId) -> Problem {
    let status = HTTP_STATUS
        .iter()
        .find(|(code, _)| cause.is(*code))
        .map_or(500, |(_, status)| *status);
    let mut problem = Problem::of_cause(cause, status, Language::En);
    problem.instance = Some(id.to_string());
    problem
}

/// The HTTP status of causes that are not the service's own failure.
const HTTP_STATUS: [(Code, u16); 4] = [
    (code::OPERATION_BAD_ARGUMENTS, 400),
    (code::OPERATION_UNKNOWN, 404),
    (code::SERVICE_UNAVAILABLE, 503),
    (code::OPERATION_EXPIRED, 504),
];
