//! Types, units and quality: what is told of a value.

#![expect(clippy::unwrap_used, reason = "a test may panic, its helpers too")]

mod rig;

use rig::{Rig, config, point, property};
use tm_sparkplug::{Event, WireValue};
use tm_types::{Clock, Kind, Reading, Reason, Unit, Value};

#[test]
fn types_widen_once_and_never_narrow() {
    let (mut rig, _) = Rig::born();
    for (value, verb) in [
        (Value::from(5), "DDATA"),
        (Value::of_f64(5.5).unwrap(), "DBIRTH"),
        (Value::from(6), "DDATA"),
        (Value::text("full").unwrap(), "DBIRTH"),
        (Value::from(true), "DBIRTH"),
        (Value::from(false), "DDATA"),
        (Value::from(6), "DBIRTH"),
    ] {
        let text = value.to_string();
        let got = rig.live(1, "tank", vec![point("level", value)]);
        assert_eq!(got.verbs(), [verb], "{text}");
    }
}

#[test]
fn a_metric_without_a_value_yet_has_a_type_that_may_be_wrong() {
    let mut rig = Rig::new(config());
    let lost = |name, kind| tm_types::Point {
        kind,
        ..point(name, Reading::Missing(Reason::NotPresent))
    };
    rig.remember(
        "io",
        vec![
            lost("volts", Kind::Gauge),
            lost("pulses", Kind::Counter),
            lost("door", Kind::State),
        ],
    );
    rig.begin(0);
    let births = rig.on(Event::Connected).sent;
    for (name, code) in [("volts", 10), ("pulses", 4), ("door", 12)] {
        let metric = births[1].metric(name);
        assert_eq!(
            (metric.datatype, metric.is_null),
            (Some(code), true),
            "{name}"
        );
        assert_eq!(property(&metric, "Quality"), Some(WireValue::Int(0)));
        let reason = WireValue::String("not_present");
        assert_eq!(property(&metric, "reason"), Some(reason));
    }
    assert_eq!(
        rig.live(1, "io", vec![point("pulses", 7)]).verbs(),
        ["DDATA"]
    );
    assert_eq!(
        rig.live(2, "io", vec![point("door", true)]).verbs(),
        ["DBIRTH"]
    );
}

#[test]
fn another_unit_is_a_birth() {
    let (mut rig, _) = Rig::born();
    let level = |unit| tm_types::Point {
        unit: Unit::new(unit).unwrap(),
        ..point("level", 3)
    };
    assert_eq!(rig.live(1, "tank", vec![level("m")]).verbs(), ["DBIRTH"]);
    assert_eq!(rig.live(2, "tank", vec![level("m")]).verbs(), ["DDATA"]);
    let born = rig.live(3, "tank", vec![level("cm")]).only();
    let unit = WireValue::String("cm");
    assert_eq!(property(&born.metric("level"), "engUnit"), Some(unit));
}

#[test]
fn quality_is_told_when_it_is_not_good_and_when_it_becomes_so() {
    let (mut rig, _) = Rig::born();
    for (reading, clock, expected) in [
        (Reading::from(3), Clock::Ntp, None),
        (Reading::Missing(Reason::Timeout), Clock::Ntp, Some(0)),
        (Reading::Missing(Reason::Timeout), Clock::Ntp, Some(0)),
        (
            Reading::Uncertain(3.into(), Reason::Rate),
            Clock::Ntp,
            Some(500),
        ),
        (Reading::from(3), Clock::Ntp, Some(192)),
        (Reading::from(3), Clock::Gnss, None),
        (Reading::from(3), Clock::Restored, Some(500)),
    ] {
        rig.now.clock = clock;
        let sent = rig
            .live(1, "tank", vec![point("level", reading.clone())])
            .only();
        let metric = &sent.metrics()[0];
        let quality = property(metric, "Quality");
        assert_eq!(quality, expected.map(WireValue::Int), "{reading:?}");
        assert_eq!(metric.is_null, reading.value().is_none());
    }
}

#[test]
fn a_value_of_the_past_says_its_own_type_if_it_must() {
    let (mut rig, _) = Rig::born();
    for (value, own_type) in [
        (Value::from(4), None),
        (Value::of_f64(4.5).unwrap(), Some(10)),
        (Value::text("low").unwrap(), Some(12)),
    ] {
        let sent = rig.backlog(1, "tank", vec![point("level", value)]).only();
        assert_eq!(
            (sent.verb(), sent.metrics()[0].datatype),
            ("DDATA", own_type)
        );
    }
    assert_eq!(
        rig.live(2, "tank", vec![point("level", 4)]).verbs(),
        ["DDATA"]
    );
}

#[test]
fn a_metric_only_the_past_knows_is_born_without_a_value() {
    let (mut rig, _) = Rig::born();
    let sent = rig.backlog(1, "tank", vec![point("ph", 7)]).sent;
    assert_eq!([sent[0].verb(), sent[1].verb()], ["DBIRTH", "DDATA"]);
    let metric = sent[0].metric("ph");
    assert!(metric.is_null);
    assert_eq!(property(&metric, "Quality"), Some(WireValue::Int(500)));
    assert_eq!(sent[1].metrics()[0].value, Some(WireValue::Long(7)));
}
