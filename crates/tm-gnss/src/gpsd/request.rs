//! What clients ask.
//!
//! ```text
//! ?WATCH={"enable":true,"json":true};      commands end with `;` or at the end of a line, several may stand in one
//! ?POLL;
//! ```

use serde::Deserialize;

/// The longest command that is read; gpsd's own clients ask with less than a hundred bytes.
const REQUEST_MAX: usize = 1024;

/// A command of a client.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Request {
    /// Which protocol is spoken.
    Version,
    /// Which receivers there are.
    Devices,
    /// One receiver and its settings, which cannot be changed from here.
    Device,
    /// Begin, change or end the stream; without an object the settings are only told.
    Watch(Option<WatchOptions>),
    /// The last reports.
    Poll,
    /// Not a command; what to say about it.
    Wrong(String),
}

/// The object of `?WATCH`.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct WatchOptions {
    /// Absent means yes.
    pub(super) enable: Option<bool>,
    pub(super) json: Option<bool>,
    pub(super) nmea: Option<bool>,
    /// 1 or 2 ask for the receiver's bytes, which here are its sentences.
    pub(super) raw: Option<u8>,
    pub(super) pps: Option<bool>,
}

/// Cuts a stream into commands.
#[derive(Debug, Default)]
pub(super) struct Requests {
    line: Vec<u8>,
    /// What comes is the rest of a command that is too long.
    is_overlong: bool,
}

impl Requests {
    /// Takes in bytes in any portions; returns the commands that they completed.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Vec<Request> {
        let mut requests = Vec::new();
        for byte in bytes {
            if matches!(byte, b';' | b'\n' | b'\r') {
                let line = std::mem::take(&mut self.line);
                if std::mem::take(&mut self.is_overlong) {
                    requests.push(Request::Wrong(format!(
                        "a request is longer than {REQUEST_MAX} bytes"
                    )));
                } else {
                    requests.extend(parse(line.trim_ascii()));
                }
            } else if self.line.len() < REQUEST_MAX {
                self.line.push(*byte);
            } else {
                self.is_overlong = true;
            }
        }
        requests
    }
}

/// `None` for an empty line.
fn parse(line: &[u8]) -> Option<Request> {
    if line.is_empty() {
        return None;
    }
    let shown = String::from_utf8_lossy(&line[..line.len().min(80)]);
    let wrong = |what: &str| Some(Request::Wrong(format!("{what}: {shown}")));
    let Some(command) = line.strip_prefix(b"?") else {
        return wrong("unrecognized request");
    };
    let (name, object) = match command.iter().position(|byte| *byte == b'=') {
        Some(place) => (&command[..place], Some(&command[place + 1..])),
        None => (command, None),
    };
    match (name, object) {
        (b"VERSION", _) => Some(Request::Version),
        (b"DEVICES", _) => Some(Request::Devices),
        (b"DEVICE", _) => Some(Request::Device),
        (b"POLL", _) => Some(Request::Poll),
        (b"WATCH", None) => Some(Request::Watch(None)),
        (b"WATCH", Some(object)) => match serde_json::from_slice(object) {
            Ok(options) => Some(Request::Watch(Some(options))),
            Err(_) => wrong("invalid WATCH"),
        },
        _ => wrong("unrecognized request"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, expected: &[Request]) {
        let mut whole = Requests::default();
        assert_eq!(whole.feed(text.as_bytes()), expected, "{text}");
        let mut bytewise = Requests::default();
        let requests: Vec<Request> = text
            .bytes()
            .flat_map(|byte| bytewise.feed(&[byte]))
            .collect();
        assert_eq!(requests, expected, "{text} byte by byte");
    }

    fn watch(enable: Option<bool>, json: Option<bool>, nmea: Option<bool>) -> Request {
        Request::Watch(Some(WatchOptions {
            enable,
            json,
            nmea,
            ..WatchOptions::default()
        }))
    }

    #[test]
    fn what_clients_ask() {
        // gpspipe -w and cgps, gpspipe -r, python3-gps: captured from gpsd-clients 3.22.
        check(
            "?WATCH={\"enable\":true,\"json\":true};\r\n",
            &[watch(Some(true), Some(true), None)],
        );
        check(
            "?WATCH={\"enable\":true,\"nmea\":true};",
            &[watch(Some(true), None, Some(true))],
        );
        check(
            "?WATCH={\"enable\":true,\"json\":true}\n",
            &[watch(Some(true), Some(true), None)],
        );
        check(
            "?VERSION;?DEVICES;?POLL;?WATCH;\n",
            &[
                Request::Version,
                Request::Devices,
                Request::Poll,
                Request::Watch(None),
            ],
        );
        check("?DEVICE={\"native\":1};", &[Request::Device]);
        check("?WATCH={\"unknown\":1};", &[watch(None, None, None)]);
        check("\r\n;;\n", &[]);
        check("?POLL", &[]);
    }

    #[test]
    fn what_is_no_request() {
        let wrong = |text: &str| [Request::Wrong(text.to_owned())];
        check(
            "GET / HTTP/1.1\n",
            &wrong("unrecognized request: GET / HTTP/1.1"),
        );
        check(
            "?WATCH={\"enable\";",
            &wrong("invalid WATCH: ?WATCH={\"enable\""),
        );
        check(
            "?WATCH={\"enable\":7};",
            &wrong("invalid WATCH: ?WATCH={\"enable\":7}"),
        );
        check("?QUIT;", &wrong("unrecognized request: ?QUIT"));
        let long = format!("?WATCH={}\n?POLL;", "x".repeat(5000));
        check(
            &long,
            &[
                Request::Wrong("a request is longer than 1024 bytes".to_owned()),
                Request::Poll,
            ],
        );
    }

    proptest! {
        #[test]
        fn nothing_panics_or_grows(bytes: Vec<u8>) {
            let mut requests = Requests::default();
            requests.feed(&bytes);
            prop_assert!(requests.line.len() <= REQUEST_MAX);
        }
    }
}
