//! A node under test.

#![allow(
    dead_code,
    unused_imports,
    reason = "each test file uses its part of the rig"
)]

mod host;

use tm_sparkplug::{
    Config, Connect, EdgeNode, Effect, Event, Id, Message, Metric, Payload, Record, WireValue,
    decode,
};
use tm_types::{BootId, Clock, Point, PointName, Poll, Reading, Source, Stamp, Timestamp, Unit};

pub(crate) use host::{Host, Told};

/// 2026-09-21T14:13:20.000Z.
pub(crate) const START_MS: i64 = 1_790_000_000_000;

pub(crate) fn config() -> Config {
    Config::new(Id::new("kyiv").unwrap(), Id::new("shafa-7").unwrap())
}

pub(crate) fn config_with_host() -> Config {
    Config {
        primary_host: Some(Id::new("scada").unwrap()),
        ..config()
    }
}

pub(crate) const STATE: &str = "spBv1.0/STATE/scada";
pub(crate) const NCMD: &str = "spBv1.0/kyiv/NCMD/shafa-7";

/// A node with its time.
pub(crate) struct Rig {
    pub(crate) node: EdgeNode,
    pub(crate) now: Stamp,
}

impl Rig {
    pub(crate) fn new(config: Config) -> Self {
        Self {
            node: EdgeNode::new(config, 7),
            now: Stamp {
                time: Timestamp::of_unix_ms(START_MS),
                mono_ms: 60_000,
                boot: BootId(7),
                clock: Clock::Ntp,
                err_ms: None,
            },
        }
    }

    /// A node without a host, connected, with `tank` and `gnss` born.
    pub(crate) fn born() -> (Self, Vec<Sent>) {
        let mut rig = Self::new(config());
        rig.remember("tank", vec![point("level", 3)]);
        rig.remember("gnss", vec![point("satellites", 9)]);
        rig.begin(0);
        let sent = rig.on(Event::Connected).sent;
        (rig, sent)
    }

    pub(crate) fn begin(&mut self, server: u32) -> Connect {
        let mut effects = Vec::new();
        let connect = self.node.begin(server, &self.now, &mut effects);
        assert_eq!(effects, [], "the connection before was not ended");
        connect
    }

    pub(crate) fn wait(&mut self, ms: u64) {
        self.now.mono_ms += ms;
        self.now.time = self.now.time.plus_ms(i64::try_from(ms).unwrap());
    }

    pub(crate) fn on(&mut self, event: Event<'_>) -> Outcome {
        let mut effects = Vec::new();
        self.node.on(event, &self.now, &mut effects);
        Outcome::of(effects)
    }

    pub(crate) fn message(&mut self, topic: &str, payload: &[u8]) -> Outcome {
        self.on(Event::Message { topic, payload })
    }

    pub(crate) fn state(&mut self, is_online: bool, timestamp: u64) -> Outcome {
        let json = format!(r#"{{"online":{is_online},"timestamp":{timestamp}}}"#);
        self.message(STATE, json.as_bytes())
    }

    pub(crate) fn poll(&self, points: Vec<Point>) -> Poll {
        Poll {
            sequence: None,
            stamp: self.now,
            points,
        }
    }

    pub(crate) fn remember(&mut self, source: &str, points: Vec<Point>) {
        let poll = self.poll(points);
        self.node
            .remember(&Source::new(source).unwrap(), &poll, &self.now);
    }

    /// A record of now.
    pub(crate) fn live(&mut self, key: u64, source: &str, points: Vec<Point>) -> Outcome {
        let poll = self.poll(points);
        self.record(key, source, &poll, false)
    }

    /// A record of a minute ago.
    pub(crate) fn backlog(&mut self, key: u64, source: &str, points: Vec<Point>) -> Outcome {
        let mut poll = self.poll(points);
        poll.stamp.mono_ms -= 60_000;
        poll.stamp.time = poll.stamp.time.plus_ms(-60_000);
        self.record(key, source, &poll, true)
    }

    pub(crate) fn record(
        &mut self,
        key: u64,
        source: &str,
        poll: &Poll,
        is_backlog: bool,
    ) -> Outcome {
        self.on(Event::Records(&[Record {
            key,
            source: &Source::new(source).unwrap(),
            poll,
            is_backlog,
        }]))
    }
}

/// What came out, by kind.
pub(crate) struct Outcome {
    pub(crate) effects: Vec<Effect>,
    pub(crate) sent: Vec<Sent>,
}

impl Outcome {
    fn of(effects: Vec<Effect>) -> Self {
        let sent = effects.iter().filter_map(|effect| match effect {
            Effect::Publish(message) => Some(Sent(message.clone())),
            _ => None,
        });
        Self {
            sent: sent.collect(),
            effects,
        }
    }

    /// The verbs of what was published.
    pub(crate) fn verbs(&self) -> Vec<&str> {
        self.sent.iter().map(Sent::verb).collect()
    }

    /// The only message.
    pub(crate) fn only(mut self) -> Sent {
        assert_eq!(self.sent.len(), 1, "{:?}", self.verbs());
        self.sent.remove(0)
    }
}

/// The connection broke.
pub(crate) const GONE: Event<'_> = Event::Disconnected {
    connect_was_sent: true,
};

/// The last fence among the effects.
pub(crate) fn fence(effects: &[Effect]) -> u64 {
    let mut fences = effects.iter().filter_map(|effect| match effect {
        Effect::Fence(fence) => Some(*fence),
        _ => None,
    });
    fences.next_back().expect("a fence")
}

/// A published message.
#[derive(Clone, Debug)]
pub(crate) struct Sent(pub(crate) Message);

impl Sent {
    pub(crate) fn topic(&self) -> &str {
        &self.0.topic
    }

    pub(crate) fn verb(&self) -> &str {
        self.topic().split('/').nth(2).unwrap()
    }

    pub(crate) fn seq(&self) -> Option<u64> {
        decode(&self.0.payload).unwrap().seq
    }

    pub(crate) fn timestamp(&self) -> Option<u64> {
        decode(&self.0.payload).unwrap().timestamp
    }

    pub(crate) fn metrics(&self) -> Vec<Metric<'_>> {
        decode(&self.0.payload).unwrap().metrics
    }

    /// A metric by its name.
    pub(crate) fn metric(&self, name: &str) -> Metric<'_> {
        let metrics = self.metrics();
        let found = metrics.into_iter().find(|m| m.name == Some(name));
        found.unwrap_or_else(|| panic!("{name} is not in {self:?}"))
    }
}

/// A property's value, if it is there and not null.
pub(crate) fn property<'a>(metric: &Metric<'a>, key: &str) -> Option<WireValue<'a>> {
    let mut found = metric.properties.iter().filter(|p| p.key == key);
    found.next().and_then(|p| p.value)
}

pub(crate) fn point(name: &str, reading: impl Into<Reading>) -> Point {
    Point::gauge(PointName::new(name).unwrap(), Unit::NONE, reading)
}

/// A request for a birth, as a host writes it.
pub(crate) fn rebirth_request() -> Vec<u8> {
    let payload = Payload {
        timestamp: Some(1),
        metrics: vec![Metric {
            name: Some("Node Control/Rebirth"),
            value: Some(WireValue::Boolean(true)),
            ..Metric::default()
        }],
        ..Payload::default()
    };
    payload.encode()
}
