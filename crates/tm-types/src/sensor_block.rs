//! What balena's own sensor blocks publish, read as one poll: `sensors` and whatever is below it.
//!
//! They know no units, no times and no numbers of their own. Two shapes are seen:
//! `[{"measurement":"bme280","fields":{"temp":21.1}},…]`, and one object of fields where they are
//! collapsed. Every value becomes a point; its name is the way to it, in our alphabet.

use serde::Deserialize;
use serde_json::Value as Json;

use crate::{
    Invalid, Point, PointName, Poll, Reading, Reason, SeriesId, Source, Stamp, Unit, Value,
};

/// The source of everything that comes so.
const SOURCE: &str = "sensor-block";
/// Which block speaks, not what it measured.
const IDENTITY: &str = "short-uuid";
/// Objects within objects; what is deeper is left out.
const DEPTH_MAX: usize = 4;
/// More values than any board of sensors has: something else is being published.
const POINTS_MAX: usize = 256;

/// Reads a message; `below` is what follows `sensors/` in its topic, if anything.
///
/// What cannot be a point is left out: an overlong name or text, a second value of the same name.
/// A message without any value is a poll without points.
pub(crate) fn poll(
    below: &str,
    payload: &[u8],
    received: &Stamp,
) -> Result<(Source, Poll), Invalid> {
    let json: Json =
        serde_json::from_slice(payload).map_err(|error| Invalid::Shape(error.to_string()))?;
    let source = Source::new(SOURCE)?;
    let mut found = Found {
        source: &source,
        points: Vec::new(),
    };
    let place = below.split('/').map(word).filter(|word| !word.is_empty());
    let place = place.collect::<Vec<_>>().join("/");
    match &json {
        Json::Array(measurements) => {
            for measurement in measurements {
                found.take_measurement(&place, measurement)?;
            }
        }
        Json::Object(_) => found.take_measurement(&place, &json)?,
        _ => return Err(Invalid::Shape("neither an object nor a list".to_owned())),
    }
    let points = found.points;
    let poll = Poll {
        sequence: None,
        stamp: *received,
        points,
    };
    Ok((source, poll))
}

struct Found<'a> {
    source: &'a Source,
    points: Vec<Point>,
}

impl Found<'_> {
    fn take_measurement(&mut self, place: &str, json: &Json) -> Result<(), Invalid> {
        match (&json["measurement"], &json["fields"]) {
            (Json::String(name), fields @ Json::Object(_)) => {
                self.take(&joined(place, name), fields, 1)
            }
            _ => self.take(place, json, 1),
        }
    }

    /// Takes a value, or every value of an object.
    fn take(&mut self, name: &str, json: &Json, depth: usize) -> Result<(), Invalid> {
        let reading = match json {
            Json::Object(fields) if depth <= DEPTH_MAX => {
                for (key, value) in fields {
                    if word(key) != IDENTITY {
                        self.take(&joined(name, key), value, depth + 1)?;
                    }
                }
                return Ok(());
            }
            Json::Object(_) | Json::Array(_) => return Ok(()),
            Json::Null => Reading::Missing(Reason::Other),
            value => match Value::deserialize(value) {
                Ok(value) => Reading::Good(value),
                Err(_) => return Ok(()),
            },
        };
        let Ok(name) = PointName::new(name) else {
            return Ok(());
        };
        let is_new = self.points.iter().all(|point| point.name != name);
        if is_new && SeriesId::of(self.source, &name).is_ok() {
            if self.points.len() == POINTS_MAX {
                return Err(Invalid::Shape(format!("more than {POINTS_MAX} values")));
            }
            self.points.push(Point::gauge(name, Unit::NONE, reading));
        }
        Ok(())
    }
}

fn joined(place: &str, key: &str) -> String {
    let key = word(key);
    match (place, key.as_str()) {
        (place, "") => place.to_owned(),
        ("", key) => key.to_owned(),
        (place, key) => format!("{place}/{key}"),
    }
}

/// A key in the alphabet of our names: `Humidity_Relative (%)` is `humidity-relative`.
fn word(key: &str) -> String {
    let mut word = String::with_capacity(key.len());
    for c in key.chars() {
        if c.is_ascii_alphanumeric() {
            word.push(c.to_ascii_lowercase());
        } else if !word.is_empty() && !word.ends_with('-') {
            word.push('-');
        }
    }
    word.truncate(word.trim_end_matches('-').len());
    word
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BootId, Clock, Timestamp};

    const NOW: Stamp = Stamp {
        time: Timestamp::EPOCH,
        mono_ms: 5,
        boot: BootId(1),
        clock: Clock::Ntp,
        err_ms: None,
    };

    fn read(below: &str, payload: &str) -> Result<String, Invalid> {
        let (source, poll) = poll(below, payload.as_bytes(), &NOW)?;
        assert_eq!(
            (source.as_str(), poll.stamp, poll.sequence),
            (SOURCE, NOW, None)
        );
        let text = poll.points.iter().map(|point| {
            let value = serde_json::to_string(&point.reading.value()).unwrap();
            format!("{}={value}", point.name)
        });
        Ok(text.collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn both_shapes_are_read() {
        for (below, payload, expected) in [
            // As the sensor block logs it (balena-io-experimental/data-relay, examples/sensor/README.md).
            (
                "",
                r#"[{"measurement": "bme280", "fields": {"humidityrelative": 59908.0, "pressure": 101.232257812, "temp": 21140.0}}, {"measurement": "short_UUID", "fields": {"short_uuid": "34793e7"}}]"#,
                "bme280/humidityrelative=59908 bme280/pressure=101.232257812 bme280/temp=21140",
            ),
            (
                "",
                r#"{"humidity":43.5,"temp":22.6,"short_uuid":"34793e7"}"#,
                "humidity=43.5 temp=22.6",
            ),
            (
                "",
                r#"{"measurement":"htu21","fields":{"temp":1}}"#,
                "htu21/temp=1",
            ),
            ("attic", r#"{"Temp":-3.25}"#, "attic/temp=-3.25"),
            ("Attic/North", r#"{"t":1}"#, "attic/north/t=1"),
            (
                "",
                r#"{"a":{"b":{"c":true}},"d":[1,2],"e":"ok","f":null}"#,
                "a/b/c=true e=\"ok\" f=null",
            ),
            (
                "",
                r#"{"Humidity_Relative (%)":1,"humidity relative":2}"#,
                "humidity-relative=1",
            ),
            (
                "",
                r#"{"measurement":5,"fields":{"x":1}}"#,
                "fields/x=1 measurement=5",
            ),
            ("", "{}", ""),
            ("", "[]", ""),
            ("", r#"[1,{"a":2}]"#, "a=2"),
            ("", r#"{"---":1}"#, ""),
        ] {
            assert_eq!(read(below, payload).as_deref(), Ok(expected), "{payload}");
        }
    }

    #[test]
    fn what_is_too_long_or_too_deep_is_left_out() {
        let long = "x".repeat(65);
        let deep = format!("{}1{}", r#"{"a":"#.repeat(6), "}".repeat(6));
        for (payload, expected) in [
            (format!(r#"{{"{long}":1,"b":2}}"#), "b=2"),
            (format!(r#"{{"a":"{long}","b":2}}"#), "b=2"),
            (deep, ""),
        ] {
            assert_eq!(read("", &payload).as_deref(), Ok(expected), "{payload}");
        }
        // The source takes its part of the 64 characters.
        let name = "n".repeat(52);
        assert_eq!(read("", &format!(r#"{{"{name}":1}}"#)).as_deref(), Ok(""));
    }

    #[test]
    fn what_is_no_measurement_is_refused() {
        for payload in ["", "21.5", "\"on\"", "{", "null", "\u{feff}{}"] {
            assert!(read("", payload).is_err(), "{payload}");
        }
        let many: Vec<String> = (0..257).map(|n| format!(r#""k{n}":{n}"#)).collect();
        assert!(read("", &format!("{{{}}}", many.join(","))).is_err());
        let most = many[..256].join(",");
        assert!(read("", &format!("{{{most}}}")).is_ok());
        // As deep as a message can be, and deeper than is followed.
        let deep = "[".repeat(100_000);
        assert!(read("", &deep).is_err());
    }
}
