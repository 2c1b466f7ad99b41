use std::time::Duration;

use tm::demo::{Arguments, Chapter, Expect, Scenario};

use crate::told::Told;

/// The cloud never comes back, the door opens without anybody expecting it, and a wrong sentence is hoped for.
const WRONG: Scenario = Scenario {
    name: "wrong",
    title: "nothing goes as it should",
    about: "",
    variables: &[],
    lasts_s: 10,
    chapters: &[
        Chapter {
            at_s: 0,
            events: &["door-open"],
            says: "the door is opened",
            expects: &[Expect::Raised("contact.door_open"), Expect::CaughtUp],
        },
        Chapter {
            at_s: 0,
            events: &["link-refuse", "link-cut"],
            says: "the cloud goes for ever",
            expects: &[
                Expect::Waiting(1),
                Expect::Sentence {
                    level: "ok",
                    code: "status.ok",
                    because: "",
                },
            ],
        },
    ],
    alarms: &[],
};

#[tokio::test]
async fn it_is_told_with_everything_that_did_not() {
    let arguments = Arguments {
        variables: vec!["TM_UPLINK_BATCH_S=1".to_owned()],
        ..Arguments::default()
    };
    let told = Told::by(arguments, &WRONG, Duration::from_secs(8)).await;
    let has = |words: &str| told.outcome.unmet.iter().any(|unmet| unmet.contains(words));
    for words in [
        "the sentence status.ok (ok) was not seen",
        "at the cloud all that was published before was not seen",
        "never came to the cloud",
        "an alarm that nobody expects: contact.door_open",
    ] {
        assert!(has(words), "{words} is missing in\n{}", told.text);
    }
    assert_eq!(
        told.outcome.unmet.len(),
        3 + told.outcome.summary.missing.len()
    );
    assert!(told.text.contains("What did not hold:"), "{}", told.text);
}
