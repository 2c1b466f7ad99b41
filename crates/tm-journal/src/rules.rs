//! When to commit, what may be acknowledged, what is still to be sent: events in, effects out, no I/O and no clock.
//!
//! One bus connection feeds two journals, and a broker wants its acknowledgements in the order of its messages:
//! so one machine knows both. A message is acknowledged when it and all before it are durable, that is
//! committed, or, while the disk is bad, acknowledged by the cloud.

mod event;

use std::collections::VecDeque;
use std::ops::Range;

pub use event::{Admission, Class, Effect, Event, Timing};

use crate::cursor::Cursor;
use crate::intervals::Intervals;
use crate::recover::Recovered;

/// Messages that a broker may have in flight to us before it has shown more (Mosquitto's default).
const WINDOW_START: usize = 20;
/// More in flight than this is not asked for (`max_inflight_messages` of our broker).
const WINDOW_MAX: usize = 2000;
/// An alarm cannot be sent before its commit: it waits only for what comes along with it.
const URGENT_COMMIT_MS: u64 = 50;
/// A bad disk is tried again after this long, then after twice as long, and so on.
const RETRY_MS: u64 = 1_000;
/// The longest wait between two attempts.
const RETRY_MAX_MS: u64 = 60_000;

/// The state of the machine.
#[derive(Debug)]
pub struct Rules {
    timing: Timing,
    journals: [Journaled; 2],
    /// Messages not yet acknowledged, in the order they came.
    held: VecDeque<Held>,
    /// Most ever held on this connection.
    window: usize,
    connection: u64,
    is_connected: bool,
    is_reconnect_asked: bool,
}

#[derive(Debug, Clone, Copy)]
struct Held {
    packet: u16,
    class: Class,
    /// Durable up to here, it may be acknowledged; `u64::MAX` when it was discarded.
    needs: u64,
}

#[derive(Debug)]
struct Journaled {
    appended_end: u64,
    durable_end: u64,
    cursor: Cursor,
    in_flight: Intervals,
    is_bad: bool,
    is_discarding: bool,
    /// Bytes in memory, and messages since the last commit began.
    buffered: usize,
    waiting: usize,
    /// When the oldest record that no commit has been asked for came.
    waiting_since: Option<u64>,
    /// The commit being made: bytes it takes, the cursor's age it writes.
    committing: Option<Committing>,
    retry_at: u64,
    retry_ms: u64,
    /// Counts changes of the cursor; the count at the last one written, and when.
    cursor_age: u64,
    written_age: u64,
    written_at: u64,
}

#[derive(Debug, Clone, Copy)]
struct Committing {
    bytes: usize,
    cursor_age: Option<u64>,
}

impl Journaled {
    fn new(now_ms: u64, recovered: &Recovered) -> Self {
        Self {
            appended_end: recovered.end,
            durable_end: recovered.durable_end,
            cursor: recovered.cursor.clone(),
            in_flight: Intervals::default(),
            is_bad: recovered.trouble.is_some(),
            is_discarding: false,
            buffered: 0,
            waiting: 0,
            waiting_since: None,
            committing: None,
            retry_at: now_ms + RETRY_MS,
            retry_ms: RETRY_MS,
            cursor_age: 0,
            written_age: 0,
            written_at: now_ms,
        }
    }

    fn settle(&mut self, range: Range<u64>) {
        let before = self.cursor.clone();
        self.in_flight.remove(&range);
        self.cursor.settle(range);
        self.cursor_age += u64::from(self.cursor != before);
    }

    fn readable_end(&self) -> u64 {
        if self.is_bad {
            self.appended_end
        } else {
            self.durable_end
        }
    }

    fn is_cursor_changed(&self) -> bool {
        self.cursor_age != self.written_age
    }
}

impl Rules {
    /// Begins with what the openings of the urgent and the data journal found, in this order.
    pub fn new(now_ms: u64, timing: Timing, recovered: [&Recovered; 2]) -> Self {
        Self {
            timing,
            journals: recovered.map(|recovered| Journaled::new(now_ms, recovered)),
            held: VecDeque::new(),
            window: WINDOW_START,
            connection: 0,
            is_connected: false,
            is_reconnect_asked: false,
        }
    }

    /// The number of the present bus connection, counted from 1.
    pub fn connection(&self) -> u64 {
        self.connection
    }

    /// What is settled in a journal.
    pub fn cursor(&self, class: Class) -> &Cursor {
        &self.of(class).cursor
    }

    /// What is sent and not yet acknowledged by the cloud.
    pub fn in_flight(&self, class: Class) -> &[Range<u64>] {
        self.of(class).in_flight.as_slice()
    }

    /// Whether the last commit of a journal failed.
    pub fn is_bad(&self, class: Class) -> bool {
        self.of(class).is_bad
    }

    /// Messages received and not yet acknowledged.
    pub fn held(&self) -> usize {
        self.held.len()
    }

    /// The first records at or above `from` that are to be sent: committed (in bad-disk mode appended), not settled, not in flight.
    pub fn next_unsent(&self, class: Class, from: u64) -> Option<Range<u64>> {
        let journal = self.of(class);
        let mut start = from;
        loop {
            let next = journal
                .in_flight
                .end_of(journal.cursor.settled_until(start));
            if next == start {
                break;
            }
            start = next;
        }
        let end = journal
            .readable_end()
            .min(journal.cursor.next_settled(start))
            .min(journal.in_flight.next(start));
        (start < end).then_some(start..end)
    }

    /// Whether a message may be appended that takes at most `bytes`. Ask before looking for duplicates.
    ///
    /// Once one was discarded, all later ones of its class on the same connection are: a newer one let in
    /// would make its re-sent predecessor look like a repeat.
    pub fn admission(&self, class: Class, bytes: usize) -> Admission {
        let journal = self.of(class);
        let is_full = journal.buffered > 0 && journal.buffered + bytes > self.timing.memory_bytes;
        if journal.is_discarding || journal.is_bad && is_full {
            Admission::Discard
        } else if is_full {
            Admission::CommitFirst
        } else {
            Admission::Accept
        }
    }

    /// When to say [`Event::Tick`] at the latest, in the caller's monotonic milliseconds.
    pub fn next_wake_ms(&self) -> Option<u64> {
        let of_class = |class: Class| {
            let journal = self.of(class);
            if journal.committing.is_some() {
                return None;
            }
            if journal.is_bad {
                return Some(journal.retry_at);
            }
            let commit = journal
                .waiting_since
                .map(|since| since + commit_ms(self.timing, class));
            let cursor = journal
                .is_cursor_changed()
                .then_some(journal.written_at + self.timing.cursor_idle_ms);
            commit.into_iter().chain(cursor).min()
        };
        Class::ALL.into_iter().filter_map(of_class).min()
    }

    /// Takes in what happened at `now_ms` (monotonic milliseconds), appends what is to be done.
    pub fn on(&mut self, now_ms: u64, event: Event, effects: &mut Vec<Effect>) {
        let is_stopping = event == Event::Stopping;
        self.take(now_ms, event);
        self.release(effects);
        self.commit_what_is_due(now_ms, is_stopping, effects);
        self.ask_again(effects);
    }

    fn take(&mut self, now_ms: u64, event: Event) {
        match event {
            Event::Connected => {
                self.forget_connection();
                self.connection += 1;
                self.is_connected = true;
            }
            Event::Disconnected => self.forget_connection(),
            Event::Received {
                class,
                packet,
                seq,
                bytes,
            } => {
                let journal = self.of_mut(class);
                journal.appended_end = journal.appended_end.max(seq + 1);
                journal.buffered += bytes;
                journal.waiting += 1;
                journal.waiting_since.get_or_insert(now_ms);
                self.hold(class, packet, seq + 1);
            }
            Event::Passed { class, packet } => {
                // A repeat is safe when its original is, and that may still be in memory.
                let needs = self.of(class).appended_end;
                self.hold(class, packet, needs);
            }
            Event::Discarded { class, packet } => {
                self.of_mut(class).is_discarding = true;
                self.hold(class, packet, u64::MAX);
            }
            Event::Committed { class, end } => self.of_mut(class).committed(now_ms, end),
            Event::CommitFailed { class } => self.of_mut(class).commit_failed(now_ms),
            Event::Buffered { class, bytes } => self.of_mut(class).buffered = bytes,
            Event::Gone { class, range } | Event::Acknowledged { class, range } => {
                self.of_mut(class).settle(range);
            }
            Event::Sent { class, range } => self.of_mut(class).in_flight.insert(range),
            Event::CloudLost => self
                .journals
                .iter_mut()
                .for_each(|journal| journal.in_flight.clear()),
            Event::Stopping | Event::Tick => {}
        }
    }

    fn forget_connection(&mut self) {
        self.held.clear();
        self.window = WINDOW_START;
        self.is_connected = false;
        self.is_reconnect_asked = false;
        for journal in &mut self.journals {
            journal.is_discarding = false;
        }
    }

    fn hold(&mut self, class: Class, packet: Option<u16>, needs: u64) {
        if let Some(packet) = packet.filter(|_| self.is_connected) {
            self.held.push_back(Held {
                packet,
                class,
                needs,
            });
            self.window = self.window.max(self.held.len()).min(WINDOW_MAX);
        }
    }

    /// Lets go of the messages at the front that are durable, and of records in memory that never need the disk.
    fn release(&mut self, effects: &mut Vec<Effect>) {
        for class in Class::ALL {
            let journal = self.of_mut(class);
            let durable = journal
                .cursor
                .settled_until(journal.durable_end)
                .min(journal.appended_end);
            if durable > journal.durable_end && journal.is_bad && journal.committing.is_none() {
                journal.durable_end = durable;
                effects.push(Effect::Trim {
                    class,
                    below: durable,
                });
            }
        }
        while let Some(held) = self.held.front() {
            if held.needs > self.of(held.class).durable_end {
                break;
            }
            effects.push(Effect::Acknowledge {
                connection: self.connection,
                packet: held.packet,
            });
            self.held.pop_front();
        }
    }

    fn commit_what_is_due(&mut self, now_ms: u64, is_stopping: bool, effects: &mut Vec<Effect>) {
        let waiting: usize = self
            .journals
            .iter()
            .filter(|journal| !journal.is_bad)
            .map(|journal| journal.waiting)
            .sum();
        let is_window_half_full = waiting >= self.window / 2;
        for class in Class::ALL {
            let timing = self.timing;
            let journal = self.of_mut(class);
            if journal.committing.is_some() {
                continue;
            }
            let cursor_waited = if journal.is_cursor_changed() {
                now_ms.saturating_sub(journal.written_at)
            } else {
                0
            };
            let is_due = if journal.is_bad {
                now_ms >= journal.retry_at
            } else {
                let is_late = journal
                    .waiting_since
                    .is_some_and(|since| now_ms >= since + commit_ms(timing, class));
                let is_big = journal.buffered >= timing.commit_bytes;
                journal.waiting > 0 && (is_late || is_big || is_window_half_full || is_stopping)
            };
            let is_idle_cursor = !journal.is_bad && cursor_waited >= timing.cursor_idle_ms;
            let is_last_chance = is_stopping && (journal.is_bad || journal.is_cursor_changed());
            if !(is_due || is_idle_cursor || is_last_chance) {
                continue;
            }
            let write_cursor =
                journal.is_cursor_changed() && (cursor_waited >= timing.cursor_ms || is_stopping);
            journal.committing = Some(Committing {
                bytes: journal.buffered,
                cursor_age: write_cursor.then_some(journal.cursor_age),
            });
            journal.waiting = 0;
            journal.waiting_since = None;
            effects.push(Effect::Commit {
                class,
                write_cursor,
            });
        }
    }

    /// Once there is room again, discarded messages are fetched by a new connection.
    fn ask_again(&mut self, effects: &mut Vec<Effect>) {
        let half = self.timing.memory_bytes / 2;
        let has_room = |journal: &Journaled| !journal.is_bad || journal.buffered <= half;
        let is_wanted = self.journals.iter().any(|journal| journal.is_discarding);
        let is_possible = self
            .journals
            .iter()
            .all(|journal| !journal.is_discarding || has_room(journal));
        if is_wanted && is_possible && self.is_connected && !self.is_reconnect_asked {
            self.is_reconnect_asked = true;
            effects.push(Effect::Reconnect);
        }
    }

    fn of(&self, class: Class) -> &Journaled {
        &self.journals[class as usize]
    }

    fn of_mut(&mut self, class: Class) -> &mut Journaled {
        &mut self.journals[class as usize]
    }
}

/// How long a record may wait for its commit.
fn commit_ms(timing: Timing, class: Class) -> u64 {
    match class {
        Class::Urgent => timing.commit_ms.min(URGENT_COMMIT_MS),
        Class::Data => timing.commit_ms,
    }
}

impl Journaled {
    fn committed(&mut self, now_ms: u64, end: u64) {
        self.durable_end = self.durable_end.max(end);
        self.is_bad = false;
        self.retry_ms = RETRY_MS;
        if let Some(committing) = self.committing.take() {
            self.buffered = self.buffered.saturating_sub(committing.bytes);
            if let Some(age) = committing.cursor_age {
                self.written_age = age;
                self.written_at = now_ms;
            }
        } else if end >= self.appended_end {
            // The caller committed by itself, because the memory was full.
            (self.buffered, self.waiting, self.waiting_since) = (0, 0, None);
        }
    }

    fn commit_failed(&mut self, now_ms: u64) {
        self.committing = None;
        // What waited keeps waiting in memory; a commit that fails again waits twice as long.
        self.retry_ms = if self.is_bad {
            (self.retry_ms * 2).min(RETRY_MAX_MS)
        } else {
            RETRY_MS
        };
        self.is_bad = true;
        self.retry_at = now_ms + self.retry_ms;
    }
}
