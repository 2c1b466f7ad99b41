use tm_sim::gate::GateMode;

use crate::cabinet::Cabinet;

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
    let messages: Vec<String> = (0..300)
        .map(|n| {
            format!(r#"{{"run":"0badcafe","n":{n},"points":[{{"name":"count","value":{n}}}]}}"#)
        })
        .collect();
    cabinet.publish("tm/v1/data/outside", &messages).await;
    cabinet
        .until("/api/v1/uplink", |uplink| {
            uplink["journal"]["records_pending"].as_u64() >= Some(300)
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
                .iter()
                .filter(|(source, ..)| source == "outside")
                .count()
                == 300
        })
        .await;
    cabinet
        .until("/api/v1/status", |status| status["level"] == "ok")
        .await;
}
