//! A node that is treated in every order, over a connection that loses what was not read.

#![expect(clippy::unwrap_used, reason = "a test may panic, its helpers too")]

mod rig;

use std::collections::{BTreeMap, VecDeque};

use proptest::collection::vec;
use proptest::prelude::*;
use rig::{
    GONE, Host, NCMD, Rig, STATE, Sent, Told, config, config_with_host, point, rebirth_request,
};
use tm_sparkplug::{Config, Effect, Event, Record};
use tm_types::{Point, Reading, Reason, Source, Value};

/// Something that may happen to a node.
#[derive(Clone, Debug)]
enum Act {
    Begin,
    Connected,
    Gone,
    State(bool, u64),
    Rebirth,
    Records(Vec<Offer>),
    Lost(usize),
    Wait(u64),
    /// The server reads so much of what was sent.
    Read(usize),
    /// The records that came back are offered again.
    Again,
    Stop,
}

/// A record: its device, its points by name and value, and whether it waited.
type Offer = (usize, Vec<(usize, u8)>, bool);

fn act() -> impl Strategy<Value = Act> {
    let points = vec((0..4usize, 0..7u8), 0..4);
    prop_oneof![
        2 => Just(Act::Begin),
        5 => Just(Act::Connected),
        1 => Just(Act::Gone),
        3 => (prop::bool::weighted(0.8), 0..20u64).prop_map(|(on, at)| Act::State(on, at)),
        1 => Just(Act::Rebirth),
        20 => vec((0..3usize, points, any::<bool>()), 1..4).prop_map(Act::Records),
        2 => (0..3usize).prop_map(Act::Lost),
        8 => (0..60_000u64).prop_map(Act::Wait),
        12 => (0..9usize).prop_map(Act::Read),
        4 => Just(Act::Again),
        1 => Just(Act::Stop),
    ]
}

const DEVICES: [&str; 3] = ["tank", "gnss", "agent"];

fn points(points: &[(usize, u8)]) -> Vec<Point> {
    let reading = |value| match value {
        0 => Reading::Missing(Reason::Timeout),
        1 => Reading::from(Value::of_f64(1.5).unwrap()),
        2 => Reading::from(true),
        3 => Reading::Bad(Value::text("dry").unwrap(), Reason::Implausible),
        _ => Reading::from(i64::from(value)),
    };
    let points = points.iter();
    points
        .map(|(name, value)| point(["level", "temp", "ph", "bdseq"][*name], reading(*value)))
        .collect()
}

/// A record as the caller keeps it.
type Kept = (Source, tm_types::Poll);

/// A node, the caller with its records, the connection, and the host behind the server.
struct Model {
    rig: Rig,
    host: Host,
    is_connected: bool,
    /// What was sent and not read yet, with the fences.
    wire: VecDeque<Effect>,
    /// Records that are the node's, and records that came back.
    given: BTreeMap<u64, Kept>,
    returned: BTreeMap<u64, Kept>,
    key: u64,
    has_home: bool,
}

impl Model {
    fn new(config: Config) -> Self {
        Self {
            has_home: config.home.is_some(),
            rig: Rig::new(config),
            host: Host::default(),
            is_connected: false,
            wire: VecDeque::new(),
            given: BTreeMap::new(),
            returned: BTreeMap::new(),
            key: 0,
        }
    }

    fn on(&mut self, event: Event<'_>) {
        let effects = self.rig.on(event).effects;
        self.carry_out(effects);
        assert_eq!(self.given.len(), self.rig.node.in_flight());
    }

    fn carry_out(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Publish(_) | Effect::Fence(_) => {
                    assert!(self.is_connected, "sent without a connection");
                    self.wire.push_back(effect);
                }
                Effect::Delivered(key) => {
                    let kept = self.given.remove(&key).expect("not the node's");
                    self.check_told(&kept);
                }
                Effect::Returned(key) => {
                    let kept = self.given.remove(&key).expect("not the node's");
                    self.returned.insert(key, kept);
                }
                Effect::Disconnect(_) => self.is_connected = false,
            }
        }
    }

    /// A record is only delivered when the host has every reading of it.
    fn check_told(&self, (source, poll): &Kept) {
        let is_home = self.has_home && source.as_str() == "agent";
        let device = if is_home { "" } else { source.as_str() };
        for point in &poll.points {
            if is_home && point.name.as_str() == "bdseq" {
                continue;
            }
            let told: Told = (
                device.to_owned(),
                point.name.to_string(),
                poll.stamp.time.unix_ms().cast_unsigned(),
                point.reading.value().map(ToString::to_string),
            );
            assert!(self.host.told.contains(&told), "{told:?} is not told");
        }
    }

    fn read(&mut self, n: usize) {
        for _ in 0..n {
            match self.wire.pop_front() {
                Some(Effect::Publish(message)) => self.host.take(&Sent(message)),
                Some(Effect::Fence(fence)) => self.on(Event::Fenced(fence)),
                _ => return,
            }
        }
    }

    fn gone(&mut self) {
        self.is_connected = false;
        self.wire.clear();
        self.host.node_died();
        self.on(GONE);
        assert_eq!(self.rig.node.in_flight(), 0);
    }

    fn offer(&mut self, offers: &[(Kept, bool)]) {
        let first = self.key + 1;
        for ((kept, _), key) in offers.iter().zip(first..) {
            self.given.insert(key, kept.clone());
            self.key = key;
        }
        let records = offers.iter().zip(first..);
        let records = records.map(|(((source, poll), is_backlog), key)| Record {
            key,
            source,
            poll,
            is_backlog: *is_backlog,
        });
        let records: Vec<_> = records.collect();
        self.on(Event::Records(&records));
    }

    fn act(&mut self, act: &Act) {
        match act {
            Act::Begin => {
                self.gone();
                self.rig.begin(0);
                self.is_connected = true;
            }
            Act::Connected if self.is_connected => self.on(Event::Connected),
            Act::Connected => {}
            Act::Gone => self.gone(),
            Act::State(online, timestamp) => {
                let json = format!(r#"{{"online":{online},"timestamp":{timestamp}}}"#);
                self.on(Event::Message {
                    topic: STATE,
                    payload: json.as_bytes(),
                });
            }
            Act::Rebirth => self.on(Event::Message {
                topic: NCMD,
                payload: &rebirth_request(),
            }),
            Act::Records(offers) => {
                let offers = offers.iter().map(|(device, list, is_backlog)| {
                    let source = Source::new(DEVICES[*device]).unwrap();
                    ((source, self.rig.poll(points(list))), *is_backlog)
                });
                let offers: Vec<_> = offers.collect();
                self.offer(&offers);
            }
            Act::Again => {
                let back = std::mem::take(&mut self.returned);
                let offers: Vec<_> = back.into_values().map(|kept| (kept, true)).collect();
                self.offer(&offers);
            }
            Act::Lost(device) => {
                self.on(Event::DeviceLost(&Source::new(DEVICES[*device]).unwrap()));
            }
            Act::Wait(ms) => {
                self.rig.wait(*ms);
                self.on(Event::Tick);
                let deadline = self.rig.node.deadline_ms();
                let is_ahead = deadline.is_none_or(|at| at > self.rig.now.mono_ms);
                assert!(is_ahead, "due, and not done");
            }
            Act::Read(n) => self.read(*n),
            Act::Stop => self.on(Event::Stop),
        }
    }

    /// In quiet times all that was offered arrives.
    fn settle(&mut self) {
        self.act(&Act::Begin);
        self.act(&Act::Connected);
        self.act(&Act::State(true, 99));
        for _ in 0..99 {
            self.act(&Act::Again);
            self.read(usize::MAX);
            self.act(&Act::Wait(120_000));
            self.read(usize::MAX);
        }
    }
}

proptest! {
    #[test]
    fn whatever_happens_every_record_arrives_and_the_host_can_follow(
        acts in vec(act(), 0..120),
        has_host: bool,
        has_home: bool,
    ) {
        let config = if has_host { config_with_host() } else { config() };
        let mut model = Model::new(Config {
            home: has_home.then(|| Source::new("agent").unwrap()),
            records_max: 12,
            ..config
        });
        for act in [Act::Begin, Act::Connected].iter().chain(&acts) {
            model.act(act);
        }
        model.settle();
        prop_assert!(model.given.is_empty() && model.returned.is_empty());
    }
}
