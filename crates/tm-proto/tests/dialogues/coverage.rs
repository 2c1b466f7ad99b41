//! Every collected transcript is restated here, or it is said why not.

use std::{collections::BTreeSet, fs, path::Path};

/// What became of a collected transcript.
enum Fate {
    /// Restated in these files.
    In(&'static [&'static str]),
    /// Not for these parsers, and who reads such instead.
    Not(&'static str),
}
use Fate::{In, Not};

const COLLECTED: &[(u8, Fate)] = &[
    (1, In(&["boot_to_lte", "internal_stack"])),
    (2, In(&["sim_busy", "internal_stack"])),
    (3, In(&["registered", "internal_stack"])),
    (4, In(&["position_damaged"])),
    (5, In(&["engine_on"])),
    (6, In(&["errors"])),
    (7, In(&["engine_on"])),
    (8, In(&["position_damaged"])),
    (9, In(&["positions"])),
    (10, In(&["vodafone_italy"])),
    (11, In(&["deregistered"])),
    (12, In(&["boot_bytes"])),
    (13, In(&["combined_line"])),
    (14, In(&["powering_off"])),
    (15, In(&["restart"])),
    (16, In(&["settings"])),
    (17, In(&["identity", "cell_c"])),
    (18, In(&["messages_and_calls"])),
    (19, In(&["cells"])),
    (20, In(&["cells"])),
    (21, In(&["reselection"])),
    (22, In(&["cells"])),
    (23, In(&["cells"])),
    (24, In(&["cells"])),
    (25, In(&["cells"])),
    (26, In(&["composition"])),
    (
        27,
        Not(
            "kernel and NetworkManager messages: the ports are found in sysfs by tm-modem, which reads no such text",
        ),
    ),
    (
        28,
        Not(
            "words of mmcli: tm-modem reads the same facts from ModemManager over D-Bus, where they are typed",
        ),
    ),
    (
        29,
        Not(
            "words of mmcli about a card that is missing: over D-Bus it is the failure reason of the modem object",
        ),
    ),
    (30, In(&["nmea_hat"])),
    (31, In(&["positions"])),
    (32, In(&["positions"])),
    (33, In(&["no_service"])),
    (
        34,
        Not(
            "a listing of /sys/kernel/debug/usb: tm-modem reads vendor, product and interface numbers from sysfs",
        ),
    ),
    (
        35,
        Not("words of mmcli of 2018: over D-Bus they are properties of the modem object"),
    ),
    (36, In(&["composition"])),
    (37, In(&["no_service"])),
    (38, In(&["no_service"])),
    (39, In(&["calls"])),
    (40, In(&["manual", "manual_network"])),
    (41, In(&["manual", "manual_network", "nmea_manual"])),
    (90, In(&["service_codes"])),
    (91, In(&["interleaved"])),
    (92, In(&["alarms"])),
    (93, In(&["prompt"])),
    (94, In(&["vodafone_ukraine"])),
];

#[test]
fn every_collected_transcript_has_its_place() {
    let numbers: Vec<u8> = COLLECTED.iter().map(|(number, _)| *number).collect();
    let expected: Vec<u8> = (1..=41).chain(90..=94).collect();
    assert_eq!(numbers, expected);
    let mut named = BTreeSet::new();
    for (number, fate) in COLLECTED {
        match fate {
            In(files) => {
                assert!(!files.is_empty(), "{number}");
                named.extend(files.iter().map(|name| format!("{name}.txt")));
            }
            Not(reason) => assert!(reason.len() > 40, "{number} needs its reason"),
        }
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts");
    let there: BTreeSet<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "README.md")
        .collect();
    assert_eq!(there, named);
}

#[test]
fn every_file_names_its_source() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts");
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "txt") {
            let text = fs::read_to_string(&path).unwrap();
            let first = text.lines().next().unwrap();
            let known = [
                "# device output: ",
                "# worked examples: ",
                "# written for the test",
            ]
            .iter()
            .any(|start| first.starts_with(start));
            assert!(known, "{}: {first}", path.display());
        }
    }
}
