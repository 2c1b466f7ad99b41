use std::time::Duration;

use crate::told::Told;

#[tokio::test]
async fn the_alarm_is_at_the_cloud_before_its_reading() {
    let told = Told::of("door", &[]).await;
    told.assert_said(&[
        ("ok", "status.ok", ""),
        ("amber", "status.alarm", "contact.door_open"),
        ("ok", "status.ok", ""),
    ]);
    told.assert_alarms(&[("contact.door_open", false), ("contact.door_open", true)]);
    let raised = &told.outcome.summary.alarms[0];
    // Measured 0.05 to 0.1 s; a batch takes five.
    assert!(raised.delay < Some(Duration::from_secs(2)), "{}", told.text);
    assert!(raised.ahead > Some(Duration::ZERO), "{}", told.text);
}
