//! `tm profile` as a person uses it: the real binary, its two outputs, its files.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What an owner had written for a SIM of such a contract, after an example of the host's makers.
const HANDED_IN: &str = "tests/profiles/handed-in";

struct Answer {
    succeeded: bool,
    stdout: String,
    stderr: String,
}

fn profile(arguments: &[&str], variables: &[(&str, &str)]) -> Answer {
    let output = Command::new(env!("CARGO_BIN_EXE_tm"))
        .args(["profile", "cellular"])
        .args(arguments)
        .env_clear()
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    Answer {
        succeeded: output.status.success(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// The settings of a keyfile, without its comments.
fn settings(text: &str) -> String {
    let is_setting = |line: &&str| !line.is_empty() && !line.starts_with('#');
    text.lines()
        .filter(is_setting)
        .collect::<Vec<_>>()
        .join(" ")
}

#[test]
fn the_page_of_the_host_carries_what_the_command_prints() {
    let answer = profile(&["--apn", "staticip"], &[]);
    assert!(answer.succeeded, "{}", answer.stderr);
    assert_eq!(answer.stderr, "");
    assert_eq!(
        settings(&answer.stdout),
        "[connection] id=cellular type=gsm autoconnect=true autoconnect-priority=-10 \
         [gsm] apn=staticip home-only=true \
         [ipv4] method=auto route-metric=700 [ipv6] method=disabled"
    );
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/host/cellular");
    if std::env::var_os("TM_BLESS").is_some() {
        fs::write(&path, &answer.stdout).unwrap();
    }
    assert_eq!(fs::read_to_string(&path).unwrap(), answer.stdout);
}

#[test]
fn the_file_that_was_handed_in_is_explained_and_mended() {
    let answer = profile(&["--from", HANDED_IN], &[]);
    assert!(answer.succeeded, "{}", answer.stderr);
    assert_eq!(answer.stdout, profile(&["--apn", "staticip"], &[]).stdout);
    let line = |number: usize| -> &str {
        let start = format!("{number:>4}  ");
        let found = answer.stderr.lines().find(|line| line.starts_with(&start));
        found.unwrap_or_else(|| panic!("line {number} is missing in {}", answer.stderr))
    };
    for (number, line_of_file) in fs::read_to_string(HANDED_IN).unwrap().lines().enumerate() {
        if !line_of_file.is_empty() {
            assert!(line(number + 1).contains(line_of_file), "{line_of_file}");
        }
    }
    for (number, verdict) in [
        (7, "good"),
        (8, "FAULT"),
        (9, "harmless"),
        (10, "FAULT"),
        (13, "harmless"),
        (19, "harmless"),
    ] {
        assert!(line(number).contains(verdict), "{}", line(number));
    }
    assert!(
        answer.stderr.contains("2 lines marked FAULT"),
        "{}",
        answer.stderr
    );
    assert!(
        answer.stderr.contains("foreign networks"),
        "{}",
        answer.stderr
    );
}

#[test]
fn what_is_given_goes_before_what_the_file_says() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cellular");
    let text = "[connection]\ntype=gsm\n[gsm]\napn=old\npin=1357\nhome-only=false\n\
                username=somebody\npassword=hush-hush\n";
    fs::write(&file, text).unwrap();
    let file = file.to_str().unwrap();

    let kept = profile(&["--from", file], &[]);
    assert!(
        settings(&kept.stdout)
            .contains("[gsm] apn=old pin=1357 username=somebody password=hush-hush [ipv4]"),
        "{}",
        kept.stdout
    );
    let variables = [("TM_PROFILE_PIN", "0042"), ("TM_PROFILE_PASSWORD", r"a\b")];
    let arguments = [
        "--from",
        file,
        "--apn",
        "new",
        "--user",
        "someone-else",
        "--explain",
    ];
    let given = profile(&arguments, &variables);
    assert!(
        settings(&given.stdout)
            .contains(r"[gsm] apn=new pin=0042 username=someone-else password=a\\b"),
        "{}",
        given.stdout
    );
    for secret in [
        "1357",
        "0042",
        "somebody",
        "someone-else",
        "hush-hush",
        r"a\b",
    ] {
        assert!(!kept.stderr.contains(secret), "{}", kept.stderr);
        assert!(!given.stderr.contains(secret), "{}", given.stderr);
    }
    assert!(given.stderr.contains("The profile, line by line"));
}

#[test]
fn roaming_is_a_wish_of_its_own() {
    let answer = profile(&["--apn", "a", "--roaming"], &[]);
    assert!(answer.succeeded && !answer.stdout.contains("home-only"));
}

#[test]
fn a_file_is_private_and_not_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let path: PathBuf = folder.path().join("cellular");
    let file = path.to_str().unwrap();
    let permissions = || fs::metadata(&path).unwrap().permissions().mode() & 0o777;

    let made = profile(&["--apn", "one", "--output", file], &[]);
    assert!(made.succeeded && made.stdout.is_empty(), "{}", made.stderr);
    assert_eq!(permissions(), 0o600);
    let written = fs::read_to_string(&path).unwrap();

    let refused = profile(&["--apn", "two", "--output", file], &[]);
    assert!(!refused.succeeded);
    assert!(
        refused.stderr.contains("--force overwrites it"),
        "{}",
        refused.stderr
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), written);

    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let forced = profile(&["--apn", "two", "--output", file, "--force"], &[]);
    assert!(forced.succeeded, "{}", forced.stderr);
    assert!(fs::read_to_string(&path).unwrap().contains("apn=two"));
    assert_eq!(permissions(), 0o600);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn mistakes_are_told_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let garbage = folder.path().join("garbage");
    fs::write(&garbage, "[gsm]\napn=a\nmy secret 1357\n").unwrap();
    let garbage = garbage.to_str().unwrap();
    for (arguments, expected) in [
        (
            &["--apn", "static ip"][..],
            "read --apn: the APN has ' ' at position 7",
        ),
        (
            &["--apn", "a", "--pin", "42"],
            "read the PIN: a PIN has 4 to 8 digits",
        ),
        (
            &["--apn", "a", "--user", "u"],
            "they are given together or not at all",
        ),
        (
            &["--from", garbage],
            "line 3: it is neither [group], key=value nor # comment",
        ),
        (&["--from", "/nowhere"], "read /nowhere: No such file"),
        (&[], "--apn"),
    ] {
        let answer = profile(arguments, &[]);
        assert!(
            !answer.succeeded && answer.stdout.is_empty(),
            "{arguments:?}"
        );
        assert!(answer.stderr.contains(expected), "{}", answer.stderr);
        assert!(!answer.stderr.contains("1357"), "{}", answer.stderr);
    }
}
