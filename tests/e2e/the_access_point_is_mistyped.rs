use crate::cabinet::Cabinet;

#[tokio::test]
async fn the_sentence_names_it_and_it_passes() {
    let cabinet = Cabinet::start_with("0s wrong-apn", &[]).await;
    let status = cabinet
        .until("/api/v1/status", |status| {
            status.to_string().contains("modem.wrong_apn")
        })
        .await;
    assert_eq!(status["level"], "amber");
    let sentence = status["sentence"].as_str().unwrap();
    for word in ["statikip", "Vodafone UA", "internet, staticip"] {
        assert!(sentence.contains(word), "{sentence}");
    }
    let modems = cabinet.get("/api/v1/modems").await.json();
    assert_eq!(modems["modems"][0]["data"]["apn"], "statikip");
    assert_eq!(modems["modems"][0]["data"]["active"], false);

    cabinet
        .demo
        .hardware
        .modem(tm_sim::sim7600::Scenario::ApnNormal);
    cabinet
        .until("/api/v1/status", |status| status["level"] == "ok")
        .await;
}
