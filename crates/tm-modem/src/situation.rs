//! The present situation as one cause, and what it means for the service's health.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tm_service::config::Expected;
use tm_types::{Cause, HealthStatus, RegistrationStatus, SimStatus, code};

use crate::data::Sight;
use crate::knowledge::Knowledge;

/// How long a modem may start and search before that counts as trouble: a registration after power-on takes
/// up to a minute; the recovery ladder begins at three.
pub(crate) const PATIENCE: Duration = Duration::from_mins(3);

/// What was ever there; kept in the store.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts")]
pub(crate) struct Seen {
    /// A modem answered.
    pub(crate) modem: bool,
    /// A SIM was usable, or asked for its PIN.
    #[serde(default)]
    pub(crate) sim: bool,
    /// A network took the card.
    #[serde(default)]
    pub(crate) registered: bool,
    /// A connection for data stood, as the host's manager has it.
    #[serde(default)]
    pub(crate) context: bool,
}

/// How a modem that answers stands.
pub(crate) fn cause(known: &Knowledge, sight: &Sight) -> Cause {
    match known.sim.status {
        SimStatus::Unknown | SimStatus::Busy => return code::MODEM_STARTING.plain(),
        SimStatus::Absent => return code::MODEM_SIM_ABSENT.plain(),
        SimStatus::PinRequired if known.is_pin_withheld => {
            let tries = known
                .pin_tries
                .map_or_else(|| "?".to_owned(), |tries| tries.to_string());
            return code::MODEM_SIM_PIN_WITHHELD.with("tries", tries);
        }
        SimStatus::PinRequired => return code::MODEM_SIM_PIN_REQUIRED.plain(),
        SimStatus::PukRequired => return code::MODEM_SIM_PUK_REQUIRED.plain(),
        SimStatus::Failure => return code::MODEM_SIM_FAILURE.plain(),
        SimStatus::Ready => {}
    }
    let registration = &known.registration;
    let operator = registration
        .operator
        .as_deref()
        .or(registration.plmn.as_deref())
        .unwrap_or("?");
    if known.is_registered()
        && let Some(trouble) = known
            .data
            .trouble(registration, known.sim.imsi.as_deref(), sight)
    {
        return trouble;
    }
    match registration.status {
        RegistrationStatus::Home => code::MODEM_REGISTERED.with("operator", operator),
        RegistrationStatus::Roaming => code::MODEM_ROAMING.with("operator", operator),
        RegistrationStatus::Searching => code::MODEM_SEARCHING.plain(),
        RegistrationStatus::Denied => code::MODEM_DENIED.plain(),
        RegistrationStatus::EmergencyOnly => code::MODEM_EMERGENCY_ONLY.plain(),
        RegistrationStatus::Idle | RegistrationStatus::Unknown => {
            code::MODEM_NOT_REGISTERED.plain()
        }
    }
}

/// Whether this passes by itself, usually within [`PATIENCE`].
pub(crate) fn may_pass(cause: &Cause) -> bool {
    [
        code::MODEM_STARTING,
        code::MODEM_SEARCHING,
        code::MODEM_NOT_REGISTERED,
    ]
    .iter()
    .any(|code| cause.is(*code))
}

/// What the cause means for health. `is_overdue`: what may pass did not.
pub(crate) fn health(
    cause: &Cause,
    is_overdue: bool,
    expected: Expected,
    seen: Seen,
) -> (HealthStatus, Vec<Cause>) {
    let is_fine = cause.is(code::MODEM_REGISTERED) || cause.is(code::MODEM_ROAMING);
    // A place for a SIM without a SIM, as a place for a modem without a modem, is no fault.
    let is_grey = cause.is(code::MODEM_NOT_CONFIGURED)
        || (cause.is(code::MODEM_SIM_ABSENT) && !expected.is_fault(seen.sim));
    if is_fine || (may_pass(cause) && !is_overdue) {
        (HealthStatus::Up, Vec::new())
    } else if is_grey {
        (HealthStatus::Up, vec![cause.clone()])
    } else {
        (HealthStatus::Degraded, vec![cause.clone()])
    }
}

#[cfg(test)]
mod tests {
    use tm_types::Code;

    use super::*;

    #[test]
    fn the_card_speaks_before_the_network() {
        let mut known = Knowledge::new();
        known.registration.status = RegistrationStatus::Home;
        known.registration.plmn = Some("255-01".to_owned());
        let cases = [
            (SimStatus::Unknown, code::MODEM_STARTING),
            (SimStatus::Absent, code::MODEM_SIM_ABSENT),
            (SimStatus::Busy, code::MODEM_STARTING),
            (SimStatus::PinRequired, code::MODEM_SIM_PIN_REQUIRED),
            (SimStatus::PukRequired, code::MODEM_SIM_PUK_REQUIRED),
            (SimStatus::Failure, code::MODEM_SIM_FAILURE),
            (SimStatus::Ready, code::MODEM_REGISTERED),
        ];
        for (status, expected) in cases {
            known.sim.status = status;
            assert!(cause(&known, &Sight::default()).is(expected), "{status:?}");
        }
        assert_eq!(cause(&known, &Sight::default()).args["operator"], "255-01");
        known.sim.status = SimStatus::PinRequired;
        (known.is_pin_withheld, known.pin_tries) = (true, Some(2));
        assert_eq!(
            cause(&known, &Sight::default()),
            code::MODEM_SIM_PIN_WITHHELD.with("tries", 2)
        );
    }

    #[test]
    fn absence_is_grey_until_something_was_there() {
        let nothing = Seen::default();
        let all = Seen {
            modem: true,
            sim: true,
            registered: true,
            context: false,
        };
        let cases: [(Code, bool, Expected, Seen, HealthStatus, usize); 10] = [
            (
                code::MODEM_NOT_CONFIGURED,
                false,
                Expected::Auto,
                nothing,
                HealthStatus::Up,
                1,
            ),
            (
                code::MODEM_ABSENT,
                false,
                Expected::Auto,
                all,
                HealthStatus::Degraded,
                1,
            ),
            (
                code::MODEM_SIM_ABSENT,
                false,
                Expected::Auto,
                nothing,
                HealthStatus::Up,
                1,
            ),
            (
                code::MODEM_SIM_ABSENT,
                false,
                Expected::Auto,
                all,
                HealthStatus::Degraded,
                1,
            ),
            (
                code::MODEM_SIM_ABSENT,
                false,
                Expected::Yes,
                nothing,
                HealthStatus::Degraded,
                1,
            ),
            (
                code::MODEM_SIM_ABSENT,
                false,
                Expected::No,
                all,
                HealthStatus::Up,
                1,
            ),
            (
                code::MODEM_SEARCHING,
                false,
                Expected::Auto,
                all,
                HealthStatus::Up,
                0,
            ),
            (
                code::MODEM_SEARCHING,
                true,
                Expected::Auto,
                all,
                HealthStatus::Degraded,
                1,
            ),
            (
                code::MODEM_DENIED,
                false,
                Expected::Auto,
                all,
                HealthStatus::Degraded,
                1,
            ),
            (
                code::MODEM_ROAMING,
                false,
                Expected::Auto,
                all,
                HealthStatus::Up,
                0,
            ),
        ];
        for (code, is_overdue, expected, seen, status, n_reasons) in cases {
            let (got, reasons) = health(&code.plain(), is_overdue, expected, seen);
            assert_eq!(
                (got, reasons.len()),
                (status, n_reasons),
                "{code} {expected:?} {seen:?}"
            );
        }
    }
}
