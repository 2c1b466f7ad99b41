//! An action as a row of commands: what is sent when, what an answer means, and when it has ended.

use std::collections::VecDeque;
use std::time::Duration;

use tm_proto::at::{Command, Reply};
use tm_proto::sim7600::ask::{self, ANSWER_TIME, DATA_TIME, RADIO_TIME, SEND_TIME, SIM_TIME};
use tm_proto::sim7600::{self, Ussd, UssdStatus};
use tm_proto::sms;
use tm_types::{Cause, code};
use tokio::time::Instant;

use super::dialogue::Question;
use super::messages;
use crate::backend::{Action, MessageHandle, Outcome, Ticket, UssdReply};

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
    /// Wait for the network's answer to a service code.
    Ussd,
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
    /// Under which it was asked for; nothing for what nobody asked for.
    pub(crate) ticket: Option<Ticket>,
    action: Action,
    /// The network's references of the parts sent so far.
    references: Vec<u8>,
    /// The network's answer to the service code.
    answer: Option<UssdReply>,
    steps: VecDeque<Step>,
    deadline: Instant,
    /// Until when a pause lasts.
    pause: Option<Instant>,
    is_asking: bool,
    end: Option<Result<Outcome, Cause>>,
}

impl Errand {
    /// An errand that is about to begin. `cid` is the context for data, `reference` numbers a text to be sent.
    pub(crate) fn new(
        ticket: Ticket,
        action: Action,
        cid: u8,
        reference: u8,
        now: Instant,
    ) -> Self {
        let steps = match &action {
            Action::Reconnect => reconnect(cid),
            Action::CycleRadio => Ok(cycle_radio()),
            Action::Reset => Ok(vec![Step::Ask(question(ask::restart(), RADIO_TIME))]),
            Action::Send {
                to,
                text,
                wants_report,
            } => send(to, text, *wants_report, reference),
            Action::Delete(handle) => {
                Ok(messages::places(handle).into_iter().map(delete).collect())
            }
            Action::Ussd(code) => ussd(code),
        };
        let (steps, end) = match steps {
            Ok(steps) => (steps, None),
            Err(cause) => (Vec::new(), Some(Err(cause))),
        };
        Self {
            ticket: Some(ticket),
            deadline: now + action.time(),
            action,
            references: Vec::new(),
            answer: None,
            steps: steps.into(),
            pause: None,
            is_asking: false,
            end,
        }
    }

    /// Frees a place on the card of its own accord.
    pub(crate) fn clean(place: u16, now: Instant) -> Self {
        let handle = MessageHandle(vec![place.to_string()]);
        let errand = Self::new(Ticket(0), Action::Delete(handle), 0, 0, now);
        Self {
            ticket: None,
            ..errand
        }
    }

    /// The places on the card that it has freed.
    pub(crate) fn freed(&self) -> Vec<u16> {
        match &self.action {
            Action::Delete(handle) => messages::places(handle),
            _ => Vec::new(),
        }
    }

    /// Whether a text is being sent.
    pub(crate) fn is_sending(&self) -> bool {
        matches!(self.action, Action::Send { .. })
    }

    /// Whether the state is to be read anew after it.
    pub(crate) fn changes_service(&self) -> bool {
        matches!(
            self.action,
            Action::Reconnect | Action::CycleRadio | Action::Reset
        )
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
                None => self.end = Some(Ok(self.outcome())),
                Some(Step::Ussd) if self.answer.is_some() => drop(self.steps.pop_front()),
                Some(Step::Ussd) => return Want::Wait(self.deadline),
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

    fn outcome(&mut self) -> Outcome {
        match &self.action {
            Action::Send { .. } => Outcome::Sent(std::mem::take(&mut self.references)),
            Action::Ussd(_) => self.answer.take().map_or(Outcome::Done, Outcome::Ussd),
            _ => Outcome::Done,
        }
    }

    /// The module has answered.
    pub(crate) fn on_reply(&mut self, reply: &Reply) {
        self.is_asking = false;
        match (self.steps.pop_front(), reply.ok()) {
            (Some(Step::Ask(_)), Err(failure)) => {
                self.end = Some(Err(code::MODEM_REFUSED.with("detail", failure)));
            }
            (Some(Step::Ask(_)), Ok(lines)) => self.on_lines(lines),
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

    fn on_lines(&mut self, lines: &[String]) {
        if matches!(self.action, Action::Send { .. }) {
            self.references.extend(sim7600::message_reference(lines));
        }
    }

    /// The network has answered a service code; it may come before the module's own `OK`.
    pub(crate) fn on_ussd(&mut self, answer: &Ussd) {
        if !matches!(self.action, Action::Ussd(_)) || self.answer.is_some() {
            return;
        }
        let text = answer.text.clone();
        let failure = match answer.status {
            UssdStatus::Done | UssdStatus::Menu | UssdStatus::Ended => None,
            UssdStatus::AnsweredElsewhere => Some("another program has answered"),
            UssdStatus::NotSupported => Some("the network does not know the code"),
            UssdStatus::Timeout => Some("the network did not answer in time"),
        };
        // Ended by the network without a word is no answer either.
        let failure = failure.or_else(|| text.is_none().then_some("the network ended the session"));
        if let Some(detail) = failure {
            self.end = Some(Err(code::USSD_FAILED.with("detail", detail)));
            return;
        }
        let is_menu = answer.status == UssdStatus::Menu;
        self.answer = Some(UssdReply {
            text: text.unwrap_or_default(),
            is_menu,
        });
        if is_menu {
            // A session left open keeps the radio in 3G and the next code from being sent.
            let cancel = question(ask::ussd_cancel(), SIM_TIME);
            self.steps.push_back(Step::Try(cancel));
        }
    }
}

fn question(command: Command, time: Duration) -> Question {
    Question {
        command,
        payload: None,
        time,
    }
}

fn reconnect(cid: u8) -> Result<Vec<Step>, Cause> {
    let context = |up| ask::context_activity(cid, up);
    let (Some(down), Some(up)) = (context(false), context(true)) else {
        return Err(refused(&format!("{cid} is no context")));
    };
    Ok(vec![
        // A context that is down already may be refused to go down.
        Step::Try(question(down, DATA_TIME)),
        Step::Pause(CONTEXT_PAUSE),
        Step::Ask(question(up, DATA_TIME)),
    ])
}

fn cycle_radio() -> Vec<Step> {
    vec![
        // Also undoes a `+COPS: 2` that somebody left behind: it is sticky over restarts.
        Step::Try(question(ask::operator_automatic(), DATA_TIME)),
        Step::Try(question(ask::radio_off(), RADIO_TIME)),
        Step::Pause(RADIO_PAUSE),
        Step::Ask(question(ask::radio_on(), RADIO_TIME)),
    ]
}

fn send(to: &str, text: &str, wants_report: bool, reference: u8) -> Result<Vec<Step>, Cause> {
    let parts = sms::submit(to, text, wants_report, reference)
        .map_err(|error| refused(&error.to_string()))?;
    let mut steps = vec![Step::Ask(question(ask::pdu_mode(), ANSWER_TIME))];
    steps.extend(parts.into_iter().map(|part| {
        Step::Ask(Question {
            command: ask::send_message(&part),
            payload: Some(part.pdu_hex),
            time: SEND_TIME,
        })
    }));
    Ok(steps)
}

/// A place that is free already is refused to be freed.
fn delete(place: u16) -> Step {
    Step::Try(question(ask::delete_message(place), SIM_TIME))
}

fn ussd(code: &str) -> Result<Vec<Step>, Cause> {
    let command = ask::ussd(code).ok_or_else(|| refused("this is no service code"))?;
    Ok(vec![Step::Ask(question(command, SIM_TIME)), Step::Ussd])
}

fn refused(detail: &str) -> Cause {
    code::MODEM_REFUSED.with("detail", detail)
}
