use crate::told::Told;

#[tokio::test]
async fn the_journal_grows_and_drains_and_nothing_is_missing() {
    let told = Told::of("cloud-down", &["TM_UPLINK_BATCH_S=1"]).await;
    told.assert_said(&[
        ("ok", "status.ok", ""),
        ("amber", "status.degraded", "uplink.unreachable"),
        ("ok", "status.ok", ""),
    ]);
    told.assert_alarms(&[]);
    let journal = told
        .text
        .lines()
        .filter(|line| line.contains("  journal  "));
    assert!(journal.count() > 0, "{}", told.text);
}
