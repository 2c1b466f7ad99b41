use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use super::BusEvent;

/// Events that may wait for the service before the bus stops reading.
const FULL: usize = 4096;

/// What waits for the service.
#[derive(Default, Debug)]
pub(super) struct Inbox {
    events: VecDeque<(BusEvent, Option<Instant>)>,
}

impl Inbox {
    pub(super) fn push(&mut self, event: BusEvent) {
        self.events.push_back((event, None));
    }

    /// An event that is void when it is not fetched in time.
    pub(super) fn push_with_ttl(&mut self, event: BusEvent, ttl: Duration) {
        self.events.push_back((event, Some(Instant::now() + ttl)));
    }

    /// The oldest event, and whether it comes too late.
    pub(super) fn pop(&mut self) -> Option<(BusEvent, bool)> {
        let (event, until) = self.events.pop_front()?;
        Some((event, until.is_some_and(|until| Instant::now() > until)))
    }

    pub(super) fn is_full(&self) -> bool {
        self.events.len() >= FULL
    }
}
