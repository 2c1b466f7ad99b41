//! The end of a session, and of a device.

use tm_sparkplug::{Effect, Event, Next, Qos, WireValue};
use tm_types::Source;

use super::Check;
use super::rig::{NCMD, Rig, rebirth_request};

pub(crate) const CHECKED: &[Check] = &[
    (
        a_stop_publishes_ndeath_and_then_disconnects,
        &[
            "operational-behavior-edge-node-intentional-disconnect-ndeath",
            "operational-behavior-edge-node-intentional-disconnect-packet",
            "payloads-ndeath-will-message-publisher",
            "payloads-ndeath-will-message-publisher-disconnect-mqtt311",
        ],
    ),
    (
        a_lost_device_is_dead,
        &[
            "operational-behavior-device-ddeath",
            "payloads-ddeath-seq",
            "payloads-ddeath-seq-inc",
            "payloads-ddeath-seq-number",
            "payloads-ddeath-timestamp",
            "topics-ddeath-mqtt",
            "topics-ddeath-seq-num",
            "topics-ddeath-topic",
        ],
    ),
    (
        a_request_stops_data_and_brings_all_births_with_the_same_bd_seq,
        &[
            "operational-behavior-data-commands-rebirth-action-1",
            "operational-behavior-data-commands-rebirth-action-2",
            "operational-behavior-data-commands-rebirth-action-3",
        ],
    ),
];

#[test]
fn a_stop_publishes_ndeath_and_then_disconnects() {
    let (mut rig, _) = Rig::born();
    let end = rig.on(Event::Stop);
    assert_eq!(end.effects.len(), 2);
    assert_eq!(end.effects[1], Effect::Disconnect(Next::Nothing));
    let death = end.only();
    assert_eq!(death.topic(), "spBv1.0/kyiv/NDEATH/shafa-7");
    assert_eq!(death.seq(), None);
    assert_eq!(death.metric("bdSeq").value, Some(WireValue::Long(7)));
}

#[test]
fn a_lost_device_is_dead() {
    let (mut rig, births) = Rig::born();
    let last = births.last().unwrap().seq().unwrap();
    let death = rig
        .on(Event::DeviceLost(&Source::new("tank").unwrap()))
        .only();
    assert_eq!(death.topic(), "spBv1.0/kyiv/DDEATH/shafa-7/tank");
    assert_eq!((death.0.qos, death.0.retain), (Qos::AtMostOnce, false));
    assert_eq!(death.seq(), Some(last + 1));
    assert_eq!(death.timestamp(), Some(1_790_000_000_000));
}

#[test]
fn a_request_stops_data_and_brings_all_births_with_the_same_bd_seq() {
    let (mut rig, _) = Rig::born();
    rig.message(NCMD, &rebirth_request());
    assert!(!rig.node.is_ready());
    rig.wait(5000);
    let births = rig.on(Event::Tick);
    assert_eq!(births.verbs(), ["NBIRTH", "DBIRTH", "DBIRTH"]);
    let value = births.sent[0].metric("bdSeq").value;
    assert_eq!(value, Some(WireValue::Long(7)));
    rig.wait(60_000);
    let at_once = rig.message(NCMD, &rebirth_request());
    assert_eq!(at_once.verbs(), ["NBIRTH", "DBIRTH", "DBIRTH"]);
}
