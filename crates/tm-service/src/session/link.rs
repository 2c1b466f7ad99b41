//! What the owner and the driver of a session share: the connection, and what is on its way.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use rumqttc::{AsyncClient, ManualAck, PubAck, PublishOptions};

use super::driver::mqtt_qos;
use super::{NotTaken, Outgoing, Qos, Receipt, SessionEvent, Token, Turn};

/// Acknowledgements that the client has at once: each takes 200 bytes there, and that room is not given back.
const ACKS_FED: usize = 256;

/// The present connection, shared by owner, driver and acknowledgers.
#[derive(Debug, Default)]
pub(super) struct Link(Mutex<Connection>);

#[derive(Debug, Default)]
pub(super) struct Connection {
    /// Numbers the connections; everything of an older one is void.
    number: u64,
    client: Option<AsyncClient>,
    /// The subscriptions stand.
    is_up: bool,
    /// Handed to the client, not yet given a packet id.
    waiting: VecDeque<Token>,
    /// On the wire, by packet id.
    sent: HashMap<u16, Token>,
    /// QoS 0 messages handed to the client, and those of them that are on the wire.
    fed: u64,
    written: u64,
    /// Questions, each with what was fed before it: the client would let them overtake.
    questions: VecDeque<(u64, Question)>,
    /// SUBSCRIBEs not yet given a packet id; those of the connection's beginning have no name.
    asking: VecDeque<Option<Token>>,
    /// Questions on the wire, by packet id.
    asked: HashMap<u16, Token>,
    /// Messages of the broker to be acknowledged, by packet id, in this order; and acknowledgements
    /// handed to the client that are not on the wire.
    acks: VecDeque<u16>,
    acks_fed: usize,
    /// The owner leaves it, and where to.
    left_for: Option<Turn>,
    /// When the broker last acknowledged something, or the first of what it owes was fed.
    progress: Option<Instant>,
}

/// A subscription that is to be confirmed once more.
#[derive(Debug)]
struct Question {
    token: Token,
    filter: String,
    qos: Qos,
}

/// An event and the connection it belongs to.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) connection: u64,
    pub(super) event: SessionEvent,
}

impl Link {
    pub(super) fn lock(&self) -> MutexGuard<'_, Connection> {
        self.0.lock().expect("nobody panics while holding the link")
    }

    /// Acknowledges an incoming message, if its connection still stands.
    pub(super) fn acknowledge(&self, receipt: Receipt) {
        let mut connection = self.lock();
        if connection.number == receipt.connection {
            connection.acks.push_back(receipt.packet);
            connection.feed_acks();
        }
    }
}

impl Connection {
    /// The connection of that number stands.
    pub(super) fn begin(&mut self, number: u64, client: AsyncClient) {
        self.number = number;
        self.client = Some(client);
    }

    /// Its subscriptions are asked for.
    pub(super) fn subscribes(&mut self) {
        self.asking.push_back(None);
    }

    /// Its subscriptions stand.
    pub(super) fn up(&mut self) {
        self.is_up = true;
    }

    pub(super) fn is_up(&self) -> bool {
        self.is_up
    }

    /// It stands no more: everything on its way is lost.
    pub(super) fn end(&mut self, number: u64) {
        *self = Self {
            number,
            ..Self::default()
        };
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// The client of the connection of that number, while it stands.
    pub(super) fn client_of(&self, number: u64) -> Option<&AsyncClient> {
        self.client.as_ref().filter(|_| self.number == number)
    }

    /// A message was written under that packet id; 0 for QoS 0.
    pub(super) fn on_sent(&mut self, packet: u16) {
        if packet == 0 {
            self.written += 1;
        } else if !self.sent.contains_key(&packet)
            && let Some(token) = self.waiting.pop_front()
        {
            self.sent.insert(packet, token);
        }
        self.ask_due();
        self.leave_due();
    }

    /// An acknowledgement was written.
    pub(super) fn on_ack_sent(&mut self) {
        self.acks_fed = self.acks_fed.saturating_sub(1);
        self.feed_acks();
    }

    fn feed_acks(&mut self) {
        while self.acks_fed < ACKS_FED
            && let Some(client) = &self.client
            && let Some(packet) = self.acks.pop_front()
        {
            // The channel is unbounded, so this fails only when the connection has just ended.
            let _ = client.try_manual_ack(ManualAck::PubAck(PubAck::new(packet)));
            self.acks_fed += 1;
        }
    }

    /// The broker acknowledges that packet id.
    pub(super) fn on_acked(&mut self, packet: u16) -> Option<Token> {
        self.progress = Some(Instant::now());
        self.sent.remove(&packet)
    }

    /// A SUBSCRIBE was written under that packet id.
    pub(super) fn on_asked(&mut self, packet: u16) {
        if let Some(Some(token)) = self.asking.pop_front() {
            self.asked.insert(packet, token);
        }
    }

    /// The broker answers the SUBSCRIBE of that packet id; the token if it was a question.
    pub(super) fn on_answered(&mut self, packet: u16) -> Option<Token> {
        let token = self.asked.remove(&packet)?;
        self.progress = Some(Instant::now());
        Some(token)
    }

    /// Asks the broker to confirm a subscription once more, behind everything of QoS 0 that was fed.
    pub(super) fn ask(&mut self, token: Token, filter: &str, qos: Qos) -> bool {
        if self.client.is_none() {
            return false;
        }
        if !self.owes() {
            self.progress = Some(Instant::now());
        }
        let question = Question {
            token,
            filter: filter.to_owned(),
            qos,
        };
        self.questions.push_back((self.fed, question));
        self.ask_due();
        true
    }

    /// Asks what has its turn.
    fn ask_due(&mut self) {
        while let Some(client) = &self.client
            && let Some((_, question)) =
                self.questions.pop_front_if(|(fed, _)| *fed <= self.written)
        {
            let subscribed = client.try_subscribe(question.filter, mqtt_qos(question.qos));
            // The channel is unbounded, so this fails only when the connection has just ended.
            if subscribed.is_ok() {
                self.asking.push_back(Some(question.token));
            }
        }
    }

    /// Says DISCONNECT behind everything that was fed; another connection follows.
    pub(super) fn leave(&mut self, turn: Turn) {
        self.left_for = Some(turn);
        self.leave_due();
    }

    fn leave_due(&mut self) {
        let is_written = self.waiting.is_empty() && self.written == self.fed;
        if let Some(client) = self.client.as_ref()
            && self.left_for.is_some()
            && is_written
        {
            // As above.
            let _ = client.try_disconnect();
        }
    }

    /// Where the next connection goes, if the owner has left this one.
    pub(super) fn left_for(&self) -> Option<Turn> {
        self.left_for
    }

    /// Whether the broker owes an answer.
    fn owes(&self) -> bool {
        self.in_flight() + self.questions.len() + self.asking.len() + self.asked.len() > 0
    }

    /// Messages of QoS 1 that are on their way.
    pub(super) fn in_flight(&self) -> usize {
        self.waiting.len() + self.sent.len()
    }

    /// Hands a message to the client.
    pub(super) fn feed(
        &mut self,
        message: Outgoing,
        (window, queue): (usize, usize),
    ) -> Result<(), NotTaken> {
        let in_flight = self.in_flight();
        let is_first = !self.owes();
        let Some(client) = &self.client else {
            return Err(NotTaken::Down(message));
        };
        let full = match message.qos {
            Qos::AtLeastOnce => in_flight >= window,
            Qos::AtMostOnce => self.fed - self.written >= queue as u64,
        };
        if full {
            return Err(NotTaken::Full(message));
        }
        let options = PublishOptions::new(mqtt_qos(message.qos)).retain(message.retain);
        let topic = message.topic.clone();
        if client
            .try_publish(topic, message.payload.clone(), options)
            .is_err()
        {
            return Err(NotTaken::Unsendable(message));
        }
        match message.qos {
            Qos::AtLeastOnce => {
                if is_first {
                    self.progress = Some(Instant::now());
                }
                self.waiting.push_back(message.token);
            }
            Qos::AtMostOnce => self.fed += 1,
        }
        Ok(())
    }

    /// How long the broker has owed an acknowledgement.
    pub(super) fn owed_for(&self) -> Duration {
        match self.progress {
            Some(since) if self.owes() => since.elapsed(),
            _ => Duration::ZERO,
        }
    }
}
