//! The loop: whatever happens becomes one event; what is to be done is decided by the scheduler and the keeper's rules.

mod command;
mod edge;
mod operation;
mod send;
mod spend;
mod tell;
mod token;

use std::collections::HashMap;
use std::time::Duration;

use anyhow::anyhow;
use tm_service::Host;
use tm_service::bus::{Bus, BusEvent, BusMessage};
use tm_service::session::{DownReason, SessionEvent, Token};
use tm_types::topic::{self, Class as Topic};
use tm_types::{Anchor, Severity, Stamp, UplinkState, code};

use crate::anchors::Anchors;
use crate::cloud::{self, Cloud};
use crate::config::{Config, Payload};
use crate::downlink::Downlink;
use crate::ingest::Ingest;
use crate::keeper::{Answer, Command, Keeper, Report, Start};
use crate::outlet::BATCH_BYTES;
use crate::parts::Parts;
use crate::profile::Profiles;
use crate::schedule::{Effect, Event, Rules, Scheduler};
use crate::sparkplug::HELD_TICKETS;
use crate::states::States;

pub(crate) use operation::OPERATIONS;

use edge::Speaker;
use spend::Spending;

/// How often the state is told, and a disk that is absent is looked for.
const PERIOD: Duration = Duration::from_secs(10);
/// How often a disk that could not be opened is tried again.
const DISK_RETRY: Duration = Duration::from_mins(1);
/// The file that keeps a profile that was chosen.
const PROFILE: &str = "profile";

/// The file that keeps the time anchors of the last boots.
pub(crate) const ANCHORS: &str = "anchors";

/// Why the loop ends without failing.
pub(crate) enum Ended {
    /// The disk that could not be opened can be tried again: everything starts afresh.
    DiskIsBack,
}

/// What happens.
enum Happening {
    Bus(BusEvent),
    Ingest(SessionEvent),
    Cloud(SessionEvent),
    Keeper(Answer),
    Tick,
}

/// What is under way to the cloud.
#[derive(Clone, Copy)]
struct UnderWay {
    /// Of its payload.
    bytes: usize,
    has_records: bool,
}

/// Everything the loop holds.
pub(crate) struct Uplink<'a> {
    config: &'a Config,
    host: &'a Host,
    bus: &'a mut Bus,
    ingest: Ingest,
    cloud: Cloud,
    /// What speaks Sparkplug, if that is the payload.
    edge: Option<Box<Speaker>>,
    /// What is known of the time.
    anchors: Anchors,
    parts: Parts,
    keeper: Keeper,
    downlink: Downlink,
    scheduler: Scheduler,
    effects: Vec<Effect>,
    states: States,
    profiles: Profiles,
    spending: Spending,
    is_state_sent: bool,
    in_flight: HashMap<Token, UnderWay>,
    report: Report,
    batches_acked: u64,
    bytes_acked: u64,
    last_ack: Option<Duration>,
    report_at: Duration,
    /// What was told last, but for the age of the last acknowledgement.
    said_state: Option<UplinkState>,
    /// When a disk that could not be opened is tried again.
    disk_at: Option<Duration>,
}

impl<'a> Uplink<'a> {
    /// Puts the loop together; connecting begins.
    pub(crate) fn new(
        config: &'a Config,
        host: &'a Host,
        bus: &'a mut Bus,
        keeper: Keeper,
        start: Start,
        anchors: Anchors,
        is_disk_absent: bool,
    ) -> Self {
        let profiles = Profiles::new(config, host.store.load(PROFILE).flatten());
        let rules = Rules {
            batch: profiles.paces().batch,
            batch_bytes: BATCH_BYTES as u64,
            window: cloud::WINDOW,
            window_bytes: cloud::WINDOW_BYTES,
            unsettled: match config.payload {
                Payload::Sparkplug => HELD_TICKETS,
                _ => usize::MAX,
            },
            stalled_after: cloud::STALLED_AFTER,
        };
        let now = host.clock.mono();
        let ingest = Ingest::open(host);
        let edge = Speaker::new(config, host);
        let check = Some(config.commands_check_s).filter(|seconds| *seconds > 0);
        let check = check.map(|seconds| Duration::from_secs(seconds.into()));
        bus.speak_while(ingest.standing());
        let cloud = Cloud::open(config, host, edge.as_deref().map(Speaker::edge));
        let spending = Spending::new(config, host, cloud.counter());
        Self {
            config,
            host,
            bus,
            ingest,
            cloud,
            spending,
            edge,
            anchors,
            parts: Parts::default(),
            keeper,
            downlink: Downlink::new(check, host.clock.stamp().mono_ms),
            scheduler: Scheduler::new(rules, start.urgent, start.data),
            effects: Vec::new(),
            states: States::new(profiles.paces().states),
            profiles,
            is_state_sent: false,
            in_flight: HashMap::new(),
            report: Report::default(),
            batches_acked: 0,
            bytes_acked: 0,
            last_ack: None,
            report_at: now,
            said_state: None,
            disk_at: is_disk_absent.then_some(now + DISK_RETRY),
        }
    }

    /// Runs until a disk is back that could not be opened.
    pub(crate) async fn run(mut self) -> Result<Ended, anyhow::Error> {
        loop {
            let wait = self.deadline().saturating_sub(self.host.clock.mono());
            let happening = tokio::select! {
                event = self.bus.next() => Happening::Bus(event),
                event = self.ingest.next() => Happening::Ingest(event),
                event = self.cloud.next() => Happening::Cloud(event),
                answer = self.keeper.next() => Happening::Keeper(answer.ok_or_else(|| anyhow!("the journal's thread has died"))?),
                () = tokio::time::sleep(wait) => Happening::Tick,
            };
            self.on(happening);
            if self.disk_at.is_some_and(|at| self.host.clock.mono() >= at)
                && self.is_disk_back().await
            {
                return Ok(Ended::DiskIsBack);
            }
        }
    }

    fn on(&mut self, happening: Happening) {
        match happening {
            Happening::Bus(event) => self.on_bus(event),
            Happening::Ingest(event) => self.on_ingest(event),
            Happening::Cloud(event) => {
                self.on_cloud(event);
                // Acknowledgements come in flocks.
                while let Some(event) = self.cloud.try_next() {
                    self.on_cloud(event);
                }
            }
            Happening::Keeper(answer) => {
                self.on_answer(answer);
                while let Some(answer) = self.keeper.try_next() {
                    self.on_answer(answer);
                }
            }
            Happening::Tick => self.schedule(Event::Tick),
        }
        let now = self.host.clock.mono();
        self.check_edge(now);
        self.check_commands(now);
        self.check_budget(now);
        self.check_profile(now);
        if now >= self.report_at {
            self.report_at = now + PERIOD;
            if self.cloud.is_up() && self.cloud.flapping.settles(now) {
                self.say_health();
            }
            self.keeper.tell(Command::Report);
        }
        self.send_state(now);
    }

    fn on_bus(&mut self, event: BusEvent) {
        let BusMessage { topic, payload, .. } = match event {
            BusEvent::Message(message) => message,
            BusEvent::Operation(operation) => return self.on_operation(&operation),
            BusEvent::Command(request) => return self.on_request(&request),
            _ => return,
        };
        match topic::classify(&topic) {
            Some(Topic::State(service)) => {
                self.states.note(service, payload, self.host.clock.mono());
            }
            Some(Topic::Health(service)) => self.edge_hears_of(service, &payload),
            Some(Topic::Clock(_)) => match serde_json::from_slice::<Anchor>(&payload) {
                Ok(anchor) => self.keeper.tell(Command::Anchor {
                    anchor,
                    topic,
                    payload,
                }),
                // An empty one withdraws an anchor; what is known of the clock stays true.
                Err(error) if !payload.is_empty() => {
                    tracing::debug!(topic, %error, "no time anchor");
                }
                Err(_) => {}
            },
            _ => {}
        }
    }

    fn on_ingest(&mut self, event: SessionEvent) {
        match event {
            SessionEvent::Up {
                session_present, ..
            } => {
                let (connection, is_forgotten) = self.ingest.came_up(session_present);
                if is_forgotten {
                    self.bus
                        .event(Severity::Warning, code::BUS_SESSION_LOST.plain());
                }
                self.keeper.tell(Command::Connected(connection));
                // Sources wait for this word before they publish: not before the subscription stands.
                self.say_health();
                self.bus.listens();
            }
            SessionEvent::Down(reason) => {
                tracing::debug!(%reason, "bus connection of the ingest is down");
                self.keeper.tell(Command::Disconnected);
            }
            SessionEvent::Message(message) => {
                let (messages, next) = self.ingest.handful(message);
                self.keeper.tell(Command::Messages(messages));
                if let Some(event) = next {
                    self.on_ingest(event);
                }
            }
            SessionEvent::Acked(_) | SessionEvent::Connects(_) => {}
        }
    }

    fn on_cloud(&mut self, event: SessionEvent) {
        match event {
            SessionEvent::Up {
                is_subscribed,
                address,
                ..
            } => {
                let stamp = self.host.clock.stamp();
                tracing::info!(
                    broker = self.cloud.link.broker,
                    "connected to the cloud broker"
                );
                if self.edge.is_none() {
                    self.lose_cloud();
                }
                self.cloud
                    .came_up(&address, stamp.time, self.host.clock.mono());
                if self.config.commands {
                    let now = self.host.clock.mono();
                    self.downlink.came_up(is_subscribed, now);
                }
                if self.edge.is_some() {
                    self.edge_is_connected();
                } else {
                    self.cloud_stands();
                }
            }
            SessionEvent::Down(reason) => {
                tracing::warn!(broker = self.cloud.link.broker, %reason, "no connection to the cloud broker");
                // Left by the edge node, whose reason stands.
                let is_left = reason == DownReason::Returning && !self.cloud.is_up();
                if !is_left {
                    let now = self.host.clock.mono();
                    self.cloud
                        .went_down(&reason, self.host.clock.stamp().time, now);
                }
                self.lose_cloud();
                self.say_health();
                self.say_state();
            }
            SessionEvent::Acked(token) => self.acked(token),
            SessionEvent::Connects(attempt) => self.edge_connects(attempt),
            SessionEvent::Message(message) if self.is_for_edge(&message) => {
                self.edge_hears(&message);
            }
            SessionEvent::Message(message) => self.on_command(&message),
        }
    }

    /// Now, by the best that is known of the time.
    fn present(&self) -> Stamp {
        let now = self.host.clock.stamp();
        self.anchors.corrected(now, now.boot)
    }

    /// From now on the cloud takes what there is.
    fn cloud_stands(&mut self) {
        self.schedule(Event::Up);
        self.say_health();
        self.say_cloud_health();
        self.say_state();
    }

    fn on_answer(&mut self, answer: Answer) {
        match answer {
            Answer::Taken { messages, bytes } => self.ingest.taken(messages, bytes),
            Answer::Acknowledge {
                connection,
                receipts,
            } => self.ingest.acknowledge(connection, receipts),
            Answer::Reconnect => {
                self.keeper.tell(Command::Disconnected);
                self.ingest.reopen(self.host);
                self.bus.speak_while(self.ingest.standing());
            }
            Answer::Committed { class, end, bytes } => {
                self.spending
                    .growth
                    .on_committed(bytes, self.host.clock.mono());
                self.schedule(Event::Committed { class, end, bytes });
            }
            Answer::Gone(class, records) => self.schedule(Event::Gone { class, records }),
            Answer::Prepared(prepared) => self.schedule(Event::Prepared(prepared)),
            Answer::Anchors(anchors) => {
                self.host.store.save(ANCHORS, &anchors);
                self.anchors = Anchors::of_earlier(anchors);
            }
            Answer::Polled(source, poll) => self.edge_remembers(&source, &poll),
            Answer::ClockKnown => self.schedule(Event::ClockKnown),
            Answer::Event(severity, cause) => self.bus.event(severity, cause),
            Answer::Report(report) => {
                let has_changed = self.report.trouble != report.trouble;
                self.report = report;
                if has_changed {
                    self.say_health();
                    self.say_cloud_health();
                }
                self.say_state();
            }
        }
    }
}
