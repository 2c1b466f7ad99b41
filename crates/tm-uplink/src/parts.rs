//! Messages that go out in several parts: fed as there is room, done with the last acknowledgement.

use std::collections::{HashMap, VecDeque};

use crate::schedule::BodyPart;

/// A part that waits for room.
#[derive(Debug)]
pub(crate) struct Waiting {
    /// Its number, never used again.
    pub(crate) number: u64,
    /// Its topic's class.
    pub(crate) kind: &'static str,
    /// The message.
    pub(crate) part: BodyPart,
}

/// All parts of what is under way; the scheduler's window and what is prepared bound them.
#[derive(Debug, Default)]
pub(crate) struct Parts {
    waiting: VecDeque<Waiting>,
    /// The ticket that each part on its way belongs to.
    open: HashMap<u64, u64>,
    /// Parts of each ticket that are not acknowledged.
    left: HashMap<u64, usize>,
    next: u64,
}

impl Parts {
    /// Takes the parts of a ticket: one at least.
    pub(crate) fn add(&mut self, ticket: u64, kind: &'static str, parts: Vec<BodyPart>) {
        self.left.insert(ticket, parts.len());
        for part in parts {
            let number = self.next;
            self.next += 1;
            self.open.insert(number, ticket);
            self.waiting.push_back(Waiting { number, kind, part });
        }
    }

    /// The next part to be sent.
    pub(crate) fn take(&mut self) -> Option<Waiting> {
        self.waiting.pop_front()
    }

    /// Takes in that a part is acknowledged, or can never be; its ticket if that was the last one.
    pub(crate) fn acked(&mut self, number: u64) -> Option<u64> {
        let ticket = self.open.remove(&number)?;
        let left = self.left.get_mut(&ticket)?;
        *left -= 1;
        if *left > 0 {
            return None;
        }
        self.left.remove(&ticket);
        Some(ticket)
    }

    /// Everything is lost with the connection.
    pub(crate) fn clear(&mut self) {
        self.waiting.clear();
        self.open.clear();
        self.left.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(n: usize) -> Vec<BodyPart> {
        let part = BodyPart {
            below: "a/b".to_owned(),
            payload: bytes::Bytes::new(),
        };
        vec![part; n]
    }

    #[test]
    fn a_ticket_is_done_with_its_last_part_whatever_their_order() {
        let mut open = Parts::default();
        open.add(5, "data", parts(2));
        open.add(6, "data", parts(1));
        let numbers: Vec<u64> = std::iter::from_fn(|| open.take())
            .map(|part| part.number)
            .collect();
        assert_eq!(open.acked(numbers[1]), None);
        assert_eq!(open.acked(numbers[1]), None, "only once");
        assert_eq!(open.acked(numbers[2]), Some(6));
        assert_eq!(open.acked(numbers[0]), Some(5));
    }

    #[test]
    fn an_acknowledgement_of_a_lost_connection_counts_for_nothing() {
        let mut open = Parts::default();
        open.add(0, "data", parts(1));
        let lost = open.take().map(|part| part.number);
        open.clear();
        open.add(0, "data", parts(1));
        assert_eq!(lost.and_then(|number| open.acked(number)), None);
    }
}
