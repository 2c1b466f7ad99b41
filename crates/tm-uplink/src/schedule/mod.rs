//! What is sent, and when: events in, effects out. No clock, no socket, no disk.
//!
//! Records flow to the cloud in three streams, the first that has something goes first:
//! urgent messages at once, live data in batches, the backlog of earlier times as fast as the path bears it.
//! Nothing leaves the journal before its own PUBACK; after a lost connection all that is unsettled is read and sent again.

mod flow;
#[cfg(test)]
mod model;
mod pace;

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;
use tm_journal::{Class, Cursor};

use flow::Flow;
use pace::Pace;

/// Slots of the window that backlog never takes: a live batch and an alarm always find one.
const RESERVED: usize = 4;

/// A part of a class that is read and sent in its own order; the order here is the order of precedence.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) enum Part {
    /// All of the urgent class.
    Urgent,
    /// Data committed since the connection stands.
    Live,
    /// Data that was there before.
    Backlog,
}

impl Part {
    const ALL: [Self; 3] = [Self::Urgent, Self::Live, Self::Backlog];

    /// The journal it is read from.
    pub(crate) fn class(self) -> Class {
        match self {
            Self::Urgent => Class::Urgent,
            Self::Live | Self::Backlog => Class::Data,
        }
    }
}

/// A payload and the records it carries.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Message {
    /// Its records, by number within their journal.
    pub(crate) records: Range<u64>,
    /// What stands for `{class}` in its topic: `data`, `event`, `alarm`, `res`.
    pub(crate) kind: &'static str,
    /// What goes over the wire.
    pub(crate) payload: Bytes,
}

/// A question to whoever reads and encodes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Request {
    /// Given back with the answer: answers to an earlier connection's questions are void.
    pub(crate) connection: u64,
    /// Whose.
    pub(crate) part: Part,
    /// Committed, unsettled records; the answer may cover a first part of them.
    pub(crate) records: Range<u64>,
}

/// An answer to a [`Request`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Prepared {
    /// From the request.
    pub(crate) connection: u64,
    /// From the request.
    pub(crate) part: Part,
    /// What is to be sent, ascending.
    pub(crate) messages: Vec<Message>,
    /// The records that were looked at: those in no message do not exist any more, or cannot be read.
    pub(crate) covered: Range<u64>,
    /// The next record waits for a better clock, until then at most.
    pub(crate) held_until: Option<Duration>,
}

/// What happens to the scheduler.
#[derive(Debug)]
pub(crate) enum Event {
    /// The journal of that class holds records up to `end` on flash; `bytes` of them are new.
    Committed { class: Class, end: u64, bytes: u64 },
    /// The journal dropped these for room: they are neither sent nor asked for any more.
    Gone { class: Class, records: Range<u64> },
    /// The cloud connection stands.
    Up,
    /// The cloud connection is lost, and with it every acknowledgement under way.
    Down,
    /// A request is answered.
    Prepared(Prepared),
    /// The cloud has acknowledged what was sent under that ticket.
    Acked { ticket: u64 },
    /// A better clock is known: nothing need be held back any longer.
    ClockKnown,
    /// Time has passed.
    Tick,
}

/// What is to be done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Effect {
    /// Read and encode.
    Prepare(Request),
    /// Send; the ticket comes back with the PUBACK.
    Send {
        ticket: u64,
        class: Class,
        message: Message,
    },
    /// These records need not be sent again. Those of a ticket were acknowledged, the others are gone.
    Settle { class: Class, records: Range<u64> },
    /// The cloud acknowledges nothing: give the connection up. Said once per connection.
    Stalled,
}

/// What the scheduler goes by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    /// How long live data is collected into one batch.
    pub(crate) batch: Duration,
    /// Journal bytes after which a live batch is closed early.
    pub(crate) batch_bytes: u64,
    /// Messages that may be unacknowledged, all parts together.
    pub(crate) window: usize,
    /// Without any acknowledgement for that long, while one is due, the connection counts as dead.
    pub(crate) stalled_after: Duration,
}

struct Sent {
    part: Part,
    records: Range<u64>,
    at: Duration,
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
    urgent: Journal,
    data: Journal,
    flows: [Flow; 3],
    /// When the first record of the open live batch was committed.
    live_since: Option<Duration>,
    /// Journal bytes in the open live batch.
    live_bytes: u64,
    pace: Pace,
    in_flight: BTreeMap<u64, Sent>,
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
            urgent: journal(urgent),
            data: journal(data),
            flows: Default::default(),
            live_since: None,
            live_bytes: 0,
            pace: Pace::new(rules.window.saturating_sub(RESERVED)),
            in_flight: BTreeMap::new(),
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
            Event::ClockKnown => {
                for flow in &mut self.flows {
                    flow.held_until = None;
                }
            }
            Event::Tick => {}
        }
        if self.is_up {
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
        let held = self.flows.iter().filter_map(|flow| flow.held_until);
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
        self.last_ack = now;
        if sent.part == Part::Backlog {
            self.pace.acked(sent.at, now);
        }
        self.settle(sent.part.class(), sent.records, effects);
    }

    fn settle(&mut self, class: Class, records: Range<u64>, effects: &mut Vec<Effect>) {
        if !records.is_empty() {
            self.journal(class).cursor.settle(records.clone());
            effects.push(Effect::Settle { class, records });
        }
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
                Part::Live => window.saturating_sub(1).max(1),
                Part::Backlog => self.pace.window().min(window),
            };
            while self.in_flight.len() < slots {
                let Some(message) = self.flow(part).take() else {
                    break;
                };
                let ticket = self.next_ticket;
                self.next_ticket += 1;
                let records = message.records.clone();
                if self.in_flight.is_empty() {
                    // Nothing was due before: the wait for an acknowledgement begins here.
                    self.last_ack = now;
                }
                self.in_flight.insert(
                    ticket,
                    Sent {
                        part,
                        records,
                        at: now,
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
        let is_due = !self.in_flight.is_empty() && !self.is_stalled;
        is_due.then(|| self.last_ack + self.rules.stalled_after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: Rules = Rules {
        batch: Duration::from_secs(60),
        batch_bytes: 1000,
        window: 8,
        stalled_after: Duration::from_secs(30),
    };

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    struct Bench {
        scheduler: Scheduler,
    }

    impl Bench {
        fn holding(urgent: u64, data: u64) -> Self {
            let scheduler = Scheduler::new(RULES, (Cursor::at(0), urgent), (Cursor::at(0), data));
            Self { scheduler }
        }

        fn on(&mut self, event: Event, at: u64) -> Vec<Effect> {
            let mut effects = Vec::new();
            self.scheduler.on(event, s(at), &mut effects);
            effects
        }

        /// Answers a request with one message for all its records.
        fn answer(&mut self, request: Request, at: u64) -> Vec<Effect> {
            let message = Message {
                records: request.records.clone(),
                kind: "data",
                payload: Bytes::new(),
            };
            self.on(
                Event::Prepared(Prepared {
                    connection: request.connection,
                    part: request.part,
                    messages: vec![message],
                    covered: request.records,
                    held_until: None,
                }),
                at,
            )
        }
    }

    fn requests(effects: &[Effect]) -> Vec<Request> {
        let of = |effect: &Effect| match effect {
            Effect::Prepare(request) => Some(request.clone()),
            _ => None,
        };
        effects.iter().filter_map(of).collect()
    }

    fn sent(effects: &[Effect]) -> Vec<(u64, Class, Range<u64>)> {
        let of = |effect: &Effect| match effect {
            Effect::Send {
                ticket,
                class,
                message,
            } => Some((*ticket, *class, message.records.clone())),
            _ => None,
        };
        effects.iter().filter_map(of).collect()
    }

    #[test]
    fn live_data_waits_for_its_batch_and_backlog_does_not() {
        let mut bench = Bench::holding(0, 10);
        let asked = requests(&bench.on(Event::Up, 0));
        assert_eq!(asked.len(), 1);
        assert_eq!(
            (asked[0].part, asked[0].records.clone()),
            (Part::Backlog, 0..10)
        );
        assert_eq!(
            sent(&bench.answer(asked[0].clone(), 0)),
            [(0, Class::Data, 0..10)]
        );
        let committed = |end| Event::Committed {
            class: Class::Data,
            end,
            bytes: 10,
        };
        assert!(bench.on(committed(11), 1).is_empty());
        assert!(bench.on(committed(12), 29).is_empty());
        assert_eq!(
            bench.scheduler.deadline(),
            Some(s(30)),
            "the stall comes first"
        );
        bench.on(Event::Acked { ticket: 0 }, 30);
        assert_eq!(bench.scheduler.deadline(), Some(s(61)));
        let asked = requests(&bench.on(Event::Tick, 61));
        assert_eq!(
            (asked[0].part, asked[0].records.clone()),
            (Part::Live, 10..12)
        );
    }

    #[test]
    fn a_full_batch_goes_early() {
        let mut bench = Bench::holding(0, 0);
        bench.on(Event::Up, 0);
        let committed = Event::Committed {
            class: Class::Data,
            end: 50,
            bytes: 1000,
        };
        assert_eq!(requests(&bench.on(committed, 1))[0].records, 0..50);
    }

    #[test]
    fn urgent_messages_go_at_once_and_first() {
        let mut bench = Bench::holding(2, 10);
        let asked = requests(&bench.on(Event::Up, 0));
        assert_eq!(asked[0].part, Part::Urgent);
        let late = Event::Committed {
            class: Class::Urgent,
            end: 3,
            bytes: 10,
        };
        assert!(
            requests(&bench.on(late, 0)).is_empty(),
            "one question at a time"
        );
        let effects = bench.answer(asked[0].clone(), 0);
        assert_eq!(sent(&effects), [(0, Class::Urgent, 0..2)]);
        assert_eq!(requests(&effects)[0].records, 2..3);
    }

    #[test]
    fn what_was_acknowledged_is_settled_and_never_asked_for_again() {
        let mut bench = Bench::holding(0, 10);
        let asked = requests(&bench.on(Event::Up, 0));
        bench.answer(asked[0].clone(), 0);
        let effects = bench.on(Event::Acked { ticket: 0 }, 1);
        assert_eq!(
            effects,
            [Effect::Settle {
                class: Class::Data,
                records: 0..10
            }]
        );
        assert!(bench.on(Event::Acked { ticket: 0 }, 1).is_empty());
        bench.on(Event::Down, 2);
        assert!(bench.on(Event::Up, 3).is_empty());
    }

    #[test]
    fn after_a_lost_connection_everything_unacknowledged_is_read_again() {
        let mut bench = Bench::holding(0, 10);
        let asked = requests(&bench.on(Event::Up, 0));
        bench.answer(asked[0].clone(), 0);
        assert!(bench.on(Event::Down, 1).is_empty());
        assert_eq!(bench.scheduler.deadline(), None);
        assert!(
            bench.on(Event::Acked { ticket: 0 }, 1).is_empty(),
            "it died with its connection"
        );
        let again = requests(&bench.on(Event::Up, 2));
        assert_eq!(again[0].records, 0..10);
        assert!(
            bench.answer(asked[0].clone(), 2).is_empty(),
            "an answer to the old connection"
        );
    }

    #[test]
    fn records_that_are_gone_are_settled() {
        let mut bench = Bench::holding(0, 10);
        let asked = requests(&bench.on(Event::Up, 0));
        let message = Message {
            records: 4..6,
            kind: "data",
            payload: Bytes::new(),
        };
        let effects = bench.on(
            Event::Prepared(Prepared {
                connection: asked[0].connection,
                part: Part::Backlog,
                messages: vec![message],
                covered: 0..8,
                held_until: None,
            }),
            0,
        );
        assert_eq!(
            effects[0],
            Effect::Settle {
                class: Class::Data,
                records: 0..4
            }
        );
        assert_eq!(
            effects[1],
            Effect::Settle {
                class: Class::Data,
                records: 6..8
            }
        );
        assert_eq!(requests(&effects)[0].records, 8..10);
    }

    #[test]
    fn what_is_held_back_is_asked_for_again_when_the_clock_is_known_or_time_is_up() {
        for (event, at) in [(Event::ClockKnown, 5), (Event::Tick, 900)] {
            let mut bench = Bench::holding(0, 10);
            let asked = requests(&bench.on(Event::Up, 0));
            let held = Event::Prepared(Prepared {
                connection: asked[0].connection,
                part: Part::Backlog,
                messages: Vec::new(),
                covered: 0..0,
                held_until: Some(s(900)),
            });
            assert!(bench.on(held, 1).is_empty());
            assert!(bench.on(Event::Tick, 2).is_empty());
            assert_eq!(bench.scheduler.deadline(), Some(s(900)));
            assert_eq!(requests(&bench.on(event, at))[0].records, 0..10);
        }
    }

    #[test]
    fn silence_while_something_is_due_is_a_stall_said_once() {
        let mut bench = Bench::holding(0, 10);
        let asked = requests(&bench.on(Event::Up, 0));
        bench.answer(asked[0].clone(), 100);
        assert!(bench.on(Event::Tick, 129).is_empty());
        assert_eq!(bench.on(Event::Tick, 130), [Effect::Stalled]);
        assert!(bench.on(Event::Tick, 200).is_empty());
        bench.on(Event::Up, 201);
        assert!(bench.on(Event::Tick, 400).is_empty(), "nothing is due");
    }

    #[test]
    fn what_the_quota_dropped_is_not_asked_for() {
        let mut bench = Bench::holding(0, 10);
        bench.on(
            Event::Gone {
                class: Class::Data,
                records: 0..6,
            },
            0,
        );
        assert_eq!(requests(&bench.on(Event::Up, 0))[0].records, 6..10);
    }
}
