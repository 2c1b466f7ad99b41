use crate::told::Told;

#[tokio::test]
async fn what_was_accepted_arrives_with_its_right_time() {
    let told = Told::of("blackout", &["TM_UPLINK_BATCH_S=1"]).await;
    told.assert_said(&[
        ("ok", "status.ok", ""),
        ("red", "status.alarm", "contact.mains_lost"),
        ("red", "status.alarm", "contact.mains_lost"),
        ("ok", "status.ok", ""),
    ]);
    // The broker lost its memory with the power: the alarm is raised anew.
    let mains = "contact.mains_lost";
    told.assert_alarms(&[(mains, false), (mains, false), (mains, true)]);
    assert!(told.outcome.summary.corrected > 0, "{}", told.text);
    assert!(
        told.text.contains("the page does not answer"),
        "{}",
        told.text
    );
}
