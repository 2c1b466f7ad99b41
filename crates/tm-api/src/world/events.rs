use std::collections::VecDeque;

use tm_types::{Event, Instance};

/// Events kept.
const EVENTS_MAX: usize = 512;

/// What happened lately, oldest first.
#[derive(Debug)]
pub(crate) struct EventLog {
    epoch: u64,
    events: VecDeque<LoggedEvent>,
    next: u64,
}

/// An event with who told it.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct LoggedEvent {
    pub(crate) number: u64,
    pub(crate) service: Instance,
    pub(crate) event: Event,
}

impl EventLog {
    pub(crate) fn new(epoch: u64) -> Self {
        Self {
            epoch,
            events: VecDeque::new(),
            next: 0,
        }
    }

    pub(crate) fn push(&mut self, service: Instance, event: Event) {
        if self.events.len() >= EVENTS_MAX {
            self.events.pop_front();
        }
        self.events.push_back(LoggedEvent {
            number: self.next,
            service,
            event,
        });
        self.next += 1;
    }

    /// At most `limit` events older than the cursor, newest first, and the cursor of the rest.
    ///
    /// A cursor of an earlier run has nothing older left.
    pub(crate) fn page(
        &self,
        cursor: Option<&str>,
        limit: usize,
    ) -> (Vec<&LoggedEvent>, Option<String>) {
        let before = match cursor.map(|cursor| self.parse(cursor)) {
            None => u64::MAX,
            Some(number) => number.unwrap_or(0),
        };
        let mut older = self
            .events
            .iter()
            .rev()
            .filter(|logged| logged.number < before);
        let page: Vec<_> = older.by_ref().take(limit).collect();
        let more = older.next().is_some();
        let next = page
            .last()
            .filter(|_| more)
            .map(|last| format!("{}-{}", self.epoch, last.number));
        (page, next)
    }

    fn parse(&self, cursor: &str) -> Option<u64> {
        let (epoch, number) = cursor.split_once('-')?;
        (epoch.parse() == Ok(self.epoch))
            .then(|| number.parse().ok())
            .flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_do_not_move_while_the_log_grows() {
        let mut log = EventLog::new(5);
        let event: Event = serde_json::from_str(
            r#"{"stamp":{"time":"2026-09-21T14:13:20.250Z","mono_ms":1,"boot":"00000007","clock":"ntp","err_ms":1},"severity":"info","cause":{"code":"gnss.fix"}}"#,
        )
        .unwrap();
        let push = |log: &mut EventLog| log.push(Instance::new("gnss").unwrap(), event.clone());
        (0..5).for_each(|_| push(&mut log));
        let numbers = |page: &[&LoggedEvent]| page.iter().map(|e| e.number).collect::<Vec<_>>();
        let (page, cursor) = log.page(None, 2);
        assert_eq!(
            (numbers(&page), cursor.as_deref()),
            (vec![4, 3], Some("5-3"))
        );
        let cursor = cursor.unwrap();
        push(&mut log);
        let (page, cursor) = log.page(Some(&cursor), 3);
        assert_eq!((numbers(&page), cursor), (vec![2, 1, 0], None));
        assert!(log.page(Some("4-9"), 3).0.is_empty());
        assert!(log.page(Some("nonsense"), 3).0.is_empty());
        (0..2000).for_each(|_| push(&mut log));
        assert_eq!(log.page(None, 9999).0.len(), EVENTS_MAX);
    }
}
