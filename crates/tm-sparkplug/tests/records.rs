//! What becomes of each record.

#![expect(clippy::unwrap_used, reason = "a test may panic, its helpers too")]

mod rig;

use std::time::Duration;

use rig::{GONE, Host, NCMD, Rig, config, config_with_host, fence, point, rebirth_request};
use tm_sparkplug::{Config, Effect, Event, Next, Record};
use tm_types::Source;

#[test]
fn a_record_is_delivered_when_the_fence_behind_it_is_answered() {
    let (mut rig, _) = Rig::born();
    rig.live(1, "tank", vec![point("level", 1)]);
    rig.live(2, "gnss", vec![point("satellites", 1)]);
    assert_eq!(rig.node.deadline_ms(), Some(90_000));
    rig.wait(30_000);
    let behind = fence(&rig.on(Event::Tick).effects);
    rig.live(3, "tank", vec![point("level", 2)]);
    let delivered = rig.on(Event::Fenced(behind)).effects;
    assert_eq!(delivered, [Effect::Delivered(1), Effect::Delivered(2)]);
    assert_eq!(rig.on(GONE).effects, [Effect::Returned(3)]);
    assert_eq!(rig.on(GONE).effects, []);
}

#[test]
fn a_connection_that_nobody_ended_vouches_for_nothing_either() {
    let (mut rig, _) = Rig::born();
    rig.live(1, "tank", vec![point("level", 1)]);
    let mut effects = Vec::new();
    rig.node.begin(0, &rig.now, &mut effects);
    assert_eq!(effects, [Effect::Returned(1)]);
}

#[test]
fn many_records_are_fenced_without_waiting() {
    let (mut rig, _) = Rig::born();
    for key in 0..255 {
        let sent = rig.live(key, "tank", vec![point("level", 1)]);
        assert_eq!(sent.verbs(), ["DDATA"]);
        assert_eq!(sent.effects.len(), 1);
    }
    let last = rig.live(255, "tank", vec![point("level", 1)]);
    assert_eq!(fence(&last.effects), 0);
}

#[test]
fn a_fence_can_be_had_at_once_where_there_is_something_before_it() {
    let (mut rig, _) = Rig::born();
    assert_eq!(rig.on(Event::Hurry).effects, []);
    rig.live(1, "tank", vec![point("level", 1)]);
    let behind = fence(&rig.on(Event::Hurry).effects);
    assert_eq!(rig.on(Event::Hurry).effects, [], "one is enough");
    assert_eq!(
        rig.on(Event::Fenced(behind)).effects,
        [Effect::Delivered(1)]
    );
}

#[test]
fn records_on_their_way_have_a_bound() {
    let mut rig = Rig::new(Config {
        records_max: 2,
        ..config()
    });
    rig.begin(0);
    rig.on(Event::Connected);
    rig.live(1, "tank", vec![point("level", 1)]);
    rig.live(2, "tank", vec![point("level", 1)]);
    assert!(!rig.node.is_ready());
    // What it brings that is new is not forgotten, though it comes back.
    let third = rig.live(3, "tank", vec![point("ph", 7)]);
    assert_eq!(third.effects, [Effect::Returned(3)]);
    rig.wait(30_000);
    let behind = fence(&rig.on(Event::Tick).effects);
    rig.on(Event::Fenced(behind));
    let again = rig.backlog(3, "tank", vec![point("ph", 7)]);
    assert_eq!(again.verbs(), ["DBIRTH", "DDATA"]);
}

#[test]
fn with_a_host_records_are_held_for_as_long_as_it_may_have_been_gone() {
    let mut rig = Rig::new(Config {
        hold: Duration::from_secs(40),
        ..config_with_host()
    });
    rig.begin(0);
    rig.on(Event::Connected);
    rig.state(true, 5);
    rig.live(1, "tank", vec![point("level", 1)]);
    rig.wait(30_000);
    let behind = fence(&rig.on(Event::Tick).effects);
    rig.live(2, "tank", vec![point("level", 2)]);
    assert_eq!(rig.on(Event::Fenced(behind)).effects, []);
    assert_eq!(rig.node.deadline_ms(), Some(100_000));
    rig.wait(10_000);
    assert_eq!(rig.on(Event::Tick).effects, [Effect::Delivered(1)]);
    let away = rig.state(false, 6);
    assert_eq!(away.verbs(), ["NDEATH"]);
    let rest = [Effect::Disconnect(Next::SameServer), Effect::Returned(2)];
    assert_eq!(away.effects[1..], rest);
}

#[test]
fn nothing_is_sent_after_the_end() {
    let (mut rig, _) = Rig::born();
    rig.live(1, "tank", vec![point("level", 1)]);
    let end = rig.on(Event::Stop);
    assert_eq!(end.verbs(), ["NDEATH"]);
    let rest = [Effect::Disconnect(Next::Nothing), Effect::Returned(1)];
    assert_eq!(end.effects[1..], rest);
    let late = rig.live(2, "tank", vec![point("level", 1)]);
    assert_eq!(late.effects, [Effect::Returned(2)]);
    for event in [
        Event::Tick,
        Event::Connected,
        Event::Stop,
        Event::Fenced(0),
        GONE,
    ] {
        assert_eq!(rig.on(event).effects, []);
    }
    assert!(rig.message(NCMD, &rebirth_request()).effects.is_empty());
    assert_eq!(rig.node.deadline_ms(), None);
}

#[test]
fn records_that_waited_share_a_message() {
    let (mut rig, births) = Rig::born();
    let (tank, gnss) = (Source::new("tank").unwrap(), Source::new("gnss").unwrap());
    let level = rig.poll(vec![point("level", 1), point("level", 2)]);
    let many = rig.poll(vec![point("level", 1); 500]);
    let satellites = rig.poll(vec![point("satellites", 1)]);
    let offers = [
        (&tank, &level, true),
        (&tank, &level, true),
        (&gnss, &satellites, true),
        (&tank, &level, false),
        (&tank, &level, true),
        (&tank, &many, true),
        (&tank, &many, true),
    ];
    let records = (0..)
        .zip(offers)
        .map(|(key, (source, poll, is_backlog))| Record {
            key,
            source,
            poll,
            is_backlog,
        });
    let records: Vec<_> = records.collect();
    let sent = rig.on(Event::Records(&records)).sent;
    let lengths = sent.iter().map(|sent| sent.metrics().len());
    assert_eq!(lengths.collect::<Vec<_>>(), [4, 1, 2, 502, 500]);
    let historical = sent.iter().map(|sent| sent.metrics()[0].is_historical);
    let expected = [true, true, false, true, true];
    assert_eq!(historical.collect::<Vec<_>>(), expected);
    assert_eq!(rig.node.in_flight(), 7);
    let mut host = Host::default();
    births.iter().chain(&sent).for_each(|sent| host.take(sent));
}
