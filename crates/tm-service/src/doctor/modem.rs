//! The modem as its service knows it: what it says of itself, its SIM, its network, its access point.

use serde::de::DeserializeOwned;
use serde_json::Value;
use tm_types::{BootId, Cause, ModemPresence, RegistrationStatus, SimStatus, Stamp, code};

use super::bus::Heard;
use super::{Check, Machine, own};

/// A modem service tells its state at least this often, or is not there any more.
const STALE_MS: u64 = 15 * 60 * 1000;

/// What the checks need to know of a modem: a part of `tm_types::Modem`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Known {
    pub(super) presence: ModemPresence,
    pub(super) cause: Cause,
    /// The boot and its milliseconds when the modem was read.
    pub(super) read_at: Option<(BootId, u64)>,
    pub(super) name: Option<String>,
    pub(super) sim: SimStatus,
    pub(super) registration: RegistrationStatus,
    pub(super) operator: Option<String>,
    /// Whether there is a context for data.
    pub(super) is_active: Option<bool>,
    pub(super) apn: Option<String>,
}

impl Known {
    /// From the state on the bus; `None` when what must be there is not.
    fn of(state: &Value) -> Option<Self> {
        let modem = state.get("modems")?.get(0)?;
        let text = |path: &str| modem.pointer(path)?.as_str().map(str::to_owned);
        let boot = text("/stamp/boot").and_then(|text| text.parse().ok());
        let mono_ms = modem.pointer("/stamp/mono_ms").and_then(Value::as_u64);
        Some(Self {
            presence: part(modem, "/presence")?,
            cause: part(modem, "/cause")?,
            read_at: boot.zip(mono_ms),
            name: text("/identity/model"),
            sim: part(modem, "/sim/status").unwrap_or_default(),
            registration: part(modem, "/registration/status").unwrap_or_default(),
            operator: text("/registration/operator").or_else(|| text("/registration/plmn")),
            is_active: modem.pointer("/data/active").and_then(Value::as_bool),
            apn: text("/data/apn"),
        })
    }
}

/// One part of a state, in its own type.
pub(super) fn part<T: DeserializeOwned>(state: &Value, path: &str) -> Option<T> {
    serde_json::from_value(state.pointer(path)?.clone()).ok()
}

pub(super) fn checks(machine: &Machine, heard: &Heard) -> Vec<Check> {
    if let Some(known) = heard.modem.as_ref().and_then(Known::of) {
        return judge(&known, machine.clock.stamp());
    }
    let is_bus_away = heard.check.status == super::Status::Fail;
    let why = if is_bus_away {
        own("skipped_no_bus")
    } else {
        own("skipped_no_state")
    };
    let all = ["modem", "sim", "registration", "access_point"];
    all.map(|name| Check::skipped(name, why.clone())).to_vec()
}

/// Four checks of one modem: `modem`, `sim`, `registration`, `access_point`.
pub(super) fn judge(modem: &Known, now: Stamp) -> Vec<Check> {
    let itself = itself(modem, now);
    let sim = sim(modem);
    let registration = match sim.status {
        super::Status::Ok => registration(modem),
        _ => Check::skipped("registration", own("skipped_no_sim")),
    };
    let access_point = match registration.status {
        super::Status::Ok => access_point(modem),
        _ => Check::skipped("access_point", own("skipped_not_registered")),
    };
    vec![itself, sim, registration, access_point]
}

/// Codes that belong to a later check, or to the way beyond the modem: here the modem is well.
fn is_of_later_check(cause: &Cause) -> bool {
    let is_beyond = ["link.", "uplink."]
        .iter()
        .any(|area| cause.code.starts_with(area));
    let codes = [
        code::MODEM_SIM_ABSENT,
        code::MODEM_SIM_PIN_REQUIRED,
        code::MODEM_SIM_PIN_WITHHELD,
        code::MODEM_SIM_PUK_REQUIRED,
        code::MODEM_SIM_FAILURE,
        code::MODEM_SEARCHING,
        code::MODEM_DENIED,
        code::MODEM_EMERGENCY_ONLY,
        code::MODEM_NOT_REGISTERED,
        code::MODEM_REGISTERED,
        code::MODEM_ROAMING,
        code::MODEM_NO_DATA_CONTEXT,
        code::MODEM_WRONG_APN,
        code::MODEM_DATA_LIMIT,
        code::MODEM_AREA_OUTAGE,
    ];
    is_beyond || codes.iter().any(|code| cause.is(*code))
}

fn itself(modem: &Known, now: Stamp) -> Check {
    if let Some((boot, mono_ms)) = modem.read_at
        && boot == now.boot
        && now.mono_ms.saturating_sub(mono_ms) > STALE_MS
    {
        let minutes = (now.mono_ms - mono_ms) / 60_000;
        return Check::warn("modem", own("modem_stale").and("minutes", minutes));
    }
    let cause = modem.cause.clone();
    match modem.presence {
        ModemPresence::NotConfigured => Check::skipped("modem", cause),
        ModemPresence::Present if is_of_later_check(&cause) => {
            let name = modem.name.as_deref().unwrap_or("-");
            Check::ok("modem", own("modem_answers").and("model", name))
        }
        ModemPresence::Present if cause.is(code::MODEM_STARTING) => Check::warn("modem", cause),
        ModemPresence::Absent | ModemPresence::Mute | ModemPresence::Present => {
            Check::fail("modem", cause)
        }
    }
}

fn sim(modem: &Known) -> Check {
    let name = "sim";
    match modem.sim {
        SimStatus::Ready => Check::ok(name, own("sim_ready")),
        SimStatus::Absent => Check::fail(name, code::MODEM_SIM_ABSENT.plain()),
        SimStatus::PinRequired if modem.cause.is(code::MODEM_SIM_PIN_WITHHELD) => {
            Check::fail(name, modem.cause.clone())
        }
        SimStatus::PinRequired => Check::fail(name, code::MODEM_SIM_PIN_REQUIRED.plain()),
        SimStatus::PukRequired => Check::fail(name, code::MODEM_SIM_PUK_REQUIRED.plain()),
        SimStatus::Failure => Check::fail(name, code::MODEM_SIM_FAILURE.plain()),
        SimStatus::Unknown | SimStatus::Busy => Check::skipped(name, own("skipped_no_answer")),
    }
}

fn registration(modem: &Known) -> Check {
    let name = "registration";
    let operator = modem.operator.as_deref().unwrap_or("-");
    match modem.registration {
        RegistrationStatus::Home => {
            Check::ok(name, code::MODEM_REGISTERED.with("operator", operator))
        }
        RegistrationStatus::Roaming => {
            Check::ok(name, code::MODEM_ROAMING.with("operator", operator))
        }
        RegistrationStatus::Denied => Check::fail(name, code::MODEM_DENIED.plain()),
        RegistrationStatus::EmergencyOnly => Check::fail(name, code::MODEM_EMERGENCY_ONLY.plain()),
        RegistrationStatus::Idle => Check::fail(name, code::MODEM_NOT_REGISTERED.plain()),
        RegistrationStatus::Searching => Check::warn(name, code::MODEM_SEARCHING.plain()),
        RegistrationStatus::Unknown => Check::skipped(name, own("skipped_no_answer")),
    }
}

fn access_point(modem: &Known) -> Check {
    let name = "access_point";
    if modem.cause.is(code::MODEM_WRONG_APN) || modem.cause.is(code::MODEM_NO_DATA_CONTEXT) {
        return Check::fail(name, modem.cause.clone());
    }
    let apn = modem.apn.as_deref().unwrap_or("-");
    match modem.is_active {
        Some(true) => Check::ok(name, own("data_context").and("apn", apn)),
        // Not every firmware shows a context that the host has dialled: a fault only when the service says so, above.
        Some(false) => Check::warn(name, own("no_data_context").and("apn", apn)),
        None => Check::skipped(name, own("skipped_no_answer")),
    }
}
