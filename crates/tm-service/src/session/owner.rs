//! The owner's side of a session.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::driver::drive;
use super::link::{Link, Told};
use super::{NotTaken, Options, Outgoing, Qos, Receipt, SessionEvent, Token, Turn};

/// Events that may wait for the owner; beyond it the driver reads no more from the broker.
const EVENTS: usize = 256;
/// What a PUBLISH adds to topic and payload at most: fixed header, topic length, packet id.
const PUBLISH_OVERHEAD: usize = 9;

/// A session; dropping it ends the connection at once, and the broker publishes the will.
#[derive(Debug)]
pub struct Session {
    link: Arc<Link>,
    events: mpsc::Receiver<Told>,
    /// The connection that the owner knows of.
    seen: u64,
    window: usize,
    queue: usize,
    /// What [`ask`](Session::ask) asks to be confirmed.
    first_filter: Option<(String, Qos)>,
    max_packet: usize,
    driver: JoinHandle<()>,
}

/// Acknowledges incoming messages from elsewhere than the session's owner.
#[derive(Clone, Debug)]
pub struct Acknowledger(Arc<Link>);

impl Session {
    /// Starts connecting. Must be called within a tokio runtime.
    pub fn open(options: Options) -> Self {
        let (sender, events) = mpsc::channel(EVENTS);
        let link = Arc::new(Link::default());
        let window = usize::from(options.window.max(1));
        let (queue, max_packet) = (options.queue, options.max_packet);
        let first_filter = options.subscriptions.first().cloned();
        let driver = tokio::spawn(drive(options, link.clone(), sender));
        Self {
            link,
            events,
            seen: 0,
            window,
            queue,
            first_filter,
            max_packet,
            driver,
        }
    }

    /// The next event. Dropping the future loses nothing.
    pub async fn next(&mut self) -> SessionEvent {
        let told = self
            .events
            .recv()
            .await
            .expect("the driver ends only with the session");
        self.note(told)
    }

    /// An event that is already there.
    pub fn try_next(&mut self) -> Option<SessionEvent> {
        let told = self.events.try_recv().ok()?;
        Some(self.note(told))
    }

    /// Hands over a message; it is on its way when this returns `Ok`.
    pub fn feed(&self, message: Outgoing) -> Result<(), NotTaken> {
        let size = message.topic.len() + message.payload.len() + PUBLISH_OVERHEAD;
        if size > self.max_packet {
            return Err(NotTaken::Unsendable(message));
        }
        let mut connection = self.link.lock();
        if connection.number() != self.seen {
            return Err(NotTaken::Down(message));
        }
        connection.feed(message, (self.window, self.queue))
    }

    /// Asks the broker something that it answers once it has read everything fed before: the first of the subscriptions
    /// again, some 40 bytes both ways. The answer is [`Acked`](SessionEvent::Acked) with this token.
    ///
    /// False where there is no connection, or no subscription.
    pub fn ask(&self, token: Token) -> bool {
        let mut connection = self.link.lock();
        match &self.first_filter {
            Some((filter, qos)) if connection.number() == self.seen => {
                connection.ask(token, filter, *qos)
            }
            _ => false,
        }
    }

    /// Says DISCONNECT behind everything that was fed, so that the will is not published, and connects again.
    pub fn leave(&self, turn: Turn) {
        let mut connection = self.link.lock();
        if connection.number() == self.seen {
            connection.leave(turn);
        }
    }

    /// How many more messages of QoS 1 would be taken now.
    pub fn room(&self) -> usize {
        let connection = self.link.lock();
        match connection.client_of(self.seen) {
            Some(_) => self.window.saturating_sub(connection.in_flight()),
            None => 0,
        }
    }

    /// Acknowledges a message; receipts of an earlier connection are void and ignored.
    pub fn acknowledge(&self, receipt: Receipt) {
        self.link.acknowledge(receipt);
    }

    /// Gives the right to acknowledge to another task. Acks go out in the order they are given.
    pub fn acknowledger(&self) -> Acknowledger {
        Acknowledger(self.link.clone())
    }

    /// Lets others see whether the subscriptions stand.
    pub fn standing(&self) -> Standing {
        Standing(self.link.clone())
    }

    /// Waits until everything fed is acked, says DISCONNECT, and ends; the will is not published.
    ///
    /// After `deadline`, or when the connection is down, it ends as a drop does.
    pub async fn close(mut self, deadline: Duration) {
        let farewell = async {
            while self.link.lock().in_flight() > 0 {
                if let SessionEvent::Down(_) = self.next().await {
                    return;
                }
            }
            let client = self.link.lock().client_of(self.seen).cloned();
            if client.is_some_and(|client| client.try_disconnect().is_ok()) {
                while self.events.recv().await.is_some() {}
            }
        };
        let _ = tokio::time::timeout(deadline, farewell).await;
    }

    fn note(&mut self, told: Told) -> SessionEvent {
        if let SessionEvent::Up { .. } = told.event {
            self.seen = told.connection;
        }
        told.event
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// Whether the subscriptions of a session stand, seen from elsewhere than its owner: by then everything
/// that is published and matches them comes.
#[derive(Clone, Debug)]
pub struct Standing(Arc<Link>);

impl Standing {
    /// True from the moment the broker has confirmed them until the connection ends.
    pub fn is_up(&self) -> bool {
        self.0.lock().is_up()
    }
}

impl Acknowledger {
    /// As [`Session::acknowledge`].
    pub fn acknowledge(&self, receipt: Receipt) {
        self.0.acknowledge(receipt);
    }
}
