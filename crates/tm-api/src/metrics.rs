//! The world as OpenMetrics text.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode as encode_text;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use tm_types::{Quality, Value};

use crate::views::{Look, QueueView};
use crate::world::Condition;

/// OpenMetrics 1.0.
pub(crate) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

type Number = Gauge<f64, AtomicU64>;

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct Series {
    source: String,
    name: String,
    unit: String,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct OfService {
    service: String,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct Build {
    version: String,
}

/// Everything the API knows, as text.
pub(crate) fn encode(look: Look<'_>, version: &str) -> String {
    let mut registry = Registry::default();
    points(look, &mut registry);
    services(look, &mut registry);
    queue(look, &mut registry);
    itself(look, version, &mut registry);
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = encode_text(&mut text, &registry);
    text
}

fn points(look: Look<'_>, registry: &mut Registry) {
    let (value, age) = (
        Family::<Series, Number>::default(),
        Family::<Series, Number>::default(),
    );
    for (series, latest) in &look.world.latest {
        let labels = Series {
            source: series.source().to_owned(),
            name: series.name().to_owned(),
            unit: latest.unit.to_string(),
        };
        age.get_or_create(&labels)
            .set(seconds(look.age_ms(&latest.stamp)));
        let usable = latest.reading.quality() != Quality::Bad;
        if let Some(number) = latest
            .reading
            .value()
            .and_then(Value::to_f64)
            .filter(|_| usable)
        {
            value.get_or_create(&labels).set(number);
        }
    }
    registry.register(
        "tm_point",
        "Last value of a series, bad ones left out",
        value,
    );
    registry.register(
        "tm_point_age_seconds",
        "Age of the last reading of a series",
        age,
    );
}

fn services(look: Look<'_>, registry: &mut Registry) {
    let up = Family::<OfService, Number>::default();
    for (name, service) in &look.world.services {
        let value = match service.condition(&look.now).0 {
            Condition::Up => 1.0,
            Condition::Degraded => 0.5,
            Condition::Down | Condition::Unknown => 0.0,
        };
        up.get_or_create(&OfService {
            service: name.to_string(),
        })
        .set(value);
    }
    registry.register("tm_service_up", "1 up, 0.5 degraded, 0 down or silent", up);
    let alarms = look.world.alarms.len();
    single(
        registry,
        "tm_alarms_active",
        "Alarms that hold",
        count(alarms as u64),
    );
}

fn queue(look: Look<'_>, registry: &mut Registry) {
    let queue = QueueView::new(look);
    let Some(journal) = queue.journal else { return };
    let pending = "Records not acknowledged by the cloud";
    single(
        registry,
        "tm_queue_records",
        pending,
        count(journal.records_pending),
    );
    single(
        registry,
        "tm_queue_points",
        "Points in them",
        count(journal.points_pending),
    );
    single(
        registry,
        "tm_queue_bytes",
        "Bytes on disk",
        count(journal.bytes_on_disk),
    );
    single(
        registry,
        "tm_queue_quota_bytes",
        "The most bytes it may take",
        count(journal.quota_bytes),
    );
    let dropped = "Records dropped for room since the journal was made";
    single(
        registry,
        "tm_queue_records_dropped",
        dropped,
        count(journal.records_dropped),
    );
    if let Some(age) = queue.oldest_age_ms {
        single(
            registry,
            "tm_queue_oldest_age_seconds",
            "Age of the oldest",
            seconds(age),
        );
    }
}

fn itself(look: Look<'_>, version: &str, registry: &mut Registry) {
    let counts = look.world.counts;
    let numbers = [
        (
            "tm_api_messages",
            "Messages taken from the bus since start",
            counts.messages,
        ),
        (
            "tm_api_points",
            "Points taken into the history since start",
            counts.points,
        ),
        (
            "tm_api_messages_unreadable",
            "Messages that could not be read",
            counts.unreadable,
        ),
        (
            "tm_api_messages_repeated",
            "Messages dropped as repeats",
            counts.repeats,
        ),
        (
            "tm_api_messages_lost",
            "Messages that never arrived, seen as gaps",
            counts.lost,
        ),
        (
            "tm_api_points_refused",
            "Points of series beyond the limit",
            counts.refused,
        ),
        (
            "tm_api_history_points",
            "Points in the history",
            look.world.history.len() as u64,
        ),
        (
            "tm_api_bus_connected",
            "1 while the bus is connected",
            look.world.is_connected.into(),
        ),
    ];
    for (name, help, number) in numbers {
        single(registry, name, help, count(number));
    }
    single(
        registry,
        "tm_uptime_seconds",
        "Time since the machine started",
        seconds(look.now.mono_ms),
    );
    let build = Family::<Build, Number>::default();
    build
        .get_or_create(&Build {
            version: version.to_owned(),
        })
        .set(1.0);
    registry.register("tm_build", "Version of this software", build);
}

fn single(registry: &mut Registry, name: &str, help: &str, value: f64) {
    let gauge = Number::default();
    gauge.set(value);
    registry.register(name, help, gauge);
}

#[expect(clippy::cast_precision_loss, reason = "Prometheus numbers are floats")]
fn count(value: u64) -> f64 {
    value as f64
}

fn seconds(ms: u64) -> f64 {
    count(ms) / 1000.0
}
