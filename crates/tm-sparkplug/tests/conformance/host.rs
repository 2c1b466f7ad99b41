//! The primary host: waiting for it, and what happens when it goes.

use tm_sparkplug::{Config, Effect, Event, Next};

use super::Check;
use super::rig::{GONE, Rig, config_with_host, point};

pub(crate) const CHECKED: &[Check] = &[
    (
        nothing_is_born_before_the_right_host_is_online,
        &[
            "message-flow-edge-node-birth-publish-phid-wait",
            "message-flow-edge-node-birth-publish-phid-wait-id",
            "message-flow-edge-node-birth-publish-phid-wait-online",
            "operational-behavior-edge-node-birth-sequence-wait",
        ],
    ),
    (
        an_older_state_does_not_count,
        &[
            "message-flow-edge-node-birth-publish-phid-wait-timestamp",
            "operational-behavior-edge-node-termination-host-offline-timestamp",
        ],
    ),
    (
        a_host_that_goes_is_the_node_s_death_and_a_new_beginning,
        &[
            "message-flow-edge-node-birth-publish-phid-offline",
            "operational-behavior-edge-node-termination-host-offline",
            "operational-behavior-edge-node-termination-host-offline-reconnect",
        ],
    ),
    (
        a_server_without_the_host_is_left_for_the_next,
        &["operational-behavior-primary-application-state-with-multiple-servers-walk"],
    ),
];

fn waiting(servers: u32) -> Rig {
    let mut rig = Rig::new(Config {
        servers,
        ..config_with_host()
    });
    rig.begin(0);
    rig.on(Event::Connected);
    rig
}

#[test]
fn nothing_is_born_before_the_right_host_is_online() {
    let mut rig = waiting(1);
    let online = br#"{"online":true,"timestamp":9}"#;
    for topic in [
        "spBv1.0/STATE/another",
        "STATE/scada",
        "spBv1.0/STATE/scada/x",
    ] {
        assert!(rig.message(topic, online).effects.is_empty(), "{topic}");
    }
    assert_eq!(rig.node.counts().strangers, 3);
    assert!(rig.state(false, 8).effects.is_empty());
    rig.wait(3_600_000);
    assert!(rig.on(Event::Tick).effects.is_empty());
    let early = rig.live(1, "tank", vec![point("level", 1)]);
    assert_eq!(early.effects, [Effect::Returned(1)]);
    assert!(rig.node.is_waiting_for_host());
    assert_eq!(rig.state(true, 9).verbs(), ["NBIRTH", "DBIRTH"]);
}

#[test]
fn an_older_state_does_not_count() {
    let mut rig = waiting(1);
    rig.state(false, 10);
    assert!(rig.state(true, 9).effects.is_empty());
    assert_eq!(
        rig.state(true, 10).verbs(),
        ["NBIRTH"],
        "as old is new enough"
    );
    rig.state(true, 20);
    assert!(rig.state(false, 19).effects.is_empty());
    assert!(rig.node.is_born());
    assert_eq!(rig.node.counts().states_stale, 2);
}

#[test]
fn a_host_that_goes_is_the_node_s_death_and_a_new_beginning() {
    let mut rig = waiting(1);
    rig.state(true, 10);
    rig.live(1, "tank", vec![point("level", 1)]);
    let away = rig.state(false, 10);
    assert_eq!(away.verbs(), ["NDEATH"]);
    let rest = [Effect::Disconnect(Next::SameServer), Effect::Returned(1)];
    assert_eq!(away.effects[1..], rest);
    rig.on(GONE);
    assert_eq!(rig.begin(0).next_bd_seq, 9);
    // The server's retained STATE may come before the subscriptions are acknowledged.
    assert!(rig.state(false, 10).effects.is_empty());
    assert!(rig.on(Event::Connected).effects.is_empty());
    assert_eq!(rig.state(true, 11).verbs(), ["NBIRTH", "DBIRTH"]);
}

#[test]
fn a_server_without_the_host_is_left_for_the_next() {
    let other = [Effect::Disconnect(Next::OtherServer)];
    let mut rig = waiting(2);
    assert_eq!(rig.state(false, 10).effects, other);
    rig.on(GONE);
    rig.begin(1);
    rig.on(Event::Connected);
    assert_eq!(
        rig.state(true, 5).verbs(),
        ["NBIRTH"],
        "another server's time"
    );
    let away = rig.state(false, 6);
    assert_eq!(away.verbs(), ["NDEATH"]);
    assert_eq!(away.effects[1..], other);
    rig.on(GONE);
    rig.begin(0);
    assert!(rig.state(false, 10).effects.is_empty());
    assert_eq!(rig.on(Event::Connected).effects, other);
    rig.on(GONE);
    // A server that tells nothing of the host is given its time.
    rig.begin(1);
    rig.on(Event::Connected);
    rig.wait(30_000);
    assert_eq!(rig.on(Event::Tick).effects, other);
}
