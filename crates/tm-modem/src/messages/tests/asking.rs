//! Commands by text message: who may, when, how often, and what comes back.

use proptest::prelude::*;
use tm_types::{Instance, OperationStatus, Problem};

use super::*;

const STRANGER: &str = "+380670000001";
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);

fn bench() -> Bench {
    let mut bench = Bench::new(&[
        ("TM_MODEM_SMS_ALLOW", "+380501112233, +380931112233"),
        ("TM_MODEM_SMS_SECRET", "Ключ7"),
    ]);
    bench.pass(MINUTE);
    bench
}

impl Bench {
    /// Somebody writes now.
    fn ask(&mut self, from: &str, text: &str) {
        let sent_s = self
            .now
            .stamp
            .time
            .ms_since(Timestamp::of_unix_ms(START_MS))
            / 1000;
        self.receive(&message(1, from, text, sent_s));
    }

    /// Asks for the status; whether it is answered.
    fn is_answered(&mut self) -> bool {
        self.ask(OWNER, "Ключ7 status");
        self.sending.is_some() && {
            self.sent(&Ok(Outcome::Sent(vec![1])));
            true
        }
    }

    fn refusals(&mut self) -> Vec<String> {
        self.events
            .drain(..)
            .filter(|cause| cause.is(code::SMS_COMMAND_REFUSED))
            .map(|cause| cause.args["reason"].clone())
            .collect()
    }

    fn operation(&mut self, id: &OperationId, status: OperationStatus, detail: Option<&str>) {
        let operation = Operation {
            id: id.clone(),
            service: Instance::new("agent").unwrap(),
            op: "reboot".to_owned(),
            status,
            progress_percent: None,
            result: None,
            problem: detail.map(|detail| Problem {
                detail: detail.to_owned(),
                ..Problem::of_cause(&code::OPERATION_FAILED.plain(), 500, Language::En)
            }),
            updated_at: self.now.stamp.time,
        };
        self.call(|messages, now, tickets| {
            messages.on_operation(&operation, &info(), now, tickets)
        });
    }
}

#[test]
fn status_is_answered_in_one_message_to_whoever_asked() {
    let mut bench = bench();
    bench.ask(OWNER, " Ключ7  STATUS ");
    let accepted = code::SMS_COMMAND_ACCEPTED
        .with("from", "+380…33")
        .and("command", "status");
    assert!(bench.events.contains(&accepted));
    let (to, text) = bench.sent(&Ok(Outcome::Sent(vec![1])));
    assert_eq!(to, OWNER);
    assert_eq!(
        text,
        "UA-0042: The modem is looking for a network. No cloud. Alarms 1. RSRP -101. Up 0 d 1 h."
    );
    bench.ask("+380931112233", "Ключ7 позиція");
    assert_eq!(bench.sent(&Ok(Outcome::Done)).1, "UA-0042: Позиції немає.");
}

#[test]
fn the_secret_is_kept_nowhere() {
    let mut bench = bench();
    bench.ask(OWNER, "Ключ7 status");
    bench.ask(STRANGER, "hello Ключ7\nстан");
    assert_eq!(bench.texts(), ["*** status", "hello ***\nстан"]);
    let shown = format!("{:?} {:?}", bench.messages, bench.events);
    assert!(!shown.contains("Ключ7") && !bench.on_disk().contains("Ключ7"));
}

#[test]
fn strangers_and_wrong_secrets_are_not_answered() {
    let cases = [
        (STRANGER, "Ключ7 status", Some("unknown number")),
        (STRANGER, "status", Some("unknown number")),
        (STRANGER, "win a car", None),
        (OWNER, "Ключ8 status", Some("wrong secret")),
        (OWNER, "ключ7 status", Some("wrong secret")),
        (OWNER, "Ключ7status", None),
        (OWNER, "reboot", Some("wrong secret")),
        (OWNER, "call me", None),
        (OWNER, "", None),
        // Written otherwise it is another number.
        ("380501112233", "Ключ7 status", Some("unknown number")),
        ("0501112233", "Ключ7 status", Some("unknown number")),
        ("00380501112233", "Ключ7 status", Some("unknown number")),
        ("+3805011122334", "Ключ7 status", Some("unknown number")),
        ("+38050111223", "Ключ7 status", Some("unknown number")),
        (" +380501112233", "Ключ7 status", Some("unknown number")),
    ];
    for (from, text, refusal) in cases {
        let mut bench = bench();
        bench.ask(from, text);
        assert!(bench.sending.is_none(), "{from} {text}");
        assert_eq!(
            bench.refusals(),
            refusal.into_iter().collect::<Vec<_>>(),
            "{from} {text}"
        );
        assert!(bench.requests.is_empty());
    }
}

#[test]
fn without_a_secret_or_a_list_nobody_can_ask() {
    for settings in [
        &[("TM_MODEM_SMS_ALLOW", OWNER)][..],
        &[("TM_MODEM_SMS_SECRET", "Ключ7")],
        &[("TM_MODEM_SMS_ALLOW", OWNER), ("TM_MODEM_SMS_SECRET", "")],
    ] {
        let mut bench = Bench::new(settings);
        bench.ask(OWNER, "Ключ7 status");
        bench.ask(OWNER, " status");
        assert!(bench.sending.is_none() && bench.refusals().is_empty());
    }
}

#[test]
fn strangers_cost_nothing_however_many_they_are() {
    let mut bench = bench();
    for n in 0..2_000 {
        bench.ask(&format!("+3806{n:08}"), "Ключ7 reboot");
        bench.pass(SECOND);
    }
    assert!(bench.sending.is_none() && bench.requests.is_empty());
    assert_eq!(
        bench.refusals(),
        ["unknown number"; 4],
        "once in ten minutes"
    );
    assert!(bench.is_answered(), "the owner is not shut out");
}

#[test]
fn an_owner_who_asks_too_often_waits_also_over_a_restart() {
    let mut bench = bench();
    assert!(bench.is_answered());
    bench.pass(SECOND);
    assert!(!bench.is_answered());
    assert_eq!(bench.refusals(), ["too many"]);
    let mut n_answers = 1;
    for _ in 0..40 {
        bench.pass(MINUTE);
        n_answers += u32::from(bench.is_answered());
    }
    assert_eq!(n_answers, 6, "TM_MODEM_SMS_REPLIES_PER_H");
    bench.power_cut();
    bench.pass(10 * SECOND);
    assert!(!bench.is_answered());
    bench.pass(61 * MINUTE);
    assert!(bench.is_answered());
}

#[test]
fn a_command_is_done_once_and_not_when_it_is_old() {
    let mut bench = bench();
    bench.receive(&message(1, OWNER, "Ключ7 reboot", 0));
    assert_eq!(bench.requests.len(), 1);
    bench.receive(&message(2, OWNER, "Ключ7 reboot", 0));
    // The same, other words: the inbox does not know it.
    bench.receive(&message(2, OWNER, "Ключ7  Reboot.", 0));
    assert_eq!(bench.requests.len(), 1);
    assert_eq!(bench.refusals(), ["already done"]);
    bench.power_cut();
    bench.receive(&message(2, OWNER, "Ключ7 перезавантажити", 0));
    assert_eq!(bench.requests.len(), 1);
    bench.receive(&message(3, OWNER, "Ключ7 status", -30 * 60));
    assert_eq!(bench.refusals(), ["already done", "too old"]);
    bench.receive(&message(3, OWNER, "Ключ7 status", -20 * 60));
    assert!(bench.sending.is_some());
}

#[test]
fn an_unreadable_time_or_half_a_message_asks_for_nothing() {
    for received in [
        Received {
            sent_at: None,
            ..message(1, OWNER, "Ключ7 reboot", 60)
        },
        Received {
            is_incomplete: true,
            ..message(1, OWNER, "Ключ7 reboot", 60)
        },
    ] {
        let mut bench = bench();
        bench.receive(&received);
        assert!(bench.requests.is_empty() && bench.sending.is_none());
        assert_eq!(bench.refusals().len(), 1);
    }
}

#[test]
fn without_a_good_clock_the_backlog_is_passed_over_and_later_ones_count() {
    let mut bench = bench();
    assert!(bench.is_answered());
    bench.keep();
    bench.power_cut();
    (bench.now.stamp.clock, bench.now.stamp.time) = (Clock::Restored, Timestamp::EPOCH);
    bench.receive(&message(1, OWNER, "Ключ7 status", 900));
    assert_eq!(bench.refusals(), ["too old"], "found at the start");
    bench.pass(6 * MINUTE);
    bench.receive(&message(1, OWNER, "Ключ7 status", 901));
    assert!(bench.sending.is_some());
    bench.sent(&Ok(Outcome::Done));
    bench.pass(6 * MINUTE);
    bench.receive(&message(1, OWNER, "Ключ7 status", -1_800));
    assert!(
        bench.sending.is_none(),
        "older than the last by the operator's clock"
    );
    bench.call(|messages, now, _| {
        messages.on_present(now);
        Vec::new()
    });
    bench.receive(&message(1, OWNER, "Ключ7 status", 2_000));
    assert!(bench.sending.is_none(), "the modem has just come");
}

#[test]
fn a_reset_is_asked_for_and_its_end_is_answered_once() {
    let mut bench = bench();
    bench.ask(OWNER, "Ключ7 Reset modem");
    let (id, executor, op) = bench.requests.pop().unwrap();
    assert_eq!((executor, op), (Executor::Own, "reset"));
    assert!(bench.sending.is_none(), "not before the end");
    bench.operation(&id, OperationStatus::Running, None);
    assert!(bench.sending.is_none());
    bench.operation(&id, OperationStatus::Succeeded, None);
    assert_eq!(
        bench.sent(&Ok(Outcome::Done)).1,
        "UA-0042: reset modem: done."
    );
    bench.operation(&id, OperationStatus::Succeeded, None);
    assert!(bench.sending.is_none());
}

#[test]
fn a_reboot_is_answered_by_the_next_run() {
    let mut bench = bench();
    bench.ask(OWNER, "Ключ7 перезагрузить");
    let (id, executor, op) = bench.requests.pop().unwrap();
    assert_eq!((executor, op), (Executor::Agent, "reboot"));
    bench.operation(&id, OperationStatus::Running, None);
    bench.power_cut();
    bench.operation(&id, OperationStatus::Succeeded, None);
    assert_eq!(
        bench.sent(&Ok(Outcome::Done)).1,
        "UA-0042: перезагрузить: сделано."
    );
    bench.power_cut();
    bench.operation(&id, OperationStatus::Succeeded, None);
    assert!(bench.sending.is_none(), "answered once");
}

#[test]
fn a_refusal_and_a_silence_are_answered_too() {
    let mut bench = bench();
    bench.ask(OWNER, "Ключ7 reboot");
    let (id, ..) = bench.requests.pop().unwrap();
    bench.operation(
        &id,
        OperationStatus::Failed,
        Some("Rebooted 3 times today."),
    );
    assert_eq!(
        bench.sent(&Ok(Outcome::Done)).1,
        "UA-0042: reboot: not done. Rebooted 3 times today."
    );
    bench.pass(MINUTE);
    bench.ask(OWNER, "Ключ7 reboot");
    assert!(bench.messages.deadline().is_some());
    bench.pass(15 * MINUTE);
    assert_eq!(
        bench.sent(&Ok(Outcome::Done)).1,
        "UA-0042: reboot: no answer."
    );
    assert_eq!(bench.messages.deadline(), None);
}

#[test]
fn an_answer_that_cannot_go_out_is_tried_three_times_more() {
    let mut bench = bench();
    bench.ask(OWNER, "Ключ7 status");
    for wait in [30, 120, 300] {
        bench.sent(&Err(code::MODEM_BUSY.with("what", "a reset")));
        assert!(bench.sending.is_none());
        assert_eq!(
            bench.messages.deadline(),
            Some(bench.now.instant + wait * SECOND)
        );
        bench.pass(wait * SECOND);
    }
    bench.events.clear();
    bench.sent(&Err(code::MODEM_BUSY.with("what", "a reset")));
    assert_eq!(bench.codes(), ["sms.not_sent"]);
    assert_eq!(bench.messages.deadline(), None);
}

#[test]
fn a_word_that_is_not_known_is_answered_with_those_that_are() {
    let mut bench = bench();
    bench.ask(OWNER, "Ключ7 sudo rm");
    assert_eq!(
        bench.sent(&Ok(Outcome::Done)).1,
        "UA-0042: ? status, position, reset modem, reboot"
    );
    assert_eq!(bench.refusals(), ["unknown command"]);
}

#[test]
fn a_disk_that_takes_nothing_does_nothing() {
    let mut bench = bench();
    bench.is_disk_full = true;
    bench.ask(OWNER, "Ключ7 reboot");
    assert!(
        bench.requests.is_empty(),
        "it could be done again after a restart"
    );
}

#[test]
fn what_a_full_disk_stopped_does_not_stop_what_comes_later() {
    let mut bench = bench();
    bench.is_disk_full = true;
    for _ in 0..500 {
        bench.ask(OWNER, "Ключ7 status");
    }
    assert!(bench.sending.is_none());
    assert!(bench.messages.under_way.len() <= 128);
    bench.is_disk_full = false;
    assert!(bench.messages.deadline().is_some());
    bench.pass(11 * MINUTE);
    bench.pass(30 * SECOND);
    let (to, _) = bench.sent(&Ok(Outcome::Sent(vec![1])));
    assert_eq!(to, OWNER, "late, but answered");
    bench.send(&json!({"to": OWNER, "text": "hello"}));
    assert_eq!(bench.sent(&Ok(Outcome::Sent(vec![1]))).1, "hello");
}

#[test]
fn an_owner_who_floods_is_followed_as_often_as_is_allowed() {
    let mut bench = bench();
    let mut n_answers = 0;
    for _ in 0..3_600 {
        bench.pass(SECOND);
        n_answers += u32::from(bench.is_answered());
    }
    assert_eq!(n_answers, 6);
    let state = bench.messages.state();
    assert_eq!((state.inbox.len(), state.sent), (100, 6));
    assert!(bench.refusals().len() <= 7, "once in ten minutes");
}

/// What may come: who, what, how old (minutes), how much later (seconds), and whether power fails before.
type Incident = (usize, String, i64, u64, bool);

fn incident() -> impl Strategy<Value = Incident> {
    let text = prop_oneof![
        4 => prop::sample::select(vec![
            "Ключ7 status", "Ключ7 стан", "Ключ7 reboot", "Ключ7 reset modem", "Ключ7", "status",
            "Ключ7\u{a0}status", "Ключ7 Ключ7", "КЛЮЧ7 status",
        ])
        .prop_map(str::to_owned),
        1 => any::<String>(),
        1 => any::<String>().prop_map(|text| format!("Ключ7 {text}")),
    ];
    (
        0usize..5,
        text,
        -5i64..60,
        0u64..1_200,
        prop::bool::weighted(0.1),
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn whatever_comes_only_owners_are_answered_and_not_too_often(
        incidents in prop::collection::vec(incident(), 0..80),
    ) {
        let senders = [OWNER, "+380931112233", STRANGER, "380501112233", "\u{0}+380501112233"];
        let mut bench = bench();
        let mut answered: Vec<u64> = Vec::new();
        let mut clock_s = 0;
        for (sender, text, minutes, seconds, is_cut) in incidents {
            if is_cut {
                bench.keep();
                bench.power_cut();
            }
            clock_s += seconds;
            for wait in [Duration::ZERO, SECOND * u32::try_from(seconds).unwrap()] {
                bench.pass(wait);
                while bench.sending.is_some() {
                    bench.sent(&Ok(Outcome::Sent(vec![1])));
                }
            }
            let before = bench.requests.len();
            let at = bench.now.stamp.time.ms_since(Timestamp::of_unix_ms(START_MS)) / 1000;
            bench.receive(&message(1, senders[sender], &text, at - minutes * 60));
            let is_asked = bench.requests.len() > before;
            let may_ask = sender < 2 && text.starts_with("Ключ7") && minutes <= 30;
            if let Some((_, to, text, _)) = &bench.sending {
                prop_assert!(may_ask && to == senders[sender], "{to} {text}");
            }
            prop_assert!(!is_asked || may_ask);
            if is_asked || bench.sending.is_some() {
                answered.push(clock_s);
                let in_an_hour = answered.iter().filter(|s| clock_s - **s < 3_600).count();
                prop_assert!(in_an_hour <= 6);
            }
            prop_assert!(!bench.on_disk().contains("Ключ7"));
        }
    }
}
