//! How often something goes out: three profiles, of which another one can be chosen while the uplink runs.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use tm_service::metering::LocalTime;
use tm_types::{ProfileReason, ProfileState};

use crate::config::Config;
use crate::timetable::Timetable;

/// The longest time for which another profile is chosen: a day.
const FOR_S_MAX: u32 = 86_400;

/// How often something goes out.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Profile {
    /// Batches of 5 s, states every minute: while somebody looks.
    Live,
    /// Batches of a minute, states every quarter of an hour.
    Balanced,
    /// Batches of a quarter of an hour, states every hour: for the last megabytes.
    Thrifty,
}

impl Profile {
    const ALL: [Self; 3] = [Self::Live, Self::Balanced, Self::Thrifty];

    fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Balanced => "balanced",
            Self::Thrifty => "thrifty",
        }
    }

    fn paces(self) -> Paces {
        let (batch_s, state_s) = match self {
            Self::Live => (5, 60),
            Self::Balanced => (60, 900),
            Self::Thrifty => (900, 3600),
        };
        Paces {
            batch: Duration::from_secs(batch_s),
            states: Duration::from_secs(state_s),
        }
    }
}

impl std::str::FromStr for Profile {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut all = Self::ALL.into_iter();
        all.find(|profile| profile.as_str() == text).ok_or(())
    }
}

tm_service::setting!(Profile, "word", "live, balanced or thrifty");

/// What a profile means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Paces {
    /// How long live measurements are collected.
    pub(crate) batch: Duration,
    /// Between two reports of the states; zero for none.
    pub(crate) states: Duration,
}

/// Arguments of the operation `profile`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    /// Null for the configured one.
    profile: Option<Profile>,
    for_s: Option<u32>,
}

/// The configured profile, and what stands in its place: the schedule's, one that was chosen, the budget's.
#[derive(Debug)]
pub(crate) struct Profiles {
    configured: (Profile, Paces),
    timetable: Timetable,
    /// The schedule's at this time; nothing while the clock is not set.
    scheduled: Option<Profile>,
    /// Whether a budget does not last.
    is_low: bool,
    chosen: Option<Profile>,
    /// When the choice ends, since boot.
    until: Option<Duration>,
}

impl Profiles {
    /// `chosen` is what an earlier run was told to keep.
    pub(crate) fn new(config: &Config, chosen: Option<Profile>) -> Self {
        let usual = config.profile.paces();
        let seconds = |own: Option<u32>, least: u32, most: u32, usual: Duration| {
            own.map_or(usual, |own| {
                Duration::from_secs(own.clamp(least, most).into())
            })
        };
        let paces = Paces {
            batch: seconds(config.batch_s, 1, 3600, usual.batch),
            states: seconds(config.state_s, 0, 86_400, usual.states),
        };
        Self {
            configured: (config.profile, paces),
            timetable: config.schedule.clone(),
            scheduled: None,
            is_low: false,
            chosen,
            until: None,
        }
    }

    /// The paces in force.
    pub(crate) fn paces(&self) -> Paces {
        self.in_force().1
    }

    /// The profile in force, what it means, and why it is this one.
    fn in_force(&self) -> (Profile, Paces, ProfileReason) {
        let asked = match (self.chosen, self.scheduled) {
            (Some(chosen), _) => (chosen, chosen.paces(), ProfileReason::Chosen),
            (None, Some(scheduled)) => (scheduled, scheduled.paces(), ProfileReason::Schedule),
            (None, None) => (
                self.configured.0,
                self.configured.1,
                ProfileReason::Configured,
            ),
        };
        let thrifty = Profile::Thrifty.paces();
        if self.is_low && asked.1.batch < thrifty.batch {
            return (Profile::Thrifty, thrifty, ProfileReason::Budget);
        }
        asked
    }

    /// Takes in the time by the clock on the wall, if that is known, and whether a budget does not last; whether
    /// another profile is in force by that, or the same one for another reason.
    pub(crate) fn follow(&mut self, now: Option<LocalTime>, is_low: bool) -> bool {
        let before = self.in_force();
        self.scheduled = now.and_then(|now| self.timetable.at(now));
        self.is_low = is_low;
        self.in_force() != before
    }

    /// When a choice ends.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        self.until
    }

    /// Ends a choice whose time is over; whether it did.
    pub(crate) fn on_time(&mut self, now: Duration) -> bool {
        let is_over = self.until.is_some_and(|until| now >= until);
        if is_over {
            (self.chosen, self.until) = (None, None);
        }
        is_over
    }

    /// Carries out the operation: its result, or what is wrong with the arguments.
    pub(crate) fn choose(&mut self, args: &Json, now: Duration) -> Result<Json, String> {
        let wanted = Wanted::deserialize(args).map_err(|error| error.to_string())?;
        if wanted
            .for_s
            .is_some_and(|for_s| !(1..=FOR_S_MAX).contains(&for_s))
        {
            return Err(format!("for_s: 1 to {FOR_S_MAX}"));
        }
        let for_s = wanted.for_s.filter(|_| wanted.profile.is_some());
        self.chosen = wanted.profile;
        self.until = for_s.map(|for_s| now + Duration::from_secs(for_s.into()));
        let state = self.state(now);
        Ok(json!({"profile": state.name, "batch_s": state.batch_s, "ends_in_s": for_s}))
    }

    /// What is to be kept over a restart: a choice without an end.
    pub(crate) fn kept(&self) -> Option<Profile> {
        self.chosen.filter(|_| self.until.is_none())
    }

    /// As it is told.
    pub(crate) fn state(&self, now: Duration) -> ProfileState {
        let (name, paces, reason) = self.in_force();
        let until = self.until;
        ProfileState {
            name: name.as_str().to_owned(),
            is_chosen: self.chosen.is_some(),
            reason,
            batch_s: u32::try_from(paces.batch.as_secs()).unwrap_or(u32::MAX),
            ends_in_s: until.map(|until| until.saturating_sub(now).as_secs()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn own_seconds_go_before_those_of_the_configured_profile_alone() {
        let config = Config {
            profile: Profile::Thrifty,
            batch_s: Some(0),
            ..Config::default()
        };
        let mut profiles = Profiles::new(&config, None);
        assert_eq!(
            (profiles.paces().batch, profiles.paces().states),
            (at(1), at(3600))
        );
        profiles
            .choose(&json!({"profile": "balanced"}), at(0))
            .unwrap();
        assert_eq!(
            (profiles.paces().batch, profiles.paces().states),
            (at(60), at(900))
        );
        assert_eq!(profiles.kept(), Some(Profile::Balanced));
        assert!(
            Profiles::new(&config, profiles.kept())
                .state(at(0))
                .is_chosen
        );
    }

    #[test]
    fn a_choice_may_end_by_itself() {
        let mut profiles = Profiles::new(&Config::default(), None);
        let told = profiles
            .choose(&json!({"profile": "live", "for_s": 600}), at(100))
            .unwrap();
        assert_eq!(
            told,
            json!({"profile": "live", "batch_s": 5, "ends_in_s": 600})
        );
        assert_eq!(
            (profiles.kept(), profiles.deadline()),
            (None, Some(at(700)))
        );
        assert_eq!(profiles.state(at(400)).ends_in_s, Some(300));
        assert!(!profiles.on_time(at(699)) && profiles.on_time(at(700)));
        assert_eq!(
            (profiles.paces().batch, profiles.deadline()),
            (at(60), None)
        );
        assert!(!profiles.on_time(at(701)));
        // Null is whatever is configured, and has no end.
        profiles
            .choose(&json!({"profile": "live"}), at(800))
            .unwrap();
        let told = profiles
            .choose(&json!({"profile": null, "for_s": 5}), at(800))
            .unwrap();
        assert_eq!(told["ends_in_s"], Json::Null);
        assert_eq!(
            (profiles.kept(), profiles.state(at(800)).is_chosen),
            (None, false)
        );
    }

    #[test]
    fn the_budget_goes_before_a_choice_that_before_the_schedule_and_that_before_the_configured_one()
    {
        use ProfileReason::{Budget, Chosen, Configured, Schedule};
        let config = Config {
            schedule: "08:00-17:00 live".parse().unwrap(),
            batch_s: Some(30),
            ..Config::default()
        };
        let mut profiles = Profiles::new(&config, None);
        let noon = Some(LocalTime {
            weekday: 0,
            minute: 720,
        });
        let night = Some(LocalTime {
            weekday: 0,
            minute: 1200,
        });
        let told = |profiles: &Profiles| {
            let state = profiles.state(at(0));
            (state.name, state.batch_s, state.reason)
        };
        let mut check = |now, is_low, chosen: Json, expected: (&str, u32, ProfileReason)| {
            profiles.choose(&json!({"profile": chosen}), at(0)).unwrap();
            let before = told(&profiles);
            let has_changed = profiles.follow(now, is_low);
            assert_eq!(has_changed, told(&profiles) != before);
            let expected = (expected.0.to_owned(), expected.1, expected.2);
            assert_eq!(told(&profiles), expected);
        };
        check(None, false, Json::Null, ("balanced", 30, Configured));
        check(night, false, Json::Null, ("balanced", 30, Configured));
        check(noon, false, Json::Null, ("live", 5, Schedule));
        check(noon, false, json!("balanced"), ("balanced", 60, Chosen));
        check(noon, true, json!("balanced"), ("thrifty", 900, Budget));
        check(noon, true, json!("thrifty"), ("thrifty", 900, Chosen));
        check(noon, true, Json::Null, ("thrifty", 900, Budget));
        check(None, false, Json::Null, ("balanced", 30, Configured));
    }

    #[test]
    fn wrong_arguments_change_nothing() {
        let mut profiles = Profiles::new(&Config::default(), Some(Profile::Live));
        for args in [
            json!({"profile": "fast"}),
            json!({"profile": "live", "for_s": 0}),
            json!({"profile": "live", "for_s": 86_401}),
            json!({"profile": "live", "for": 5}),
            json!({"profile": 7}),
            json!([]),
        ] {
            assert!(profiles.choose(&args, at(0)).is_err(), "{args}");
        }
        assert_eq!(profiles.kept(), Some(Profile::Live));
    }
}
