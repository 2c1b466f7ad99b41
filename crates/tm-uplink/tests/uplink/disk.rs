//! Disks that fail, fill up or are not there.

use tm_sim::gate::GateMode;
use tm_uplink::Config;

use crate::world::{Client, EVERYTHING, Polls, World, arrive, has_reason, health_says, standing};

#[tokio::test]
async fn without_a_disk_nothing_is_acknowledged_before_the_cloud_has_it() {
    let world = World::new();
    let mut collector = Client::connect("collector", &world.cloud, EVERYTHING).await;
    let directory = world.directory.path().join("journal");
    // A file where the directory should be: it can be neither made nor written.
    std::fs::write(&directory, "").unwrap();
    world.gate.set_mode(GateMode::Refuse);
    let running = world.start(world.config());
    let mut source = standing(&world).await;
    health_says(&mut source, "the missing disk", |health| {
        health["status"] == "degraded" && has_reason(health, "journal.disk_failing")
    })
    .await;
    let mut polls = Polls::of("tank", 7);
    source.publish_all(polls.take(20)).await;
    // Taken by the uplink into memory only; had it acknowledged them, they would be gone with it.
    running.stop().await;
    std::fs::remove_file(&directory).unwrap();
    world.gate.set_mode(GateMode::Forward);
    let running = world.start(world.config());
    arrive(&mut collector, &polls, 20).await;
    running.stop().await;
}

#[tokio::test]
async fn without_a_disk_measurements_are_delivered_from_memory() {
    let world = World::new();
    let mut collector = Client::connect("collector", &world.cloud, EVERYTHING).await;
    let directory = world.directory.path().join("journal");
    std::fs::write(&directory, "").unwrap();
    let running = world.start(world.config());
    let mut source = standing(&world).await;
    let mut polls = Polls::of("tank", 7);
    source.publish_all(polls.take(30)).await;
    arrive(&mut collector, &polls, 30).await;
    source.publish_all(polls.take(30)).await;
    arrive(&mut collector, &polls, 60).await;
    running.stop().await;
}

#[tokio::test]
async fn what_exceeds_the_quota_is_counted_and_told() {
    let world = World::new();
    world.gate.set_mode(GateMode::Refuse);
    let running = world.start(Config {
        quota_mib: Some(2),
        commit_ms: 10,
        ..world.config()
    });
    let mut source = standing(&world).await;
    let mut polls = Polls::of("tank", 7);
    let is_full = |seen: &crate::world::Seen| {
        let state = seen
            .messages
            .iter()
            .rev()
            .find(|message| message.topic == "tm/v1/state/uplink");
        let state = state.and_then(|message| {
            serde_json::from_slice::<tm_types::UplinkState>(&message.payload).ok()
        });
        state.is_some_and(|state| {
            state.journal.records_dropped > 0
                && state.journal.bytes_on_disk <= state.journal.quota_bytes
        })
    };
    // A text fills the journal faster than a number does: 6 MB in all.
    let text = |i| format!(r#",{{"name":"text-{i}","value":"{}"}}"#, "x".repeat(60));
    let long = (0..40).map(text).collect::<Vec<String>>().concat();
    let messages = polls.take(2500).into_iter().map(|(topic, payload)| {
        let text = String::from_utf8(payload.to_vec()).unwrap();
        (topic, text.replace("]}", &format!("{long}]}}")).into())
    });
    source.publish_all(messages).await;
    source.until("the records dropped", is_full).await;
    source
        .until("the event", |seen| {
            seen.messages.iter().any(|message| {
                message.topic == "tm/v1/event/uplink"
                    && message
                        .payload
                        .windows(23)
                        .any(|text| text == b"journal.records_dropped")
            })
        })
        .await;
    running.stop().await;
}

#[tokio::test]
async fn two_uplinks_never_share_a_journal() {
    let world = World::new();
    let running = world.start(world.config());
    let _source = standing(&world).await;
    let mut other = tokio::spawn(crate::world::run(world.config(), world.host()));
    // The second waits as long as the first is there, and takes over when it is gone.
    assert!(
        tokio::time::timeout(std::time::Duration::from_millis(300), &mut other)
            .await
            .is_err()
    );
    running.stop().await;
    let mut collector = Client::connect("collector", &world.cloud, EVERYTHING).await;
    let mut source = Client::connect("source-2", &world.bus, &[]).await;
    let mut polls = Polls::of("tank", 7);
    source.publish_all(polls.take(5)).await;
    arrive(&mut collector, &polls, 5).await;
    other.abort();
}
