use crate::cabinet::Cabinet;

#[tokio::test]
async fn a_bare_machine_is_grey_without_alarm() {
    let cabinet = Cabinet::start(&[
        "TM_MODEM_PORT=usb:1e0e:9001:02",
        "TM_MODEM_NMEA_PORT=usb:1e0e:9001:01",
        "TM_SENSORS_MODBUS=",
        "TM_UPLINK_URL=",
    ])
    .await;
    let status = cabinet
        .until("/api/v1/status", |status| {
            status["code"] == "status.parts_not_configured"
        })
        .await;
    assert_eq!(status["level"], "grey", "{status}");
    let alarms = cabinet.get("/api/v1/alarms").await.json();
    assert!(!alarms.to_string().contains("\"active\":true"), "{alarms}");
    // The machine itself is measured all the same.
    cabinet
        .until("/api/v1/series/latest?source=sensors", |latest| {
            latest.to_string().contains("load")
        })
        .await;
}
