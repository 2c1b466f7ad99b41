//! The cloud was away for hours at the standard load. `tm bench uplink outage` does the same with thirty days.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use tm_columns::Dictionaries;
use tm_columns::cabinet::Cabinet;
use tm_sim::gate::GateMode;
use tm_types::topic;
use tokio::time::Instant;

use crate::world::{Client, EVERYTHING, Polls, World, on_flash, standing};

/// Three hours: sensors and fix every second, the modem every ten.
const POLLS: u64 = 10_800 * 2 + 1_080;
/// The backlog takes some nine seconds on it, a batch of it more than one.
const BYTES_PER_S: u64 = 12_000;
/// Well above the batch, the commit and the backlog that is under way, 3 s together, and well below the whole backlog:
/// a machine under load takes its part. `tm bench uplink` measures how late it is.
const LATE: Duration = Duration::from_secs(6);

#[tokio::test]
async fn hours_of_backlog_arrive_in_order_and_live_data_on_time() {
    let world = World::new();
    let mut collector = Client::connect("collector", &world.cloud, EVERYTHING).await;
    world.gate.set_mode(GateMode::Refuse);
    let running = world.start(world.config());
    let mut source = standing(&world).await;
    let stream = Cabinet::new(42, true).take(usize::try_from(POLLS).unwrap());
    let messages = stream.map(|(source, poll)| (topic::data(&source), poll.to_json().into()));
    source.publish_all(messages).await;
    on_flash(&mut source, POLLS, POLLS).await;
    world.gate.set_delay(Duration::from_millis(30));
    world.gate.set_rate(Some(BYTES_PER_S));
    world.gate.set_mode(GateMode::Forward);
    let backlog = |seen: &crate::world::Seen| {
        let of_others = seen
            .arrived
            .polls
            .iter()
            .filter(|((source, _), _)| source != "live");
        of_others
            .map(|(_, numbers)| numbers.len() as u64)
            .sum::<u64>()
    };
    collector
        .until("the first batch", |seen| backlog(seen) > 0)
        .await;
    let mut live = Polls::of("live", 7);
    let (sent, is_done) = (RefCell::new(Vec::new()), Cell::new(false));
    let mut late = Vec::new();
    let began = Instant::now();
    let publish = async {
        while !is_done.get() {
            sent.borrow_mut().push(Instant::now());
            source.publish_all(live.take(1)).await;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let arrive = async {
        let is_complete = |seen: &crate::world::Seen| {
            let arrived = seen
                .arrived
                .polls
                .iter()
                .find(|((source, _), _)| source == "live");
            let arrived = arrived.map_or(0, |(_, numbers)| numbers.len());
            for n in late.len()..arrived {
                late.push(sent.borrow()[n].elapsed());
            }
            backlog(seen) == POLLS
        };
        collector.until("the backlog", is_complete).await;
        is_done.set(true);
    };
    tokio::join!(publish, arrive);
    assert!(began.elapsed() > LATE, "the link was no bottleneck");
    assert!(late.len() > 10, "only {} live polls meanwhile", late.len());
    let worst = late.iter().max().unwrap();
    assert!(*worst < LATE, "{worst:?}");
    assert_eq!(collector.seen.arrived.repeats, 0);
    // Each part for itself is in the order of the journal.
    let (mut ends, mut dictionaries) = ([0; 2], Dictionaries::default());
    for message in &collector.seen.messages {
        if message.topic == "tm/test/data" {
            let batch = dictionaries.decode(&message.payload).unwrap();
            if batch.records.is_empty() {
                continue;
            }
            let is_live = batch.records[0].source.as_str() == "live";
            let end = &mut ends[usize::from(is_live)];
            assert!(batch.first_seq >= *end, "{} after {end}", batch.first_seq);
            *end = batch.first_seq + batch.records.len() as u64;
        }
    }
    running.stop().await;
}
