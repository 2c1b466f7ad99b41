use crate::told::Told;

#[tokio::test]
async fn the_sentence_named_it_and_what_waited_arrives() {
    let told = Told::of("wrong-apn", &["TM_UPLINK_BATCH_S=1"]).await;
    told.assert_said(&[
        ("ok", "status.ok", ""),
        ("amber", "status.degraded", "modem.wrong_apn"),
        ("ok", "status.ok", ""),
    ]);
    told.assert_alarms(&[]);
    let sentences = &told.outcome.sentences;
    let names_it = |said: &tm::demo::Sentence| said.text.contains("access point");
    assert!(sentences.iter().any(names_it), "{}", told.text);
}
