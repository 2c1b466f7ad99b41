use crate::cabinet::Cabinet;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_bus_acknowledged_arrives_over_restarts() {
    let mut cabinet = Cabinet::start(&["TM_UPLINK_BATCH_S=1", "TM_UPLINK_COMMIT_MS=50"]).await;
    cabinet
        .until("/api/v1/uplink", |uplink| uplink["link"] == "connected")
        .await;
    for round in 0..10 {
        let messages: Vec<String> = (round * 100..(round + 1) * 100)
            .map(|n| {
                format!(r#"{{"run":"0badcafe","n":{n},"points":[{{"name":"count","value":{n}}}]}}"#)
            })
            .collect();
        cabinet.publish("tm/v1/data/outside", &messages).await;
        tokio::task::block_in_place(|| cabinet.demo.restart_uplink()).unwrap();
    }
    cabinet
        .until_cloud("all 1000", |cloud| {
            (0..1000).all(|n| {
                cloud
                    .polls
                    .contains_key(&("outside".into(), "0badcafe".into(), n))
            })
        })
        .await;
}
