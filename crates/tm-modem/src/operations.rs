//! What can be asked of this service by HTTP, cloud or text message, and with which arguments.

use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;
use tm_service::bus::Request;
use tm_types::{Cause, code};

/// Every operation of this service (`docs/modem.md`).
pub(crate) const OPERATIONS: &[&str] = &[
    "reset",
    "recover",
    "hold",
    "resume",
    "hands-off",
    "send-sms",
    "ussd",
    "balance",
];

/// The rung that restarts the module.
pub(crate) const RESET_RUNG: u8 = 3;
/// The longest time that a crew may have: a forgotten one must not leave the cabinet alone for weeks.
const HANDS_OFF_MAX: Duration = Duration::from_hours(48);

/// An operation, understood.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Asked {
    /// Take this rung of the recovery now, 1 to 6.
    Rung(u8),
    /// Hold the recovery.
    Hold,
    /// Let it go on.
    Resume,
    /// Do nothing automatically for so long; nothing: from now on again.
    HandsOff(Duration),
    /// Send a text message; the messages read the arguments.
    Send,
    /// Send a service code; the service codes read the arguments.
    Ussd,
    /// Read the balance.
    Balance,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NoArgs {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RungArgs {
    rung: u8,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HandsOffArgs {
    minutes: u64,
}

/// Reads a request; `operation.bad_arguments` with what is wrong.
pub(crate) fn read(request: &Request) -> Result<Asked, Cause> {
    let args = &request.args;
    Ok(match request.op.as_str() {
        "reset" => {
            arguments::<NoArgs>(args)?;
            Asked::Rung(RESET_RUNG)
        }
        "recover" => {
            let RungArgs { rung } = arguments(args)?;
            if !(1..=6).contains(&rung) {
                return Err(bad("rung is 1 to 6"));
            }
            Asked::Rung(rung)
        }
        "hold" => {
            arguments::<NoArgs>(args)?;
            Asked::Hold
        }
        "resume" => {
            arguments::<NoArgs>(args)?;
            Asked::Resume
        }
        "hands-off" => {
            let HandsOffArgs { minutes } = arguments(args)?;
            let time = Duration::from_secs(minutes.saturating_mul(60));
            if time > HANDS_OFF_MAX {
                return Err(bad("minutes is 0 to 2880"));
            }
            Asked::HandsOff(time)
        }
        "send-sms" => Asked::Send,
        "ussd" => Asked::Ussd,
        "balance" => {
            arguments::<NoArgs>(args)?;
            Asked::Balance
        }
        _ => return Err(code::OPERATION_UNKNOWN.plain()),
    })
}

fn arguments<T: DeserializeOwned>(args: &Json) -> Result<T, Cause> {
    let args = match args {
        Json::Null => Json::Object(serde_json::Map::new()),
        Json::Object(_) => args.clone(),
        _ => return Err(bad("an object")),
    };
    serde_json::from_value(args).map_err(|error| bad(&error.to_string()))
}

fn bad(detail: &str) -> Cause {
    code::OPERATION_BAD_ARGUMENTS.with("detail", detail)
}

#[cfg(test)]
mod tests {
    use tm_types::OperationId;

    use super::*;

    fn check(op: &str, args: &str, expected: &Result<Asked, &str>) {
        let request = Request {
            id: OperationId::new("op").unwrap(),
            op: op.to_owned(),
            args: serde_json::from_str(args).unwrap(),
            issuer: "api".to_owned(),
        };
        let found = read(&request).map_err(|cause| cause.code);
        assert_eq!(
            found.as_ref().map_err(String::as_str),
            expected.as_ref().map_err(|code| *code),
            "{op} {args}"
        );
    }

    #[test]
    fn arguments_are_read_strictly() {
        let bad = || Err("operation.bad_arguments");
        check("reset", "null", &Ok(Asked::Rung(3)));
        check("reset", "{}", &Ok(Asked::Rung(3)));
        check("reset", r#"{"hard": true}"#, &bad());
        check("recover", r#"{"rung": 5}"#, &Ok(Asked::Rung(5)));
        for args in [
            r#"{"rung": 0}"#,
            r#"{"rung": 7}"#,
            r#"{"rung": "1"}"#,
            "{}",
            "7",
        ] {
            check("recover", args, &bad());
        }
        let hour = Asked::HandsOff(Duration::from_hours(1));
        check("hands-off", r#"{"minutes": 60}"#, &Ok(hour));
        check("hands-off", r#"{"minutes": 2881}"#, &bad());
        check("hands-off", r#"{"minutes": 18446744073709551615}"#, &bad());
        check("balance", "[]", &bad());
        check("dance", "{}", &Err("operation.unknown"));
    }

    #[test]
    fn every_operation_is_known() {
        for op in OPERATIONS {
            let request = Request {
                id: OperationId::new("op").unwrap(),
                op: (*op).to_owned(),
                args: Json::Null,
                issuer: "api".to_owned(),
            };
            let unknown = |cause: &Cause| cause.is(code::OPERATION_UNKNOWN);
            assert!(!read(&request).is_err_and(|cause| unknown(&cause)), "{op}");
        }
    }
}
