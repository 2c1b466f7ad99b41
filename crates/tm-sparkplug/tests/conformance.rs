//! What the Eclipse Sparkplug TCK 3.0.0 asks of an edge node, id by id.
//!
//! `fixtures/edge-ids.txt` lists the ids; each has a test below that checks it, or a reason why not.
//! This is no certificate: the sentences are the specification's, the reading of them is ours.

#![expect(clippy::unwrap_used, reason = "a test may panic, its helpers too")]

#[path = "conformance/data.rs"]
mod data;
#[path = "conformance/establishment.rs"]
mod establishment;
#[path = "conformance/host.rs"]
mod host;
#[path = "conformance/termination.rs"]
mod termination;

mod rig;

use std::collections::BTreeSet;

/// A test, and the ids it checks, each without its `tck-id-`.
type Check = (fn(), &'static [&'static str]);

const MQTT_5: &str = "the uplink speaks MQTT 3.1.1";
const NO_DATA_SETS: &str = "no value is a data set";
const NO_TEMPLATES: &str = "no value is a template";

/// Ids that no test checks, with the reason. A name that ends in `*` stands for all that begin so.
const NOT_CHECKED: [(&str, &str); 6] = [
    ("principles-persistence-clean-session-50", MQTT_5),
    (
        "payloads-ndeath-will-message-publisher-disconnect-mqtt50",
        MQTT_5,
    ),
    (
        "message-flow-device-dcmd-subscribe",
        "no device has outputs: nothing is subscribed, nothing can be written",
    ),
    (
        "operational-behavior-primary-application-state-with-multiple-servers-single-server",
        "the connection is the caller's, and a node knows of one only",
    ),
    ("payloads-dataset-*", NO_DATA_SETS),
    ("payloads-template-*", NO_TEMPLATES),
];

fn listed() -> BTreeSet<&'static str> {
    let lines = include_str!("fixtures/edge-ids.txt").lines();
    lines
        .filter_map(|line| line.strip_prefix("tck-id-"))
        .collect()
}

fn checked() -> Vec<&'static str> {
    let tables = [
        establishment::CHECKED,
        termination::CHECKED,
        data::CHECKED,
        host::CHECKED,
    ];
    let checks = tables.into_iter().flatten();
    checks.flat_map(|(_, ids)| ids.iter().copied()).collect()
}

/// Whether an entry of `NOT_CHECKED` is about this id.
fn is_about(entry: &str, id: &str) -> bool {
    entry
        .strip_suffix('*')
        .map_or(entry == id, |start| id.starts_with(start))
}

#[test]
fn every_id_is_checked_or_has_a_reason() {
    let listed = listed();
    assert_eq!(listed.len(), 164);
    let checked = checked();
    let tested: BTreeSet<&str> = checked.iter().copied().collect();
    assert_eq!(tested.len(), checked.len(), "an id stands in two tests");
    // The crate's documentation says so.
    assert_eq!(tested.len(), 127);
    let unknown: Vec<_> = tested.difference(&listed).collect();
    assert!(unknown.is_empty(), "not in the list: {unknown:?}");
    for (entry, _) in NOT_CHECKED {
        let known = listed.iter().filter(|id| is_about(entry, id));
        assert!(known.count() > 0, "{entry} is about nothing");
        let both: Vec<_> = tested.iter().filter(|id| is_about(entry, id)).collect();
        assert!(both.is_empty(), "excused, yet checked: {both:?}");
    }
    let excused = |id: &&&str| NOT_CHECKED.iter().any(|(entry, _)| is_about(entry, id));
    let open: Vec<_> = listed
        .difference(&tested)
        .filter(|id| !excused(id))
        .collect();
    assert!(open.is_empty(), "neither checked nor excused: {open:#?}");
}
