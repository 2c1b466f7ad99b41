//! What the event loop asks for: payloads to send, and how things stand.

use tm_journal::{Class, Disk};
use tm_types::{Cause, Timestamp};

use super::Answer;
use super::work::Work;
use crate::outlet::Present;
use crate::schedule::Request;

impl<D: Disk> Work<D> {
    /// Reads and encodes what a request asks for.
    pub(super) fn prepare(&mut self, request: &Request) {
        self.note_own_clock();
        let present = Present {
            terms: &self.terms,
            anchors: &self.anchors,
            now: self.clock.stamp(),
        };
        let journal = match request.part.class() {
            Class::Urgent => &self.urgent,
            Class::Data => &self.data,
        };
        let outcome = self.outlets.prepare(journal, request, present);
        self.has_sent_poor_time |= outcome.has_poor_time;
        self.report.points_thinned += outcome.thinned;
        self.note_damaged(outcome.damaged);
        if let Some(error) = outcome.trouble {
            tracing::warn!(error, "the journal cannot be read at the moment");
        }
        self.say(Answer::Prepared(outcome.prepared));
    }

    /// Answers with how things stand.
    pub(super) fn make_report(&mut self) {
        self.note_own_clock();
        let mut journal = std::mem::take(&mut self.report.journal);
        (journal.records_pending, journal.points_pending) = (0, 0);
        (journal.bytes_on_disk, journal.records_dropped) = (0, 0);
        for class in Class::ALL {
            let one = self.journal(class);
            let pending = one.pending(self.rules.cursor(class));
            journal.records_pending += pending.records;
            journal.points_pending += pending.points;
            journal.bytes_on_disk += one.disk_bytes();
            journal.records_dropped += one.dropped().records;
        }
        journal.oldest = self.oldest_pending();
        self.report.journal = journal;
        self.say(Answer::Report(self.report.clone()));
    }

    /// Remembers why a journal is bad, or that it is not; a change is told.
    pub(super) fn set_trouble(&mut self, class: Class, trouble: Option<Cause>) {
        let is_other_bad = Class::ALL
            .into_iter()
            .any(|other| other != class && self.rules.is_bad(other));
        let known = &self.report.trouble;
        // Without a disk the reason is the one it was opened with, whatever a commit says.
        let trouble = self
            .absent
            .clone()
            .or(trouble)
            .or_else(|| known.clone().filter(|_| is_other_bad));
        if *known == trouble {
            return;
        }
        if let Some(cause) = &trouble {
            tracing::warn!(
                code = cause.code,
                "the journal cannot be written; nothing is acknowledged before the cloud has it"
            );
        } else {
            tracing::info!("the journal can be written again");
        }
        self.report.trouble = trouble;
        self.has_news = true;
    }

    /// The time of the oldest measurement that waits; read again only when it is another one.
    fn oldest_pending(&mut self) -> Option<Timestamp> {
        let low = self.rules.cursor(Class::Data).low();
        if low >= self.data.committed_end() {
            return None;
        }
        if let Some((known, time)) = self.oldest
            && known == low
        {
            return time;
        }
        let mut reader = self.data.reader(low);
        let time = match self.data.read(&mut reader) {
            Ok(true) => reader
                .records()
                .find_map(|record| record.row())
                .map(|row| row.stamp.time),
            _ => None,
        };
        self.oldest = Some((low, time));
        time
    }
}
