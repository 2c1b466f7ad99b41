//! Received messages: kept before they are taken off the card.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use tm_types::{Stamp, TextMessage, Timestamp};

use crate::backend::{MessageHandle, Received};

/// The most that is kept of a text: ten parts of 153 characters, and some more.
const TEXT_MAX: usize = 1600;
/// The most that is kept of a sender: 20 digits, or 11 characters of a name, and some more.
const FROM_MAX: usize = 40;
/// The whole inbox as JSON. It is part of one retained message, which the broker takes up to 128 KiB.
const BYTES_MAX: usize = 80 * 1024;

/// The inbox as it is kept, newest last.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(super) struct Inbox {
    /// The number of the last message ever.
    last_id: u64,
    messages: VecDeque<Kept>,
    dropped: u64,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
struct Kept {
    message: TextMessage,
    /// Whether it may still be on the card: taking it off was not confirmed.
    is_on_card: bool,
    /// Its size as JSON.
    bytes: usize,
    /// Where it is on the card; unknown after a restart, when it is seen again.
    #[serde(skip)]
    handle: Option<MessageHandle>,
}

impl Inbox {
    /// Takes in a message; its number, or nothing when it was taken in before.
    ///
    /// `text` is what is kept of its text.
    pub(super) fn take(
        &mut self,
        received: &Received,
        text: &str,
        room: usize,
        stamp: Stamp,
    ) -> Option<u64> {
        let from: String = received.from.chars().take(FROM_MAX).collect();
        let text: String = text.chars().take(TEXT_MAX).collect();
        let known = self.messages.iter_mut().rev().find(|kept| {
            is_same(&kept.message, &from, &text, received.sent_at)
                && (received.sent_at.is_some() || kept.is_on_card)
        });
        if let Some(known) = known {
            known.is_on_card = true;
            known.handle = Some(received.handle.clone());
            return None;
        }
        self.last_id += 1;
        let message = TextMessage {
            id: self.last_id,
            from,
            text: Some(text),
            sent_at: received.sent_at,
            stamp,
            incomplete: received.is_incomplete,
        };
        let bytes = serde_json::to_vec(&message).map_or(0, |json| json.len());
        self.messages.push_back(Kept {
            message,
            is_on_card: true,
            bytes,
            handle: Some(received.handle.clone()),
        });
        let mut total: usize = self.messages.iter().map(|kept| kept.bytes).sum();
        while self.messages.len() > room.max(1) || (total > BYTES_MAX && self.messages.len() > 1) {
            total -= self.messages.pop_front().map_or(0, |kept| kept.bytes);
            self.dropped += 1;
        }
        Some(self.last_id)
    }

    /// The card holds the message no more.
    pub(super) fn on_deleted(&mut self, handle: &MessageHandle) {
        for kept in &mut self.messages {
            if kept.handle.as_ref() == Some(handle) {
                (kept.is_on_card, kept.handle) = (false, None);
            }
        }
    }

    /// Every message, newest last.
    pub(super) fn messages(&self) -> impl Iterator<Item = &TextMessage> {
        self.messages.iter().map(|kept| &kept.message)
    }

    /// Messages dropped for room.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }
}

/// Without the operator's time two messages with the same words may be two.
fn is_same(message: &TextMessage, from: &str, text: &str, sent_at: Option<Timestamp>) -> bool {
    message.from == from && message.text.as_deref() == Some(text) && message.sent_at == sent_at
}
