//! Text messages: received ones are kept, asked-for ones are sent, and some ask for something.
//!
//! A received message is kept first and only then taken off the card, so that none is lost to a power cut; one that
//! is seen again is known by sender, text and the operator's time, and only taken off. A taking-off that fails is
//! not repeated: places on the card change owners; the message is seen again after the next start.
//! Nothing here does I/O: what is to be done comes out as effects, in order.

mod alphabet;
pub(crate) mod answers;
mod commands;
mod inbox;
mod limits;
mod outbox;
mod pending;
#[cfg(test)]
mod tests;
mod words;

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use tm_types::text::Language;
use tm_types::{Cause, Operation, OperationId, PrivateText, Severity, TextMessage, code};
use tokio::time::Instant;

use crate::backend::{Action, MessageHandle, Outcome, Received, Ticket, Tickets};
use crate::config::Config;
use crate::manager::Now;

use answers::{End, Info, Voice};
use commands::{Commands, Verdict};
use inbox::Inbox;
use outbox::{Awaited, Fate, Outbox, Outgoing};
use pending::Pending;
use words::Command;

/// The longest message that is sent: ten parts of 153 septets.
const TEXT_MAX: usize = 1530;
/// Within this an operation asked for by text message has to begin, and its end is waited for.
const REQUEST_TTL: Duration = Duration::from_mins(1);
/// Actions whose end is awaited; a card has at most 50 messages.
const UNDER_WAY_MAX: usize = 128;
/// A refusal for one reason is told once in this time: nobody fills the log from outside.
const REFUSAL_PERIOD: Duration = Duration::from_mins(10);

/// What is to be done, in this order.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Effect {
    /// Write [`Messages::memory`] and wait until it is on the disk. When that fails, whatever comes behind it in the
    /// same list is not to be done: the message stays on the card, and is seen again.
    Keep,
    /// Ask this of the modem; its end goes to [`Messages::on_done`].
    Act(Ticket, Action),
    /// Publish an event.
    Event(Severity, Cause),
    /// Ask for an operation, in the common way, with the issuer `sms`; how it stands goes to
    /// [`Messages::on_operation`]. Its result is on `tm/v1/res/<id>`, also after a restart.
    Request {
        /// Its id.
        id: OperationId,
        /// Who does it.
        executor: Executor,
        /// What: `reset` or `reboot`.
        op: &'static str,
        /// With what.
        args: Json,
        /// How long it may take to begin.
        ttl: Duration,
    },
    /// End an operation.
    Finish(OperationId, Result<Json, Cause>),
}

/// Who does what a text message asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Executor {
    /// This service.
    Own,
    /// The agent.
    Agent,
}

/// What is kept over a restart: about 100 KiB at most.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Memory {
    inbox: Inbox,
    sent: u64,
    awaited: Awaited,
    commands: commands::Memory,
    pending: Pending,
}

/// The text messages of a modem.
#[derive(Debug)]
pub(crate) struct Messages {
    memory: Memory,
    room: usize,
    commands: Commands,
    /// When a refusal for a reason was told last.
    refusals: HashMap<&'static str, Instant>,
    outbox: Outbox,
    /// Actions under way.
    under_way: BTreeMap<Ticket, Task>,
    is_store_full: bool,
    effects: Vec<Effect>,
}

#[derive(Debug)]
enum Task {
    Delete(MessageHandle),
    Send,
}

/// What `send-sms` is asked with.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SendArguments {
    to: String,
    text: String,
    #[serde(default)]
    report: bool,
}

impl Messages {
    /// Goes on from `memory`.
    pub(crate) fn new(mut memory: Memory, config: &Config, now: Instant) -> Self {
        memory.pending.begin(now);
        Self {
            memory,
            commands: Commands::new(config, now),
            refusals: HashMap::new(),
            room: usize::try_from(config.sms_inbox).unwrap_or(usize::MAX),
            outbox: Outbox::default(),
            under_way: BTreeMap::new(),
            is_store_full: false,
            effects: Vec::new(),
        }
    }

    /// A modem came. The messages that it has were maybe sent long ago.
    pub(crate) fn on_present(&mut self, now: Now) {
        self.commands.on_present(now.instant);
    }

    /// A message came, or was found on the card. `info`: what the cabinet can say of itself now.
    pub(crate) fn on_received(
        &mut self,
        received: &Received,
        info: &Info,
        now: Now,
        tickets: &mut Tickets,
    ) -> Vec<Effect> {
        let text = self.commands.redact(&received.text);
        let id = self
            .memory
            .inbox
            .take(received, &text, self.room, now.stamp);
        let mut verdict = Verdict::Ordinary;
        if id.is_some() {
            let cause = code::SMS_RECEIVED.with("from", mask(&received.from));
            self.event(Severity::Info, cause);
            verdict = self
                .commands
                .judge(received, &mut self.memory.commands, now);
        }
        if let Verdict::Follow(command @ (Command::ResetModem | Command::Reboot), language) =
            verdict
        {
            let id = request_id(id, received);
            self.memory
                .pending
                .push(id, &received.from, command, language, now.instant);
        }
        self.effects.push(Effect::Keep);
        self.act(
            Task::Delete(received.handle.clone()),
            Action::Delete(received.handle.clone()),
            tickets,
        );
        self.follow(verdict, id, received, info, now);
        self.advance(now, tickets)
    }

    fn follow(
        &mut self,
        verdict: Verdict,
        id: Option<u64>,
        received: &Received,
        info: &Info,
        now: Now,
    ) {
        let from = &received.from;
        let (command, language) = match verdict {
            Verdict::Ordinary => return,
            Verdict::Refused(reason) => return self.refuse(reason, from, now.instant),
            Verdict::Unknown => {
                self.refuse("unknown command", from, now.instant);
                return self.answer(from, Voice(Language::En).commands(info));
            }
            Verdict::Follow(command, language) => (command, language),
        };
        let cause = code::SMS_COMMAND_ACCEPTED.with("from", mask(from));
        let name = command.name(Language::En);
        self.event(Severity::Info, cause.and("command", name));
        let (executor, op) = match command {
            Command::Status => return self.answer(from, Voice(language).status(info)),
            Command::Position => return self.answer(from, Voice(language).position(info)),
            Command::ResetModem => (Executor::Own, "reset"),
            Command::Reboot => (Executor::Agent, "reboot"),
        };
        self.effects.push(Effect::Request {
            id: request_id(id, received),
            executor,
            op,
            args: json!({}),
            ttl: REQUEST_TTL,
        });
    }

    fn refuse(&mut self, reason: &'static str, from: &str, now: Instant) {
        let told = self.refusals.get(reason);
        if told.is_some_and(|told| now < *told + REFUSAL_PERIOD) {
            return;
        }
        self.refusals.insert(reason, now);
        let cause = code::SMS_COMMAND_REFUSED.with("from", mask(from));
        self.event(Severity::Warning, cause.and("reason", reason));
    }

    fn answer(&mut self, to: &str, text: String) {
        if self.outbox.push(Outgoing::new(to, text, false)).is_err() {
            tracing::debug!("too many messages wait; one is not answered");
        }
    }

    /// How an operation stands; those that no text message asked for are passed over.
    pub(crate) fn on_operation(
        &mut self,
        operation: &Operation,
        info: &Info,
        now: Now,
        tickets: &mut Tickets,
    ) -> Vec<Effect> {
        if let Some(end) = End::of(operation)
            && let Some(asked) = self.memory.pending.take(&operation.id)
        {
            // The result is told again after every start; it is answered once.
            self.effects.push(Effect::Keep);
            let text = Voice(asked.language).ended(info, asked.command, &end);
            self.answer(&asked.to, text);
        }
        self.advance(now, tickets)
    }

    /// The card has no room; said once until a message could be taken off.
    pub(crate) fn on_store_full(&mut self) -> Vec<Effect> {
        if !std::mem::replace(&mut self.is_store_full, true) {
            self.event(Severity::Warning, code::SMS_STORE_FULL.plain());
        }
        std::mem::take(&mut self.effects)
    }

    /// The operation `send-sms`: `{"to": "+380…", "text": "…", "report": false}`.
    pub(crate) fn on_send(
        &mut self,
        id: OperationId,
        args: &Json,
        now: Now,
        tickets: &mut Tickets,
    ) -> Vec<Effect> {
        let outgoing = match read_arguments(args) {
            Ok(args) => Outgoing::new(&args.to, args.text, args.report).of_operation(id.clone()),
            Err(detail) => {
                let cause = code::OPERATION_BAD_ARGUMENTS.with("detail", detail);
                self.effects.push(Effect::Finish(id, Err(cause)));
                return std::mem::take(&mut self.effects);
            }
        };
        if self.outbox.push(outgoing).is_err() {
            let cause = code::MODEM_BUSY.with("what", "text messages");
            self.effects.push(Effect::Finish(id, Err(cause)));
        }
        self.advance(now, tickets)
    }

    /// An action has ended. Tickets of others are passed over: true when it was one of ours.
    pub(crate) fn on_done(
        &mut self,
        ticket: Ticket,
        result: &Result<Outcome, Cause>,
        now: Now,
        tickets: &mut Tickets,
    ) -> Option<Vec<Effect>> {
        match self.under_way.remove(&ticket)? {
            Task::Delete(handle) => self.on_deleted(&handle, result),
            Task::Send => self.on_sent(result, now),
        }
        Some(self.advance(now, tickets))
    }

    fn on_deleted(&mut self, handle: &MessageHandle, result: &Result<Outcome, Cause>) {
        match result {
            Ok(_) => {
                self.memory.inbox.on_deleted(handle);
                self.is_store_full = false;
            }
            Err(cause) => tracing::debug!(code = %cause.code, "message stays on the card"),
        }
    }

    fn on_sent(&mut self, result: &Result<Outcome, Cause>, now: Now) {
        let Some(outgoing) = self.outbox.finish() else {
            return;
        };
        let to = mask(&outgoing.to);
        match result {
            Ok(outcome) => {
                let references = match outcome {
                    Outcome::Sent(references) => references.clone(),
                    Outcome::Done | Outcome::Ussd(_) => Vec::new(),
                };
                self.memory.sent += 1;
                let parts = references.len().max(1);
                let cause = code::SMS_SENT.with("to", to).and("parts", parts);
                self.event(Severity::Info, cause);
                if let Some(id) = outgoing.operation {
                    let result = json!({"parts": parts, "references": references});
                    self.effects.push(Effect::Finish(id, Ok(result)));
                }
                if outgoing.wants_report && !references.is_empty() {
                    self.memory
                        .awaited
                        .push(&outgoing.to, references, now.stamp);
                }
            }
            Err(cause) => {
                let Err(outgoing) = self.outbox.retry(outgoing, now.instant) else {
                    return;
                };
                let told = code::SMS_NOT_SENT.with("to", to).and("detail", &cause.code);
                self.event(Severity::Warning, told);
                if let Some(id) = outgoing.operation {
                    self.effects.push(Effect::Finish(id, Err(cause.clone())));
                }
            }
        }
    }

    /// The network's word on a part of a message.
    pub(crate) fn on_delivery(
        &mut self,
        reference: u8,
        failure: Option<&str>,
        now: Now,
    ) -> Vec<Effect> {
        let fate = self
            .memory
            .awaited
            .on_word(reference, failure.is_none(), &now.stamp);
        match fate {
            Some(Fate::Delivered(to)) => {
                self.event(Severity::Info, code::SMS_DELIVERED.with("to", mask(&to)));
            }
            Some(Fate::Lost(to)) => {
                let cause = code::SMS_NOT_DELIVERED.with("to", mask(&to));
                let detail: String = failure.unwrap_or("?").chars().take(100).collect();
                self.event(Severity::Warning, cause.and("detail", detail));
            }
            None => {}
        }
        std::mem::take(&mut self.effects)
    }

    /// A deadline has passed.
    pub(crate) fn on_due(&mut self, info: &Info, now: Now, tickets: &mut Tickets) -> Vec<Effect> {
        if self.outbox.is_overdue(now.instant) {
            self.under_way
                .retain(|_, task| matches!(task, Task::Delete(_)));
            let seconds = outbox::PATIENCE.as_secs();
            self.on_sent(&Err(code::MODEM_TIMEOUT.with("seconds", seconds)), now);
        }
        for asked in self.memory.pending.take_overdue(now.instant) {
            let text = Voice(asked.language).ended(info, asked.command, &End::Unknown);
            self.answer(&asked.to, text);
        }
        self.advance(now, tickets)
    }

    /// When [`on_due`](Self::on_due) is due.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let times = [self.outbox.deadline(), self.memory.pending.deadline()];
        times.into_iter().flatten().min()
    }

    /// What is told to everybody: who wrote and when, but not what.
    pub(crate) fn state(&self) -> tm_types::Messages {
        let inbox = self.memory.inbox.messages();
        tm_types::Messages {
            inbox: inbox.map(without_text).collect(),
            dropped: self.memory.inbox.dropped(),
            sent: self.memory.sent,
        }
    }

    /// The numbers of the messages, oldest first. What a message says never changes.
    pub(crate) fn ids(&self) -> impl Iterator<Item = u64> {
        self.memory.inbox.messages().map(|message| message.id)
    }

    /// What the messages say, for our own services only.
    pub(crate) fn texts(&self) -> Vec<PrivateText> {
        let inbox = self.memory.inbox.messages();
        let text = |message: &TextMessage| PrivateText {
            id: message.id,
            text: message.text.clone().unwrap_or_default(),
        };
        inbox.map(text).collect()
    }

    /// What to keep: at once where an effect says so, else with the next minute.
    pub(crate) fn memory(&self) -> &Memory {
        &self.memory
    }

    /// Sends the next message, if its time has come.
    fn advance(&mut self, now: Now, tickets: &mut Tickets) -> Vec<Effect> {
        if let Some(outgoing) = self.outbox.start(now.instant) {
            let action = Action::Send {
                to: outgoing.to.clone(),
                text: outgoing.text.clone(),
                wants_report: outgoing.wants_report,
            };
            self.act(Task::Send, action, tickets);
        }
        std::mem::take(&mut self.effects)
    }

    fn act(&mut self, task: Task, action: Action, tickets: &mut Tickets) {
        let ticket = tickets.draw();
        // What a full disk has stopped never ends. Tickets grow: the first is the oldest.
        if self.under_way.len() >= UNDER_WAY_MAX {
            self.under_way.pop_first();
        }
        self.under_way.insert(ticket, task);
        self.effects.push(Effect::Act(ticket, action));
    }

    fn event(&mut self, severity: Severity, cause: Cause) {
        self.effects.push(Effect::Event(severity, cause));
    }
}

fn without_text(message: &TextMessage) -> TextMessage {
    TextMessage {
        from: message.from.clone(),
        text: None,
        ..*message
    }
}

/// The operator's time keeps the ids of two stores apart, should one be lost.
fn request_id(id: Option<u64>, received: &Received) -> OperationId {
    let sent_s = received.sent_at.map_or(0, |time| time.unix_ms() / 1000);
    let id = id.unwrap_or(0);
    OperationId::new(&format!("sms-{id}-{sent_s}")).expect("digits and dashes, far below 64")
}

fn read_arguments(args: &Json) -> Result<SendArguments, String> {
    let args = SendArguments::deserialize(args).map_err(|error| error.to_string())?;
    let digits = args.to.strip_prefix('+').unwrap_or(&args.to);
    if !(3..=20).contains(&digits.len()) || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err("`to` is 3 to 20 digits, with + for an international number".to_owned());
    }
    if args.text.trim().is_empty() || args.text.chars().count() > TEXT_MAX {
        return Err(format!("`text` is 1 to {TEXT_MAX} characters"));
    }
    Ok(args)
}

/// A number without its middle. Short numbers and names belong to services, not to people, and stay.
fn mask(number: &str) -> String {
    let digits = number.strip_prefix('+').unwrap_or(number);
    let is_personal = digits.len() >= 7 && digits.bytes().all(|b| b.is_ascii_digit());
    if !is_personal {
        return number.chars().take(40).collect();
    }
    let (head, tail) = (&number[..4], &number[number.len() - 2..]);
    format!("{head}…{tail}")
}
