//! The edge node: events in, effects out. No socket, no clock, no disk.

mod inbound;
mod publish;

use tm_types::{Poll, Source, Stamp};

use crate::config::{Config, later, millis};
use crate::device::{Aliases, Device};
use crate::event::{Connect, Counts, Effect, Event, Next, Qos, Subscription};
use crate::flight::Flights;
use crate::host::PrimaryHost;
use crate::topic::NodeTopics;
use crate::write;

/// Where the connection stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    /// There is none, or it was ended on purpose.
    Down,
    /// It is being made: the subscriptions are not acknowledged.
    Connecting,
    /// It stands, and the primary host is not there; since when.
    Waiting { since_ms: u64 },
    /// The node is born; when last.
    Born { at_ms: u64 },
}

/// A Sparkplug B edge node.
///
/// Every call takes the present moment: wall time for what is written, monotonic time for what is
/// waited for. Effects are appended to `out` and are to be carried out in their order.
///
/// ```
/// use tm_sparkplug::{Config, EdgeNode, Effect, Event, Id, Record};
/// use tm_types::{BootId, Clock, Point, PointName, Poll, Source, Stamp, Timestamp, Unit};
///
/// let now = Stamp {
///     time: Timestamp::of_unix_ms(1_790_000_000_000),
///     mono_ms: 60_000,
///     boot: BootId(7),
///     clock: Clock::Ntp,
///     err_ms: None,
/// };
/// let mut node = EdgeNode::new(Config::new(Id::new("kyiv")?, Id::new("shafa-7")?), 0);
/// let mut effects = Vec::new();
///
/// let connect = node.begin(0, &now, &mut effects);
/// assert_eq!(&*connect.will.topic, "spBv1.0/kyiv/NDEATH/shafa-7");
/// // Keep connect.next_bd_seq on disk, CONNECT, SUBSCRIBE, await the SUBACKs.
/// node.on(Event::Connected, &now, &mut effects);
///
/// let level = Point::gauge(PointName::new("level")?, Unit::new("m")?, 3);
/// let record = Record {
///     key: 42,
///     source: &Source::new("tank")?,
///     poll: &Poll { sequence: None, stamp: now, points: vec![level] },
///     is_backlog: false,
/// };
/// node.on(Event::Records(&[record]), &now, &mut effects);
/// let topics = effects.iter().filter_map(|effect| match effect {
///     Effect::Publish(message) => Some(&*message.topic),
///     _ => None,
/// });
/// let expected = ["spBv1.0/kyiv/NBIRTH/shafa-7", "spBv1.0/kyiv/DBIRTH/shafa-7/tank"];
/// assert_eq!(topics.collect::<Vec<_>>(), expected);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct EdgeNode {
    config: Config,
    topics: NodeTopics,
    host: Option<PrimaryHost>,
    properties: Vec<write::NodeProperty>,
    aliases: Aliases,
    /// In the order they were first heard of; few, so that looking through them is quick.
    devices: Vec<Device>,
    flights: Flights,
    counts: Counts,
    phase: Phase,
    /// The `bdSeq` of this connection, and that of the next.
    bd_seq: u8,
    next_bd_seq: u8,
    /// The number of the next message.
    seq: u8,
    /// A host has asked for a birth, and the last one was just now.
    is_rebirth_due: bool,
}

impl EdgeNode {
    /// A node that is not connected; `next_bd_seq` is what was kept of the last [`Connect`], 0 at first.
    pub fn new(config: Config, next_bd_seq: u8) -> Self {
        let mut aliases = Aliases::new(config.metrics_max);
        let properties = config.properties.iter();
        let properties = properties.filter_map(|(name, value)| {
            Some(write::NodeProperty {
                name: format!("Properties/{name}"),
                value: value.clone(),
                alias: aliases.take()?,
            })
        });
        Self {
            properties: properties.collect(),
            topics: NodeTopics::new(&config.group, &config.node),
            host: config.primary_host.as_ref().map(PrimaryHost::new),
            aliases,
            devices: Vec::new(),
            flights: Flights::default(),
            counts: Counts::default(),
            phase: Phase::Down,
            bd_seq: next_bd_seq,
            next_bd_seq,
            seq: 0,
            is_rebirth_due: false,
            config,
        }
    }

    /// Begins a connection to a server, named by its place in the caller's list.
    ///
    /// What is still on its way on an earlier connection comes back in `out`.
    pub fn begin(&mut self, server: u32, now: &Stamp, out: &mut Vec<Effect>) -> Connect {
        self.down(out);
        self.bd_seq = self.next_bd_seq;
        self.next_bd_seq = self.bd_seq.wrapping_add(1);
        self.phase = Phase::Connecting;
        if let Some(host) = &mut self.host {
            host.begin(server);
        }
        Connect {
            will: self.death(now),
            clean_session: true,
            subscriptions: self.subscriptions(),
            next_bd_seq: self.next_bd_seq,
        }
    }

    /// What to subscribe to on every connection, as each [`Connect`] says it.
    pub fn subscriptions(&self) -> Vec<Subscription> {
        let host = self.host.as_ref().map(|host| &host.topic);
        let topics = [Some(&self.topics.command), host].into_iter().flatten();
        topics
            .map(|topic| Subscription {
                topic: topic.clone(),
                qos: Qos::AtLeastOnce,
            })
            .collect()
    }

    /// Takes note of a poll without sending it, so that the next birth knows its metrics and readings.
    ///
    /// For what is known before there is a connection: a birth then is whole, and no further one
    /// is needed when the first records go out.
    pub fn remember(&mut self, source: &Source, poll: &Poll, now: &Stamp) {
        if let Some((at, is_present)) = self.device(source, poll, now) {
            self.absorb(at, poll, is_present);
        }
    }

    /// Whether records are sent at the moment; offered otherwise they come back.
    pub fn is_ready(&self) -> bool {
        matches!(self.phase, Phase::Born { .. })
            && !self.is_rebirth_due
            && self.flights.len() < self.config.records_max
    }

    /// Whether the host has been told of this node on this connection.
    pub fn is_born(&self) -> bool {
        matches!(self.phase, Phase::Born { .. })
    }

    /// Whether it is connected and only the primary host is missing.
    pub fn is_waiting_for_host(&self) -> bool {
        matches!(self.phase, Phase::Waiting { .. })
    }

    /// How many records are on their way.
    pub fn in_flight(&self) -> usize {
        self.flights.len()
    }

    /// What was counted since the start.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// When [`Event::Tick`] is wanted, by the monotonic clock; `None` if nothing is waited for.
    pub fn deadline_ms(&self) -> Option<u64> {
        let times = match self.phase {
            Phase::Down | Phase::Connecting => [None; 3],
            Phase::Waiting { since_ms } => [
                (self.config.servers > 1).then(|| later(since_ms, self.config.host_wait)),
                None,
                None,
            ],
            Phase::Born { at_ms } => [
                (self.is_rebirth_due).then(|| later(at_ms, self.config.rebirth_pause)),
                self.flights.fence_due_ms(millis(self.config.fence_every)),
                self.flights.delivery_due_ms(self.config.hold_ms()),
            ],
        };
        times.into_iter().flatten().min()
    }

    /// Takes an event and says what is to be done.
    pub fn on(&mut self, event: Event<'_>, now: &Stamp, out: &mut Vec<Effect>) {
        match event {
            Event::Connected => self.connected(now, out),
            Event::Message { topic, payload } => self.message(topic, payload, now, out),
            Event::Records(records) => self.records(records, now, out),
            Event::DeviceLost(source) => self.device_lost(source, now, out),
            Event::Fenced(fence) => {
                self.flights.answered(fence);
                self.deliver(now, out);
            }
            Event::Hurry if self.flights.open() > 0 => {
                out.push(Effect::Fence(self.flights.fence()));
            }
            Event::Hurry => {}
            Event::Tick => self.tick(now, out),
            Event::Disconnected { connect_was_sent } => {
                if !connect_was_sent && self.phase == Phase::Connecting {
                    self.next_bd_seq = self.bd_seq;
                }
                self.down(out);
            }
            Event::Stop => self.leave(Next::Nothing, now, out),
        }
    }

    fn tick(&mut self, now: &Stamp, out: &mut Vec<Effect>) {
        match self.phase {
            Phase::Born { at_ms } => {
                let may_be_born = now.mono_ms >= later(at_ms, self.config.rebirth_pause);
                if self.is_rebirth_due && may_be_born {
                    self.birth(now, out);
                }
                let fence_due = self.flights.fence_due_ms(millis(self.config.fence_every));
                if fence_due.is_some_and(|due| now.mono_ms >= due) {
                    out.push(Effect::Fence(self.flights.fence()));
                }
                self.deliver(now, out);
            }
            Phase::Waiting { since_ms } => {
                let given_up_ms = later(since_ms, self.config.host_wait);
                if self.config.servers > 1 && now.mono_ms >= given_up_ms {
                    self.leave(Next::OtherServer, now, out);
                }
            }
            Phase::Down | Phase::Connecting => {}
        }
    }

    fn deliver(&mut self, now: &Stamp, out: &mut Vec<Effect>) {
        let hold_ms = self.config.hold_ms();
        while let Some(key) = self.flights.delivered(now.mono_ms, hold_ms) {
            out.push(Effect::Delivered(key));
        }
    }

    /// Ends the connection on purpose: a born node says so first.
    fn leave(&mut self, next: Next, now: &Stamp, out: &mut Vec<Effect>) {
        if self.is_born() {
            out.push(Effect::Publish(self.death(now)));
        }
        if self.phase != Phase::Down {
            out.push(Effect::Disconnect(next));
        }
        self.down(out);
    }

    fn down(&mut self, out: &mut Vec<Effect>) {
        self.phase = Phase::Down;
        self.is_rebirth_due = false;
        out.extend(self.flights.come_back().map(Effect::Returned));
        for device in &mut self.devices {
            device.is_born = false;
        }
    }
}
