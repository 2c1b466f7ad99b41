//! `tm gnss replay` on the recording of the engine that the SIM7600 has.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::Value;

const LOG: &[u8] = include_bytes!("../../tm-proto/tests/nmea/quectel-eg25-g.log");

fn replay(arguments: &[&str]) -> Vec<String> {
    let mut tm = Command::new(env!("CARGO_BIN_EXE_tm"))
        .args(["gnss", "replay"])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = tm.stdin.take().unwrap();
    let feeder = std::thread::spawn(move || input.write_all(LOG));
    let output = tm.wait_with_output().unwrap();
    feeder.join().unwrap().unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn one_json_object_per_epoch() {
    let epochs: Vec<Value> = replay(&["--json"])
        .iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let at = |time: &str| epochs.iter().filter(|epoch| epoch["time"] == time).count();
    assert_eq!(at("2022-09-11T19:15:30.980Z"), 1);
    let epoch = epochs
        .iter()
        .find(|epoch| epoch["time"] == "2022-09-11T19:15:30.980Z")
        .unwrap();
    assert_eq!(epoch["mode"], 3);
    assert_eq!(epoch["lat"], 36.764_169_2);
    assert_eq!(epoch["alt"], -114.9);
    assert_eq!(epoch["satellites_used"], 9);
}

#[test]
fn one_line_per_epoch_for_people() {
    let lines = replay(&[]);
    let is_wanted = |line: &&String| {
        line.starts_with("2022-09-11T19:15:30.980Z 3D 36.7641692 31.4108522 -114.9 m 1.7 m/s")
    };
    assert_eq!(lines.iter().filter(is_wanted).count(), 1, "{lines:#?}");
}
