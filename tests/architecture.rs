//! The rules of the house that a machine can check.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The crates by floor, lowest first. A crate may lean on floors below its own, never on its own.
const FLOORS: [&[&str]; 4] = [
    &["tm-types", "tm-proto", "tm-columns", "tm-sparkplug"],
    &["tm-journal", "tm-service"],
    &[
        "tm-modem",
        "tm-gnss",
        "tm-sensors",
        "tm-uplink",
        "tm-api",
        "tm-agent",
    ],
    &["tm"],
];

/// The arrows on a floor: what is encoded is the vocabulary.
const WITHIN_A_FLOOR: &[(&str, &str)] = &[("tm-columns", "tm-types"), ("tm-sparkplug", "tm-types")];

/// What a crate that is never shipped may lean on.
const SIMULATOR: (&str, &[&str]) = ("tm-sim", &["tm-proto"]);

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .canonicalize()
        .unwrap()
}

/// Each crate with the crates of this workspace it is built from: (normal, only for its tests).
fn arrows() -> BTreeMap<String, (Vec<String>, Vec<String>)> {
    let mut arrows = BTreeMap::new();
    for entry in fs::read_dir(root().join("crates")).unwrap() {
        let manifest = entry.unwrap().path().join("Cargo.toml");
        let manifest: toml::Table = fs::read_to_string(manifest).unwrap().parse().unwrap();
        let name = manifest["package"]["name"].as_str().unwrap().to_owned();
        let ours = |section: &str| -> Vec<String> {
            let Some(table) = manifest.get(section) else {
                return Vec::new();
            };
            let names = table.as_table().unwrap().keys().cloned();
            names
                .filter(|name| name == "tm" || name.starts_with("tm-"))
                .collect()
        };
        let mut normal = ours("dependencies");
        normal.extend(ours("build-dependencies"));
        arrows.insert(name, (normal, ours("dev-dependencies")));
    }
    arrows
}

fn floor(name: &str) -> Option<usize> {
    FLOORS.iter().position(|floor| floor.contains(&name))
}

/// What is wrong with an arrow, if anything.
fn objection(from: &str, to: &str, only_for_tests: bool) -> Option<String> {
    if from == SIMULATOR.0 {
        let allowed = SIMULATOR.1.contains(&to);
        return (!allowed).then(|| format!("{from} must not share {to} with what it tests"));
    }
    if to == SIMULATOR.0 {
        let may = only_for_tests || from == "tm";
        return (!may).then(|| format!("{from} must not ship {to}"));
    }
    let (Some(above), Some(below)) = (floor(from), floor(to)) else {
        return Some(format!(
            "{from} → {to}: give the crate a floor in this test"
        ));
    };
    let allowed = below < above || WITHIN_A_FLOOR.contains(&(from, to));
    (!allowed).then(|| format!("{from} leans on {to}, which is not below it"))
}

#[test]
fn crates_lean_downwards_only() {
    let arrows = arrows();
    assert!(arrows.len() >= 13, "found only {:?}", arrows.keys());
    let mut objections = Vec::new();
    for (from, (normal, tests)) in &arrows {
        objections.extend(normal.iter().filter_map(|to| objection(from, to, false)));
        objections.extend(tests.iter().filter_map(|to| objection(from, to, true)));
    }
    assert_eq!(objections, Vec::<String>::new());
}

#[test]
fn the_rule_objects_to_wrong_arrows() {
    for (from, to, tests) in [
        ("tm-modem", "tm-gnss", false),
        ("tm-types", "tm-service", false),
        ("tm-service", "tm-uplink", true),
        ("tm-journal", "tm-service", false),
        ("tm-sim", "tm-types", false),
        ("tm-api", "tm-sim", false),
        ("tm-new", "tm-types", false),
    ] {
        assert!(objection(from, to, tests).is_some(), "{from} → {to}");
    }
}

#[test]
fn the_simulator_shares_framing_only() {
    let source = root().join("crates/tm-sim/src");
    for file in rust_files(&source) {
        let text = fs::read_to_string(&file).unwrap();
        for line in text.lines().filter(|line| line.contains("tm_proto::")) {
            let framing = [
                "nmea0183::checksum",
                "nmea0183::sentence",
                "tm_proto::framing",
            ];
            assert!(
                framing.iter().any(|allowed| line.contains(allowed)),
                "{}: `{}` shares more than framing",
                file.display(),
                line.trim()
            );
        }
    }
}

#[test]
fn the_services_read_no_clock_of_their_own() {
    let services = FLOORS[2]
        .iter()
        .map(|name| root().join("crates").join(name).join("src"));
    for file in services.flat_map(|source| rust_files(&source)) {
        let text = fs::read_to_string(&file).unwrap();
        // A file that says so in its first line is a test as a whole.
        if text.starts_with("#![cfg(test)]") {
            continue;
        }
        let code = text.split("#[cfg(test)]").next().unwrap();
        for word in [
            "SystemTime::now",
            "std::env::var",
            "std::process::exit",
            "set_var",
        ] {
            assert!(
                !code.contains(word),
                "{} uses {word}: it comes through Host",
                file.display()
            );
        }
    }
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|ext| ext == "rs") {
            files.push(path);
        }
    }
    files
}
