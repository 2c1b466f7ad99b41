//! Data messages, and the payload as such.

use tm_sparkplug::{Config, DataType, Event, Qos, WireValue};
use tm_types::{Clock, Reading, Reason, Source, Value};

use super::Check;
use super::rig::{Rig, Sent, config, point, property};

pub(crate) const CHECKED: &[Check] = &[
    (
        data_of_a_device,
        &[
            "payloads-ddata-qos",
            "payloads-ddata-retain",
            "payloads-ddata-seq",
            "payloads-ddata-timestamp",
            "topics-ddata-mqtt",
            "topics-ddata-payload",
            "topics-ddata-seq-num",
            "topics-ddata-timestamp",
            "topics-ddata-topic",
        ],
    ),
    (
        data_of_the_node,
        &[
            "payloads-ndata-qos",
            "payloads-ndata-retain",
            "payloads-ndata-seq",
            "payloads-ndata-timestamp",
            "topics-ndata-mqtt",
            "topics-ndata-payload",
            "topics-ndata-seq-num",
            "topics-ndata-timestamp",
            "topics-ndata-topic",
        ],
    ),
    (
        every_message_but_ndeath_is_counted,
        &["payloads-sequence-num-always-included"],
    ),
    (
        data_has_the_alias_only_and_the_time_of_the_reading,
        &[
            "payloads-alias-data-cmd-requirement",
            "payloads-metric-datatype-not-req",
            "payloads-metric-timestamp-in-UTC",
            "payloads-name-requirement",
        ],
    ),
    (
        types_are_the_schema_s,
        &[
            "payloads-metric-datatype-value",
            "payloads-metric-datatype-value-type",
            "payloads-metric-propertyvalue-type-req",
            "payloads-metric-propertyvalue-type-type",
            "payloads-metric-propertyvalue-type-value",
        ],
    ),
    (
        properties_are_pairs_and_quality_is_one_of_three,
        &[
            "payloads-propertyset-keys-array-size",
            "payloads-propertyset-values-array-size",
            "payloads-propertyset-quality-value-type",
            "payloads-propertyset-quality-value-value",
        ],
    ),
];

/// A node of whose own metrics and of whose device everything is born.
fn born() -> Rig {
    let mut rig = Rig::new(Config {
        home: Some(Source::new("agent").unwrap()),
        ..config()
    });
    rig.remember("agent", vec![point("load", 1)]);
    rig.remember("tank", vec![point("level", 3)]);
    rig.begin(0);
    rig.on(Event::Connected);
    rig
}

fn check_data(source: &str, name: &str, topic: &str) {
    let mut rig = born();
    rig.wait(500);
    let first = rig.live(1, source, vec![point(name, 5)]).only();
    let second = rig.live(2, source, vec![point(name, 6)]).only();
    assert_eq!((first.seq(), second.seq()), (Some(2), Some(3)));
    for (sent, value) in [(first, 5), (second, 6)] {
        assert_eq!(sent.topic(), topic);
        assert_eq!((sent.0.qos, sent.0.retain), (Qos::AtMostOnce, false));
        assert_eq!(sent.timestamp(), Some(1_790_000_000_500));
        assert_eq!(sent.metrics()[0].value, Some(WireValue::Long(value)));
    }
}

#[test]
fn data_of_a_device() {
    check_data("tank", "level", "spBv1.0/kyiv/DDATA/shafa-7/tank");
}

#[test]
fn data_of_the_node() {
    check_data("agent", "load", "spBv1.0/kyiv/NDATA/shafa-7");
}

#[test]
fn every_message_but_ndeath_is_counted() {
    let mut rig = born();
    let tank = Source::new("tank").unwrap();
    for at in 0..600u64 {
        let expected = Some((at + 2) % 256);
        let sent = match at % 3 {
            0 => rig.on(Event::DeviceLost(&tank)),
            1 => rig.live(at, "tank", vec![point("level", 1)]),
            _ => rig.live(at, "agent", vec![point("load", 1)]),
        };
        assert_eq!(sent.only().seq(), expected);
    }
    assert_eq!(rig.on(Event::Stop).only().seq(), None);
}

#[test]
fn data_has_the_alias_only_and_the_time_of_the_reading() {
    let mut rig = born();
    let sent = rig.backlog(1, "tank", vec![point("level", 1)]).only();
    let metric = &sent.metrics()[0];
    assert_eq!((metric.name, metric.alias), (None, Some(2)));
    assert_eq!(metric.datatype, None);
    // The stamp is UTC, whatever the zone of people is.
    assert_eq!(metric.timestamp, Some(1_789_999_940_000));
    assert_eq!(sent.timestamp(), Some(1_790_000_000_000));
}

/// Births and data with every kind of value, and one reading of each quality.
fn everything() -> Vec<Sent> {
    let mut rig = born();
    let values = [
        Value::from(1),
        Value::of_f64(1.5).unwrap(),
        Value::from(true),
        Value::text("on").unwrap(),
    ];
    let mut points: Vec<_> = ["a", "b", "c", "d"]
        .into_iter()
        .zip(values)
        .map(|(name, value)| point(name, value))
        .collect();
    points.push(point("e", Reading::Uncertain(1.into(), Reason::Rate)));
    points.push(point("f", Reading::Missing(Reason::Timeout)));
    let births = rig.live(1, "io", points.clone()).sent;
    rig.now.clock = Clock::None;
    let data = rig.live(2, "io", points).sent;
    births.into_iter().chain(data).collect()
}

#[test]
fn types_are_the_schema_s() {
    let everything = everything();
    let mut seen = Vec::new();
    for metric in everything.iter().flat_map(Sent::metrics) {
        seen.extend(metric.datatype.and_then(DataType::of_code));
        for property in &*metric.properties {
            let datatype = property.datatype.and_then(DataType::of_code);
            assert!(datatype.is_some());
            let value = property.value.map(|value| value.datatype());
            assert!(value.is_none_or(|of_value| of_value == datatype));
        }
    }
    for datatype in DataType::ALL.into_iter().filter(|t| *t != DataType::Int32) {
        assert!(seen.contains(&datatype), "{datatype:?}");
    }
}

/// That keys and values are equally many is what the decoder insists on.
#[test]
fn properties_are_pairs_and_quality_is_one_of_three() {
    let everything = everything();
    let mut seen = Vec::new();
    for metric in everything.iter().flat_map(Sent::metrics) {
        let Some(WireValue::Int(code)) = property(&metric, "Quality") else {
            panic!("the quality is no int_value in {metric:?}");
        };
        let found = metric.properties.iter().find(|p| p.key == "Quality");
        assert_eq!(found.unwrap().datatype, Some(3));
        seen.push(code);
    }
    assert_eq!(seen.len(), 12);
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen, [0, 192, 500]);
}
