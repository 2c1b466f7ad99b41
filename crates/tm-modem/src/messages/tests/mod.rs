use std::time::Duration;

use tm_service::config::{Environment, Report, Settings as _};
use tm_types::{BootId, Clock, Stamp, Timestamp};

use super::*;

/// 2026-11-25T10:00:00Z.
const START_MS: i64 = 1_795_600_800_000;
const OWNER: &str = "+380501112233";

/// A modem's messages, with a disk and a card.
struct Bench {
    messages: Messages,
    config: Config,
    now: Now,
    tickets: Tickets,
    disk: Memory,
    is_disk_full: bool,
    /// Handles of what is on the card.
    card: Vec<String>,
    sending: Option<(Ticket, String, String, bool)>,
    events: Vec<Cause>,
    finished: Vec<(String, Result<Json, Cause>)>,
    requests: Vec<(OperationId, Executor, &'static str)>,
}

impl Bench {
    fn new(settings: &[(&str, &str)]) -> Self {
        let config = config(settings);
        let now = Now {
            instant: Instant::now(),
            stamp: Stamp {
                time: Timestamp::of_unix_ms(START_MS),
                mono_ms: 600_000,
                boot: BootId(1),
                clock: Clock::Ntp,
                err_ms: None,
            },
        };
        Self {
            messages: Messages::new(Memory::default(), &config, now.instant),
            config,
            now,
            tickets: Tickets::default(),
            disk: Memory::default(),
            is_disk_full: false,
            card: Vec::new(),
            sending: None,
            events: Vec::new(),
            finished: Vec::new(),
            requests: Vec::new(),
        }
    }

    fn pass(&mut self, time: Duration) {
        let ms = i64::try_from(time.as_millis()).unwrap();
        self.now.instant += time;
        self.now.stamp.time = self.now.stamp.time.plus_ms(ms);
        self.now.stamp.mono_ms += u64::try_from(ms).unwrap();
        self.call(|messages, now, tickets| messages.on_due(&info(), now, tickets));
    }

    fn call(&mut self, call: impl FnOnce(&mut Messages, Now, &mut Tickets) -> Vec<Effect>) {
        let effects = call(&mut self.messages, self.now, &mut self.tickets);
        self.perform(effects);
    }

    fn perform(&mut self, effects: Vec<Effect>) {
        let mut has_kept = false;
        for effect in effects {
            match effect {
                Effect::Keep if self.is_disk_full => return,
                Effect::Keep => {
                    self.keep();
                    has_kept = true;
                }
                Effect::Act(ticket, Action::Delete(handle)) => {
                    assert!(has_kept, "kept before");
                    self.card.retain(|place| *place != handle.0[0]);
                    self.done(ticket, &Ok(Outcome::Done));
                }
                Effect::Act(
                    ticket,
                    Action::Send {
                        to,
                        text,
                        wants_report,
                    },
                ) => {
                    assert!(self.sending.is_none(), "one at a time");
                    self.sending = Some((ticket, to, text, wants_report));
                }
                Effect::Act(_, action) => panic!("{action:?}"),
                Effect::Event(_, cause) => self.events.push(cause),
                Effect::Request {
                    id, executor, op, ..
                } => {
                    self.requests.push((id, executor, op));
                }
                Effect::Finish(id, result) => self.finished.push((id.to_string(), result)),
            }
        }
    }

    fn keep(&mut self) {
        self.disk = self.messages.memory().clone();
    }

    fn done(&mut self, ticket: Ticket, result: &Result<Outcome, Cause>) {
        self.call(|messages, now, tickets| messages.on_done(ticket, result, now, tickets).unwrap());
    }

    /// What is being sent ends.
    fn sent(&mut self, result: &Result<Outcome, Cause>) -> (String, String) {
        let (ticket, to, text, _) = self.sending.take().expect("something is being sent");
        self.done(ticket, result);
        (to, text)
    }

    fn receive(&mut self, received: &Received) {
        self.card.push(received.handle.0[0].clone());
        self.call(|messages, now, tickets| messages.on_received(received, &info(), now, tickets));
    }

    fn on_disk(&self) -> String {
        serde_json::to_string(&self.disk).unwrap()
    }

    /// Power fails: what is on the disk and on the card is left.
    fn power_cut(&mut self) {
        let memory = serde_json::from_str(&self.on_disk()).unwrap();
        self.messages = Messages::new(memory, &self.config, self.now.instant);
        self.sending = None;
        self.now.stamp.boot = BootId(self.now.stamp.boot.0 + 1);
        self.now.stamp.mono_ms = 60_000;
    }

    fn send(&mut self, args: &Json) {
        let id = OperationId::new(&format!("op-{}", self.tickets.last().0)).unwrap();
        self.call(|messages, now, tickets| messages.on_send(id, args, now, tickets));
    }

    fn texts(&self) -> Vec<String> {
        let state = self.messages.state();
        assert!(state.inbox.iter().all(|message| message.text.is_none()));
        let texts = self.messages.texts();
        assert!(texts.iter().map(|text| text.id).eq(self.messages.ids()));
        texts.into_iter().map(|text| text.text).collect()
    }

    fn codes(&mut self) -> Vec<String> {
        self.events.drain(..).map(|cause| cause.code).collect()
    }
}

fn info() -> Info {
    Info {
        site: "UA-0042".to_owned(),
        cause: code::MODEM_SEARCHING.plain(),
        operator: None,
        rsrp_dbm: Some(-101.0),
        is_uplink_connected: Some(false),
        n_alarms: Some(1),
        uptime_s: 3_600,
        position: None,
    }
}

fn config(settings: &[(&str, &str)]) -> Config {
    let environment = settings
        .iter()
        .fold(Environment::default(), |environment, (name, value)| {
            environment.with(name, value)
        });
    let mut report = Report::default();
    let config = Config::load("TM_MODEM_", &environment, &mut report);
    assert!(report.findings().is_empty(), "{:?}", report.findings());
    config
}

fn message(place: u32, from: &str, text: &str, sent_s: i64) -> Received {
    Received {
        handle: MessageHandle(vec![format!("SM/{place}")]),
        from: from.to_owned(),
        text: text.to_owned(),
        sent_at: Some(Timestamp::of_unix_ms(START_MS + sent_s * 1000)),
        is_incomplete: false,
    }
}

#[test]
fn a_message_is_kept_then_taken_off_the_card() {
    let mut bench = Bench::new(&[]);
    bench.receive(&message(3, OWNER, "привіт", 0));
    assert!(bench.card.is_empty());
    assert_eq!(bench.events, [code::SMS_RECEIVED.with("from", "+380…33")]);
    bench.power_cut();
    let state = bench.messages.state();
    assert_eq!((state.inbox.len(), state.dropped), (1, 0));
    assert_eq!(state.inbox[0].id, 1);
    assert_eq!(bench.texts(), ["привіт"]);
}

#[test]
fn a_disk_that_takes_nothing_leaves_the_message_on_the_card() {
    let mut bench = Bench::new(&[]);
    bench.is_disk_full = true;
    bench.receive(&message(1, OWNER, "one", 0));
    assert_eq!(bench.card, ["SM/1"]);
    assert_eq!(bench.texts(), ["one"], "but it is seen");
    bench.power_cut();
    bench.is_disk_full = false;
    bench.card.clear();
    bench.receive(&message(1, OWNER, "one", 0));
    assert_eq!(
        (bench.texts(), bench.card.len()),
        (vec!["one".to_owned()], 0)
    );
}

#[test]
fn a_message_seen_again_is_only_taken_off() {
    let mut bench = Bench::new(&[]);
    bench.receive(&message(1, OWNER, "one", 0));
    bench.power_cut();
    bench.events.clear();
    bench.receive(&message(7, OWNER, "one", 0));
    assert!(bench.card.is_empty() && bench.events.is_empty());
    bench.receive(&message(1, OWNER, "one", 1));
    bench.receive(&message(1, OWNER, "two", 0));
    bench.receive(&message(1, "777", "one", 0));
    assert_eq!(bench.texts(), ["one", "one", "two", "one"]);
}

#[test]
fn without_the_operators_time_only_what_may_be_on_the_card_is_the_same() {
    let mut bench = Bench::new(&[]);
    let timeless = |place| Received {
        sent_at: None,
        ..message(place, OWNER, "yes", 0)
    };
    bench.receive(&timeless(1));
    bench.receive(&timeless(1));
    assert_eq!(bench.texts().len(), 2, "taken off in between");
    // The disk has the second as not yet taken off.
    bench.power_cut();
    bench.receive(&timeless(1));
    assert_eq!(bench.texts().len(), 2);
}

#[test]
fn a_flood_leaves_the_newest_and_counts_the_rest() {
    let mut bench = Bench::new(&[("TM_MODEM_SMS_INBOX", "50")]);
    for n in 0..10_000 {
        bench.receive(&message(
            n % 50,
            "+15550000000",
            &format!("flood {n}"),
            n.into(),
        ));
    }
    let state = bench.messages.state();
    assert_eq!((state.inbox.len(), state.dropped), (50, 9_950));
    assert_eq!(state.inbox.last().unwrap().id, 10_000);
    assert_eq!(bench.texts()[49], "flood 9999");
    assert!(bench.sending.is_none(), "strangers are not answered");
    assert!(bench.messages.under_way.is_empty());
}

#[test]
fn the_longest_messages_stay_within_one_message_of_the_bus() {
    let mut bench = Bench::new(&[("TM_MODEM_SMS_INBOX", "500")]);
    for n in 0..500 {
        let text = "\u{1}".repeat(5_000);
        bench.receive(&message(1, &"9".repeat(500), &text, n));
    }
    let state = bench.messages.state();
    assert_eq!(state.inbox.len() as u64 + state.dropped, 500);
    let size = serde_json::to_vec(&state).unwrap().len();
    assert!(size < 100_000 && bench.on_disk().len() < 110_000, "{size}");
}

#[test]
fn an_operation_sends_and_learns_of_the_delivery() {
    let mut bench = Bench::new(&[]);
    bench.send(&json!({"to": OWNER, "text": "hello", "report": true}));
    assert!(bench.sending.as_ref().unwrap().3, "with a report");
    assert_eq!(
        bench.sent(&Ok(Outcome::Sent(vec![7, 8]))),
        (OWNER.to_owned(), "hello".to_owned())
    );
    let result = json!({"parts": 2, "references": [7, 8]});
    assert_eq!(bench.finished, [("op-0".to_owned(), Ok(result))]);
    assert_eq!(bench.messages.state().sent, 1);
    bench.keep();
    bench.power_cut();
    for (reference, expected) in [(8, None), (9, None), (7, Some("sms.delivered")), (7, None)] {
        bench.events.clear();
        bench.call(|messages, now, _| messages.on_delivery(reference, None, now));
        assert_eq!(bench.codes().first().map(String::as_str), expected);
    }
}

#[test]
fn a_failed_part_is_a_failed_message_and_a_day_is_enough() {
    let mut bench = Bench::new(&[]);
    for _ in 0..2 {
        bench.send(&json!({"to": "777", "text": "hello", "report": true}));
        bench.sent(&Ok(Outcome::Sent(vec![1])));
        bench.events.clear();
        bench.call(|messages, now, _| messages.on_delivery(1, Some("no credit"), now));
        let cause = code::SMS_NOT_DELIVERED.with("to", "777");
        assert_eq!(bench.events, [cause.and("detail", "no credit")]);
    }
    bench.send(&json!({"to": "777", "text": "hello", "report": true}));
    bench.sent(&Ok(Outcome::Sent(vec![1])));
    bench.events.clear();
    bench.pass(Duration::from_hours(24));
    bench.call(|messages, now, _| messages.on_delivery(1, None, now));
    assert!(bench.events.is_empty());
}

#[test]
fn a_failed_operation_is_told_and_the_next_goes_on() {
    let mut bench = Bench::new(&[]);
    bench.send(&json!({"to": OWNER, "text": "one"}));
    bench.send(&json!({"to": OWNER, "text": "two"}));
    bench.sent(&Err(code::MODEM_TIMEOUT.with("seconds", 600)));
    assert!(bench.finished[0].1.is_err());
    assert_eq!(bench.codes(), ["sms.not_sent"]);
    assert_eq!(bench.sent(&Ok(Outcome::Sent(vec![1]))).1, "two");
}

#[test]
fn what_cannot_be_sent_is_refused() {
    let mut bench = Bench::new(&[]);
    for args in [
        json!(null),
        json!({"to": OWNER}),
        json!({"to": "", "text": "x"}),
        json!({"to": "+38 050", "text": "x"}),
        json!({"to": "380\"\r\nAT", "text": "x"}),
        json!({"to": OWNER, "text": "  "}),
        json!({"to": OWNER, "text": "x".repeat(1531)}),
        json!({"to": OWNER, "text": "x", "flash": true}),
    ] {
        bench.send(&args);
        let (_, result) = bench.finished.pop().unwrap();
        let cause = result.unwrap_err();
        assert!(cause.is(code::OPERATION_BAD_ARGUMENTS), "{args} {cause:?}");
    }
    for _ in 0..17 {
        bench.send(&json!({"to": OWNER, "text": "x"}));
    }
    assert!(bench.finished.is_empty());
    bench.send(&json!({"to": OWNER, "text": "x"}));
    assert!(
        bench.finished[0]
            .1
            .as_ref()
            .unwrap_err()
            .is(code::MODEM_BUSY)
    );
}

#[test]
fn a_full_card_is_said_once_until_there_is_room() {
    let mut bench = Bench::new(&[]);
    for _ in 0..3 {
        bench.call(|messages, _, _| messages.on_store_full());
    }
    assert_eq!(bench.codes(), ["sms.store_full"]);
    bench.receive(&message(1, OWNER, "one", 0));
    bench.events.clear();
    bench.call(|messages, _, _| messages.on_store_full());
    assert_eq!(bench.codes(), ["sms.store_full"]);
}

#[test]
fn numbers_of_people_are_masked() {
    for (number, expected) in [
        ("+380501112233", "+380…33"),
        ("0501112233", "0501…33"),
        ("777", "777"),
        ("Kyivstar", "Kyivstar"),
        ("", ""),
    ] {
        assert_eq!(mask(number), expected);
    }
}

mod asking;
