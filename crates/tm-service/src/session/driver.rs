//! The one place that knows the MQTT client: a task that connects, polls, and never reuses a pair.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rumqttc::{
    AckMode, AsyncClient, Event, EventLoop, LastWill, MqttOptions, NetworkOptions,
    Outgoing as Sent, Packet, QoS, SubscribeFilter, SubscribeReasonCode, TlsConfiguration,
    Transport,
};
use sha2::{Digest, Sha256};
use tokio::sync::{mpsc, oneshot};

use super::backoff::Waits;
use super::link::{Link, Told};
use super::tls::Known;
use super::{
    Address, Attempt, DownReason, Incoming, Options, Qos, Receipt, Refusal, SessionEvent, Turn,
    Will, connect,
};
use crate::config::Secret;

/// Requests and packets handled between two flushes.
const BATCH: usize = 256;
/// Some brokers close the connection instead of refusing a subscription: after so many connections that ended so,
/// one is made without it, where it is not needed.
const REFUSALS: u32 = 3;
/// Attempts in a row at one broker before the other one has its turn.
const TURN: u32 = 2;
/// So long a second best connection serves before a better one is tried again: a handshake costs some 6 KB.
const RETURN: Duration = Duration::from_hours(6);

/// Connects for ever; ends only when the owner is gone or has said DISCONNECT.
pub(super) async fn drive(options: Options, link: Arc<Link>, events: mpsc::Sender<Told>) {
    let mut waits = Waits::new(options.back_off);
    let mut told = None;
    let mut n_refused = 0;
    // Attempts since a connection held.
    let mut n_failed = 0;
    let mut tls = None;
    loop {
        let fallback = options.fallback.as_ref();
        let second = fallback.filter(|_| n_failed % (2 * TURN) >= TURN);
        let address = second.unwrap_or(&options.address);
        let will = match will(&options, address, &events).await {
            Ok(will) => will,
            Err(NoWill::GivenUp) => {
                tokio::time::sleep(waits.next_wait()).await;
                continue;
            }
            Err(NoWill::NoOwner) => return,
        };
        let mut driver = Driver {
            options: &options,
            address,
            will,
            tls: &mut tls,
            link: &link,
            events: &events,
            number: link.lock().number() + 1,
            login: None,
            up: None,
            subscribes: options.needs_subscriptions || n_refused < REFUSALS,
            subscribing: None,
        };
        let end = driver.connection().await;
        let was_up = driver.up.is_some();
        let was_settled = driver.has_held(options.back_off.settled);
        n_refused = match driver.subscribing {
            Some(_) => n_refused + 1,
            // Once more with the next connection: it may have been the link.
            None if was_up && !driver.subscribes => REFUSALS - 1,
            None => 0,
        };
        let left_for = link.lock().left_for();
        link.lock().end(driver.number);
        let reason = match end {
            End::Down(reason) => reason,
            End::Over => return,
        };
        n_failed = match left_for {
            Some(turn) if (turn == Turn::Same) == second.is_some() => TURN,
            _ if was_up => 0,
            _ => n_failed + 1,
        };
        // A link that breaks is tried again at once; a broker that throws us out is not.
        if was_up && (was_settled || reason != DownReason::Closed) {
            waits.reset();
        }
        if was_up {
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

/// Why there is no connection to be made.
enum NoWill {
    /// The owner does not want this one.
    GivenUp,
    /// There is no owner any more.
    NoOwner,
}

/// The will of the next connection: the one of the options, or what the owner says.
async fn will(
    options: &Options,
    address: &Address,
    events: &mpsc::Sender<Told>,
) -> Result<Option<Will>, NoWill> {
    if !options.asks_for_will {
        return Ok(options.will.clone());
    }
    let (sender, will) = oneshot::channel();
    let attempt = Attempt {
        address: address.clone(),
        will: sender,
    };
    let told = Told {
        connection: 0,
        event: SessionEvent::Connects(attempt),
    };
    events.send(told).await.map_err(|_| NoWill::NoOwner)?;
    will.await.map(Some).map_err(|_| NoWill::GivenUp)
}

/// One connection, from the first packet to the last.
struct Driver<'a> {
    options: &'a Options,
    address: &'a Address,
    will: Option<Will>,
    tls: &'a mut Option<Known>,
    link: &'a Link,
    events: &'a mpsc::Sender<Told>,
    number: u64,
    /// What the broker was told.
    login: Option<(String, Secret)>,
    /// Since when it stands.
    up: Option<Instant>,
    /// Whether the subscriptions are asked for.
    subscribes: bool,
    subscribing: Option<Subscribing>,
}

/// A connection whose subscriptions the broker has not confirmed yet.
///
/// It may send what matches them before it confirms; the owner hears of that after `Up`.
struct Subscribing {
    since: Instant,
    held: Vec<SessionEvent>,
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
            let is_second_best = self.address != &self.options.address || !self.subscribes;
            if is_second_best && self.has_held(RETURN) {
                return Err(DownReason::Returning.into());
            }
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
            let subscribing = self.subscribing.as_ref();
            let unconfirmed = subscribing.map_or(Duration::ZERO, |it| it.since.elapsed());
            if self.link.lock().owed_for().max(unconfirmed) >= patience {
                return Err(DownReason::Timeout.into());
            }
        }
    }

    /// Whether it stood for so long.
    fn has_held(&self, time: Duration) -> bool {
        self.up.is_some_and(|since| since.elapsed() >= time)
    }

    async fn pair(&mut self) -> Result<(AsyncClient, EventLoop), DownReason> {
        let options = self.options;
        let address = self.address;
        let broker = (address.host.clone(), address.port);
        self.login = self.credentials().await;
        let wire = options.wire.clone();
        let mut mqtt = MqttOptions::new(self.client_id(), broker);
        if address.tls {
            let (tls, known) = (options.tls.clone(), self.tls.take());
            let known = tokio::task::spawn_blocking(move || tls.config_again(known)).await;
            let known = known.map_err(|error| DownReason::Tls(error.to_string()))?;
            let known = known.map_err(|error| DownReason::Tls(error.to_string()))?;
            let config = TlsConfiguration::Rustls(known.1.clone());
            *self.tls = Some(known);
            mqtt.set_transport(Transport::tls_with_config(config));
        }
        if let Some((user, password)) = &self.login {
            mqtt.set_credentials(user, password.expose().to_owned());
        }
        if let Some(will) = &self.will {
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
            .set_socket_connector(move |address, _| {
                let wire = wire.clone();
                async move { Ok(wire.count(connect::tcp(address).await?)) }
            });
        let (client, mut event_loop) = AsyncClient::builder(mqtt)
            .unbounded()
            .try_build()
            .map_err(|error| DownReason::Protocol(error.to_string()))?;
        let mut network = NetworkOptions::new();
        network.set_connection_timeout(options.connect_timeout.as_secs().max(1));
        event_loop.set_network_options(network);
        Ok((client, event_loop))
    }

    /// With a login from the file, the id has a part that nobody can guess.
    ///
    /// Mosquitto binds no id to a user: an anonymous client that takes the id of ours throws it out, gets
    /// what waits for it, and has its will published.
    fn client_id(&self) -> String {
        let id = &self.options.client_id;
        match &self.login {
            Some((_, password)) if self.options.credentials.is_none() => {
                let digest = Sha256::digest(password.expose());
                format!(
                    "{id}-{:02x}{:02x}{:02x}{:02x}",
                    digest[0], digest[1], digest[2], digest[3]
                )
            }
            _ => id.clone(),
        }
    }

    async fn credentials(&self) -> Option<(String, Secret)> {
        if let Some((user, password)) = &self.options.credentials {
            let renewed = match &self.options.password_file {
                Some(path) => tokio::fs::read_to_string(path).await.ok(),
                None => None,
            };
            let renewed = renewed.and_then(|content| Some(Secret::new(content.lines().next()?)));
            return Some((user.clone(), renewed.unwrap_or_else(|| password.clone())));
        }
        let path = self.options.credentials_file.as_ref()?;
        let content = tokio::fs::read_to_string(path).await.ok()?;
        let (user, password) = content.lines().next()?.split_once(':')?;
        Some((user.to_owned(), Secret::new(password)))
    }

    async fn on_packet(&mut self, packet: Packet, client: &AsyncClient) -> Result<(), End> {
        match packet {
            Packet::ConnAck(ack) => {
                // Connecting takes its time: at a first start the broker makes the credentials
                // meanwhile, and would keep us for an anonymous client as long as it lives.
                if self.credentials().await != self.login {
                    return Err(DownReason::from(Refusal::CredentialsChanged).into());
                }
                let subscribes = self.subscribes && !self.options.subscriptions.is_empty();
                if subscribes {
                    let filters = self.options.subscriptions.iter();
                    let filters = filters
                        .map(|(filter, qos)| SubscribeFilter::new(filter.clone(), mqtt_qos(*qos)));
                    client
                        .try_subscribe_many(filters)
                        .map_err(|_| DownReason::from(Refusal::BadFilter))?;
                }
                self.link.lock().begin(self.number, client.clone());
                if subscribes {
                    self.link.lock().subscribes();
                }
                // In a session that the broker kept, the subscriptions stand already.
                if ack.session_present || !subscribes {
                    return self.up(ack.session_present, self.subscribes).await;
                }
                self.subscribing = Some(Subscribing {
                    since: Instant::now(),
                    held: Vec::new(),
                });
                Ok(())
            }
            Packet::SubAck(ack) => {
                let question = self.link.lock().on_answered(ack.pkid);
                if let Some(token) = question {
                    return self.tell(SessionEvent::Acked(token)).await;
                }
                let is_refused = ack.return_codes.contains(&SubscribeReasonCode::Failure);
                if is_refused && self.options.needs_subscriptions {
                    return Err(DownReason::from(Refusal::Subscription).into());
                }
                let Some(subscribing) = self.subscribing.take() else {
                    return Ok(());
                };
                self.up(false, !is_refused).await?;
                for event in subscribing.held {
                    self.tell(event).await?;
                }
                Ok(())
            }
            Packet::PubAck(ack) => {
                let token = self.link.lock().on_acked(ack.pkid);
                match token {
                    Some(token) => self.tell(SessionEvent::Acked(token)).await,
                    None => Ok(()),
                }
            }
            Packet::Publish(publish) => self.on_message(publish).await,
            _ => Ok(()),
        }
    }

    async fn up(&mut self, session_present: bool, is_subscribed: bool) -> Result<(), End> {
        self.up = Some(Instant::now());
        self.link.lock().up();
        self.tell(SessionEvent::Up {
            session_present,
            is_subscribed,
            address: self.address.clone(),
        })
        .await
    }

    async fn on_message(&mut self, publish: rumqttc::Publish) -> Result<(), End> {
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
        let message = SessionEvent::Message(Incoming {
            topic: topic.to_owned(),
            payload: publish.payload,
            qos: match publish.qos {
                QoS::AtMostOnce => Qos::AtMostOnce,
                _ => Qos::AtLeastOnce,
            },
            retain: publish.retain,
            receipt,
        });
        if let Some(subscribing) = &mut self.subscribing {
            subscribing.held.push(message);
            return Ok(());
        }
        self.tell(message).await
    }

    fn on_sent(&self, sent: &Sent) -> Result<(), End> {
        match *sent {
            // A colliding publish has its id, too; it goes out when the earlier one is acked, and
            // is told a second time then.
            Sent::Publish(packet) | Sent::AwaitAck(packet) => {
                self.link.lock().on_sent(packet);
                Ok(())
            }
            Sent::PubAck(_) => {
                self.link.lock().on_ack_sent();
                Ok(())
            }
            Sent::Subscribe(packet) => {
                self.link.lock().on_asked(packet);
                Ok(())
            }
            Sent::Disconnect if self.link.lock().left_for().is_some() => {
                Err(DownReason::Returning.into())
            }
            Sent::Disconnect => Err(End::Over),
            _ => Ok(()),
        }
    }

    async fn tell(&self, event: SessionEvent) -> Result<(), End> {
        let told = Told {
            connection: self.number,
            event,
        };
        self.events.send(told).await.map_err(|_| End::Over)
    }
}

pub(super) fn mqtt_qos(qos: Qos) -> QoS {
    match qos {
        Qos::AtMostOnce => QoS::AtMostOnce,
        Qos::AtLeastOnce => QoS::AtLeastOnce,
    }
}
