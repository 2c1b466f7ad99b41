use crate::cabinet::Cabinet;

#[tokio::test]
async fn a_first_look_shows_position_modem_sensors_and_cloud() {
    let cabinet = Cabinet::start(&[]).await;
    let fix = cabinet
        .until("/api/v1/gnss/fix", |fix| fix["latitude_deg"].is_f64())
        .await;
    let (latitude, longitude) = (
        fix["latitude_deg"].as_f64().unwrap(),
        fix["longitude_deg"].as_f64().unwrap(),
    );
    assert!(
        (latitude - 48.92).abs() < 0.1 && (longitude - 24.71).abs() < 0.1,
        "{fix}"
    );

    let modems = cabinet
        .until("/api/v1/modems", |modems| {
            modems.to_string().contains("rsrp_dbm\":-")
        })
        .await;
    assert!(modems.to_string().contains("SIM7600G-H"), "{modems}");

    cabinet
        .until("/api/v1/sensors", |sensors| {
            sensors.to_string().contains("\"machine\"")
        })
        .await;
    cabinet
        .until("/api/v1/series/latest?source=sensors", |latest| {
            latest.to_string().contains("load")
        })
        .await;
    cabinet
        .until("/api/v1/status", |status| status["level"] == "ok")
        .await;

    cabinet
        .until_cloud("measurements of all three", |cloud| {
            ["modem", "gnss", "sensors"]
                .iter()
                .all(|source| cloud.sources.contains(*source))
        })
        .await;
    assert_eq!(cabinet.demo.cloud.with(|cloud| cloud.undecodable), 0);
    assert!(cabinet.demo.is_alive());
}

#[tokio::test]
async fn the_json_payload_needs_no_decoder() {
    let cabinet = Cabinet::start(&["TM_UPLINK_PAYLOAD=json"]).await;
    cabinet
        .until_cloud("readable measurements", |cloud| {
            cloud.points > 20 && cloud.sources.contains("sensors")
        })
        .await;
    assert_eq!(cabinet.demo.cloud.with(|cloud| cloud.undecodable), 0);
}
