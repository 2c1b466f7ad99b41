use tm::demo::{Arguments, Scenario, Telling};

use crate::told::Told;

/// The minute in which the true sky must prove itself is for people; its rules have tests of their own.
#[tokio::test]
async fn the_cloud_is_told_and_nothing_is_missing() {
    let scenario = Scenario::named("spoofing").unwrap();
    let scenario = Scenario {
        chapters: &scenario.chapters[..2],
        ..*scenario
    };
    let arguments = Arguments {
        variables: vec!["TM_UPLINK_BATCH_S=1".to_owned()],
        ..Arguments::default()
    };
    let told = Told::by(arguments, &scenario, Telling::PATIENCE).await;
    assert!(told.outcome.unmet.is_empty(), "{}", told.text);
    told.assert_said(&[
        ("ok", "status.ok", ""),
        ("amber", "status.degraded", "gnss.spoofing_suspected"),
    ]);
    told.assert_alarms(&[]);
    let mut events = told.outcome.summary.events.iter();
    let is_told = events.any(|event| event.code == "gnss.spoofing_suspected");
    assert!(is_told, "{}", told.text);
}
