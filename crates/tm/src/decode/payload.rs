//! What a payload of the uplink holds, whichever of its shapes it has.

use anyhow::{Context, Result, bail};
use serde_json::Value as Json;
use tm_columns::Dictionaries;

/// One poll, event, alarm, result or state, as one line of JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The JSON object, without a newline.
    pub json: Vec<u8>,
}

/// Decodes one payload: `columns`, or objects of the `json` payload, the urgent classes and the
/// states, packed or not. Dictionaries that `columns` lean on are remembered from their announcements.
///
/// # Errors
/// When it is neither; the message says where it stops being one.
pub fn decode(dictionaries: &mut Dictionaries, payload: &[u8]) -> Result<Vec<Line>> {
    if payload
        .first()
        .is_none_or(|first| b"{[ \t\r\n".contains(first))
    {
        return objects(serde_json::from_slice(payload).context("decode a JSON payload")?);
    }
    let json = dictionaries
        .unpack(payload)
        .context("decode a packed payload")?;
    match tm_columns::decode_json(&json) {
        Ok(batch) => {
            let lines = batch.records.iter().map(|record| Line {
                json: batch.line(record),
            });
            Ok(lines.collect())
        }
        Err(error) => match serde_json::from_slice::<Json>(&json) {
            // Every batch has a version, states have none.
            Ok(value) if value.get("v").is_none() => objects(value),
            _ => Err(error).context("decode a columns payload"),
        },
    }
}

fn objects(value: Json) -> Result<Vec<Line>> {
    let line = |object: &Json| Line {
        json: object.to_string().into_bytes(),
    };
    match value {
        Json::Object(_) => Ok(vec![line(&value)]),
        Json::Array(items) if items.iter().all(Json::is_object) => {
            Ok(items.iter().map(line).collect())
        }
        _ => bail!("decode a JSON payload: it is not an object"),
    }
}

#[cfg(test)]
mod tests {
    use tm_columns::{Header, encode};
    use tm_types::{Point, Poll, Source, Stamp, Timestamp, Unit};

    use super::*;

    fn poll() -> Poll {
        let stamp = Stamp {
            time: Timestamp::of_unix_ms(1_790_000_000_000),
            mono_ms: 5,
            boot: "00c0ffee".parse().unwrap(),
            clock: tm_types::Clock::Ntp,
            err_ms: None,
        };
        let level = Point::gauge("level".parse().unwrap(), Unit::known("m"), 7);
        Poll {
            sequence: None,
            stamp,
            points: vec![level],
        }
    }

    #[test]
    fn columns_become_a_line_per_poll() {
        let header = Header {
            device: Some("d".into()),
            class: "data".into(),
            stream: "1-00000000".into(),
        };
        let source = Source::new("tank").unwrap();
        let payload = encode(&header, &[(4, source.clone(), poll()), (5, source, poll())]).unwrap();
        let lines = decode(&mut Dictionaries::default(), &payload).unwrap();
        assert_eq!(lines.len(), 2);
        let second: Json = serde_json::from_slice(&lines[1].json).unwrap();
        assert_eq!(
            (&second["seq"], &second["source"]),
            (&5.into(), &"tank".into())
        );
        assert_eq!(second["points"][0]["value"], 7);
    }

    #[test]
    fn a_packed_object_is_one_line_and_another_version_is_refused() {
        // `gzip -n` of {"class":"state"} and of {"v":2}.
        let states = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xab\x56\x4a\xce\x49\x2c\x2e\x56\xb2\x52\x2a\x2e\x49\x2c\x49\x55\xaa\x05\x00\xce\x72\x96\x1b\x11\x00\x00\x00";
        assert_eq!(
            decode(&mut Dictionaries::default(), states).unwrap()[0].json,
            br#"{"class":"state"}"#
        );
        let newer = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xab\x56\x2a\x53\xb2\x32\xaa\x05\x00\xfe\xb4\xf6\xaf\x07\x00\x00\x00";
        let error = decode(&mut Dictionaries::default(), newer).unwrap_err();
        assert!(format!("{error:#}").contains("version 2"), "{error:#}");
    }

    #[test]
    fn json_objects_pass_and_the_rest_is_refused() {
        assert_eq!(
            decode(&mut Dictionaries::default(), br#"{"class":"event"}"#).unwrap()[0].json,
            br#"{"class":"event"}"#
        );
        assert_eq!(
            decode(&mut Dictionaries::default(), br"[{},{}]")
                .unwrap()
                .len(),
            2
        );
        for bad in [
            &b""[..],
            b"1",
            b"[1]",
            b"{",
            b"\x1f\x8b",
            b"\x1f\x8bgarbage",
        ] {
            assert!(
                decode(&mut Dictionaries::default(), bad).is_err(),
                "{bad:?}"
            );
        }
    }
}
