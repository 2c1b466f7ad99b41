//! The scheduler against a world that commits, cuts, answers and acknowledges at random.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;
use tm_journal::Cursor;

use super::*;

const RULES: Rules = Rules {
    batch: Duration::from_mins(1),
    batch_bytes: 500,
    window: 6,
    window_bytes: 4000,
    unsettled: 8,
    stalled_after: Duration::from_secs(30),
};

#[derive(Debug, Clone, Copy)]
enum Step {
    Commit {
        urgent: bool,
        records: u64,
    },
    Up,
    Down,
    /// Answer an open request: how much of it, in how many messages, with how many records lost in front.
    Answer {
        which: usize,
        most: u64,
        per_message: u64,
        lost: u64,
        held: bool,
    },
    Ack {
        which: usize,
    },
    /// Read, and not acknowledged.
    Read {
        which: usize,
    },
    Wait {
        seconds: u64,
    },
    Drop {
        below: u64,
    },
    Allow(Allowed),
}

fn step() -> impl Strategy<Value = Step> {
    // Connections last long enough for several things to happen on one.
    prop_oneof![
        4 => (prop::bool::weighted(0.3), 1_u64..30)
            .prop_map(|(urgent, records)| Step::Commit { urgent, records }),
        1 => Just(Step::Up),
        1 => Just(Step::Down),
        4 => (
            any::<usize>(),
            1_u64..20,
            1_u64..6,
            0_u64..3,
            prop::bool::weighted(0.1)
        )
            .prop_map(|(which, most, per_message, lost, held)| Step::Answer {
                which,
                most,
                per_message,
                lost,
                held
            }),
        2 => any::<usize>().prop_map(|which| Step::Read { which }),
        4 => any::<usize>().prop_map(|which| Step::Ack { which }),
        2 => (0_u64..40).prop_map(|seconds| Step::Wait { seconds }),
        1 => (0_u64..30).prop_map(|below| Step::Drop { below }),
        3 => (any::<bool>(), prop::sample::select(vec![0, 1, usize::MAX]))
            .prop_map(|(live, backlog)| Step::Allow(Allowed { live, backlog })),
    ]
}

struct World {
    scheduler: Scheduler,
    now: Duration,
    end: BTreeMap<Class, u64>,
    /// Acknowledged by the cloud, or gone: by class and number.
    done: BTreeSet<(Class, u64)>,
    open: Vec<Request>,
    in_flight: BTreeMap<u64, (Class, Range<u64>)>,
    /// Those of them that are read.
    read: BTreeSet<u64>,
    /// What was sent on this connection, and the highest of each part.
    sent: BTreeSet<(Class, u64)>,
    is_up: bool,
    is_stalled: bool,
    allowed: Allowed,
}

impl World {
    fn new() -> Self {
        let empty = || (Cursor::at(0), 0);
        Self {
            scheduler: Scheduler::new(RULES, empty(), empty()),
            now: Duration::ZERO,
            end: BTreeMap::from([(Class::Urgent, 0), (Class::Data, 0)]),
            done: BTreeSet::new(),
            open: Vec::new(),
            in_flight: BTreeMap::new(),
            read: BTreeSet::new(),
            sent: BTreeSet::new(),
            is_up: false,
            is_stalled: false,
            allowed: Allowed::EVERYTHING,
        }
    }

    fn on(&mut self, event: Event) -> Result<(), TestCaseError> {
        let mut effects = Vec::new();
        self.scheduler.on(event, self.now, &mut effects);
        for effect in effects {
            self.check(effect)?;
        }
        prop_assert!(self.in_flight.len() - self.read.len() <= RULES.window);
        prop_assert!(self.in_flight.len() <= RULES.unsettled);
        // A message of the model has a kilobyte, and one of them may go beyond.
        let unread = self
            .scheduler
            .in_flight
            .values()
            .filter(|sent| !sent.is_read);
        let bytes: usize = unread.map(|sent| sent.bytes).sum();
        prop_assert_eq!(bytes, self.scheduler.bytes_under_way);
        prop_assert!(bytes < RULES.window_bytes + 1000);
        let deadline = self.scheduler.deadline();
        prop_assert!(
            deadline.is_none_or(|at| at > self.now),
            "a deadline that has passed wakes for ever"
        );
        prop_assert_eq!(self.in_flight.len(), self.scheduler.in_flight.len());
        Ok(())
    }

    fn check(&mut self, effect: Effect) -> Result<(), TestCaseError> {
        prop_assert!(self.is_up, "{effect:?} without a connection");
        match effect {
            Effect::Prepare(request) => {
                prop_assert!(self.allowed.allows(request.part), "{request:?} is held");
                let class = request.part.class();
                prop_assert!(!request.records.is_empty());
                prop_assert!(request.records.end <= self.end[&class], "not committed yet");
                for seq in request.records.clone() {
                    prop_assert!(!self.done.contains(&(class, seq)), "{seq} is settled");
                    prop_assert!(!self.sent.contains(&(class, seq)), "{seq} is under way");
                }
                prop_assert!(self.open.iter().all(|open| open.part != request.part));
                self.open.push(request);
            }
            Effect::Send {
                ticket,
                class,
                message,
            } => {
                self.check_allowed(ticket)?;
                for seq in message.records.clone() {
                    prop_assert!(self.sent.insert((class, seq)), "{seq} is sent twice");
                }
                self.in_flight.insert(ticket, (class, message.records));
            }
            Effect::Settle { class, records } => {
                for seq in records {
                    prop_assert!(
                        self.done.contains(&(class, seq)),
                        "{seq} settled, not acknowledged"
                    );
                }
            }
            Effect::Stalled => {
                prop_assert!(!self.is_stalled && self.in_flight.len() > self.read.len());
                self.is_stalled = true;
            }
        }
        Ok(())
    }

    fn check_allowed(&self, ticket: u64) -> Result<(), TestCaseError> {
        let part = self.scheduler.in_flight[&ticket].part;
        prop_assert!(self.allowed.allows(part), "{part:?} is held");
        let backlog = self.scheduler.in_flight.range(..=ticket);
        let backlog = backlog.filter(|(_, sent)| sent.part == Part::Backlog && !sent.is_read);
        if part == Part::Backlog {
            prop_assert!(backlog.count() <= self.allowed.backlog);
        }
        Ok(())
    }

    fn up(&mut self) -> Result<(), TestCaseError> {
        self.connection_is_new(true);
        self.on(Event::Up)
    }

    fn connection_is_new(&mut self, is_up: bool) {
        self.open.clear();
        self.in_flight.clear();
        self.read.clear();
        self.sent.clear();
        self.is_up = is_up;
        self.is_stalled = false;
    }

    fn answer(
        &mut self,
        request: &Request,
        most: u64,
        per_message: u64,
        lost: u64,
        held: bool,
    ) -> Result<(), TestCaseError> {
        let start = request.records.start;
        let class = request.part.class();
        if held {
            let until = Some(self.now + Duration::from_secs(20));
            return self.on(Event::Prepared(Prepared {
                connection: request.connection,
                part: request.part,
                messages: Vec::new(),
                covered: start..start,
                held_until: until,
            }));
        }
        let end = request.records.end.min(start + most);
        let mut at = end.min(start + lost);
        self.done.extend((start..at).map(|seq| (class, seq)));
        // What goes ahead of them has no records.
        let mut messages = vec![Message {
            records: at..at,
            kind: "dictionary",
            payload: Bytes::new().into(),
            is_backlog: false,
        }];
        while at < end {
            let next = end.min(at + per_message);
            messages.push(Message {
                records: at..next,
                kind: "data",
                payload: Bytes::from_static(&[0; 1000]).into(),
                is_backlog: false,
            });
            at = next;
        }
        self.on(Event::Prepared(Prepared {
            connection: request.connection,
            part: request.part,
            messages,
            covered: start..end,
            held_until: None,
        }))
    }

    fn ack(&mut self, ticket: u64) -> Result<(), TestCaseError> {
        if let Some((class, records)) = self.in_flight.remove(&ticket) {
            self.done.extend(records.map(|seq| (class, seq)));
        }
        self.read.remove(&ticket);
        self.on(Event::Acked { ticket })
    }

    fn take(&mut self, step: Step) -> Result<(), TestCaseError> {
        match step {
            Step::Commit { urgent, records } => {
                let class = if urgent { Class::Urgent } else { Class::Data };
                let end = self.end[&class] + records;
                self.end.insert(class, end);
                self.on(Event::Committed {
                    class,
                    end,
                    bytes: records * 20,
                })
            }
            Step::Up => self.up(),
            Step::Down => {
                self.connection_is_new(false);
                self.on(Event::Down)
            }
            Step::Answer {
                which,
                most,
                per_message,
                lost,
                held,
            } if !self.open.is_empty() => {
                let request = self.open.remove(which % self.open.len());
                self.answer(&request, most, per_message, lost, held)
            }
            Step::Ack { which } if !self.in_flight.is_empty() => {
                let ticket = *self
                    .in_flight
                    .keys()
                    .nth(which % self.in_flight.len())
                    .expect("within the length");
                self.ack(ticket)
            }
            Step::Read { which } if !self.in_flight.is_empty() => {
                let ticket = *self
                    .in_flight
                    .keys()
                    .nth(which % self.in_flight.len())
                    .expect("within the length");
                self.read.insert(ticket);
                self.on(Event::Read { ticket })
            }
            Step::Wait { seconds } => {
                self.now += Duration::from_secs(seconds);
                self.on(Event::Tick)
            }
            Step::Drop { below } => {
                let below = below.min(self.end[&Class::Data]);
                // The journal never drops what is under way.
                let busy = self
                    .in_flight
                    .values()
                    .filter(|(class, _)| *class == Class::Data);
                let below = busy
                    .map(|(_, records)| records.start)
                    .min()
                    .unwrap_or(below)
                    .min(below);
                let asked = self
                    .open
                    .iter()
                    .filter(|open| open.part.class() == Class::Data);
                let below = asked
                    .map(|open| open.records.start)
                    .min()
                    .unwrap_or(below)
                    .min(below);
                self.done.extend((0..below).map(|seq| (Class::Data, seq)));
                self.on(Event::Gone {
                    class: Class::Data,
                    records: 0..below,
                })
            }
            Step::Allow(allowed) => {
                self.allowed = allowed;
                self.on(Event::Allow(allowed))
            }
            Step::Answer { .. } | Step::Ack { .. } | Step::Read { .. } => Ok(()),
        }
    }

    /// With a world that answers and allows everything, everything arrives: also on the connection that stands.
    fn finish(&mut self) -> Result<(), TestCaseError> {
        self.take(Step::Allow(Allowed::EVERYTHING))?;
        if !self.is_up {
            self.up()?;
        }
        for _ in 0..2000 {
            if let Some(request) = self.open.pop() {
                self.answer(&request, 7, 3, 0, false)?;
            } else if let Some(ticket) = self.in_flight.keys().next().copied() {
                self.ack(ticket)?;
            } else if let Some(deadline) = self.scheduler.deadline() {
                self.now = self.now.max(deadline);
                self.on(Event::Tick)?;
            } else {
                break;
            }
        }
        for (class, end) in &self.end {
            for seq in 0..*end {
                prop_assert!(
                    self.done.contains(&(*class, seq)),
                    "{class:?} {seq} never arrived"
                );
            }
        }
        Ok(())
    }
}

proptest! {
    #[test]
    fn everything_arrives_nothing_twice_on_a_connection_and_nothing_while_it_is_held(steps in prop::collection::vec(step(), 0..120)) {
        let mut world = World::new();
        for step in steps {
            world.take(step)?;
        }
        world.finish()?;
    }
}
