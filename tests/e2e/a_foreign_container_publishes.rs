use crate::cabinet::Cabinet;

#[tokio::test]
async fn three_bare_messages_are_charted_and_delivered() {
    let cabinet = Cabinet::start(&[]).await;
    cabinet
        .until("/api/v1/uplink", |uplink| uplink["link"] == "connected")
        .await;
    let messages = [1.25, 1.26, 1.27]
        .map(|level| format!(r#"{{"points":[{{"name":"level","value":{level},"unit":"m"}}]}}"#));
    cabinet.publish("tm/v1/data/tank", &messages).await;

    cabinet
        .until("/api/v1/series/latest?source=tank", |latest| {
            latest.to_string().contains("1.27")
        })
        .await;
    cabinet
        .until("/api/v1/series", |series| {
            series.to_string().contains("tank/level")
        })
        .await;
    cabinet
        .until_cloud("the tank", |cloud| cloud.sources.contains("tank"))
        .await;
}

#[tokio::test]
async fn what_cannot_be_read_holds_nothing_up() {
    let cabinet = Cabinet::start(&[]).await;
    cabinet
        .until("/api/v1/uplink", |uplink| uplink["link"] == "connected")
        .await;
    let huge = format!(
        r#"{{"points":[{{"name":"x","value":"{}"}}]}}"#,
        "y".repeat(100_000)
    );
    let messages = [
        "",
        "{",
        r#"{"points":[{"name":"BAD NAME","value":1}]}"#,
        &huge,
        r#"{"points":[{"name":"level","value":5}]}"#,
    ];
    cabinet
        .publish("tm/v1/data/tank", &messages.map(str::to_owned))
        .await;

    cabinet
        .until("/api/v1/series/latest?source=tank", |latest| {
            latest.to_string().contains("level")
        })
        .await;
    cabinet
        .until_cloud("the message behind the garbage", |cloud| {
            cloud.sources.contains("tank")
        })
        .await;
    cabinet
        .until("/api/v1/uplink", |uplink| {
            uplink["messages_unreadable"].as_u64() >= Some(4)
        })
        .await;
}

#[tokio::test]
async fn a_sensor_block_of_balena_is_charted_and_delivered() {
    let cabinet = Cabinet::start(&[]).await;
    cabinet
        .until("/api/v1/uplink", |uplink| uplink["link"] == "connected")
        .await;
    let block = r#"[{"measurement":"bme280","fields":{"temp":21.14}},
                    {"measurement":"short_UUID","fields":{"short_uuid":"34793e7"}}]"#;
    cabinet.publish("sensors", &[block.to_owned()]).await;
    cabinet
        .publish("sensors/attic", &[r#"{"humidity":43.5}"#.to_owned()])
        .await;

    cabinet
        .until("/api/v1/series/latest?source=sensor-block", |latest| {
            let value = |series: &str| latest["readings"][series]["value"].as_f64();
            value("sensor-block/bme280/temp") == Some(21.14)
                && value("sensor-block/attic/humidity") == Some(43.5)
        })
        .await;
    cabinet
        .until_cloud("the block", |cloud| cloud.sources.contains("sensor-block"))
        .await;
}
