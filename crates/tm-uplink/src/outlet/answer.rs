//! An answer in the making: how far it is, and what is still wanted.

use std::time::Duration;

use tm_columns::Header;
use tm_journal::{Record, StreamId};
use tm_types::Stamp;

use super::DICTIONARY;
use super::batch::{Batch, Leaning};
use super::{Present, Step};
use crate::schedule::{Message, Part, Request};

/// An answer in the making.
pub(super) struct Answer<'a> {
    pub(super) present: Present<'a>,
    request: &'a Request,
    pub(super) is_backlog: bool,
    /// One past the last record asked for.
    pub(super) end: u64,
    /// The next record to look at.
    pub(super) at: u64,
    /// Journal bytes taken.
    pub(super) bytes: usize,
    /// The stream of the open batch.
    pub(super) stream: Option<StreamId>,
    pub(super) messages: Vec<Message>,
    pub(super) held_until: Option<Duration>,
    pub(super) unreadable: u64,
    pub(super) has_poor_time: bool,
    pub(super) thinned: u64,
}

impl<'a> Answer<'a> {
    pub(super) fn to(request: &'a Request, present: Present<'a>) -> Self {
        Self {
            present,
            request,
            is_backlog: request.part == Part::Backlog,
            end: request.records.end,
            at: request.records.start,
            bytes: 0,
            stream: None,
            messages: Vec::new(),
            held_until: None,
            unreadable: 0,
            has_poor_time: false,
            thinned: 0,
        }
    }

    pub(super) fn finish_batch(&mut self, batch: &mut dyn Batch) {
        let (Some(stream), true) = (self.stream, batch.records() > 0) else {
            return;
        };
        let terms = self.present.terms;
        let header = Header {
            device: (!terms.topic_names_device).then(|| terms.device.clone()),
            class: "data".to_owned(),
            stream: stream.to_string(),
        };
        let records = batch.first_seq()..batch.first_seq() + batch.records() as u64;
        // Backlog goes out in large batches that need no dictionary, and beside live data in no order with it.
        let leaning = (terms.has_dictionary && !self.is_backlog).then(|| Leaning {
            connection: self.request.connection,
            now: Duration::from_millis(self.present.now.mono_ms),
        });
        let (announcement, payload) = batch.finish(&header, leaning);
        self.messages.extend(announcement.map(|payload| Message {
            records: records.start..records.start,
            kind: DICTIONARY,
            payload: payload.into(),
            is_backlog: false,
        }));
        self.messages.push(Message {
            records,
            kind: "data",
            payload,
            is_backlog: self.is_backlog,
        });
    }

    pub(super) fn took(&mut self, record: &Record<'_>) {
        self.at = record.seq + 1;
        self.bytes += record.payload.len();
    }

    pub(super) fn pass_over(&mut self, record: &Record<'_>) {
        self.at = record.seq + 1;
        self.unreadable += 1;
    }

    /// Goes on behind what was held; what lies between are numbers without a record.
    pub(super) fn skip_to(&mut self, held_end: u64) -> Step {
        self.at = held_end.min(self.end);
        Step::GoOn
    }

    pub(super) fn hold_for(&mut self, wait: Duration) {
        self.held_until = Some(Duration::from_millis(self.present.now.mono_ms) + wait);
    }

    /// Whether the record waits for a better clock. What was taken before it goes out first.
    pub(super) fn holds_back(&mut self, stamp: &Stamp, is_first: bool) -> bool {
        let Some(until) = self.present.anchors.hold(stamp, &self.present.now) else {
            return false;
        };
        if is_first {
            self.held_until = Some(Duration::from_millis(until));
        }
        true
    }

    pub(super) fn stamp(&mut self, raw: &Stamp) -> Stamp {
        let stamp = self.present.anchors.corrected(*raw, self.present.now.boot);
        self.has_poor_time |= !stamp.clock.is_trusted() && stamp.clock == raw.clock;
        stamp
    }
}
