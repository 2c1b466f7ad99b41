//! A bus, a cloud with a gate before it, an uplink between them, and who looks on from both ends.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value as Json;
use tempfile::TempDir;
use tm_columns::Dictionaries;
use tm_service::session::{Incoming, Options, Outgoing, Qos, Session, SessionEvent};
use tm_service::{Clock, Host, ManualClock};
use tm_sim::broker::Broker;
use tm_sim::{Gate, GateHandle};
use tm_types::{RunId, Source, Stamp};
use tm_uplink::Config;
use tokio::task::JoinHandle;

/// Longer than anything here takes; reached only when something never happens.
pub(crate) const DEADLINE: Duration = Duration::from_mins(1);

/// Everything around an uplink.
pub(crate) struct World {
    pub(crate) bus: Broker,
    pub(crate) cloud: Broker,
    pub(crate) gate: GateHandle,
    _gate: Gate,
    pub(crate) directory: TempDir,
}

impl World {
    pub(crate) fn new() -> Self {
        let (bus, cloud) = (Broker::start().unwrap(), Broker::start().unwrap());
        let gate = Gate::open(cloud.address()).unwrap();
        Self {
            bus,
            cloud,
            gate: gate.handle(),
            _gate: gate,
            directory: TempDir::new().unwrap(),
        }
    }

    pub(crate) fn config(&self) -> Config {
        Config {
            url: Some(format!("mqtt://{}", self.gate.address())),
            batch_s: Some(1),
            commit_ms: 20,
            ..Config::default()
        }
    }

    pub(crate) fn host(&self) -> Host {
        host(self.directory.path(), &self.bus.url())
    }

    /// A host whose time passes only by hand.
    pub(crate) fn host_by_hand(&self, start: Stamp) -> (Host, ManualClock) {
        let (clock, hand) = Clock::manual(start);
        let host = Host::for_test("uplink", self.directory.path(), &self.bus.url(), clock).unwrap();
        (host, hand)
    }

    /// Starts an uplink; aborting the task drops its future.
    pub(crate) fn start(&self, config: Config) -> Running {
        self.start_on(config, self.host())
    }

    /// The same on a host of its own making.
    #[expect(clippy::unused_self, reason = "reads as the other one does")]
    pub(crate) fn start_on(&self, config: Config, host: Host) -> Running {
        Running(tokio::spawn(run(config, host)))
    }
}

pub(crate) fn host(directory: &Path, bus: &str) -> Host {
    Host::for_test("uplink", directory, bus, Clock::system()).unwrap()
}

pub(crate) async fn run(config: Config, host: Host) -> String {
    match tm_uplink::run(config, host).await {
        Ok(never) => match never {},
        Err(error) => format!("{error:#}"),
    }
}

/// An uplink that runs.
pub(crate) struct Running(JoinHandle<String>);

impl Running {
    /// Drops its future, and waits until that is done.
    pub(crate) async fn stop(self) {
        self.0.abort();
        assert!(self.0.await.is_err(), "the uplink ended by itself");
    }
}

/// A client at one of the brokers.
pub(crate) struct Client {
    session: Session,
    next_token: u64,
    pub(crate) seen: Seen,
}

/// What a client has received.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) messages: Vec<Incoming>,
    /// What of it came by the default topics of the cloud.
    pub(crate) arrived: Arrived,
}

impl Client {
    /// Connects and subscribes.
    pub(crate) async fn connect(name: &str, broker: &Broker, filters: &[&str]) -> Self {
        let mut options = Options::new(name, broker.url().parse().unwrap());
        options.subscriptions = filters
            .iter()
            .map(|filter| ((*filter).to_owned(), Qos::AtLeastOnce))
            .collect();
        options.window = 200;
        options.max_packet = 4 << 20;
        let mut client = Self {
            session: Session::open(options),
            next_token: 0,
            seen: Seen::default(),
        };
        client
            .wait("a connection", |event, _| {
                matches!(event, SessionEvent::Up { .. })
            })
            .await;
        client
    }

    /// Publishes, and waits until the broker has taken it.
    pub(crate) async fn publish(&mut self, topic: &str, payload: impl Into<Bytes>) {
        self.publish_all([(topic.to_owned(), payload.into())]).await;
    }

    /// Publishes for the broker to keep, and waits until it has taken it.
    pub(crate) async fn publish_retained(&mut self, topic: &str, payload: &'static str) {
        let message = Outgoing {
            token: self.next_token,
            topic: topic.to_owned(),
            payload: payload.into(),
            qos: Qos::AtLeastOnce,
            retain: true,
        };
        self.next_token += 1;
        self.session.feed(message).unwrap();
        self.acked().await;
    }

    /// Publishes many, and waits until the broker has taken all.
    pub(crate) async fn publish_all(
        &mut self,
        messages: impl IntoIterator<Item = (String, Bytes)>,
    ) {
        let mut open = BTreeSet::new();
        for (topic, payload) in messages {
            while open.len() >= 100 {
                let token = self.acked().await;
                open.remove(&token);
            }
            let token = self.next_token;
            self.next_token += 1;
            open.insert(token);
            self.session
                .feed(Outgoing {
                    token,
                    topic,
                    payload,
                    qos: Qos::AtLeastOnce,
                    retain: false,
                })
                .unwrap();
        }
        while !open.is_empty() {
            let token = self.acked().await;
            open.remove(&token);
        }
    }

    async fn acked(&mut self) -> u64 {
        let mut acked = 0;
        self.wait("an acknowledgement", |event, _| match event {
            SessionEvent::Acked(token) => {
                acked = *token;
                true
            }
            _ => false,
        })
        .await;
        acked
    }

    /// Collects messages until there are such as are wanted.
    pub(crate) async fn until(&mut self, what: &str, mut is_done: impl FnMut(&Seen) -> bool) {
        if !is_done(&self.seen) {
            self.wait(what, |_, seen| is_done(seen)).await;
        }
    }

    async fn wait(&mut self, what: &str, mut is_it: impl FnMut(&SessionEvent, &Seen) -> bool) {
        let wait = async {
            loop {
                let event = self.session.next().await;
                if let SessionEvent::Message(message) = &event {
                    self.seen.arrived.take(message);
                    self.seen.messages.push(message.clone());
                }
                if is_it(&event, &self.seen) {
                    return;
                }
            }
        };
        tokio::time::timeout(DEADLINE, wait)
            .await
            .unwrap_or_else(|_| panic!("{what} never came"));
    }
}

/// A source on the bus that numbers its polls.
pub(crate) struct Polls {
    pub(crate) source: Source,
    run: RunId,
    next: u64,
}

impl Polls {
    pub(crate) fn of(source: &str, run: u32) -> Self {
        Self {
            source: Source::new(source).unwrap(),
            run: RunId(run),
            next: 0,
        }
    }

    /// The next `count` polls of two points each, as bus messages.
    pub(crate) fn take(&mut self, count: u64) -> Vec<(String, Bytes)> {
        let messages = (self.next..self.next + count)
            .map(|n| self.message(n))
            .collect();
        self.next += count;
        messages
    }

    /// Poll number `n`.
    pub(crate) fn message(&self, n: u64) -> (String, Bytes) {
        let payload = format!(
            r#"{{"run":"{}","n":{n},"time":"2026-11-22T10:00:{:02}.{:03}Z","mono_ms":{},"boot":"00000001","clock":"ntp","err_ms":1,"points":[{{"name":"count","value":{n}}},{{"name":"temp","value":21.5,"unit":"Cel"}}]}}"#,
            self.run,
            n / 1000 % 60,
            n % 1000,
            n + 5000
        );
        (tm_types::topic::data(&self.source), payload.into())
    }

    pub(crate) fn run(&self) -> RunId {
        self.run
    }
}

/// What arrived at the cloud, by the key that consumers go by.
#[derive(Debug, Default)]
pub(crate) struct Arrived {
    /// Class, stream and number.
    pub(crate) keys: BTreeSet<(String, String, u64)>,
    /// Of each source and run, how often each number arrived under a new key.
    pub(crate) polls: BTreeMap<(String, String), BTreeMap<u64, u32>>,
    /// Payloads of urgent messages, in order.
    pub(crate) urgent: Vec<(String, Json)>,
    pub(crate) repeats: u64,
    dictionaries: Dictionaries,
}

impl Arrived {
    pub(crate) fn take(&mut self, message: &Incoming) {
        match message.topic.rsplit('/').next() {
            Some("data") if !message.topic.starts_with("tm/v1/") => self.data(&message.payload),
            Some("event" | "alarm" | "res") => self.urgent(&message.payload),
            _ => {}
        }
    }

    pub(crate) fn count(&self, polls: &Polls) -> usize {
        self.polls
            .get(&(polls.source.to_string(), polls.run().to_string()))
            .map_or(0, BTreeMap::len)
    }

    /// Every poll up to `count` arrived, and exactly once after repeats were dropped.
    pub(crate) fn assert_exactly(&self, polls: &Polls, count: u64) {
        let got = &self.polls[&(polls.source.to_string(), polls.run().to_string())];
        let expected: BTreeMap<u64, u32> = (0..count).map(|n| (n, 1)).collect();
        assert_eq!(got, &expected);
    }

    fn data(&mut self, payload: &[u8]) {
        if payload.starts_with(b"{") {
            return self.poll(&serde_json::from_slice(payload).unwrap());
        }
        let batch = self.dictionaries.decode(payload).unwrap();
        for record in &batch.records {
            let line: Json = serde_json::from_slice(&batch.line(record)).unwrap();
            self.poll(&line);
        }
    }

    fn poll(&mut self, line: &Json) {
        if self.is_new(line) {
            let text = |field: &str| line[field].as_str().unwrap_or_default().to_owned();
            let n = line["n"].as_u64().unwrap_or_default();
            *self
                .polls
                .entry((text("source"), text("run")))
                .or_default()
                .entry(n)
                .or_default() += 1;
        }
    }

    fn urgent(&mut self, payload: &[u8]) {
        let line: Json = serde_json::from_slice(payload).unwrap();
        if self.is_new(&line) {
            self.urgent.push((
                line["topic"].as_str().unwrap().to_owned(),
                line["payload"].clone(),
            ));
        }
    }

    fn is_new(&mut self, line: &Json) -> bool {
        let text = |field: &str| line[field].as_str().unwrap().to_owned();
        let is_new =
            self.keys
                .insert((text("class"), text("stream"), line["seq"].as_u64().unwrap()));
        self.repeats += u64::from(!is_new);
        is_new
    }
}

/// Waits until the retained health of the uplink says what is wanted.
pub(crate) async fn health_says(client: &mut Client, what: &str, is_it: impl Fn(&Json) -> bool) {
    client
        .until(what, |seen| {
            let last = seen
                .messages
                .iter()
                .rev()
                .find(|message| message.topic == "tm/v1/health/uplink");
            last.and_then(|message| serde_json::from_slice(&message.payload).ok())
                .is_some_and(|health| is_it(&health))
        })
        .await;
}

/// Whether a health message gives a code among its reasons.
pub(crate) fn has_reason(health: &Json, code: &str) -> bool {
    health["reasons"]
        .as_array()
        .is_some_and(|reasons| reasons.iter().any(|reason| reason["code"] == code))
}

/// A filter for all of the cloud.
pub(crate) const EVERYTHING: &[&str] = &["tm/#"];

/// A source, once the uplink's subscription stands.
pub(crate) async fn standing(world: &World) -> Client {
    let mut source = Client::connect(
        "source",
        &world.bus,
        &["tm/v1/health/+", "tm/v1/state/+", "tm/v1/event/+"],
    )
    .await;
    health_says(&mut source, "an uplink that takes measurements", |health| {
        health["status"] != "down"
    })
    .await;
    source
}

/// Waits until so many messages were taken, and so many records of them wait on flash.
pub(crate) async fn on_flash(source: &mut Client, taken: u64, waiting: u64) {
    source
        .until("the records on flash", |seen| {
            let states = seen.messages.iter().rev();
            let mut states = states.filter(|message| message.topic == "tm/v1/state/uplink");
            let state = states.next().map(|message| &message.payload);
            state.is_some_and(|state| {
                let state: Json = serde_json::from_slice(state).unwrap();
                state["messages_received"] == taken
                    && state["journal"]["records_pending"] == waiting
            })
        })
        .await;
}

/// Waits until the first `count` polls have arrived; each did exactly once.
pub(crate) async fn arrive(collector: &mut Client, polls: &Polls, count: u64) {
    collector
        .until("all polls", |seen| {
            seen.arrived.count(polls) as u64 >= count
        })
        .await;
    collector.seen.arrived.assert_exactly(polls, count);
}

/// Waits for something while the manual clock runs fifty times as fast as the world.
pub(crate) async fn while_time_passes(hand: &ManualClock, wait: impl Future<Output = ()>) {
    let mut ticking = tokio::time::interval(Duration::from_millis(10));
    let time = async {
        loop {
            ticking.tick().await;
            hand.advance(Duration::from_millis(500));
        }
    };
    tokio::select! {
        () = time => {}
        () = wait => {}
    }
}
