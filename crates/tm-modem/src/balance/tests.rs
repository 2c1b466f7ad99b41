use tm_service::config::{Environment, Report, Settings as _};
use tm_types::{BootId, Clock, Timestamp};

use super::*;

const MINUTE: Duration = Duration::from_mins(1);
const WORDS: &str = "Баланс 12,50 грн. Діє до 01.12.2026";

struct Bench {
    codes: Codes,
    config: Config,
    now: Now,
    tickets: Tickets,
    asked: Vec<String>,
    events: Vec<Cause>,
    finished: Vec<(String, Result<Json, Cause>)>,
    is_registered: bool,
    is_healing: bool,
    /// What the network does.
    answer: Result<&'static str, Cause>,
}

impl Bench {
    fn new() -> Self {
        Self::with(&[
            ("TM_MODEM_BALANCE_USSD", "*101#"),
            ("TM_MODEM_BALANCE_PATTERN", "([0-9]+[.,][0-9]+) грн"),
        ])
    }

    fn with(settings: &[(&str, &str)]) -> Self {
        let environment = settings
            .iter()
            .fold(Environment::default(), |environment, (name, value)| {
                environment.with(name, value)
            });
        let mut report = Report::default();
        let config = Config::load("TM_MODEM_", &environment, &mut report);
        assert!(report.findings().is_empty(), "{:?}", report.findings());
        Self {
            codes: Codes::new(Memory::default(), &config),
            config,
            now: Now {
                instant: Instant::now(),
                stamp: Stamp {
                    time: Timestamp::of_unix_ms(1_795_600_800_000),
                    mono_ms: 60_000,
                    // Two minutes of jitter.
                    boot: BootId(300 + 120),
                    clock: Clock::Ntp,
                    err_ms: None,
                },
            },
            tickets: Tickets::default(),
            asked: Vec::new(),
            events: Vec::new(),
            finished: Vec::new(),
            is_registered: true,
            is_healing: false,
            answer: Ok(WORDS),
        }
    }

    fn call(&mut self, call: impl FnOnce(&mut Codes, Now, &mut Tickets) -> Vec<Effect>) {
        let effects = call(&mut self.codes, self.now, &mut self.tickets);
        self.perform(effects);
    }

    fn perform(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Act(_, Action::Ussd(code)) => self.asked.push(code),
                Effect::Act(_, action) => panic!("{action:?}"),
                Effect::Event(_, cause) => self.events.push(cause),
                Effect::Finish(id, result) => self.finished.push((id.to_string(), result)),
            }
        }
    }

    /// The network answers what was asked last.
    fn answer(&mut self) {
        let result = self.answer.clone().map(|text| {
            Outcome::Ussd(UssdReply {
                text: text.to_owned(),
                is_menu: false,
            })
        });
        let effects = self.codes.on_done(self.tickets.last(), &result, self.now);
        self.perform(effects.unwrap());
    }

    /// Minutes pass, each question is answered; how many were asked.
    fn run(&mut self, minutes: u32) -> usize {
        let before = self.asked.len();
        for _ in 0..minutes {
            let n_asked = self.asked.len();
            self.now.instant += MINUTE;
            self.now.stamp.mono_ms += 60_000;
            self.now.stamp.time = self.now.stamp.time.plus_ms(60_000);
            let (is_registered, is_healing) = (self.is_registered, self.is_healing);
            self.call(|codes, now, tickets| {
                codes.on_situation(is_registered, is_healing, now, tickets)
            });
            self.call(Codes::on_due);
            if self.asked.len() > n_asked {
                self.answer();
            }
        }
        self.asked.len() - before
    }

    fn restart(&mut self) {
        let kept = serde_json::to_string(self.codes.memory()).unwrap();
        self.codes = Codes::new(serde_json::from_str(&kept).unwrap(), &self.config);
    }

    fn codes_of_events(&mut self) -> Vec<String> {
        self.events.drain(..).map(|cause| cause.code).collect()
    }

    fn id(&self) -> OperationId {
        OperationId::new(&format!("op-{}", self.finished.len())).unwrap()
    }
}

#[test]
fn the_balance_is_read_after_a_while_of_registration_then_every_period() {
    let mut bench = Bench::new();
    assert_eq!(bench.run(7), 0, "five minutes and two of jitter");
    assert_eq!(bench.run(1), 1);
    let balance = bench.codes.balance().unwrap();
    assert_eq!(
        (balance.amount.as_deref(), &*balance.text),
        (Some("12.50"), WORDS)
    );
    let cause = code::USSD_BALANCE.with("amount", "12.50");
    assert_eq!(bench.events, [cause.and("text", WORDS)]);
    assert_eq!(bench.run(24 * 60 - 1), 0);
    assert_eq!(bench.run(2), 1);
    assert_eq!(bench.events.len(), 1, "the same is no news");
    bench.answer = Ok("Баланс 3,00 грн.");
    bench.run(24 * 60);
    assert_eq!(bench.events.len(), 2);
}

#[test]
fn a_restart_does_not_ask_again_and_an_unknown_age_does() {
    let mut bench = Bench::new();
    bench.run(10);
    bench.restart();
    assert_eq!(bench.run(60), 0);
    (bench.now.stamp.boot, bench.now.stamp.mono_ms) = (BootId(1), 0);
    bench.restart();
    assert_eq!(bench.run(60), 0, "the wall clock knows");
    (bench.now.stamp.boot, bench.now.stamp.mono_ms) = (BootId(2), 0);
    bench.now.stamp.clock = Clock::Restored;
    bench.restart();
    assert_eq!(bench.run(60), 1);
    assert_eq!(
        bench.codes.balance().unwrap().amount.as_deref(),
        Some("12.50")
    );
}

#[test]
fn nothing_is_asked_while_the_link_is_healed_or_away_or_nothing_is_configured() {
    let mut bench = Bench::new();
    bench.is_healing = true;
    assert_eq!(bench.run(60), 0);
    bench.is_healing = false;
    assert_eq!(bench.run(1), 1);
    let mut bench = Bench::new();
    for _ in 0..20 {
        bench.is_registered = !bench.is_registered;
        assert_eq!(bench.run(5), 0, "it comes and goes");
    }
    let mut bench = Bench::with(&[]);
    assert_eq!(bench.run(3_000), 0);
    assert_eq!(bench.codes.deadline(), None);
}

#[test]
fn errors_are_told_once_and_tried_ever_more_rarely() {
    let mut bench = Bench::new();
    bench.answer = Err(code::MODEM_REFUSED.with("detail", "4"));
    assert_eq!(bench.run(8), 1);
    for (minutes, n_asked) in [
        (14, 0),
        (1, 1),
        (29, 0),
        (1, 1),
        (60, 1),
        (120, 1),
        (24 * 60, 4),
    ] {
        assert_eq!(bench.run(minutes), n_asked, "{minutes}");
    }
    assert_eq!(bench.codes_of_events(), ["ussd.failed"]);
    bench.answer = Ok(WORDS);
    bench.run(6 * 60);
    bench.answer = Err(code::MODEM_TIMEOUT.with("seconds", 60));
    bench.run(48 * 60);
    assert_eq!(bench.codes_of_events(), ["ussd.balance", "ussd.failed"]);
}

#[test]
fn a_busy_modem_is_no_failure() {
    let mut bench = Bench::new();
    bench.answer = Err(busy());
    assert_eq!(bench.run(60), 4);
    assert!(bench.events.is_empty());
}

#[test]
fn words_without_an_amount_are_kept_as_words() {
    let mut bench = Bench::new();
    bench.answer = Ok("1. Баланс 2. Послуги");
    bench.run(10);
    let balance = bench.codes.balance().unwrap();
    assert_eq!(
        (balance.amount.as_deref(), &*balance.text),
        (None, "1. Баланс 2. Послуги")
    );
}

#[test]
fn a_code_is_asked_for_and_its_words_come_back() {
    let mut bench = Bench::with(&[]);
    let id = bench.id();
    bench.call(|codes, _, tickets| codes.on_ussd(id, &json!({"code": "*161#"}), tickets));
    assert_eq!(bench.asked, ["*161#"]);
    for _ in 0..2 {
        let id = bench.id();
        bench.call(|codes, _, tickets| codes.on_ussd(id, &json!({"code": "*1#"}), tickets));
        let (_, result) = bench.finished.pop().unwrap();
        assert!(result.unwrap_err().is(code::MODEM_BUSY));
    }
    bench.answer();
    let words = json!({"text": WORDS, "is_menu": false});
    assert_eq!(bench.finished.pop().unwrap().1, Ok(words));
    assert_eq!(bench.codes.balance(), None, "that was not asked for");
    for args in [
        json!({}),
        json!({"code": "AT#"}),
        json!({"code": "*1#", "x": 1}),
        json!(7),
    ] {
        let id = bench.id();
        bench.call(|codes, _, tickets| codes.on_ussd(id, &args, tickets));
        let (_, result) = bench.finished.pop().unwrap();
        assert!(result.unwrap_err().is(code::OPERATION_BAD_ARGUMENTS));
    }
    assert_eq!(
        bench
            .codes
            .on_done(Ticket(999), &Ok(Outcome::Done), bench.now),
        None
    );
}

#[test]
fn the_balance_is_read_on_request_and_shared_by_those_who_ask() {
    let mut bench = Bench::new();
    for name in ["a", "b"] {
        let id = OperationId::new(name).unwrap();
        bench.call(|codes, _, tickets| codes.on_balance(id, tickets));
    }
    assert_eq!(bench.asked, ["*101#"]);
    bench.answer();
    assert_eq!(bench.finished.len(), 2);
    for (_, result) in &bench.finished {
        assert_eq!(result.as_ref().unwrap()["amount"], "12.50");
    }
    bench.finished.clear();
    let mut bench = Bench::with(&[]);
    let id = bench.id();
    bench.call(|codes, _, tickets| codes.on_balance(id, tickets));
    assert!(bench.finished[0].1.is_err());
}
