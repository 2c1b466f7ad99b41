//! One client: what it asked for, and what it is told.

use serde::Serialize;

use super::report::{Picture, line};
use super::request::{Request, Requests, WatchOptions};

/// `{"class":"VERSION"…}`: gpsd 3.25 speaks 3.15; clients compare the major number alone.
#[derive(Serialize)]
struct Version {
    class: &'static str,
    release: &'static str,
    rev: &'static str,
    proto_major: u8,
    proto_minor: u8,
}

/// What is asked at once is answered until the answer is longer than this; a session needs a few hundred bytes.
const ANSWER_MAX: usize = 64 * 1024;

fn failure(message: &str) -> String {
    line(&Failure {
        class: "ERROR",
        message,
    })
}

/// What a client asked for, as it is told in the object WATCH.
#[derive(Debug, Default, Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "the object is gpsd's")]
struct Watching {
    class: &'static str,
    enable: bool,
    json: bool,
    nmea: bool,
    raw: u8,
    scaled: bool,
    timing: bool,
    split24: bool,
    pps: bool,
}

#[derive(Serialize)]
struct Failure<'a> {
    class: &'static str,
    message: &'a str,
}

/// The client's end of a connection.
#[derive(Debug, Default)]
pub(super) struct Session {
    requests: Requests,
    watching: Watching,
}

impl Session {
    /// What a client is told before it asks.
    pub(super) fn greeting() -> String {
        line(&Version {
            class: "VERSION",
            release: "3.25",
            rev: concat!("tm-gnss ", env!("CARGO_PKG_VERSION")),
            proto_major: 3,
            proto_minor: 15,
        })
    }

    /// Takes in what the client sent; the answer, in which the last reports come from `picture`.
    pub(super) fn on_bytes(&mut self, bytes: &[u8], picture: &Picture) -> String {
        let mut answer = String::new();
        for request in self.requests.feed(bytes) {
            if answer.len() > ANSWER_MAX {
                return answer + &failure("too many requests at once");
            }
            answer += &self.answer(request, picture);
        }
        answer
    }

    /// Whether anything is sent without being asked for.
    pub(super) fn is_watching(&self) -> bool {
        self.watching.enable
    }

    /// Whether reports are wanted.
    pub(super) fn wants_reports(&self) -> bool {
        self.watching.enable && self.watching.json
    }

    /// Whether the receiver's sentences are wanted.
    pub(super) fn wants_sentences(&self) -> bool {
        self.watching.enable && (self.watching.nmea || self.watching.raw > 0)
    }

    fn answer(&mut self, request: Request, picture: &Picture) -> String {
        match request {
            Request::Version => Self::greeting(),
            Request::Devices => picture.devices(),
            Request::Device => picture
                .device()
                .unwrap_or_else(|| failure("there is no receiver")),
            Request::Watch(options) => {
                if let Some(options) = options {
                    self.watch(&options);
                }
                self.watching.class = "WATCH";
                let mut answer = picture.devices() + &line(&self.watching);
                if self.wants_reports() {
                    answer += &picture.reports();
                }
                answer
            }
            Request::Poll => picture.poll(self.watching.enable),
            Request::Wrong(message) => failure(&message),
        }
    }

    /// Settings that are not told stay; a stream without any is one of JSON.
    fn watch(&mut self, options: &WatchOptions) {
        if options.enable == Some(false) {
            self.watching = Watching::default();
            return;
        }
        let watching = &mut self.watching;
        watching.enable = true;
        watching.json = options.json.unwrap_or(watching.json);
        watching.nmea = options.nmea.unwrap_or(watching.nmea);
        watching.raw = options.raw.unwrap_or(watching.raw);
        watching.pps = options.pps.unwrap_or(watching.pps);
        let is_told = options.json.is_some() || options.nmea.is_some() || options.raw.is_some();
        watching.json |= !is_told && !watching.nmea && watching.raw == 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classes(text: &str) -> Vec<String> {
        let class = |line: &str| {
            let value: serde_json::Value = serde_json::from_str(line).unwrap();
            value["class"].as_str().unwrap().to_owned()
        };
        assert!(text.is_empty() || text.ends_with("\r\n"));
        text.lines().map(class).collect()
    }

    /// What each step of a conversation is answered, and then reports and sentences wanted.
    fn check(steps: &[(&str, &[&str])], wanted: (bool, bool)) {
        let mut session = Session::default();
        let picture = Picture::default();
        for (asked, expected) in steps {
            let answer = session.on_bytes(asked.as_bytes(), &picture);
            assert_eq!(classes(&answer), *expected, "{asked}");
        }
        let got = (session.wants_reports(), session.wants_sentences());
        assert_eq!(got, wanted, "{steps:?}");
    }

    #[test]
    fn who_asks_is_answered_and_nobody_else() {
        const WATCH: &[&str] = &["DEVICES", "WATCH"];
        const JSON: &[&str] = &["DEVICES", "WATCH", "TPV", "SKY"];
        check(&[], (false, false));
        check(
            &[("?WATCH={\"enable\":true,\"json\":true};", JSON)],
            (true, false),
        );
        check(&[("?WATCH={\"enable\":true};", JSON)], (true, false));
        check(&[("?WATCH={\"nmea\":true};", WATCH)], (false, true));
        check(&[("?WATCH={\"raw\":1}\n", WATCH)], (false, true));
        check(&[("?WATCH;", WATCH)], (false, false));
        check(
            &[
                ("?WATCH={\"json\":true,\"nmea\":true}\n", JSON),
                ("?WATCH={\"json\":false};", WATCH),
            ],
            (false, true),
        );
        check(
            &[("?WATCH={};", JSON), ("?WATCH={\"enable\":false};", WATCH)],
            (false, false),
        );
        check(
            &[(
                "?VERSION;?DEVICE;?DEVICES;?POLL;nonsense;",
                &["VERSION", "ERROR", "DEVICES", "POLL", "ERROR"],
            )],
            (false, false),
        );
    }

    #[test]
    fn an_answer_is_bounded() {
        let mut session = Session::default();
        let answer = session.on_bytes("?VERSION;".repeat(100_000).as_bytes(), &Picture::default());
        assert!(answer.len() < ANSWER_MAX + 1024, "{}", answer.len());
        assert!(answer.ends_with("\"message\":\"too many requests at once\"}\r\n"));
    }

    #[test]
    fn the_settings_in_force_are_told() {
        let mut session = Session::default();
        let answer = session.on_bytes(b"?WATCH={\"nmea\":true,\"pps\":true};", &Picture::default());
        let told: serde_json::Value = serde_json::from_str(answer.lines().nth(1).unwrap()).unwrap();
        let expected = serde_json::json!({
            "class": "WATCH", "enable": true, "json": false, "nmea": true, "raw": 0, "scaled": false, "timing": false,
            "split24": false, "pps": true,
        });
        assert_eq!(told, expected);
    }
}
