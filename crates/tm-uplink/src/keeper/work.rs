//! The thread itself: one command after the other, and the clock between them.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use tm_journal::{Class, Commit, Disk, Effect, Event, Journal, Rules, Timing};
use tm_service::session::{Incoming, Qos, Receipt};
use tm_service::{Clock, Dedup};
use tm_types::{Cause, Severity, Timestamp, code};
use tokio::sync::mpsc::UnboundedSender;

use super::complaints::Complaints;
use super::journals::{Journals, cause_of};
use super::retained::Taken;
use super::{Answer, Command, Report, Start};
use crate::anchors::Anchors;
use crate::outlet::{Outlets, Terms};

/// Without anything due, the thread looks up this often.
const IDLE: Duration = Duration::from_hours(1);

/// With so many bytes appended no further message shares the commit that is due (`Timing::commit_bytes`).
const SHARED_BYTES: u64 = 256 * 1024;
/// With so many messages unacknowledged no further one shares it (`max_inflight_messages` of our broker).
const SHARED_MESSAGES: usize = 2000;

/// Everything the thread owns.
pub(super) struct Work<D: Disk> {
    pub(super) urgent: Journal<D>,
    pub(super) data: Journal<D>,
    pub(super) rules: Rules,
    effects: Vec<Effect>,
    /// Commits that the rules have asked for.
    due: Vec<(Class, bool)>,
    /// Of the messages that the rules hold, in their order.
    pub(super) receipts: VecDeque<Receipt>,
    to_acknowledge: Vec<Receipt>,
    /// Why there is no disk at all, if so.
    pub(super) absent: Option<Cause>,
    /// The bus connection that they came over.
    connection: u64,
    pub(super) dedup: Dedup,
    pub(super) taken: Taken,
    pub(super) complaints: Complaints,
    pub(super) anchors: Anchors,
    /// Measurements went out with a time that nobody vouched for; a later anchor is told to the cloud.
    pub(super) has_sent_poor_time: bool,
    pub(super) outlets: Outlets<D::File>,
    /// The oldest pending record, and its time.
    pub(super) oldest: Option<(u64, Option<Timestamp>)>,
    /// The ends of the journals as the scheduler knows them.
    told_end: [u64; 2],
    /// Bytes appended since then.
    pub(super) untold_bytes: [u64; 2],
    pub(super) report: Report,
    /// A report is due without being asked for.
    pub(super) has_news: bool,
    pub(super) terms: Terms,
    pub(super) clock: Clock,
    answers: UnboundedSender<Answer>,
}

impl<D: Disk> Work<D> {
    /// Takes over opened journals, and says where they stand.
    pub(super) fn new(
        journals: Journals<D>,
        absent: Option<Cause>,
        terms: Terms,
        clock: Clock,
        commit_ms: u64,
        anchors: Anchors,
        answers: UnboundedSender<Answer>,
    ) -> (Self, Start) {
        let Journals {
            urgent: (urgent, urgent_found),
            data: (data, data_found),
            quota_bytes,
        } = journals;
        let now = clock.mono();
        let timing = Timing {
            commit_ms,
            ..Timing::default()
        };
        let readers = [urgent.reader(0), data.reader(0), data.reader(0)];
        let mut report = Report::default();
        report.journal.quota_bytes = quota_bytes;
        report.trouble.clone_from(&absent);
        let mut work = Self {
            rules: Rules::new(millis(now), timing, [&urgent_found, &data_found]),
            effects: Vec::new(),
            due: Vec::new(),
            receipts: VecDeque::new(),
            to_acknowledge: Vec::new(),
            connection: 0,
            absent,
            dedup: Dedup::from_bytes(&data_found.app_state).unwrap_or_default(),
            taken: Taken::from_bytes(&urgent_found.app_state),
            complaints: Complaints::new(now),
            anchors,
            has_sent_poor_time: false,
            outlets: Outlets::new(readers),
            oldest: None,
            told_end: [urgent_found.durable_end, data_found.durable_end],
            untold_bytes: [0; 2],
            report,
            has_news: false,
            terms,
            clock,
            answers,
            urgent,
            data,
        };
        work.take_up(Class::Urgent, urgent_found);
        work.take_up(Class::Data, data_found);
        let place = |class| {
            (
                work.rules.cursor(class).clone(),
                work.told_end[class as usize],
            )
        };
        let start = Start {
            urgent: place(Class::Urgent),
            data: place(Class::Data),
        };
        (work, start)
    }

    /// Works until the other end of the commands is dropped; then commits once more, cursor included.
    pub(super) fn run(mut self, commands: &Receiver<Command>) {
        loop {
            let now = self.now_ms();
            let wait = self
                .rules
                .next_wake_ms()
                .map_or(IDLE, |at| Duration::from_millis(at.saturating_sub(now)));
            match commands.recv_timeout(wait) {
                Ok(command) => self.on(command),
                Err(RecvTimeoutError::Timeout) => self.decide(Event::Tick),
                Err(RecvTimeoutError::Disconnected) => break,
            }
            // Whatever has arrived already shares the commit, and shows how much the broker sends unacknowledged.
            while self.untold_bytes.iter().sum::<u64>() < SHARED_BYTES
                && self.rules.held() < SHARED_MESSAGES
            {
                match commands.try_recv() {
                    Ok(command) => self.on(command),
                    Err(_) => break,
                }
            }
            self.commit_due();
            self.flush();
        }
        self.decide(Event::Stopping);
        self.commit_due();
    }

    pub(super) fn on(&mut self, command: Command) {
        match command {
            Command::Connected(connection) => {
                self.receipts.clear();
                self.connection = connection;
                self.decide(Event::Connected);
            }
            Command::Disconnected => {
                self.receipts.clear();
                self.decide(Event::Disconnected);
            }
            Command::Messages(messages) => {
                let count = messages.len();
                let bytes = messages.iter().map(|message| message.payload.len()).sum();
                self.take_in(messages);
                self.say(Answer::Taken {
                    messages: count,
                    bytes,
                });
            }
            Command::Answered { topic, payload } => self.take_in(vec![Incoming {
                topic,
                payload,
                qos: Qos::AtMostOnce,
                retain: false,
                receipt: None,
            }]),
            Command::Prepare(request) => self.prepare(&request),
            Command::Sent(class, range) => self.decide(Event::Sent { class, range }),
            Command::Settled(class, range) => self.decide(Event::Acknowledged { class, range }),
            Command::CloudLost => self.decide(Event::CloudLost),
            Command::Anchor {
                anchor,
                topic,
                payload,
            } => self.note_anchor(anchor, &topic, &payload),
            Command::Sparse(is_sparse) => self.terms.thinning.is_sparse = is_sparse,
            Command::Report => self.make_report(),
        }
    }

    /// Lets the rules decide, and does what they say.
    pub(super) fn decide(&mut self, event: Event) {
        let now = self.now_ms();
        self.rules.on(now, event, &mut self.effects);
        while !self.effects.is_empty() {
            for effect in std::mem::take(&mut self.effects) {
                self.perform(effect, now);
            }
        }
    }

    fn perform(&mut self, effect: Effect, now: u64) {
        match effect {
            Effect::Acknowledge { .. } => self.to_acknowledge.extend(self.receipts.pop_front()),
            Effect::Reconnect => {
                self.flush_receipts();
                self.say(Answer::Reconnect);
            }
            Effect::Commit {
                class,
                write_cursor,
            } => self.due.push((class, write_cursor)),
            Effect::Trim { class, below } => {
                let journal = self.journal_mut(class);
                journal.trim(below);
                let bytes = journal.buffered_bytes();
                self.rules
                    .on(now, Event::Buffered { class, bytes }, &mut self.effects);
            }
        }
    }

    /// Makes the commits that the rules have asked for.
    pub(super) fn commit_due(&mut self) {
        while !self.due.is_empty() {
            // What is durable already need not wait for them.
            self.flush_receipts();
            for (class, write_cursor) in std::mem::take(&mut self.due) {
                self.commit_now(class, write_cursor);
            }
        }
    }

    /// Commits a journal, and lets the rules know.
    pub(super) fn commit_now(&mut self, class: Class, write_cursor: bool) {
        let outcome = self.commit(class, write_cursor);
        self.decide(outcome);
        // More may have been appended than when the rules asked for it.
        let bytes = self.journal(class).buffered_bytes();
        self.decide(Event::Buffered { class, bytes });
    }

    /// Commits a journal; says to the rules how it went.
    fn commit(&mut self, class: Class, write_cursor: bool) -> Event {
        let (journal, app_state) = match class {
            Class::Urgent => (&mut self.urgent, self.taken.to_bytes()),
            Class::Data => (&mut self.data, self.dedup.to_bytes()),
        };
        let with = Commit {
            cursor: self.rules.cursor(class),
            write_cursor,
            in_flight: self.rules.in_flight(class),
            app_state: &app_state,
        };
        match journal.commit(&with) {
            Ok(committed) => {
                for dropped in committed.dropped {
                    if dropped.unsent.records > 0 && !self.terms.is_ring {
                        let cause =
                            code::JOURNAL_RECORDS_DROPPED.with("count", dropped.unsent.records);
                        self.say(Answer::Event(
                            Severity::Warning,
                            cause.and("points", dropped.unsent.points),
                        ));
                    }
                    self.gone(class, dropped.range);
                    self.has_news = true;
                }
                self.set_trouble(class, None);
                Event::Committed {
                    class,
                    end: committed.end,
                }
            }
            Err(error) => {
                tracing::debug!(class = class.as_str(), step = error.step, error = %error.source, "commit failed");
                self.set_trouble(class, Some(cause_of(&error.source)));
                Event::CommitFailed { class }
            }
        }
    }

    /// Settles records that exist no more, here and with the scheduler.
    pub(super) fn gone(&mut self, class: Class, range: Range<u64>) {
        self.say(Answer::Gone(class, range.clone()));
        let now = self.now_ms();
        self.rules
            .on(now, Event::Gone { class, range }, &mut self.effects);
    }

    /// Says what has become known since the last time.
    pub(super) fn flush(&mut self) {
        self.flush_receipts();
        for class in Class::ALL {
            let journal = self.journal(class);
            let end = if self.rules.is_bad(class) {
                journal.end()
            } else {
                journal.committed_end()
            };
            let told = &mut self.told_end[class as usize];
            if end > *told {
                *told = end;
                let bytes = std::mem::take(&mut self.untold_bytes[class as usize]);
                self.say(Answer::Committed { class, end, bytes });
            }
        }
        if std::mem::take(&mut self.has_news) {
            self.make_report();
        }
    }

    fn flush_receipts(&mut self) {
        if !self.to_acknowledge.is_empty() {
            let receipts = std::mem::take(&mut self.to_acknowledge);
            self.say(Answer::Acknowledge {
                connection: self.connection,
                receipts,
            });
        }
    }

    /// Counts and reports records that nobody can read any more.
    pub(super) fn note_damaged(&mut self, count: u64) {
        if count > 0 {
            self.report.journal.records_damaged += count;
            self.say(Answer::Event(
                Severity::Warning,
                code::JOURNAL_RECORDS_DAMAGED.with("count", count),
            ));
        }
    }

    pub(super) fn say(&self, answer: Answer) {
        // Nobody listens any more only while the thread is being stopped.
        let _ = self.answers.send(answer);
    }

    pub(super) fn journal(&self, class: Class) -> &Journal<D> {
        match class {
            Class::Urgent => &self.urgent,
            Class::Data => &self.data,
        }
    }

    pub(super) fn journal_mut(&mut self, class: Class) -> &mut Journal<D> {
        match class {
            Class::Urgent => &mut self.urgent,
            Class::Data => &mut self.data,
        }
    }

    pub(super) fn now_ms(&self) -> u64 {
        millis(self.clock.mono())
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
