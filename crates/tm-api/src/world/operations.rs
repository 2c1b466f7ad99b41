use std::collections::{BTreeMap, VecDeque};

use tm_types::{Operation, OperationId};

/// Operations kept.
const OPERATIONS_MAX: usize = 256;

/// What was asked for lately, and what became of it.
#[derive(Debug, Default)]
pub(crate) struct Operations {
    by_id: BTreeMap<OperationId, Operation>,
    order: VecDeque<OperationId>,
    /// What each request of this API asked for, as a digest: an id stands for one request.
    asked: BTreeMap<OperationId, [u8; 32]>,
}

impl Operations {
    /// Keeps how an operation stands; the oldest one is forgotten.
    ///
    /// A final standing is never taken back: an answer may overtake `accepted`.
    pub(crate) fn put(&mut self, operation: Operation) {
        if let Some(known) = self.by_id.get_mut(&operation.id) {
            if !known.status.is_final() || operation.status.is_final() {
                *known = operation;
            }
            return;
        }
        if self.order.len() >= OPERATIONS_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.by_id.remove(&oldest);
            self.asked.remove(&oldest);
        }
        self.order.push_back(operation.id.clone());
        self.by_id.insert(operation.id.clone(), operation);
    }

    /// How an operation stands.
    pub(crate) fn get(&self, id: &OperationId) -> Option<&Operation> {
        self.by_id.get(id)
    }

    /// Forgets how an operation stood, so that it can be asked for again.
    pub(crate) fn forget(&mut self, id: &OperationId) {
        self.by_id.remove(id);
        self.order.retain(|known| known != id);
    }

    /// Every operation, the one heard of last at the end.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &Operation> {
        self.order.iter().filter_map(|id| self.by_id.get(id))
    }

    /// Whether the id is free for, or was used for, exactly this request.
    pub(crate) fn claim(&mut self, id: &OperationId, request: [u8; 32]) -> bool {
        if self.asked.len() >= OPERATIONS_MAX && !self.asked.contains_key(id) {
            self.asked.pop_first();
        }
        *self.asked.entry(id.clone()).or_insert(request) == request
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tm_types::OperationStatus;

    fn operation(id: &str, status: &str) -> Operation {
        serde_json::from_str(&format!(
            r#"{{"id":"{id}","service":"modem","op":"reset","status":"{status}","updated_at":"2026-09-21T14:13:20.250Z"}}"#
        ))
        .unwrap()
    }

    #[test]
    fn a_final_standing_stays() {
        let mut operations = Operations::default();
        for status in ["accepted", "running", "succeeded", "running"] {
            operations.put(operation("a", status));
        }
        let id = "a".parse().unwrap();
        assert_eq!(
            operations.get(&id).unwrap().status,
            OperationStatus::Succeeded
        );
    }

    #[test]
    fn memory_is_bounded() {
        let mut operations = Operations::default();
        for n in 0..1000 {
            operations.put(operation(&format!("id-{n}"), "accepted"));
            assert!(operations.claim(&format!("id-{n}").parse().unwrap(), [0; 32]));
        }
        assert_eq!(operations.iter().count(), OPERATIONS_MAX);
        assert!(operations.asked.len() <= OPERATIONS_MAX);
        assert_eq!(operations.iter().next_back().unwrap().id.as_str(), "id-999");
    }

    #[test]
    fn an_id_stands_for_one_request() {
        let mut operations = Operations::default();
        let id = "a".parse().unwrap();
        assert!(operations.claim(&id, [1; 32]) && operations.claim(&id, [1; 32]));
        assert!(!operations.claim(&id, [2; 32]));
    }
}
