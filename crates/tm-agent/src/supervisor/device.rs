//! The answer to `GET /v1/device`, taken field by field: another version may leave out or add some.

use serde_json::{Map, Value};
use tm_types::Supervisor;

/// The longest text that is taken over.
const TEXT_MAX: usize = 128;

/// What the answer says; `None` when it is not a JSON object.
pub(super) fn parse(body: &[u8]) -> Option<Supervisor> {
    let fields: Map<String, Value> = serde_json::from_slice(body).ok()?;
    let text = |name: &str| {
        let text = fields.get(name)?.as_str()?;
        (!text.is_empty() && text.len() <= TEXT_MAX).then(|| text.to_owned())
    };
    let flag = |name: &str| fields.get(name)?.as_bool();
    let percent = |name: &str| {
        let number = fields.get(name)?.as_f64()?.round();
        let percent = (0_u8..=100).find(|percent| (f64::from(*percent) - number).abs() < 0.5)?;
        Some(percent)
    };
    Some(Supervisor {
        status: text("status"),
        version: text("supervisor_version"),
        os_version: text("os_version"),
        commit: text("commit"),
        update_pending: flag("update_pending"),
        update_downloaded: flag("update_downloaded"),
        download_progress_percent: percent("download_progress"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn fields_stand_for_themselves() {
        let body = br#"{"status":"Downloading","os_version":"balenaOS 6.0.24","supervisor_version":"17.0.2",
            "commit":null,"update_pending":true,"update_downloaded":false,"download_progress":42.4,"new":{"a":[1]}}"#;
        let expected = Supervisor {
            status: Some("Downloading".to_owned()),
            version: Some("17.0.2".to_owned()),
            os_version: Some("balenaOS 6.0.24".to_owned()),
            commit: None,
            update_pending: Some(true),
            update_downloaded: Some(false),
            download_progress_percent: Some(42),
        };
        assert_eq!(parse(body), Some(expected));
    }

    #[test]
    fn what_is_missing_or_wrong_is_unknown() {
        let unknown = Some(Supervisor::default());
        assert_eq!(parse(b"{}"), unknown);
        let wrong = br#"{"status":5,"os_version":"","supervisor_version":[],"commit":{},"update_pending":"no","update_downloaded":1,"download_progress":"50"}"#;
        assert_eq!(parse(wrong), unknown);
        for progress in ["-1", "101", "1e300", "null"] {
            let body = format!("{{\"download_progress\":{progress}}}");
            assert_eq!(parse(body.as_bytes()), unknown, "{progress}");
        }
        let long = format!("{{\"status\":\"{}\"}}", "x".repeat(TEXT_MAX + 1));
        assert_eq!(parse(long.as_bytes()), unknown);
        for body in ["", "[]", "null", "\"x\"", "{", "<html>"] {
            assert_eq!(parse(body.as_bytes()), None, "{body}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(body: Vec<u8>) {
            let _ = parse(&body);
        }
    }
}
