//! What the bus brings arrives at the cloud, whatever happens to the link between.

use serde_json::Value as Json;

use crate::world::{
    Client, EVERYTHING, Polls, Seen, World, arrive, has_reason, health_says, standing,
};
use tm_service::session::Incoming;
use tm_sim::gate::GateMode;
use tm_uplink::{Config, Payload};

#[tokio::test]
async fn measurements_arrive_in_columns_and_as_json() {
    for payload in [Payload::Columns, Payload::Json] {
        let world = World::new();
        let mut collector = Client::connect("collector", &world.cloud, EVERYTHING).await;
        let running = world.start(Config {
            payload,
            ..world.config()
        });
        let mut source = standing(&world).await;
        let mut polls = Polls::of("tank", 7);
        source.publish_all(polls.take(300)).await;
        arrive(&mut collector, &polls, 300).await;
        running.stop().await;
    }
}

#[tokio::test]
async fn events_alarms_and_results_are_wrapped_and_overtake() {
    let world = World::new();
    let mut collector = Client::connect("collector", &world.cloud, EVERYTHING).await;
    let running = world.start(Config {
        batch_s: Some(3600),
        ..world.config()
    });
    let mut source = standing(&world).await;
    source.publish_all(Polls::of("tank", 7).take(3)).await;
    source
        .publish("tm/v1/event/gnss", r#"{"severity":"info"}"#)
        .await;
    source.publish("tm/v1/alarm/door", r#"{"id":"door"}"#).await;
    source.publish("tm/v1/alarm/door", "").await;
    source.publish("tm/v1/res/op-1", r#"{"id":"op-1"}"#).await;
    collector
        .until("four messages", |seen| seen.arrived.urgent.len() >= 4)
        .await;
    let arrived = &collector.seen.arrived;
    let topics: Vec<&str> = arrived
        .urgent
        .iter()
        .map(|(topic, _)| topic.as_str())
        .collect();
    assert_eq!(
        topics,
        [
            "tm/v1/event/gnss",
            "tm/v1/alarm/door",
            "tm/v1/alarm/door",
            "tm/v1/res/op-1"
        ]
    );
    assert!(arrived.urgent[2].1.is_null(), "the alarm is cleared");
    assert!(arrived.polls.is_empty(), "the batch is not due for an hour");
    let kinds: Vec<&str> = collector
        .seen
        .messages
        .iter()
        .map(|message| message.topic.as_str())
        .filter(|topic| !topic.ends_with("health"))
        .collect();
    assert_eq!(
        kinds,
        [
            "tm/test/event",
            "tm/test/alarm",
            "tm/test/alarm",
            "tm/test/res"
        ]
    );
    running.stop().await;
}

#[tokio::test]
async fn live_batches_lean_on_a_dictionary_that_is_announced_on_every_connection() {
    let world = World::new();
    let mut collector = Client::connect("collector", &world.cloud, EVERYTHING).await;
    let running = world.start(world.config());
    let mut source = standing(&world).await;
    let mut polls = Polls::of("tank", 7);
    for connection in 1..=2 {
        // On connecting it says so: once what was sent before has gone.
        let is_up = |seen: &Seen| {
            let healths = seen.messages.iter();
            let healths = healths.filter(|message| message.topic == "tm/test/health");
            let ups = healths.filter(|message| {
                let health: Json = serde_json::from_slice(&message.payload).unwrap();
                health["status"] != "down"
            });
            ups.count() as u64 == connection
        };
        collector.until("a connection", is_up).await;
        for batch in 1..=2 {
            source.publish_all(polls.take(1)).await;
            arrive(&mut collector, &polls, connection * 2 + batch - 2).await;
        }
        // Whoever subscribes now has what was said before.
        let mut late = Client::connect("late", &world.cloud, &["tm/test/data"]).await;
        let is_there = |seen: &Seen| seen.messages.iter().any(is_announcement);
        late.until("the dictionary", is_there).await;
        assert_eq!(late.seen.messages.len(), 1);
        world.gate.cut();
    }
    let data = collector.seen.messages.iter();
    let kinds = data
        .filter(|message| message.topic == "tm/test/data")
        .map(|message| (is_announcement(message), message.payload.starts_with(b"x")));
    let (announced, leaning, alone) = ((true, false), (false, true), (false, false));
    let kinds: Vec<_> = kinds.filter(|kind| *kind != alone).collect();
    assert_eq!(
        kinds,
        [announced, leaning, leaning, announced, leaning, leaning]
    );
    running.stop().await;
}

#[tokio::test]
async fn without_a_dictionary_every_batch_stands_alone() {
    let world = World::new();
    let mut collector = Client::connect("collector", &world.cloud, EVERYTHING).await;
    let running = world.start(Config {
        dictionary: false,
        ..world.config()
    });
    let mut source = standing(&world).await;
    let mut polls = Polls::of("tank", 7);
    for count in 1..=2 {
        source.publish_all(polls.take(1)).await;
        arrive(&mut collector, &polls, count).await;
    }
    let data = collector.seen.messages.iter();
    let data: Vec<_> = data
        .filter(|message| message.topic == "tm/test/data")
        .map(|message| tm_columns::decode(&message.payload).unwrap().records.len())
        .collect();
    assert_eq!(data, [1, 1]);
    running.stop().await;
}

fn is_announcement(message: &Incoming) -> bool {
    tm_columns::unpack(&message.payload)
        .is_ok_and(|json| json.starts_with(b"{\"v\":1,\"dictionary\":"))
}

/// A crew on site wants to see something now.
#[tokio::test]
async fn what_was_collected_goes_out_when_asked_for_and_another_profile_is_quicker() {
    let world = World::new();
    let mut collector = Client::connect("collector", &world.cloud, EVERYTHING).await;
    let running = world.start(Config {
        batch_s: Some(3600),
        ..world.config()
    });
    let mut source = standing(&world).await;
    let mut polls = Polls::of("tank", 7);
    source.publish_all(polls.take(3)).await;
    let state = |seen: &crate::world::Seen| {
        let states = seen.messages.iter().rev();
        let mut states = states.filter(|message| message.topic == "tm/v1/state/uplink");
        let newest = states.next().map(|message| message.payload.clone());
        newest.map_or(serde_json::Value::Null, |payload| {
            serde_json::from_slice(&payload).unwrap()
        })
    };
    // Only what is on flash can be sent.
    source
        .until("three on flash", |seen| {
            state(seen)["journal"]["records_pending"] == 3
        })
        .await;
    let ask = |id: &str, args: &str| {
        format!(
            r#"{{"id":"{id}","args":{args},"ttl_ms":5000,"issuer":"test","issued_at":"2026-11-23T08:00:00.000Z"}}"#
        )
    };
    source
        .publish("tm/v1/cmd/uplink/flush", ask("f", "{}"))
        .await;
    arrive(&mut collector, &polls, 3).await;
    source
        .publish(
            "tm/v1/cmd/uplink/profile",
            ask("p", r#"{"profile":"live","for_s":600}"#),
        )
        .await;
    source
        .until("the profile", |seen| state(seen)["profile"]["batch_s"] == 5)
        .await;
    source.publish_all(polls.take(3)).await;
    arrive(&mut collector, &polls, 6).await;
    running.stop().await;
    // A choice with an end is over with the service that was told.
    let running = world.start(world.config());
    source
        .until("the configured profile", |seen| {
            state(seen)["profile"]["is_chosen"] == false && state(seen)["profile"]["batch_s"] == 1
        })
        .await;
    running.stop().await;
}

#[tokio::test]
async fn what_came_while_the_cloud_was_away_arrives_in_order() {
    let world = World::new();
    world.gate.set_mode(GateMode::Refuse);
    let mut collector = Client::connect("collector", &world.cloud, EVERYTHING).await;
    let running = world.start(world.config());
    let mut source = standing(&world).await;
    let mut polls = Polls::of("tank", 7);
    source.publish_all(polls.take(2000)).await;
    health_says(&mut source, "a cloud that is away", |health| {
        has_reason(health, "uplink.unreachable")
    })
    .await;
    world.gate.set_mode(GateMode::Forward);
    arrive(&mut collector, &polls, 2000).await;
    let arrived = &collector.seen.arrived;
    assert_eq!(arrived.repeats, 0);
    health_says(&mut source, "a cloud that is back", |health| {
        health["status"] == "up"
    })
    .await;
    running.stop().await;
}

#[tokio::test]
async fn a_connection_cut_again_and_again_loses_nothing() {
    let world = World::new();
    let mut collector = Client::connect("collector", &world.cloud, EVERYTHING).await;
    let running = world.start(Config {
        payload: Payload::Json,
        ..world.config()
    });
    let mut source = standing(&world).await;
    let mut polls = Polls::of("tank", 7);
    for round in 1..=4 {
        source.publish_all(polls.take(500)).await;
        let least = round * 250;
        collector
            .until("some of it", |seen| seen.arrived.count(&polls) >= least)
            .await;
        world.gate.cut();
    }
    arrive(&mut collector, &polls, 2000).await;
    running.stop().await;
}

#[tokio::test]
async fn an_uplink_started_again_goes_on_where_it_was() {
    let world = World::new();
    let mut collector = Client::connect("collector", &world.cloud, EVERYTHING).await;
    let mut polls = Polls::of("tank", 7);
    let running = world.start(world.config());
    let mut source = standing(&world).await;
    source.publish_all(polls.take(100)).await;
    arrive(&mut collector, &polls, 100).await;
    running.stop().await;
    // While it is away the bus keeps what comes for it.
    source.publish_all(polls.take(100)).await;
    world.gate.set_mode(GateMode::Refuse);
    let running = world.start(world.config());
    source.publish_all(polls.take(100)).await;
    health_says(&mut source, "a cloud that is away", |health| {
        has_reason(health, "uplink.unreachable")
    })
    .await;
    running.stop().await;
    world.gate.set_mode(GateMode::Forward);
    let running = world.start(world.config());
    arrive(&mut collector, &polls, 300).await;
    running.stop().await;
}
