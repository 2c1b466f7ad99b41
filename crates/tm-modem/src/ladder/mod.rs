//! The recovery ladder: from a diagnosis to the mildest step that may help, and proof that it did.
//!
//! A pure state machine: [`Ladder::on`] takes one input with the time, and gives back what is to be done. What
//! it does, how often and where it stops is written in `ladder.toml` ([`Table`]); where it stands and what it
//! did is in its [`Memory`], which survives restarts and reboots. A step is judged by what the evidence says
//! afterwards, never by its call having returned. See `docs/recovery.md`.

mod choose;
mod decide;
mod episode;
mod memory;
mod table;
mod trial;
mod view;

#[cfg(test)]
mod page;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use tm_types::{Cause, Code, Severity, Stamp, Timestamp, code, code::MODEM_STARTING};

use crate::diagnosis::{Diagnosis, Stage, Standing};

pub(crate) use memory::Memory;
pub(crate) use table::{Rung, Table};

use episode::{Episode, Phase};
use memory::{HandsOff, LONGEST_HANDS_OFF_MS};

/// After a start the first look at the evidence may be half blind.
const FIRST_LOOK_MS: u64 = 60_000;
/// A modem is on USB so long after the machine's start: 11 to 12 s for itself (hardware design, table 8), and the host.
const APPEARS_MS: u64 = 30_000;
/// While there is something to remember, it is written at least so often, so that powered time is not lost.
const SAVED_EVERY_MS: u64 = 3_600_000;

/// What the ladder is told.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Input {
    /// The present diagnosis: whenever the evidence was looked at, changed or not.
    Diagnosis(Diagnosis),
    /// What became of the call for a step.
    Done(Rung, Call),
    /// The deadline has come.
    Time,
    /// Nothing is to be done automatically until [`Input::Resume`].
    Hold {
        /// Who says so.
        issuer: String,
    },
    /// The end of a hold or of the crew's time.
    Resume,
    /// A crew is on site.
    HandsOff {
        /// Until then, on the monotonic clock; at most seven days ahead.
        until: Duration,
        /// The same for people.
        shown: Timestamp,
    },
    /// An operator wants this step now, in whatever state.
    Request {
        /// Which.
        rung: Rung,
        /// Who.
        issuer: String,
    },
}

/// What became of the call for a step.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Call {
    /// It was taken; the evidence will say whether it helped.
    Taken,
    /// It failed, as far as the call can tell.
    Failed(Cause),
    /// The privilege for it is not granted; the reason in words. Not for what may work later.
    Unavailable(String),
}

/// What is to be done, in this order.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Output {
    /// Tell it.
    Event(Severity, Cause),
    /// Write the memory.
    Save {
        /// Before anything else, and to the disk: what follows may end this machine or its modem.
        is_urgent: bool,
    },
    /// Do this, and answer with [`Input::Done`].
    Act(Rung),
}

/// The ladder of one modem.
#[derive(Debug)]
pub(crate) struct Ladder {
    table: Table,
    memory: Memory,
    /// Rungs whose privilege is not granted, and why.
    barred: BTreeMap<Rung, String>,
    /// Different on each device: spreads long waits.
    seed: u64,
    diagnosis: Option<Diagnosis>,
    /// Since when it is not on USB, in powered time, ms.
    gone_since_ms: Option<u64>,
    /// A request that came while a call was under way.
    waiting_request: Option<(Rung, String)>,
    saved_ms: u64,
    /// The time of the present input.
    now: Option<Stamp>,
    /// When the next decision is due, in powered time, ms.
    due_ms: Option<u64>,
    out: Vec<Output>,
}

impl Ladder {
    /// A ladder that goes on where `memory` stands. `barred`: rungs that are known to be impossible here, and
    /// why. `seed`: any number that differs between devices, such as a digest of the IMEI.
    pub(crate) fn new(memory: Memory, barred: BTreeMap<Rung, String>, seed: u64) -> Self {
        Self::with_table(Table::standard().clone(), memory, barred, seed)
    }

    fn with_table(
        table: Table,
        mut memory: Memory,
        barred: BTreeMap<Rung, String>,
        seed: u64,
    ) -> Self {
        memory.heal(&table);
        Self {
            saved_ms: memory.powered_ms,
            table,
            memory,
            barred,
            seed,
            diagnosis: None,
            gone_since_ms: None,
            waiting_request: None,
            now: None,
            due_ms: None,
            out: Vec::new(),
        }
    }

    /// Takes an input in. Only the monotonic clock and the boot of `now` decide; the wall clock is for people,
    /// and for caps across boots where it can be believed.
    pub(crate) fn on(&mut self, input: Input, now: &Stamp) -> Vec<Output> {
        let before_ms = self.memory.powered_ms;
        let is_new_boot = self.memory.advance(now);
        self.now = Some(*now);
        if is_new_boot || self.memory.enumerated_ms.is_none() {
            // Nobody saw it appear; after a start of the machine it did so by then.
            let since_boot = now.mono_ms.saturating_sub(APPEARS_MS);
            self.memory.enumerated_ms = Some(self.now_ms().saturating_sub(since_boot));
        }
        if is_new_boot {
            self.on_boot();
        } else {
            self.count_patience(self.now_ms().saturating_sub(before_ms));
        }
        match input {
            Input::Diagnosis(diagnosis) => self.on_diagnosis(diagnosis),
            Input::Done(rung, call) => self.on_done(rung, call),
            Input::Time => {}
            Input::Hold { issuer } => {
                self.memory.held_by = Some(issuer.clone());
                self.say(Severity::Info, code::RECOVERY_HELD.with("issuer", issuer));
                self.save(true);
            }
            Input::Resume => self.resume(),
            Input::HandsOff { until, shown } => {
                let until_ms = u64::try_from(until.as_millis()).unwrap_or(u64::MAX);
                let left = until_ms.saturating_sub(now.mono_ms);
                let left = left.min(LONGEST_HANDS_OFF_MS);
                let until_ms = self.now_ms().saturating_add(left);
                self.memory.hands_off = Some(HandsOff { until_ms, shown });
                self.say(
                    Severity::Info,
                    code::RECOVERY_HANDS_OFF.with("until", shown),
                );
                self.save(true);
            }
            Input::Request { rung, issuer } => self.waiting_request = Some((rung, issuer)),
        }
        self.decide();
        let is_due = self.now_ms().saturating_sub(self.saved_ms) >= SAVED_EVERY_MS;
        if is_due && self.memory != Memory::default() {
            self.save(false);
        }
        std::mem::take(&mut self.out)
    }

    /// When [`Input::Time`] is due, on the monotonic clock; nothing while only the evidence can change anything.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        let left = self.due_ms?.saturating_sub(self.memory.powered_ms);
        Some(Duration::from_millis(
            self.memory.mono_ms.saturating_add(left),
        ))
    }

    /// What must be kept; [`Memory::bytes`] and [`Memory::read`] are its way to the disk and back.
    pub(crate) fn memory(&self) -> &Memory {
        &self.memory
    }

    /// Why a rung cannot be taken here; nothing where it can, or where that was not tried yet.
    pub(crate) fn barred(&self, rung: Rung) -> Option<&str> {
        self.barred.get(&rung).map(String::as_str)
    }

    /// Another boot: the modem starts as well, so patience begins anew; what was done and told stays.
    fn on_boot(&mut self) {
        let now_ms = self.now_ms();
        let judge_ms = self.table.rule(Rung::Reboot).judge_s * 1000;
        let Some(episode) = &mut self.memory.episode else {
            return;
        };
        episode.phase = match episode.phase.clone() {
            Phase::Acting(mut trial) | Phase::Judging(mut trial)
                if trial.rung == Rung::Reboot.number() =>
            {
                trial.until_ms = now_ms.saturating_add(judge_ms);
                Phase::Judging(trial)
            }
            Phase::Acting(_) | Phase::Judging(_) => Phase::Waiting,
            other => other,
        };
        episode.quiet_since_ms = None;
        episode.forget_patience();
        // A card may be missed at each start, and be read after one reset; caps bound that all the same.
        let is_card = |code: &str| {
            let row = self.table.row(code);
            row.is_some_and(|row| row.class == table::Class::Card)
        };
        let is_over = |code: &str, tally: &episode::Tally| tally.is_ended && is_card(code);
        if episode
            .tallies
            .iter()
            .any(|(code, tally)| is_over(code, tally))
        {
            episode.tallies.retain(|code, _| !is_card(code));
            episode.new_round();
        }
    }

    fn on_diagnosis(&mut self, diagnosis: Diagnosis) {
        let now_ms = self.now_ms();
        let before = self.diagnosis.as_ref().map(|before| before.stage);
        if before == Some(Stage::Gone) && diagnosis.stage > Stage::Gone {
            self.memory.enumerated_ms = Some(now_ms);
        }
        if diagnosis.stage == Stage::Gone {
            self.gone_since_ms.get_or_insert(now_ms);
        } else {
            self.gone_since_ms = None;
        }
        let is_first = self.diagnosis.is_none();
        let is_quiet = diagnosis.standing.is_quiet();
        if !is_quiet && self.memory.episode.is_none() {
            let since = self.stamp();
            self.memory.episode = Some(Episode::new(since, now_ms));
        }
        if let Some(episode) = &mut self.memory.episode {
            if is_first {
                episode.not_before_ms = episode.not_before_ms.max(now_ms + FIRST_LOOK_MS);
                if let Phase::Judging(trial) = &mut episode.phase {
                    trial.until_ms = trial.until_ms.max(now_ms + FIRST_LOOK_MS);
                }
            }
            if let Some(before) = &self.diagnosis
                && before.cause.code != diagnosis.cause.code
                && let Some(tally) = episode.tallies.get_mut(&before.cause.code)
            {
                tally.forget_passing();
            }
            if is_quiet {
                episode.quiet_since_ms.get_or_insert(now_ms);
            } else {
                episode.quiet_since_ms = None;
                episode.tally(&diagnosis.cause.code).seen_ms = now_ms;
            }
            if diagnosis.standing == Standing::Healthy {
                episode.forget_patience();
            }
        }
        self.diagnosis = Some(diagnosis);
    }

    /// Time counts for the diagnosis that stood while it passed.
    fn count_patience(&mut self, passed_ms: u64) {
        let (Some(diagnosis), Some(episode)) = (&self.diagnosis, &mut self.memory.episode) else {
            return;
        };
        let is_waiting = !matches!(episode.phase, Phase::Acting(_) | Phase::Judging(_));
        if diagnosis.standing.is_quiet() {
            return;
        }
        let tally = episode.tally(&diagnosis.cause.code);
        if diagnosis.standing == Standing::Faulty {
            tally.stood_ms = tally.stood_ms.saturating_add(passed_ms);
        }
        if is_waiting {
            tally.waited_ms = tally.waited_ms.saturating_add(passed_ms);
        }
    }

    /// The crew has left: it begins with patience.
    fn resume(&mut self) {
        let was_held = self.memory.held_by.take().is_some();
        let was_quiet = self.memory.hands_off.take().is_some();
        if was_held || was_quiet {
            if let Some(episode) = &mut self.memory.episode {
                episode.forget_patience();
            }
            self.say(Severity::Info, code::RECOVERY_RESUMED.plain());
            self.save(true);
        }
    }

    fn is_paused(&self) -> bool {
        self.memory.held_by.is_some() || self.memory.hands_off.is_some()
    }

    fn now_ms(&self) -> u64 {
        self.memory.powered_ms
    }

    fn stamp(&self) -> Stamp {
        self.now.expect("set by the only public way in")
    }

    fn say(&mut self, severity: Severity, cause: Cause) {
        self.out.push(Output::Event(severity, cause));
    }

    fn save(&mut self, is_urgent: bool) {
        self.saved_ms = self.now_ms();
        let is_asked = |output: &&mut Output| matches!(output, Output::Save { .. });
        if let Some(Output::Save { is_urgent: before }) = self.out.iter_mut().find(is_asked) {
            *before |= is_urgent;
        } else {
            self.out.push(Output::Save { is_urgent });
        }
    }

    fn due(&mut self, at_ms: u64) {
        self.due_ms = Some(self.due_ms.map_or(at_ms, |due| due.min(at_ms)));
    }

    /// The code and the words of the present diagnosis.
    fn facts(&self) -> (String, String) {
        match &self.diagnosis {
            Some(diagnosis) => (diagnosis.cause.code.clone(), diagnosis.evidence.clone()),
            None => (MODEM_STARTING.to_string(), "nothing known yet".to_owned()),
        }
    }

    /// An event about a rung.
    fn about(code: Code, rung: Rung) -> Cause {
        code.with("rung", rung.number())
            .and("action", rung.action())
    }
}
