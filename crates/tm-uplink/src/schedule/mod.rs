//! What is sent, and when: events in, effects out. No clock, no socket, no disk.
//!
//! Records flow to the cloud in three streams, the first that has something goes first:
//! urgent messages at once, live data in batches, the backlog of earlier times as fast as the path bears it.
//! The last two may be held back: what is held stays in the journal, and goes as backlog when it may.
//! Nothing leaves the journal before its own PUBACK; after a lost connection all that is unsettled is read and sent again.

mod body;
mod event;
mod flow;
mod pace;

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use tm_journal::{Class, Cursor};

pub(crate) use body::{Body, Part as BodyPart, Polled};
pub(crate) use event::{Allowed, Effect, Event, Message, Part, Prepared, Request, Rules};

use flow::Flow;
use pace::Pace;

/// Slots of the window that backlog never takes: a live batch and an alarm always find one.
const RESERVED: usize = 4;

struct Sent {
    part: Part,
    records: Range<u64>,
    at: Duration,
    bytes: usize,
    /// The cloud has read it, and may lose it yet.
    is_read: bool,
}

struct Journal {
    /// What is settled, as the journal knows it too.
    cursor: Cursor,
    /// One past the last committed record.
    end: u64,
}

/// The state machine.
pub(crate) struct Scheduler {
    rules: Rules,
    allowed: Allowed,
    urgent: Journal,
    data: Journal,
    flows: [Flow; 3],
    /// When the first record of the open live batch was committed.
    live_since: Option<Duration>,
    /// Journal bytes in the open live batch.
    live_bytes: u64,
    pace: Pace,
    in_flight: BTreeMap<u64, Sent>,
    /// Those in flight that are read.
    n_read: usize,
    /// Of those that are not.
    bytes_under_way: usize,
    next_ticket: u64,
    connection: u64,
    is_up: bool,
    is_stalled: bool,
    last_ack: Duration,
}

impl Scheduler {
    /// Starts from what the two journals hold: each one's cursor, and one past its last record.
    pub(crate) fn new(rules: Rules, urgent: (Cursor, u64), data: (Cursor, u64)) -> Self {
        let journal = |(cursor, end)| Journal { cursor, end };
        Self {
            rules,
            allowed: Allowed::EVERYTHING,
            urgent: journal(urgent),
            data: journal(data),
            flows: Default::default(),
            live_since: None,
            live_bytes: 0,
            pace: Pace::new(rules.window.saturating_sub(RESERVED)),
            in_flight: BTreeMap::new(),
            n_read: 0,
            bytes_under_way: 0,
            next_ticket: 0,
            connection: 0,
            is_up: false,
            is_stalled: false,
            last_ack: Duration::ZERO,
        }
    }

    /// Takes in what happened at `now` and appends what is to be done.
    pub(crate) fn on(&mut self, event: Event, now: Duration, effects: &mut Vec<Effect>) {
        match event {
            Event::Committed { class, end, bytes } => self.committed(class, end, bytes, now),
            Event::Gone { class, records } => {
                self.journal(class).cursor.settle(records);
            }
            Event::Up => self.up(now),
            Event::Down => self.down(),
            Event::Prepared(prepared) => self.prepared(prepared, effects),
            Event::Acked { ticket } => self.acked(ticket, now, effects),
            Event::Read { ticket } => self.read(ticket, now),
            Event::Heard => self.last_ack = now,
            Event::ClockKnown => {
                for flow in &mut self.flows {
                    flow.held_until = None;
                }
            }
            Event::Batch(batch) => self.rules.batch = batch,
            Event::Allow(allowed) => self.allow(allowed, now),
            Event::Flush if self.live_since.is_some() => self.live_bytes = self.rules.batch_bytes,
            Event::Flush | Event::Tick => {}
        }
        if self.is_up {
            self.set_aside();
            self.close_live_batch(now);
            self.send(now, effects);
            self.request(now, effects);
            self.judge(now, effects);
        }
    }

    /// When [`Event::Tick`] is due at the latest, if ever.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        if !self.is_up {
            return None;
        }
        let batch = self.live_since.map(|since| since + self.rules.batch);
        let stalled = self.stalls_at();
        let parts = Part::ALL.into_iter();
        let allowed = parts.filter(|part| self.allowed.allows(*part));
        let held = allowed.filter_map(|part| self.flows[part as usize].held_until);
        held.chain(batch).chain(stalled).min()
    }

    fn journal(&mut self, class: Class) -> &mut Journal {
        match class {
            Class::Urgent => &mut self.urgent,
            Class::Data => &mut self.data,
        }
    }

    fn flow(&mut self, part: Part) -> &mut Flow {
        &mut self.flows[part as usize]
    }

    fn committed(&mut self, class: Class, end: u64, bytes: u64, now: Duration) {
        let journal = self.journal(class);
        if end <= journal.end {
            return;
        }
        journal.end = end;
        if self.is_up {
            match class {
                Class::Urgent => self.flow(Part::Urgent).until = end,
                Class::Data => {
                    self.live_since.get_or_insert(now);
                    self.live_bytes += bytes;
                }
            }
        }
    }

    fn up(&mut self, now: Duration) {
        self.down();
        self.is_up = true;
        self.last_ack = now;
        self.pace = Pace::new(self.rules.window.saturating_sub(RESERVED));
        let (urgent, data) = (self.urgent.end, self.data.end);
        *self.flow(Part::Urgent) = Flow::over(self.urgent.cursor.low()..urgent);
        *self.flow(Part::Backlog) = Flow::over(self.data.cursor.low()..data);
        *self.flow(Part::Live) = Flow::over(data..data);
    }

    fn down(&mut self) {
        self.connection += 1;
        self.is_up = false;
        self.is_stalled = false;
        self.in_flight.clear();
        self.n_read = 0;
        self.bytes_under_way = 0;
        self.flows = Default::default();
        self.live_since = None;
        self.live_bytes = 0;
    }

    fn prepared(&mut self, prepared: Prepared, effects: &mut Vec<Effect>) {
        if !self.is_up || prepared.connection != self.connection {
            return;
        }
        let class = prepared.part.class();
        let mut at = prepared.covered.start;
        for message in &prepared.messages {
            self.settle(class, at..message.records.start, effects);
            at = message.records.end;
        }
        self.settle(class, at..prepared.covered.end, effects);
        self.flow(prepared.part).answered(prepared);
    }

    fn acked(&mut self, ticket: u64, now: Duration, effects: &mut Vec<Effect>) {
        let Some(sent) = self.in_flight.remove(&ticket) else {
            return;
        };
        if sent.is_read {
            self.n_read -= 1;
        } else {
            self.answered(sent.part, sent.at, sent.bytes, now);
        }
        self.settle(sent.part.class(), sent.records, effects);
    }

    fn read(&mut self, ticket: u64, now: Duration) {
        if let Some(sent) = self.in_flight.get_mut(&ticket)
            && !std::mem::replace(&mut sent.is_read, true)
        {
            let (part, at, bytes) = (sent.part, sent.at, sent.bytes);
            self.n_read += 1;
            self.answered(part, at, bytes, now);
        }
    }

    fn answered(&mut self, part: Part, sent_at: Duration, bytes: usize, now: Duration) {
        self.last_ack = now;
        self.bytes_under_way -= bytes;
        if part == Part::Backlog {
            self.pace.acked(sent_at, now);
        }
    }

    /// Messages that the cloud has not answered.
    fn under_way(&self) -> usize {
        self.in_flight.len() - self.n_read
    }

    fn settle(&mut self, class: Class, records: Range<u64>, effects: &mut Vec<Effect>) {
        if !records.is_empty() {
            self.journal(class).cursor.settle(records.clone());
            effects.push(Effect::Settle { class, records });
        }
    }

    fn allow(&mut self, allowed: Allowed, now: Duration) {
        self.allowed = allowed;
        let (live, end) = (self.flows[Part::Live as usize].until, self.data.end);
        if self.is_up && allowed.live && live < end {
            // Committed while a question about live data was open, and so never set aside.
            self.live_since.get_or_insert(now);
        }
    }

    /// While live data is held, what is not yet asked for goes later, at the backlog's pace.
    fn set_aside(&mut self) {
        if self.allowed.live {
            return;
        }
        self.live_since = None;
        self.live_bytes = 0;
        let end = self.data.end;
        let rest = self.flow(Part::Live).give_up(end);
        self.flow(Part::Backlog).append(rest);
    }

    fn close_live_batch(&mut self, now: Duration) {
        let Some(since) = self.live_since else { return };
        if now >= since + self.rules.batch || self.live_bytes >= self.rules.batch_bytes {
            self.live_since = None;
            self.live_bytes = 0;
            let end = self.data.end;
            self.flow(Part::Live).until = end;
        }
    }

    fn send(&mut self, now: Duration, effects: &mut Vec<Effect>) {
        let window = self.rules.window;
        for part in Part::ALL {
            let slots = match part {
                Part::Urgent => window,
                Part::Live if !self.allowed.live => 0,
                Part::Live => window.saturating_sub(1).max(1),
                Part::Backlog => self.pace.window().min(window).min(self.allowed.backlog),
            };
            // Backlog leaves a quarter to the others.
            let of = |most: usize| match part {
                Part::Backlog => most / 4 * 3,
                Part::Urgent | Part::Live => most,
            };
            let (unsettled, bytes) = (of(self.rules.unsettled), of(self.rules.window_bytes));
            while self.under_way() < slots
                && self.in_flight.len() < unsettled
                && self.bytes_under_way < bytes
            {
                let Some(message) = self.flow(part).take() else {
                    break;
                };
                let ticket = self.next_ticket;
                self.next_ticket += 1;
                let records = message.records.clone();
                if self.under_way() == 0 {
                    // Nothing was due before: the wait for an acknowledgement begins here.
                    self.last_ack = now;
                }
                let bytes = message.payload.len();
                self.bytes_under_way += bytes;
                self.in_flight.insert(
                    ticket,
                    Sent {
                        part,
                        records,
                        at: now,
                        bytes,
                        is_read: false,
                    },
                );
                effects.push(Effect::Send {
                    ticket,
                    class: part.class(),
                    message,
                });
            }
        }
    }

    fn request(&mut self, now: Duration, effects: &mut Vec<Effect>) {
        for part in Part::ALL {
            if !self.allowed.allows(part) {
                continue;
            }
            let cursor = match part.class() {
                Class::Urgent => &self.urgent.cursor,
                Class::Data => &self.data.cursor,
            };
            if let Some(records) = self.flows[part as usize].ask(cursor, now) {
                effects.push(Effect::Prepare(Request {
                    connection: self.connection,
                    part,
                    records,
                }));
            }
        }
    }

    fn judge(&mut self, now: Duration, effects: &mut Vec<Effect>) {
        if self.stalls_at().is_some_and(|at| now >= at) {
            self.is_stalled = true;
            effects.push(Effect::Stalled);
        }
    }

    fn stalls_at(&self) -> Option<Duration> {
        let is_due = self.under_way() > 0 && !self.is_stalled;
        is_due.then(|| self.last_ack + self.rules.stalled_after)
    }
}
