//! What a message of the bus is, and whether it can be read.

use std::fmt::Write as _;

use serde::de::IgnoredAny;
use tm_types::topic::{self, Class as Topic};
use tm_types::{Poll, Source, Stamp};

/// Larger messages are passed over: our broker refuses them, a foreign one may not (design §5).
pub(super) const MESSAGE_MAX: usize = 128 * 1024;
/// Bytes of a message that are told when it cannot be read (design §6).
const TOLD_BYTES: usize = 200;

/// A message by what is to be done with it.
#[derive(Debug)]
pub(super) enum Sorted {
    /// A measurement.
    Poll(Source, Poll),
    /// An event, or the present state of an alarm or operation.
    Urgent,
    /// Nothing to keep: retained measurements and events, topics nobody asked for.
    Nothing,
    /// Too large.
    Oversized,
    /// Not what its topic promises.
    Unreadable(String),
}

/// Sorts a message; `received` stamps what came without a stamp.
pub(super) fn sort(topic: &str, payload: &[u8], is_retained: bool, received: &Stamp) -> Sorted {
    let is_json = || serde_json::from_slice::<IgnoredAny>(payload);
    let class = topic::classify(topic);
    match class {
        Some(Topic::Data(_) | Topic::SensorBlock(_) | Topic::Event(_)) if is_retained => {
            Sorted::Nothing
        }
        Some(
            Topic::Data(_)
            | Topic::SensorBlock(_)
            | Topic::Event(_)
            | Topic::Alarm(_)
            | Topic::Result(_),
        ) if payload.len() > MESSAGE_MAX => Sorted::Oversized,
        Some(class @ (Topic::Data(_) | Topic::SensorBlock(_))) => {
            match Poll::of_topic(class, payload, received) {
                // A sensor block without sensors says so every few seconds.
                Some(Ok((_, poll)))
                    if poll.points.is_empty() && matches!(class, Topic::SensorBlock(_)) =>
                {
                    Sorted::Nothing
                }
                Some(Ok((source, poll))) => Sorted::Poll(source, poll),
                Some(Err(error)) => Sorted::Unreadable(error.to_string()),
                None => Sorted::Nothing,
            }
        }
        // An alarm is cleared, and a result withdrawn, by an empty payload.
        Some(Topic::Alarm(_)) if payload.is_empty() => Sorted::Urgent,
        Some(Topic::Result(_)) if payload.is_empty() => Sorted::Nothing,
        Some(Topic::Event(_) | Topic::Alarm(_) | Topic::Result(_)) => match is_json() {
            Ok(IgnoredAny) => Sorted::Urgent,
            Err(error) => Sorted::Unreadable(error.to_string()),
        },
        _ => Sorted::Nothing,
    }
}

/// The first bytes of a payload in characters that harm nobody.
pub(super) fn told(payload: &[u8]) -> String {
    let mut out = String::new();
    for byte in payload.iter().take(TOLD_BYTES) {
        write!(out, "{}", byte.escape_ascii()).expect("a String takes everything");
    }
    out
}

#[cfg(test)]
mod tests {
    use tm_types::{BootId, Clock, Timestamp};

    use super::*;

    const NOW: Stamp = Stamp {
        time: Timestamp::EPOCH,
        mono_ms: 5,
        boot: BootId(1),
        clock: Clock::Ntp,
        err_ms: None,
    };

    fn check(topic: &str, payload: &str, is_retained: bool, expected: &str) {
        let got = match sort(topic, payload.as_bytes(), is_retained, &NOW) {
            Sorted::Poll(source, poll) => format!("{} points of {source}", poll.points.len()),
            Sorted::Urgent => "urgent".into(),
            Sorted::Nothing => "nothing".into(),
            Sorted::Oversized => "oversized".into(),
            Sorted::Unreadable(_) => "unreadable".into(),
        };
        assert_eq!(got, expected, "{topic} {payload}");
    }

    #[test]
    fn messages_are_what_their_topic_says() {
        let poll = r#"{"points":[{"name":"a","value":1}]}"#;
        let big = "x".repeat(MESSAGE_MAX + 1);
        let cases = [
            ("tm/v1/data/tank", poll, false, "1 points of tank"),
            ("tm/v1/data/tank", poll, true, "nothing"),
            ("tm/v1/data/Tank", poll, false, "unreadable"),
            ("tm/v1/data/tank", "21.5", false, "unreadable"),
            ("tm/v1/data/tank", "", false, "unreadable"),
            ("tm/v1/data/tank", &big, false, "oversized"),
            ("tm/v1/event/agent", "{}", false, "urgent"),
            ("tm/v1/event/agent", "{}", true, "nothing"),
            ("tm/v1/event/agent", "{", false, "unreadable"),
            ("tm/v1/alarm/door", "{}", true, "urgent"),
            ("tm/v1/alarm/door", "", false, "urgent"),
            ("tm/v1/res/1", "", false, "nothing"),
            ("tm/v1/res/1", "{}", false, "urgent"),
            ("tm/v1/state/modem", "{}", false, "nothing"),
            ("sensors", "{}", false, "nothing"),
            (
                "sensors",
                r#"{"temp":1}"#,
                false,
                "1 points of sensor-block",
            ),
            (
                "sensors/attic",
                r#"{"temp":1}"#,
                false,
                "1 points of sensor-block",
            ),
            ("sensors", r#"{"temp":1}"#, true, "nothing"),
            ("sensors", "21.5", false, "unreadable"),
            ("sensors", &big, false, "oversized"),
            ("other", poll, false, "nothing"),
        ];
        for (topic, payload, is_retained, expected) in cases {
            check(topic, payload, is_retained, expected);
        }
    }

    #[test]
    fn what_is_told_is_short_and_plain() {
        assert_eq!(told(b"a\n\x00\xff\""), "a\\n\\x00\\xff\\\"");
        assert_eq!(told(&[b'x'; 1000]).len(), TOLD_BYTES);
    }
}
