//! The connection to the cloud broker: how it is made, and how it stands.

use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use tm_service::Host;
use tm_service::config::Secret;
use tm_service::session::{
    Address, BadAddress, DownReason, NotTaken, Options, Outgoing, Pem, Qos, Session, SessionEvent,
    TlsOptions, Token, Turn, Will, Wire,
};
use tm_types::{Cause, HealthStatus, LinkStatus, Timestamp, WireState, code};

use crate::config::{Config, Payload};
use crate::downlink::Kind;
use crate::flapping::{Flapping, SETTLED};
use crate::outlet::DICTIONARY;
use crate::schedule::BodyPart;
use crate::sparkplug::Edge;

/// Messages that may be unacknowledged at once. At 16 KiB each it fills a path of 60 ms and 70 Mbit/s.
pub(crate) const WINDOW: usize = 32;
/// The same where a record is a message for each point. Some brokers allow a hundred.
const WINDOW_PARTS: u16 = 80;
/// Messages of the edge node that may wait for the wire: those of a whole window, each record its own.
const QUEUE: usize = 32 * 1024;
/// Bytes of them: batches in columns fill the window first, readable polls of 128 KiB this.
pub(crate) const WINDOW_BYTES: usize = 768 * 1024;
/// Beside the journals' messages, a state and a health message may be under way.
const WINDOW_EXTRA: u16 = 8;
/// Without a PUBACK for that long while one is due, the connection is dead (design §7).
pub(crate) const STALLED_AFTER: Duration = Duration::from_secs(30);
/// The largest message: a poll of 128 KiB whose defaults are all spelled out.
const MAX_PACKET: usize = 2 * 1024 * 1024;
/// Deadline for name, TCP, TLS and CONNACK: a link that has just registered takes its time.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// The session's own watch over acknowledgements stays behind ours, which knows the code for it.
const SESSION_PATIENCE: Duration = Duration::from_secs(90);

/// What a topic can be about.
const CLASSES: [&str; 8] = [
    "data",
    "event",
    "alarm",
    "res",
    "state",
    "health",
    COMMANDS,
    CONFIGURATIONS,
];
/// What comes down to the device.
const COMMANDS: &str = "cmd";
const CONFIGURATIONS: &str = "cfg";

/// How the link stands, as it is told.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Link {
    pub(crate) status: LinkStatus,
    pub(crate) cause: Cause,
    /// Host and port, without credentials.
    pub(crate) broker: Option<String>,
    /// When the connection last came up or went down.
    pub(crate) since: Option<Timestamp>,
}

/// The cloud side.
pub(crate) struct Cloud {
    options: Option<Options>,
    session: Option<Session>,
    pub(crate) link: Link,
    pub(crate) flapping: Flapping,
    topics: [(&'static str, String); CLASSES.len()],
}

impl Cloud {
    /// Starts connecting, if there is something to connect to.
    pub(crate) fn open(config: &Config, host: &Host, edge: Option<&Edge>) -> Self {
        let topics = CLASSES.map(|class| (class, config.topic.topic(&host.device, class)));
        let (options, link) = match addresses(config) {
            Ok(None) => (
                None,
                Link::idle(
                    LinkStatus::NotConfigured,
                    code::UPLINK_NOT_CONFIGURED.plain(),
                ),
            ),
            Err(error) => (None, Link::idle(LinkStatus::Failed, bad_url(&error))),
            Ok(Some((address, fallback))) => {
                let broker = broker_name(&address);
                let cause = code::UPLINK_CONNECTING.with("broker", &broker);
                let link = Link {
                    broker: Some(broker),
                    ..Link::idle(LinkStatus::Connecting, cause)
                };
                let mut options = options(config, host, address);
                options.fallback = fallback;
                if let Some(edge) = edge {
                    for_edge(&mut options, edge);
                }
                (Some(options), link)
            }
        };
        let session = options.clone().map(Session::open);
        Self {
            options,
            session,
            link,
            flapping: Flapping::default(),
            topics,
        }
    }

    /// What went over the wire, over all connections.
    pub(crate) fn wire(&self) -> WireState {
        let Some(wire) = self.options.as_ref().map(|options| &options.wire) else {
            return WireState::default();
        };
        WireState {
            sent_bytes: wire.sent(),
            received_bytes: wire.received(),
            connections: wire.connections(),
        }
    }

    /// Where what goes over the wire is counted, over all connections.
    pub(crate) fn counter(&self) -> Wire {
        let wire = self.options.as_ref().map(|options| &options.wire);
        wire.cloned().unwrap_or_default()
    }

    /// Whether the connection stands.
    pub(crate) fn is_up(&self) -> bool {
        self.link.status == LinkStatus::Connected
    }

    /// The next event; never one without a broker. Dropping the future loses nothing.
    pub(crate) async fn next(&mut self) -> SessionEvent {
        match &mut self.session {
            Some(session) => session.next().await,
            None => std::future::pending().await,
        }
    }

    /// An event that is already there.
    pub(crate) fn try_next(&mut self) -> Option<SessionEvent> {
        self.session.as_mut()?.try_next()
    }

    /// Hands a message to the session; gives back whether it can never be sent.
    ///
    /// One that is refused for want of a connection is lost with it: the `Down` is on its way.
    pub(crate) fn send(&self, token: Token, class: &str, payload: Bytes) -> bool {
        // A dictionary goes ahead of the batches that lean on it, by the same topic: so nothing comes between.
        let (class, retain) = match class {
            DICTIONARY => ("data", true),
            other => (other, other == "health"),
        };
        self.feed(Outgoing {
            token,
            topic: self.topic(class).to_owned(),
            payload,
            qos: Qos::AtLeastOnce,
            retain,
        })
    }

    /// Whether there is room for another part of a message.
    pub(crate) fn has_room(&self) -> bool {
        let session = self.session.as_ref();
        session.is_some_and(|session| session.room() > usize::from(WINDOW_EXTRA))
    }

    /// Hands over a part of a message; gives back whether it can never be sent.
    pub(crate) fn send_part(&self, token: Token, class: &str, part: BodyPart) -> bool {
        self.feed(Outgoing {
            token,
            topic: format!("{}/{}", self.topic(class), part.below),
            payload: part.payload,
            qos: Qos::AtLeastOnce,
            retain: false,
        })
    }

    /// Hands over a message of the edge node.
    pub(crate) fn publish(&self, token: Token, message: tm_sparkplug::Message) {
        let topic = message.topic.to_string();
        let is_unsendable = self.feed(Outgoing {
            token,
            qos: qos(message.qos),
            retain: message.retain,
            payload: message.payload.into(),
            topic,
        });
        if is_unsendable {
            // A host misses its number, and asks for a birth.
            tracing::error!(topic = %message.topic, "a message is too large to be sent");
        }
    }

    /// Asks the broker something, behind everything that was handed over.
    pub(crate) fn ask(&self, token: Token) {
        if let Some(session) = &self.session {
            // Where there is no connection any more, its end is on its way.
            let _ = session.ask(token);
        }
    }

    /// Leaves the broker in good order, and connects again.
    pub(crate) fn leave(&self, turn: Turn) {
        if let Some(session) = &self.session {
            session.leave(turn);
        }
    }

    /// Takes the session away, to be closed by who takes it.
    pub(crate) fn take_session(&mut self) -> Option<Session> {
        self.session.take()
    }

    /// Which of the brokers that is: 0 the first, 1 the other.
    pub(crate) fn server(&self, address: &Address) -> u32 {
        let first = self.options.as_ref().map(|options| &options.address);
        u32::from(first != Some(address))
    }

    fn feed(&self, message: Outgoing) -> bool {
        let Some(session) = &self.session else {
            return false;
        };
        match session.feed(message) {
            Ok(()) | Err(NotTaken::Down(_)) => false,
            Err(NotTaken::Full(_)) => {
                tracing::error!("the session's window is smaller than the scheduler's");
                false
            }
            Err(NotTaken::Unsendable(_)) => true,
        }
    }

    /// What a message from the cloud is about, by its topic.
    pub(crate) fn kind(&self, topic: &str) -> Option<Kind> {
        if topic == self.topic(COMMANDS) {
            Some(Kind::Command)
        } else if topic == self.topic(CONFIGURATIONS) {
            Some(Kind::Configuration)
        } else {
            None
        }
    }

    fn topic(&self, class: &str) -> &str {
        let (_, topic) = self
            .topics
            .iter()
            .find(|(known, _)| *known == class)
            .expect("every class has its topic");
        topic
    }

    /// Says to the cloud how the uplink is; retained.
    pub(crate) fn say_health(
        &self,
        token: Token,
        host: &Host,
        status: HealthStatus,
        reasons: &[Cause],
    ) {
        let payload = health(host, status, reasons);
        if self.is_up() {
            self.send(token, "health", payload);
        }
    }

    /// Notes that the connection with that broker stands, `mono` since boot.
    pub(crate) fn came_up(&mut self, address: &Address, now: Timestamp, mono: Duration) {
        self.flapping.came_up(mono);
        let broker = broker_name(address);
        self.link.broker = Some(broker.clone());
        self.link.status = LinkStatus::Connected;
        self.link.cause = code::UPLINK_CONNECTED.with("broker", broker);
        self.link.since = Some(now);
    }

    /// Notes that the connection is lost or cannot be made.
    pub(crate) fn went_down(&mut self, reason: &DownReason, now: Timestamp, mono: Duration) {
        self.flapping.went_down(*reason == DownReason::Closed, mono);
        let broker = self.link.broker.clone().unwrap_or_default();
        self.fail(reason.cause_for_uplink(&broker), now);
    }

    /// Notes that something other than the connection is waited for.
    pub(crate) fn waits(&mut self, status: LinkStatus, cause: Cause) {
        self.link.status = status;
        self.link.cause = cause;
    }

    /// Why the connection does not last, if that is so.
    pub(crate) fn trouble(&self) -> Option<Cause> {
        let code = self.flapping.suspicion()?;
        let client_id = self
            .options
            .as_ref()
            .map(|options| options.client_id.as_str());
        let broker = self.link.broker.as_deref().unwrap_or_default();
        let cause = code.with("broker", broker);
        Some(cause.and("client_id", client_id.unwrap_or_default()))
    }

    /// Gives up a connection on which nothing is acknowledged, and makes another.
    pub(crate) fn restart_stalled(&mut self, now: Timestamp) {
        let broker = self.link.broker.clone().unwrap_or_default();
        let cause = code::UPLINK_STALLED.with("broker", broker);
        self.restart(cause.and("seconds", STALLED_AFTER.as_secs()), now);
    }

    /// Gives up a connection for this reason, and makes another.
    pub(crate) fn restart(&mut self, cause: Cause, now: Timestamp) {
        self.fail(cause, now);
        // The old one first: two connections under one client id throw each other out.
        self.session = None;
        self.session = self.options.clone().map(Session::open);
    }

    fn fail(&mut self, cause: Cause, now: Timestamp) {
        if self.link.status != LinkStatus::Failed {
            self.link.since = Some(now);
        }
        self.link.status = LinkStatus::Failed;
        self.link.cause = cause;
    }
}

impl Link {
    fn idle(status: LinkStatus, cause: Cause) -> Self {
        Self {
            status,
            cause,
            broker: None,
            since: None,
        }
    }
}

/// The brokers, if there are any.
pub(crate) fn addresses(config: &Config) -> Result<Option<(Address, Option<Address>)>, BadAddress> {
    let parse = |url: &Option<String>| url.as_deref().map(str::parse::<Address>).transpose();
    let (first, fallback) = (parse(&config.url)?, parse(&config.fallback_url)?);
    Ok(first.map(|first| (first, fallback)))
}

fn options(config: &Config, host: &Host, address: Address) -> Options {
    let client_id = config
        .client_id
        .clone()
        .unwrap_or_else(|| format!("tm-{}", host.device.id));
    let user = config.user.clone();
    let mut options = Options::new(client_id, address);
    options.credentials = user.map(|user| {
        (
            user,
            config.password.clone().unwrap_or_else(|| Secret::new("")),
        )
    });
    options.password_file = config.password_file.as_ref().map(PathBuf::from);
    // What is unacknowledged lies in the journal, and a command that nobody answered is asked again: the broker need
    // not remember us.
    options.clean_session = true;
    if config.commands {
        let topic = |class| config.topic.topic(&host.device, class);
        options.subscriptions = [COMMANDS, CONFIGURATIONS]
            .map(|class| (topic(class), Qos::AtLeastOnce))
            .to_vec();
        // Measurements are worth a connection without commands.
        options.needs_subscriptions = false;
    }
    options.keep_alive = Duration::from_secs(config.keep_alive_s.into());
    options.connect_timeout = CONNECT_TIMEOUT;
    options.ack_timeout = SESSION_PATIENCE;
    options.will = Some(Will {
        topic: config.topic.topic(&host.device, "health"),
        payload: health(
            host,
            HealthStatus::Down,
            &[code::SERVICE_CONNECTION_LOST.plain()],
        ),
        qos: Qos::AtLeastOnce,
        retain: true,
    });
    options.max_packet = MAX_PACKET;
    let window = match config.payload {
        Payload::Series => WINDOW_PARTS,
        _ => u16::try_from(WINDOW).unwrap_or(u16::MAX),
    };
    options.window = window.saturating_add(WINDOW_EXTRA);
    let pem =
        |text: &Option<Secret>, file: &Option<String>| Pem::of(text.as_ref(), file.as_deref());
    options.tls = TlsOptions {
        ca: pem(&config.ca, &config.ca_file),
        client_certificate: pem(&config.client_certificate, &config.client_certificate_file),
        client_key: pem(&config.client_key, &config.client_key_file),
        alpn: config.alpn.clone(),
    };
    options.back_off.settled = SETTLED;
    options
}

/// What the edge node asks of its connections: a will of its own for each, and its subscriptions, which all must stand.
fn for_edge(options: &mut Options, edge: &Edge) {
    options.will = None;
    options.asks_for_will = true;
    options.queue = QUEUE;
    options.needs_subscriptions = true;
    let own = edge.subscriptions().into_iter();
    let own = own.map(|own| (own.topic.to_string(), qos(own.qos)));
    let others = std::mem::take(&mut options.subscriptions);
    options.subscriptions = own.chain(others).collect();
}

/// The delivery, as the session has it.
pub(crate) fn qos(qos: tm_sparkplug::Qos) -> Qos {
    match qos {
        tm_sparkplug::Qos::AtMostOnce => Qos::AtMostOnce,
        tm_sparkplug::Qos::AtLeastOnce => Qos::AtLeastOnce,
    }
}

/// The retained message on the class `health`, and the last will.
#[derive(Serialize)]
struct CloudHealth<'a> {
    device: &'a str,
    class: &'static str,
    status: HealthStatus,
    reasons: &'a [Cause],
    version: &'a str,
    time: Timestamp,
}

fn health(host: &Host, status: HealthStatus, reasons: &[Cause]) -> Bytes {
    let health = CloudHealth {
        device: &host.device.id,
        class: "health",
        status,
        reasons,
        version: host.version,
        time: host.clock.stamp().time,
    };
    serde_json::to_vec(&health)
        .expect("health has only string keys")
        .into()
}

fn bad_url(error: &BadAddress) -> Cause {
    code::UPLINK_BAD_URL.with("detail", error)
}

/// Host and port for people.
fn broker_name(address: &Address) -> String {
    if address.host.contains(':') {
        format!("[{}]:{}", address.host, address.port)
    } else {
        format!("{}:{}", address.host, address.port)
    }
}
