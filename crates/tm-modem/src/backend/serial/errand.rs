//! An action as a row of commands: what is sent when, what an answer means, and when it has ended.

use std::collections::VecDeque;
use std::time::Duration;

use tm_proto::at::{Command, Reply};
use tm_proto::sim7600::ask::{self, RADIO_TIME};
use tm_types::{Cause, code};
use tokio::time::Instant;

use super::dialogue::Question;
use crate::backend::{Action, Outcome, Ticket};

/// How long a change of a context or of the operator may take (manual V3.00, 4.2.2 and 8.2).
const NETWORK_TIME: Duration = Duration::from_mins(2);
/// How long the radio stays off, so that the network notices (`docs/recovery.md`, rung 2).
const RADIO_PAUSE: Duration = Duration::from_secs(5);
/// How long a context stays down.
const CONTEXT_PAUSE: Duration = Duration::from_secs(3);

/// One step.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Step {
    /// Ask; a refusal ends the errand.
    Ask(Question),
    /// Ask; whatever the answer, go on.
    Try(Question),
    /// Wait.
    Pause(Duration),
}

/// What the errand wants now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Want {
    /// Ask this; call [`Errand::on_reply`] or [`Errand::on_timeout`] with what comes.
    Ask(Question),
    /// Call again at that time, or when something was heard.
    Wait(Instant),
    /// It has ended.
    End(Result<Outcome, Cause>),
}

/// An action under way.
#[derive(Debug)]
pub(crate) struct Errand {
    /// Under which it was asked for.
    pub(crate) ticket: Ticket,
    action: Action,
    steps: VecDeque<Step>,
    deadline: Instant,
    /// Until when a pause lasts.
    pause: Option<Instant>,
    is_asking: bool,
    end: Option<Result<Outcome, Cause>>,
}

impl Errand {
    /// An errand that is about to begin. `cid` is the context for data.
    pub(crate) fn new(ticket: Ticket, action: Action, cid: u8, now: Instant) -> Self {
        let steps = match &action {
            Action::Reconnect => reconnect(cid),
            Action::CycleRadio => cycle_radio(),
            Action::Reset => vec![Step::Ask(question(ask::restart(), RADIO_TIME))],
            Action::Send { .. } | Action::Delete(_) | Action::Ussd(_) => Vec::new(),
        };
        let end = steps.is_empty().then(|| {
            let cause = code::MODEM_UNSUPPORTED.with("backend", "serial");
            Err(cause.and("detail", "not this"))
        });
        Self {
            ticket,
            deadline: now + action.time(),
            steps: steps.into(),
            action,
            pause: None,
            is_asking: false,
            end,
        }
    }

    /// What is to be done next.
    pub(crate) fn want(&mut self, now: Instant) -> Want {
        loop {
            if let Some(end) = self.end.take() {
                return Want::End(end);
            }
            if now >= self.deadline {
                let cause = code::MODEM_TIMEOUT.with("seconds", self.action.time().as_secs());
                return Want::End(Err(cause));
            }
            if self.is_asking {
                return Want::Wait(self.deadline);
            }
            if let Some(until) = self.pause {
                if now < until {
                    return Want::Wait(until.min(self.deadline));
                }
                self.pause = None;
            }
            match self.steps.front() {
                None => self.end = Some(Ok(Outcome::Done)),
                Some(Step::Pause(time)) => {
                    self.pause = Some(now + *time);
                    self.steps.pop_front();
                }
                Some(Step::Ask(question) | Step::Try(question)) => {
                    self.is_asking = true;
                    return Want::Ask(question.clone());
                }
            }
        }
    }

    /// The module has answered.
    pub(crate) fn on_reply(&mut self, reply: &Reply) {
        self.is_asking = false;
        match (self.steps.pop_front(), reply.ok()) {
            (Some(Step::Ask(_)), Err(failure)) => {
                self.end = Some(Err(code::MODEM_REFUSED.with("detail", failure)));
            }
            (Some(Step::Ask(question)), Ok(lines)) => self.on_lines(&question, lines),
            _ => {}
        }
    }

    /// The module has not answered.
    pub(crate) fn on_timeout(&mut self) {
        self.is_asking = false;
        if let Some(Step::Ask(question)) = self.steps.pop_front() {
            let cause = code::MODEM_TIMEOUT.with("seconds", question.time.as_secs());
            self.end = Some(Err(cause));
        }
    }

    /// The way to the module is gone; a module that restarts goes as it was told.
    pub(crate) fn on_gone(&mut self, cause: Cause) -> Result<Outcome, Cause> {
        match self.action {
            Action::Reset => Ok(Outcome::Done),
            _ => Err(cause),
        }
    }

    fn on_lines(&mut self, _question: &Question, _lines: &[String]) {}
}

fn question(command: Command, time: Duration) -> Question {
    Question {
        command,
        payload: None,
        time,
    }
}

fn reconnect(cid: u8) -> Vec<Step> {
    let context = |up: u8| Command::new(&format!("AT+CGACT={up},{cid}")).ok();
    let (Some(down), Some(up)) = (context(0), context(1)) else {
        return Vec::new();
    };
    vec![
        // A context that is down already may be refused to go down.
        Step::Try(question(down, NETWORK_TIME)),
        Step::Pause(CONTEXT_PAUSE),
        Step::Ask(question(up, NETWORK_TIME)),
    ]
}

fn cycle_radio() -> Vec<Step> {
    vec![
        // Also undoes a `+COPS: 2` that somebody left behind: it is sticky over restarts.
        Step::Try(question(ask::operator_automatic(), NETWORK_TIME)),
        Step::Try(question(ask::radio_off(), RADIO_TIME)),
        Step::Pause(RADIO_PAUSE),
        Step::Ask(question(ask::radio_on(), RADIO_TIME)),
    ]
}
