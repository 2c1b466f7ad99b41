//! Links as the field has them: slow, nearly dead, far away, and brokers that come back as others.

use std::time::Duration;

use tm_service::Clock;
use tm_sim::broker::Broker;
use tm_sim::gate::GateMode;
use tm_uplink::{Config, Payload};

use crate::world::{
    Client, EVERYTHING, Polls, World, arrive, has_reason, health_says, on_flash, standing,
    while_time_passes,
};

async fn connected(source: &mut Client) {
    health_says(source, "a cloud", |health| {
        health["status"] == "up" && health["reasons"] == serde_json::json!([])
    })
    .await;
}

#[tokio::test]
async fn two_hundred_bytes_a_second_are_enough() {
    let world = World::new();
    let mut collector = Client::connect("collector", &world.cloud, EVERYTHING).await;
    world.gate.set_rate(Some(200));
    let running = world.start(world.config());
    let mut source = standing(&world).await;
    let mut polls = Polls::of("tank", 7);
    source.publish_all(polls.take(60)).await;
    arrive(&mut collector, &polls, 60).await;
    running.stop().await;
}

#[tokio::test]
async fn one_byte_a_second_is_no_storm_of_connections_and_holds_no_memory() {
    let world = World::new();
    let mut collector = Client::connect("collector", &world.cloud, EVERYTHING).await;
    let (host, hand) = world.host_by_hand(Clock::system().stamp());
    let running = world.start_on(
        Config {
            payload: Payload::Json,
            ..world.config()
        },
        host,
    );
    let mut source = standing(&world).await;
    connected(&mut source).await;
    world.gate.set_rate(Some(1));
    let before = world.gate.counts();
    let mut polls = Polls::of("tank", 7);
    while_time_passes(&hand, source.publish_all(polls.take(3000))).await;
    while_time_passes(
        &hand,
        health_says(&mut source, "a stall", |health| {
            has_reason(health, "uplink.stalled")
        }),
    )
    .await;
    // Ten further minutes by the uplink's clock, with one connection being made: its own deadline is not over.
    for _ in 0..600 {
        hand.advance(Duration::from_secs(1));
        tokio::task::yield_now().await;
    }
    let after = world.gate.counts();
    assert!(after.n_connections - before.n_connections <= 2, "{after:?}");
    // What is under way is bounded, whatever waits: some messages in the sockets, and not 3000.
    assert!(after.to_target - before.to_target < 1_000, "{after:?}");
    world.gate.set_rate(None);
    while_time_passes(&hand, arrive(&mut collector, &polls, 3000)).await;
    running.stop().await;
}

/// A third of the segments lost on a path of 3 s: TCP delivers all of it, in order, after long pauses.
#[tokio::test]
async fn a_path_of_three_seconds_that_stops_a_third_of_the_time_delivers() {
    let world = World::new();
    let mut collector = Client::connect("collector", &world.cloud, EVERYTHING).await;
    world.gate.set_delay(Duration::from_millis(1_500));
    let running = world.start(world.config());
    let mut source = standing(&world).await;
    let mut polls = Polls::of("tank", 7);
    let stops = async {
        for mode in [GateMode::Forward, GateMode::Forward, GateMode::Stall]
            .into_iter()
            .cycle()
        {
            world.gate.set_mode(mode);
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    };
    let all = async {
        for round in 1..=3 {
            source.publish_all(polls.take(100)).await;
            arrive(&mut collector, &polls, round * 100).await;
        }
    };
    tokio::select! {
        () = stops => {}
        () = all => {}
    }
    assert_eq!(collector.seen.arrived.repeats, 0);
    assert_eq!(world.gate.counts().n_connections, 1);
    running.stop().await;
}

#[tokio::test]
async fn a_broker_that_comes_back_empty_gets_the_rest_and_the_health() {
    let world = World::new();
    let mut collector = Client::connect("collector", &world.cloud, EVERYTHING).await;
    let running = world.start(world.config());
    let mut source = standing(&world).await;
    let mut polls = Polls::of("tank", 7);
    source.publish_all(polls.take(50)).await;
    arrive(&mut collector, &polls, 50).await;
    on_flash(&mut source, 50, 0).await;
    // Another broker in its place: no session, no subscription, nothing retained.
    world.gate.set_mode(GateMode::Refuse);
    world.gate.cut();
    let empty = Broker::start().unwrap();
    let mut other = Client::connect("other", &empty, EVERYTHING).await;
    world.gate.set_target(empty.address());
    source.publish_all(polls.take(50)).await;
    world.gate.set_mode(GateMode::Forward);
    other
        .until("the rest", |seen| seen.arrived.count(&polls) >= 50)
        .await;
    let healths = other
        .seen
        .messages
        .iter()
        .filter(|m| m.topic == "tm/test/health");
    assert!(healths.count() >= 1);
    // Nothing that the first one acknowledged comes again.
    assert_eq!(other.seen.arrived.count(&polls), 50);
    running.stop().await;
}

#[tokio::test]
async fn a_wall_clock_that_jumps_during_a_backlog_delays_and_reorders_nothing() {
    const YEARS_MS: i64 = 10 * 365 * 86_400_000;
    let world = World::new();
    let mut collector = Client::connect("collector", &world.cloud, EVERYTHING).await;
    let (host, hand) = world.host_by_hand(Clock::system().stamp());
    world.gate.set_mode(GateMode::Refuse);
    let running = world.start_on(world.config(), host);
    let mut source = standing(&world).await;
    let mut polls = Polls::of("tank", 7);
    for step in [YEARS_MS, -2 * YEARS_MS, YEARS_MS] {
        while_time_passes(&hand, source.publish_all(polls.take(300))).await;
        hand.step_wall(step);
    }
    world.gate.set_mode(GateMode::Forward);
    for (count, step) in [(1000, -YEARS_MS), (1100, YEARS_MS)] {
        source.publish_all(polls.take(100)).await;
        while_time_passes(&hand, arrive(&mut collector, &polls, count)).await;
        hand.step_wall(step);
    }
    assert_eq!(collector.seen.arrived.repeats, 0);
    running.stop().await;
}
