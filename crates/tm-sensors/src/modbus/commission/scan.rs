//! Who answers on a port.

use std::time::Duration;

use serde::Serialize;
use serde_json::{Value as Json, json};
use tm_service::port::{Parity, SerialLine};
use tm_types::Cause;
use tokio::time::Instant;

use super::super::connection::Connection;
use super::super::place::Place;
use super::SETTLE;
use super::args::Scan;
use super::client::{Answer, Open, ask};

/// Devices that are told of; more do not share a line.
const FOUND_MAX: usize = 64;
/// Percent between two reports: each is written to the disk.
const PROGRESS_STEP: u8 = 10;

/// Asks every unit id for one register, with every setting of the line; whoever answers or refuses
/// is there.
pub(super) struct Scanner {
    args: Scan,
    open: Open,
    lines: Vec<SerialLine>,
    /// Attempts made: the unit ids with the first setting, then with the next one.
    n_made: usize,
    found: Vec<Found>,
    /// When it ends at the latest; from the first turn on.
    until: Option<Instant>,
    told_percent: u8,
}

impl Scanner {
    /// Nothing is asked yet.
    pub(super) fn new(args: Scan, open: Open) -> Self {
        Self {
            lines: args.lines(),
            args,
            open,
            n_made: 0,
            found: Vec::new(),
            until: None,
            told_percent: 0,
        }
    }

    /// Goes on for about this long; the result once everybody was asked or the time is over. The
    /// port is free afterwards.
    pub(super) async fn turn(
        &mut self,
        length: Duration,
        progress: &(impl Fn(u8) + Sync),
    ) -> Result<Option<Json>, Cause> {
        let began = Instant::now();
        let until = *self.until.get_or_insert(began + self.args.limit());
        let mut open: Option<(SerialLine, Connection)> = None;
        while let Some((line, unit)) = self.next() {
            let now = Instant::now();
            if now >= until || self.found.len() >= FOUND_MAX {
                break;
            }
            if now.duration_since(began) >= length {
                return Ok(None);
            }
            self.n_made += 1;
            // A device has one setting.
            if self.found.iter().any(|found| found.unit_id == unit) {
                continue;
            }
            let ours = match open.take() {
                Some((same, connection)) if same == line => connection,
                // Closed before it is opened with other settings.
                other => {
                    drop(other);
                    match open_again(&self.open, line).await {
                        Ok(connection) => connection,
                        Err(cause) if self.n_made == 1 => return Err(cause),
                        // What was found is not lost with the port.
                        Err(_) => {
                            self.n_made -= 1;
                            break;
                        }
                    }
                }
            };
            let (table, address) = (self.args.function, self.args.address);
            let (answer, ours) = ask(ours, self.args.addressee(unit), table, address, 1).await;
            if answer.is_alive() {
                let line = self.told(line);
                self.found.push(Found::new(unit, line, &answer));
            }
            open = ours.map(|connection| (line, connection));
            self.tell(progress);
        }
        // Where to go on, when the time was not enough.
        let next = self.next();
        let next = next.map(|(line, unit)| UnitOnLine::new(unit, self.told(line)));
        let found = &self.found;
        Ok(Some(
            json!({"found": found, "complete": next.is_none(), "next": next}),
        ))
    }

    /// The next attempt.
    fn next(&self) -> Option<(SerialLine, u8)> {
        let [first, last] = self.args.unit_ids;
        let n_units = usize::from(last - first) + 1;
        let line = self.lines.get(self.n_made / n_units)?;
        let unit = u8::try_from(self.n_made % n_units).ok()? + first;
        Some((*line, unit))
    }

    /// The setting as it is told: a TCP port has none.
    fn told(&self, line: SerialLine) -> Option<SerialLine> {
        let is_serial = matches!(self.args.port, Place::Serial { .. });
        is_serial.then_some(line)
    }

    fn tell(&mut self, progress: &impl Fn(u8)) {
        let [first, last] = self.args.unit_ids;
        let n_attempts = self.lines.len() * (usize::from(last - first) + 1);
        let percent = u8::try_from(self.n_made * 100 / n_attempts).unwrap_or(100);
        if percent >= self.told_percent + PROGRESS_STEP && percent < 100 {
            self.told_percent = percent;
            progress(percent);
        }
    }
}

/// Some gateways need a moment between two connections.
async fn open_again(open: &Open, line: SerialLine) -> Result<Connection, Cause> {
    if let Ok(connection) = open(line).await {
        return Ok(connection);
    }
    tokio::time::sleep(SETTLE).await;
    open(line).await
}

/// A unit on a line.
#[derive(Serialize)]
struct UnitOnLine {
    unit_id: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    baud: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parity: Option<Parity>,
}

/// A device that is there.
#[derive(Serialize)]
struct Found {
    #[serde(skip)]
    unit_id: u8,
    #[serde(flatten)]
    place: UnitOnLine,
    answer: String,
    /// What the register holds; null when it was refused.
    value: Option<u16>,
}

impl UnitOnLine {
    fn new(unit_id: u8, line: Option<SerialLine>) -> Self {
        Self {
            unit_id,
            baud: line.map(|line| line.baud),
            parity: line.map(|line| line.parity),
        }
    }
}

impl Found {
    fn new(unit_id: u8, line: Option<SerialLine>, answer: &Answer) -> Self {
        Self {
            unit_id,
            place: UnitOnLine::new(unit_id, line),
            answer: answer.told(),
            value: match answer {
                Answer::Words(words) => words.first().copied(),
                _ => None,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::super::client::fake::{exception, opener, words};
    use super::*;

    fn args(args: &Json) -> Scan {
        Scan::read(args).unwrap()
    }

    /// A scan in one turn.
    async fn run(args: Scan, open: Open, progress: impl Fn(u8) + Sync) -> Result<Json, Cause> {
        let mut scanner = Scanner::new(args, open);
        let result = scanner.turn(Duration::MAX, &progress).await?;
        Ok(result.expect("one turn is enough"))
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_answers_or_refuses_is_found() {
        let open = opener(|unit, function, address, _| match unit {
            3 => Some(words(function, &[address])),
            9 => Some(exception(function, 2)),
            11 => Some(exception(function, 11)),
            _ => None,
        });
        let reports = Mutex::new(Vec::new());
        let asked = args(&json!({"port": "tcp://h", "unit_ids": [1, 20], "address": 5}));
        let result = run(asked, open, |percent| {
            reports.lock().unwrap().push(percent);
        })
        .await
        .unwrap();
        assert_eq!(
            result,
            json!({"found": [
                {"unit_id": 3, "answer": "answers", "value": 5},
                {"unit_id": 9, "answer": "refuses: Illegal data address", "value": null}],
                "complete": true, "next": null})
        );
        assert_eq!(
            *reports.lock().unwrap(),
            [10, 20, 30, 40, 50, 60, 70, 80, 90]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn it_ends_in_time_and_says_where_to_go_on() {
        let open = opener(|_, _, _, _| None);
        let asked = args(&json!({"port": "tcp://h", "timeout_ms": 1000, "limit_s": 10}));
        let started = Instant::now();
        let result = run(asked, open, |_| {}).await.unwrap();
        assert_eq!(started.elapsed().as_secs(), 10);
        assert_eq!(
            result,
            json!({"found": [], "complete": false, "next": {"unit_id": 11}})
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_gateway_that_answers_for_everybody_is_bounded() {
        let open = opener(|_, function, _, _| Some(words(function, &[0])));
        let asked = args(&json!({"port": "tcp://h"}));
        let result = run(asked, open, |_| {}).await.unwrap();
        assert_eq!(result["found"].as_array().unwrap().len(), FOUND_MAX);
        assert_eq!(result["next"]["unit_id"], 65);
        assert!(result.to_string().len() < 16 * 1024);
    }

    #[tokio::test(start_paused = true)]
    async fn settings_of_a_serial_line_are_tried_and_a_device_is_found_once() {
        // Only 19200 baud with even parity is understood, the way a line drops what it cannot read.
        let right = opener(|unit, function, _, _| (unit == 2).then(|| words(function, &[230])));
        let wrong = opener(|_, _, _, _| None);
        let open: Open = Box::new(move |line| match (line.baud, line.parity) {
            (19_200, Parity::Even) => right(line),
            _ => wrong(line),
        });
        let asked = json!({"port": "/dev/ttyS0", "unit_ids": [1, 3], "bauds": [9600, 19200]});
        let result = run(args(&asked), open, |_| {}).await.unwrap();
        assert_eq!(
            result["found"],
            json!([{"unit_id": 2, "baud": 19200, "parity": "even", "answer": "answers", "value": 230}])
        );
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_found_is_not_lost_with_the_port() {
        let gateway = opener(|unit, function, _, _| (unit == 1).then(|| words(function, &[7])));
        let n_opened = std::sync::atomic::AtomicU32::new(0);
        let open: Open = Box::new(move |line| {
            match n_opened.fetch_add(1, std::sync::atomic::Ordering::Relaxed) {
                0 => gateway(line),
                _ => super::super::client::opener(&"/nowhere".parse().unwrap())(line),
            }
        });
        let asked = json!({"port": "tcp://h", "unit_ids": [1, 9]});
        let result = run(args(&asked), open, |_| {}).await.unwrap();
        assert_eq!(result["found"][0]["unit_id"], 1);
        assert_eq!(result["next"], json!({"unit_id": 3}));
        let open = super::super::client::opener(&"/nowhere".parse().unwrap());
        let cause = run(args(&asked), open, |_| {}).await.unwrap_err();
        assert!(cause.is(tm_types::code::SENSORS_PORT_UNUSABLE));
    }

    #[tokio::test(start_paused = true)]
    async fn turns_go_on_where_the_one_before_ended() {
        let open = opener(|unit, function, _, _| (unit == 9).then(|| words(function, &[1])));
        let asked = args(&json!({"port": "tcp://h", "unit_ids": [1, 20], "timeout_ms": 1000}));
        let mut scanner = Scanner::new(asked, open);
        let mut n_turns = 0;
        let result = loop {
            n_turns += 1;
            let turn = scanner.turn(Duration::from_secs(5), &|_| {}).await.unwrap();
            if let Some(result) = turn {
                break result;
            }
        };
        assert_eq!(n_turns, 4, "19 seconds of silence");
        assert_eq!(result["found"][0]["unit_id"], 9);
        assert_eq!(result["complete"], true);
    }
}
