//! What the ladder remembers across restarts and reboots: where it stands, and what it did.
//!
//! Everything is timed by *powered time*: the milliseconds this machine is known to have run since the memory was
//! made. It continues over reboots, never jumps, and falls behind true time only by what passed without power or
//! unsaved. So a wall clock that is ten years off neither forbids a step for years nor forgets one.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;
use tm_types::{BootId, RecoveryStep, Stamp, Timestamp};

use super::episode::Episode;
use super::table::{Rung, Table};

/// Steps shown in the state.
pub(crate) const SHOWN: usize = 16;
/// Two stamps further apart by the wall clock than this are not believed: one of them is wrong.
const BELIEVED_MS: u64 = 30 * 24 * 3_600_000;
/// The longest that a crew can ask for quiet.
pub(super) const LONGEST_HANDS_OFF_MS: u64 = 7 * 24 * 3_600_000;
/// More powered time than any machine has, ms: a value beyond it is damage.
const LONGEST_LIFE_MS: u64 = 100 * 365 * 24 * 3_600_000;

/// The whole memory; kept in the store.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Memory {
    /// Powered time at the last input, ms.
    pub(super) powered_ms: u64,
    /// The boot of the last input.
    pub(super) boot: Option<BootId>,
    /// The monotonic clock at the last input, ms.
    pub(super) mono_ms: u64,
    /// When the modem last appeared on USB, in powered time, ms; with the machine, where nobody saw it.
    pub(super) enumerated_ms: Option<u64>,
    /// The trouble under way.
    pub(super) episode: Option<Episode>,
    /// Steps, newest last.
    pub(super) steps: Vec<Step>,
    /// Who holds the recovery.
    pub(super) held_by: Option<String>,
    /// Until when nothing is done automatically.
    pub(super) hands_off: Option<HandsOff>,
}

/// Until when nothing is done automatically.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(super) struct HandsOff {
    /// In powered time, ms.
    pub(super) until_ms: u64,
    /// For people.
    pub(super) shown: Timestamp,
}

/// A step that was begun.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(super) struct Step {
    /// For people, and for the wall clock across boots.
    pub(super) stamp: Stamp,
    /// In powered time, ms.
    pub(super) at_ms: u64,
    /// 1 to 6.
    pub(super) rung: u8,
    /// Why.
    pub(super) diagnosis: String,
    /// Whether it helped; nothing while that is awaited, or when another step overtook it.
    pub(super) helped: Option<bool>,
    /// An operator asked for it.
    #[serde(default)]
    pub(super) is_requested: bool,
}

impl Memory {
    /// From bytes of any origin; each part that cannot be read is forgotten alone.
    pub(crate) fn read(bytes: &[u8]) -> Self {
        let value: Value = serde_json::from_slice(bytes).unwrap_or_default();
        let steps = value.get("steps").and_then(Value::as_array);
        let steps = steps.into_iter().flatten().filter_map(|step| {
            let step: Option<Step> = serde_json::from_value(step.clone()).ok();
            step
        });
        Self {
            powered_ms: part(&value, "powered_ms").unwrap_or(0),
            boot: part(&value, "boot"),
            mono_ms: part(&value, "mono_ms").unwrap_or(0),
            enumerated_ms: part(&value, "enumerated_ms"),
            episode: part(&value, "episode"),
            steps: steps.collect(),
            held_by: part(&value, "held_by"),
            hands_off: part(&value, "hands_off"),
        }
    }

    /// For the store.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Holds every value within its bounds: what a damaged file says must not stop the ladder for years.
    pub(super) fn heal(&mut self, table: &Table) {
        if self.powered_ms > LONGEST_LIFE_MS {
            self.powered_ms = 0;
        }
        let now = self.powered_ms;
        self.enumerated_ms = self.enumerated_ms.map(|at| at.min(now));
        self.steps
            .retain(|step| Rung::of_number(step.rung).is_some());
        for step in &mut self.steps {
            step.at_ms = step.at_ms.min(now);
        }
        self.steps.sort_by_key(|step| step.at_ms);
        self.prune(table);
        if let Some(hands_off) = &mut self.hands_off {
            hands_off.until_ms = hands_off
                .until_ms
                .min(now.saturating_add(LONGEST_HANDS_OFF_MS));
        }
        if let Some(episode) = &mut self.episode {
            episode.heal(now, table);
        }
    }

    /// Lets the powered time go on, and says whether this is another boot.
    pub(super) fn advance(&mut self, now: &Stamp) -> bool {
        let is_new_boot = self.boot != Some(now.boot);
        let passed = if is_new_boot {
            now.mono_ms
        } else {
            now.mono_ms.saturating_sub(self.mono_ms)
        };
        let was_known = self.boot.is_some();
        self.powered_ms = self.powered_ms.saturating_add(passed);
        self.boot = Some(now.boot);
        self.mono_ms = now.mono_ms;
        is_new_boot && was_known
    }

    /// How many steps of this rung are within its window, and how long until the oldest is not, ms.
    pub(super) fn within(&self, rung: Rung, table: &Table, now: &Stamp) -> (usize, u64) {
        let window = table.rule(rung).window_ms();
        let recent = self
            .steps
            .iter()
            .filter(|step| step.rung == rung.number() && self.is_within(step, window, now));
        let oldest = recent.clone().next();
        let left = oldest.map_or(0, |step| {
            window.saturating_sub(self.powered_ms.saturating_sub(step.at_ms))
        });
        (recent.count(), left)
    }

    /// Within one boot the monotonic clock tells. Across boots the powered time gives the least age; more than
    /// that is believed of the wall clock, in either direction, if it was set by something outside both times
    /// and the difference is one that happens.
    fn is_within(&self, step: &Step, window_ms: u64, now: &Stamp) -> bool {
        if self.powered_ms.saturating_sub(step.at_ms) >= window_ms {
            return false;
        }
        if step.stamp.boot == now.boot || !(step.stamp.clock.is_trusted() && now.clock.is_trusted())
        {
            return true;
        }
        let apart = now.time.ms_since(step.stamp.time).unsigned_abs();
        apart < window_ms || apart > BELIEVED_MS
    }

    /// Notes a step that is about to be taken.
    pub(super) fn note(&mut self, step: Step, table: &Table) {
        self.steps.push(step);
        self.prune(table);
    }

    /// Keeps what is shown, and of each rung as many as its cap can ask for.
    fn prune(&mut self, table: &Table) {
        let mut kept: BTreeMap<u8, usize> = BTreeMap::new();
        let n_steps = self.steps.len();
        let mut is_kept: Vec<bool> = Vec::with_capacity(n_steps);
        for (age, step) in self.steps.iter().rev().enumerate() {
            let n_kept = kept.entry(step.rung).or_default();
            let cap = Rung::of_number(step.rung).map_or(0, |rung| table.rule(rung).cap.min(SHOWN));
            let is_counted = *n_kept < cap;
            *n_kept += 1;
            is_kept.push(age < SHOWN || is_counted);
        }
        let mut is_kept = is_kept.into_iter().rev();
        self.steps.retain(|_| is_kept.next().unwrap_or(false));
    }

    /// Whether an operator asked for the last step.
    #[cfg(test)]
    pub(super) fn is_last_requested(&self) -> bool {
        self.steps.last().is_some_and(|step| step.is_requested)
    }

    /// The steps for the state.
    pub(super) fn shown(&self) -> Vec<RecoveryStep> {
        let from = self.steps.len().saturating_sub(SHOWN);
        let steps = self.steps.iter().skip(from);
        steps
            .map(|step| RecoveryStep {
                stamp: step.stamp,
                rung: step.rung,
                action: Rung::of_number(step.rung)
                    .map_or("?", Rung::action)
                    .to_owned(),
                diagnosis: step.diagnosis.clone(),
                helped: step.helped,
            })
            .collect()
    }
}

fn part<T: DeserializeOwned>(value: &Value, name: &str) -> Option<T> {
    let part = value.get(name)?;
    serde_json::from_value(part.clone()).ok()
}
