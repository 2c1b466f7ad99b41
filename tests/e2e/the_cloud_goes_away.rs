use tm_sim::gate::GateMode;

use crate::cabinet::Cabinet;

/// What a journal keeps in memory at most.
const MEMORY_BYTES: u64 = 1 << 20;

#[tokio::test]
async fn measurements_wait_on_disk_and_arrive_once() {
    let cabinet = Cabinet::start(&["TM_UPLINK_BATCH_S=1"]).await;
    cabinet
        .until("/api/v1/uplink", |uplink| {
            uplink["batches_acked"].as_u64() > Some(0)
        })
        .await;

    cabinet.demo.cloud_gate.set_mode(GateMode::Refuse);
    cabinet.demo.cloud_gate.cut();
    cabinet
        .until("/api/v1/uplink", |uplink| uplink["link"] != "connected")
        .await;
    // More than the memory that measurements may wait in: they have to go to the disk and come back from it.
    let text = format!(r#","value":"{}"}}"#, "x".repeat(60));
    let texts: Vec<String> = (0..100)
        .map(|i| format!(r#"{{"name":"text-{i}"{text}"#))
        .collect();
    let texts = texts.join(",");
    let messages: Vec<String> = (0..300)
        .map(|n| {
            format!(
                r#"{{"run":"0badcafe","n":{n},"points":[{{"name":"count","value":{n}}},{texts}]}}"#
            )
        })
        .collect();
    cabinet.publish("tm/v1/data/outside", &messages).await;
    cabinet
        .until("/api/v1/uplink", |uplink| {
            uplink["journal"]["records_pending"].as_u64() >= Some(300)
                && uplink["journal"]["bytes_on_disk"].as_u64() > Some(MEMORY_BYTES)
        })
        .await;
    cabinet
        .until("/api/v1/status", |status| status["level"] == "amber")
        .await;

    cabinet.demo.cloud_gate.set_mode(GateMode::Forward);
    cabinet
        .until_cloud("all 300", |cloud| {
            cloud
                .polls
                .keys()
                .filter(|(source, ..)| source == "outside")
                .count()
                == 300
        })
        .await;
    cabinet
        .until("/api/v1/status", |status| status["level"] == "ok")
        .await;
}
