//! A story of the demo, told in a hurry.

use std::time::Duration;

use tm::demo::{Arguments, Demo, Outcome, Scenario, Telling, play};

/// By how much the pauses of a story are shorter than for people.
const HURRY: u32 = 10;

/// A story that was played to its end.
pub(crate) struct Told {
    pub(crate) outcome: Outcome,
    /// What a person reads.
    pub(crate) text: String,
}

impl Told {
    /// Plays a story with further variables, each `NAME=VALUE`; everything that it promises must hold.
    pub(crate) async fn of(name: &str, variables: &[&str]) -> Self {
        let arguments = Arguments {
            scenario: Some(name.to_owned()),
            variables: variables.iter().map(|&one| one.to_owned()).collect(),
            ..Arguments::default()
        };
        let scenario = Scenario::named(name).unwrap();
        let told = Self::by(arguments, scenario, Telling::PATIENCE).await;
        let (outcome, text) = (&told.outcome, &told.text);
        assert!(outcome.unmet.is_empty(), "{text}");
        assert!(outcome.summary.missing.is_empty(), "{text}");
        assert!(outcome.summary.polls > 20, "{text}");
        told
    }

    /// Plays a story in a demo of its own, whether it holds or not.
    pub(crate) async fn by(arguments: Arguments, scenario: &Scenario, patience: Duration) -> Self {
        let mut demo = Demo::start(Arguments {
            port: 18_400,
            ..arguments
        })
        .await
        .unwrap();
        let mut text = Vec::new();
        let telling = Telling {
            out: &mut text,
            is_coloured: false,
            hurry: HURRY,
            patience,
        };
        let outcome = play(&mut demo, scenario, telling).await.unwrap();
        let text = String::from_utf8(text).unwrap();
        Self { outcome, text }
    }

    /// The cabinet said these, in this order, with whatever between them: level, code, and the code of a reason or
    /// an alarm behind it where one is named.
    pub(crate) fn assert_said(&self, expected: &[(&str, &str, &str)]) {
        let mut said = self.outcome.sentences.iter();
        for (level, code, because) in expected {
            let is_it = |one: &tm::demo::Sentence| {
                let is_because = because.is_empty() || one.because.iter().any(|of| of == because);
                (one.level.as_str(), one.code.as_str()) == (*level, *code) && is_because
            };
            assert!(
                said.any(is_it),
                "{level} {code} {because} is not said in\n{}",
                self.text
            );
        }
    }

    /// The cloud was told of these changes of alarms and no others: code, and whether it is over.
    pub(crate) fn assert_alarms(&self, expected: &[(&str, bool)]) {
        let alarms = self.outcome.summary.alarms.iter();
        let told: Vec<(&str, bool)> = alarms
            .map(|alarm| (alarm.code.as_str(), alarm.is_over))
            .collect();
        assert_eq!(told, expected, "{}", self.text);
    }
}
