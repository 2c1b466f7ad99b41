//! The modem as its service knows it: what it says of itself, its SIM, its network, its access point.

use tm_types::{Cause, Modem, ModemPresence, RegistrationStatus, SimStatus, Stamp, code};

use super::bus::Heard;
use super::{Check, Machine, own};

/// A modem service tells its state at least this often, or is not there any more.
const STALE_MS: u64 = 15 * 60 * 1000;

pub(super) fn checks(machine: &Machine, heard: &Heard) -> Vec<Check> {
    let why = match &heard.modem {
        None if heard.check.status == super::Status::Fail => own("skipped_no_bus"),
        None => own("skipped_no_state"),
        Some(state) => match state.modems.first() {
            None => own("skipped_no_state"),
            Some(modem) => return judge(modem, machine.clock.stamp()),
        },
    };
    let all = ["modem", "sim", "registration", "access_point"];
    all.map(|name| Check::skipped(name, why.clone())).to_vec()
}

/// Four checks of one modem's state: `modem`, `sim`, `registration`, `access_point`.
pub(super) fn judge(modem: &Modem, now: Stamp) -> Vec<Check> {
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

/// Codes that belong to a later check: here the modem is well.
fn is_of_later_check(cause: &Cause) -> bool {
    [
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
    ]
    .iter()
    .any(|code| cause.is(*code))
}

fn itself(modem: &Modem, now: Stamp) -> Check {
    if let Some(stamp) = modem.stamp
        && stamp.boot == now.boot
        && now.mono_ms.saturating_sub(stamp.mono_ms) > STALE_MS
    {
        let minutes = (now.mono_ms - stamp.mono_ms) / 60_000;
        return Check::warn("modem", own("modem_stale").and("minutes", minutes));
    }
    let cause = modem.cause.clone();
    match modem.presence {
        ModemPresence::NotConfigured => Check::skipped("modem", cause),
        ModemPresence::Present if is_of_later_check(&cause) => {
            let name = modem.identity.model.as_deref().unwrap_or("-");
            Check::ok("modem", own("modem_answers").and("model", name))
        }
        ModemPresence::Present if cause.is(code::MODEM_STARTING) => Check::warn("modem", cause),
        ModemPresence::Absent | ModemPresence::Mute | ModemPresence::Present => {
            Check::fail("modem", cause)
        }
    }
}

fn sim(modem: &Modem) -> Check {
    let name = "sim";
    match modem.sim.status {
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

fn registration(modem: &Modem) -> Check {
    let name = "registration";
    let operator = modem.registration.operator.as_deref();
    let operator = operator
        .or(modem.registration.plmn.as_deref())
        .unwrap_or("-");
    match modem.registration.status {
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

fn access_point(modem: &Modem) -> Check {
    let name = "access_point";
    if modem.cause.is(code::MODEM_WRONG_APN) || modem.cause.is(code::MODEM_NO_DATA_CONTEXT) {
        return Check::fail(name, modem.cause.clone());
    }
    let Some(data) = &modem.data else {
        return Check::skipped(name, own("skipped_no_answer"));
    };
    let apn = data.apn.as_deref().unwrap_or("-");
    match data.active {
        Some(true) => Check::ok(name, own("data_context").and("apn", apn)),
        // Not every firmware shows a context that the host has dialled: a fault only when the service says so, above.
        Some(false) => Check::warn(name, own("no_data_context").and("apn", apn)),
        None => Check::skipped(name, own("skipped_no_answer")),
    }
}
