//! What goes into an edge node, and what comes out.

use std::sync::Arc;

use tm_types::{Poll, Source};

/// How surely a message is delivered, as MQTT has it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Qos {
    /// 0: not acknowledged. Births and data, by the specification.
    AtMostOnce,
    /// 1: acknowledged. Node deaths and subscriptions.
    AtLeastOnce,
}

/// A message for the server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Message {
    /// Where it goes.
    pub topic: Arc<str>,
    /// The bytes of a [`Payload`](crate::Payload).
    pub payload: Vec<u8>,
    /// How surely.
    pub qos: Qos,
    /// Always false: nothing of an edge node is retained.
    pub retain: bool,
}

/// A topic to subscribe to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Subscription {
    /// The topic, without wildcards.
    pub topic: Arc<str>,
    /// The highest QoS to be delivered with.
    pub qos: Qos,
}

/// How to make the next connection.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Connect {
    /// The last will: NDEATH with this connection's `bdSeq`.
    pub will: Message,
    /// Always true: the server keeps nothing of an edge node between connections (MQTT 3.1.1
    /// "Clean Session"; for MQTT 5 "Clean Start" with a Session Expiry Interval of 0).
    pub clean_session: bool,
    /// What to subscribe to, before anything else, in this order.
    pub subscriptions: Vec<Subscription>,
    /// The `bdSeq` of the connection after this one: to be kept on disk before CONNECT is sent,
    /// and given to [`EdgeNode::new`](crate::EdgeNode::new) after a restart.
    pub next_bd_seq: u8,
}

/// One poll of one source, to be sent.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// The caller's name for it, by which it is delivered or comes back; any number, once at a time.
    pub key: u64,
    /// Who measured: the device.
    pub source: &'a Source,
    /// What was measured. Its stamp should be as good as it is known by now.
    pub poll: &'a Poll,
    /// Whether it waited: it is sent as historical, and does not become the present value.
    pub is_backlog: bool,
}

/// Something happened.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// The connection stands and every subscription of [`Connect`] is acknowledged.
    Connected,
    /// A message came.
    Message {
        /// Its topic.
        topic: &'a str,
        /// Its bytes: any.
        payload: &'a [u8],
    },
    /// Records are to be sent, in this order; neighbours of one source that waited share messages.
    ///
    /// Offered while the node is not [ready](crate::EdgeNode::is_ready), they come back.
    Records(&'a [Record<'a>]),
    /// A source answers no more: its device dies. Its next live record brings it back.
    ///
    /// A record of it that waited is told after a birth in which nothing is good; say this again
    /// when its past is told, so that the device does not stay alive.
    DeviceLost(&'a Source),
    /// A fence was answered; see [`Effect::Fence`].
    Fenced(u64),
    /// A fence is wanted now behind what was sent, not when it is due: the pace of what follows depends on the answer.
    Hurry,
    /// Time has passed; wanted at [`EdgeNode::deadline_ms`](crate::EdgeNode::deadline_ms) at the latest.
    Tick,
    /// The connection is gone, or was never made.
    Disconnected {
        /// Whether a CONNECT may have left: if not, its `bdSeq` was not spent.
        connect_was_sent: bool,
    },
    /// The caller wants to end.
    Stop,
}

/// What is to be done, in this order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Effect {
    /// Publish this.
    Publish(Message),
    /// Ask the server something that it answers, behind everything published so far, and say
    /// [`Event::Fenced`] with this number once the answer is there.
    ///
    /// Subscribing again to the topic of commands will do (SUBACK), or a message with QoS 1 (PUBACK).
    Fence(u64),
    /// The server has this record, or nothing of it can ever be sent ([`Counts::points_refused`]):
    /// it need not be kept.
    Delivered(u64),
    /// This record may be lost: keep it, and offer it again as backlog.
    Returned(u64),
    /// End the connection with a DISCONNECT, after what was published before has left.
    Disconnect(Next),
}

/// What comes after a connection was ended on purpose.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Next {
    /// Connect again to the same server, and wait there for the host.
    SameServer,
    /// Connect to the next server of the list: this one has no host.
    OtherServer,
    /// Nothing: it was stopped.
    Nothing,
}

/// What was passed over, and what was done often: for metrics and health.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// Births of the whole node.
    pub births: u64,
    /// Births of single devices, those with the node's included.
    pub device_births: u64,
    /// Births that a host asked for.
    pub rebirths_asked: u64,
    /// Commands that are no payload.
    pub commands_unreadable: u64,
    /// Metrics of commands that this node has no use for: it has no outputs.
    pub commands_ignored: u64,
    /// STATE messages that are none of Sparkplug 3.0.
    pub states_unreadable: u64,
    /// STATE messages that were older than the last.
    pub states_stale: u64,
    /// Messages of topics that were not subscribed to.
    pub strangers: u64,
    /// Points that were not sent: too many sources or metrics, or a name that is the node's own.
    pub points_refused: u64,
}
