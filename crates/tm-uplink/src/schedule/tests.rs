//! The scheduler by hand, one situation each.

use bytes::Bytes;

use super::*;

const RULES: Rules = Rules {
    batch: Duration::from_mins(1),
    batch_bytes: 1000,
    window: 8,
    window_bytes: 4000,
    unsettled: 12,
    stalled_after: Duration::from_secs(30),
};

fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Nothing but urgent messages may go out.
const HELD: Allowed = Allowed {
    live: false,
    backlog: 0,
};

/// Data up to that number is on flash, a batch full of it.
fn full_batch(end: u64) -> Event {
    Event::Committed {
        class: Class::Data,
        end,
        bytes: 1000,
    }
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
            payload: Bytes::new().into(),
            is_backlog: false,
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

/// What a primary host may not have seen yet is unsettled for a while, and must not stop the rest.
#[test]
fn what_is_read_makes_room_and_is_not_missed_but_is_settled_only_when_acknowledged() {
    let mut bench = Bench::holding(0, 1);
    let asked = requests(&bench.on(Event::Up, 0));
    bench.answer(asked[0].clone(), 0);
    assert!(bench.on(Event::Read { ticket: 0 }, 5).is_empty());
    assert_eq!(bench.scheduler.deadline(), None, "nothing is due");
    assert!(bench.on(Event::Tick, 500).is_empty());
    let settled = bench.on(Event::Acked { ticket: 0 }, 600);
    assert_eq!(
        settled,
        [Effect::Settle {
            class: Class::Data,
            records: 0..1
        }]
    );
}

/// Of large messages few are enough to fill memory.
#[test]
fn large_messages_wait_for_acknowledgements_before_the_window_is_full() {
    let mut bench = Bench::holding(10, 0);
    let asked = requests(&bench.on(Event::Up, 0));
    let message = |seq| Message {
        records: seq..seq + 1,
        kind: "event",
        payload: Bytes::from_static(&[0; 1500]).into(),
        is_backlog: false,
    };
    let prepared = Prepared {
        connection: asked[0].connection,
        part: Part::Urgent,
        messages: (0..10).map(message).collect(),
        covered: 0..10,
        held_until: None,
    };
    // 4000 bytes are reached with the third.
    assert_eq!(sent(&bench.on(Event::Prepared(prepared), 1)).len(), 3);
    assert_eq!(sent(&bench.on(Event::Acked { ticket: 1 }, 2)).len(), 1);
    bench.on(Event::Down, 3);
    bench.on(Event::Up, 4);
    assert_eq!(bench.scheduler.bytes_under_way, 0);
}

#[test]
fn unsettled_backlog_has_a_bound_and_leaves_room_for_live_data() {
    let mut bench = Bench::holding(0, 100);
    let (mut effects, mut n_backlog) = (bench.on(Event::Up, 0), 0);
    for at in 1..40 {
        let mut next = Vec::new();
        for mut request in requests(&effects) {
            request.records.end = request.records.start + 1;
            next.extend(bench.answer(request, at));
        }
        for (ticket, ..) in sent(&next) {
            n_backlog += 1;
            next.extend(bench.on(Event::Read { ticket }, at));
        }
        effects = next;
    }
    assert_eq!(n_backlog, 9);
    let asked = requests(&bench.on(
        Event::Committed {
            class: Class::Data,
            end: 101,
            bytes: 5000,
        },
        50,
    ));
    let live = asked.into_iter().find(|asked| asked.part == Part::Live);
    assert_eq!(sent(&bench.answer(live.unwrap(), 50)).len(), 1);
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
        payload: Bytes::new().into(),
        is_backlog: false,
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

#[test]
fn what_is_held_stays_and_goes_as_backlog_when_it_may() {
    let mut bench = Bench::holding(0, 10);
    assert!(bench.on(Event::Allow(HELD), 0).is_empty());
    assert!(bench.on(Event::Up, 0).is_empty());
    let committed = |class, end| Event::Committed {
        class,
        end,
        bytes: 5000,
    };
    assert!(bench.on(committed(Class::Data, 30), 1).is_empty());
    assert!(bench.on(Event::Flush, 1).is_empty());
    assert_eq!(bench.scheduler.deadline(), None, "nothing to wake up for");
    let asked = requests(&bench.on(committed(Class::Urgent, 1), 2));
    assert_eq!(asked[0].part, Part::Urgent, "an alarm is never held");
    let slowly = Allowed {
        live: true,
        backlog: 1,
    };
    let asked = requests(&bench.on(Event::Allow(slowly), 3));
    assert_eq!(
        (asked[0].part, asked[0].records.clone()),
        (Part::Backlog, 0..30)
    );
}

#[test]
fn a_live_batch_that_was_collected_is_held_too() {
    let mut bench = Bench::holding(0, 0);
    bench.on(Event::Up, 0);
    let asked = requests(&bench.on(full_batch(5), 1));
    bench.on(Event::Allow(HELD), 2);
    // It was asked for before; what came since was not.
    assert!(bench.on(full_batch(8), 3).is_empty());
    assert!(bench.answer(asked[0].clone(), 4).is_empty());
    assert!(bench.on(full_batch(9), 5).is_empty());
    let effects = bench.on(Event::Allow(Allowed::EVERYTHING), 6);
    assert_eq!(sent(&effects), [(0, Class::Data, 0..5)]);
    let asked = requests(&effects);
    assert_eq!(
        (asked[0].part, asked[0].records.clone()),
        (Part::Backlog, 5..9)
    );
}

#[test]
fn what_came_while_a_question_was_open_over_a_hold_is_not_forgotten() {
    let mut bench = Bench::holding(0, 0);
    bench.on(Event::Up, 0);
    let asked = requests(&bench.on(full_batch(5), 1));
    bench.on(Event::Allow(HELD), 2);
    bench.on(full_batch(8), 3);
    bench.on(Event::Allow(Allowed::EVERYTHING), 4);
    bench.answer(asked[0].clone(), 5);
    bench.on(Event::Acked { ticket: 0 }, 6);
    assert_eq!(bench.scheduler.deadline(), Some(s(64)));
    let asked = requests(&bench.on(Event::Tick, 64));
    assert_eq!(
        (asked[0].part, asked[0].records.clone()),
        (Part::Live, 5..8)
    );
}
