//! The one place that knows the MQTT client: a task that connects, polls, and never reuses a pair.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use rumqttc::{
    AckMode, AsyncClient, Event, EventLoop, LastWill, ManualAck, MqttOptions, NetworkOptions,
    Outgoing as Sent, Packet, PubAck, PublishOptions, QoS, SubscribeFilter, SubscribeReasonCode,
    Transport,
};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::backoff::Waits;
use super::{
    DownReason, Incoming, NotTaken, Options, Outgoing, Qos, Receipt, SessionEvent, Token, connect,
};

/// Events that may wait for the owner; beyond it the driver reads no more from the broker.
const EVENTS: usize = 1024;
/// QoS 0 messages that may wait for the wire; they are not worth more.
const UNACKED_QUEUE: usize = 256;
/// Requests and packets handled between two flushes.
const BATCH: usize = 256;
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
    max_packet: usize,
    driver: JoinHandle<()>,
}

/// Acknowledges incoming messages from elsewhere than the session's owner.
#[derive(Clone, Debug)]
pub struct Acknowledger(Arc<Link>);

/// What owner and driver share.
#[derive(Debug, Default)]
struct Link(Mutex<Connection>);

#[derive(Debug, Default)]
struct Connection {
    /// Numbers the connections; everything of an older one is void.
    number: u64,
    client: Option<AsyncClient>,
    /// Handed to the client, not yet given a packet id.
    waiting: VecDeque<Token>,
    /// On the wire, by packet id.
    sent: HashMap<u16, Token>,
    /// QoS 0 messages not yet on the wire.
    unacked_waiting: usize,
    /// When the broker last acknowledged something, or the first of `waiting` was fed.
    progress: Option<Instant>,
}

#[derive(Debug)]
struct Told {
    connection: u64,
    event: SessionEvent,
}

impl Session {
    /// Starts connecting. Must be called within a tokio runtime.
    pub fn open(options: Options) -> Self {
        let (sender, events) = mpsc::channel(EVENTS);
        let link = Arc::new(Link::default());
        let window = usize::from(options.window.max(1));
        let max_packet = options.max_packet;
        let driver = tokio::spawn(drive(options, link.clone(), sender));
        Self {
            link,
            events,
            seen: 0,
            window,
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
        if connection.number != self.seen {
            return Err(NotTaken::Down(message));
        }
        connection.feed(message, self.window)
    }

    /// How many more messages of QoS 1 would be taken now.
    pub fn room(&self) -> usize {
        let connection = self.link.lock();
        if connection.number == self.seen && connection.client.is_some() {
            self.window.saturating_sub(connection.in_flight())
        } else {
            0
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
            let client = self.link.lock().client.clone();
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

impl Acknowledger {
    /// As [`Session::acknowledge`].
    pub fn acknowledge(&self, receipt: Receipt) {
        self.0.acknowledge(receipt);
    }
}

impl Link {
    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.0.lock().expect("nobody panics while holding the link")
    }

    fn acknowledge(&self, receipt: Receipt) {
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
    fn in_flight(&self) -> usize {
        self.waiting.len() + self.sent.len()
    }

    fn feed(&mut self, message: Outgoing, window: usize) -> Result<(), NotTaken> {
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
    fn owed_for(&self) -> Duration {
        match self.progress {
            Some(since) if self.in_flight() > 0 => since.elapsed(),
            _ => Duration::ZERO,
        }
    }
}

/// Connects for ever; ends only when the owner is gone or has said DISCONNECT.
async fn drive(options: Options, link: Arc<Link>, events: mpsc::Sender<Told>) {
    let mut waits = Waits::new(options.back_off);
    let mut told = None;
    loop {
        let mut driver = Driver {
            options: &options,
            link: &link,
            events: &events,
            number: link.lock().number + 1,
            was_up: false,
        };
        let end = driver.connection().await;
        let was_up = driver.was_up;
        *link.lock() = Connection {
            number: driver.number,
            ..Connection::default()
        };
        let reason = match end {
            End::Down(reason) => reason,
            End::Over => return,
        };
        if was_up {
            waits.reset();
            told = None;
        }
        if told.as_ref() != Some(&reason) {
            told = Some(reason.clone());
            let down = Told {
                connection: 0,
                event: SessionEvent::Down(reason),
            };
            if events.send(down).await.is_err() {
                return;
            }
        }
        tokio::time::sleep(waits.next_wait()).await;
    }
}

/// One connection, from the first packet to the last.
struct Driver<'a> {
    options: &'a Options,
    link: &'a Link,
    events: &'a mpsc::Sender<Told>,
    number: u64,
    was_up: bool,
}

/// How a connection ends.
enum End {
    Down(DownReason),
    /// The owner is gone, or we said DISCONNECT.
    Over,
}

impl From<DownReason> for End {
    fn from(reason: DownReason) -> Self {
        Self::Down(reason)
    }
}

impl Driver<'_> {
    async fn connection(&mut self) -> End {
        match self.run().await {
            Ok(never) => match never {},
            Err(end) => end,
        }
    }

    async fn run(&mut self) -> Result<std::convert::Infallible, End> {
        let (client, mut event_loop) = self.pair().await?;
        loop {
            match self.poll(&mut event_loop).await? {
                Event::Incoming(packet) => self.on_packet(packet, &client).await?,
                Event::Outgoing(sent) => self.on_sent(&sent)?,
            }
        }
    }

    /// The next event of the client; an error when the broker owes an ack for too long.
    async fn poll(&self, event_loop: &mut EventLoop) -> Result<Event, End> {
        let poll = event_loop.poll();
        tokio::pin!(poll);
        loop {
            let patience = self.options.ack_timeout;
            tokio::select! {
                biased;
                event = &mut poll => return event.map_err(|error| connect::reason(&error).into()),
                () = tokio::time::sleep(patience / 4) => {}
            }
            if self.link.lock().owed_for() >= patience {
                return Err(DownReason::Timeout.into());
            }
        }
    }

    async fn pair(&self) -> Result<(AsyncClient, EventLoop), DownReason> {
        let options = self.options;
        let address = &options.address;
        let broker = (address.host.clone(), address.port);
        let mut mqtt = MqttOptions::new(&options.client_id, broker);
        if address.tls {
            let tls = options.tls.clone();
            let config = tokio::task::spawn_blocking(move || tls.client_config()).await;
            let config = config.map_err(|error| DownReason::Tls(error.to_string()))?;
            let config = config.map_err(|error| DownReason::Tls(error.to_string()))?;
            mqtt.set_transport(Transport::tls_with_config(config.into()));
        }
        if let Some((user, password)) = &options.credentials {
            mqtt.set_credentials(user, password.expose().to_owned());
        }
        if let Some(will) = &options.will {
            let (topic, payload) = (&will.topic, will.payload.clone());
            mqtt.set_last_will(LastWill::new(
                topic,
                payload,
                mqtt_qos(will.qos),
                will.retain,
            ));
        }
        let keep_alive = u16::try_from(options.keep_alive.as_secs()).unwrap_or(u16::MAX);
        mqtt.set_keep_alive(keep_alive.max(1))
            .set_clean_session(options.clean_session)
            .set_inflight(options.window.max(1))
            .set_max_packet_size(options.max_packet, options.max_packet)
            .set_max_request_batch(BATCH)
            .set_read_batch_size(BATCH)
            .set_ack_mode(if options.manual_acks {
                AckMode::Manual
            } else {
                AckMode::Automatic
            })
            .set_socket_connector(connect::tcp);
        let (client, mut event_loop) = AsyncClient::builder(mqtt)
            .unbounded()
            .try_build()
            .map_err(|error| DownReason::Protocol(error.to_string()))?;
        let mut network = NetworkOptions::new();
        network.set_connection_timeout(options.connect_timeout.as_secs().max(1));
        event_loop.set_network_options(network);
        Ok((client, event_loop))
    }

    async fn on_packet(&mut self, packet: Packet, client: &AsyncClient) -> Result<(), End> {
        match packet {
            Packet::ConnAck(ack) => {
                if !self.options.subscriptions.is_empty() {
                    let filters = self.options.subscriptions.iter();
                    let filters = filters
                        .map(|(filter, qos)| SubscribeFilter::new(filter.clone(), mqtt_qos(*qos)));
                    client.try_subscribe_many(filters).map_err(|_| {
                        DownReason::Rejected("a subscription is not a topic filter")
                    })?;
                }
                {
                    let mut connection = self.link.lock();
                    connection.number = self.number;
                    connection.client = Some(client.clone());
                }
                self.was_up = true;
                let session_present = ack.session_present;
                self.tell(SessionEvent::Up { session_present }).await
            }
            Packet::SubAck(ack) if ack.return_codes.contains(&SubscribeReasonCode::Failure) => {
                Err(DownReason::Rejected("the broker refuses a subscription").into())
            }
            Packet::PubAck(ack) => {
                let token = {
                    let mut connection = self.link.lock();
                    connection.progress = Some(Instant::now());
                    connection.sent.remove(&ack.pkid)
                };
                match token {
                    Some(token) => self.tell(SessionEvent::Acked(token)).await,
                    None => Ok(()),
                }
            }
            Packet::Publish(publish) => self.on_message(publish).await,
            _ => Ok(()),
        }
    }

    async fn on_message(&self, publish: rumqttc::Publish) -> Result<(), End> {
        let needs_receipt = self.options.manual_acks && publish.qos != QoS::AtMostOnce;
        let receipt = needs_receipt.then_some(Receipt {
            connection: self.number,
            packet: publish.pkid,
        });
        let Ok(topic) = std::str::from_utf8(&publish.topic) else {
            // Nobody can name it, so nobody can want it; acknowledged, or it would block the rest.
            if let Some(receipt) = receipt {
                self.link.acknowledge(receipt);
            }
            return Ok(());
        };
        self.tell(SessionEvent::Message(Incoming {
            topic: topic.to_owned(),
            payload: publish.payload,
            qos: match publish.qos {
                QoS::AtMostOnce => Qos::AtMostOnce,
                _ => Qos::AtLeastOnce,
            },
            retain: publish.retain,
            receipt,
        }))
        .await
    }

    fn on_sent(&self, sent: &Sent) -> Result<(), End> {
        let mut connection = self.link.lock();
        match *sent {
            Sent::Publish(0) => {
                connection.unacked_waiting = connection.unacked_waiting.saturating_sub(1);
            }
            // A colliding publish has its id, too; it goes out when the earlier one is acked, and
            // is told a second time then.
            Sent::Publish(packet) | Sent::AwaitAck(packet) => {
                if !connection.sent.contains_key(&packet)
                    && let Some(token) = connection.waiting.pop_front()
                {
                    connection.sent.insert(packet, token);
                }
            }
            Sent::Disconnect => return Err(End::Over),
            _ => {}
        }
        Ok(())
    }

    async fn tell(&self, event: SessionEvent) -> Result<(), End> {
        let told = Told {
            connection: self.number,
            event,
        };
        self.events.send(told).await.map_err(|_| End::Over)
    }
}

fn mqtt_qos(qos: Qos) -> QoS {
    match qos {
        Qos::AtMostOnce => QoS::AtMostOnce,
        Qos::AtLeastOnce => QoS::AtLeastOnce,
    }
}
