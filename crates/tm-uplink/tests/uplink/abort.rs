//! The uplink is dropped at random moments under load, and started again: nothing is lost, nothing comes twice.

use std::time::Duration;

use tm_sim::gate::GateMode;

use crate::world::{Client, EVERYTHING, Polls, World, arrive, standing};

/// How often it is dropped.
const ROUNDS: u64 = 12;
/// Polls published in each round.
const POLLS: u64 = 400;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_uplink_dropped_at_any_moment_loses_nothing() {
    let world = World::new();
    let mut collector = Client::connect("collector", &world.cloud, EVERYTHING).await;
    let mut polls = Polls::of("tank", 7);
    // The subscription stands before anything is published.
    let running = world.start(world.config());
    let mut source = standing(&world).await;
    running.stop().await;
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    for round in 0..ROUNDS {
        world.gate.set_mode(if round % 3 == 1 {
            GateMode::Refuse
        } else {
            GateMode::Forward
        });
        let running = world.start(world.config());
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let moment = Duration::from_micros(random % 300_000);
        let messages = polls.take(POLLS);
        let (publish, ()) = tokio::join!(
            async {
                source.publish_all(messages).await;
            },
            async {
                tokio::time::sleep(moment).await;
                running.stop().await;
            }
        );
        let () = publish;
    }
    world.gate.set_mode(GateMode::Forward);
    let running = world.start(world.config());
    arrive(&mut collector, &polls, ROUNDS * POLLS).await;
    running.stop().await;
}
