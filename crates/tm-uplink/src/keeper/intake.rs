//! From a message of the bus to a record.

use bytes::Bytes;
use tm_journal::{Admission, AppendError, Class, Disk, Event, Message};
use tm_service::Verdict;
use tm_service::session::Incoming;
use tm_types::topic::{self, Class as Topic};
use tm_types::{Anchor, Cause, Poll, Severity, Source, Stamp, code};

use super::sort::{Sorted, sort, told};
use super::work::Work;
use super::{Answer, Report};
use crate::config::Payload;

/// Where an anchor would stand that the host's own clock gives.
const OWN_CLOCK: &str = "tm/v1/clock/uplink";

/// What a record has beyond its payload at most: its head, its topic or source, its stamp.
const RECORD_OVERHEAD: usize = 512;

impl<D: Disk> Work<D> {
    /// Takes messages in the order they came.
    pub(super) fn take_in(&mut self, messages: Vec<Incoming>) {
        // One look at the clock for all: they were received together.
        let received = self.clock.stamp();
        for message in messages {
            self.report.messages_received += 1;
            self.take_one(&message, &received);
        }
    }

    fn take_one(&mut self, message: &Incoming, received: &Stamp) {
        let class = match topic::classify(&message.topic) {
            Some(Topic::Data(_) | Topic::SensorBlock(_)) => Class::Data,
            _ => Class::Urgent,
        };
        // The rules keep an order; the receipts themselves wait beside them.
        let packet = message.receipt.map(|_| 0);
        let bytes = message.topic.len() + message.payload.len() + RECORD_OVERHEAD;
        match self.rules.admission(class, bytes) {
            Admission::Accept => {}
            Admission::CommitFirst => self.commit_now(class, false),
            Admission::Discard => {
                self.report.messages_received -= 1;
                self.receipts.extend(message.receipt);
                return self.decide(Event::Discarded { class, packet });
            }
        }
        self.receipts.extend(message.receipt);
        match self.append(class, message, received) {
            Some((seq, bytes)) => {
                self.untold_bytes[class as usize] += bytes as u64;
                self.decide(Event::Received {
                    class,
                    packet,
                    seq,
                    bytes,
                });
            }
            None => self.decide(Event::Passed { class, packet }),
        }
    }

    /// Appends a message, if it is to be kept: its number, and the bytes it takes in memory.
    fn append(
        &mut self,
        class: Class,
        message: &Incoming,
        received: &Stamp,
    ) -> Option<(u64, usize)> {
        let (topic, payload) = (&message.topic, &message.payload);
        match sort(topic, payload, message.retain, received) {
            Sorted::Poll(source, poll) => self.append_poll(topic, payload, &source, &poll),
            Sorted::Urgent if message.retain && self.taken.is_known(topic, payload) => None,
            Sorted::Urgent => {
                self.taken.note(topic, payload);
                let before = self.urgent.buffered_bytes();
                let appended = self.urgent.append_message(&Message { topic, payload });
                self.appended(class, topic, payload, before, appended)
            }
            Sorted::Nothing => None,
            Sorted::Oversized => {
                self.complain(
                    topic,
                    payload,
                    code::UPLINK_OVERSIZED_MESSAGE.with("bytes", payload.len()),
                );
                None
            }
            Sorted::Unreadable(error) => {
                self.complain(
                    topic,
                    payload,
                    code::UPLINK_UNREADABLE_MESSAGE.with("error", error),
                );
                None
            }
        }
    }

    fn append_poll(
        &mut self,
        topic: &str,
        payload: &Bytes,
        source: &Source,
        poll: &Poll,
    ) -> Option<(u64, usize)> {
        match self.dedup.check(source, poll.sequence) {
            Verdict::Repeat => {
                self.report.duplicates_dropped += 1;
                return None;
            }
            Verdict::Gap(lost) => {
                self.report.lost_on_bus += lost;
                let cause = code::BUS_MESSAGES_LOST.with("source", source);
                self.say(Answer::Event(Severity::Warning, cause.and("count", lost)));
            }
            Verdict::New => {}
        }
        let before = self.data.buffered_bytes();
        let appended = self.data.append_row(source, poll);
        if appended.is_ok() && self.terms.payload == Payload::Sparkplug {
            let mut poll = poll.clone();
            poll.stamp = self.anchors.corrected(poll.stamp, self.clock.boot());
            self.say(Answer::Polled(source.clone(), poll));
        }
        self.appended(Class::Data, topic, payload, before, appended)
    }

    fn appended(
        &mut self,
        class: Class,
        topic: &str,
        payload: &Bytes,
        before: usize,
        appended: Result<u64, AppendError>,
    ) -> Option<(u64, usize)> {
        match appended {
            Ok(seq) => Some((seq, self.journal(class).buffered_bytes() - before)),
            // Admitted, and so only ever too large: more points than a record can count.
            Err(error) => {
                let cause = code::UPLINK_OVERSIZED_MESSAGE.with("bytes", payload.len());
                self.complain(topic, payload, cause.and("error", error));
                None
            }
        }
    }

    /// Counts a message that is passed over, and tells of it unless too many are told.
    fn complain(&mut self, topic: &str, payload: &[u8], cause: Cause) {
        self.report.messages_unreadable += 1;
        if self.complaints.is_told(self.clock.mono()) {
            let Report {
                messages_unreadable,
                ..
            } = self.report;
            let cause = cause
                .and("topic", told(topic.as_bytes()))
                .and("first_bytes", told(payload));
            self.say(Answer::Event(
                Severity::Warning,
                cause.and("passed_over", messages_unreadable),
            ));
        }
    }

    /// The host's own clock is an anchor too, once somebody has set it.
    pub(super) fn note_own_clock(&mut self) {
        let stamp = self.clock.stamp();
        if self.anchors.is_known(stamp.boot) {
            return;
        }
        if let Some(anchor) = Anchor::of(&stamp) {
            let payload = serde_json::to_vec(&anchor).expect("an anchor has only string keys");
            self.note_anchor(anchor, OWN_CLOCK, &payload.into());
        }
    }

    /// Takes in a time anchor. What was sent before it with a poor time can be corrected by who has it:
    /// then the anchor itself travels as an event.
    pub(super) fn note_anchor(&mut self, anchor: Anchor, topic: &str, payload: &Bytes) {
        if !self.anchors.note(anchor) {
            return;
        }
        self.say(Answer::Anchors(self.anchors.known().to_vec()));
        if anchor.boot != self.clock.boot() {
            return;
        }
        self.say(Answer::ClockKnown);
        let is_room = self
            .rules
            .admission(Class::Urgent, payload.len() + RECORD_OVERHEAD)
            == Admission::Accept;
        if std::mem::take(&mut self.has_sent_poor_time) && is_room {
            let before = self.urgent.buffered_bytes();
            let appended = self.urgent.append_message(&Message { topic, payload });
            if let Some((seq, bytes)) =
                self.appended(Class::Urgent, topic, payload, before, appended)
            {
                self.untold_bytes[Class::Urgent as usize] += bytes as u64;
                self.decide(Event::Received {
                    class: Class::Urgent,
                    packet: None,
                    seq,
                    bytes,
                });
            }
        }
    }
}
