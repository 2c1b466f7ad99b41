//! The text messages on the card: read, joined, and told once.

use std::collections::BTreeMap;
use std::time::Duration;

use tm_proto::sim7600::{self, StoredMessage, StoredStatus};
use tm_proto::sms::{self, Assembled, Assembler, DeliveryStatus, Incoming, StatusReport};
use tm_types::Timestamp;

use crate::backend::{MessageHandle, Received, Report};

/// How long the parts of a text may be apart: networks keep a message for days, but its parts travel together.
const PARTS_TIME: Duration = Duration::from_hours(24);
/// Texts that may wait for parts at once; a card holds 10 to 50 messages.
const OPEN_MAX: usize = 16;

/// What is known of the card's messages.
#[derive(Debug)]
pub(super) struct Messages {
    assembler: Assembler<u16>,
    /// Places that were read, with what was there: not taken for another message while they stay as they are.
    places: BTreeMap<u16, String>,
    was_full: bool,
}

impl Messages {
    /// Nothing was read yet.
    pub(super) fn new() -> Self {
        Self {
            assembler: Assembler::new(OPEN_MAX),
            places: BTreeMap::new(),
            was_full: false,
        }
    }

    /// Takes in a list of the whole store; what is new in it. Reports on our own messages are to be deleted at once.
    pub(super) fn on_list(&mut self, lines: &[String], now: Duration) -> (Vec<Report>, Vec<u16>) {
        let list = sim7600::stored_messages(lines);
        self.places.retain(|index, pdu| {
            list.iter()
                .any(|message| message.index == *index && message.pdu == *pdu)
        });
        let (mut reports, mut spent) = (Vec::new(), Vec::new());
        for StoredMessage { index, status, pdu } in list {
            let is_ours = matches!(status, StoredStatus::Unsent | StoredStatus::Sent);
            if is_ours || self.places.contains_key(&index) {
                continue;
            }
            match sms::decode(&pdu) {
                Ok(Incoming::Deliver(message)) => {
                    let joined = self.assembler.push(message, index, now);
                    reports.extend(joined.into_iter().map(received));
                }
                Ok(Incoming::StatusReport(report)) => {
                    reports.extend(delivery(&report));
                    spent.push(index);
                }
                // Kept as it is: nothing that came is thrown away unread.
                Ok(Incoming::Other) | Err(_) => reports.push(Report::Message(Received {
                    handle: handle([index]),
                    from: "?".to_owned(),
                    text: pdu.clone(),
                    sent_at: None,
                    is_incomplete: true,
                })),
            }
            self.places.insert(index, pdu);
        }
        let late = self.assembler.take_incomplete(now, PARTS_TIME);
        reports.extend(late.into_iter().map(received));
        (reports, spent)
    }

    /// A report on one of our messages that came by itself.
    pub(super) fn on_delivery(pdu: &str) -> Option<Report> {
        match sms::decode(pdu) {
            Ok(Incoming::StatusReport(report)) => delivery(&report),
            _ => None,
        }
    }

    /// How full the store is; whether that is news to be told.
    pub(super) fn on_stores(&mut self, lines: &[String]) -> Option<Report> {
        let stores = sim7600::message_stores(lines)?;
        let is_full = stores.last()?.is_full();
        let is_news = is_full && !self.was_full;
        self.was_full = is_full;
        is_news.then_some(Report::StoreFull)
    }

    /// The module could not store a message.
    pub(super) fn on_full(&mut self) -> Option<Report> {
        (!std::mem::replace(&mut self.was_full, true)).then_some(Report::StoreFull)
    }

    /// A place is free again.
    pub(super) fn forget(&mut self, index: u16) {
        self.places.remove(&index);
        self.was_full = false;
    }

    /// Another card, or none: its places mean nothing any more.
    pub(super) fn clear(&mut self) {
        *self = Self::new();
    }
}

/// The places of a message on the card.
pub(super) fn places(handle: &MessageHandle) -> Vec<u16> {
    let places = handle.0.iter();
    places.filter_map(|place| place.parse().ok()).collect()
}

fn handle(places: impl IntoIterator<Item = u16>) -> MessageHandle {
    MessageHandle(places.into_iter().map(|place| place.to_string()).collect())
}

fn received(message: Assembled<u16>) -> Report {
    let sent_at = message
        .sent_unix_s
        .and_then(|seconds| seconds.checked_mul(1000))
        .map(Timestamp::of_unix_ms);
    Report::Message(Received {
        handle: handle(message.parts),
        from: message.from,
        text: message.text,
        sent_at,
        is_incomplete: !message.missing.is_empty(),
    })
}

/// What a report says for good; nothing while the network still tries.
fn delivery(report: &StatusReport) -> Option<Report> {
    let failure = match report.status {
        DeliveryStatus::Delivered => None,
        DeliveryStatus::Trying(_) => return None,
        status @ DeliveryStatus::Failed(_) => Some(status.reason().to_owned()),
    };
    Some(Report::Delivery {
        reference: report.reference,
        failure,
    })
}
