//! A ladder with a clock in the hand.

use std::collections::BTreeMap;
use std::time::Duration;

use tm_types::{BootId, Cause, Clock, Code, Stamp, Timestamp, code};

use crate::diagnosis::{Diagnosis, FAULTS, Stage, Standing};
use crate::ladder::{Call, Input, Ladder, Memory, Output, Rung};

pub(super) struct Bench {
    pub(super) ladder: Ladder,
    pub(super) now: Stamp,
    pub(super) diagnosis: Diagnosis,
    /// Steps are answered so; nothing leaves them open.
    pub(super) answer: Option<Call>,
    pub(super) taken: Vec<(u64, Rung)>,
    pub(super) events: Vec<Cause>,
    pub(super) n_urgent: usize,
}

impl Bench {
    pub(super) fn new() -> Self {
        Self::with(Memory::default(), &[])
    }

    pub(super) fn with(memory: Memory, barred: &[(Rung, &str)]) -> Self {
        let barred: BTreeMap<Rung, String> = barred
            .iter()
            .map(|(rung, reason)| (*rung, (*reason).to_owned()))
            .collect();
        Self {
            ladder: Ladder::new(memory, barred, 1),
            now: Stamp {
                time: Timestamp::of_unix_ms(1_790_000_000_000),
                mono_ms: 1_000_000,
                boot: BootId(1),
                clock: Clock::Ntp,
                err_ms: None,
            },
            diagnosis: open(),
            answer: Some(Call::Taken),
            taken: Vec::new(),
            events: Vec::new(),
            n_urgent: 0,
        }
    }

    pub(super) fn input(&mut self, input: Input) {
        let outputs = self.ladder.on(input, &self.now);
        for output in outputs {
            match output {
                Output::Event(_, cause) => self.events.push(cause),
                Output::Save { is_urgent } => self.n_urgent += usize::from(is_urgent),
                Output::Act(rung) => {
                    self.taken.push((self.now.mono_ms / 1000, rung));
                    if let Some(answer) = self.answer.clone() {
                        self.input(Input::Done(rung, answer));
                    }
                }
            }
        }
    }

    /// Shows a diagnosis every 10 s for so long, and wakes the ladder when it wants.
    pub(super) fn show(&mut self, diagnosis: &Diagnosis, seconds: u64) {
        self.diagnosis = diagnosis.clone();
        self.input(Input::Diagnosis(diagnosis.clone()));
        let end = self.now.mono_ms + seconds * 1000;
        while self.now.mono_ms < end {
            let poll = self.now.mono_ms + 10_000;
            let due = self
                .ladder
                .deadline()
                .map(|due: Duration| u64::try_from(due.as_millis()).unwrap());
            let next = due
                .map_or(poll, |due| due.clamp(self.now.mono_ms + 1, poll))
                .min(end);
            self.pass(next - self.now.mono_ms);
            self.input(Input::Diagnosis(diagnosis.clone()));
        }
    }

    pub(super) fn pass(&mut self, ms: u64) {
        self.now.mono_ms += ms;
        self.now.time = self.now.time.plus_ms(i64::try_from(ms).unwrap());
    }

    pub(super) fn rungs(&self) -> Vec<u8> {
        self.taken.iter().map(|(_, rung)| rung.number()).collect()
    }

    pub(super) fn n_taken(&self, rung: Rung) -> usize {
        self.taken.iter().filter(|step| step.1 == rung).count()
    }

    pub(super) fn count(&self, code: Code) -> usize {
        self.events.iter().filter(|cause| cause.is(code)).count()
    }

    /// The process starts anew with what is on the disk.
    pub(super) fn restart(&mut self) {
        let memory = Memory::read(&self.ladder.memory().bytes());
        self.ladder = Ladder::new(memory, BTreeMap::new(), 1);
    }

    /// The machine starts anew, `off_s` later by a true clock.
    pub(super) fn reboot(&mut self, off_s: u64) {
        self.pass(off_s * 1000);
        self.now.boot = BootId(self.now.boot.0 + 1);
        self.now.mono_ms = 40_000;
        self.restart();
    }
}

pub(super) fn open() -> Diagnosis {
    of(code::LINK_OPEN, Standing::Healthy, Stage::Open)
}

/// A fault where it usually is found.
pub(super) fn fault(code: Code) -> Diagnosis {
    assert!(FAULTS.contains(&code));
    let stage = match code.as_str() {
        "modem.absent" => Stage::Gone,
        "modem.mute" | "modem.manager_failed" => Stage::Mute,
        "modem.starting" | "modem.sim_absent" | "modem.sim_puk_required" => Stage::Present,
        text if text.starts_with("link.") || text.starts_with("uplink.") => Stage::Context,
        "modem.wrong_apn" | "modem.no_data_context" => Stage::Registered,
        _ => Stage::Card,
    };
    of(code, Standing::Faulty, stage)
}

pub(super) fn of(code: Code, standing: Standing, stage: Stage) -> Diagnosis {
    Diagnosis {
        cause: code.plain(),
        standing,
        stage,
        is_mains_away: false,
        has_other_way: false,
        evidence: "the evidence".to_owned(),
    }
}
