use tm_sim::sim7600::Scenario;

use crate::cabinet::Cabinet;

#[tokio::test]
async fn it_is_told_and_found_again() {
    let cabinet = Cabinet::start(&[]).await;
    cabinet
        .until("/api/v1/modems", |modems| {
            modems.to_string().contains("\"presence\":\"present\"")
        })
        .await;
    cabinet
        .until("/api/v1/gnss/fix", |fix| fix["latitude_deg"].is_f64())
        .await;

    cabinet.demo.hardware.modem(Scenario::Unplugged);
    cabinet
        .until("/api/v1/modems", |modems| {
            modems.to_string().contains("\"presence\":\"absent\"")
        })
        .await;
    cabinet
        .until("/api/v1/gnss", |gnss| gnss["presence"] == "silent")
        .await;
    let status = cabinet
        .until("/api/v1/status", |status| status["level"] == "amber")
        .await;
    assert!(status["sentence"].as_str().unwrap().len() > 10, "{status}");

    cabinet.demo.hardware.modem(Scenario::Normal);
    cabinet
        .until("/api/v1/modems", |modems| {
            modems.to_string().contains("\"presence\":\"present\"")
        })
        .await;
    cabinet
        .until("/api/v1/status", |status| status["level"] == "ok")
        .await;
}

#[tokio::test]
async fn a_missing_sim_has_its_sentence() {
    let cabinet = Cabinet::start(&[]).await;
    cabinet
        .until("/api/v1/modems", |modems| {
            modems.to_string().contains("modem.registered")
        })
        .await;
    cabinet.demo.hardware.modem(Scenario::NoSim);
    cabinet
        .until("/api/v1/modems", |modems| {
            modems.to_string().contains("modem.sim_absent")
        })
        .await;
}
