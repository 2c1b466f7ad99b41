//! What becomes of each record, and a node that is treated in every order.

#![expect(clippy::unwrap_used, reason = "a test may panic, its helpers too")]

mod rig;

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use rig::{GONE, Host, NCMD, Rig, config, config_with_host, fence, point, rebirth_request};
use tm_sparkplug::{Config, Effect, Event, Next, Record};
use tm_types::{Point, Reading, Reason, Source, Value};

#[test]
fn a_record_is_delivered_when_the_fence_behind_it_is_answered() {
    let (mut rig, _) = Rig::born();
    rig.live(1, "tank", vec![point("level", 1)]);
    rig.live(2, "gnss", vec![point("satellites", 1)]);
    assert_eq!(rig.node.deadline_ms(), Some(90_000));
    rig.wait(30_000);
    let behind = fence(&rig.on(Event::Tick).effects);
    rig.live(3, "tank", vec![point("level", 2)]);
    let delivered = rig.on(Event::Fenced(behind)).effects;
    assert_eq!(delivered, [Effect::Delivered(1), Effect::Delivered(2)]);
    assert_eq!(rig.on(GONE).effects, [Effect::Returned(3)]);
    assert_eq!(rig.on(GONE).effects, []);
}

#[test]
fn a_connection_that_nobody_ended_vouches_for_nothing_either() {
    let (mut rig, _) = Rig::born();
    rig.live(1, "tank", vec![point("level", 1)]);
    let mut effects = Vec::new();
    rig.node.begin(0, &rig.now, &mut effects);
    assert_eq!(effects, [Effect::Returned(1)]);
}

#[test]
fn many_records_are_fenced_without_waiting() {
    let (mut rig, _) = Rig::born();
    for key in 0..255 {
        let sent = rig.live(key, "tank", vec![point("level", 1)]);
        assert_eq!(sent.verbs(), ["DDATA"]);
        assert_eq!(sent.effects.len(), 1);
    }
    let last = rig.live(255, "tank", vec![point("level", 1)]);
    assert_eq!(fence(&last.effects), 0);
}

#[test]
fn records_on_their_way_have_a_bound() {
    let mut rig = Rig::new(Config {
        records_max: 2,
        ..config()
    });
    rig.begin(0);
    rig.on(Event::Connected);
    rig.live(1, "tank", vec![point("level", 1)]);
    rig.live(2, "tank", vec![point("level", 1)]);
    assert!(!rig.node.is_ready());
    // What it brings that is new is not forgotten, though it comes back.
    let third = rig.live(3, "tank", vec![point("ph", 7)]);
    assert_eq!(third.effects, [Effect::Returned(3)]);
    rig.wait(30_000);
    let behind = fence(&rig.on(Event::Tick).effects);
    rig.on(Event::Fenced(behind));
    let again = rig.backlog(3, "tank", vec![point("ph", 7)]);
    assert_eq!(again.verbs(), ["DBIRTH", "DDATA"]);
}

#[test]
fn with_a_host_records_are_held_for_as_long_as_it_may_have_been_gone() {
    let mut rig = Rig::new(Config {
        hold: Duration::from_secs(40),
        ..config_with_host()
    });
    rig.begin(0);
    rig.on(Event::Connected);
    rig.state(true, 5);
    rig.live(1, "tank", vec![point("level", 1)]);
    rig.wait(30_000);
    let behind = fence(&rig.on(Event::Tick).effects);
    rig.live(2, "tank", vec![point("level", 2)]);
    assert_eq!(rig.on(Event::Fenced(behind)).effects, []);
    assert_eq!(rig.node.deadline_ms(), Some(100_000));
    rig.wait(10_000);
    assert_eq!(rig.on(Event::Tick).effects, [Effect::Delivered(1)]);
    let away = rig.state(false, 6);
    assert_eq!(away.verbs(), ["NDEATH"]);
    let rest = [Effect::Disconnect(Next::SameServer), Effect::Returned(2)];
    assert_eq!(away.effects[1..], rest);
}

#[test]
fn nothing_is_sent_after_the_end() {
    let (mut rig, _) = Rig::born();
    rig.live(1, "tank", vec![point("level", 1)]);
    let end = rig.on(Event::Stop);
    assert_eq!(end.verbs(), ["NDEATH"]);
    let rest = [Effect::Disconnect(Next::Nothing), Effect::Returned(1)];
    assert_eq!(end.effects[1..], rest);
    let late = rig.live(2, "tank", vec![point("level", 1)]);
    assert_eq!(late.effects, [Effect::Returned(2)]);
    for event in [
        Event::Tick,
        Event::Connected,
        Event::Stop,
        Event::Fenced(0),
        GONE,
    ] {
        assert_eq!(rig.on(event).effects, []);
    }
    assert!(rig.message(NCMD, &rebirth_request()).effects.is_empty());
    assert_eq!(rig.node.deadline_ms(), None);
}

#[test]
fn records_that_waited_share_a_message() {
    let (mut rig, births) = Rig::born();
    let (tank, gnss) = (Source::new("tank").unwrap(), Source::new("gnss").unwrap());
    let level = rig.poll(vec![point("level", 1), point("level", 2)]);
    let many = rig.poll(vec![point("level", 1); 500]);
    let satellites = rig.poll(vec![point("satellites", 1)]);
    let offers = [
        (&tank, &level, true),
        (&tank, &level, true),
        (&gnss, &satellites, true),
        (&tank, &level, false),
        (&tank, &level, true),
        (&tank, &many, true),
        (&tank, &many, true),
    ];
    let records = (0..)
        .zip(offers)
        .map(|(key, (source, poll, is_backlog))| Record {
            key,
            source,
            poll,
            is_backlog,
        });
    let records: Vec<_> = records.collect();
    let sent = rig.on(Event::Records(&records)).sent;
    let lengths = sent.iter().map(|sent| sent.metrics().len());
    assert_eq!(lengths.collect::<Vec<_>>(), [4, 1, 2, 502, 500]);
    let historical = sent.iter().map(|sent| sent.metrics()[0].is_historical);
    let expected = [true, true, false, true, true];
    assert_eq!(historical.collect::<Vec<_>>(), expected);
    assert_eq!(rig.node.in_flight(), 7);
    let mut host = Host::default();
    births.iter().chain(&sent).for_each(|sent| host.take(sent));
}

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
    Answer,
    Stop,
}

/// A record: its device, its points by name and value, and whether it waited.
type Offer = (usize, Vec<(usize, u8)>, bool);

fn act() -> impl Strategy<Value = Act> {
    let points = vec((0..4usize, 0..7u8), 0..4);
    prop_oneof![
        2 => Just(Act::Begin),
        4 => Just(Act::Connected),
        1 => Just(Act::Gone),
        3 => (prop::bool::weighted(0.8), 0..20u64).prop_map(|(on, at)| Act::State(on, at)),
        1 => Just(Act::Rebirth),
        20 => vec((0..3usize, points, any::<bool>()), 1..4).prop_map(Act::Records),
        2 => (0..3usize).prop_map(Act::Lost),
        6 => (0..40_000u64).prop_map(Act::Wait),
        4 => Just(Act::Answer),
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

/// A node, the host that follows it, and the records that are the node's.
struct Model {
    rig: Rig,
    host: Host,
    is_connected: bool,
    kept: BTreeSet<u64>,
    fences: Vec<u64>,
    key: u64,
}

impl Model {
    fn new(config: Config) -> Self {
        Self {
            rig: Rig::new(config),
            host: Host::default(),
            is_connected: false,
            kept: BTreeSet::new(),
            fences: Vec::new(),
            key: 0,
        }
    }

    fn on(&mut self, event: Event<'_>) {
        for effect in self.rig.on(event).effects {
            match effect {
                Effect::Publish(message) => {
                    assert!(self.is_connected, "published without a connection");
                    self.host.take(&rig::Sent(message));
                }
                Effect::Fence(fence) => self.fences.push(fence),
                Effect::Delivered(key) | Effect::Returned(key) => {
                    assert!(self.kept.remove(&key), "{key} is not the node's");
                }
                Effect::Disconnect(_) => self.is_connected = false,
            }
        }
        assert_eq!(self.kept.len(), self.rig.node.in_flight());
        assert_eq!(self.rig.node.is_born(), self.host.is_born());
    }

    fn offer(&mut self, offers: &[Offer]) {
        let offers = offers.iter().map(|(device, list, is_backlog)| {
            let source = Source::new(DEVICES[*device]).unwrap();
            (source, self.rig.poll(points(list)), *is_backlog)
        });
        let offers: Vec<_> = offers.collect();
        let mut records = Vec::new();
        for (source, poll, is_backlog) in &offers {
            self.key += 1;
            self.kept.insert(self.key);
            records.push(Record {
                key: self.key,
                source,
                poll,
                is_backlog: *is_backlog,
            });
        }
        self.on(Event::Records(&records));
    }

    fn act(&mut self, act: &Act) {
        match act {
            Act::Begin => {
                self.act(&Act::Gone);
                self.rig.begin(0);
                self.is_connected = true;
            }
            Act::Connected if self.is_connected => self.on(Event::Connected),
            Act::Connected => {}
            Act::Gone => {
                self.is_connected = false;
                self.host.node_died();
                self.on(GONE);
                assert_eq!(self.rig.node.in_flight(), 0);
            }
            Act::State(online, timestamp) => {
                let json = format!(r#"{{"online":{online},"timestamp":{timestamp}}}"#);
                self.on(Event::Message {
                    topic: rig::STATE,
                    payload: json.as_bytes(),
                });
            }
            Act::Rebirth => self.on(Event::Message {
                topic: NCMD,
                payload: &rebirth_request(),
            }),
            Act::Records(offers) => self.offer(offers),
            Act::Lost(device) => {
                self.on(Event::DeviceLost(&Source::new(DEVICES[*device]).unwrap()));
            }
            Act::Wait(ms) => {
                self.rig.wait(*ms);
                self.on(Event::Tick);
                let deadline = self.rig.node.deadline_ms();
                assert!(
                    deadline.is_none_or(|at| at > self.rig.now.mono_ms),
                    "due, not done"
                );
            }
            Act::Answer => {
                if let Some(fence) = self.fences.pop() {
                    self.on(Event::Fenced(fence));
                }
            }
            Act::Stop => self.on(Event::Stop),
        }
    }
}

proptest! {
    #[test]
    fn whatever_happens_the_host_can_follow_and_no_record_is_forgotten(
        acts in vec(act(), 0..120),
        has_host: bool,
        has_home: bool,
    ) {
        let config = if has_host { config_with_host() } else { config() };
        let mut model = Model::new(Config {
            home: has_home.then(|| Source::new("agent").unwrap()),
            metrics_max: 9,
            records_max: 12,
            ..config
        });
        for act in [Act::Begin, Act::Connected].iter().chain(&acts) {
            model.act(act);
        }
        model.act(&Act::Gone);
        prop_assert!(model.kept.is_empty());
    }
}
