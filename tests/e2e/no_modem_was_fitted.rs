use crate::told::Told;

#[tokio::test]
async fn the_sentence_is_grey_and_the_sensors_go_on() {
    let told = Told::of("no-hat", &["TM_UPLINK_BATCH_S=1"]).await;
    told.assert_said(&[(
        "grey",
        "status.parts_not_configured",
        "modem.not_configured",
    )]);
    told.assert_alarms(&[]);
    let sentences = told.outcome.sentences.iter();
    let levels: Vec<&str> = sentences.map(|said| said.level.as_str()).collect();
    assert!(levels.iter().all(|level| *level == "grey"), "{}", told.text);
}
