//! One trouble: from its first sign until the link has worked for five minutes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tm_types::Stamp;

use super::table::{Rung, Table};
use crate::diagnosis::Stage;

/// Diagnoses remembered per episode: more than the table has rows.
const TALLIES: usize = 64;
/// A diagnosis that stood for less may have been a passing answer.
const STOOD_MS: u64 = 60_000;
/// Notices remembered per episode: one of each kind per rung and row.
const NOTICES: usize = 128;

/// From the first sign of trouble until the link has worked for five minutes.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(super) struct Episode {
    /// When it began, for people.
    pub(super) since: Stamp,
    /// When it began, in powered time, ms.
    pub(super) since_ms: u64,
    /// What is being done.
    pub(super) phase: Phase,
    /// Tries of each rung in this round.
    #[serde(default)]
    pub(super) tried: [u8; 7],
    /// A rung was passed over in this round that a later one may take.
    #[serde(default)]
    pub(super) is_short: bool,
    /// This round is one made again after the end: nothing above rung 2.
    #[serde(default)]
    pub(super) is_mild: bool,
    /// Failed rounds, for the length of the back-off.
    #[serde(default)]
    pub(super) n_failed: u32,
    /// The diagnosis whose patience is spent: a step against it failed.
    #[serde(default)]
    pub(super) spent: Option<String>,
    /// No step before this, in powered time, ms.
    #[serde(default)]
    pub(super) not_before_ms: u64,
    /// Since when the link works again, in powered time, ms.
    #[serde(default)]
    pub(super) quiet_since_ms: Option<u64>,
    /// What each diagnosis has had.
    #[serde(default)]
    pub(super) tallies: BTreeMap<String, Tally>,
    /// What was said once already.
    #[serde(default)]
    pub(super) said: Vec<String>,
    /// Steps taken.
    #[serde(default)]
    pub(super) n_steps: u32,
}

/// What a diagnosis has had in this episode.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Tally {
    /// How long it stood since the last step, ms: flapping between two diagnoses does not stop the ladder.
    pub(super) waited_ms: u64,
    /// How long it stood at a stretch, ms; kept once it was long enough to be no passing answer.
    pub(super) stood_ms: u64,
    /// Failed rounds.
    pub(super) rounds: u32,
    /// When it was last seen, in powered time, ms.
    pub(super) seen_ms: u64,
    /// Its rounds are over.
    pub(super) is_ended: bool,
    /// The next mild round, in powered time, ms: also kept while another diagnosis stands for a while.
    pub(super) again_ms: Option<u64>,
}

/// What is being done about an episode.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Phase {
    /// Patience.
    Waiting,
    /// A call is under way.
    Acting(Trial),
    /// Its effect is awaited.
    Judging(Trial),
    /// The next round begins then, in powered time, ms.
    BackingOff(u64),
    /// Nothing is left to do, but a mild round now and then.
    Ended,
}

/// A step under way.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(super) struct Trial {
    pub(super) rung: u8,
    /// The diagnosis it is meant for.
    pub(super) diagnosis: String,
    /// How far the way reached before it.
    pub(super) stage: Stage,
    /// When it was begun, in powered time, ms.
    pub(super) since_ms: u64,
    /// When patience with it ends.
    pub(super) until_ms: u64,
    /// Since when the way reaches farther.
    #[serde(default)]
    pub(super) better_since_ms: Option<u64>,
    /// The modem has gone from USB, or was not there before.
    #[serde(default)]
    pub(super) is_gone: bool,
    /// It has enumerated since, and has got its time once.
    #[serde(default)]
    pub(super) is_back: bool,
}

impl Tally {
    /// Whether it stood for long enough to be believed.
    pub(super) fn has_stood(&self) -> bool {
        self.is_ended || self.stood_ms >= STOOD_MS
    }

    /// Another diagnosis stands: what was a passing answer is forgotten.
    pub(super) fn forget_passing(&mut self) {
        if !self.has_stood() {
            self.stood_ms = 0;
        }
    }
}

impl Episode {
    pub(super) fn new(since: Stamp, since_ms: u64) -> Self {
        Self {
            since,
            since_ms,
            phase: Phase::Waiting,
            tried: [0; 7],
            is_short: false,
            is_mild: false,
            n_failed: 0,
            spent: None,
            not_before_ms: 0,
            quiet_since_ms: None,
            tallies: BTreeMap::new(),
            said: Vec::new(),
            n_steps: 0,
        }
    }

    /// Whether this is said for the first time in this episode.
    pub(super) fn says_once(&mut self, what: String) -> bool {
        let is_new = !self.said.contains(&what) && self.said.len() < NOTICES;
        if is_new {
            self.said.push(what);
        }
        is_new
    }

    pub(super) fn tally(&mut self, code: &str) -> &mut Tally {
        self.tallies.entry(code.to_owned()).or_default()
    }

    /// Patience begins anew for every diagnosis.
    pub(super) fn forget_patience(&mut self) {
        self.spent = None;
        for tally in self.tallies.values_mut() {
            tally.waited_ms = 0;
        }
    }

    /// Every rung may be tried again.
    pub(super) fn new_round(&mut self) {
        self.tried = [0; 7];
        self.is_short = false;
        self.is_mild = false;
    }

    pub(super) fn heal(&mut self, now: u64, table: &Table) {
        /// No deadline of the table is longer.
        const LONGEST_MS: u64 = 24 * 3_600_000;
        let latest = now.saturating_add(LONGEST_MS);
        self.since_ms = self.since_ms.min(now);
        self.not_before_ms = self.not_before_ms.min(latest);
        self.quiet_since_ms = self.quiet_since_ms.map(|since| since.min(now));
        self.said.truncate(NOTICES);
        self.tallies.retain(|code, _| table.row(code).is_some());
        while self.tallies.len() > TALLIES {
            self.tallies.pop_last();
        }
        for tally in self.tallies.values_mut() {
            tally.seen_ms = tally.seen_ms.min(now);
            tally.again_ms = tally.again_ms.map(|again| again.min(latest));
        }
        let is_sound = match &mut self.phase {
            Phase::Waiting | Phase::Ended => true,
            Phase::Acting(trial) | Phase::Judging(trial) => {
                trial.since_ms = trial.since_ms.min(now);
                trial.until_ms = trial.until_ms.min(latest);
                Rung::of_number(trial.rung).is_some()
            }
            Phase::BackingOff(until) => {
                *until = (*until).min(latest);
                true
            }
        };
        if !is_sound {
            self.phase = Phase::Waiting;
        }
    }
}
