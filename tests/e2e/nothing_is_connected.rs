use serde_json::{Value as Json, json};

use crate::cabinet::Cabinet;

const SERVICES: [&str; 6] = ["agent", "api", "gnss", "modem", "sensors", "uplink"];
const MISSING: [&str; 3] = [
    "gnss.not_configured",
    "modem.not_configured",
    "uplink.not_configured",
];

#[tokio::test]
async fn a_bare_machine_is_grey_without_alarm() {
    let cabinet = Cabinet::start(&[
        "TM_MODEM_PORT=usb:1e0e:9001:02",
        "TM_MODEM_NMEA_PORT=usb:1e0e:9001:01",
        "TM_SENSORS_MODBUS=",
        "TM_SENSORS_SYSFS_ROOT=/proc/nothing-here",
        "TM_UPLINK_URL=",
    ])
    .await;
    let has_all = |list: &Json, name: &str, wanted: &[&str]| {
        let names = list.as_array().into_iter().flatten();
        let names: Vec<&str> = names.filter_map(|one| one[name].as_str()).collect();
        wanted.iter().all(|one| names.contains(one))
    };
    // Everybody has spoken, and everything that is missing has its sentence.
    let status = cabinet
        .until("/api/v1/status", |status| {
            status["code"] == "status.parts_not_configured"
                && has_all(&status["services"], "service", &SERVICES)
                && has_all(&status["reasons"], "code", &MISSING)
        })
        .await;
    assert_eq!(status["level"], "grey", "{status}");
    for reason in status["reasons"].as_array().unwrap() {
        assert_eq!(reason["level"], "grey", "{reason}");
        assert!(
            reason["sentence"].as_str().unwrap().ends_with('.'),
            "{reason}"
        );
    }
    for service in status["services"].as_array().unwrap() {
        assert_eq!(service["status"], "up", "{service}");
    }
    let alarms = cabinet.get("/api/v1/alarms").await.json();
    assert_eq!(alarms["alarms"], json!([]));
    // The machine itself is measured all the same.
    cabinet
        .until("/api/v1/series/latest?source=sensors", |latest| {
            latest.to_string().contains("load")
        })
        .await;
}

#[tokio::test]
async fn a_modem_that_never_had_a_sim_is_grey_without_alarm() {
    let cabinet = Cabinet::start_with("0s no-sim", &[]).await;
    let status = cabinet
        .until("/api/v1/status", |status| {
            let reasons = status["reasons"].as_array().into_iter().flatten();
            let codes: Vec<&Json> = reasons.map(|reason| &reason["code"]).collect();
            codes == ["modem.sim_absent"]
        })
        .await;
    assert_eq!(status["level"], "grey", "{status}");
    assert_eq!(status["reasons"][0]["level"], "grey", "{status}");
    let alarms = cabinet.get("/api/v1/alarms").await.json();
    assert_eq!(alarms["alarms"], json!([]));
}
