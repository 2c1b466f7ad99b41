//! The stories the demo can tell: what happens to the cabinet, and what must be seen.

mod table;

use std::fmt;

use tm_sim::script::{Event, Script, ScriptError};

/// A story.
#[derive(Debug)]
pub struct Scenario {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it is about, in a few words.
    pub title: &'static str,
    /// What is about to happen, in plain sentences.
    pub about: &'static str,
    /// Variables that differ from the demo's own.
    pub variables: &'static [(&'static str, &'static str)],
    /// About how long it takes, in seconds.
    pub lasts_s: u64,
    /// What happens, in order.
    pub chapters: &'static [Chapter],
    /// The alarms that may be raised; any other one is a fault of the story.
    pub alarms: &'static [&'static str],
}

/// One turn of a story.
#[derive(Debug)]
pub struct Chapter {
    /// When it happens, in seconds from the beginning.
    pub at_s: u64,
    /// What happens, as events of a script; empty at the beginning.
    pub events: &'static [&'static str],
    /// The same in words.
    pub says: &'static str,
    /// What must be seen then, in this order, before the story goes on.
    pub expects: &'static [Expect],
}

/// Something that must be seen.
#[derive(Debug, Clone, Copy)]
pub enum Expect {
    /// The cabinet's sentence.
    Sentence {
        /// Its level.
        level: &'static str,
        /// Its code.
        code: &'static str,
        /// The code of a reason or an alarm behind it; empty for any.
        because: &'static str,
    },
    /// Nobody answers at the page.
    Darkness,
    /// So many polls of this chapter were on the bus, and the cloud does not have them.
    Waiting(usize),
    /// The API tells that at least so many records wait in the journal while there is no connection.
    Journal(u64),
    /// The API tells that nothing older than a batch waits in the journal any more.
    Drained,
    /// The cloud has what was published before this chapter.
    CaughtUp,
    /// An alarm of this code was raised, and the cloud knows.
    Raised(&'static str),
    /// An alarm of this code is over, and the cloud knows.
    Cleared(&'static str),
    /// An event of this code happened, and the cloud knows.
    Told(&'static str),
    /// The API tells a position.
    Position,
}

/// Records that may wait while everything flows: those of the open batch and of one under way.
pub(super) const FLOWING: u64 = 40;

impl Scenario {
    /// Every story.
    pub const ALL: &'static [Self] = table::ALL;

    /// The story of that name.
    pub fn named(name: &str) -> Option<&'static Self> {
        Self::ALL.iter().find(|scenario| scenario.name == name)
    }

    /// All of it as a script, such as `10s unplug; 40s plug`.
    pub fn script(&self) -> String {
        let steps = self.chapters.iter().flat_map(|chapter| {
            let step = |event| format!("{}s {event}", chapter.at_s);
            chapter.events.iter().map(step)
        });
        steps.collect::<Vec<_>>().join("; ")
    }

    /// Whether the power goes: the services then run by a clock that can be turned.
    pub(super) fn cuts_power(&self) -> bool {
        let mut events = self.chapters.iter().flat_map(|chapter| chapter.events);
        events.any(|event| *event == "power-cut")
    }
}

impl Chapter {
    /// What happens.
    pub(super) fn acts(&self) -> Result<Vec<Event>, ScriptError> {
        let script = self.events.iter().map(|event| format!("0s {event}"));
        let script: Script = script.collect::<Vec<_>>().join(";").parse()?;
        Ok(script.steps().iter().map(|(_, event)| *event).collect())
    }
}

impl fmt::Display for Expect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sentence {
                level,
                code,
                because: "",
            } => write!(f, "the sentence {code} ({level})"),
            Self::Sentence {
                level,
                code,
                because,
            } => write!(f, "the sentence {code} ({level}) because of {because}"),
            Self::Darkness => f.write_str("a page that does not answer"),
            Self::Waiting(polls) => write!(f, "{polls} polls waiting for the cloud"),
            Self::Journal(records) => write!(f, "{records} records waiting in the journal"),
            Self::Drained => f.write_str("a drained journal"),
            Self::CaughtUp => f.write_str("at the cloud all that was published before"),
            Self::Raised(code) => write!(f, "the alarm {code} at the cloud"),
            Self::Cleared(code) => write!(f, "the end of the alarm {code} at the cloud"),
            Self::Told(code) => write!(f, "the event {code} at the cloud"),
            Self::Position => f.write_str("a position"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_story_can_be_played() {
        let mut names = HashSet::new();
        for scenario in Scenario::ALL {
            let name = scenario.name;
            assert!(names.insert(name), "{name} twice");
            assert!(Scenario::named(name).is_some());
            let script: Script = scenario.script().parse().expect(name);
            let acts = scenario.chapters.iter().map(Chapter::acts);
            let n_acts: usize = acts.map(|acts| acts.expect(name).len()).sum();
            assert_eq!(script.steps().len(), n_acts, "{name}");
            assert!(
                scenario.chapters.is_sorted_by_key(|chapter| chapter.at_s),
                "{name} goes back in time"
            );
            let ends_s = scenario.chapters.last().map(|chapter| chapter.at_s);
            assert!(ends_s < Some(scenario.lasts_s), "{name} lasts longer");
            let expects = |chapter: &Chapter| !chapter.expects.is_empty();
            assert!(
                scenario.chapters.iter().any(expects),
                "{name} proves nothing"
            );
        }
        assert!(Scenario::named("list").is_none(), "that lists them");
    }

    #[test]
    fn every_code_that_is_expected_exists() {
        let known: HashSet<&str> = tm_types::code::ALL
            .iter()
            .map(|code| code.as_str())
            .collect();
        for scenario in Scenario::ALL {
            let expects = scenario.chapters.iter().flat_map(|chapter| chapter.expects);
            let codes = expects.flat_map(|expect| match expect {
                Expect::Sentence { code, because, .. } => vec![*code, *because],
                Expect::Raised(code) | Expect::Cleared(code) | Expect::Told(code) => vec![*code],
                _ => Vec::new(),
            });
            for code in codes.chain(scenario.alarms.iter().copied()) {
                assert!(
                    code.is_empty() || known.contains(code),
                    "{}: {code}",
                    scenario.name
                );
            }
        }
    }
}
