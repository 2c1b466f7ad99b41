//! Bad messages, bad brokers, bad moments: nothing accepted is lost, and nothing waits behind what is bad.

use std::time::Duration;

use tm_service::Clock;
use tm_service::ManualClock;
use tm_sim::gate::GateMode;
use tm_types::{BootId, Clock as Quality, Stamp, Timestamp, UplinkState};
use tm_uplink::{Config, Payload};

use crate::world::{
    Client, EVERYTHING, Polls, Seen, World, arrive, has_reason, health_says, standing,
    while_time_passes,
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
    let now = Stamp {
        clock: Quality::Ntp,
        ..Clock::system().stamp()
    };
    let (host, hand) = world.host_by_hand(now);
    // Kept by the broker from before: whatever it says is of yesterday.
    let mut source = Client::connect("early", &world.bus, &[]).await;
    source
        .publish_retained(
            "tm/v1/data/old",
            r#"{"points":[{"name":"level","value":9}]}"#,
        )
        .await;
    let running = world.start_on(
        Config {
            payload: Payload::Json,
            ..world.config()
        },
        host,
    );
    let mut source = standing(&world).await;
    source
        .publish(
            "tm/v1/data/foreign",
            r#"{"points":[{"name":"level","value":1.27,"unit":"m"}]}"#,
        )
        .await;
    let is_there = |seen: &Seen| {
        seen.messages
            .iter()
            .any(|message| message.topic == "tm/test/data")
    };
    while_time_passes(&hand, collector.until("the measurement", is_there)).await;
    let lines: Vec<serde_json::Value> = collector
        .seen
        .messages
        .iter()
        .filter(|message| message.topic == "tm/test/data")
        .map(|message| serde_json::from_slice(&message.payload).unwrap())
        .collect();
    assert_eq!(lines.len(), 1, "{lines:?}");
    let line = &lines[0];
    assert_eq!(
        (&line["source"], &line["device"], &line["class"]),
        (&"foreign".into(), &"test".into(), &"data".into())
    );
    assert_eq!(
        (&line["boot"], &line["clock"]),
        (&now.boot.to_string().into(), &"ntp".into())
    );
    assert!(line["mono_ms"].as_u64().unwrap() >= now.mono_ms);
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
    let world = World::new();
    let mut collector = Client::connect("collector", &world.cloud, EVERYTHING).await;
    let (host, hand) = world.host_by_hand(Clock::system().stamp());
    let running = world.start_on(world.config(), host);
    let mut source = standing(&world).await;
    let mut polls = Polls::of("tank", 7);
    health_says(&mut source, "a cloud", |health| {
        health["status"] == "up" && health["reasons"] == serde_json::json!([])
    })
    .await;
    world.gate.set_mode(GateMode::Stall);
    source.publish_all(polls.take(10)).await;
    // First the commit, then the batch, then the patience.
    while_time_passes(
        &hand,
        health_says(&mut source, "a stall", |health| {
            has_reason(health, "uplink.stalled")
        }),
    )
    .await;
    world.gate.set_mode(GateMode::Refuse);
    world.gate.cut();
    world.gate.set_mode(GateMode::Forward);
    while_time_passes(&hand, arrive(&mut collector, &polls, 10)).await;
    running.stop().await;
}

/// When the machine began its boot, as it turns out.
const BEGAN: i64 = 1_790_000_000_000;

#[tokio::test]
async fn a_poor_time_waits_for_an_anchor_and_is_sent_corrected() {
    poor_time(async |_, source| {
        let utc = Timestamp::of_unix_ms(BEGAN + 120_000);
        let anchor = format!(
            r#"{{"boot":"00000005","mono_ms":120000,"utc":"{utc}","source":"gnss","err_ms":50}}"#
        );
        source.publish("tm/v1/clock/gnss", anchor).await;
    })
    .await;
}

#[tokio::test]
async fn a_poor_time_is_sent_corrected_once_somebody_sets_the_machines_clock() {
    poor_time(async |hand, _| {
        hand.step_wall(BEGAN - 940_000);
        hand.set_quality(Quality::Ntp, Some(12));
    })
    .await;
}

/// A measurement of an unset clock waits, until this has made the time known.
async fn poor_time(make_known: impl AsyncFnOnce(&ManualClock, &mut Client)) {
    let world = World::new();
    let mut collector = Client::connect("collector", &world.cloud, EVERYTHING).await;
    let start = Stamp {
        time: Timestamp::of_unix_ms(1_000_000),
        mono_ms: 60_000,
        boot: BootId(5),
        clock: Quality::None,
        err_ms: None,
    };
    let (host, hand) = world.host_by_hand(start);
    let running = world.start_on(world.config(), host);
    let mut source = standing(&world).await;
    source
        .publish(
            "tm/v1/data/foreign",
            r#"{"points":[{"name":"level","value":1}]}"#,
        )
        .await;
    // An event is not held back; when the second is there, a batch would have been, too.
    for n in 1..=2 {
        source.publish("tm/v1/event/door", "{}").await;
        let is_there = |seen: &Seen| seen.arrived.urgent.len() >= n;
        while_time_passes(&hand, collector.until("the event", is_there)).await;
        hand.advance(Duration::from_secs(10));
    }
    assert!(collector.seen.arrived.polls.is_empty());
    make_known(&hand, &mut source).await;
    let is_there = |seen: &Seen| !seen.arrived.polls.is_empty();
    while_time_passes(&hand, collector.until("the measurement", is_there)).await;
    let mut dictionaries = tm_columns::Dictionaries::default();
    let batch = collector
        .seen
        .messages
        .iter()
        .filter(|message| message.topic == "tm/test/data")
        .map(|message| dictionaries.decode(&message.payload).unwrap())
        .find(|batch| !batch.records.is_empty())
        .unwrap();
    let stamp = batch.records[0].poll.stamp;
    assert_eq!(stamp.clock, Quality::Estimated);
    assert_eq!(
        stamp.time.unix_ms() - BEGAN,
        i64::try_from(stamp.mono_ms).unwrap()
    );
    running.stop().await;
}

#[tokio::test]
async fn a_bus_that_forgets_the_session_is_told_and_served_on() {
    use tm_service::session::{Options, Session, SessionEvent};
    let world = World::new();
    let mut collector = Client::connect("collector", &world.cloud, EVERYTHING).await;
    let running = world.start(world.config());
    let mut source = standing(&world).await;
    let mut polls = Polls::of("tank", 7);
    source.publish_all(polls.take(10)).await;
    arrive(&mut collector, &polls, 10).await;
    // Somebody takes the uplink's client id with a clean session: the broker throws it out and forgets it.
    let mut thief = Session::open(Options::new(
        "tm-uplink-in",
        world.bus.url().parse().unwrap(),
    ));
    while !matches!(thief.next().await, SessionEvent::Up { .. }) {}
    thief.close(Duration::from_secs(5)).await;
    collector
        .until("the event", |seen| {
            codes(seen).contains(&"bus.session_lost")
        })
        .await;
    source.publish_all(polls.take(10)).await;
    arrive(&mut collector, &polls, 20).await;
    running.stop().await;
}

#[tokio::test]
async fn why_there_is_no_cloud_is_told() {
    let world = World::new();
    let port = world.gate.address().port();
    let cases = [
        (
            "mqtt://no-such-host.invalid".to_owned(),
            "uplink.dns_failed",
        ),
        (format!("mqtts://localhost:{port}"), "uplink.tls_failed"),
        ("mqtt://127.0.0.1:1".to_owned(), "uplink.unreachable"),
    ];
    for (url, code) in cases {
        // The file is missing: only the encrypted one looks for it.
        let ca_file = Some("/no/such/file.pem".to_owned());
        let running = world.start(Config {
            url: Some(url),
            ca_file,
            ..world.config()
        });
        let mut source = Client::connect("source", &world.bus, &["tm/v1/health/+"]).await;
        health_says(&mut source, code, |health| {
            health["status"] == "degraded" && has_reason(health, code)
        })
        .await;
        running.stop().await;
    }
}
