//! Errands and messages on a module that answers from a table.

use std::collections::BTreeMap;
use std::time::Duration;

use tm_proto::sms;
use tm_service::config::{Environment, Report as ConfigReport, Settings};
use tm_service::port::PortEvent;
use tm_types::{BootId, Cause, Clock, Stamp, Timestamp, code};
use tokio::time::Instant;

use super::core::{Core, Effect, Event};
use crate::backend::{Action, MessageHandle, Now, Outcome, Report, Ticket, UssdReply};
use crate::config::Config;

const SECOND: Duration = Duration::from_secs(1);
const TICKET: Ticket = Ticket(7);
/// From +27831234567 at 2022-11-19T09:00 "hellohello", as a service centre sends it.
const MESSAGE: &str = "07917238010010F5040BC87238880900F10000993092516195800AE8329BFD4697D9EC37";

/// A module on a table, and the clock.
struct Talk {
    core: Core,
    answers: BTreeMap<String, String>,
    asked: Vec<String>,
    reports: Vec<Report>,
    start: Instant,
    elapsed: Duration,
}

impl Talk {
    fn new() -> Self {
        Self::with(Config::default())
    }

    fn with(config: Config) -> Self {
        let start = Instant::now();
        let mut talk = Self {
            core: Core::new(config, start),
            answers: BTreeMap::new(),
            asked: Vec::new(),
            reports: Vec::new(),
            start,
            elapsed: Duration::ZERO,
        };
        for (command, answer) in [
            ("AT+CPIN?", "+CPIN: READY/OK"),
            ("AT+CICCID", "+ICCID: 8938003991234567890F/OK"),
            ("AT+CEREG?", "+CEREG: 1,1/OK"),
            ("AT+CPMS?", "+CPMS: \"SM\",1,10,\"SM\",1,10,\"SM\",1,10/OK"),
        ] {
            talk.answer(command, answer);
        }
        talk.on(Event::Port(PortEvent::Opened("port".to_owned())));
        talk.run(SECOND * 5);
        talk
    }

    fn answer(&mut self, command: &str, answer: &str) {
        self.answers.insert(command.to_owned(), answer.to_owned());
    }

    fn now(&self) -> Now {
        let mono_ms = u64::try_from(self.elapsed.as_millis()).unwrap();
        Now {
            instant: self.start + self.elapsed,
            stamp: Stamp {
                time: Timestamp::EPOCH,
                mono_ms,
                boot: BootId(7),
                clock: Clock::None,
                err_ms: None,
            },
        }
    }

    /// Takes an event in, and answers whatever is asked then.
    fn on(&mut self, event: Event) {
        let mut effects: Vec<Effect> = self.core.on(event, self.now());
        while !effects.is_empty() {
            let mut answers = Vec::new();
            for effect in effects {
                match effect {
                    Effect::Report(report) => self.reports.push(report),
                    Effect::Reopen => panic!("the port is given up"),
                    Effect::Write(bytes) => {
                        let text = String::from_utf8(bytes).unwrap();
                        let text = text.trim_end_matches(['\r', '\u{1a}']).to_owned();
                        let known = self.answers.get(&text).cloned();
                        let unknown = if text.starts_with("AT") { "OK" } else { "" };
                        answers.push(known.unwrap_or_else(|| unknown.to_owned()));
                        self.asked.push(text);
                    }
                }
            }
            effects = Vec::new();
            for answer in answers.iter().filter(|answer| !answer.is_empty()) {
                let text = match answer.as_str() {
                    ">" => "\r\n> ".to_owned(),
                    answer => format!("\r\n{}\r\n", answer.replace('/', "\r\n")),
                };
                let bytes = PortEvent::Bytes(text.into_bytes());
                effects.extend(self.core.on(Event::Port(bytes), self.now()));
            }
        }
    }

    fn say(&mut self, line: &str) {
        let bytes = format!("\r\n{line}\r\n").into_bytes();
        self.on(Event::Port(PortEvent::Bytes(bytes)));
    }

    /// Lets time pass, from deadline to deadline.
    fn run(&mut self, time: Duration) {
        let end = self.elapsed + time;
        while let Some(due) = self.core.deadline() {
            let due = due.saturating_duration_since(self.start).max(self.elapsed);
            if due > end {
                break;
            }
            self.elapsed = due;
            self.on(Event::Due);
        }
        self.elapsed = end;
    }

    /// Does it; how it ended, and what was asked for it.
    fn act(&mut self, action: &Action) -> (Result<Outcome, Cause>, Vec<String>) {
        self.asked.clear();
        self.on(Event::Ask(TICKET, action.clone()));
        self.run(action.time());
        let ends = self.reports.iter().filter_map(|report| match report {
            Report::Done(TICKET, end) => Some(end.clone()),
            _ => None,
        });
        let ends: Vec<_> = ends.collect();
        self.reports.clear();
        assert_eq!(ends.len(), 1, "{action:?} ends once: {ends:?}");
        (ends[0].clone(), std::mem::take(&mut self.asked))
    }

    fn messages(&mut self) -> Vec<(MessageHandle, String)> {
        let messages = self.reports.drain(..).filter_map(|report| match report {
            Report::Message(message) => Some((message.handle, message.text)),
            _ => None,
        });
        messages.collect()
    }
}

#[test]
fn the_antennas_supply_is_set_after_every_start() {
    let environment = Environment::default().with("TM_MODEM_GNSS_ANTENNA_MV", "2800");
    let config = Config::load("TM_MODEM_", &environment, &mut ConfigReport::new());
    let mut talk = Talk::with(config);
    let n_set = |talk: &mut Talk| {
        let asked = std::mem::take(&mut talk.asked);
        let set = |command: &&String| *command == "AT+CVAUXV=2800" || *command == "AT+CVAUXS=1";
        asked.iter().filter(set).count()
    };
    assert_eq!(n_set(&mut talk), 2);
    talk.say("RDY");
    talk.run(SECOND * 5);
    assert_eq!(n_set(&mut talk), 2);
    talk.run(SECOND * 600);
    assert_eq!(n_set(&mut talk), 0);
    assert_eq!(n_set(&mut Talk::new()), 0, "left as it is");
}

#[test]
fn rungs_are_rows_of_commands() {
    let mut talk = Talk::new();
    talk.answer("AT+CGACT=0,1", "+CME ERROR: 100");
    let (end, asked) = talk.act(&Action::Reconnect);
    assert_eq!(end, Ok(Outcome::Done), "down already");
    assert_eq!(asked[..2], ["AT+CGACT=0,1", "AT+CGACT=1,1"]);
    let (end, asked) = talk.act(&Action::CycleRadio);
    assert_eq!(end, Ok(Outcome::Done));
    // While the radio rests it may be asked how it is.
    let orders: Vec<&String> = asked
        .iter()
        .filter(|command| command.contains('='))
        .collect();
    assert_eq!(orders, ["AT+COPS=0", "AT+CFUN=4", "AT+CFUN=1"]);
    talk.answer("AT+CGACT=1,1", "+CME ERROR: 30");
    let (end, _) = talk.act(&Action::Reconnect);
    assert!(end.unwrap_err().is(code::MODEM_REFUSED));
    let (end, asked) = talk.act(&Action::Reset);
    assert_eq!((end, asked[0].as_str()), (Ok(Outcome::Done), "AT+CRESET"));
}

#[test]
fn a_module_that_vanishes_ends_what_was_asked() {
    let mut talk = Talk::new();
    talk.answer("AT+CRESET", "");
    talk.on(Event::Ask(TICKET, Action::Reset));
    talk.on(Event::Ask(Ticket(8), Action::Reconnect));
    let lost = PortEvent::Lost("end of file".to_owned());
    talk.on(Event::Port(lost));
    let ends: Vec<_> = talk
        .reports
        .iter()
        .filter_map(|report| match report {
            Report::Done(ticket, end) => Some((ticket.0, end.is_ok())),
            _ => None,
        })
        .collect();
    assert_eq!(ends, [(7, true), (8, false)], "a reset goes as it was told");
    talk.reports.clear();
    talk.on(Event::Ask(Ticket(9), Action::Reset));
    let absent = |report: &Report| matches!(report, Report::Done(Ticket(9), Err(cause)) if cause.is(code::MODEM_ABSENT));
    assert!(talk.reports.iter().any(absent), "{:?}", talk.reports);
}

#[test]
fn too_many_errands_are_refused() {
    let mut talk = Talk::new();
    talk.answer("AT+CUSD=1,\"*101#\",15", "");
    for n in 0..20 {
        talk.on(Event::Ask(Ticket(n), Action::Ussd("*101#".to_owned())));
    }
    let refused = |report: &&Report| matches!(report, Report::Done(_, Err(cause)) if cause.is(code::MODEM_BUSY));
    assert_eq!(talk.reports.iter().filter(refused).count(), 11);
}

#[test]
fn a_text_goes_out_in_parts() {
    let mut talk = Talk::new();
    let text = "Шафа ".repeat(60);
    let parts = sms::submit("+380501112233", text.trim_end(), true, 0).unwrap();
    assert_eq!(parts.len(), 5);
    for (n, part) in parts.iter().enumerate() {
        talk.answer(&format!("AT+CMGS={}", part.tpdu_length), ">");
        assert!(n < 10);
    }
    // The PDUs differ by the reference only, which the module does not look at.
    let send = Action::Send {
        to: "+380501112233".to_owned(),
        text: text.trim_end().to_owned(),
        wants_report: true,
    };
    talk.on(Event::Ask(TICKET, send));
    let mut pdus = Vec::new();
    for n in 0..5 {
        let pdu = talk.asked.last().unwrap().clone();
        assert!(pdu.len() > 40, "a PDU follows the prompt: {pdu}");
        pdus.push(pdu);
        talk.say(&format!("+CMGS: {}\r\n\r\nOK", 40 + n));
    }
    let done = talk.reports.iter().find_map(|report| match report {
        Report::Done(TICKET, end) => Some(end.clone()),
        _ => None,
    });
    assert_eq!(done, Some(Ok(Outcome::Sent(vec![40, 41, 42, 43, 44]))));
    pdus.dedup();
    assert_eq!(pdus.len(), 5);
    // Another part is refused: the rest is not sent.
    talk.reports.clear();
    let short = sms::submit("111", "ok", false, 0).unwrap();
    talk.answer(
        &format!("AT+CMGS={}", short[0].tpdu_length),
        "+CMS ERROR: 331",
    );
    let (end, _) = talk.act(&Action::Send {
        to: "111".to_owned(),
        text: "ok".to_owned(),
        wants_report: false,
    });
    assert!(end.unwrap_err().is(code::MODEM_REFUSED));
    let (end, asked) = talk.act(&Action::Send {
        to: "abc def ghi jkl".to_owned(),
        text: "ok".to_owned(),
        wants_report: false,
    });
    assert!(end.unwrap_err().is(code::MODEM_REFUSED));
    assert!(!asked.iter().any(|command| command.starts_with("AT+CMGS")));
}

#[test]
fn a_service_code_is_answered_later() {
    let ussd = || Action::Ussd("*101#".to_owned());
    let check = |line: &str, expected: Result<(&str, bool), &str>| {
        let mut talk = Talk::new();
        talk.on(Event::Ask(TICKET, ussd()));
        talk.run(SECOND * 3);
        talk.say(line);
        let end = talk.reports.iter().find_map(|report| match report {
            Report::Done(TICKET, end) => Some(end.clone()),
            _ => None,
        });
        let end = end.expect("it has ended").map_err(|cause| cause.code);
        let expected = expected
            .map(|(text, is_menu)| {
                Outcome::Ussd(UssdReply {
                    text: text.to_owned(),
                    is_menu,
                })
            })
            .map_err(str::to_owned);
        assert_eq!(end, expected, "{line}");
        let cancelled = talk.asked.iter().any(|command| command == "AT+CUSD=2");
        assert_eq!(cancelled, line.starts_with("+CUSD: 1"), "{line}");
    };
    check(
        "+CUSD: 0,\"Balance 12.50 UAH\",15",
        Ok(("Balance 12.50 UAH", false)),
    );
    check(
        "+CUSD: 1,\"1 Tariff 2 Bonus\",15",
        Ok(("1 Tariff 2 Bonus", true)),
    );
    check("+CUSD: 4", Err("ussd.failed"));
    check("+CUSD: 5", Err("ussd.failed"));
    check("+CUSD: 2", Err("ussd.failed"));
    let mut talk = Talk::new();
    let (end, _) = talk.act(&ussd());
    assert!(end.unwrap_err().is(code::MODEM_TIMEOUT), "no answer at all");
    let (end, _) = talk.act(&Action::Ussd("AT+CRESET".to_owned()));
    assert!(end.unwrap_err().is(code::MODEM_REFUSED));
}

#[test]
fn messages_are_told_once_and_leave_the_card_when_asked() {
    let mut talk = Talk::new();
    assert!(talk.messages().is_empty());
    let octets = MESSAGE.len() / 2 - 8;
    talk.answer(
        "AT+CMGL=4",
        &format!("+CMGL: 3,0,,{octets}/{MESSAGE}/+CMGL: 5,1,,2/00FFFF//OK"),
    );
    talk.say("+CMTI: \"SM\",3");
    talk.run(SECOND * 3);
    let messages = talk.messages();
    let handle = |place: &str| MessageHandle(vec![place.to_owned()]);
    assert_eq!(messages[0], (handle("3"), "hellohello".to_owned()));
    assert_eq!(
        messages[1],
        (handle("5"), "00FFFF".to_owned()),
        "kept as it is"
    );
    talk.say("+CMTI: \"SM\",3");
    talk.run(SECOND * 700);
    assert!(talk.messages().is_empty(), "told once");
    let (end, asked) = talk.act(&Action::Delete(handle("3")));
    assert_eq!((end, asked[0].as_str()), (Ok(Outcome::Done), "AT+CMGD=3"));
    // The same words again are another message once the place was free.
    talk.say("+CMTI: \"SM\",3");
    talk.run(SECOND * 3);
    assert_eq!(talk.messages().len(), 1);
}

#[test]
fn a_full_card_is_told_once_until_there_is_room() {
    let mut talk = Talk::new();
    talk.reports.clear();
    for _ in 0..3 {
        talk.say("+CMTI: ,-1");
        talk.run(SECOND * 3);
    }
    let n_full = |talk: &mut Talk| {
        let full = |report: &Report| matches!(report, Report::StoreFull);
        talk.reports.drain(..).filter(full).count()
    };
    // The store itself says that there is room, each time.
    assert_eq!(n_full(&mut talk), 3);
    talk.answer(
        "AT+CPMS?",
        "+CPMS: \"SM\",10,10,\"SM\",10,10,\"SM\",10,10/OK",
    );
    for _ in 0..3 {
        talk.say("+CMTI: \"SM\",-1");
        talk.run(SECOND * 700);
    }
    assert_eq!(n_full(&mut talk), 1);
}
