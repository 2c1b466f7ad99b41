//! What the cloud sends, read: a command, a configuration, or our own echo.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value as Json};
use tm_types::{Instance, OperationId, Timestamp, is_operation_name};

/// The longest message that is read; the bus takes twice as much.
const BYTES_MAX: usize = 64 * 1024;
/// Within what an operation must start when nobody says.
const TTL_MS: u32 = 60_000;
/// The longest time to live: a day.
const TTL_MS_MAX: u32 = 86_400_000;
/// What a configuration is, for the service that takes it.
const CONFIGURE: &str = "configure";

/// An operation that is asked for.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Asked {
    pub(super) id: OperationId,
    pub(super) service: Instance,
    pub(super) op: String,
    pub(super) args: Json,
    pub(super) ttl: Duration,
    /// By the asker's clock.
    pub(super) issued_at: Option<Timestamp>,
}

/// Why a message is none of them, and who asked, where that can be told.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Unreadable {
    pub(super) detail: String,
    pub(super) asker: Option<(OperationId, Instance, String)>,
}

/// On `cmd`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Command {
    id: OperationId,
    service: Instance,
    op: String,
    #[serde(default = "nothing")]
    args: Json,
    #[serde(default = "usual_ttl")]
    ttl_ms: u32,
    issued_at: Option<Timestamp>,
}

/// On `cfg`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Configuration {
    id: OperationId,
    service: Instance,
    /// Null goes back to what the variables say.
    document: Option<String>,
    #[serde(default)]
    dry_run: bool,
    expected_revision: Option<String>,
    #[serde(default = "usual_ttl")]
    ttl_ms: u32,
    issued_at: Option<Timestamp>,
}

/// What this device sends to itself.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Probe {
    probe: String,
}

fn nothing() -> Json {
    Json::Object(Map::new())
}

fn usual_ttl() -> u32 {
    TTL_MS
}

/// The mark of an echo of ours.
pub(super) fn probe_of(payload: &[u8]) -> Option<String> {
    let probe: Probe = serde_json::from_slice(payload).ok()?;
    Some(probe.probe)
}

/// A message on `cmd`.
pub(super) fn command(payload: &[u8]) -> Result<Asked, Unreadable> {
    let command: Command = read(payload, None)?;
    let asked = Asked {
        id: command.id,
        service: command.service,
        op: command.op,
        args: command.args,
        ttl: Duration::from_millis(command.ttl_ms.into()),
        issued_at: command.issued_at,
    };
    let detail = if !is_operation_name(&asked.op) {
        "op: 1 to 32 characters of a-z, 0-9, - and _"
    } else if !asked.args.is_object() {
        "args: an object"
    } else {
        return in_time(asked);
    };
    Err(asked.refused(detail))
}

/// A message on `cfg`: the operation `configure` of the service.
pub(super) fn configuration(payload: &[u8]) -> Result<Asked, Unreadable> {
    let configuration: Configuration = read(payload, Some(CONFIGURE))?;
    let mut args = Map::new();
    args.insert("document".to_owned(), configuration.document.into());
    if configuration.dry_run {
        args.insert("dry_run".to_owned(), true.into());
    }
    if let Some(revision) = configuration.expected_revision {
        args.insert("expected_revision".to_owned(), revision.into());
    }
    in_time(Asked {
        id: configuration.id,
        service: configuration.service,
        op: CONFIGURE.to_owned(),
        args: args.into(),
        ttl: Duration::from_millis(configuration.ttl_ms.into()),
        issued_at: configuration.issued_at,
    })
}

impl Asked {
    pub(super) fn refused(self, detail: &str) -> Unreadable {
        Unreadable {
            detail: detail.to_owned(),
            asker: Some((self.id, self.service, self.op)),
        }
    }
}

fn in_time(asked: Asked) -> Result<Asked, Unreadable> {
    let most = Duration::from_millis(TTL_MS_MAX.into());
    if asked.ttl.is_zero() || asked.ttl > most {
        return Err(asked.refused("ttl_ms: 1 to 86400000"));
    }
    Ok(asked)
}

/// `op` is what the message is about where it does not say so itself.
fn read<'de, T: Deserialize<'de>>(payload: &'de [u8], op: Option<&str>) -> Result<T, Unreadable> {
    if payload.len() > BYTES_MAX {
        return Err(Unreadable {
            detail: format!("more than {BYTES_MAX} bytes"),
            asker: None,
        });
    }
    serde_json::from_slice(payload).map_err(|error| Unreadable {
        detail: error.to_string(),
        asker: asker(payload, op),
    })
}

/// Who asked, of a message that cannot be read as a whole.
fn asker(payload: &[u8], op: Option<&str>) -> Option<(OperationId, Instance, String)> {
    let json: Json = serde_json::from_slice(payload).ok()?;
    let text = |key: &str| json.get(key)?.as_str();
    let op = op.or_else(|| text("op")).unwrap_or_default();
    let op = Some(op)
        .filter(|op| is_operation_name(op))
        .unwrap_or("unknown");
    let service = text("service").and_then(|text| text.parse().ok());
    let service = service.or_else(|| "uplink".parse().ok())?;
    Some((text("id")?.parse().ok()?, service, op.to_owned()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(text: &str) -> Result<Asked, Unreadable> {
        command(text.as_bytes())
    }

    #[test]
    fn a_command_with_what_it_leaves_out() {
        let asked = of(r#"{"id":"a-1","service":"modem","op":"reset"}"#).unwrap();
        assert_eq!((asked.id.as_str(), &*asked.op), ("a-1", "reset"));
        assert_eq!(asked.ttl, Duration::from_mins(1));
        assert_eq!((&asked.args, asked.issued_at), (&json!({}), None));
        let asked = of(
            r#"{"id":"a-1","service":"io","op":"write","args":{"value":1},"ttl_ms":5000,"issued_at":"2026-11-23T08:00:00.000Z"}"#,
        )
        .unwrap();
        assert_eq!(
            (asked.ttl, &asked.args),
            (Duration::from_secs(5), &json!({"value": 1}))
        );
        assert_eq!(asked.issued_at.unwrap().unix_ms(), 1_795_420_800_000);
    }

    #[test]
    fn a_configuration_is_an_operation() {
        let of = |text: &str| configuration(text.as_bytes());
        let asked = of(r#"{"id":"c","service":"sensors","document":"x","expected_revision":"r1"}"#)
            .unwrap();
        assert_eq!(
            (&*asked.op, asked.args),
            (
                "configure",
                json!({"document": "x", "expected_revision": "r1"})
            )
        );
        let asked = of(r#"{"id":"c","service":"sensors","document":null,"dry_run":true}"#).unwrap();
        assert_eq!(asked.args, json!({"document": null, "dry_run": true}));
        let refused = of(r#"{"id":"c","service":"sensors","document":7}"#).unwrap_err();
        assert_eq!(refused.asker.unwrap().2, "configure");
    }

    #[test]
    fn what_cannot_be_read_says_why_and_who_asked() {
        for (text, detail, asker) in [
            ("", "EOF", None),
            ("[]", "invalid length", None),
            ("\u{1}\u{2}", "expected value", None),
            (
                r#"{"id":"a 1","service":"modem","op":"reset"}"#,
                "operation id",
                None,
            ),
            (
                r#"{"service":"modem","op":"reset"}"#,
                "missing field `id`",
                None,
            ),
            (
                r#"{"id":"a","op":"reset"}"#,
                "missing field `service`",
                Some("uplink reset"),
            ),
            (
                r#"{"id":"a","service":"Modem","op":"reset"}"#,
                "instance",
                Some("uplink reset"),
            ),
            (
                r#"{"id":"a","service":"modem","op":"re/set"}"#,
                "op:",
                Some("modem re/set"),
            ),
            (
                r#"{"id":"a","service":"modem","op":""}"#,
                "op:",
                Some("modem "),
            ),
            (
                r#"{"id":"a","service":"modem","op":"reset","args":[1]}"#,
                "args:",
                Some("modem reset"),
            ),
            (
                r#"{"id":"a","service":"modem","op":"reset","ttl_ms":0}"#,
                "ttl_ms:",
                Some("modem reset"),
            ),
            (
                r#"{"id":"a","service":"modem","op":"reset","ttl_ms":-1}"#,
                "invalid value",
                Some("modem reset"),
            ),
            (
                r#"{"id":"a","service":"modem","op":"reset","ttl_ms":86400001}"#,
                "ttl_ms:",
                Some("modem reset"),
            ),
            (
                r#"{"id":"a","service":"modem","op":"reset","tll_ms":1}"#,
                "unknown field `tll_ms`",
                Some("modem reset"),
            ),
            (
                r#"{"id":"a","service":"modem","op":"reset","issued_at":"today"}"#,
                "",
                Some("modem reset"),
            ),
        ] {
            let refused = of(text).unwrap_err();
            assert!(
                refused.detail.contains(detail),
                "{text}: {}",
                refused.detail
            );
            let who = refused
                .asker
                .map(|(_, service, op)| format!("{service} {op}"));
            assert_eq!(who.as_deref(), asker, "{text}");
        }
        assert_eq!(command(&vec![b'['; 100_000]).unwrap_err().asker, None);
        assert_eq!(command(&vec![b'['; 60_000]).unwrap_err().asker, None);
    }

    #[test]
    fn an_echo_is_told_from_a_command() {
        assert_eq!(probe_of(br#"{"probe":"17"}"#).as_deref(), Some("17"));
        assert_eq!(
            probe_of(br#"{"id":"a","service":"modem","op":"reset","probe":"17"}"#),
            None
        );
        assert_eq!(probe_of(b"17"), None);
    }
}
