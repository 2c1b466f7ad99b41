//! Bad messages, bad brokers, bad moments: nothing accepted is lost, and nothing waits behind what is bad.

use std::time::Duration;

use tm_types::UplinkState;
use tm_uplink::{Config, Payload};

use crate::world::{
    Client, EVERYTHING, Polls, Seen, World, arrive, has_reason, health_says, standing,
};

/// The newest state that the uplink has told.
fn state(seen: &Seen) -> Option<UplinkState> {
    let last = seen
        .messages
        .iter()
        .rev()
        .find(|message| message.topic == "tm/v1/state/uplink")?;
    serde_json::from_slice(&last.payload).ok()
}

/// Codes of the uplink's own events, as they arrived at the cloud.
fn codes(seen: &Seen) -> Vec<&str> {
    let events = seen
        .arrived
        .urgent
        .iter()
        .filter(|(topic, _)| topic == "tm/v1/event/uplink");
    events
        .filter_map(|(_, event)| event["cause"]["code"].as_str())
        .collect()
}

#[tokio::test]
async fn unreadable_messages_hold_nothing_up_and_are_told() {
    let world = World::new();
    let mut collector = Client::connect("collector", &world.cloud, EVERYTHING).await;
    let running = world.start(world.config());
    let mut source = standing(&world).await;
    let mut polls = Polls::of("tank", 7);
    source.publish_all(polls.take(2)).await;
    source.publish("tm/v1/data/tank", "no \"JSON\"\n").await;
    source
        .publish("tm/v1/data/Wrong_Name", r#"{"points":[]}"#)
        .await;
    source.publish("tm/v1/event/x", "{").await;
    source.publish_all(polls.take(2)).await;
    arrive(&mut collector, &polls, 4).await;
    let is_all = |seen: &Seen| codes(seen).len() >= 3;
    collector.until("what was passed over", is_all).await;
    assert!(
        codes(&collector.seen)
            .iter()
            .all(|code| code.starts_with("uplink."))
    );
    let told = collector
        .seen
        .arrived
        .urgent
        .iter()
        .find(|(_, event)| event["cause"]["args"]["topic"] == "tm/v1/data/tank");
    assert_eq!(
        told.unwrap().1["cause"]["args"]["first_bytes"],
        r#"no \"JSON\"\n"#
    );
    source
        .until("the count", |seen| {
            state(seen).is_some_and(|state| state.messages_unreadable >= 3)
        })
        .await;
    running.stop().await;
}

#[tokio::test]
async fn repeats_of_a_source_are_dropped_and_gaps_are_told() {
    let world = World::new();
    let mut collector = Client::connect("collector", &world.cloud, EVERYTHING).await;
    let running = world.start(world.config());
    let mut source = standing(&world).await;
    let mut polls = Polls::of("tank", 7);
    source.publish_all(polls.take(50)).await;
    source.publish_all((30..50).map(|n| polls.message(n))).await;
    source.publish_all(polls.take(50)).await;
    arrive(&mut collector, &polls, 100).await;
    running.stop().await;
    // What was seen is remembered across a restart.
    let running = world.start(world.config());
    source
        .publish_all((90..100).map(|n| polls.message(n)))
        .await;
    source.publish_all([polls.message(103)]).await;
    collector
        .until("the gap", |seen| codes(seen).contains(&"bus.messages_lost"))
        .await;
    let gap = collector
        .seen
        .arrived
        .urgent
        .iter()
        .find(|(_, event)| event["cause"]["code"] == "bus.messages_lost");
    assert_eq!(gap.unwrap().1["cause"]["args"]["count"], "3");
    collector
        .until("the poll behind the gap", |seen| {
            seen.arrived.count(&polls) == 101
        })
        .await;
    source
        .until("the count", |seen| {
            state(seen)
                .is_some_and(|state| state.duplicates_dropped >= 10 && state.lost_on_bus == 3)
        })
        .await;
    running.stop().await;
}

#[tokio::test]
async fn foreign_sources_are_stamped_on_receipt_and_retained_ones_ignored() {
    let world = World::new();
    let mut collector = Client::connect("collector", &world.cloud, EVERYTHING).await;
    let running = world.start(Config {
        payload: Payload::Json,
        ..world.config()
    });
    let mut source = standing(&world).await;
    let before = tm_service::Clock::system().stamp();
    source
        .publish(
            "tm/v1/data/foreign",
            r#"{"points":[{"name":"level","value":1.27,"unit":"m"}]}"#,
        )
        .await;
    collector
        .until("the measurement", |seen| {
            seen.messages
                .iter()
                .any(|message| message.topic == "tm/test/data")
        })
        .await;
    let line = collector
        .seen
        .messages
        .iter()
        .find(|message| message.topic == "tm/test/data")
        .unwrap();
    let line: serde_json::Value = serde_json::from_slice(&line.payload).unwrap();
    assert_eq!(
        (&line["source"], &line["device"], &line["class"]),
        (&"foreign".into(), &"test".into(), &"data".into())
    );
    assert_eq!(line["boot"], before.boot.to_string());
    assert!(line["mono_ms"].as_u64().unwrap() >= before.mono_ms);
    assert_eq!(line["points"][0]["quality"], "good");
    assert!(line.get("run").is_none());
    running.stop().await;
}

#[tokio::test]
async fn without_a_cloud_everything_is_kept_and_sent_once_there_is_one() {
    let world = World::new();
    let mut collector = Client::connect("collector", &world.cloud, EVERYTHING).await;
    let mut polls = Polls::of("tank", 7);
    let running = world.start(Config {
        url: None,
        ..world.config()
    });
    let mut source = standing(&world).await;
    health_says(&mut source, "no cloud", |health| {
        health["status"] == "up" && has_reason(health, "uplink.not_configured")
    })
    .await;
    source.publish_all(polls.take(500)).await;
    source
        .until("the records on disk", |seen| {
            state(seen).is_some_and(|state| {
                state.journal.records_pending == 500 && state.journal.points_pending == 1000
            })
        })
        .await;
    running.stop().await;
    let running = world.start(world.config());
    arrive(&mut collector, &polls, 500).await;
    running.stop().await;
}

#[tokio::test]
async fn a_url_that_is_none_is_told_and_nothing_is_lost() {
    let world = World::new();
    let running = world.start(Config {
        url: Some("http://example".into()),
        ..world.config()
    });
    let mut source = standing(&world).await;
    health_says(&mut source, "the bad address", |health| {
        health["status"] == "degraded" && has_reason(health, "uplink.bad_url")
    })
    .await;
    running.stop().await;
}

#[tokio::test]
async fn a_cloud_that_acknowledges_nothing_is_given_up_and_tried_again() {
    use tm_sim::gate::GateMode;
    let world = World::new();
    let mut collector = Client::connect("collector", &world.cloud, EVERYTHING).await;
    let (clock, hand) = tm_service::Clock::manual(tm_service::Clock::system().stamp());
    let host =
        tm_service::Host::for_test("uplink", world.directory.path(), &world.bus.url(), clock)
            .unwrap();
    let running = world.start_on(world.config(), host);
    let mut source = standing(&world).await;
    let mut polls = Polls::of("tank", 7);
    health_says(&mut source, "a cloud", |health| {
        health["status"] == "up" && health["reasons"] == serde_json::json!([])
    })
    .await;
    world.gate.set_mode(GateMode::Stall);
    source.publish_all(polls.take(10)).await;
    // Time passes only by hand: first the commit, then the batch, then the patience.
    let mut ticking = tokio::time::interval(Duration::from_millis(10));
    let advance = async {
        loop {
            ticking.tick().await;
            hand.advance(Duration::from_millis(500));
        }
    };
    tokio::select! {
        () = advance => {}
        () = health_says(&mut source, "a stall", |health| has_reason(health, "uplink.stalled")) => {}
    }
    world.gate.set_mode(GateMode::Refuse);
    world.gate.cut();
    world.gate.set_mode(GateMode::Forward);
    let advance = async {
        loop {
            ticking.tick().await;
            hand.advance(Duration::from_millis(500));
        }
    };
    tokio::select! {
        () = advance => {}
        () = arrive(&mut collector, &polls, 10) => {}
    }
    running.stop().await;
}

#[tokio::test]
async fn a_poor_time_waits_for_an_anchor_and_is_sent_corrected() {
    use tm_types::{BootId, Clock as Quality, Stamp, Timestamp};
    let world = World::new();
    let mut collector = Client::connect("collector", &world.cloud, EVERYTHING).await;
    let start = Stamp {
        time: Timestamp::of_unix_ms(1_000_000),
        mono_ms: 60_000,
        boot: BootId(5),
        clock: Quality::None,
        err_ms: None,
    };
    let (clock, hand) = tm_service::Clock::manual(start);
    let host =
        tm_service::Host::for_test("uplink", world.directory.path(), &world.bus.url(), clock)
            .unwrap();
    let running = world.start_on(world.config(), host);
    let mut source = standing(&world).await;
    source
        .publish(
            "tm/v1/data/foreign",
            r#"{"points":[{"name":"level","value":1}]}"#,
        )
        .await;
    let mut ticking = tokio::time::interval(Duration::from_millis(10));
    let pass = async |ticking: &mut tokio::time::Interval, seconds: u32| {
        for _ in 0..seconds {
            ticking.tick().await;
            hand.advance(Duration::from_secs(1));
        }
    };
    pass(&mut ticking, 100).await;
    // An event is not held back, and proves that a batch would have been here by now.
    source.publish("tm/v1/event/door", "{}").await;
    tokio::select! {
        () = pass(&mut ticking, 10_000) => {}
        () = collector.until("the event", |seen| !seen.arrived.urgent.is_empty()) => {}
    }
    assert!(collector.seen.arrived.polls.is_empty());
    let anchor = r#"{"boot":"00000005","mono_ms":120000,"utc":"2026-11-22T10:00:00.000Z","source":"gnss","err_ms":50}"#;
    source.publish("tm/v1/clock/gnss", anchor).await;
    tokio::select! {
        () = pass(&mut ticking, 10_000) => {}
        () = collector.until("the measurement", |seen| !seen.arrived.polls.is_empty()) => {}
    }
    let batch = collector
        .seen
        .messages
        .iter()
        .find(|message| message.topic == "tm/test/data")
        .unwrap();
    let batch = tm_columns::decode(&batch.payload).unwrap();
    let stamp = batch.records[0].poll.stamp;
    assert_eq!(stamp.clock, Quality::Estimated);
    let anchored: Timestamp = "2026-11-22T10:00:00Z".parse().unwrap();
    assert_eq!(
        stamp.time.ms_since(anchored),
        i64::try_from(stamp.mono_ms).unwrap() - 120_000
    );
    running.stop().await;
}
