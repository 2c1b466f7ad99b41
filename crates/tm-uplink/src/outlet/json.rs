//! Readable payloads: one object per poll, event, alarm or result. Drawn in `docs/uplink.md`.

use std::io::Write as _;

use serde_json::value::RawValue;
use tm_journal::{Class, Row, StreamId};
use tm_types::Stamp;
use tm_types::topic::{self, Class as Topic};

use super::thin::Kept;

/// The key of a record, as its journal knows it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key<'a> {
    /// The device's id.
    pub(crate) device: &'a str,
    /// The opening of the journal that the number counts in.
    pub(crate) stream: StreamId,
    /// The record's number.
    pub(crate) seq: u64,
}

/// A poll as one object: its key, then the message as it stands on the bus, with the points that are kept; `None`
/// when the row makes no sense.
pub(super) fn poll(key: Key<'_>, row: &Row<'_>, stamp: Stamp, kept: Kept<'_>) -> Option<Vec<u8>> {
    let mut poll = row.to_poll()?;
    kept.keep(&mut poll.points);
    poll.stamp = stamp;
    let mut out = opening(key, Class::Data);
    put(&mut out, format_args!(",\"source\":\"{}\",", row.source));
    // What follows is the bus message without its opening brace: same fields, same shapes.
    out.extend_from_slice(poll.to_json().get(1..)?);
    Some(out)
}

/// A message of the urgent journal as one object, and what stands for the class in its topic.
///
/// An empty payload, by which an alarm is cleared, becomes `null`; one that is not JSON becomes a string.
pub(crate) fn message(key: Key<'_>, topic: &str, payload: &[u8]) -> (&'static str, Vec<u8>) {
    let mut out = opening(key, Class::Urgent);
    out.extend_from_slice(b",\"topic\":");
    string(&mut out, topic);
    out.extend_from_slice(b",\"payload\":");
    match serde_json::from_slice::<&RawValue>(payload) {
        Ok(json) => out.extend_from_slice(json.get().as_bytes()),
        Err(_) if payload.is_empty() => out.extend_from_slice(b"null"),
        Err(_) => string(&mut out, &String::from_utf8_lossy(payload)),
    }
    out.push(b'}');
    (kind_of(topic), out)
}

/// Time anchors travel as events.
fn kind_of(topic: &str) -> &'static str {
    match topic::classify(topic) {
        Some(Topic::Alarm(_)) => "alarm",
        Some(Topic::Result(_)) => "res",
        _ => "event",
    }
}

/// A JSON string.
pub(crate) fn string(out: &mut Vec<u8>, text: &str) {
    serde_json::to_writer(out, text).expect("a text is a JSON string");
}

fn opening(key: Key<'_>, class: Class) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    out.extend_from_slice(b"{\"device\":");
    string(&mut out, key.device);
    put(
        &mut out,
        format_args!(
            ",\"class\":\"{}\",\"stream\":\"{}\",\"seq\":{}",
            class.as_str(),
            key.stream,
            key.seq
        ),
    );
    out
}

fn put(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("a Vec takes everything");
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: Key<'_> = Key {
        device: "a1b2",
        stream: StreamId {
            counter: 17,
            random: 0x9f3a_2b1c,
        },
        seq: 42,
    };

    fn check(topic: &str, payload: &str, kind: &str, expected: &str) {
        let (got, out) = message(KEY, topic, payload.as_bytes());
        assert_eq!(got, kind);
        let head = format!(
            r#"{{"device":"a1b2","class":"urgent","stream":"17-9f3a2b1c","seq":42,"topic":"{topic}","payload":"#
        );
        assert_eq!(
            String::from_utf8(out).unwrap(),
            format!("{head}{expected}}}")
        );
    }

    #[test]
    fn messages_are_wrapped_as_they_came() {
        check(
            "tm/v1/event/gnss",
            r#"{"severity":"info"}"#,
            "event",
            r#"{"severity":"info"}"#,
        );
        check("tm/v1/alarm/door", "", "alarm", "null");
        check("tm/v1/res/abc", r#"{"a": 1e3}"#, "res", r#"{"a": 1e3}"#);
        check("tm/v1/clock/gnss", "{}", "event", "{}");
        check("tm/v1/event/x", "not json", "event", "\"not json\"");
    }
}
