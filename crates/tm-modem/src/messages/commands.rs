//! Who may ask for what by text message.
//!
//! A command is `<secret> <command>` from a number of the list, written alike: with `+` and country code. Whoever is
//! not on the list, or does not know the secret, is not answered at all, so that nothing can be tried out; the
//! sender of a text message can be forged, therefore both are needed.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;
use tm_service::config::Secret;
use tm_types::text::Language;
use tm_types::{Stamp, Timestamp};
use tokio::time::Instant;

use super::limits::Limits;
use super::words::Command;
use crate::age::ms_since_at_least;
use crate::backend::Received;
use crate::config::{Config, PhoneNumber};
use crate::manager::Now;

/// An older command is not followed: whoever sent it has given up, or sent another.
const FRESH_MS: i64 = 30 * 60_000;
/// Without a good clock, messages of the first minutes may have waited for long: on the card, or at the operator's.
const BACKLOG: Duration = Duration::from_mins(5);
/// Commands that are remembered; no more are followed in an hour, and those older are stale.
const DONE_MAX: usize = 64;

/// What is kept over a restart.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Memory {
    done: VecDeque<Done>,
    /// The latest command's time by the operator's clock, and when it was read here.
    latest: Option<(Timestamp, Stamp)>,
    limits: Limits,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
struct Done {
    from: String,
    sent_at: Timestamp,
    command: Option<Command>,
}

/// What a message means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    /// It asks for nothing.
    Ordinary,
    /// It asks, and nothing is done; why, in a few words.
    Refused(&'static str),
    /// It asks for something that is not known.
    Unknown,
    /// It is followed and answered.
    Follow(Command, Language),
}

/// The rules.
#[derive(Debug)]
pub(super) struct Commands {
    allowed: Vec<PhoneNumber>,
    secret: Option<Secret>,
    per_hour: usize,
    /// Until then messages may have waited.
    backlog_until: Instant,
}

impl Commands {
    pub(super) fn new(config: &Config, now: Instant) -> Self {
        Self {
            allowed: config.sms_allow.iter().cloned().collect(),
            secret: config.sms_secret.clone().filter(|s| !s.expose().is_empty()),
            per_hour: usize::try_from(config.sms_replies_per_h).unwrap_or(1),
            backlog_until: now + BACKLOG,
        }
    }

    /// A modem came: what it has was maybe sent long ago.
    pub(super) fn on_present(&mut self, now: Instant) {
        self.backlog_until = now + BACKLOG;
    }

    /// The text as it may be kept and shown: without the secret.
    pub(super) fn redact(&self, text: &str) -> String {
        let Some(secret) = &self.secret else {
            return text.to_owned();
        };
        let is_secret = |word: &str| is_equal(secret, word);
        if !text.split_whitespace().any(is_secret) {
            return text.to_owned();
        }
        let words = text.split_inclusive(char::is_whitespace).map(|piece| {
            let word = piece.trim_end();
            if is_secret(word) {
                piece.replacen(word, "***", 1)
            } else {
                piece.to_owned()
            }
        });
        words.collect()
    }

    /// Judges a message that was not seen before. What is followed is remembered.
    pub(super) fn judge(&self, received: &Received, memory: &mut Memory, now: Now) -> Verdict {
        let Some(secret) = self.secret.as_ref().filter(|_| !self.allowed.is_empty()) else {
            return Verdict::Ordinary;
        };
        let text = received.text.trim();
        let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        let knows_secret = is_equal(secret, word);
        let is_allowed = self
            .allowed
            .iter()
            .any(|number| number.as_str() == received.from);
        let asks = Command::read(rest).or_else(|| Command::read(text));
        if !is_allowed || !knows_secret {
            return match (asks.is_some() || knows_secret, is_allowed) {
                (false, _) => Verdict::Ordinary,
                (true, false) => Verdict::Refused("unknown number"),
                (true, true) => Verdict::Refused("wrong secret"),
            };
        }
        // Half a message may be half a word.
        if received.is_incomplete {
            return Verdict::Refused("incomplete");
        }
        let Some(sent_at) = received
            .sent_at
            .filter(|sent_at| !self.is_stale(*sent_at, memory, now))
        else {
            return Verdict::Refused("too old");
        };
        let command = Command::read(rest);
        let done = Done {
            from: received.from.clone(),
            sent_at,
            command: command.map(|(command, _)| command),
        };
        if memory.done.contains(&done) {
            return Verdict::Refused("already done");
        }
        if !memory
            .limits
            .take(&received.from, self.per_hour, &now.stamp)
        {
            return Verdict::Refused("too many");
        }
        if memory.done.len() >= DONE_MAX {
            memory.done.pop_front();
        }
        memory.done.push_back(done);
        if memory.latest.is_none_or(|(latest, _)| latest < sent_at) {
            memory.latest = Some((sent_at, now.stamp));
        }
        match command {
            Some((command, language)) => Verdict::Follow(command, language),
            None => Verdict::Unknown,
        }
    }

    /// Whether a command comes too late. A time that lies ahead is the operator's mistake and is borne.
    fn is_stale(&self, sent_at: Timestamp, memory: &Memory, now: Now) -> bool {
        if now.stamp.clock.is_trusted() {
            return now.stamp.time.ms_since(sent_at) > FRESH_MS;
        }
        // The operator's clock alone: it was this late at least when the latest command was read.
        let least = memory.latest.map(|(latest, stamp)| {
            let since = ms_since_at_least(&stamp, &now.stamp);
            latest.plus_ms(i64::try_from(since).unwrap_or(i64::MAX))
        });
        let is_before = least.is_some_and(|least| least.ms_since(sent_at) > FRESH_MS);
        is_before || now.instant < self.backlog_until
    }
}

/// Compares in a time that tells nothing but the length.
fn is_equal(secret: &Secret, word: &str) -> bool {
    secret.expose().as_bytes().ct_eq(word.as_bytes()).into()
}
