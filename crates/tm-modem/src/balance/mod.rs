//! Service codes (USSD): the prepaid balance, read now and then, and codes that are asked for.
//!
//! On LTE a service code makes most networks fall back to an older technology and interrupts data for seconds. So the
//! balance is read at the configured period, first after five minutes of registration, and not while the link is
//! being healed; after errors ever more rarely.

mod amount;
#[cfg(test)]
mod tests;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use tm_service::config::Setting as _;
use tm_types::{Balance, Cause, OperationId, Severity, Stamp, code};
use tokio::time::Instant;

use crate::age::ms_since;
use crate::backend::{Action, Outcome, Ticket, Tickets, UssdReply};
use crate::config::{Config, Pattern, UssdCode};
use crate::manager::Now;

/// A registration that has stood this long is not one of many tries.
const REGISTERED_FOR: Duration = Duration::from_mins(5);
/// Cabinets of an area that come back together do not ask together: spread over this.
const JITTER_S: u32 = 300;
/// After the first error; doubled with each further one.
const FIRST_RETRY: Duration = Duration::from_mins(15);
/// At most, and never more than the period.
const LAST_RETRY: Duration = Duration::from_hours(6);
/// The most that is kept of an answer. A USSD string has at most 182 characters (3GPP TS 23.038, 5).
const TEXT_MAX: usize = 400;

/// What is to be done, in this order.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Effect {
    /// Ask this of the modem; its end goes to [`Codes::on_done`].
    Act(Ticket, Action),
    /// Publish an event.
    Event(Severity, Cause),
    /// End an operation.
    Finish(OperationId, Result<Json, Cause>),
}

/// What is kept over a restart.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Memory {
    balance: Option<Balance>,
}

/// Service codes, one at a time.
#[derive(Debug)]
pub(crate) struct Codes {
    code: Option<UssdCode>,
    pattern: Option<Pattern>,
    period: Duration,
    memory: Memory,
    registered_since: Option<Instant>,
    is_healing: bool,
    /// Not before.
    next: Option<Instant>,
    n_errors: u32,
    under_way: Option<(Ticket, Question)>,
    effects: Vec<Effect>,
}

#[derive(Debug)]
enum Question {
    /// The balance, for those operations as well.
    Balance(Vec<OperationId>),
    /// Whatever the code asks.
    Code(OperationId),
}

/// What `ussd` is asked with.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Arguments {
    code: String,
}

impl Codes {
    /// Goes on from `memory`.
    pub(crate) fn new(memory: Memory, config: &Config) -> Self {
        Self {
            code: config.balance_ussd.clone(),
            pattern: config.balance_pattern.clone(),
            period: Duration::from_hours(config.balance_period_h.into()),
            memory,
            registered_since: None,
            is_healing: false,
            next: None,
            n_errors: 0,
            under_way: None,
            effects: Vec::new(),
        }
    }

    /// How the modem stands; whenever it may have changed.
    pub(crate) fn on_situation(
        &mut self,
        is_registered: bool,
        is_healing: bool,
        now: Now,
        tickets: &mut Tickets,
    ) -> Vec<Effect> {
        self.is_healing = is_healing;
        if !is_registered {
            self.registered_since = None;
        } else if self.registered_since.is_none() {
            self.registered_since = Some(now.instant);
            let jitter = Duration::from_secs((now.stamp.boot.0 % JITTER_S).into());
            let first = now.instant + REGISTERED_FOR + jitter;
            self.next = Some(self.next.map_or(first, |next| next.max(first)));
        }
        self.advance(now, tickets)
    }

    /// A deadline has passed.
    pub(crate) fn on_due(&mut self, now: Now, tickets: &mut Tickets) -> Vec<Effect> {
        self.advance(now, tickets)
    }

    /// When [`on_due`](Self::on_due) is due; nothing while only others can say more.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let may_ask = self.code.is_some() && self.under_way.is_none() && !self.is_healing;
        self.next
            .filter(|_| may_ask && self.registered_since.is_some())
    }

    /// The operation `ussd`: `{"code": "*101#"}`. Ends with `{"text": "…", "is_menu": false}`.
    pub(crate) fn on_ussd(
        &mut self,
        id: OperationId,
        args: &Json,
        tickets: &mut Tickets,
    ) -> Vec<Effect> {
        let code = Arguments::deserialize(args)
            .ok()
            .and_then(|args| UssdCode::parse(&args.code));
        match code {
            None => {
                let detail = format!("`code` is {}", UssdCode::EXPECTED);
                let cause = code::OPERATION_BAD_ARGUMENTS.with("detail", detail);
                self.effects.push(Effect::Finish(id, Err(cause)));
            }
            Some(_) if self.under_way.is_some() => self.finish(id, Err(busy())),
            Some(code) => self.ask(&code, Question::Code(id), tickets),
        }
        std::mem::take(&mut self.effects)
    }

    /// The operation `balance`: reads it now. Ends with the balance as the state has it.
    pub(crate) fn on_balance(&mut self, id: OperationId, tickets: &mut Tickets) -> Vec<Effect> {
        match (&mut self.under_way, self.code.clone()) {
            (_, None) => {
                let cause =
                    code::OPERATION_FAILED.with("detail", "TM_MODEM_BALANCE_USSD is not set");
                self.finish(id, Err(cause));
            }
            // The answer that is on its way is as new as another.
            (Some((_, Question::Balance(ids))), _) if ids.len() < 8 => ids.push(id),
            (Some(_), _) => self.finish(id, Err(busy())),
            (None, Some(code)) => self.ask(&code, Question::Balance(vec![id]), tickets),
        }
        std::mem::take(&mut self.effects)
    }

    /// An action has ended; nothing when it was not one of ours.
    pub(crate) fn on_done(
        &mut self,
        ticket: Ticket,
        result: &Result<Outcome, Cause>,
        now: Now,
    ) -> Option<Vec<Effect>> {
        let (_, question) = self.under_way.take_if(|(ours, _)| *ours == ticket)?;
        let reply = match result {
            Ok(Outcome::Ussd(reply)) => Ok(reply),
            Ok(Outcome::Done | Outcome::Sent(_)) => {
                Err(code::OPERATION_FAILED.with("detail", "no words came"))
            }
            Err(cause) => Err(cause.clone()),
        };
        match question {
            Question::Code(id) => {
                let told =
                    |reply: &UssdReply| json!({"text": cut(&reply.text), "is_menu": reply.is_menu});
                self.finish(id, reply.map(told));
            }
            Question::Balance(ids) => {
                let result = match reply {
                    Ok(reply) => Ok(self.on_reading(&reply.text, now)),
                    Err(cause) => Err(self.on_error(cause, now)),
                };
                for id in ids {
                    self.finish(id, result.clone());
                }
            }
        }
        Some(std::mem::take(&mut self.effects))
    }

    /// The balance as it was read last.
    pub(crate) fn balance(&self) -> Option<&Balance> {
        self.memory.balance.as_ref()
    }

    /// What to keep, with the next minute.
    pub(crate) fn memory(&self) -> &Memory {
        &self.memory
    }

    fn on_reading(&mut self, text: &str, now: Now) -> Json {
        let text = cut(text);
        let amount = self
            .pattern
            .as_ref()
            .and_then(|pattern| amount::read(pattern.first_group(&text)?));
        let balance = Balance {
            amount,
            text,
            stamp: now.stamp,
        };
        let told = json!(balance);
        let last = self.memory.balance.replace(balance.clone());
        let has_changed = last.is_none_or(|last| match (&last.amount, &balance.amount) {
            // The words around an amount may hold a date.
            (Some(last), Some(amount)) => last != amount,
            _ => last.text != balance.text,
        });
        if has_changed {
            let amount = balance.amount.as_deref().unwrap_or("?");
            let cause = code::USSD_BALANCE.with("amount", amount);
            let event = Effect::Event(Severity::Info, cause.and("text", balance.text));
            self.effects.push(event);
        }
        self.n_errors = 0;
        self.next = Some(now.instant + self.period);
        told
    }

    fn on_error(&mut self, cause: Cause, now: Now) -> Cause {
        let is_first = self.n_errors == 0;
        let wait = FIRST_RETRY * 2u32.pow(self.n_errors.min(8));
        self.next = Some(now.instant + wait.min(LAST_RETRY).min(self.period));
        // A modem that had something else to do says nothing of the network.
        if cause.is(code::MODEM_BUSY) {
            return cause;
        }
        self.n_errors += 1;
        if is_first {
            let told = code::USSD_FAILED.with("detail", &cause.code);
            self.effects.push(Effect::Event(Severity::Warning, told));
        }
        cause
    }

    /// Asks for the balance when it is time to.
    fn advance(&mut self, now: Now, tickets: &mut Tickets) -> Vec<Effect> {
        if self.deadline().is_some_and(|time| time <= now.instant)
            && let Some(code) = self.code.clone()
        {
            match self.left(&now.stamp) {
                Some(left) if self.n_errors == 0 => self.next = Some(now.instant + left),
                _ => self.ask(&code, Question::Balance(Vec::new()), tickets),
            }
        }
        std::mem::take(&mut self.effects)
    }

    /// How long the last reading still serves, also one of before a restart.
    fn left(&self, now: &Stamp) -> Option<Duration> {
        let balance = self.memory.balance.as_ref()?;
        let age = Duration::from_millis(ms_since(&balance.stamp, now)?);
        self.period.checked_sub(age).filter(|left| !left.is_zero())
    }

    fn ask(&mut self, code: &UssdCode, question: Question, tickets: &mut Tickets) {
        let ticket = tickets.draw();
        let action = Action::Ussd(code.as_str().to_owned());
        self.under_way = Some((ticket, question));
        self.effects.push(Effect::Act(ticket, action));
    }

    fn finish(&mut self, id: OperationId, result: Result<Json, Cause>) {
        self.effects.push(Effect::Finish(id, result));
    }
}

fn busy() -> Cause {
    code::MODEM_BUSY.with("what", "another service code")
}

fn cut(text: &str) -> String {
    text.trim().chars().take(TEXT_MAX).collect()
}
