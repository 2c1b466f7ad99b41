//! The uplink as a Sparkplug edge node, before a host that reads with a decoder and asks.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use tm_service::session::Incoming;
use tm_sim::gate::GateMode;
use tm_sparkplug::{Metric, Payload as Message, WireValue, decode};
use tm_types::{
    BootId, Clock, Point, PointName, Poll, RunId, Sequence, Stamp, Timestamp, Unit, Value,
};
use tm_uplink::{Config, Payload};

use crate::world::{
    Client, EVERYTHING, Seen, World, has_reason, health_says, standing, while_time_passes,
};

const NBIRTH: &str = "spBv1.0/tm/NBIRTH/test";
const NDEATH: &str = "spBv1.0/tm/NDEATH/test";
const NCMD: &str = "spBv1.0/tm/NCMD/test";
const STATE: &str = "spBv1.0/STATE/scada";
/// Everything that comes, but for what this test itself says.
const OF_NODES: &[&str] = &[
    "spBv1.0/+/NBIRTH/+",
    "spBv1.0/+/NDEATH/+",
    "spBv1.0/+/DBIRTH/+/+",
    "spBv1.0/+/DDATA/+/+",
    "spBv1.0/+/DDEATH/+/+",
];

/// What a host knows of the node, from the first message on.
#[derive(Default)]
struct Host {
    n_read: usize,
    /// Of the connection that is alive.
    bd_seq: Option<u64>,
    next_seq: u64,
    names: BTreeMap<u64, String>,
    births: usize,
    deaths: Vec<u64>,
    /// The values of `tank`'s `count`: told live or in a birth, and as the past.
    live: BTreeSet<u64>,
    past: BTreeSet<u64>,
}

impl Host {
    /// Reads what has come since the last time.
    fn read(&mut self, seen: &Seen) -> &Self {
        for message in seen.messages.iter().skip(self.n_read) {
            self.take(message);
        }
        self.n_read = seen.messages.len();
        self
    }

    fn take(&mut self, incoming: &Incoming) {
        let levels: Vec<&str> = incoming.topic.split('/').collect();
        if levels[0] != "spBv1.0" {
            return;
        }
        assert!(!incoming.retain);
        let message = decode(&incoming.payload).unwrap();
        match levels[2] {
            "NDEATH" => {
                assert_eq!(message.seq, None);
                // The death of an earlier connection may come late, and does not count.
                self.deaths.push(bd_seq(&message));
                if self.bd_seq == Some(bd_seq(&message)) {
                    self.bd_seq = None;
                }
                return;
            }
            "NBIRTH" => {
                self.next_seq = 0;
                self.names.clear();
                self.bd_seq = Some(bd_seq(&message));
                self.births += 1;
            }
            _ => {}
        }
        assert!(self.bd_seq.is_some(), "{} of the dead", incoming.topic);
        assert_eq!(message.seq, Some(self.next_seq), "{}", incoming.topic);
        self.next_seq = (self.next_seq + 1) % 256;
        for metric in &message.metrics {
            self.metric(levels[2], levels.get(4).copied(), metric);
        }
    }

    fn metric(&mut self, verb: &str, device: Option<&str>, metric: &Metric<'_>) {
        let is_birth = verb.ends_with("BIRTH");
        let name = match (is_birth, metric.name, metric.alias) {
            (true, Some(name), alias) => {
                let name = format!("{}/{name}", device.unwrap_or_default());
                if let Some(alias) = alias {
                    let known = self.names.insert(alias, name.clone());
                    assert!(known.is_none_or(|known| known == name), "{alias} twice");
                }
                name
            }
            (false, None, Some(alias)) => self.names[&alias].clone(),
            other => panic!("{verb} with {other:?}"),
        };
        if let ("tank/count", Some(WireValue::Long(value))) = (name.as_str(), metric.value) {
            let values = if metric.is_historical {
                &mut self.past
            } else {
                &mut self.live
            };
            values.insert(value);
        }
    }

    /// The polls that are known, one way or the other.
    fn count(&self) -> u64 {
        self.live.union(&self.past).count() as u64
    }
}

/// A source that polls now.
#[derive(Default)]
struct Tank {
    next: u64,
}

impl Tank {
    fn take(&mut self, count: u64) -> Vec<(String, Bytes)> {
        let numbers = self.next..self.next + count;
        self.next += count;
        numbers.map(poll).collect()
    }
}

/// Poll number `n`: stamped now, by a clock that is trusted.
fn poll(n: u64) -> (String, Bytes) {
    let poll = Poll {
        sequence: Some(Sequence { run: RunId(7), n }),
        stamp: Stamp {
            clock: Clock::Ntp,
            err_ms: Some(1),
            ..tm_service::Clock::system().stamp()
        },
        points: vec![
            Point::gauge(
                PointName::new("count").unwrap(),
                Unit::NONE,
                Value::from(i64::try_from(n).unwrap()),
            ),
            Point::gauge(
                PointName::new("temp").unwrap(),
                Unit::new("Cel").unwrap(),
                Value::decimal(215, 1).unwrap(),
            ),
        ],
    };
    ("tm/v1/data/tank".to_owned(), poll.to_json().into())
}

fn bd_seq(message: &Message<'_>) -> u64 {
    let metric = message
        .metrics
        .iter()
        .find(|metric| metric.name == Some("bdSeq"));
    match metric.and_then(|metric| metric.value) {
        Some(WireValue::Long(value)) => value,
        other => panic!("bdSeq is {other:?}"),
    }
}

fn rebirth() -> Vec<u8> {
    let metric = Metric {
        name: Some("Node Control/Rebirth"),
        datatype: Some(11),
        value: Some(WireValue::Boolean(true)),
        ..Metric::default()
    };
    Message {
        metrics: vec![metric],
        ..Message::default()
    }
    .encode()
}

fn config(world: &World) -> Config {
    Config {
        payload: Payload::Sparkplug,
        ..world.config()
    }
}

#[tokio::test]
async fn a_host_sees_births_and_data_and_after_a_cut_the_rest_as_the_past() {
    let world = World::new();
    let mut host = Client::connect("scada", &world.cloud, OF_NODES).await;
    let mut known = Host::default();
    let running = world.start(config(&world));
    let mut source = standing(&world).await;
    let mut polls = Tank::default();
    host.until("a birth", |seen| known.read(seen).births == 1)
        .await;
    for round in 1..=4 {
        source.publish_all(polls.take(300)).await;
        host.until("some of it", |seen| known.read(seen).count() >= round * 200)
            .await;
        world.gate.cut();
    }
    host.until("all of it", |seen| known.read(seen).count() == 1200)
        .await;
    assert!(known.births >= 2, "{}", known.births);
    assert!(!known.past.is_empty(), "what was cut off comes as the past");
    running.stop().await;
}

#[tokio::test]
async fn what_came_while_the_broker_was_away_is_told_as_the_past() {
    let world = World::new();
    world.gate.set_mode(GateMode::Refuse);
    let mut host = Client::connect("scada", &world.cloud, OF_NODES).await;
    let mut known = Host::default();
    let running = world.start(config(&world));
    let mut source = standing(&world).await;
    let mut polls = Tank::default();
    source.publish_all(polls.take(2000)).await;
    health_says(&mut source, "a broker that is away", |health| {
        has_reason(health, "uplink.unreachable")
    })
    .await;
    world.gate.set_mode(GateMode::Forward);
    host.until("all of it", |seen| known.read(seen).past.len() == 2000)
        .await;
    assert_eq!(known.births, 1);
    source
        .until("nothing to wait", |seen| {
            let states = seen.messages.iter().rev();
            let mut states = states.filter(|message| message.topic == "tm/v1/state/uplink");
            let state = states.next().map(|message| message.payload.clone());
            let state: serde_json::Value = serde_json::from_slice(&state.unwrap()).unwrap();
            state["journal"]["records_pending"] == 0
        })
        .await;
    running.stop().await;
}

#[tokio::test]
async fn a_birth_is_told_again_when_a_host_asks() {
    let world = World::new();
    let mut host = Client::connect("scada", &world.cloud, OF_NODES).await;
    let mut known = Host::default();
    let running = world.start(config(&world));
    let mut source = standing(&world).await;
    source.publish_all(Tank::default().take(3)).await;
    host.until("data", |seen| known.read(seen).count() == 3)
        .await;
    // Within five seconds of the first birth: it is put off, not dropped.
    host.publish(NCMD, rebirth()).await;
    host.until("another birth", |seen| known.read(seen).births == 2)
        .await;
    host.until("the device", |seen| {
        let last = seen.messages.last();
        last.is_some_and(|message| message.topic == "spBv1.0/tm/DBIRTH/test/tank")
    })
    .await;
    assert_eq!(known.bd_seq, Some(0), "on the same connection");
    running.stop().await;
}

#[tokio::test]
async fn a_device_dies_with_its_service() {
    let world = World::new();
    let mut host = Client::connect("scada", &world.cloud, OF_NODES).await;
    let mut known = Host::default();
    let running = world.start(config(&world));
    let mut source = standing(&world).await;
    let mut answers = Client::connect("answers", &world.bus, &["tm/v1/res/+"]).await;
    let mut polls = Tank::default();
    let last_is = |verb: &'static str| {
        let topic = format!("spBv1.0/tm/{verb}/test/tank");
        move |seen: &Seen| seen.messages.last().is_some_and(|last| last.topic == topic)
    };
    for n in 1..=2 {
        source.publish_all(polls.take(1)).await;
        host.until("the device", last_is("DBIRTH")).await;
        assert_eq!(known.read(&host.seen).live.len(), n);
        let down = r#"{"status":"down","reasons":[{"code":"service.connection_lost"}]}"#;
        source.publish_retained("tm/v1/health/tank", down).await;
        host.until("its death", last_is("DDEATH")).await;
        source
            .publish_retained("tm/v1/health/tank", r#"{"status":"up"}"#)
            .await;
        // What is no health kills nobody.
        source.publish("tm/v1/health/tank", "down").await;
        // An answer to what came behind them: they were read.
        let flush = format!(
            r#"{{"id":"f{n}","args":{{}},"ttl_ms":5000,"issuer":"test","issued_at":"2026-12-01T04:00:00.000Z"}}"#
        );
        source.publish("tm/v1/cmd/uplink/flush", flush).await;
        let answer = format!("tm/v1/res/f{n}");
        answers
            .until("an answer", |seen| {
                seen.messages.iter().any(|message| message.topic == answer)
            })
            .await;
    }
    assert_eq!(known.births, 1, "of the node");
    running.stop().await;
}

/// When messages of that topic were made, by what they say.
fn told_at<'a>(seen: &'a Seen, topic: &'a str) -> impl Iterator<Item = u64> + 'a {
    let messages = seen.messages.iter();
    messages
        .filter(move |message| message.topic == topic)
        .map(|message| decode(&message.payload).unwrap().timestamp.unwrap())
}

#[tokio::test]
async fn a_stop_is_said_and_the_next_start_has_the_next_number() {
    let world = World::new();
    let mut host = Client::connect("scada", &world.cloud, OF_NODES).await;
    let mut known = Host::default();
    for n in 0..3 {
        let running = world.start(config(&world));
        host.until("a birth", |seen| known.read(seen).bd_seq == Some(n))
            .await;
        let started = told_at(&host.seen, NBIRTH).last();
        tokio::time::sleep(Duration::from_millis(20)).await;
        running.stop().await;
        host.until("the death", |seen| known.read(seen).bd_seq.is_none())
            .await;
        // The will of the start may follow it, where the DISCONNECT did not get through any more.
        let said = told_at(&host.seen, NDEATH).max();
        assert!(said > started, "published, and not the will of the start");
    }
    // The next start may throw out the last one before that has its DISCONNECT through: then the will says it again.
    known.deaths.dedup();
    assert_eq!(known.deaths, [0, 1, 2]);
}

#[tokio::test]
async fn an_attempt_that_reaches_nobody_spends_no_number() {
    let world = World::new();
    let mut host = Client::connect("scada", &world.cloud, OF_NODES).await;
    let mut known = Host::default();
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("mqtt://{}", nobody.local_addr().unwrap());
    drop(nobody);
    // The other broker has its turn after two attempts.
    let running = world.start(Config {
        fallback_url: world.config().url,
        url: Some(url),
        ..config(&world)
    });
    host.until("a birth", |seen| known.read(seen).births == 1)
        .await;
    assert_eq!(known.bd_seq, Some(0));
    running.stop().await;
}

#[tokio::test]
async fn a_connection_that_breaks_is_told_by_the_broker() {
    let world = World::new();
    let mut host = Client::connect("scada", &world.cloud, OF_NODES).await;
    let mut known = Host::default();
    let running = world.start(config(&world));
    host.until("a birth", |seen| known.read(seen).births == 1)
        .await;
    world.gate.cut();
    host.until("the will", |seen| known.read(seen).deaths == [0])
        .await;
    host.until("a birth", |seen| known.read(seen).bd_seq == Some(1))
        .await;
    running.stop().await;
}

#[tokio::test]
async fn without_its_primary_host_nothing_is_sent() {
    let world = World::new();
    let mut host = Client::connect("scada", &world.cloud, OF_NODES).await;
    let mut known = Host::default();
    let mut others = Client::connect("others", &world.cloud, EVERYTHING).await;
    let running = world.start(Config {
        sparkplug_host: Some("scada".parse().unwrap()),
        ..config(&world)
    });
    let mut source = standing(&world).await;
    let mut polls = Tank::default();
    source.publish_all(polls.take(50)).await;
    source.publish("tm/v1/event/gnss", "{}").await;
    health_says(&mut source, "a host that is away", |health| {
        has_reason(health, "uplink.waits_for_host") && health["status"] == "degraded"
    })
    .await;
    assert_eq!(host.seen.messages.len() + others.seen.messages.len(), 0);
    host.publish_retained(STATE, r#"{"online":true,"timestamp":1790000000000}"#)
        .await;
    host.until("all of it", |seen| known.read(seen).count() == 50)
        .await;
    others
        .until("the event", |seen| seen.arrived.urgent.len() == 1)
        .await;
    // It may have been gone already when these came: they count as held, and come again.
    host.publish_retained(STATE, r#"{"online":false,"timestamp":1790000000001}"#)
        .await;
    host.until("a death", |seen| known.read(seen).deaths == [0])
        .await;
    source.publish_all(polls.take(50)).await;
    health_says(&mut source, "a host that is away", |health| {
        has_reason(health, "uplink.waits_for_host")
    })
    .await;
    let before = host.seen.messages.len();
    assert_eq!(known.count(), 50);
    host.publish_retained(STATE, r#"{"online":true,"timestamp":1790000000002}"#)
        .await;
    host.until("the rest", |seen| known.read(seen).count() == 100)
        .await;
    host.until("the first once more, as the past", |seen| {
        let mut again = Host::default();
        seen.messages[before..]
            .iter()
            .for_each(|message| again.take(message));
        again.past.len() == 100
    })
    .await;
    running.stop().await;
}

/// A birth of 1970 cannot be taken back.
#[tokio::test]
async fn without_a_clock_there_is_no_connection() {
    let world = World::new();
    let unset = Stamp {
        time: Timestamp::EPOCH,
        mono_ms: 5000,
        boot: BootId(1),
        clock: Clock::None,
        err_ms: None,
    };
    let (cloud_host, hand) = world.host_by_hand(unset);
    let mut host = Client::connect("scada", &world.cloud, OF_NODES).await;
    let mut known = Host::default();
    let running = world.start_on(config(&world), cloud_host);
    let mut source = standing(&world).await;
    health_says(&mut source, "a clock that is not set", |health| {
        has_reason(health, "uplink.waits_for_clock")
    })
    .await;
    assert_eq!(world.gate.counts().n_connections, 0);
    hand.step_wall(Timestamp::FLOOR.unix_ms());
    hand.set_quality(Clock::Ntp, None);
    while_time_passes(
        &hand,
        host.until("a birth", |seen| known.read(seen).births == 1),
    )
    .await;
    running.stop().await;
}
