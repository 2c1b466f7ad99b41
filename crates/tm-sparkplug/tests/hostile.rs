//! Whatever arrives is answered with a payload or an error, soon and in little memory.

#![expect(clippy::unwrap_used, reason = "a test may panic, its helpers too")]

mod rig;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use rig::{NCMD, Rig, STATE, config_with_host, rebirth_request};
use tm_sparkplug::{
    Error, Event, METRICS_MAX, Metric, PAYLOAD_MAX, PROPERTIES_MAX, Payload, Property, WireValue,
    decode,
};

#[test]
fn each_error_has_its_name() {
    for (bytes, expected) in [
        (&[][..], Ok(0)),
        (&[0x12, 0x00], Ok(1)),
        // An unknown field of each wire type is passed over.
        (&[0x78, 0x01, 0x79, 1, 2, 3, 4, 5, 6, 7, 8], Ok(0)),
        (&[0x7a, 0x01, 0xff, 0x7d, 1, 2, 3, 4, 0x12, 0x00], Ok(1)),
        // A value that is a data set, a template, an extension.
        (&[0x12, 0x03, 0x8a, 0x01, 0x00], Ok(1)),
        (&[0x0a, 0x00], Err(Error::WireType)),
        (&[0x12, 0x02, 0x0a], Err(Error::Truncated)),
        (&[0x12, 0x03, 0x0a, 0x01, 0xff], Err(Error::Text)),
        (&[0x12, 0x02, 0x08, 0x01], Err(Error::WireType)),
        (
            &[0x12, 0x05, 0x4a, 0x03, 0x0a, 0x01, 0x61],
            Err(Error::Properties { keys: 1, values: 0 }),
        ),
    ] {
        let got = decode(bytes).map(|payload| payload.metrics.len());
        assert_eq!(got, expected, "{bytes:02x?}");
    }
}

#[test]
fn what_is_read_is_bounded() {
    assert_eq!(
        decode(&vec![0; PAYLOAD_MAX + 1]),
        Err(Error::TooLarge(PAYLOAD_MAX + 1))
    );
    assert!(decode(&[0x12, 0x00].repeat(METRICS_MAX)).is_ok());
    assert_eq!(
        decode(&[0x12, 0x00].repeat(METRICS_MAX + 1)),
        Err(Error::TooMany)
    );
    let metric = Metric {
        properties: vec![
            Property {
                key: "k",
                datatype: None,
                value: None
            };
            PROPERTIES_MAX + 1
        ]
        .into(),
        ..Metric::default()
    };
    let payload = Payload {
        metrics: vec![metric],
        ..Payload::default()
    };
    assert_eq!(decode(&payload.encode()), Err(Error::TooMany));
}

#[test]
fn of_a_field_that_is_there_twice_the_last_counts() {
    // timestamp 1, timestamp 2, and a metric with an int_value, then a boolean_value.
    let bytes = [0x08, 1, 0x08, 2, 0x12, 4, 0x50, 9, 0x70, 1];
    let payload = decode(&bytes).unwrap();
    assert_eq!(payload.timestamp, Some(2));
    assert_eq!(payload.metrics[0].value, Some(WireValue::Boolean(true)));
}

/// A payload's parts, owned.
type Parts = (Option<u64>, Vec<MetricParts>, Option<u64>, Option<String>);
type MetricParts = (
    Option<String>,
    Option<u64>,
    Option<u32>,
    [bool; 3],
    Vec<(String, Option<u32>, Option<Value>)>,
    Option<Value>,
);

#[derive(Clone, Debug)]
enum Value {
    Int(u32),
    Long(u64),
    Float(f32),
    Double(f64),
    Boolean(bool),
    String(String),
    Bytes(Vec<u8>),
}

impl Value {
    fn wire(&self) -> WireValue<'_> {
        match self {
            Self::Int(value) => WireValue::Int(*value),
            Self::Long(value) => WireValue::Long(*value),
            Self::Float(value) => WireValue::Float(*value),
            Self::Double(value) => WireValue::Double(*value),
            Self::Boolean(value) => WireValue::Boolean(*value),
            Self::String(value) => WireValue::String(value),
            Self::Bytes(value) => WireValue::Bytes(value),
        }
    }
}

fn property_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<u32>().prop_map(Value::Int),
        any::<u64>().prop_map(Value::Long),
        (-1e6f32..1e6).prop_map(Value::Float),
        (-1e9..1e9).prop_map(Value::Double),
        any::<bool>().prop_map(Value::Boolean),
        any::<String>().prop_map(Value::String),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        6 => property_value(),
        1 => vec(any::<u8>(), 0..200).prop_map(Value::Bytes),
    ]
}

fn parts() -> impl Strategy<Value = Parts> {
    let property = (
        any::<String>(),
        option::of(any::<u32>()),
        option::of(property_value()),
    );
    let metric = (
        option::of(any::<String>()),
        option::of(any::<u64>()),
        option::of(any::<u32>()),
        any::<[bool; 3]>(),
        vec(property, 0..4),
        option::of(value()),
    );
    (
        option::of(any::<u64>()),
        vec(metric, 0..6),
        option::of(any::<u64>()),
        option::of(any::<String>()),
    )
}

fn payload(parts: &Parts) -> Payload<'_> {
    let (timestamp, metrics, seq, uuid) = parts;
    let metrics = metrics.iter().map(|metric| {
        let (name, alias, datatype, flags, properties, value) = metric;
        let properties = properties.iter().map(|(key, datatype, value)| Property {
            key,
            datatype: *datatype,
            value: value.as_ref().map(Value::wire),
        });
        Metric {
            name: name.as_deref(),
            alias: *alias,
            timestamp: *alias,
            datatype: *datatype,
            is_historical: flags[0],
            is_transient: flags[1],
            is_null: flags[2],
            properties: properties.collect::<Vec<_>>().into(),
            value: value.as_ref().map(Value::wire),
        }
    });
    Payload {
        timestamp: *timestamp,
        metrics: metrics.collect(),
        seq: *seq,
        uuid: uuid.as_deref(),
        body: uuid.as_ref().map(String::as_bytes),
    }
}

proptest! {
    #[test]
    fn there_and_back(parts in parts()) {
        let payload = payload(&parts);
        let bytes = payload.encode();
        prop_assert_eq!(decode(&bytes), Ok(payload));
    }

    #[test]
    fn a_damaged_payload_is_no_panic(parts in parts(), at: usize, to: u8, end: usize) {
        let mut bytes = payload(&parts).encode();
        if !bytes.is_empty() {
            let length = bytes.len();
            bytes[at % length] = to;
            bytes.truncate(end % (length + 1));
        }
        let _ = decode(&bytes);
    }

    #[test]
    fn any_bytes_are_no_panic(bytes in vec(any::<u8>(), 0..300)) {
        let _ = decode(&bytes);
    }

    #[test]
    fn any_message_leaves_the_node_alive(
        topic in prop_oneof![Just(NCMD.to_owned()), Just(STATE.to_owned()), any::<String>()],
        bytes in vec(any::<u8>(), 0..100),
    ) {
        let mut rig = Rig::new(config_with_host());
        rig.begin(0);
        rig.on(Event::Connected);
        rig.state(true, 1);
        rig.wait(60_000);
        prop_assert!(rig.message(&topic, &bytes).effects.is_empty());
        let asked = rig.message(NCMD, &rebirth_request());
        prop_assert_eq!(asked.verbs(), ["NBIRTH"]);
    }
}
