//! From the cloud to the services: commands and configurations become operations on the bus.
//!
//! Pure: messages in, what is to be done out. A repeated id is the executing service's affair: it keeps what it has
//! done, over restarts too, and answers with that.

mod command;
mod liveness;

use std::time::Duration;

use serde_json::Value as Json;
use tm_service::bus::ended;
use tm_types::{
    Cause, CommandsState, CommandsStatus, Instance, Operation, OperationId, OperationStatus, Stamp,
    Timestamp, code,
};

use command::{Asked, Unreadable};
use liveness::{Liveness, Step};

/// Commands that may come at once.
const BURST: f64 = 20.0;
/// Commands a second from then on.
const RATE: f64 = 1.0;
/// Bytes of a refused message that are told.
const BEGIN: usize = 100;

/// What is to be done.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Effect {
    /// Ask a service.
    Ask {
        id: OperationId,
        service: Instance,
        op: String,
        args: Json,
        ttl: Duration,
    },
    /// Answer the cloud without asking anybody.
    Answer(Box<Operation>),
    /// Say that something happened.
    Event(Cause),
    /// Send this on `cmd`, to ourselves.
    Echo(Vec<u8>),
    /// What is sent to us does not arrive: make another connection.
    Reconnect,
}

/// Which of the two topics a message came by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// `cmd`.
    Command,
    /// `cfg`.
    Configuration,
}

/// Takes what the cloud sends.
#[derive(Debug)]
pub(crate) struct Downlink {
    liveness: Liveness,
    /// How many commands may come now.
    allowance: f64,
    allowed_at: Duration,
    is_flooded: bool,
    heard: Option<Timestamp>,
    n_taken: u64,
    n_refused: u64,
}

impl Downlink {
    /// `check` between two echoes, if any are wanted; `mark` is where their marks begin.
    pub(crate) fn new(check: Option<Duration>, mark: u64) -> Self {
        Self {
            liveness: Liveness::new(check, mark),
            allowance: BURST,
            allowed_at: Duration::ZERO,
            is_flooded: false,
            heard: None,
            n_taken: 0,
            n_refused: 0,
        }
    }

    /// A connection stands, with or without the subscription.
    pub(crate) fn came_up(&mut self, is_subscribed: bool, now: Duration) {
        self.liveness.came_up(is_subscribed, now);
    }

    /// The connection is gone.
    pub(crate) fn went_down(&mut self) {
        self.liveness.went_down();
    }

    /// The broker has acknowledged the last echo.
    pub(crate) fn echo_acked(&mut self, now: Duration) {
        self.liveness.acked(now);
    }

    /// When [`Downlink::on_tick`] is due.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        self.liveness.deadline()
    }

    /// The deadline has passed.
    pub(crate) fn on_tick(&mut self, now: Duration) -> Option<Effect> {
        match self.liveness.on_tick(now)? {
            Step::Probe(mark) => Some(Effect::Echo(
                format!(r#"{{"probe":"{mark:016x}"}}"#).into_bytes(),
            )),
            Step::Reconnect => Some(Effect::Reconnect),
        }
    }

    /// How it stands.
    pub(crate) fn state(&self) -> CommandsState {
        CommandsState {
            status: self.liveness.status(),
            heard: self.heard,
            taken: self.n_taken,
            refused: self.n_refused,
        }
    }

    /// What is wrong, if anything is.
    pub(crate) fn trouble(&self, broker: &str) -> Option<Cause> {
        match self.liveness.status() {
            CommandsStatus::Forbidden => Some(code::UPLINK_COMMANDS_FORBIDDEN),
            CommandsStatus::Dead => Some(code::UPLINK_COMMANDS_DEAD),
            _ => None,
        }
        .map(|code| code.with("broker", broker))
    }

    /// A message from the cloud, received at `now`.
    ///
    /// A retained one is as old as it likes, and would come again with every connection: it is refused.
    pub(crate) fn on_message(
        &mut self,
        kind: Kind,
        payload: &[u8],
        is_retained: bool,
        now: &Stamp,
    ) -> Vec<Effect> {
        let mono = Duration::from_millis(now.mono_ms);
        if let Some(mark) = command::probe_of(payload) {
            if let Ok(mark) = u64::from_str_radix(&mark, 16) {
                self.liveness.echoed(mark, mono);
            }
            return Vec::new();
        }
        // Clearing a retained message is no command.
        if payload.is_empty() {
            return Vec::new();
        }
        self.heard = Some(now.time);
        if !is_retained {
            self.liveness.heard(mono);
        }
        // Answers and events cost flash and bytes: a flood gets none.
        if !self.allows(mono) {
            self.n_refused += 1;
            let is_news = !std::mem::replace(&mut self.is_flooded, true);
            let event = is_news.then(|| Effect::Event(code::UPLINK_COMMANDS_FLOODED.plain()));
            return event.into_iter().collect();
        }
        let read = match kind {
            Kind::Command => command::command(payload),
            Kind::Configuration => command::configuration(payload),
        };
        let asked = match read {
            Err(unreadable) => return self.refuse_unreadable(unreadable, payload, now),
            Ok(asked) if is_retained => {
                let unreadable = asked.refused("it is retained");
                return self.refuse_unreadable(unreadable, payload, now);
            }
            Ok(asked) => asked,
        };
        if is_late(&asked, now) {
            self.n_refused += 1;
            let (status, cause) = (OperationStatus::Expired, code::OPERATION_EXPIRED.plain());
            let Asked {
                id, service, op, ..
            } = asked;
            let expired = ended(id, service, op, status, &cause, now.time);
            return vec![Effect::Answer(Box::new(expired))];
        }
        self.n_taken += 1;
        vec![Effect::Ask {
            id: asked.id,
            service: asked.service,
            op: asked.op,
            args: asked.args,
            ttl: asked.ttl,
        }]
    }

    fn allows(&mut self, mono: Duration) -> bool {
        let passed = mono.saturating_sub(self.allowed_at).as_secs_f64();
        self.allowed_at = mono;
        self.allowance = (self.allowance + passed * RATE).min(BURST);
        if self.allowance < 1.0 {
            return false;
        }
        self.allowance -= 1.0;
        // Told again only after the flood is over.
        self.is_flooded &= self.allowance < BURST / 2.0;
        true
    }

    fn refuse_unreadable(
        &mut self,
        unreadable: Unreadable,
        payload: &[u8],
        now: &Stamp,
    ) -> Vec<Effect> {
        self.n_refused += 1;
        let Unreadable { detail, asker } = unreadable;
        let begin = &payload[..payload.len().min(BEGIN)];
        let event = code::UPLINK_COMMAND_REFUSED
            .with("detail", &detail)
            .and("begin", begin.escape_ascii());
        let answer = asker.map(|(id, service, op)| {
            let cause = code::OPERATION_BAD_ARGUMENTS.with("detail", &detail);
            let status = OperationStatus::Failed;
            Effect::Answer(Box::new(ended(id, service, op, status, &cause, now.time)))
        });
        answer.into_iter().chain([Effect::Event(event)]).collect()
    }
}

/// Whether it was issued longer ago than it may live; the clocks of both have to be right for that. What is late without
/// saying so is told by the executing service, from its receipt on.
fn is_late(asked: &Asked, now: &Stamp) -> bool {
    let ttl_ms = i64::try_from(asked.ttl.as_millis()).unwrap_or(i64::MAX);
    let age_ms = asked.issued_at.map(|at| now.time.ms_since(at));
    now.clock.is_trusted() && age_ms.is_some_and(|age_ms| age_ms > ttl_ms)
}

#[cfg(test)]
mod tests {
    use tm_types::{BootId, Clock};

    use super::*;

    /// 2026-11-23T08:00:00Z.
    const NOW_MS: i64 = 1_795_420_800_000;

    fn at(mono_ms: u64, clock: Clock) -> Stamp {
        Stamp {
            time: Timestamp::of_unix_ms(NOW_MS),
            mono_ms,
            boot: BootId(1),
            clock,
            err_ms: None,
        }
    }

    fn reset(id: &str) -> String {
        format!(
            r#"{{"id":"{id}","service":"modem","op":"reset","issued_at":"2026-11-23T07:58:00.000Z"}}"#
        )
    }

    /// What was done about a command, in short.
    fn told(downlink: &mut Downlink, payload: &str, is_retained: bool, now: &Stamp) -> Vec<String> {
        let effects = downlink.on_message(Kind::Command, payload.as_bytes(), is_retained, now);
        let tell = |effect| match effect {
            Effect::Ask {
                id, service, op, ..
            } => format!("ask {service} {op} {id}"),
            Effect::Answer(operation) => {
                let problem = operation.problem.map_or(String::new(), |p| p.code);
                format!("answer {} {:?} {problem}", operation.id, operation.status)
            }
            Effect::Event(cause) => format!("event {}", cause.code),
            other => format!("{other:?}"),
        };
        effects.into_iter().map(tell).collect()
    }

    #[test]
    fn a_command_is_passed_on_refused_or_late() {
        let mut downlink = Downlink::new(None, 0);
        downlink.came_up(true, Duration::ZERO);
        let (good, bad) = (at(1, Clock::Ntp), at(1, Clock::Restored));
        let plain = r#"{"id":"a","service":"modem","op":"reset"}"#;
        assert_eq!(
            told(&mut downlink, plain, false, &good),
            ["ask modem reset a"]
        );
        // Two minutes old, with one to live; a clock that nobody set says nothing about that.
        assert_eq!(
            told(&mut downlink, &reset("b"), false, &good),
            ["answer b Expired operation.expired"]
        );
        assert_eq!(
            told(&mut downlink, &reset("b"), false, &bad),
            ["ask modem reset b"]
        );
        assert_eq!(
            told(&mut downlink, plain, true, &good),
            [
                "answer a Failed operation.bad_arguments",
                "event uplink.command_refused"
            ]
        );
        assert_eq!(
            told(&mut downlink, "\u{0}garbage", false, &good),
            ["event uplink.command_refused"]
        );
        assert_eq!(told(&mut downlink, "", true, &good), Vec::<String>::new());
        let state = downlink.state();
        assert_eq!(
            (state.taken, state.refused, state.status),
            (2, 3, CommandsStatus::Alive)
        );
    }

    #[test]
    fn a_flood_is_counted_and_told_once() {
        let mut downlink = Downlink::new(None, 0);
        let plain = |n: u64| format!(r#"{{"id":"f{n}","service":"modem","op":"reset"}}"#);
        let mut asked = 0;
        let mut events = Vec::new();
        for n in 0..1000 {
            for line in told(&mut downlink, &plain(n), false, &at(n * 10, Clock::None)) {
                match line.split_once(' ') {
                    Some(("ask", _)) => asked += 1,
                    Some(("event", code)) => events.push(code.to_owned()),
                    _ => {}
                }
            }
        }
        assert_eq!(asked, 20 + 9, "a burst, and one a second for ten seconds");
        assert_eq!(
            (downlink.state().taken, downlink.state().refused),
            (29, 971)
        );
        assert_eq!(events, ["uplink.commands_flooded"]);
        // And garbage costs no more events than that.
        let garbage =
            (0..1000).flat_map(|n| told(&mut downlink, "{", false, &at(20_000 + n, Clock::None)));
        assert!(garbage.count() <= 20);
    }

    #[test]
    fn what_is_wrong_with_it_is_named() {
        let mut downlink = Downlink::new(Some(Duration::from_mins(1)), 0);
        downlink.came_up(false, Duration::ZERO);
        let trouble = downlink.trouble("cloud:8883").unwrap();
        assert_eq!(
            (&*trouble.code, &*trouble.args["broker"]),
            ("uplink.commands_forbidden", "cloud:8883")
        );
        downlink.came_up(true, Duration::ZERO);
        assert_eq!(downlink.trouble("cloud:8883"), None);
        let Some(Effect::Echo(echo)) = downlink.on_tick(Duration::from_mins(1)) else {
            panic!("an echo is due");
        };
        assert_eq!(echo, br#"{"probe":"0000000000000001"}"#);
        assert_eq!(
            downlink.on_message(Kind::Command, &echo, false, &at(61_000, Clock::Ntp)),
            []
        );
        assert_eq!(downlink.state().status, CommandsStatus::Alive);
        assert_eq!(downlink.state().taken, 0);
    }
}
