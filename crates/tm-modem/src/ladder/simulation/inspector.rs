//! Watches the ladder from outside, and objects.

use std::collections::{BTreeMap, BTreeSet};

use tm_types::{Cause, code};

use super::world::{HOUR, MINUTE, SECOND, World};
use crate::diagnosis::{Diagnosis, Stage, Standing};
use crate::ladder::{Output, Rung};

/// What a rung may do at most, whatever the table in use says: the product's promise.
const PROMISED: [(u8, usize, u64); 6] = [
    (1, 3, HOUR),
    (2, 3, HOUR),
    (3, 4, 6 * HOUR),
    (4, 2, 6 * HOUR),
    (5, 2, 6 * HOUR),
    (6, 1, 24 * HOUR),
];

#[derive(Default)]
pub(super) struct Inspector {
    pub(super) objections: Vec<String>,
    /// True times of each rung's automatic steps.
    taken: BTreeMap<u8, Vec<u64>>,
    /// Rungs taken at any time, requested ones too.
    ever: BTreeSet<u8>,
    /// Rungs taken against the present failure, in order, requested ones too.
    pub(super) rungs: Vec<u8>,
    n_strong: usize,
}

impl Inspector {
    pub(super) fn on_fault(&mut self) {
        (self.rungs, self.n_strong) = (Vec::new(), 0);
    }

    pub(super) fn has_taken(&self, rung: u8) -> bool {
        self.ever.contains(&rung)
    }

    fn object(&mut self, world: &World, text: &str) {
        let fault = world
            .active
            .as_ref()
            .map_or("none", |active| active.fault.name);
        let minutes = world.now / MINUTE;
        self.objections
            .push(format!("at {minutes} min, against {fault}: {text}"));
    }

    /// Looks at what the ladder wants after one input.
    pub(super) fn look(
        &mut self,
        world: &World,
        diagnosis: Option<&Diagnosis>,
        outputs: &[Output],
        is_paused: bool,
        is_requested: bool,
    ) {
        let mut told: Option<&Cause> = None;
        let mut is_saved = false;
        for output in outputs {
            match output {
                Output::Event(_, cause) => {
                    self.read(world, cause);
                    if cause.is(code::RECOVERY_STEP) {
                        told = Some(cause);
                    }
                }
                Output::Save { is_urgent } => is_saved |= is_urgent,
                Output::Act(rung) => {
                    let number = rung.number();
                    let is_told = told.is_some_and(|cause| {
                        cause.args.get("rung") == Some(&number.to_string())
                            && cause
                                .args
                                .get("evidence")
                                .is_some_and(|words| !words.is_empty())
                    });
                    if !is_told {
                        self.object(world, "a step without its event and evidence");
                    }
                    if !is_saved {
                        self.object(world, "a step that is not remembered first");
                    }
                    self.ever.insert(number);
                    self.rungs.push(number);
                    if !is_requested {
                        self.on_automatic(world, diagnosis, *rung, is_paused);
                    }
                }
            }
        }
    }

    /// Every sentence has its arguments.
    fn read(&mut self, world: &World, cause: &Cause) {
        let sentence = tm_types::text::sentence(tm_types::text::Language::En, cause);
        if sentence == cause.code || sentence.contains('{') {
            self.object(world, &format!("no sentence: {sentence}"));
        }
        let is_bare = [code::RECOVERY_RESUMED].iter().any(|code| cause.is(*code));
        if cause.args.is_empty() && !is_bare {
            self.object(world, &format!("{} without arguments", cause.code));
        }
    }

    fn on_automatic(
        &mut self,
        world: &World,
        diagnosis: Option<&Diagnosis>,
        rung: Rung,
        is_paused: bool,
    ) {
        let number = rung.number();
        if is_paused {
            self.object(world, "an automatic step while an operator said no");
        }
        if diagnosis.is_none_or(|diagnosis| diagnosis.standing == Standing::Healthy) {
            self.object(world, "a step while data flows");
        }
        let is_starting = diagnosis.is_some_and(|diagnosis| diagnosis.stage == Stage::Mute);
        let is_young = world
            .on_usb_since()
            .is_some_and(|since| world.now < since + 215 * SECOND);
        // In a loop of brown-outs every enumeration is young; there the module is not seen to start.
        if is_starting && is_young {
            self.object(world, "a step into a start");
        }
        let times = self.taken.entry(number).or_default();
        times.push(world.now);
        let (_, cap, window) = PROMISED[usize::from(number) - 1];
        let recent = times.iter().filter(|at| **at + window > world.now).count();
        if recent > cap {
            self.object(
                world,
                &format!("rung {number} taken {recent} times within its window"),
            );
        }
        let Some(active) = &world.active else {
            return;
        };
        let (fault, since) = (active.fault, active.since);
        if number > fault.highest {
            self.object(
                world,
                &format!("rung {number}, but at most {} helps", fault.highest),
            );
        }
        if number >= 3 {
            self.n_strong += 1;
            if self.n_strong > fault.resets {
                self.object(world, "more resets than the failure allows");
            }
        }
        let is_outage = fault.name.starts_with("area outage");
        if is_outage && world.now < since + 30 * MINUTE {
            self.object(world, "a step within the first half hour of an outage");
        }
    }
}
