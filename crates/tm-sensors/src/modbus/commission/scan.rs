//! Who answers on a port.

use serde::Serialize;
use serde_json::{Value as Json, json};
use tm_service::port::{Parity, PortUrl, SerialLine};
use tm_types::Cause;
use tokio::time::Instant;

use super::SETTLE;
use super::args::Scan;
use super::client::{Answer, Client, Open};

/// Devices that are told of; more do not share a line.
const FOUND_MAX: usize = 64;
/// Percent between two reports: each is written to the disk.
const PROGRESS_STEP: u8 = 10;

/// Asks every unit id for one register, with every setting of the line; whoever answers or refuses
/// is there.
pub(super) async fn run(
    args: &Scan,
    open: &Open,
    progress: impl Fn(u8) + Send,
) -> Result<Json, Cause> {
    let until = Instant::now() + args.limit();
    let [first, last] = args.unit_ids;
    let lines = args.lines();
    let attempts = lines
        .iter()
        .flat_map(|line| (first..=last).map(move |unit| (*line, unit)));
    let n_attempts = lines.len() * usize::from(last - first + 1);
    let is_serial = !matches!(args.port, PortUrl::Tcp { .. });
    let mut client: Option<(SerialLine, Client)> = None;
    let mut found: Vec<Found> = Vec::new();
    let mut told = 0;
    let mut next = None;
    for (at, (line, unit)) in attempts.enumerate() {
        if Instant::now() >= until || found.len() >= FOUND_MAX {
            next = Some((line, unit));
            break;
        }
        // A device has one setting.
        if found.iter().any(|found| found.unit_id == unit) {
            continue;
        }
        let mut ours = match client.take() {
            Some((same, client)) if same == line => client,
            // Closed before it is opened with other settings.
            other => {
                drop(other);
                match open_again(open, line).await {
                    Ok(client) => client,
                    Err(cause) if at == 0 => return Err(cause),
                    // What was found is not lost with the port.
                    Err(_) => {
                        next = Some((line, unit));
                        break;
                    }
                }
            }
        };
        let answer = ours
            .read(unit, args.function, args.address, 1, args.timeout())
            .await;
        if answer.is_alive() {
            found.push(Found::new(unit, is_serial.then_some(line), &answer));
        }
        if ours.is_fit_after(&answer) {
            client = Some((line, ours));
        }
        let percent = u8::try_from((at + 1) * 100 / n_attempts).unwrap_or(100);
        if percent >= told + PROGRESS_STEP && percent < 100 {
            told = percent;
            progress(percent);
        }
    }
    // Where to go on, when the time was not enough.
    let next = next.map(|(line, unit)| Place::new(unit, is_serial.then_some(line)));
    Ok(json!({"found": found, "complete": next.is_none(), "next": next}))
}

/// Some gateways need a moment between two connections.
async fn open_again(open: &Open, line: SerialLine) -> Result<Client, Cause> {
    if let Ok(client) = open(line).await {
        return Ok(client);
    }
    tokio::time::sleep(SETTLE).await;
    open(line).await
}

/// A unit on a line.
#[derive(Serialize)]
struct Place {
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
    place: Place,
    answer: String,
    /// What the register holds; null when it was refused.
    value: Option<u16>,
}

impl Place {
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
            place: Place::new(unit_id, line),
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
        let result = run(&asked, &open, |percent| {
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
        let result = run(&asked, &open, |_| {}).await.unwrap();
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
        let result = run(&asked, &open, |_| {}).await.unwrap();
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
        let result = run(&args(&asked), &open, |_| {}).await.unwrap();
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
        let result = run(&args(&asked), &open, |_| {}).await.unwrap();
        assert_eq!(result["found"][0]["unit_id"], 1);
        assert_eq!(result["next"], json!({"unit_id": 3}));
        let open = super::super::client::opener(&"/nowhere".parse().unwrap());
        let cause = run(&args(&asked), &open, |_| {}).await.unwrap_err();
        assert!(cause.is(tm_types::code::SENSORS_PORT_UNUSABLE));
    }
}
