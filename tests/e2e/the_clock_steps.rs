use std::time::Duration;

use tm_service::{Clock, ManualClock};
use tm_types::{BootId, Stamp};
use tokio::time::{Instant, interval};

use crate::cabinet::Cabinet;

const TEN_YEARS_MS: i64 = 10 * 365 * 86_400_000;

/// A clock that runs as time does from `start`, and can be stepped.
fn running_clock(start: Stamp) -> (Clock, ManualClock) {
    let (clock, hand) = Clock::manual(start);
    let moved = hand.clone();
    tokio::spawn(async move {
        let (mut tick, mut last) = (interval(Duration::from_millis(10)), Instant::now());
        loop {
            let now = tick.tick().await;
            moved.advance(now - last);
            last = now;
        }
    });
    (clock, hand)
}

#[tokio::test]
async fn ten_years_either_way_disturb_nobody() {
    let (clock, hand) = running_clock(Clock::system().stamp());
    let cabinet = Cabinet::start_by(clock, &["TM_UPLINK_BATCH_S=1"]).await;
    cabinet
        .until("/api/v1/status", |status| status["level"] == "ok")
        .await;
    for step in [TEN_YEARS_MS, -2 * TEN_YEARS_MS, TEN_YEARS_MS] {
        hand.step_wall(step);
        let batches = cabinet.batches().await;
        let polls = cabinet.polls("sensors").len();
        cabinet
            .until("/api/v1/uplink", |uplink| {
                uplink["batches_acked"].as_u64() > Some(batches + 2)
            })
            .await;
        cabinet.until_polls("sensors", polls + 2).await;
        cabinet
            .until("/api/v1/status", |status| status["level"] == "ok")
            .await;
        let latest = cabinet
            .get("/api/v1/series/latest?source=sensors")
            .await
            .json();
        assert!(latest.to_string().contains("load"), "{latest}");
    }
    cabinet.assert_no_gap("sensors");
    assert_eq!(cabinet.demo.cloud.with(|cloud| cloud.undecodable), 0);
}

#[tokio::test]
async fn what_was_on_disk_at_a_reboot_arrives_after_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut stamp = Clock::system().stamp();
    let (clock, _) = running_clock(stamp);
    let cabinet = Cabinet::start_again(clock, folder.path(), &["TM_UPLINK_URL="]).await;
    cabinet
        .until("/api/v1/status", |status| {
            status["code"] == "status.parts_not_configured"
        })
        .await;
    let messages: Vec<String> = (0..200)
        .map(|n| {
            format!(r#"{{"run":"0badcafe","n":{n},"points":[{{"name":"count","value":{n}}}]}}"#)
        })
        .collect();
    cabinet.publish("tm/v1/data/outside", &messages).await;
    cabinet
        .until("/api/v1/uplink", |uplink| {
            uplink["journal"]["records_pending"].as_u64() >= Some(200)
        })
        .await;
    drop(cabinet);

    // Another boot, with brokers that know nothing and a clock that lost ten years.
    (stamp.boot, stamp.mono_ms, stamp.time) = (
        BootId(stamp.boot.0 ^ 1),
        0,
        stamp.time.plus_ms(-TEN_YEARS_MS),
    );
    let (clock, _) = running_clock(stamp);
    let cabinet = Cabinet::start_again(clock, folder.path(), &["TM_UPLINK_BATCH_S=1"]).await;
    cabinet.until_polls("outside", 199).await;
    cabinet.assert_no_gap("outside");
}
