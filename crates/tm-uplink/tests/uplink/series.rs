//! Each series on a topic of its own.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value as Json, json};
use tm_uplink::{Config, Payload};

use crate::world::{Client, EVERYTHING, Polls, Seen, World, standing};

/// Which polls of each series have arrived, by topic.
#[derive(Default)]
struct Arrived {
    n_read: usize,
    polls: BTreeMap<String, BTreeSet<u64>>,
}

impl Arrived {
    /// Reads what has come since the last time.
    fn read(&mut self, seen: &Seen) -> &Self {
        for message in seen.messages.iter().skip(self.n_read) {
            if message.topic.starts_with("tm/test/data/") {
                let line: Json = serde_json::from_slice(&message.payload).unwrap();
                let polls = self.polls.entry(message.topic.clone()).or_default();
                polls.insert(line["n"].as_u64().unwrap());
            }
        }
        self.n_read = seen.messages.len();
        self
    }

    fn count(&self, topic: &str) -> usize {
        self.polls.get(topic).map_or(0, BTreeSet::len)
    }
}

fn config(world: &World) -> Config {
    Config {
        payload: Payload::Series,
        ..world.config()
    }
}

#[tokio::test]
async fn a_point_is_one_object_on_the_topic_of_its_series() {
    let world = World::new();
    let mut collector = Client::connect("collector", &world.cloud, EVERYTHING).await;
    let running = world.start(config(&world));
    let mut source = standing(&world).await;
    source.publish_all(Polls::of("tank", 7).take(1)).await;
    source
        .publish(
            "tm/v1/data/modem",
            r#"{"time":"2026-11-22T10:00:00.000Z","mono_ms":1,"boot":"00000001","clock":"ntp","points":[{"name":"1/rsrp","value":null,"quality":"bad","reason":"timeout","unit":"dBm"}]}"#,
        )
        .await;
    collector
        .until("three points", |seen| {
            let topics = ["tank/count", "tank/temp", "modem/1/rsrp"];
            topics.iter().all(|below| {
                seen.messages
                    .iter()
                    .any(|m| m.topic == format!("tm/test/data/{below}"))
            })
        })
        .await;
    let line = |topic: &str| -> Json {
        let message = collector.seen.messages.iter().find(|m| m.topic == topic);
        let message = message.unwrap();
        assert!(!message.retain);
        serde_json::from_slice(&message.payload).unwrap()
    };
    let temp = line("tm/test/data/tank/temp");
    let stream = temp["stream"].clone();
    assert_eq!(
        temp,
        json!({
            "device": "test", "class": "data", "stream": stream, "seq": 0, "source": "tank", "run": "00000007", "n": 0,
            "time": "2026-11-22T10:00:00.000Z", "mono_ms": 5000, "boot": "00000001", "clock": "ntp", "err_ms": 1,
            "name": "temp", "kind": "gauge", "unit": "Cel", "value": 21.5, "quality": "good", "reason": null
        })
    );
    let rsrp = line("tm/test/data/modem/1/rsrp");
    assert_eq!(
        [&rsrp["value"], &rsrp["quality"], &rsrp["reason"]],
        [&json!(null), &json!("bad"), &json!("timeout")]
    );
    assert!(rsrp.get("n").is_none());
    running.stop().await;
}

#[tokio::test]
async fn a_poll_is_settled_with_the_last_of_its_points() {
    let world = World::new();
    let mut collector = Client::connect("collector", &world.cloud, EVERYTHING).await;
    let running = world.start(config(&world));
    let mut source = standing(&world).await;
    let mut arrived = Arrived::default();
    let mut polls = Polls::of("tank", 7);
    for round in 1..=4 {
        source.publish_all(polls.take(300)).await;
        collector
            .until("some of it", |seen| {
                arrived.read(seen).count("tm/test/data/tank/temp") >= round * 150
            })
            .await;
        world.gate.cut();
    }
    // More points than the connection's window at once.
    let points: Vec<String> = (0..500)
        .map(|n| format!(r#"{{"name":"p{n}","value":{n}}}"#))
        .collect();
    let wide = format!(
        r#"{{"run":"00000009","n":3,"points":[{}]}}"#,
        points.join(",")
    );
    source.publish("tm/v1/data/wide", wide).await;
    collector
        .until("all of it", |seen| {
            let arrived = arrived.read(seen);
            let tank =
                ["count", "temp"].map(|name| arrived.count(&format!("tm/test/data/tank/{name}")));
            let wide = arrived
                .polls
                .keys()
                .filter(|topic| topic.contains("/wide/"));
            tank == [1200; 2] && wide.count() == 500
        })
        .await;
    source
        .until("nothing to wait", |seen| {
            let states = seen.messages.iter().rev();
            let mut states = states.filter(|message| message.topic == "tm/v1/state/uplink");
            states.next().is_some_and(|message| {
                let state: Json = serde_json::from_slice(&message.payload).unwrap();
                state["journal"]["records_pending"] == 0
            })
        })
        .await;
    running.stop().await;
}
