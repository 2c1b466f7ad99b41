//! The executor's side of operations: what was asked, once, and how it stands, across restarts.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use tm_types::text::Language;
use tm_types::{
    BootId, Cause, Code, Command, Instance, Operation, OperationId, OperationStatus, Problem,
    Stamp, Timestamp, code,
};

/// Operations that are remembered.
const KEPT: usize = 64;
/// For how long; results are cleared from the bus after it.
const KEPT_FOR: Duration = Duration::from_hours(24);
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

/// An operation that has ended without success.
pub fn ended(
    id: OperationId,
    service: Instance,
    op: String,
    status: OperationStatus,
    cause: &Cause,
    time: Timestamp,
) -> Operation {
    Operation {
        problem: Some(problem(cause, &id)),
        id,
        service,
        op,
        status,
        progress_percent: None,
        result: None,
        updated_at: time,
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
    problem.args.clone_from(&cause.args);
    problem
}

/// The HTTP status of causes that are not the service's own failure.
const HTTP_STATUS: [(Code, u16); 9] = [
    (code::OPERATION_BAD_ARGUMENTS, 400),
    (code::OPERATION_UNKNOWN, 404),
    (code::OPERATION_BUSY, 409),
    (code::CONFIG_NO_PREVIOUS, 409),
    (code::SENSORS_MAP_UNREADABLE, 409),
    (code::CONFIG_REVISION_MISMATCH, 412),
    (code::SENSORS_MAP_REFUSED, 422),
    (code::SERVICE_UNAVAILABLE, 503),
    (code::OPERATION_EXPIRED, 504),
];

#[cfg(test)]
mod tests {
    use super::*;
    use tm_types::{Clock, Timestamp};

    const HOUR_MS: u64 = 3_600_000;

    fn stamp(boot: u32, mono_ms: u64, unix_ms: i64, clock: Clock) -> Stamp {
        Stamp {
            time: Timestamp::of_unix_ms(unix_ms),
            mono_ms,
            boot: BootId(boot),
            clock,
            err_ms: None,
        }
    }

    fn now() -> Stamp {
        stamp(1, 0, 1_790_000_000_000, Clock::Ntp)
    }

    fn receive(book: &mut Book, id: &str, op: &str) -> bool {
        let command = Command {
            id: OperationId::new(id).unwrap(),
            args: Json::Null,
            ttl_ms: 1000,
            issuer: "test".to_owned(),
            issued_at: Timestamp::EPOCH,
        };
        let service = Instance::new("modem").unwrap();
        book.receive(&service, op, &command, true, &now())
    }

    fn status(book: &Book, id: &str) -> Option<OperationStatus> {
        let mut all = book.all();
        all.find(|o| o.id.as_str() == id).map(|o| o.status)
    }

    #[test]
    fn the_last_64_are_kept_and_what_runs_is_kept_longest() {
        let mut book = Book::default();
        for i in 0..KEPT {
            assert!(receive(&mut book, &format!("op-{i}"), "reset"));
        }
        let done = OperationId::new("op-3").unwrap();
        book.succeed(&done, Json::Null, &now());
        book.take_changes();
        assert!(receive(&mut book, "one-more", "reset"));
        assert_eq!(book.take_changes().1, [done], "its result is cleared");
        assert!(!receive(&mut book, "op-0", "reset"), "a repeat");
        assert_eq!(book.take_changes().0.len(), 1, "is answered again");
    }

    #[test]
    fn a_day_is_counted_by_the_clock_that_knows() {
        let later = 25 * HOUR_MS;
        let later_unix = 1_790_000_000_000 + i64::try_from(later).unwrap();
        for (now, is_forgotten) in [
            (stamp(1, 23 * HOUR_MS, later_unix, Clock::Ntp), false),
            (stamp(1, later, 0, Clock::None), true),
            (stamp(2, 5, later_unix, Clock::Ntp), true),
            (stamp(2, 5, later_unix, Clock::Restored), false),
            (stamp(2, 5, 0, Clock::Ntp), false),
        ] {
            let mut book = Book::default();
            receive(&mut book, "op", "reset");
            book.forget_old(&now);
            assert_eq!(status(&book, "op").is_none(), is_forgotten, "{now:?}");
        }
    }

    #[test]
    fn a_restart_was_done_a_reboot_only_in_another_boot() {
        use OperationStatus::{Failed, Succeeded};
        for (op, boot, expected) in [
            ("reset", 1, Failed),
            ("reset", 2, Failed),
            ("restart", 1, Succeeded),
            ("reboot", 1, Failed),
            ("reboot", 2, Succeeded),
        ] {
            let mut book = Book::default();
            receive(&mut book, "op", op);
            let image = serde_json::to_vec(&book).unwrap();
            let mut book: Book = serde_json::from_slice(&image).unwrap();
            book.recover(&stamp(boot, 9, 0, Clock::None));
            assert_eq!(status(&book, "op"), Some(expected), "{op} {boot}");
        }
    }

    #[test]
    fn nothing_changes_what_has_ended() {
        let mut book = Book::default();
        receive(&mut book, "op", "reset");
        let id = OperationId::new("op").unwrap();
        book.expire(&id, &now());
        book.succeed(&id, Json::Null, &now());
        book.progress(&id, Some(5), &now());
        assert_eq!(status(&book, "op"), Some(OperationStatus::Expired));
    }
}
