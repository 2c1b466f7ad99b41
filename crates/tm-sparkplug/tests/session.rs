//! Births, data and deaths: what is told of which device, and when.

#![expect(clippy::unwrap_used, reason = "a test may panic, its helpers too")]

mod rig;

use rig::{GONE, NCMD, Rig, config, point, property, rebirth_request};
use tm_sparkplug::{Config, Effect, Event, WireValue};
use tm_types::Source;

fn source(name: &str) -> Source {
    Source::new(name).unwrap()
}

#[test]
fn bd_seq_counts_the_connections_that_were_tried() {
    let mut rig = Rig::new(config());
    assert_eq!(rig.begin(0).next_bd_seq, 8);
    // No CONNECT left: nobody has seen that number.
    rig.on(Event::Disconnected {
        connect_was_sent: false,
    });
    assert_eq!(rig.begin(0).next_bd_seq, 8);
    for next in (9..=255).chain(0..3) {
        rig.on(GONE);
        assert_eq!(rig.begin(0).next_bd_seq, next);
    }
}

#[test]
fn a_new_metric_is_the_birth_of_its_device_and_tells_its_reading() {
    let (mut rig, _) = Rig::born();
    let born = rig.live(1, "tank", vec![point("level", 4), point("temp", 21)]);
    assert_eq!(born.verbs(), ["DBIRTH"]);
    assert_eq!(born.sent[0].metric("temp").value, Some(WireValue::Long(21)));
    assert_eq!(born.sent[0].metric("level").value, Some(WireValue::Long(4)));
    let data = rig.live(2, "tank", vec![point("temp", 22)]);
    assert_eq!(data.verbs(), ["DDATA"]);
}

#[test]
fn backlog_is_historical_and_does_not_become_the_present() {
    let (mut rig, _) = Rig::born();
    let sent = rig.backlog(1, "tank", vec![point("level", 99)]).only();
    assert_eq!(sent.verb(), "DDATA");
    assert!(sent.metrics()[0].is_historical);
    assert_eq!(sent.metrics()[0].timestamp, Some(1_789_999_940_000));
    rig.wait(60_000);
    let births = rig.message(NCMD, &rebirth_request()).sent;
    assert_eq!(births[1].metric("level").value, Some(WireValue::Long(3)));
}

#[test]
fn what_is_older_than_the_last_is_historical_without_being_called_so() {
    let (mut rig, _) = Rig::born();
    let early = rig.poll(vec![point("level", 1)]);
    rig.wait(1000);
    // The wall clock is set back by an hour; the monotonic clock knows better.
    rig.now.time = rig.now.time.plus_ms(-3_600_000);
    let late = rig.live(1, "tank", vec![point("level", 2)]).only();
    assert!(!late.metrics()[0].is_historical);
    let overtaken = rig.record(2, "tank", &early, false).only();
    assert!(overtaken.metrics()[0].is_historical);
    let mut other_boot = rig.poll(vec![point("level", 1)]);
    other_boot.stamp.boot = tm_types::BootId(6);
    let of_another_boot = rig.record(3, "tank", &other_boot, false).only();
    assert!(of_another_boot.metrics()[0].is_historical);
}

#[test]
fn a_device_dies_and_comes_back_with_its_next_reading() {
    let (mut rig, _) = Rig::born();
    let tank = source("tank");
    assert_eq!(rig.on(Event::DeviceLost(&tank)).verbs(), ["DDEATH"]);
    assert!(rig.on(Event::DeviceLost(&tank)).effects.is_empty(), "once");
    rig.wait(60_000);
    let births = rig.message(NCMD, &rebirth_request());
    assert_eq!(births.verbs(), ["NBIRTH", "DBIRTH"], "only gnss lives");
    // Its past can still be told, as that of a device whose readings are stale.
    let past = rig.backlog(1, "tank", vec![point("level", 1)]);
    assert_eq!(past.verbs(), ["DBIRTH", "DDATA"]);
    let metric = past.sent[0].metric("level");
    assert_eq!(property(&metric, "Quality"), Some(WireValue::Int(500)));
    rig.wait(60_000);
    let births = rig.message(NCMD, &rebirth_request());
    assert_eq!(births.verbs(), ["NBIRTH", "DBIRTH"], "it is still lost");
    assert_eq!(
        rig.live(2, "tank", vec![point("level", 2)]).verbs(),
        ["DBIRTH"]
    );
}

#[test]
fn the_machine_itself_is_the_node() {
    let mut rig = Rig::new(Config {
        home: Some(source("agent")),
        properties: vec![("Site".into(), "Шафа 7".into())],
        ..config()
    });
    rig.remember("agent", vec![point("cpu-temp", 51)]);
    rig.begin(0);
    let birth = rig.on(Event::Connected).only();
    assert_eq!(
        birth.metric("Properties/Site").value,
        Some(WireValue::String("Шафа 7"))
    );
    assert_eq!(birth.metric("cpu-temp").value, Some(WireValue::Long(51)));
    let data = rig.live(1, "agent", vec![point("cpu-temp", 52)]).only();
    assert_eq!(data.topic(), "spBv1.0/kyiv/NDATA/shafa-7");
    rig.live(2, "tank", vec![point("level", 1)]);
    let news = rig.live(3, "agent", vec![point("load", 1)]);
    assert_eq!(
        news.verbs(),
        ["NBIRTH", "DBIRTH"],
        "a node's birth is everybody's"
    );
    assert!(
        rig.on(Event::DeviceLost(&source("agent")))
            .effects
            .is_empty()
    );
    // Its own names are not to be had, not even in another case.
    let refused = rig.live(4, "agent", vec![point("bdseq", 1)]);
    assert_eq!(refused.effects, [Effect::Delivered(4)]);
    assert_eq!(rig.node.counts().points_refused, 1);
}

#[test]
fn metrics_have_a_bound() {
    let mut rig = Rig::new(Config {
        metrics_max: 2,
        ..config()
    });
    rig.begin(0);
    rig.on(Event::Connected);
    let points = ["a", "b", "c"].map(|name| point(name, 1)).to_vec();
    let born = rig.live(1, "tank", points).only();
    assert_eq!(born.metrics().len(), 2);
    assert_eq!(
        rig.live(2, "gnss", vec![point("d", 1)]).effects,
        [Effect::Delivered(2)]
    );
    assert_eq!(rig.node.counts().points_refused, 2);
}

#[test]
fn sources_have_a_bound() {
    let (mut rig, _) = Rig::born();
    for at in 2..256 {
        let born = rig.live(1, &format!("s{at}"), vec![point("x", 1)]);
        assert_eq!(born.verbs(), ["DBIRTH"]);
    }
    let refused = rig.live(2, "one-too-many", vec![point("x", 1)]);
    assert_eq!(refused.effects, [Effect::Delivered(2)]);
    assert_eq!(rig.node.counts().points_refused, 1);
}

#[test]
fn a_name_that_is_there_twice_keeps_both_readings() {
    let (mut rig, _) = Rig::born();
    let both = vec![point("ph", 1), point("ph", 2)];
    let sent = rig.live(1, "tank", both).sent;
    assert_eq!([sent[0].verb(), sent[1].verb()], ["DBIRTH", "DDATA"]);
    assert_eq!(sent[1].metrics().len(), 2);
}

#[test]
fn births_that_are_asked_for_keep_their_distance() {
    let (mut rig, _) = Rig::born();
    assert!(rig.message(NCMD, &rebirth_request()).effects.is_empty());
    assert!(!rig.node.is_ready(), "no data before the birth");
    assert_eq!(rig.node.deadline_ms(), Some(65_000));
    let early = rig.live(1, "tank", vec![point("level", 8)]);
    assert_eq!(early.effects, [Effect::Returned(1)]);
    rig.message(NCMD, &rebirth_request());
    rig.wait(4999);
    assert!(rig.on(Event::Tick).effects.is_empty());
    rig.wait(1);
    let births = rig.on(Event::Tick);
    assert_eq!(
        births.verbs(),
        ["NBIRTH", "DBIRTH", "DBIRTH"],
        "two requests, one birth"
    );
    assert_eq!(
        births.sent[1].metric("level").value,
        Some(WireValue::Long(8))
    );
    assert!(rig.node.is_ready());
    assert_eq!(rig.node.counts().rebirths_asked, 2);
}
