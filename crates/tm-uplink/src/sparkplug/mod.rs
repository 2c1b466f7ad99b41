//! The uplink as a Sparkplug edge node: between the scheduler's tickets and [`tm_sparkplug`]'s records.
//!
//! Events in, orders out; no socket and no disk. A ticket is acknowledged when all its records are delivered, and
//! counts as read once the fence behind it is answered, so that the pace of a backlog follows the link and not the
//! time that a primary host may be gone unnoticed.

mod config;
mod tickets;

#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use tm_sparkplug::{Connect, EdgeNode, Effect, Event, Message, Next, Record};
use tm_types::{Poll, Source, Stamp};

use crate::schedule::Polled;
use tickets::Tickets;

pub(crate) use config::{HELD_TICKETS, node_config};

/// First level of all topics of Sparkplug B.
const NAMESPACE: &str = "spBv1.0/";

/// The most services whose absence is remembered.
const LOST_MAX: usize = 256;

/// What is to be done, in this order.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Order {
    /// Publish this.
    Publish(Message),
    /// Ask the broker, behind everything published so far; the answer comes back as [`Event::Fenced`].
    Ask(u64),
    /// The broker has read all of this ticket.
    Read(u64),
    /// All of this ticket is delivered.
    Acked(u64),
    /// Leave the broker once what was published is sent.
    Leave(Next),
}

/// Polls of a ticket that the node cannot take yet.
#[derive(Debug)]
struct Waiting {
    ticket: u64,
    is_backlog: bool,
    polls: Vec<Polled>,
}

/// The edge node and what is on its way through it.
pub(crate) struct Edge {
    node: EdgeNode,
    tickets: Tickets,
    waiting: VecDeque<Waiting>,
    /// Sources whose service is gone.
    lost: BTreeSet<Source>,
    effects: Vec<Effect>,
    records_max: usize,
}

impl Edge {
    /// A node that is not connected; `next_bd_seq` is what was kept.
    pub(crate) fn new(config: tm_sparkplug::Config, next_bd_seq: u8) -> Self {
        Self {
            records_max: config.records_max,
            node: EdgeNode::new(config, next_bd_seq),
            tickets: Tickets::default(),
            waiting: VecDeque::new(),
            lost: BTreeSet::new(),
            effects: Vec::new(),
        }
    }

    /// What to subscribe to.
    pub(crate) fn subscriptions(&self) -> Vec<tm_sparkplug::Subscription> {
        self.node.subscriptions()
    }

    /// Whether a topic is the node's business.
    pub(crate) fn is_addressed(topic: &str) -> bool {
        topic.starts_with(NAMESPACE)
    }

    /// Whether a topic tells of a host.
    pub(crate) fn is_state(topic: &str) -> bool {
        topic
            .strip_prefix(NAMESPACE)
            .is_some_and(|rest| rest.starts_with("STATE/"))
    }

    /// Begins a connection to a broker, by its place among those that are known.
    pub(crate) fn begin(&mut self, server: u32, was_connect_sent: bool, now: &Stamp) -> Connect {
        let gone = Event::Disconnected {
            connect_was_sent: was_connect_sent,
        };
        self.node.on(gone, now, &mut self.effects);
        let connect = self.node.begin(server, now, &mut self.effects);
        self.forget();
        connect
    }

    /// Takes an event of the connection.
    pub(crate) fn on(&mut self, event: Event<'_>, now: &Stamp, orders: &mut Vec<Order>) {
        let fence = match event {
            Event::Fenced(fence) => Some(fence),
            _ => None,
        };
        let was_down = matches!(event, Event::Disconnected { .. });
        self.node.on(event, now, &mut self.effects);
        self.carry_out(orders);
        if let Some(fence) = fence {
            orders.extend(self.tickets.read(fence).map(Order::Read));
        }
        if was_down {
            self.forget();
        }
        self.offer(now, orders);
    }

    /// Sends the polls of a ticket, now or as soon as the node can.
    pub(crate) fn send(
        &mut self,
        ticket: u64,
        is_backlog: bool,
        mut polls: Vec<Polled>,
        now: &Stamp,
        orders: &mut Vec<Order>,
    ) {
        if is_backlog {
            // Neighbours of one source share messages; between sources the past has no order.
            polls.sort_by(|one, other| one.source.cmp(&other.source));
        }
        self.waiting.push_back(Waiting {
            ticket,
            is_backlog,
            polls,
        });
        self.offer(now, orders);
    }

    /// A source's service is gone, and its device dies; or it is there again, and the next that it measures is its birth.
    pub(crate) fn hears_of(
        &mut self,
        source: Source,
        is_lost: bool,
        now: &Stamp,
        orders: &mut Vec<Order>,
    ) {
        if !is_lost {
            self.lost.remove(&source);
        } else if self.lost.len() < LOST_MAX {
            self.lost.insert(source);
        }
        self.bury(now);
        self.carry_out(orders);
    }

    /// Takes note of what the bus brings while nobody is told of it, so that the next birth is whole.
    pub(crate) fn remember(&mut self, source: &Source, poll: &Poll, now: &Stamp) {
        // A born node hears of it in its turn: known before, it would be the past by then.
        if !self.node.is_born() {
            self.node.remember(source, poll, now);
            self.bury(now);
        }
    }

    /// Whether the host was told of this node.
    pub(crate) fn is_born(&self) -> bool {
        self.node.is_born()
    }

    /// Whether only the primary host is missing.
    pub(crate) fn is_waiting_for_host(&self) -> bool {
        self.node.is_waiting_for_host()
    }

    /// When [`Event::Tick`] is wanted, since boot.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        self.node.deadline_ms().map(Duration::from_millis)
    }

    fn offer(&mut self, now: &Stamp, orders: &mut Vec<Order>) {
        while let Some(next) = self.waiting.front()
            && self.node.is_ready()
            && self.node.in_flight() + next.polls.len() <= self.records_max
            && let Some(next) = self.waiting.pop_front()
        {
            self.tickets.open(next.ticket, &next.polls);
            let records = next.polls.iter().map(|polled| Record {
                key: polled.seq,
                source: &polled.source,
                poll: &polled.poll,
                // Of one that is gone it is the past, however short.
                is_backlog: next.is_backlog || self.lost.contains(&polled.source),
            });
            let records: Vec<_> = records.collect();
            self.node
                .on(Event::Records(&records), now, &mut self.effects);
            self.bury(now);
            self.carry_out(orders);
            self.tickets.sent(next.ticket);
            if next.is_backlog {
                self.node.on(Event::Hurry, now, &mut self.effects);
                self.carry_out(orders);
            }
        }
    }

    /// Lets the devices of sources that are gone die, also those that came to life for their past.
    fn bury(&mut self, now: &Stamp) {
        for source in &self.lost {
            let lost = Event::DeviceLost(source);
            self.node.on(lost, now, &mut self.effects);
        }
    }

    fn carry_out(&mut self, orders: &mut Vec<Order>) {
        for effect in self.effects.drain(..) {
            match effect {
                Effect::Publish(message) => orders.push(Order::Publish(message)),
                Effect::Fence(fence) => {
                    self.tickets.fence(fence);
                    orders.push(Order::Ask(fence));
                }
                Effect::Delivered(key) => {
                    orders.extend(self.tickets.delivered(key).map(Order::Acked));
                }
                // The connection is over: the scheduler reads them again.
                Effect::Returned(_) => {}
                Effect::Disconnect(next) => orders.push(Order::Leave(next)),
            }
        }
    }

    fn forget(&mut self) {
        self.effects.clear();
        self.tickets = Tickets::default();
        self.waiting.clear();
    }
}
