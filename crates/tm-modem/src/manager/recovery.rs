//! The link is looked at, and healed: evidence gathered, diagnosed, and handed to the ladder.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;
use tm_types::{Cause, ModemPresence, Operation, OperationId, OperationStatus, Recovery, code};
use tokio::time::Instant;

use super::event::{Asking, Effect, File, Probe};
use super::{Manager, Now};
use crate::backend::{Action, Outcome, Ticket};
use crate::config::Config;
use crate::diagnosis::{Diagnosis, Evidence, NetworkManager, Uplink, Watch};
use crate::ladder::{Call, Input, Ladder, Memory, Output, Rung};
use crate::messages::Executor;

/// How often the link is looked at when nothing is heard: the mildest patience is longer.
const LOOK_PERIOD: Duration = Duration::from_secs(30);
/// The same while something is wrong.
const TROUBLE_PERIOD: Duration = Duration::from_secs(10);
/// Between two probes: each costs some kilobytes (`docs/doctor.md`).
const PROBE_PERIOD: Duration = Duration::from_mins(10);
/// How long a probe's word counts.
pub(super) const PROBE_AGE: Duration = Duration::from_mins(15);
/// How long the agent may take to begin with a reboot.
const REBOOT_TTL: Duration = Duration::from_secs(30);
/// Who asks for the ladder's reboots.
pub(crate) const RECOVERY: &str = "modem";
/// Names the reboots that the ladder asks for.
const REBOOT_ID: &str = "recovery-reboot-";

/// An operation that waits for a step.
#[derive(Debug)]
struct Asked {
    rung: Rung,
    id: OperationId,
    until: Instant,
}

/// What the recovery stands on.
#[derive(Debug)]
pub(super) struct Care {
    is_on: bool,
    watch: Watch,
    ladder: Ladder,
    pub(super) diagnosis: Option<Diagnosis>,
    pub(super) network_manager: Option<NetworkManager>,
    pub(super) probe: Option<(Cause, Instant)>,
    is_probing: bool,
    next_probe: Instant,
    pub(super) next_look: Instant,
    /// Operations that wait for a step.
    asked: Vec<Asked>,
    n_reboots: u64,
    /// The reboot that is asked for now: the results of earlier ones are told again whenever the bus comes back.
    reboot: Option<OperationId>,
}

impl Care {
    pub(super) fn new(config: &Config, memory: Memory, seed: u64, now: Instant) -> Self {
        let mut barred = BTreeMap::new();
        if !config.pwrkey_verified {
            let reason = "TM_MODEM_PWRKEY_VERIFIED is not set";
            barred.insert(Rung::PowerKey, reason.to_owned());
        }
        if !config.reboot {
            barred.insert(Rung::Reboot, "TM_MODEM_REBOOT is false".to_owned());
        }
        Self {
            is_on: config.recovery,
            watch: Watch::default(),
            ladder: Ladder::new(memory, barred, seed),
            diagnosis: None,
            network_manager: None,
            probe: None,
            is_probing: false,
            next_probe: now,
            next_look: now + LOOK_PERIOD,
            asked: Vec::new(),
            n_reboots: 0,
            reboot: None,
        }
    }

    /// When the link is looked at, or the ladder decides.
    pub(super) fn deadline(&self, now: Now) -> Instant {
        let mono = Duration::from_millis(now.stamp.mono_ms);
        let decision = self
            .ladder
            .deadline()
            .map(|at| now.instant + at.saturating_sub(mono));
        decision.map_or(self.next_look, |decision| decision.min(self.next_look))
    }

    /// For the state; nothing while the watchdog is switched off.
    pub(super) fn view(&self, now: Now) -> Option<Recovery> {
        self.is_on.then(|| self.ladder.view(&now.stamp))
    }

    /// Whether a step is under way or its effect is awaited.
    pub(super) fn is_healing(&self, now: Now) -> bool {
        // Without the watchdog nothing is judged: a step that was asked for would stand for ever.
        self.is_on && self.ladder.view(&now.stamp).status == tm_types::RecoveryStatus::Judging
    }
}

impl Manager {
    /// Looks at the link, and does what the ladder wants.
    pub(super) fn look(&mut self, now: Now) {
        self.end_overdue(now);
        self.usage.on_time(&self.best_stamp(now));
        let evidence = self.evidence(now);
        let mono = Duration::from_millis(now.stamp.mono_ms);
        let diagnosis = self.care.watch.diagnose(&evidence, mono);
        let is_quiet = diagnosis.standing.is_quiet();
        let period = if is_quiet {
            LOOK_PERIOD
        } else {
            TROUBLE_PERIOD
        };
        self.care.next_look = now.instant + period;
        let old = self.care.diagnosis.as_ref();
        if old.is_none_or(|old| old.cause.code != diagnosis.cause.code) {
            tracing::info!(code = %diagnosis.cause.code, evidence = %diagnosis.evidence, "diagnosis");
        }
        self.probe_if_wanted(&evidence, is_quiet, now);
        self.care.diagnosis = Some(diagnosis.clone());
        if self.care.is_on {
            self.climb(Input::Diagnosis(diagnosis), now);
        }
    }

    /// The ladder's clock has come. It is told without the watchdog as well: a crew's time and a step that was asked
    /// for end by it.
    pub(super) fn on_time(&mut self, now: Now) {
        self.climb(Input::Time, now);
    }

    /// Hands an input to the ladder and does what it wants.
    pub(super) fn climb(&mut self, input: Input, now: Now) {
        let mut then = Vec::new();
        let mut is_urgent = false;
        let mut is_changed = false;
        for output in self.care.ladder.on(input, &now.stamp) {
            match output {
                Output::Event(severity, cause) => {
                    tracing::info!(code = %cause.code, args = ?cause.args, "recovery");
                    self.effects.push(Effect::Event(severity, cause));
                }
                Output::Save { is_urgent: now } => {
                    is_changed = true;
                    is_urgent |= now;
                }
                Output::Act(rung) => then.push(rung),
            }
        }
        let steps: Vec<Effect> = then.into_iter().map(|rung| self.step(rung, now)).collect();
        let bytes = self.care.ladder.memory().bytes();
        if is_urgent {
            self.effects
                .push(Effect::SaveThen(File::Recovery, bytes, steps));
        } else {
            if is_changed {
                self.effects.push(Effect::Save(File::Recovery, bytes));
            }
            self.effects.extend(steps);
        }
    }

    fn step(&mut self, rung: Rung, now: Now) -> Effect {
        let action = match rung {
            Rung::Reconnect => Action::Reconnect,
            Rung::CycleRadio => Action::CycleRadio,
            Rung::Reset => Action::Reset,
            Rung::UsbRebind | Rung::PowerKey => return Effect::Step(rung),
            Rung::Reboot => return self.ask_for_reboot(now),
        };
        let ticket = self.tickets.draw();
        self.steps.insert(ticket, rung);
        Effect::Ask(ticket, action)
    }

    fn ask_for_reboot(&mut self, now: Now) -> Effect {
        self.care.n_reboots += 1;
        let stamp = now.stamp;
        let id = format!(
            "{REBOOT_ID}{}-{}-{}",
            stamp.boot, stamp.mono_ms, self.care.n_reboots
        );
        let id = OperationId::new(&id).expect("a boot and numbers");
        self.care.reboot = Some(id.clone());
        Effect::Request(Asking {
            id,
            executor: Executor::Agent,
            op: "reboot",
            args: json!({}),
            ttl: REBOOT_TTL,
            issuer: RECOVERY,
        })
    }

    /// A step that the modem takes has ended, as far as the modem says.
    pub(super) fn on_step_done(
        &mut self,
        ticket: Ticket,
        result: &Result<Outcome, Cause>,
        now: Now,
    ) -> bool {
        let Some(rung) = self.steps.remove(&ticket) else {
            return false;
        };
        let call = match result {
            Ok(_) => Call::Taken,
            Err(cause) if cause.is(code::MODEM_UNSUPPORTED) => {
                Call::Unavailable(detail(cause).to_owned())
            }
            Err(cause) => Call::Failed(cause.clone()),
        };
        self.on_stepped(rung, call, now);
        true
    }

    /// A step has ended, whoever took it.
    pub(super) fn on_stepped(&mut self, rung: Rung, call: Call, now: Now) {
        let waiting = std::mem::take(&mut self.care.asked);
        let (ended, others) = waiting.into_iter().partition(|asked| asked.rung == rung);
        self.care.asked = others;
        let ended: Vec<Asked> = ended;
        for Asked { id, .. } in ended {
            let end = match &call {
                Call::Taken => Ok(json!({"rung": rung.number(), "action": rung.action()})),
                Call::Failed(cause) => Err(cause.clone()),
                Call::Unavailable(reason) => Err(unavailable(rung, reason)),
            };
            self.effects.push(Effect::Finish(id, end));
        }
        self.climb(Input::Done(rung, call), now);
    }

    /// A step whose end nobody tells, such as that of an agent that has gone meanwhile.
    fn end_overdue(&mut self, now: Now) {
        let is_overdue = |asked: &mut Asked| asked.until <= now.instant;
        for asked in self.care.asked.extract_if(.., is_overdue) {
            let cause = code::MODEM_TIMEOUT.with("seconds", ASKED_TIME.as_secs());
            self.effects.push(Effect::Finish(asked.id, Err(cause)));
        }
    }

    /// An operator wants a step.
    pub(super) fn on_rung_asked(&mut self, id: OperationId, number: u8, issuer: String, now: Now) {
        let Some(rung) = Rung::of_number(number) else {
            let cause = code::OPERATION_BAD_ARGUMENTS.with("detail", "rung is 1 to 6");
            self.effects.push(Effect::Finish(id, Err(cause)));
            return;
        };
        if let Some(reason) = self.care.ladder.barred(rung) {
            let cause = unavailable(rung, reason);
            self.effects.push(Effect::Finish(id, Err(cause)));
            return;
        }
        // The ladder keeps one step in mind: another one would take the place of the first without a word.
        let is_other = self.care.asked.iter().any(|asked| asked.rung != rung);
        if is_other || self.care.asked.len() >= ASKED_MAX {
            let cause = code::MODEM_BUSY.with("what", "other steps");
            self.effects.push(Effect::Finish(id, Err(cause)));
            return;
        }
        let is_new = self.care.asked.is_empty();
        let until = now.instant + ASKED_TIME;
        self.care.asked.push(Asked { rung, id, until });
        // Who asks for the same meanwhile waits for the same end, and it is not done twice.
        if is_new {
            self.climb(Input::Request { rung, issuer }, now);
        }
    }

    /// How a reboot stands that the ladder asked for.
    pub(super) fn on_reboot(&mut self, operation: &Operation, now: Now) {
        if self.care.reboot.as_ref() != Some(&operation.id) {
            return;
        }
        let call = match operation.status {
            OperationStatus::Accepted => return,
            OperationStatus::Running | OperationStatus::Succeeded => Call::Taken,
            OperationStatus::Failed | OperationStatus::Expired => {
                let problem = operation.problem.as_ref();
                let code = problem.map_or(code::OPERATION_FAILED.as_str(), |p| p.code.as_str());
                if code == code::AGENT_NOT_ON_BALENA.as_str() {
                    Call::Unavailable("there is no balena supervisor".to_owned())
                } else {
                    Call::Failed(code::OPERATION_FAILED.with("detail", code))
                }
            }
        };
        self.on_stepped(Rung::Reboot, call, now);
    }

    /// What a probe found.
    pub(super) fn on_probed(&mut self, cause: Option<Cause>, now: Now) {
        tracing::debug!(
            code = cause.as_ref().map(|cause| &*cause.code),
            "probe ended"
        );
        self.care.is_probing = false;
        self.care.probe = cause.map(|cause| (cause, now.instant));
        self.look(now);
    }

    /// The internet is asked only while something is wrong and a way seems to be there.
    fn probe_if_wanted(&mut self, evidence: &Evidence, is_quiet: bool, now: Now) {
        let has_way = evidence.presence == ModemPresence::Present
            && evidence.has_context != Some(false)
            && evidence
                .network_manager
                .is_none_or(|manager| manager.is_primary != Some(false));
        let is_failing = matches!(evidence.uplink, Uplink::Failing(_));
        let care = &mut self.care;
        if is_quiet || !has_way || !is_failing || care.is_probing || now.instant < care.next_probe {
            return;
        }
        let uplink = self.surroundings.uplink();
        let Some(broker) = uplink.and_then(|(uplink, _)| uplink.broker.clone()) else {
            return;
        };
        care.is_probing = true;
        care.next_probe = now.instant + PROBE_PERIOD;
        self.effects.push(Effect::Probe(Probe { broker }));
    }
}

/// How long an operation waits for its step: another one may be under way before it, and each call takes 130 s at
/// most (`ladder.toml`, `act_s`).
const ASKED_TIME: Duration = Duration::from_mins(6);
/// More operators never ask at once.
const ASKED_MAX: usize = 8;

fn unavailable(rung: Rung, reason: &str) -> Cause {
    code::RECOVERY_RUNG_UNAVAILABLE
        .with("rung", rung.number())
        .and("action", rung.action())
        .and("reason", reason)
}

fn detail(cause: &Cause) -> &str {
    cause.args.get("detail").map_or("", String::as_str)
}
