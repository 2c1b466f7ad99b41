//! `tm doctor` as a person uses it: the real binary, its two outputs, its exit codes.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::process::{Command, Output};

fn doctor(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let directory = tempfile::tempdir().unwrap();
    Command::new(env!("CARGO_BIN_EXE_tm"))
        .arg("doctor")
        .args(arguments)
        .env_clear()
        .env("TM_DATA_DIR", directory.path())
        .env("TM_BUS_URL", "mqtt://127.0.0.1:1")
        .envs(variables.iter().copied())
        .output()
        .unwrap()
}

#[test]
fn the_report_is_json_without_secrets_and_the_code_tells() {
    let variables = [
        ("TM_MODEM_PNI", "1357"),
        ("TM_UPLINK_PASSWORD", "hush-hush"),
        ("TM_DEVICE_ID", "0123456789abcdef"),
    ];
    let output = doctor(&["--json", "--no-network"], &variables);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stdout).unwrap();
    let report: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(report["status"], "fail");
    assert_eq!(report["device"], "…cdef");
    let checks = report["checks"].as_array().unwrap();
    let code = |name: &str| {
        let found = checks.iter().find(|check| check["check"] == name).unwrap();
        found["code"].as_str().unwrap().to_owned()
    };
    assert_eq!(code("configuration"), "config.unknown_variable");
    assert_eq!(code("bus"), "bus.unreachable");
    assert_eq!(code("tls"), "doctor.skipped_on_request");
    for secret in ["1357", "hush", "0123456789"] {
        assert!(!text.contains(secret), "{text}");
    }
}

#[test]
fn a_broken_address_is_told_without_repeating_it() {
    let variables = [
        ("TM_UPLINK_URL", "mqtts://me:hush-hush@broker"),
        ("LANG", "uk_UA.UTF-8"),
    ];
    let output = doctor(&[], &variables);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("Адреса хмарного брокера хибна"), "{text}");
    assert!(!text.contains("hush"), "{text}");
}

#[test]
fn a_wrong_option_is_another_code_than_a_fault() {
    for arguments in [
        ["--lang", "fr"],
        ["--port", "x"],
        ["--jsno", "--no-network"],
    ] {
        assert_eq!(
            doctor(&arguments, &[]).status.code(),
            Some(2),
            "{arguments:?}"
        );
    }
}
