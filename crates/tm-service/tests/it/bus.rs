//! The bus of a service: order, gate, outbox, health, stop, and the broker behind a gate.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use tempfile::TempDir;
use tm_service::bus::{Bus, BusEvent, BusMessage, BusOptions};
use tm_service::config::BusSettings;
use tm_service::session::SessionEvent;
use tm_service::{Clock, Dedup, Host, HostParts, Store};
use tm_sim::broker::Broker;
use tm_sim::gate::Gate;
use tm_types::{
    BootId, Code, Device, Health, HealthStatus, Instance, Point, PointName, Poll, Severity, Source,
    Stamp, Timestamp, Unit, Value, code, topic,
};

use crate::peer::{FakeBroker, Peer, Seen, within};

const UPLINK: &str = "tm/v1/health/uplink";

/// A host at a broker, with settings of the test's choice.
fn host(instance: &str, directory: &Path, url: &str, clock: Clock, settings: BusSettings) -> Host {
    Host::new(HostParts {
        instance: Instance::new(instance).expect("a name"),
        device: Device::default(),
        bus_address: url.to_owned(),
        bus_credentials: None,
        bus_settings: settings,
        clock,
        store: Store::open(directory).expect("a directory"),
        version: "1.2.3",
        notices: Vec::new(),
    })
}

fn settings(uplink_wait_s: u32) -> BusSettings {
    BusSettings {
        uplink_wait_s,
        ..BusSettings::default()
    }
}

fn points(value: i64) -> Vec<Point> {
    let name = PointName::new("count").expect("a name");
    vec![Point::gauge(name, Unit::NONE, Value::from(value))]
}

/// The next publish that a played broker sees: topic, payload, whether retained; acknowledged.
async fn publish(peer: &mut Peer) -> (String, Vec<u8>, bool) {
    match peer.read_message().await {
        Seen::Publish {
            packet,
            topic,
            payload,
            retain,
        } => {
            if packet != 0 {
                peer.puback(packet).await;
            }
            (topic, payload, retain)
        }
        other => panic!("expected a publish, got {other:?}"),
    }
}

/// The next publish that is not the service's health.
async fn publish_but_health(peer: &mut Peer) -> (String, Vec<u8>, bool) {
    loop {
        let publish = publish(peer).await;
        if !publish.0.starts_with("tm/v1/health/") {
            return publish;
        }
    }
}

fn number(payload: &[u8]) -> u64 {
    poll(payload).sequence.expect("our own are numbered").n
}

fn poll(payload: &[u8]) -> Poll {
    let received = Clock::system().stamp();
    Poll::from_json(payload, &received).expect("a poll")
}

async fn message(bus: &mut Bus, topic: &str) -> BusMessage {
    loop {
        if let BusEvent::Message(message) = within(bus.next()).await
            && message.topic == topic
        {
            return message;
        }
    }
}

/// Waits until the newest message of a topic is as wanted, whatever else comes on the way.
async fn until(
    bus: &mut Bus,
    newest: &mut HashMap<String, Bytes>,
    topic: &str,
    wanted: impl Fn(&[u8]) -> bool,
) {
    while !newest.get(topic).is_some_and(|payload| wanted(payload)) {
        if let BusEvent::Message(message) = within(bus.next()).await {
            newest.insert(message.topic, message.payload);
        }
    }
}

/// Whether a payload is a health of this status, with this first reason if one is named.
fn is_health(status: HealthStatus, reason: Option<Code>) -> impl Fn(&[u8]) -> bool {
    move |payload| {
        let health: Health = serde_json::from_slice(payload).expect("a health");
        let first = health.reasons.first();
        health.status == status
            && reason.is_none_or(|code| first.is_some_and(|cause| cause.is(code)))
    }
}

pub(crate) fn temporary() -> TempDir {
    tempfile::tempdir().expect("a directory")
}

#[tokio::test]
async fn measurements_and_events_wait_for_the_uplinks_health() {
    let (directory, broker) = (temporary(), FakeBroker::bind().await);
    let host = host(
        "modem",
        directory.path(),
        &broker.url(),
        Clock::system(),
        settings(600),
    );
    let bus = host.bus.open(BusOptions::default());
    bus.data(host.clock.stamp(), points(1));
    bus.event(Severity::Info, code::STATUS_OK.plain());
    bus.state(&serde_json::json!({"modems": []}));
    let (mut peer, connect) = broker.accept(false).await;
    let Seen::Connect {
        client_id,
        clean_session,
        will: Some((will_topic, will)),
        ..
    } = connect
    else {
        panic!("{connect:?}");
    };
    assert_eq!((client_id.as_str(), clean_session), ("tm-modem", true));
    assert_eq!(will_topic, "tm/v1/health/modem");
    let will: Health = serde_json::from_slice(&will).expect("a health");
    assert_eq!(will.status, HealthStatus::Down);
    assert!(will.reasons[0].is(code::SERVICE_CONNECTION_LOST));

    let (topic, _, retained) = publish(&mut peer).await;
    assert_eq!((topic.as_str(), retained), ("tm/v1/state/modem", true));
    peer.publish(UPLINK, b"{}", None, true).await;
    let (topic, payload, retained) = publish(&mut peer).await;
    assert_eq!((topic.as_str(), retained), ("tm/v1/data/modem", false));
    assert_eq!(number(&payload), 0);
    assert_eq!(publish(&mut peer).await.0, "tm/v1/event/modem");

    // The next connection waits again.
    drop(peer);
    let (mut peer, _) = broker.accept(false).await;
    bus.data(host.clock.stamp(), points(2));
    assert_eq!(publish(&mut peer).await.0, "tm/v1/state/modem");
    peer.publish(UPLINK, b"{}", None, false).await;
    // The last acks may have been lost with the connection: then 0 and the event come again.
    loop {
        let (topic, payload, _) = publish(&mut peer).await;
        if topic == "tm/v1/data/modem" && number(&payload) == 1 {
            break;
        }
    }
}

#[tokio::test]
async fn who_is_not_subscribed_yet_does_not_say_that_he_is_up() {
    let (directory, broker) = (temporary(), FakeBroker::bind().await);
    let host = host(
        "uplink",
        directory.path(),
        &broker.url(),
        Clock::system(),
        settings(600),
    );
    let bus = host.bus.open(BusOptions::default());
    bus.health(HealthStatus::Up, Vec::new());
    bus.state(&serde_json::json!({}));
    let (mut peer, _) = broker.accept(false).await;
    assert_eq!(publish(&mut peer).await.0, "tm/v1/health/uplink");
    assert_eq!(publish(&mut peer).await.0, "tm/v1/state/uplink");

    let mut ingest = host.bus.ingest(&[topic::DATA_ALL]);
    bus.speak_while(ingest.standing());
    let (mut other, _) = broker.accept(false).await;
    // The broker restarts and has forgotten everything; the connection that publishes is back first.
    drop(peer);
    let (mut peer, _) = broker.accept(false).await;
    assert_eq!(publish(&mut peer).await.0, "tm/v1/state/uplink");
    bus.event(Severity::Info, code::STATUS_OK.plain());
    peer.publish(UPLINK, b"{}", None, true).await;
    assert_eq!(
        publish(&mut peer).await.0,
        "tm/v1/event/uplink",
        "the word waits, and nothing else"
    );
    other.confirm_subscription().await;
    while !matches!(within(ingest.next()).await, SessionEvent::Up { .. }) {}
    bus.listens();
    assert_eq!(publish(&mut peer).await.0, "tm/v1/health/uplink");
}

#[tokio::test]
async fn without_an_uplink_measurements_wait_for_a_while_only() {
    let (directory, broker) = (temporary(), FakeBroker::bind().await);
    let host = host(
        "modem",
        directory.path(),
        &broker.url(),
        Clock::system(),
        settings(1),
    );
    let bus = host.bus.open(BusOptions::default());
    bus.data(host.clock.stamp(), points(1));
    let (mut peer, _) = broker.accept(false).await;
    assert_eq!(publish(&mut peer).await.0, "tm/v1/data/modem");
}

#[tokio::test]
async fn what_the_broker_did_not_acknowledge_comes_again_in_order() {
    let (directory, broker) = (temporary(), FakeBroker::bind().await);
    let host = host(
        "io",
        directory.path(),
        &broker.url(),
        Clock::system(),
        settings(0),
    );
    let bus = host.bus.open(BusOptions::default());
    for value in 0..5 {
        bus.data(host.clock.stamp(), points(value));
    }
    let (mut peer, _) = broker.accept(false).await;
    assert_eq!(number(&publish(&mut peer).await.1), 0);
    for expected in 1..5 {
        let Seen::Publish { payload, .. } = peer.read_message().await else {
            panic!("a publish");
        };
        assert_eq!(number(&payload), expected, "unacknowledged");
    }
    drop(peer);
    let (mut peer, _) = broker.accept(false).await;
    let mut expected = BTreeSet::from([1, 2, 3, 4]);
    // The first ack may have been lost with the connection: then 0 comes again, and first.
    let mut last = None;
    while !expected.is_empty() {
        let n = number(&publish(&mut peer).await.1);
        assert!(last.is_none_or(|last| n > last), "in order");
        last = Some(n);
        expected.remove(&n);
    }
}

#[tokio::test]
async fn a_full_outbox_drops_the_oldest_counts_and_degrades() {
    let (directory, broker) = (temporary(), FakeBroker::bind().await);
    let tight = BusSettings {
        outbox_kib: 16,
        ..settings(0)
    };
    let host = host(
        "io",
        directory.path(),
        &broker.url(),
        Clock::system(),
        tight,
    );
    let bus = host.bus.open(BusOptions::default());
    bus.health(HealthStatus::Up, Vec::new());
    for value in 0..300 {
        bus.data(host.clock.stamp(), points(value));
    }
    let (mut peer, _) = broker.accept(false).await;
    let (mut numbers, mut reasons) = (Vec::new(), Vec::new());
    while numbers.last() != Some(&299) || reasons.is_empty() {
        let (topic, payload, _) = publish(&mut peer).await;
        if topic == "tm/v1/health/io" {
            let health: Health = serde_json::from_slice(&payload).expect("a health");
            let is_up = health.status == HealthStatus::Up;
            assert_eq!(is_up, health.reasons.is_empty());
            reasons = health.reasons;
        } else {
            numbers.push(number(&payload));
        }
    }
    let first = numbers[0];
    assert!(first > 150 && first < 290, "the newest 16 KiB: {first}");
    assert!(numbers.iter().copied().eq(first..300), "{numbers:?}");
    let overflow = code::BUS_OUTBOX_OVERFLOW.with("count", first);
    assert_eq!(reasons, [overflow]);
}

#[tokio::test]
async fn what_is_too_old_is_dropped_by_the_monotonic_clock() {
    let (directory, broker) = (temporary(), FakeBroker::bind().await);
    let (clock, hand) = Clock::manual(Stamp {
        time: Timestamp::of_unix_ms(1_790_000_000_000),
        mono_ms: 0,
        boot: BootId(1),
        clock: tm_types::Clock::Ntp,
        err_ms: Some(1),
    });
    let host = host("io", directory.path(), &broker.url(), clock, settings(0));
    let handle = host.bus.open(BusOptions::default()).handle();
    host.bus.closed().await;
    handle.data(host.clock.stamp(), points(0));
    hand.step_wall(-10 * 365 * 86_400_000);
    hand.advance(Duration::from_secs(601));
    handle.data(host.clock.stamp(), points(1));
    let _bus = host.bus.open(BusOptions::default());
    let accept_main = async {
        // The bus that was dropped at once may have begun a connection, too.
        loop {
            let mut peer = broker.accept_raw().await;
            if peer.try_read().await.is_none() {
                continue;
            }
            peer.send(&[0x20, 2, 0, 0]).await;
            if let Some(Seen::Publish { payload, .. }) = skip_to_publish(&mut peer).await {
                return payload;
            }
        }
    };
    assert_eq!(number(&within(accept_main).await), 1);
}

/// The first measurement on a connection, if there comes one before it ends.
async fn skip_to_publish(peer: &mut Peer) -> Option<Seen> {
    loop {
        match peer.try_read().await? {
            Seen::Publish { packet, topic, .. } if !topic.starts_with("tm/v1/data/") => {
                peer.puback(packet).await;
            }
            publish @ Seen::Publish { .. } => return Some(publish),
            Seen::Subscribe { packet, filters } => {
                peer.suback(packet, &vec![1; filters.len()]).await;
            }
            _ => {}
        }
    }
}

#[tokio::test]
async fn a_dropped_bus_says_stopped_and_good_bye() {
    let (directory, broker) = (temporary(), FakeBroker::bind().await);
    let host = host(
        "gnss",
        directory.path(),
        &broker.url(),
        Clock::system(),
        settings(0),
    );
    let bus = host.bus.open(BusOptions::default());
    bus.health(HealthStatus::Up, Vec::new());
    let (mut peer, _) = broker.accept(false).await;
    let (_, payload, _) = publish(&mut peer).await;
    let health: Health = serde_json::from_slice(&payload).expect("a health");
    assert_eq!(
        (health.status, health.version.as_str()),
        (HealthStatus::Up, "1.2.3")
    );
    drop(bus);
    loop {
        match peer.read_message().await {
            Seen::Publish {
                packet,
                topic,
                payload,
                retain,
            } => {
                peer.puback(packet).await;
                let health: Health = serde_json::from_slice(&payload).expect("a health");
                assert!(retain && topic == "tm/v1/health/gnss");
                if health.status == HealthStatus::Down {
                    assert!(health.reasons[0].is(code::SERVICE_STOPPED));
                    break;
                }
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(peer.read_message().await, Seen::Disconnect);
    within(host.bus.closed()).await;
}

#[tokio::test]
async fn a_reload_keeps_the_outbox_and_goes_on_numbering() {
    let (directory, broker) = (temporary(), FakeBroker::bind().await);
    let address = broker.address();
    drop(broker);
    let host = host(
        "io",
        directory.path(),
        &format!("mqtt://{address}"),
        Clock::system(),
        settings(0),
    );
    let mut bus = host.bus.open(BusOptions::default());
    bus.data(host.clock.stamp(), points(0));
    assert!(matches!(within(bus.next()).await, BusEvent::Down(_)));
    drop(bus);
    within(host.bus.closed()).await;
    let broker = FakeBroker::bind_to(address).await;
    let bus = host.bus.open(BusOptions::default());
    bus.data(host.clock.stamp(), points(1));
    let (mut peer, _) = broker.accept(false).await;
    let first = poll(&publish_but_health(&mut peer).await.1).sequence;
    let second = poll(&publish_but_health(&mut peer).await.1).sequence;
    let (first, second) = (first.expect("numbered"), second.expect("numbered"));
    assert_eq!((first.n, second.n), (0, 1));
    assert_eq!(first.run, second.run);
}

#[tokio::test]
async fn a_persistent_subscription_rides_on_a_connection_of_its_own() {
    let (directory, broker) = (temporary(), FakeBroker::bind().await);
    let host = host(
        "api",
        directory.path(),
        &broker.url(),
        Clock::system(),
        settings(0),
    );
    let mut bus = host.bus.open(BusOptions {
        subscriptions: vec![topic::DATA_ALL.to_owned()],
        persistent: true,
        operations: &["clear"],
        follow_results: true,
    });
    let mut seen = BTreeSet::new();
    let mut peers = Vec::new();
    for _ in 0..2 {
        let mut peer = broker.accept_raw().await;
        let Seen::Connect {
            client_id,
            clean_session,
            ..
        } = peer.read().await
        else {
            panic!("a CONNECT first");
        };
        peer.send(&[0x20, 2, u8::from(!clean_session), 0]).await;
        let Seen::Subscribe { packet, filters } = peer.read().await else {
            panic!("a subscription first");
        };
        peer.suback(packet, &vec![1; filters.len()]).await;
        if !clean_session {
            peer.publish("tm/v1/data/x", b"old", None, true).await;
            peer.publish("tm/v1/data/x", b"new", Some(1), false).await;
            assert_eq!(peer.read_message().await, Seen::PubAck(1));
        }
        seen.insert((client_id, clean_session, filters));
        peers.push(peer);
    }
    let texts = |list: &[&str]| list.iter().map(|t| (*t).to_owned()).collect::<Vec<_>>();
    let expected = BTreeSet::from([
        (
            "tm-api".to_owned(),
            true,
            texts(&["tm/v1/cmd/api/+", "tm/v1/res/+", UPLINK]),
        ),
        ("tm-api-in".to_owned(), false, texts(&["tm/v1/data/+"])),
    ]);
    assert_eq!(seen, expected);
    let message = message(&mut bus, "tm/v1/data/x").await;
    assert_eq!(&message.payload[..], b"new", "retained data is ignored");
}

#[tokio::test]
async fn raw_sentences_are_sent_or_dropped_never_kept() {
    let (directory, broker) = (temporary(), FakeBroker::bind().await);
    let host = host(
        "modem",
        directory.path(),
        &broker.url(),
        Clock::system(),
        settings(0),
    );
    let mut bus = host.bus.open(BusOptions::default());
    let (mut peer, _) = broker.accept(false).await;
    peer.confirm_subscription().await;
    assert!(matches!(within(bus.next()).await, BusEvent::Up { .. }));
    let source = Source::new("modem").expect("a name");
    bus.nmea(&source, &b"$GPRMC"[..]);
    let Seen::Publish {
        packet,
        topic,
        retain,
        ..
    } = peer.read_message().await
    else {
        panic!("a publish");
    };
    assert_eq!(
        (packet, topic.as_str(), retain),
        (0, "tm/v1/nmea/modem", false)
    );
    drop(peer);
    assert!(matches!(within(bus.next()).await, BusEvent::Down(_)));
}

#[tokio::test]
async fn health_is_said_again_each_period_while_the_loop_turns() {
    let (directory, broker) = (temporary(), FakeBroker::bind().await);
    let settings = BusSettings {
        health_period_s: 1,
        ..settings(0)
    };
    let host = host(
        "gnss",
        directory.path(),
        &broker.url(),
        Clock::system(),
        settings,
    );
    let mut bus = host.bus.open(BusOptions::default());
    bus.health(HealthStatus::Up, vec![code::GNSS_NOT_CONFIGURED.plain()]);
    let (mut peer, _) = broker.accept(false).await;
    let turning = tokio::spawn(async move {
        loop {
            bus.next().await;
        }
    });
    let mut said = BTreeSet::new();
    while said.len() < 4 {
        let (_, payload, _) = publish(&mut peer).await;
        let health: Health = serde_json::from_slice(&payload).expect("a health");
        assert_eq!((health.status, health.period_s), (HealthStatus::Up, 1));
        said.insert(health.mono_ms);
    }
    turning.abort();
}

#[tokio::test]
async fn a_wrong_password_is_told_as_refused() {
    let (directory, broker) = (temporary(), FakeBroker::bind().await);
    let host = host(
        "gnss",
        directory.path(),
        &broker.url(),
        Clock::system(),
        settings(0),
    );
    let mut bus = host.bus.open(BusOptions::default());
    let mut peer = broker.accept_raw().await;
    peer.read().await;
    peer.send(&[0x20, 2, 0, 4]).await;
    let BusEvent::Down(cause) = within(bus.next()).await else {
        panic!("expected Down");
    };
    assert!(cause.is(code::BUS_REFUSED), "{cause:?}");
}

#[tokio::test]
async fn credentials_written_after_the_start_are_found() {
    let (directory, broker) = (temporary(), FakeBroker::bind().await);
    let file = directory.path().join("credentials");
    let with_file = BusSettings {
        credentials_file: file.to_str().expect("UTF-8").to_owned(),
        ..settings(0)
    };
    let host = host(
        "gnss",
        directory.path(),
        &broker.url(),
        Clock::system(),
        with_file,
    );
    let _bus = host.bus.open(BusOptions::default());
    let mut peer = broker.accept_raw().await;
    assert!(matches!(
        peer.read().await,
        Seen::Connect { user: None, .. }
    ));
    std::fs::write(&file, "tm:secret\n").expect("a file");
    peer.send(&[0x20, 2, 0, 5]).await;
    let (_peer, connect) = broker.accept(false).await;
    let Seen::Connect { user, .. } = connect else {
        panic!("{connect:?}");
    };
    assert_eq!(user.as_deref(), Some("tm"));
}

#[tokio::test]
async fn through_a_real_broker_state_is_retained_and_the_will_is_told() {
    let target = Broker::start().expect("a broker").address();
    let gate = Gate::open(target).expect("a gate");
    let (sender_dir, reader_dir) = (temporary(), temporary());
    let sender = Host::for_test(
        "modem",
        sender_dir.path(),
        &format!("mqtt://{}", gate.address()),
        Clock::system(),
    )
    .expect("a host");
    let out = sender.bus.open(BusOptions::default());
    out.state(&serde_json::json!({"modems": [1]}));
    out.health(HealthStatus::Up, Vec::new());
    let reader = Host::for_test(
        "api",
        reader_dir.path(),
        &format!("mqtt://{target}"),
        Clock::system(),
    )
    .expect("a host");
    let mut bus = reader.bus.open(BusOptions {
        subscriptions: vec![topic::STATE_ALL.to_owned(), topic::HEALTH_ALL.to_owned()],
        ..BusOptions::default()
    });
    let newest = &mut HashMap::new();
    until(&mut bus, newest, "tm/v1/state/modem", |state| {
        state == br#"{"modems":[1]}"#
    })
    .await;
    let own = "tm/v1/health/modem";
    let is_up = is_health(HealthStatus::Up, None);
    until(&mut bus, newest, own, &is_up).await;
    gate.handle().cut();
    let is_lost = is_health(HealthStatus::Down, Some(code::SERVICE_CONNECTION_LOST));
    until(&mut bus, newest, own, is_lost).await;
    until(&mut bus, newest, own, &is_up).await;
    drop(out);
    let is_stopped = is_health(HealthStatus::Down, Some(code::SERVICE_STOPPED));
    until(&mut bus, newest, own, is_stopped).await;
}

#[tokio::test]
async fn nothing_is_lost_while_the_broker_comes_and_goes() {
    const COUNT: u64 = 400;
    let target = Broker::start().expect("a broker").address();
    let gate = Gate::open(target).expect("a gate");
    let (sender_dir, reader_dir) = (temporary(), temporary());
    let sender = Host::for_test(
        "io",
        sender_dir.path(),
        &format!("mqtt://{}", gate.address()),
        Clock::system(),
    )
    .expect("a host");
    let reader = Host::for_test(
        "uplink",
        reader_dir.path(),
        &format!("mqtt://{target}"),
        Clock::system(),
    )
    .expect("a host");
    let mut bus = reader.bus.open(BusOptions {
        subscriptions: vec![topic::DATA_ALL.to_owned()],
        ..BusOptions::default()
    });
    assert!(matches!(within(bus.next()).await, BusEvent::Up { .. }));
    let out = sender.bus.open(BusOptions::default());
    let handle = gate.handle();
    let mut dedup = Dedup::default();
    let source = sender.instance.source();
    let (mut sent, mut seen) = (0, 0);
    while seen < COUNT {
        if sent < COUNT {
            out.data(
                sender.clock.stamp(),
                points(i64::try_from(sent).expect("small")),
            );
            sent += 1;
        }
        if sent % 100 == 50 && sent < COUNT {
            handle.cut();
        }
        if sent - seen < 20 && sent < COUNT {
            continue;
        }
        let message = message(&mut bus, "tm/v1/data/io").await;
        let verdict = dedup.check(&source, poll(&message.payload).sequence);
        seen += u64::from(verdict.is_new());
    }
    assert_eq!(dedup.lost(), 0);
}
