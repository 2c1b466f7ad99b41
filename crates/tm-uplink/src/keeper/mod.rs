//! The thread that owns the journals: takes messages in, makes them durable, reads and encodes them.
//!
//! Everything that waits for a disk or takes long happens here, so that the event loop never does either.
//! What may be acknowledged and when to commit is decided by [`tm_journal::Rules`].

mod complaints;
mod intake;
mod journals;
#[cfg(test)]
mod power_cut;
mod retained;
mod sort;
mod supply;
mod take_up;
#[cfg(test)]
mod tests;
mod work;

use std::ops::Range;
use std::sync::mpsc;
use std::thread::JoinHandle;

use bytes::Bytes;
use tm_journal::{Class, Cursor, Disk};
use tm_service::Clock;
use tm_service::session::{Incoming, Receipt};
use tm_types::{Anchor, Cause, JournalState, Poll, Severity, Source};
use tokio::sync::mpsc as answers;

pub(crate) use journals::{Journals, Opened};

use crate::anchors::Anchors;
use crate::outlet::Terms;
use crate::schedule::{Prepared, Request};

/// What the event loop asks of the keeper, in this order.
#[derive(Debug)]
pub(crate) enum Command {
    /// A new connection to the bus stands; its number.
    Connected(u64),
    /// The connection to the bus is gone.
    Disconnected,
    /// Messages of the bus, as they came.
    Messages(Vec<Incoming>),
    /// An answer that no service has given: to be kept and sent as one that came by the bus.
    Answered { topic: String, payload: Bytes },
    /// Read and encode.
    Prepare(Request),
    /// Handed to the cloud session.
    Sent(Class, Range<u64>),
    /// Acknowledged by the cloud, or found to be gone.
    Settled(Class, Range<u64>),
    /// The cloud connection is gone.
    CloudLost,
    /// A time anchor, and the message it came in.
    Anchor {
        anchor: Anchor,
        topic: String,
        payload: Bytes,
    },
    /// Whether all gauges are thinned from now on.
    Sparse(bool),
    /// Answer with a [`Report`].
    Report,
}

/// What the keeper has to say.
#[derive(Debug)]
pub(crate) enum Answer {
    /// There is room for that many further messages and bytes.
    Taken { messages: usize, bytes: usize },
    /// Acknowledge these to the bus, in this order, on that connection.
    Acknowledge {
        connection: u64,
        receipts: Vec<Receipt>,
    },
    /// Make a new connection to the bus: the broker is to send again what could not be kept.
    Reconnect,
    /// Records up to `end` may be sent; `bytes` of them are new.
    Committed { class: Class, end: u64, bytes: u64 },
    /// Dropped for room.
    Gone(Class, Range<u64>),
    /// A request is answered.
    Prepared(Prepared),
    /// A measurement was taken in; told only where somebody makes births of it.
    Polled(Source, Poll),
    /// An anchor for this boot is known now.
    ClockKnown,
    /// The first anchor of some boot is known now: all of them, to be kept for the next run.
    Anchors(Vec<Anchor>),
    /// To be told on the bus.
    Event(Severity, Cause),
    /// As asked for, and whenever the disk turns bad or good.
    Report(Report),
}

/// How the keeping stands.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct Report {
    /// What waits on disk.
    pub(crate) journal: JournalState,
    /// Since start.
    pub(crate) messages_received: u64,
    /// Since start.
    pub(crate) duplicates_dropped: u64,
    /// Since start.
    pub(crate) lost_on_bus: u64,
    /// Since start.
    pub(crate) messages_unreadable: u64,
    /// Since start.
    pub(crate) points_thinned: u64,
    /// Why the disk is bad, if it is.
    pub(crate) trouble: Option<Cause>,
}

/// Where the journals stood when they were opened: what the scheduler starts from.
#[derive(Debug)]
pub(crate) struct Start {
    pub(crate) urgent: (Cursor, u64),
    pub(crate) data: (Cursor, u64),
}

/// The keeper as the event loop holds it. Dropping it stops the thread after a last commit with its cursor.
#[derive(Debug)]
pub(crate) struct Keeper {
    commands: Option<mpsc::Sender<Command>>,
    answers: answers::UnboundedReceiver<Answer>,
    thread: Option<JoinHandle<()>>,
}

impl Keeper {
    /// Starts the thread over opened journals; `absent` says why they have no disk, if so.
    pub(crate) fn start<D>(
        journals: Journals<D>,
        absent: Option<Cause>,
        terms: Terms,
        clock: Clock,
        commit_ms: u64,
        anchors: Anchors,
    ) -> std::io::Result<(Self, Start)>
    where
        D: Disk + Send + 'static,
        D::File: Send,
    {
        let (commands, inbox) = mpsc::channel();
        // Unbounded, and yet few: every answer but a report belongs to a command, and messages are counted.
        let (outbox, answers) = answers::unbounded_channel();
        let (work, start) =
            work::Work::new(journals, absent, terms, clock, commit_ms, anchors, outbox);
        let thread = std::thread::Builder::new()
            .name("journal".into())
            .spawn(move || work.run(&inbox))?;
        Ok((
            Self {
                commands: Some(commands),
                answers,
                thread: Some(thread),
            },
            start,
        ))
    }

    /// Hands over a command; never waits.
    pub(crate) fn tell(&self, command: Command) {
        if let Some(commands) = &self.commands {
            // A thread that has ended says so by the end of its answers.
            let _ = commands.send(command);
        }
    }

    /// The next answer; `None` when the thread has died. Dropping the future loses nothing.
    pub(crate) async fn next(&mut self) -> Option<Answer> {
        self.answers.recv().await
    }

    /// An answer that is already there.
    pub(crate) fn try_next(&mut self) -> Option<Answer> {
        self.answers.try_recv().ok()
    }
}

impl Drop for Keeper {
    /// Waits for the last commit: whoever opens the journals next must find them closed, and a stopping process must not cut it short.
    fn drop(&mut self) {
        self.commands = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
