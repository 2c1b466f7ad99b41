//! The rules against a simple model: random events in any order, with an ideal journal that may fail or crash at any moment.
//!
//! The model knows for every message where its record is: in memory, on disk, at the cloud, or dropped by the quota.

use std::collections::BTreeSet;
use std::ops::Range;

use proptest::prelude::*;
use tm_journal::{
    Admission, Class, Cursor, Effect, Event, MAX_INTERVALS, Recovered, Rules, Timing,
};

const TIMING: Timing = Timing {
    commit_ms: 1000,
    commit_bytes: 4000,
    cursor_ms: 10_000,
    cursor_idle_ms: 30_000,
    memory_bytes: 8000,
};

fn recovered(end: u64, durable_end: u64, cursor: Cursor) -> Recovered {
    Recovered {
        cursor,
        end,
        durable_end,
        app_state: Vec::new(),
        app_state_seq: 0,
        missing: Vec::new(),
        damaged: Vec::new(),
        has_torn_tail: false,
        set_aside: Vec::new(),
        headless: Vec::new(),
        unreadable: Vec::new(),
        trouble: None,
    }
}

#[derive(Debug, Clone)]
enum Step {
    Message {
        class: usize,
        bytes: usize,
        has_packet: bool,
        is_repeat: bool,
    },
    Wait(u64),
    Disk {
        class: usize,
        works: bool,
    },
    FinishCommits,
    Send {
        class: usize,
        at: u64,
        count: u64,
    },
    Puback {
        class: usize,
        index: usize,
    },
    CloudLost,
    Reconnect,
    Quota {
        class: usize,
    },
    Stop,
}

fn step() -> impl Strategy<Value = Step> {
    let class = 0_usize..2;
    prop_oneof![
        8 => (class.clone(), 20_usize..900, any::<bool>(), 0..8).prop_map(|(class, bytes, has_packet, repeat)| Step::Message {
            class,
            bytes,
            has_packet,
            is_repeat: repeat == 0
        }),
        4 => prop_oneof![1_u64..400, 900_u64..12_000, 30_000_u64..70_000].prop_map(Step::Wait),
        2 => (class.clone(), any::<bool>()).prop_map(|(class, works)| Step::Disk { class, works }),
        4 => Just(Step::FinishCommits),
        5 => (class.clone(), 0_u64..200, 1_u64..12).prop_map(|(class, at, count)| Step::Send { class, at, count }),
        6 => (class.clone(), 0_usize..8).prop_map(|(class, index)| Step::Puback { class, index }),
        1 => Just(Step::CloudLost),
        1 => Just(Step::Reconnect),
        1 => class.prop_map(|class| Step::Quota { class }),
        1 => Just(Step::Stop),
    ]
}

/// One journal as it ought to behave.
#[derive(Default)]
struct Ideal {
    end: u64,
    /// On disk: numbers below, but for those trimmed from memory.
    disk_end: u64,
    sizes: Vec<usize>,
    memory_from: u64,
    /// At the cloud, or taken by the quota.
    done: BTreeSet<u64>,
    in_flight: Vec<Range<u64>>,
    disk_works: bool,
    /// A commit that was asked for and not answered.
    asked: bool,
    cursor_on_disk: Cursor,
}

impl Ideal {
    fn is_safe(&self, seq: u64) -> bool {
        seq < self.disk_end || self.done.contains(&seq)
    }

    fn buffered(&self) -> usize {
        (self.memory_from.max(self.disk_end)..self.end)
            .map(|seq| self.sizes[usize::try_from(seq).unwrap()])
            .sum()
    }
}

struct World {
    rules: Rules,
    ideal: [Ideal; 2],
    now_ms: u64,
    next_packet: u16,
    /// Of the present connection, in order: packet, and the record that must be safe; `None` for one that was discarded.
    unanswered: Vec<(u16, Option<(usize, u64)>)>,
    connection: u64,
    discarded: [bool; 2],
    reconnect_asked: bool,
}

impl World {
    fn new() -> Self {
        let start = recovered(0, 0, Cursor::default());
        let ideal = [0, 1].map(|_| Ideal {
            disk_works: true,
            ..Ideal::default()
        });
        let mut world = Self {
            rules: Rules::new(0, TIMING, [&start, &start]),
            ideal,
            now_ms: 0,
            next_packet: 0,
            unanswered: Vec::new(),
            connection: 0,
            discarded: [false; 2],
            reconnect_asked: false,
        };
        world.connect();
        world
    }

    fn connect(&mut self) {
        self.tell(Event::Disconnected);
        self.unanswered.clear();
        self.discarded = [false; 2];
        self.reconnect_asked = false;
        self.connection += 1;
        self.tell(Event::Connected);
        assert_eq!(self.rules.connection(), self.connection);
    }

    fn tell(&mut self, event: Event) {
        let mut effects = Vec::new();
        self.rules.on(self.now_ms, event, &mut effects);
        for effect in effects {
            self.obey(effect);
        }
        self.check();
    }

    fn obey(&mut self, effect: Effect) {
        match effect {
            Effect::Acknowledge { connection, packet } => {
                assert_eq!(
                    connection, self.connection,
                    "acknowledgements die with their connection"
                );
                let (expected, record) = self.unanswered.remove(0);
                assert_eq!(packet, expected, "in the order of arrival");
                let (class, needs) = record.expect("what was discarded is never acknowledged");
                for seq in 0..needs {
                    assert!(
                        self.ideal[class].is_safe(seq),
                        "acknowledged before record {seq} of {class} is safe"
                    );
                }
            }
            Effect::Commit { class, .. } => {
                let ideal = &mut self.ideal[class as usize];
                assert!(!ideal.asked, "one commit at a time");
                ideal.asked = true;
            }
            Effect::Trim { class, below } => {
                let ideal = &mut self.ideal[class as usize];
                assert!(!ideal.asked, "nothing is taken from under a commit");
                for seq in ideal.disk_end.max(ideal.memory_from)..below {
                    assert!(
                        ideal.done.contains(&seq),
                        "{seq} is forgotten, and nobody has it"
                    );
                }
                ideal.memory_from = below;
                let bytes = ideal.buffered();
                self.tell(Event::Buffered { class, bytes });
            }
            Effect::Reconnect => {
                assert!(!self.reconnect_asked && self.discarded.contains(&true));
                self.reconnect_asked = true;
            }
        }
    }

    /// What holds at every moment.
    fn check(&self) {
        for class in Class::ALL {
            let ideal = &self.ideal[class as usize];
            let cursor = self.rules.cursor(class);
            assert!(cursor.above().len() <= MAX_INTERVALS);
            for seq in 0..ideal.end {
                assert!(
                    !cursor.is_settled(seq) || ideal.done.contains(&seq),
                    "the cursor has passed {seq}"
                );
            }
            assert!(cursor.high() <= ideal.end);
            // The send set: all that is readable, not settled, not in flight; nothing else.
            let readable = if self.rules.is_bad(class) {
                ideal.end
            } else {
                ideal.disk_end
            };
            let mut offered = BTreeSet::new();
            let mut from = 0;
            while let Some(range) = self.rules.next_unsent(class, from) {
                from = range.end;
                offered.extend(range);
            }
            for seq in 0..ideal.end + 2 {
                let is_sent = ideal.in_flight.iter().any(|range| range.contains(&seq));
                let is_due = seq < readable && !cursor.is_settled(seq) && !is_sent;
                assert_eq!(
                    offered.contains(&seq),
                    is_due,
                    "{class:?} {seq}: due is {is_due}"
                );
            }
        }
    }

    fn finish_commits(&mut self) {
        for class in Class::ALL {
            let cursor = self.rules.cursor(class).clone();
            let ideal = &mut self.ideal[class as usize];
            if !std::mem::take(&mut ideal.asked) {
                continue;
            }
            let event = if ideal.disk_works {
                (ideal.disk_end, ideal.cursor_on_disk) = (ideal.end, cursor);
                Event::Committed {
                    class,
                    end: ideal.end,
                }
            } else {
                Event::CommitFailed { class }
            };
            self.tell(event);
        }
    }

    fn message(&mut self, class: usize, bytes: usize, has_packet: bool, is_repeat: bool) {
        self.next_packet = self.next_packet.wrapping_add(1).max(1);
        let packet = has_packet.then_some(self.next_packet);
        let name = Class::ALL[class];
        if self.rules.admission(name, bytes) == Admission::CommitFirst {
            let ideal = &mut self.ideal[class];
            ideal.asked = true;
            self.finish_commits();
        }
        match self.rules.admission(name, bytes) {
            Admission::Discard => {
                self.discarded[class] = true;
                if let Some(packet) = packet {
                    self.unanswered.push((packet, None));
                }
                self.tell(Event::Discarded {
                    class: name,
                    packet,
                });
            }
            Admission::CommitFirst => panic!("after a commit there is room, or the disk is bad"),
            Admission::Accept => {
                assert!(
                    !self.discarded[class],
                    "a later message overtakes a discarded one"
                );
                let ideal = &mut self.ideal[class];
                if !is_repeat {
                    ideal.end += 1;
                    ideal.sizes.push(bytes);
                    assert!(ideal.buffered() <= TIMING.memory_bytes + bytes);
                }
                let end = ideal.end;
                if let Some(packet) = packet {
                    self.unanswered.push((packet, Some((class, end))));
                }
                self.tell(if is_repeat {
                    Event::Passed {
                        class: name,
                        packet,
                    }
                } else {
                    Event::Received {
                        class: name,
                        packet,
                        seq: end - 1,
                        bytes,
                    }
                });
            }
        }
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Message {
                class,
                bytes,
                has_packet,
                is_repeat,
            } => self.message(class, bytes, has_packet, is_repeat),
            Step::Wait(ms) => self.wait(ms),
            Step::Disk { class, works } => self.ideal[class].disk_works = works,
            Step::FinishCommits => self.finish_commits(),
            Step::Send { class, at, count } => {
                let name = Class::ALL[class];
                if let Some(range) = self
                    .rules
                    .next_unsent(name, at)
                    .or_else(|| self.rules.next_unsent(name, 0))
                {
                    let range = range.start..range.end.min(range.start + count);
                    self.ideal[class].in_flight.push(range.clone());
                    self.tell(Event::Sent { class: name, range });
                }
            }
            Step::Puback { class, index } => {
                let ideal = &mut self.ideal[class];
                if index < ideal.in_flight.len() {
                    let range = ideal.in_flight.remove(index);
                    ideal.done.extend(range.clone());
                    self.tell(Event::Acknowledged {
                        class: Class::ALL[class],
                        range,
                    });
                }
            }
            Step::CloudLost => {
                self.ideal
                    .iter_mut()
                    .for_each(|ideal| ideal.in_flight.clear());
                self.tell(Event::CloudLost);
            }
            Step::Reconnect => self.connect(),
            Step::Quota { class } => {
                let ideal = &mut self.ideal[class];
                let range = 0..ideal.disk_end / 2;
                if ideal.in_flight.iter().all(|sent| sent.start >= range.end) {
                    ideal.done.extend(range.clone());
                    self.tell(Event::Gone {
                        class: Class::ALL[class],
                        range,
                    });
                }
            }
            Step::Stop => self.tell(Event::Stopping),
        }
    }

    fn wait(&mut self, ms: u64) {
        let until = self.now_ms + ms;
        // As a caller does: at every wake-up asked for, then at the end.
        for _ in 0..200 {
            let Some(wake) = self.rules.next_wake_ms().filter(|wake| *wake <= until) else {
                break;
            };
            self.now_ms = wake.max(self.now_ms);
            self.tell(Event::Tick);
            self.finish_commits();
        }
        self.now_ms = until;
        self.tell(Event::Tick);
    }

    /// A crash now: what is in memory is gone, and the disk's cursor counts.
    fn check_crash(&self, acknowledged: &BTreeSet<(usize, u64)>) {
        for (class, seq) in acknowledged {
            let ideal = &self.ideal[*class];
            assert!(
                *seq < ideal.disk_end || ideal.done.contains(seq),
                "record {seq} was acknowledged and is nowhere"
            );
            let offered = !ideal.cursor_on_disk.is_settled(*seq);
            assert!(
                offered || ideal.done.contains(seq),
                "record {seq} would not be sent after the crash"
            );
        }
    }

    /// With disk and cloud back, everything is acknowledged and sent in the end.
    fn drain(&mut self) {
        self.ideal
            .iter_mut()
            .for_each(|ideal| ideal.disk_works = true);
        self.wait(200_000);
        self.finish_commits();
        self.wait(200_000);
        assert_eq!(
            self.reconnect_asked,
            self.discarded.contains(&true),
            "what was discarded is asked for again"
        );
        if !self.discarded.contains(&true) {
            assert!(self.unanswered.is_empty(), "{:?}", self.unanswered);
            assert_eq!(self.rules.held(), 0);
        }
        for class in 0..2 {
            let name = Class::ALL[class];
            self.ideal
                .iter_mut()
                .for_each(|ideal| ideal.in_flight.clear());
            self.tell(Event::CloudLost);
            while let Some(range) = self.rules.next_unsent(name, 0) {
                self.ideal[class].in_flight.push(range.clone());
                self.tell(Event::Sent {
                    class: name,
                    range: range.clone(),
                });
                self.ideal[class].in_flight.clear();
                self.ideal[class].done.extend(range.clone());
                self.tell(Event::Acknowledged { class: name, range });
            }
            let ideal = &self.ideal[class];
            assert!(
                (0..ideal.end).all(|seq| ideal.done.contains(&seq)),
                "something was never sent"
            );
            assert_eq!(self.rules.cursor(name).low(), ideal.end);
        }
        self.wait(100_000);
        self.finish_commits();
        for class in Class::ALL {
            assert_eq!(
                &self.ideal[class as usize].cursor_on_disk,
                self.rules.cursor(class),
                "the cursor is written when all is quiet"
            );
        }
    }
}

proptest! {
    #[test]
    fn no_order_of_events_breaks_the_promise(steps in prop::collection::vec(step(), 1..120)) {
        let mut world = World::new();
        for step in &steps {
            let before: Vec<_> = world.unanswered.clone();
            world.step(step);
            let mut acknowledged = BTreeSet::new();
            for answered in before.iter().filter(|held| !world.unanswered.contains(held)) {
                if let (_, Some((class, needs))) = answered
                    && !matches!(step, Step::Reconnect)
                {
                    acknowledged.extend((0..*needs).map(|seq| (*class, seq)));
                }
            }
            world.check_crash(&acknowledged);
        }
        world.drain();
    }
}

/// A plain run on one class: says what was asked for, and when.
fn effects_of(events: &[(u64, Event)]) -> Vec<(u64, Effect)> {
    let start = recovered(0, 0, Cursor::default());
    let mut rules = Rules::new(0, Timing::default(), [&start, &start]);
    let mut all = Vec::new();
    for (now_ms, event) in events {
        let mut effects = Vec::new();
        rules.on(*now_ms, event.clone(), &mut effects);
        all.extend(effects.into_iter().map(|effect| (*now_ms, effect)));
    }
    all
}

fn received(seq: u64, bytes: usize) -> Event {
    Event::Received {
        class: Class::Data,
        packet: Some(u16::try_from(seq + 1).unwrap()),
        seq,
        bytes,
    }
}

const COMMIT: Effect = Effect::Commit {
    class: Class::Data,
    write_cursor: false,
};

#[test]
fn a_commit_is_due_after_its_period() {
    let effects = effects_of(&[
        (0, Event::Connected),
        (100, received(0, 50)),
        (1099, Event::Tick),
        (1100, Event::Tick),
        (1200, Event::Tick),
    ]);
    assert_eq!(effects, [(1100, COMMIT)]);
}

#[test]
fn an_alarm_does_not_wait_for_the_period_of_measurements() {
    let class = Class::Urgent;
    let alarm = Event::Received {
        class,
        packet: Some(2),
        seq: 0,
        bytes: 50,
    };
    let urgent = Effect::Commit {
        class,
        write_cursor: false,
    };
    let effects = effects_of(&[
        (0, Event::Connected),
        (100, received(0, 50)),
        (200, alarm),
        (249, Event::Tick),
        (250, Event::Tick),
        (1099, Event::Tick),
        (1100, Event::Tick),
    ]);
    assert_eq!(effects, [(250, urgent), (1100, COMMIT)]);
}

#[test]
fn a_commit_is_due_with_enough_bytes() {
    let effects = effects_of(&[
        (0, Event::Connected),
        (1, received(0, 200 << 10)),
        (2, received(1, 56 << 10)),
    ]);
    assert_eq!(effects, [(2, COMMIT)]);
}

#[test]
fn a_commit_is_due_when_half_the_window_waits_and_the_window_grows() {
    let mut events = vec![(0, Event::Connected)];
    // Ten of a window of twenty; while it is made, sixty more come: now half the window is 35.
    events.extend((0..10).map(|seq| (1, received(seq, 1))));
    events.extend((10..70).map(|seq| (2, received(seq, 1))));
    events.push((
        3,
        Event::Committed {
            class: Class::Data,
            end: 70,
        },
    ));
    events.extend((70..104).map(|seq| (4, received(seq, 1))));
    events.push((5, received(104, 1)));
    let commits: Vec<u64> = effects_of(&events)
        .into_iter()
        .filter(|(_, effect)| *effect == COMMIT)
        .map(|(at, _)| at)
        .collect();
    assert_eq!(commits, [1, 3]);
    let acknowledged = effects_of(&events)
        .into_iter()
        .filter(|(at, effect)| matches!(effect, Effect::Acknowledge { .. }) && *at == 3)
        .count();
    assert_eq!(acknowledged, 70);
}

#[test]
fn the_cursor_goes_with_a_commit_or_alone_when_idle() {
    let class = Class::Data;
    let with_cursor = Effect::Commit {
        class,
        write_cursor: true,
    };
    let effects = effects_of(&[
        (0, Event::Connected),
        (0, received(0, 9)),
        (1_000, Event::Tick),
        (1_010, Event::Committed { class, end: 1 }),
        (1_020, Event::Sent { class, range: 0..1 }),
        (1_100, Event::Acknowledged { class, range: 0..1 }),
        (9_500, received(1, 9)),
        (10_500, Event::Tick),
        (10_510, Event::Committed { class, end: 2 }),
        (11_000, Event::Acknowledged { class, range: 1..2 }),
        (40_509, Event::Tick),
        (40_510, Event::Tick),
    ]);
    let commits: Vec<_> = effects
        .into_iter()
        .filter(|(_, effect)| matches!(effect, Effect::Commit { .. }))
        .collect();
    assert_eq!(
        commits,
        [
            (1_000, COMMIT),
            (10_500, with_cursor),
            (40_510, with_cursor)
        ]
    );
}

#[test]
fn a_bad_disk_is_tried_again_ever_more_seldom() {
    let class = Class::Data;
    let mut events = vec![(0, Event::Connected), (0, received(0, 9))];
    let mut now = 0;
    for _ in 0..100 {
        now += 500;
        events.push((now, Event::Tick));
        events.push((now, Event::CommitFailed { class }));
    }
    // `CommitFailed` is only meant as an answer: take those that follow a request.
    let start = recovered(0, 0, Cursor::default());
    let mut rules = Rules::new(0, Timing::default(), [&start, &start]);
    let mut attempts = Vec::new();
    for (now_ms, event) in events {
        if matches!(event, Event::CommitFailed { .. }) && attempts.last() != Some(&now_ms) {
            continue;
        }
        let mut effects = Vec::new();
        rules.on(now_ms, event, &mut effects);
        if effects.contains(&COMMIT) {
            attempts.push(now_ms);
        }
    }
    assert_eq!(attempts, [1_000, 2_000, 4_000, 8_000, 16_000, 32_000]);
}
