//! The connection that only takes in: persistent session, acknowledged by hand, never publishing.

use tm_service::Host;
use tm_service::session::{Incoming, Qos, Receipt, Session, SessionEvent, Standing};
use tm_types::topic;

/// What must not be missed.
const FILTERS: [&str; 5] = [
    topic::DATA_ALL,
    topic::SENSOR_BLOCKS_ALL,
    topic::EVENT_ALL,
    topic::ALARM_ALL,
    topic::RESULT_ALL,
];
/// Above what any broker of ours passes on: a larger message of a foreign one would close the connection again and again.
const MAX_PACKET: usize = 16 * 1024 * 1024;
/// Messages that go to the keeper at once.
const HANDFUL: usize = 512;
/// With more messages than this with the keeper, no more are read from the broker.
const MESSAGES_MAX: usize = 4096;
/// With more bytes of messages than this with the keeper, no more are read from the broker.
const BYTES_MAX: usize = 1024 * 1024;

/// The connection, and what of it the keeper has not taken in yet.
pub(crate) struct Ingest {
    session: Session,
    /// Counts the connections over all sessions: receipts of an older one are void.
    connection: u64,
    messages: usize,
    bytes: usize,
    was_up: bool,
}

impl Ingest {
    /// Starts connecting.
    pub(crate) fn open(host: &Host) -> Self {
        Self {
            session: session(host),
            connection: 0,
            messages: 0,
            bytes: 0,
            was_up: false,
        }
    }

    /// A new connection: the broker sends again what was not acknowledged.
    pub(crate) fn reopen(&mut self, host: &Host) {
        self.connection += 1;
        self.session = session(host);
    }

    /// Whether the subscription stands, for others to see.
    pub(crate) fn standing(&self) -> Standing {
        self.session.standing()
    }

    /// The next event, once the keeper has room for it. Dropping the future loses nothing.
    pub(crate) async fn next(&mut self) -> SessionEvent {
        if self.messages >= MESSAGES_MAX || self.bytes >= BYTES_MAX {
            return std::future::pending().await;
        }
        self.session.next().await
    }

    /// The message with all that are already behind it, and what came after those.
    pub(crate) fn handful(&mut self, first: Incoming) -> (Vec<Incoming>, Option<SessionEvent>) {
        self.bytes += first.payload.len();
        let mut messages = vec![first];
        let mut next = None;
        while messages.len() < HANDFUL && self.bytes < BYTES_MAX {
            match self.session.try_next() {
                Some(SessionEvent::Message(message)) => {
                    self.bytes += message.payload.len();
                    messages.push(message);
                }
                other => {
                    next = other;
                    break;
                }
            }
        }
        self.messages += messages.len();
        (messages, next)
    }

    /// The keeper has taken these in.
    pub(crate) fn taken(&mut self, messages: usize, bytes: usize) {
        self.messages -= messages;
        self.bytes -= bytes;
    }

    /// Notes a new connection; its number, and whether an earlier session was forgotten by the broker.
    pub(crate) fn came_up(&mut self, is_session_present: bool) -> (u64, bool) {
        self.connection += 1;
        let is_forgotten = std::mem::replace(&mut self.was_up, true) && !is_session_present;
        (self.connection, is_forgotten)
    }

    /// Whether the subscription has ever stood.
    pub(crate) fn was_up(&self) -> bool {
        self.was_up
    }

    /// Acknowledges messages of a connection; nothing when that is gone.
    pub(crate) fn acknowledge(&self, connection: u64, receipts: Vec<Receipt>) {
        if connection == self.connection {
            for receipt in receipts {
                self.session.acknowledge(receipt);
            }
        }
    }
}

fn session(host: &Host) -> Session {
    let mut options = host.bus.session_options("-in");
    options.clean_session = false;
    options.manual_acks = true;
    options.max_packet = MAX_PACKET;
    options.subscriptions = FILTERS
        .map(|filter| (filter.to_owned(), Qos::AtLeastOnce))
        .to_vec();
    Session::open(options)
}
