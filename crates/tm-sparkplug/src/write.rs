//! The six payloads an edge node sends.

use tm_types::{Point, Poll, Stamp};

use crate::device::{Device, Metric as Known, unix_ms};
use crate::mapping::{self, Verdict};
use crate::payload::{WireValue, Writer};
use crate::{DataType, Metric, Payload};

/// The metric by which a death is matched with its birth.
pub(crate) const BD_SEQ: &str = "bdSeq";
/// The metric by which a host asks for a birth.
pub(crate) const REBIRTH: &str = "Node Control/Rebirth";

/// Room for a metric of a data message: about 20 bytes of a good number, 40 with its properties.
const METRIC_ROOM: usize = 32;

/// A constant text of the node.
#[derive(Clone, Debug)]
pub(crate) struct NodeProperty {
    /// With its prefix `Properties/`.
    pub(crate) name: String,
    pub(crate) value: String,
    pub(crate) alias: u64,
}

/// NDEATH: only `bdSeq`, and no `seq` (`tck-id-payloads-ndeath-seq`).
pub(crate) fn node_death(now_ms: u64, bd_seq: u8) -> Vec<u8> {
    let mut writer = Writer::new(now_ms, 32);
    writer.metric(&bd_seq_metric(now_ms, bd_seq));
    writer.finish(None)
}

/// NBIRTH, with `seq` 0: the node's own metrics, those of its source, and its controls.
pub(crate) fn node_birth(
    now_ms: u64,
    bd_seq: u8,
    properties: &[NodeProperty],
    home: Option<&mut Device>,
) -> Vec<u8> {
    let mut metrics = vec![
        bd_seq_metric(now_ms, bd_seq),
        // Never with an alias, or a host could not name it before it knows the birth
        // (`tck-id-operational-behavior-data-commands-rebirth-name-aliases`).
        Metric {
            name: Some(REBIRTH),
            timestamp: Some(now_ms),
            datatype: Some(DataType::Boolean.code()),
            value: Some(WireValue::Boolean(false)),
            ..Metric::default()
        },
    ];
    metrics.extend(properties.iter().map(|property| Metric {
        name: Some(&property.name),
        alias: Some(property.alias),
        timestamp: Some(now_ms),
        datatype: Some(DataType::String.code()),
        value: Some(WireValue::String(&property.value)),
        ..Metric::default()
    }));
    let Some(home) = home else {
        return birth(now_ms, 0, metrics);
    };
    told(home);
    metrics.extend(
        home.metrics
            .iter()
            .map(|metric| metric.birth(now_ms, false)),
    );
    birth(now_ms, 0, metrics)
}

/// DBIRTH: every metric of the device, with its present reading.
///
/// A lost device is only born so that its past can be told: nothing of it is good now.
pub(crate) fn device_birth(now_ms: u64, seq: u8, device: &mut Device) -> Vec<u8> {
    told(device);
    let metrics = device.metrics.iter();
    let metrics = metrics
        .map(|metric| metric.birth(now_ms, device.is_lost))
        .collect();
    birth(now_ms, seq, metrics)
}

/// DDEATH: nothing but when.
pub(crate) fn device_death(now_ms: u64, seq: u8) -> Vec<u8> {
    Writer::new(now_ms, 16).finish(Some(seq))
}

/// NDATA or DDATA: the points of polls that the device has absorbed, by their aliases.
pub(crate) fn data<'a>(
    now_ms: u64,
    seq: u8,
    device: &mut Device,
    polls: impl Iterator<Item = &'a Poll> + Clone,
    is_historical: bool,
) -> Vec<u8> {
    let points: usize = polls.clone().map(|poll| poll.points.len()).sum();
    let mut writer = Writer::new(now_ms, 16 + points * METRIC_ROOM);
    for poll in polls {
        for point in &poll.points {
            if let Some(metric) = device.metric(&point.name) {
                datum(&mut writer, metric, point, &poll.stamp, is_historical);
            }
        }
    }
    writer.finish(Some(seq))
}

fn datum(
    writer: &mut Writer,
    metric: &mut Known,
    point: &Point,
    stamp: &Stamp,
    is_historical: bool,
) {
    let verdict = Verdict::of(&point.reading, stamp.clock);
    let properties = verdict.properties();
    // Good after good goes without saying.
    let is_silent = verdict.is_good() && metric.was_good;
    metric.was_good = verdict.is_good();
    let value = point.reading.value();
    // Only a value of the past can be of another type than the birth says; then it says its own.
    let asked = value.map(|value| mapping::datatype(value, point.scale));
    let own_type = asked.filter(|asked| !mapping::carries(metric.datatype, *asked));
    let datatype = own_type.unwrap_or(metric.datatype);
    writer.metric(&Metric {
        alias: Some(metric.alias),
        timestamp: Some(unix_ms(stamp)),
        datatype: own_type.map(DataType::code),
        is_historical,
        is_null: value.is_none(),
        properties: if is_silent { &[][..] } else { &properties }.into(),
        value: value.map(|value| mapping::wire(value, datatype)),
        ..Metric::default()
    });
}

/// In the order of their times, as the specification has it for whatever is not historical
/// (`tck-id-operational-behavior-data-publish-dbirth-order`).
fn birth(now_ms: u64, seq: u8, mut metrics: Vec<Metric<'_>>) -> Vec<u8> {
    metrics.sort_by_key(|metric| metric.timestamp);
    let payload = Payload {
        timestamp: Some(now_ms),
        metrics,
        seq: Some(seq.into()),
        ..Payload::default()
    };
    payload.encode()
}

/// From here on the host knows every metric, and how good each is.
fn told(device: &mut Device) {
    device.is_born = true;
    device.needs_birth = false;
    for metric in &mut device.metrics {
        metric.was_good = metric.verdict(device.is_lost).is_good();
    }
}

/// Without an alias: the will carries it, and there no alias is known.
fn bd_seq_metric<'a>(now_ms: u64, bd_seq: u8) -> Metric<'a> {
    Metric {
        name: Some(BD_SEQ),
        timestamp: Some(now_ms),
        datatype: Some(DataType::Int64.code()),
        value: Some(WireValue::Long(bd_seq.into())),
        ..Metric::default()
    }
}
