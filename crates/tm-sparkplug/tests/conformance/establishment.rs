//! Connecting, the births, and what they contain.

use tm_sparkplug::{Config, Event, Qos, WireValue, decode};
use tm_types::{Reading, Reason, Source};

use super::Check;
use super::rig::{GONE, Host, NCMD, Rig, STATE, Sent, config, config_with_host, point};

pub(crate) const CHECKED: &[Check] = &[
    (
        the_connection_keeps_nothing_and_has_a_will,
        &[
            "principles-persistence-clean-session-311",
            "message-flow-edge-node-birth-publish-will-message",
            "message-flow-edge-node-birth-publish-will-message-payload",
            "message-flow-edge-node-birth-publish-will-message-qos",
            "message-flow-edge-node-birth-publish-will-message-topic",
            "message-flow-edge-node-birth-publish-will-message-will-retained",
            "payloads-ndeath-will-message",
            "payloads-ndeath-will-message-qos",
            "payloads-ndeath-will-message-retain",
            "payloads-ndeath-seq",
            "topics-ndeath-payload",
            "topics-ndeath-seq",
            "topics-ndeath-topic",
        ],
    ),
    (
        commands_and_the_host_s_state_are_subscribed_before_anything_is_sent,
        &[
            "message-flow-edge-node-ncmd-subscribe",
            "message-flow-edge-node-birth-publish-connect",
            "operational-behavior-primary-application-state-with-multiple-servers-state-subs",
        ],
    ),
    (
        nbirth_is_the_first_message_and_has_seq_0,
        &[
            "message-flow-edge-node-birth-publish-nbirth-payload",
            "message-flow-edge-node-birth-publish-nbirth-payload-seq",
            "message-flow-edge-node-birth-publish-nbirth-qos",
            "message-flow-edge-node-birth-publish-nbirth-retained",
            "message-flow-edge-node-birth-publish-nbirth-topic",
            "payloads-nbirth-qos",
            "payloads-nbirth-retain",
            "payloads-nbirth-seq",
            "payloads-nbirth-timestamp",
            "payloads-sequence-num-req-nbirth",
            "topics-nbirth-mqtt",
            "topics-nbirth-seq-num",
            "topics-nbirth-timestamp",
            "topics-nbirth-topic",
        ],
    ),
    (
        nbirth_has_the_bd_seq_of_the_will,
        &[
            "message-flow-edge-node-birth-publish-nbirth-payload-bdSeq",
            "payloads-nbirth-bdseq",
            "payloads-nbirth-bdseq-repeat",
            "payloads-ndeath-bdseq",
            "topics-nbirth-bdseq-included",
            "topics-nbirth-bdseq-matching",
        ],
    ),
    (
        nbirth_offers_the_rebirth_without_an_alias,
        &[
            "operational-behavior-data-commands-rebirth-datatype",
            "operational-behavior-data-commands-rebirth-name",
            "operational-behavior-data-commands-rebirth-name-aliases",
            "operational-behavior-data-commands-rebirth-value",
            "payloads-nbirth-rebirth-req",
            "topics-nbirth-rebirth-metric",
        ],
    ),
    (
        births_define_every_metric_with_its_present_value,
        &[
            "operational-behavior-data-publish-dbirth-values",
            "operational-behavior-data-publish-nbirth-values",
            "payloads-alias-birth-requirement",
            "payloads-alias-uniqueness",
            "payloads-metric-datatype-req",
            "payloads-name-birth-data-requirement",
            "topics-dbirth-metrics",
            "topics-nbirth-metrics",
        ],
    ),
    (
        dbirth_is_one_more_in_the_count_of_the_node,
        &[
            "message-flow-device-birth-publish-dbirth-match-edge-node-topic",
            "message-flow-device-birth-publish-dbirth-payload",
            "message-flow-device-birth-publish-dbirth-qos",
            "message-flow-device-birth-publish-dbirth-retained",
            "message-flow-device-birth-publish-dbirth-topic",
            "payloads-dbirth-qos",
            "payloads-dbirth-retain",
            "payloads-dbirth-seq",
            "payloads-dbirth-seq-inc",
            "payloads-dbirth-timestamp",
            "topics-dbirth-mqtt",
            "topics-dbirth-seq",
            "topics-dbirth-timestamp",
            "topics-dbirth-topic",
        ],
    ),
    (
        births_come_before_data_and_the_node_s_before_its_devices,
        &[
            "message-flow-device-birth-publish-nbirth-wait",
            "payloads-dbirth-order",
            "payloads-ddata-order",
            "payloads-ndata-order",
            "principles-birth-certificates-order",
        ],
    ),
    (
        no_two_names_differ_only_in_case,
        &["case-sensitivity-metric-names"],
    ),
];

/// A node with metrics of its own and two devices, just born.
fn births() -> Vec<Sent> {
    let mut rig = with_home();
    rig.begin(0);
    rig.on(Event::Connected).sent
}

fn with_home() -> Rig {
    let mut rig = Rig::new(Config {
        home: Some(Source::new("agent").unwrap()),
        properties: vec![("Site".into(), "7".into())],
        ..config()
    });
    let lost = Reading::Missing(Reason::Timeout);
    rig.remember(
        "agent",
        vec![point("cpu-temp", 51), point("load", lost.clone())],
    );
    rig.remember("tank", vec![point("level", 3), point("ph", lost)]);
    rig.remember("gnss", vec![point("satellites", 9)]);
    rig
}

#[test]
fn the_connection_keeps_nothing_and_has_a_will() {
    let connect = Rig::new(config()).begin(0);
    assert!(connect.clean_session);
    let will = Sent(connect.will);
    assert_eq!(will.topic(), "spBv1.0/kyiv/NDEATH/shafa-7");
    assert_eq!((will.0.qos, will.0.retain), (Qos::AtLeastOnce, false));
    assert_eq!(will.seq(), None);
    let metric = will.metric("bdSeq");
    assert_eq!(metric.datatype, Some(4));
    assert_eq!(metric.value, Some(WireValue::Long(7)));
    assert_eq!(will.metrics().len(), 1);
}

#[test]
fn commands_and_the_host_s_state_are_subscribed_before_anything_is_sent() {
    let mut rig = Rig::new(config_with_host());
    let subscriptions = rig.begin(0).subscriptions;
    let subscriptions = subscriptions.iter().map(|s| (&*s.topic, s.qos));
    let expected = [(NCMD, Qos::AtLeastOnce), (STATE, Qos::AtLeastOnce)];
    assert_eq!(subscriptions.collect::<Vec<_>>(), expected);
    assert!(
        rig.state(true, 1).sent.is_empty(),
        "not all is subscribed yet"
    );
    assert!(rig.on(Event::Tick).sent.is_empty());
    assert!(rig.live(1, "tank", vec![point("level", 1)]).sent.is_empty());
    assert_eq!(rig.on(Event::Connected).verbs(), ["NBIRTH", "DBIRTH"]);
}

#[test]
fn nbirth_is_the_first_message_and_has_seq_0() {
    let birth = &births()[0];
    assert_eq!(birth.topic(), "spBv1.0/kyiv/NBIRTH/shafa-7");
    assert_eq!((birth.0.qos, birth.0.retain), (Qos::AtMostOnce, false));
    assert_eq!(birth.seq(), Some(0));
    assert_eq!(birth.timestamp(), Some(1_790_000_000_000));
    assert!(decode(&birth.0.payload).is_ok());
}

#[test]
fn nbirth_has_the_bd_seq_of_the_will() {
    let mut rig = Rig::new(config());
    for expected in [7, 8, 9] {
        let will = Sent(rig.begin(0).will);
        let birth = rig.on(Event::Connected).only();
        for message in [&will, &birth] {
            let metric = message.metric("bdSeq");
            assert_eq!(metric.datatype, Some(4));
            assert_eq!(metric.value, Some(WireValue::Long(expected)));
        }
        rig.on(GONE);
    }
}

#[test]
fn nbirth_offers_the_rebirth_without_an_alias() {
    let births = births();
    let metric = births[0].metric("Node Control/Rebirth");
    assert_eq!(metric.datatype, Some(11));
    assert_eq!(metric.value, Some(WireValue::Boolean(false)));
    assert_eq!(metric.alias, None);
}

#[test]
fn births_define_every_metric_with_its_present_value() {
    let births = births();
    let names: Vec<Vec<_>> = births
        .iter()
        .map(|birth| birth.metrics().iter().filter_map(|m| m.name).collect())
        .collect();
    let node = [
        "bdSeq",
        "Node Control/Rebirth",
        "Properties/Site",
        "cpu-temp",
        "load",
    ];
    assert_eq!(names, [&node[..], &["level", "ph"], &["satellites"]]);
    let mut aliases = Vec::new();
    for metric in births.iter().flat_map(Sent::metrics) {
        assert!(metric.timestamp.is_some() && metric.datatype.is_some());
        let name = metric.name.unwrap();
        let is_lost = matches!(name, "load" | "ph");
        assert_eq!((metric.is_null, metric.value.is_none()), (is_lost, is_lost));
        let has_none = matches!(name, "bdSeq" | "Node Control/Rebirth");
        assert_eq!(metric.alias.is_none(), has_none, "{name}");
        aliases.extend(metric.alias);
    }
    let n = aliases.len();
    aliases.sort_unstable();
    aliases.dedup();
    assert_eq!((aliases.len(), n), (6, 6));
}

#[test]
fn dbirth_is_one_more_in_the_count_of_the_node() {
    let births = births();
    for (at, device) in [(1, "tank"), (2, "gnss")] {
        let birth = &births[at];
        assert_eq!(
            birth.topic(),
            format!("spBv1.0/kyiv/DBIRTH/shafa-7/{device}")
        );
        assert_eq!((birth.0.qos, birth.0.retain), (Qos::AtMostOnce, false));
        assert_eq!(birth.seq(), Some(at as u64));
        assert_eq!(birth.timestamp(), Some(1_790_000_000_000));
    }
}

/// A device that is first heard of later is born then, and its data comes after that.
#[test]
fn births_come_before_data_and_the_node_s_before_its_devices() {
    let mut rig = with_home();
    let early = rig.live(1, "tank", vec![point("level", 4)]);
    assert!(early.sent.is_empty());
    rig.begin(0);
    let births = rig.on(Event::Connected);
    assert_eq!(births.verbs(), ["NBIRTH", "DBIRTH", "DBIRTH"]);
    let mut host = Host::default();
    for sent in &births.sent {
        host.take(sent);
    }
    for (source, name, verbs) in [
        ("agent", "load", &["NDATA"][..]),
        ("tank", "level", &["DDATA"]),
        ("modem", "rsrp", &["DBIRTH", "DDATA"]),
        ("modem", "rsrp", &["DDATA"]),
    ] {
        let outcome = rig.backlog(2, source, vec![point(name, 1)]);
        assert_eq!(outcome.verbs(), verbs, "{source}");
        for sent in &outcome.sent {
            host.take(sent);
        }
    }
}

#[test]
fn no_two_names_differ_only_in_case() {
    // Names of points are lower case; those of the node's own metrics are not for points.
    let mut rig = with_home();
    let taken = ["bdseq", "properties/site"].map(|name| point(name, 1));
    rig.remember("agent", taken.to_vec());
    assert_eq!(rig.node.counts().points_refused, 2);
    rig.begin(0);
    let mut host = Host::default();
    let births = rig.on(Event::Connected).sent;
    for sent in &births {
        host.take(sent);
    }
}
