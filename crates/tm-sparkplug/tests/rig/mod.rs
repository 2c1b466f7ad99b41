//! A node under test, and a host that believes only what the specification allows.

#![allow(dead_code, reason = "each test file uses its part of the rig")]

use std::collections::HashMap;

use tm_sparkplug::{
    Config, Connect, EdgeNode, Effect, Event, Id, Message, Metric, Payload, Record, WireValue,
    decode,
};
use tm_types::{BootId, Clock, Point, PointName, Poll, Reading, Source, Stamp, Timestamp, Unit};

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

/// Follows a node's messages and objects to what the specification forbids.
#[derive(Default)]
pub(crate) struct Host {
    /// The `seq` of the last message; `None` while the node is dead.
    seq: Option<u8>,
    /// For each living device, and for the node under "", the datatypes by alias.
    born: HashMap<String, HashMap<u64, u32>>,
    /// Data messages taken.
    pub(crate) n_data: usize,
}

impl Host {
    /// The connection is gone, and the will told it.
    pub(crate) fn node_died(&mut self) {
        self.seq = None;
        self.born.clear();
    }

    /// Whether the node lives, as far as the host knows.
    pub(crate) fn is_born(&self) -> bool {
        self.seq.is_some()
    }

    pub(crate) fn take(&mut self, sent: &Sent) {
        let levels: Vec<&str> = sent.topic().split('/').collect();
        assert_eq!(
            (levels[0], levels[1], levels[3]),
            ("spBv1.0", "kyiv", "shafa-7")
        );
        assert!(!sent.0.retain);
        let device = levels.get(4).copied().unwrap_or("").to_owned();
        let payload = decode(&sent.0.payload).unwrap();
        assert!(payload.timestamp.is_some());
        match sent.verb() {
            "NDEATH" => {
                assert_eq!(payload.seq, None);
                return self.node_died();
            }
            "NBIRTH" => {
                assert_eq!(payload.seq, Some(0));
                self.born.clear();
            }
            _ => {
                let last = self.seq.expect("a message before NBIRTH");
                assert_eq!(
                    payload.seq,
                    Some(u64::from(last.wrapping_add(1))),
                    "{sent:?}"
                );
            }
        }
        self.seq = payload.seq.map(|seq| u8::try_from(seq).unwrap());
        match sent.verb() {
            "NBIRTH" | "DBIRTH" => self.take_birth(device, &payload.metrics),
            "NDATA" | "DDATA" => self.take_data(&device, &payload.metrics),
            "DDEATH" => drop(
                self.born
                    .remove(&device)
                    .expect("the death of a dead device"),
            ),
            verb => panic!("{verb}"),
        }
    }

    fn take_birth(&mut self, device: String, metrics: &[Metric<'_>]) {
        let mut aliases = HashMap::new();
        let mut last = 0;
        let mut names = Vec::new();
        for metric in metrics {
            let timestamp = metric.timestamp.unwrap();
            assert!(timestamp >= last, "not in the order of time");
            last = timestamp;
            names.push(metric.name.unwrap().to_lowercase());
            let datatype = metric.datatype.unwrap();
            assert_eq!(metric.value.is_none(), metric.is_null);
            assert!(
                metric
                    .value
                    .is_none_or(|v| v.datatype().unwrap().code() == datatype)
            );
            assert!(!metric.is_historical);
            if let Some(alias) = metric.alias {
                let others = self.born.iter().filter(|(name, _)| **name != device);
                assert!(
                    others
                        .into_iter()
                        .all(|(_, known)| !known.contains_key(&alias))
                );
                assert_eq!(aliases.insert(alias, datatype), None, "an alias twice");
            }
        }
        names.sort();
        let n = names.len();
        names.dedup();
        assert_eq!(
            names.len(),
            n,
            "names that differ only in case, or not at all"
        );
        self.born.insert(device, aliases);
    }

    fn take_data(&mut self, device: &str, metrics: &[Metric<'_>]) {
        let known = self.born.get(device).expect("data of an unborn device");
        assert!(!metrics.is_empty());
        for metric in metrics {
            assert_eq!(metric.name, None);
            assert!(metric.timestamp.is_some());
            let born = known[&metric.alias.unwrap()];
            assert_eq!(metric.value.is_none(), metric.is_null);
            let datatype = metric.datatype.unwrap_or(born);
            assert!(
                metric
                    .value
                    .is_none_or(|v| v.datatype().unwrap().code() == datatype)
            );
            assert!(metric.datatype.is_none() || metric.is_historical);
        }
        self.n_data += 1;
    }
}
