use tm_sim::sim7600::Scenario;

use crate::cabinet::Cabinet;

#[tokio::test]
async fn it_is_told_and_its_position_doubted() {
    let cabinet = Cabinet::start(&[]).await;
    let fix = cabinet
        .until("/api/v1/gnss/fix", |fix| fix["latitude_deg"].is_f64())
        .await;
    let latitude = fix["latitude_deg"].as_f64().unwrap();
    cabinet.demo.hardware.modem(Scenario::Spoofing);
    let status = cabinet
        .until("/api/v1/status", |status| {
            status.to_string().contains("gnss.spoofing_suspected")
        })
        .await;
    assert_eq!(status["level"], "amber");
    let sentence = status["sentence"].as_str().unwrap();
    assert!(sentence.contains("spoofing"), "{sentence}");
    let gnss = cabinet
        .until("/api/v1/gnss", |gnss| gnss["suspicion"].is_object())
        .await;
    let trusted = gnss["suspicion"]["trusted_latitude_deg"].as_f64().unwrap();
    assert!((trusted - latitude).abs() < 0.001, "{trusted} {latitude}");
    cabinet
        .until("/api/v1/series", |answer| {
            let mut series = answer["series"].as_array().into_iter().flatten();
            series.any(|series| {
                series["series"] == "gnss/latitude" && series["reason"] == "implausible"
            })
        })
        .await;
}
