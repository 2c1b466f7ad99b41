//! The edge node on its connection: what it says is carried out, what happens is told to it.

use std::collections::VecDeque;
use std::time::Duration;

use tm_service::Host;
use tm_service::session::{Attempt, Incoming, Turn, Will};
use tm_sparkplug::{Event as EdgeEvent, Message, Next, Qos};
use tm_types::{Clock, HealthStatus, LinkStatus, Poll, Source, Stamp, Timestamp, code};

use super::{Uplink, token};
use crate::cloud;
use crate::config::{Config, Payload};
use crate::schedule::{Event, Polled};
use crate::sparkplug::{Edge, Order, node_config};

/// The file that keeps the number of the next connection.
const BD_SEQ: &str = "sparkplug";
/// How long the good-bye may take; without it the broker publishes the will, which says the same.
const FAREWELL: Duration = Duration::from_secs(2);

/// What speaks Sparkplug, and how far what it says is carried out.
pub(super) struct Speaker {
    edge: Edge,
    /// What it has said and is not done; carried out one after the other, whatever follows from each.
    orders: VecDeque<Order>,
    is_carrying_out: bool,
    /// A connection that waits for it.
    attempt: Option<Attempt>,
    /// Connections of the link when the last one was begun.
    connections: u64,
    /// What is on flash as the number of the next connection.
    kept_bd_seq: Option<u8>,
    /// Bytes published since the last answer.
    published: u64,
}

impl Speaker {
    /// An edge node that is not connected, if that is how measurements are sent.
    pub(super) fn new(config: &Config, host: &Host) -> Option<Box<Self>> {
        if config.payload != Payload::Sparkplug {
            return None;
        }
        let servers = match cloud::addresses(config) {
            Ok(Some((_, Some(_)))) => 2,
            _ => 1,
        };
        let next = host.store.load(BD_SEQ).unwrap_or(0);
        Some(Box::new(Self {
            edge: Edge::new(node_config(config, host, servers), next),
            orders: VecDeque::new(),
            is_carrying_out: false,
            attempt: None,
            connections: 0,
            kept_bd_seq: None,
            published: 0,
        }))
    }

    pub(super) fn edge(&self) -> &Edge {
        &self.edge
    }
}

impl Uplink<'_> {
    /// Makes the connection that waits, and lets the edge node look at the clock.
    pub(super) fn check_edge(&mut self, now: Duration) {
        if self.edge.is_none() {
            return;
        }
        self.make_attempt();
        let deadline = self.edge.as_ref().and_then(|node| node.edge.deadline());
        if deadline.is_some_and(|at| now >= at) {
            self.drive(EdgeEvent::Tick);
        }
        if now >= self.report_at && self.is_waiting_for_host() {
            self.wait_for_host(LinkStatus::Failed);
        }
    }

    /// Makes the connection that waits, unless nobody knows what time it is: a birth of 1970 cannot be taken back.
    fn make_attempt(&mut self) {
        let now = self.present();
        let Some(node) = &mut self.edge else {
            return;
        };
        let cause = code::UPLINK_WAITS_FOR_CLOCK.plain();
        let waits_already = self.cloud.link.cause == cause;
        if node.attempt.is_some() && is_unset(&now) {
            if !waits_already {
                tracing::warn!("no connection to the cloud broker before the clock is set");
                self.cloud.waits(LinkStatus::Failed, cause);
                self.say_health();
                self.say_state();
            }
            return;
        }
        let Some(attempt) = node.attempt.take() else {
            return;
        };
        let connections = self.cloud.wire().connections;
        let was_connect_sent = connections != node.connections;
        node.connections = connections;
        let server = self.cloud.server(&attempt.address);
        let connect = node.edge.begin(server, was_connect_sent, &now);
        let next = connect.next_bd_seq;
        let is_kept = node.kept_bd_seq.replace(next) == Some(next);
        let will = Will {
            topic: connect.will.topic.to_string(),
            payload: connect.will.payload.into(),
            qos: cloud::qos(connect.will.qos),
            retain: connect.will.retain,
        };
        if waits_already {
            let broker = self.cloud.link.broker.clone().unwrap_or_default();
            let cause = code::UPLINK_CONNECTING.with("broker", broker);
            self.cloud.waits(LinkStatus::Connecting, cause);
            self.say_health();
        }
        if is_kept {
            return attempt.with(will);
        }
        let store = self.host.store.clone();
        tokio::task::spawn_blocking(move || {
            // A disk that is bad is told by others; the number lives on in memory.
            if let Err(error) = store.save_now(BD_SEQ, &next) {
                tracing::debug!(%error, "the number of the next connection is not kept");
            }
            attempt.with(will);
        });
    }

    /// A connection can be made; only an edge node is asked before.
    pub(super) fn edge_connects(&mut self, attempt: Attempt) {
        if let Some(node) = &mut self.edge {
            node.attempt = Some(attempt);
        }
    }

    pub(super) fn edge_is_connected(&mut self) {
        self.drive(EdgeEvent::Connected);
        if self.is_waiting_for_host() {
            self.wait_for_host(LinkStatus::Connecting);
        }
    }

    pub(super) fn edge_is_gone(&mut self) {
        let now = self.present();
        let Some(node) = &mut self.edge else {
            return;
        };
        // The last attempt got as far as CONNECT at the most where there was a connection of the link.
        let connect_was_sent = self.cloud.wire().connections != node.connections;
        let gone = EdgeEvent::Disconnected { connect_was_sent };
        // Nothing is sent any more; what was on its way is read again.
        node.edge.on(gone, &now, &mut Vec::new());
        node.published = 0;
    }

    pub(super) fn edge_is_answered(&mut self, fence: u64) {
        self.cloud.flapping.acked();
        if let Some(node) = &mut self.edge {
            self.bytes_acked += std::mem::take(&mut node.published);
        }
        self.drive(EdgeEvent::Fenced(fence));
    }

    pub(super) fn edge_sends(&mut self, ticket: u64, is_backlog: bool, polls: Vec<Polled>) {
        // Their bytes are counted as they are published.
        if let Some(sent) = self.in_flight.get_mut(&ticket) {
            sent.bytes = 0;
        }
        let now = self.present();
        let Some(node) = &mut self.edge else {
            return;
        };
        let mut orders = Vec::new();
        node.edge.send(ticket, is_backlog, polls, &now, &mut orders);
        self.carry_out(orders);
    }

    pub(super) fn edge_remembers(&mut self, source: &Source, poll: &Poll) {
        let now = self.present();
        if let Some(node) = &mut self.edge {
            node.edge.remember(source, poll, &now);
        }
    }

    /// A service tells how it is, or the broker that it is gone: with it its device lives and dies.
    pub(super) fn edge_hears_of(&mut self, service: &str, health: &[u8]) {
        /// Of a health, what counts here.
        #[derive(serde::Deserialize)]
        struct Status {
            status: HealthStatus,
        }
        let now = self.present();
        let Some(node) = &mut self.edge else {
            return;
        };
        // One that was cleared, or that nobody can read, says nothing of the source.
        let Ok(Status { status }) = serde_json::from_slice(health) else {
            return;
        };
        let Ok(source) = Source::new(service) else {
            return;
        };
        let mut orders = Vec::new();
        let is_lost = status == HealthStatus::Down;
        node.edge.hears_of(source, is_lost, &now, &mut orders);
        self.carry_out(orders);
    }

    /// Whether a message is the edge node's business.
    pub(super) fn is_for_edge(&self, message: &Incoming) -> bool {
        self.edge.is_some() && Edge::is_addressed(&message.topic)
    }

    pub(super) fn edge_hears(&mut self, message: &Incoming) {
        // The state of a host is kept by the broker, a command must not be: it would come again with each question.
        if message.retain && !Edge::is_state(&message.topic) {
            tracing::debug!(topic = message.topic, "a retained command does not count");
            return;
        }
        self.drive(EdgeEvent::Message {
            topic: &message.topic,
            payload: &message.payload,
        });
    }

    /// Tells the edge node of an event, and does what it says.
    fn drive(&mut self, event: EdgeEvent<'_>) {
        let now = self.present();
        let Some(node) = &mut self.edge else {
            return;
        };
        let was_born = node.edge.is_born();
        let mut orders = Vec::new();
        node.edge.on(event, &now, &mut orders);
        let is_born = node.edge.is_born();
        self.carry_out(orders);
        if is_born && !was_born {
            let broker = self.cloud.link.broker.clone().unwrap_or_default();
            let cause = code::UPLINK_CONNECTED.with("broker", broker);
            self.cloud.waits(LinkStatus::Connected, cause);
            self.cloud_stands();
        }
    }

    /// Carries out orders behind those that are not done: what follows from one must not overtake the others.
    fn carry_out(&mut self, orders: Vec<Order>) {
        let Some(node) = &mut self.edge else {
            return;
        };
        node.orders.extend(orders);
        if std::mem::replace(&mut node.is_carrying_out, true) {
            return;
        }
        while let Some(order) = self.next_order() {
            self.obey_edge(order);
        }
    }

    /// The next order, if there is one; without any the carrying out is over.
    fn next_order(&mut self) -> Option<Order> {
        let node = self.edge.as_mut()?;
        let order = node.orders.pop_front();
        node.is_carrying_out = order.is_some();
        order
    }

    fn obey_edge(&mut self, order: Order) {
        match order {
            Order::Publish(message) => self.publish(message),
            Order::Ask(fence) => self.cloud.ask(token::fence(fence)),
            Order::Read(ticket) => self.schedule(Event::Read { ticket }),
            Order::Acked(ticket) => self.ticket_acked(ticket),
            Order::Leave(Next::SameServer) => self.leave(Turn::Same),
            Order::Leave(Next::OtherServer) => self.leave(Turn::Other),
            // The session is closed by who stops.
            Order::Leave(Next::Nothing) => {}
        }
    }

    fn publish(&mut self, message: Message) {
        if let Some(node) = &mut self.edge {
            node.published += message.payload.len() as u64;
        }
        let token = match message.qos {
            // Nobody hears of those again.
            Qos::AtMostOnce => 0,
            Qos::AtLeastOnce => token::DEATH,
        };
        self.cloud.publish(token, message);
    }

    fn leave(&mut self, turn: Turn) {
        tracing::info!("the primary host is away");
        self.cloud.leave(turn);
        self.wait_for_host(LinkStatus::Failed);
        self.lose_cloud();
    }

    fn is_waiting_for_host(&self) -> bool {
        let node = self.edge.as_ref();
        node.is_some_and(|node| node.edge.is_waiting_for_host())
    }

    fn wait_for_host(&mut self, status: LinkStatus) {
        let host = self.config.sparkplug_host.as_ref();
        let host = host.map(ToString::to_string).unwrap_or_default();
        let cause = code::UPLINK_WAITS_FOR_HOST.with("host", host);
        if (self.cloud.link.status, &self.cloud.link.cause) != (status, &cause) {
            self.cloud.waits(status, cause);
            self.say_health();
            self.say_state();
        }
    }
}

/// Whether nobody has ever set that clock: a kernel that starts without one shows 1970 or the day it was built.
fn is_unset(stamp: &Stamp) -> bool {
    stamp.clock == Clock::None || stamp.time < Timestamp::FLOOR
}

impl Drop for Uplink<'_> {
    /// An edge node says that it goes; the connection ends in the background.
    fn drop(&mut self) {
        let now = self.present();
        let Some(node) = &mut self.edge else {
            return;
        };
        let mut orders = Vec::new();
        node.edge.on(EdgeEvent::Stop, &now, &mut orders);
        for order in orders {
            if let Order::Publish(message) = order {
                self.publish(message);
            }
        }
        if let Some(session) = self.cloud.take_session()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn(session.close(FAREWELL));
        }
    }
}
