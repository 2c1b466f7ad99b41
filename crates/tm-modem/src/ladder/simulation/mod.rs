//! The ladder against a small world, in virtual time: every failure of the field table alone, and days of them
//! mixed with restarts, power cuts, clock jumps and operators.
//!
//! `cargo test -p tm-modem --lib ladder::simulation -- --nocapture` prints the table of recovery times.

mod faults;
mod inspector;
mod world;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use tm_types::Clock;

use super::{Call, Input, Ladder, Memory, Output, Rung, Table};
use crate::diagnosis::{Diagnosis, Watch};
use faults::{FAULTS, Fault};
use inspector::Inspector;
use world::{Chance, HOUR, MINUTE, SECOND, World};

const POLL: u64 = 10 * SECOND;
const YEAR_MS: i64 = 365 * 24 * 3_600_000;

struct Run {
    world: World,
    table: Table,
    barred: BTreeMap<Rung, String>,
    watch: Watch,
    ladder: Ladder,
    diagnosis: Option<Diagnosis>,
    inspector: Inspector,
    /// What is on the disk, and what the store still holds back.
    disk: Vec<u8>,
    held_back: Option<(u64, Vec<u8>)>,
    call: Option<(u64, Rung)>,
    next_poll: u64,
    is_held: bool,
    hands_off_until: Option<u64>,
    paused_ms: u64,
    /// A fault of the test itself: nothing is remembered over a restart.
    forgets: bool,
}

impl Run {
    fn new(seed: u64, table: &Table, barred: &[u8]) -> Self {
        let barred: BTreeMap<Rung, String> = barred
            .iter()
            .filter_map(|number| Rung::of_number(*number))
            .map(|rung| (rung, "not granted".to_owned()))
            .collect();
        let ladder = Ladder::with_table(table.clone(), Memory::default(), barred.clone(), seed);
        Self {
            world: World::new(seed),
            table: table.clone(),
            barred,
            watch: Watch::default(),
            ladder,
            diagnosis: None,
            inspector: Inspector::default(),
            disk: Vec::new(),
            held_back: None,
            call: None,
            next_poll: 0,
            is_held: false,
            hands_off_until: None,
            paused_ms: 0,
            forgets: false,
        }
    }

    fn is_paused(&self) -> bool {
        self.is_held
            || self
                .hands_off_until
                .is_some_and(|until| self.world.now < until)
    }

    fn input(&mut self, input: Input) {
        let is_requested = matches!(input, Input::Request { .. });
        let stamp = self.world.stamp();
        // What an operator asked for may also begin later, when a call that is under way has ended.
        let outputs = self.ladder.on(input, &stamp);
        let is_requested = is_requested || self.ladder.memory().is_last_requested();
        let is_paused = self.is_paused();
        self.inspector.look(
            &self.world,
            self.diagnosis.as_ref(),
            &outputs,
            is_paused,
            is_requested,
        );
        for output in outputs {
            match output {
                Output::Event(..) => {}
                Output::Save { is_urgent } => {
                    let bytes = self.ladder.memory().bytes();
                    if is_urgent {
                        (self.disk, self.held_back) = (bytes, None);
                    } else {
                        let at = self
                            .held_back
                            .take()
                            .map_or(self.world.now + MINUTE, |held| held.0);
                        self.held_back = Some((at, bytes));
                    }
                }
                Output::Act(rung) => {
                    let at = self.world.now + self.world.chance.between(1, 12) * SECOND;
                    self.call = Some((at, rung));
                }
            }
        }
        let view = self.ladder.view(&stamp);
        assert!(view.steps.len() <= 16);
    }

    /// A new process, with what is on the disk.
    fn start(&mut self) {
        let memory = if self.forgets {
            Memory::default()
        } else {
            Memory::read(&self.disk)
        };
        self.ladder = Ladder::with_table(
            self.table.clone(),
            memory,
            self.barred.clone(),
            self.world.chance.0,
        );
        self.watch = Watch::default();
        (self.diagnosis, self.call) = (None, None);
        self.next_poll = self.world.now + self.world.chance.between(1, 30) * SECOND;
    }

    fn restart(&mut self) {
        // What was asked of the modem is on its way; only its answer finds nobody.
        if let Some((_, rung)) = self.call.take().filter(|(_, rung)| *rung != Rung::Reboot) {
            self.world.act(rung);
        }
        if let Some((_, bytes)) = self.held_back.take() {
            self.disk = bytes;
        }
        self.start();
    }

    fn reboot(&mut self, off: u64, is_power_cut: bool) {
        if is_power_cut {
            self.held_back = None;
        } else if let Some((_, bytes)) = self.held_back.take() {
            self.disk = bytes;
        }
        let off = off + 90 * SECOND;
        self.world.reboot(off, is_power_cut);
        self.start();
    }

    /// Goes on to whatever happens next.
    fn step(&mut self) {
        let deadline = self.ladder.deadline().map(|deadline| {
            let mono = u64::try_from(deadline.as_millis()).unwrap();
            (self.world.booted_at + mono).max(self.world.now + 1)
        });
        let call = self.call.map(|(at, _)| at);
        let next = [Some(self.next_poll), deadline, call]
            .into_iter()
            .flatten()
            .min()
            .unwrap();
        if self.is_paused() {
            self.paused_ms += next - self.world.now;
        }
        self.world.now = next;
        self.world.pass();
        if self.held_back.as_ref().is_some_and(|(at, _)| next >= *at) {
            self.disk = self.held_back.take().unwrap().1;
        }
        if call == Some(next) {
            let (_, rung) = self.call.take().unwrap();
            let answer = self.world.act(rung);
            if rung == Rung::Reboot && answer == Call::Taken {
                self.reboot(0, false);
            } else {
                self.input(Input::Done(rung, answer));
            }
        } else if self.next_poll == next {
            self.next_poll = next + POLL;
            let evidence = self.world.evidence();
            let diagnosis = self.watch.diagnose(&evidence, self.world.mono());
            self.diagnosis = Some(diagnosis.clone());
            self.input(Input::Diagnosis(diagnosis));
        } else {
            self.input(Input::Time);
        }
    }

    fn until(&mut self, time: u64) {
        while self.world.now < time {
            self.step();
        }
    }
}

/// One failure alone: the rungs taken, and the time until data flows, or nothing within a day.
fn alone(fault: Fault, seed: u64, table: &Table) -> (Run, Option<u64>) {
    let mut run = Run::new(seed, table, &[]);
    run.until(10 * MINUTE + seed % 7 * SECOND);
    run.inspector.on_fault();
    run.world.strike(fault, fault.passes);
    let begin = run.world.now;
    let mut from = begin;
    while run.world.now < begin + 24 * HOUR {
        if let Some(active) = &run.world.active {
            // Until a person or the sky has done their part nothing can be healed.
            from = active.passes_at.unwrap_or(begin);
        }
        run.step();
        if run.world.is_open() {
            let taken = run.world.now.saturating_sub(from);
            return (run, Some(taken));
        }
    }
    (run, None)
}

#[test]
fn each_failure_alone_is_healed_by_the_mildest_rung_that_can() {
    const SEEDS: u64 = 11;
    let mut page =
        "| failure | rungs, median run | time to recovery, median | longest |\n|---|---|---|---|\n"
            .to_owned();
    let mut objections = Vec::new();
    for fault in FAULTS {
        let mut times: Vec<(u64, Vec<u8>)> = Vec::new();
        for seed in 0..SEEDS {
            let (run, taken) = alone(*fault, seed * 7919, Table::standard());
            objections.extend(run.inspector.objections.clone());
            match taken {
                Some(taken) => {
                    if taken > fault.within_min * MINUTE {
                        let minutes = taken / MINUTE;
                        let rungs = &run.inspector.rungs;
                        objections.push(format!("{}: {minutes} min, by {rungs:?}", fault.name));
                    }
                    times.push((taken, run.inspector.rungs));
                }
                None => objections.push(format!("{}: not within a day", fault.name)),
            }
        }
        times.sort();
        if let (Some((median, rungs)), Some((most, _))) = (times.get(times.len() / 2), times.last())
        {
            let rungs: Vec<String> = rungs.iter().map(ToString::to_string).collect();
            let rungs = if rungs.is_empty() {
                "none".to_owned()
            } else {
                rungs.join(", ")
            };
            let from = if fault.passes.is_some() {
                " (from when it has passed)"
            } else {
                ""
            };
            writeln!(
                page,
                "| {}{from} | {rungs} | {} | {} |",
                fault.name,
                clock(*median),
                clock(*most)
            )
            .unwrap();
        }
    }
    println!("{page}");
    assert!(objections.is_empty(), "{}", objections.join("\n"));
    super::page::hold("times", &page);
}

fn clock(ms: u64) -> String {
    let seconds = ms / SECOND;
    if seconds < 3600 {
        format!("{}:{:02} min", seconds / 60, seconds % 60)
    } else {
        format!("{}:{:02} h", seconds / 3600, seconds / 60 % 60)
    }
}

/// What happens besides failures.
#[derive(Clone, Copy, Default)]
struct Mix {
    barred: &'static [u8],
    /// A restart of the process each so many polls.
    restarts: u64,
    forgets: bool,
    is_calm: bool,
    /// A hold does not reach the ladder.
    is_unheard: bool,
}

/// Days of failures, one after the other, with everything else that happens; what the inspector objects to.
fn mixed(seed: u64, hours: u64, table: &Table, mix: Mix) -> Vec<String> {
    let mut run = Run::new(seed, table, mix.barred);
    run.forgets = mix.forgets;
    let mut chance = Chance(seed ^ 0xabcd);
    let mut next_fault = chance.between(2, 30) * MINUTE;
    let mut paused_before = 0;
    while run.world.now < hours * HOUR {
        run.step();
        if run.world.active.is_none() && run.world.is_open() && run.world.now >= next_fault {
            let fault = *chance.pick(FAULTS);
            let is_healable = fault.heals.iter().any(|rung| !mix.barred.contains(rung));
            let passes = fault.passes.or((!is_healable).then_some((60, 240)));
            run.inspector.on_fault();
            run.world.strike(fault, passes);
            paused_before = run.paused_ms;
            next_fault = u64::MAX;
        }
        if let Some(active) = &run.world.active {
            let from = active.passes_at.unwrap_or(active.since);
            let paused = run.paused_ms - paused_before;
            // Earlier failures may have used the caps of the next six hours.
            let limit = active.fault.within_min * MINUTE + 8 * HOUR + paused;
            let is_rebooted = active.fault.heals == [6] && run.inspector.has_taken(6);
            if run.world.now > from + limit && !is_rebooted {
                let name = active.fault.name;
                run.inspector
                    .objections
                    .push(format!("{name}: not restored"));
                return run.inspector.objections;
            }
            // A reboot that was used up is a person's business.
            if is_rebooted && run.world.now > active.since + 6 * HOUR {
                run.reboot(MINUTE, true);
            }
        } else if next_fault == u64::MAX && run.world.is_open() {
            // Sooner it would be the same trouble, and have had its steps.
            next_fault = run.world.now + chance.between(6, 60) * MINUTE;
        }
        disturb(&mut run, &mut chance, mix);
    }
    run.inspector.objections
}

/// Restarts, power cuts, clock jumps, operators.
fn disturb(run: &mut Run, chance: &mut Chance, mix: Mix) {
    if mix.restarts > 0 && chance.one_in(mix.restarts) {
        run.restart();
    }
    if mix.is_calm {
        return;
    }
    if chance.one_in(4000) {
        let off = chance.between(0, 30) * MINUTE;
        run.reboot(off, true);
    }
    if chance.one_in(1500) {
        let years = i64::try_from(chance.between(0, 20)).unwrap() - 10;
        run.world.wall_offset = years * YEAR_MS;
        run.world.clock = *chance.pick(&[Clock::Ntp, Clock::None, Clock::Rtc, Clock::Restored]);
    }
    if !run.is_held && chance.one_in(3000) {
        run.is_held = true;
        if !mix.is_unheard {
            let issuer = "api".to_owned();
            run.input(Input::Hold { issuer });
        }
    } else if run.is_held && chance.one_in(120) {
        run.is_held = false;
        run.hands_off_until = None;
        run.input(Input::Resume);
    }
    if chance.one_in(4000) && run.hands_off_until.is_none() {
        let minutes = chance.between(5, 60);
        let until = run.world.mono() + Duration::from_secs(minutes * 60);
        let shown = run.world.stamp().time;
        run.hands_off_until = Some(run.world.now + minutes * MINUTE);
        run.input(Input::HandsOff { until, shown });
    }
    if run
        .hands_off_until
        .is_some_and(|until| run.world.now >= until)
    {
        run.hands_off_until = None;
    }
    if chance.one_in(3000) {
        let rung = *chance.pick(&Rung::ALL);
        let issuer = "sms".to_owned();
        run.input(Input::Request { rung, issuer });
    }
}

const MIXES: [Mix; 4] = [
    Mix {
        barred: &[],
        restarts: 1000,
        forgets: false,
        is_calm: false,
        is_unheard: false,
    },
    Mix {
        barred: &[4, 5],
        restarts: 300,
        forgets: false,
        is_calm: false,
        is_unheard: false,
    },
    Mix {
        barred: &[4, 5, 6],
        restarts: 0,
        forgets: false,
        is_calm: false,
        is_unheard: false,
    },
    Mix {
        barred: &[],
        restarts: 0,
        forgets: false,
        is_calm: true,
        is_unheard: false,
    },
];

#[test]
fn days_of_failures_are_survived() {
    for seed in 0..50 {
        let mix = MIXES[usize::try_from(seed).unwrap() % MIXES.len()];
        let objections = mixed(seed, 24, Table::standard(), mix);
        assert!(
            objections.is_empty(),
            "seed {seed}: {}",
            objections.join("\n")
        );
    }
}

/// Whether somebody objects on some day of a changed ladder.
fn objects_to(change: impl Fn(&mut Table), word: &str, mix: Mix) {
    let mut table = Table::standard().clone();
    change(&mut table);
    let mut all = Vec::new();
    for seed in 0..40 {
        let objections = mixed(seed, 24, &table, mix);
        if objections.iter().any(|objection| objection.contains(word)) {
            return;
        }
        all.extend(objections);
    }
    panic!("nobody objects with {word:?}; only {all:?}");
}

#[test]
fn a_ladder_without_caps_is_objected_to() {
    let without = |table: &mut Table| {
        for rule in &mut table.rungs {
            rule.cap = usize::MAX;
        }
    };
    objects_to(without, "within its window", MIXES[3]);
}

#[test]
fn a_ladder_that_forgets_over_restarts_is_objected_to() {
    let mix = Mix {
        restarts: 100,
        forgets: true,
        ..MIXES[3]
    };
    objects_to(|_| {}, "within its window", mix);
}

#[test]
fn a_ladder_that_does_not_hear_a_hold_is_objected_to() {
    let mix = Mix {
        is_unheard: true,
        ..MIXES[0]
    };
    objects_to(|_| {}, "while an operator said no", mix);
}

#[test]
fn a_ladder_that_resets_against_a_wrong_access_point_is_objected_to() {
    let change = |table: &mut Table| {
        let row = table
            .rows
            .iter_mut()
            .find(|row| row.code == "modem.wrong_apn")
            .unwrap();
        row.rungs = vec![1, 3];
    };
    objects_to(change, "at most 1 helps", MIXES[3]);
}

#[test]
fn a_ladder_without_patience_is_objected_to() {
    let change = |table: &mut Table| {
        for row in &mut table.rows {
            row.patience_s = 0;
        }
        table.general.bring_up_s = 0;
    };
    objects_to(change, "into a start", MIXES[3]);
    objects_to(change, "first half hour", MIXES[3]);
}

#[test]
fn a_ladder_that_stops_too_early_is_objected_to() {
    let change = |table: &mut Table| {
        let row = table
            .rows
            .iter_mut()
            .find(|row| row.code == "link.stalled")
            .unwrap();
        row.rungs = vec![1];
    };
    objects_to(change, "not restored", MIXES[3]);
}
