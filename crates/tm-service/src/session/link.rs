//! What the owner and the driver of a session share: the connection, and what is on its way.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use rumqttc::{AsyncClient, ManualAck, PubAck, PublishOptions};

use super::driver::mqtt_qos;
use super::{NotTaken, Outgoing, Qos, Receipt, SessionEvent, Token};

/// QoS 0 messages that may wait for the wire; they are not worth more.
const UNACKED_QUEUE: usize = 256;

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
    /// QoS 0 messages not yet on the wire.
    unacked_waiting: usize,
    /// When the broker last acknowledged something, or the first of `waiting` was fed.
    progress: Option<Instant>,
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
        let connection = self.lock();
        if connection.number != receipt.connection {
            return;
        }
        if let Some(client) = &connection.client {
            // The channel is unbounded, so this fails only when the connection has just ended.
            let _ = client.try_manual_ack(ManualAck::PubAck(PubAck::new(receipt.packet)));
        }
    }
}

impl Connection {
    /// The connection of that number stands.
    pub(super) fn begin(&mut self, number: u64, client: AsyncClient) {
        self.number = number;
        self.client = Some(client);
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
            self.unacked_waiting = self.unacked_waiting.saturating_sub(1);
        } else if !self.sent.contains_key(&packet)
            && let Some(token) = self.waiting.pop_front()
        {
            self.sent.insert(packet, token);
        }
    }

    /// The broker acknowledges that packet id.
    pub(super) fn on_acked(&mut self, packet: u16) -> Option<Token> {
        self.progress = Some(Instant::now());
        self.sent.remove(&packet)
    }

    /// Messages of QoS 1 that are on their way.
    pub(super) fn in_flight(&self) -> usize {
        self.waiting.len() + self.sent.len()
    }

    /// Hands a message to the client.
    pub(super) fn feed(&mut self, message: Outgoing, window: usize) -> Result<(), NotTaken> {
        let in_flight = self.in_flight();
        let Some(client) = &self.client else {
            return Err(NotTaken::Down(message));
        };
        let full = match message.qos {
            Qos::AtLeastOnce => in_flight >= window,
            Qos::AtMostOnce => self.unacked_waiting >= UNACKED_QUEUE,
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
                if in_flight == 0 {
                    self.progress = Some(Instant::now());
                }
                self.waiting.push_back(message.token);
            }
            Qos::AtMostOnce => self.unacked_waiting += 1,
        }
        Ok(())
    }

    /// How long the broker has owed an acknowledgement.
    pub(super) fn owed_for(&self) -> Duration {
        match self.progress {
            Some(since) if self.in_flight() > 0 => since.elapsed(),
            _ => Duration::ZERO,
        }
    }
}
