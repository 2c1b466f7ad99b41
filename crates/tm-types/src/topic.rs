//! Topic strings of the local bus, spelled here and nowhere else (`docs/bus.md`).

use crate::{Instance, OperationId, Source};

/// Every measurement: `tm/v1/data/<source>`, QoS 1, not retained.
pub const DATA_ALL: &str = "tm/v1/data/+";
/// Every service's present state, QoS 1, retained.
pub const STATE_ALL: &str = "tm/v1/state/+";
/// Every service's health, QoS 1, retained, `down` as last will.
pub const HEALTH_ALL: &str = "tm/v1/health/+";
/// Every event, QoS 1, not retained.
pub const EVENT_ALL: &str = "tm/v1/event/+";
/// Every active alarm, QoS 1, retained; an empty payload clears.
pub const ALARM_ALL: &str = "tm/v1/alarm/+";
/// Every operation's state, QoS 1, retained for a day.
pub const RESULT_ALL: &str = "tm/v1/res/+";
/// Every time anchor, QoS 1, retained.
pub const CLOCK_ALL: &str = "tm/v1/clock/+";
/// What only our own services read, of every service, QoS 1, retained.
pub const PRIVATE_ALL: &str = "tm/v1/private/+";
/// Every service's configuration in force, QoS 1, retained.
pub const CONFIG_ALL: &str = "tm/v1/cfg/+";
/// Raw NMEA of every source, QoS 0, not retained.
pub const NMEA_ALL: &str = "tm/v1/nmea/+";
/// What balena's own sensor blocks publish: `sensors` and whatever is below it, QoS 0 or 1, not retained.
pub const SENSOR_BLOCKS_ALL: &str = "sensors/#";
/// The root of everything above but the last.
pub const ROOT: &str = "tm/v1/";
/// The topic that balena's sensor blocks publish to unless they are told otherwise.
const SENSOR_BLOCKS: &str = "sensors";

/// Measurements of one source.
pub fn data(source: &Source) -> String {
    format!("tm/v1/data/{source}")
}

/// The present state of a service.
pub fn state(service: &Instance) -> String {
    format!("tm/v1/state/{service}")
}

/// The health of a service.
pub fn health(service: &Instance) -> String {
    format!("tm/v1/health/{service}")
}

/// Events of a service.
pub fn event(service: &Instance) -> String {
    format!("tm/v1/event/{service}")
}

/// One alarm.
pub fn alarm(id: &str) -> String {
    format!("tm/v1/alarm/{id}")
}

/// An operation asked of a service.
pub fn command(service: &Instance, op: &str) -> String {
    format!("tm/v1/cmd/{service}/{op}")
}

/// Every operation asked of one service.
pub fn commands(service: &Instance) -> String {
    format!("tm/v1/cmd/{service}/+")
}

/// How an operation stands.
pub fn result(id: &OperationId) -> String {
    format!("tm/v1/res/{id}")
}

/// The time anchor of a source.
pub fn clock(source: &Source) -> String {
    format!("tm/v1/clock/{source}")
}

/// Raw NMEA of a source, one message per read burst.
pub fn nmea(source: &Source) -> String {
    format!("tm/v1/nmea/{source}")
}

/// What a service tells our own services only: the broker's access list keeps it from everybody else.
pub fn private(service: &Instance) -> String {
    format!("tm/v1/private/{service}")
}

/// The configuration of a service that is in force.
pub fn config(service: &Instance) -> String {
    format!("tm/v1/cfg/{service}")
}

/// What a topic of the bus is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Class<'a> {
    /// Measurements of a source.
    Data(&'a str),
    /// Measurements of a balena sensor block: what follows `sensors/`, empty for `sensors` itself.
    SensorBlock(&'a str),
    /// State of a service.
    State(&'a str),
    /// Health of a service.
    Health(&'a str),
    /// Events of a service.
    Event(&'a str),
    /// An alarm's id.
    Alarm(&'a str),
    /// Service and operation of a command.
    Command(&'a str, &'a str),
    /// The id of an operation's result.
    Result(&'a str),
    /// A source's time anchor.
    Clock(&'a str),
    /// A source's raw NMEA.
    Nmea(&'a str),
    /// What a service tells our own services only.
    Private(&'a str),
    /// A service's configuration in force.
    Config(&'a str),
}

/// What a topic is about; `None` for topics that are not ours.
pub fn classify(topic: &str) -> Option<Class<'_>> {
    if let Some(below) = topic.strip_prefix(SENSOR_BLOCKS) {
        return match below.strip_prefix('/') {
            Some(below) => Some(Class::SensorBlock(below)),
            None => below.is_empty().then_some(Class::SensorBlock("")),
        };
    }
    let (class, rest) = topic.strip_prefix(ROOT)?.split_once('/')?;
    if class == "cmd" {
        let (service, op) = rest.split_once('/')?;
        return (!op.is_empty() && !op.contains('/')).then_some(Class::Command(service, op));
    }
    if rest.is_empty() || rest.contains('/') {
        return None;
    }
    Some(match class {
        "data" => Class::Data(rest),
        "state" => Class::State(rest),
        "health" => Class::Health(rest),
        "event" => Class::Event(rest),
        "alarm" => Class::Alarm(rest),
        "res" => Class::Result(rest),
        "clock" => Class::Clock(rest),
        "nmea" => Class::Nmea(rest),
        "private" => Class::Private(rest),
        "cfg" => Class::Config(rest),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_say_what_they_are_about() {
        let cases = [
            ("tm/v1/data/modem", Some(Class::Data("modem"))),
            (
                "tm/v1/cmd/agent/reboot",
                Some(Class::Command("agent", "reboot")),
            ),
            ("tm/v1/private/modem", Some(Class::Private("modem"))),
            ("tm/v1/private/modem/1", None),
            ("tm/v1/cfg/io", Some(Class::Config("io"))),
            ("tm/v1/cmd/agent", None),
            ("tm/v1/data/", None),
            ("tm/v1/data/a/b", None),
            ("tm/v2/data/modem", None),
            ("sensors", Some(Class::SensorBlock(""))),
            ("sensors/attic/1", Some(Class::SensorBlock("attic/1"))),
            ("sensorship", None),
            ("my/sensors", None),
        ];
        for (topic, expected) in cases {
            assert_eq!(classify(topic), expected, "{topic}");
        }
    }
}
