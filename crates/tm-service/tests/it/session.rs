//! A session against a broker that is absent, cuts, stalls, forgets, and answers nonsense.

use std::time::Duration;

use bytes::Bytes;
use tm_service::config::Secret;
use tm_service::session::{
    BackOff, DownReason, Incoming, NotTaken, Options, Outgoing, Qos, Refusal, Session,
    SessionEvent, Will,
};

use crate::peer::{FakeBroker, Peer, Seen, within};

pub(crate) fn options(url: &str) -> Options {
    Options {
        back_off: BackOff {
            first: Duration::from_millis(20),
            settled: Duration::ZERO,
            most: Duration::from_millis(100),
        },
        ..Options::new("tm-test", url.parse().expect("a valid address"))
    }
}

fn message(token: u64) -> Outgoing {
    Outgoing {
        token,
        topic: "t".to_owned(),
        payload: Bytes::from(token.to_string()),
        qos: Qos::AtLeastOnce,
        retain: false,
    }
}

async fn up(session: &mut Session) -> bool {
    match within(session.next()).await {
        SessionEvent::Up {
            session_present, ..
        } => session_present,
        other => panic!("expected Up, got {other:?}"),
    }
}

async fn down(session: &mut Session) -> DownReason {
    match within(session.next()).await {
        SessionEvent::Down(reason) => reason,
        other => panic!("expected Down, got {other:?}"),
    }
}

async fn acked(session: &mut Session) -> u64 {
    match within(session.next()).await {
        SessionEvent::Acked(token) => token,
        other => panic!("expected Acked, got {other:?}"),
    }
}

async fn received(session: &mut Session) -> Incoming {
    match within(session.next()).await {
        SessionEvent::Message(message) => message,
        other => panic!("expected a message, got {other:?}"),
    }
}

/// The packet id and token of the next publish that the broker sees.
async fn published(peer: &mut Peer) -> (u16, u64) {
    match peer.read_message().await {
        Seen::Publish {
            packet, payload, ..
        } => {
            let text = String::from_utf8(payload).expect("a token");
            (packet, text.parse().expect("a token"))
        }
        other => panic!("expected a publish, got {other:?}"),
    }
}

fn feed(session: &Session, tokens: impl IntoIterator<Item = u64>) {
    for token in tokens {
        session.feed(message(token)).expect("room in the window");
    }
}

#[tokio::test]
async fn a_broker_absent_at_the_start_is_found_when_it_comes() {
    let broker = FakeBroker::bind().await;
    let address = broker.address();
    drop(broker);
    let mut session = Session::open(options(&format!("mqtt://{address}")));
    assert!(matches!(
        down(&mut session).await,
        DownReason::Unreachable(_)
    ));
    assert!(matches!(session.feed(message(1)), Err(NotTaken::Down(_))));
    let broker = FakeBroker::bind_to(address).await;
    let (mut peer, _) = broker.accept(false).await;
    assert!(!up(&mut session).await);
    feed(&session, [1]);
    let (packet, token) = published(&mut peer).await;
    assert_eq!(token, 1);
    peer.puback(packet).await;
    assert_eq!(acked(&mut session).await, 1);
}

#[tokio::test]
async fn credentials_that_are_made_while_connecting_are_used() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("credentials");
    let broker = FakeBroker::bind().await;
    let mut session = Session::open(Options {
        credentials_file: Some(file.clone()),
        ..options(&broker.url())
    });
    let who = |connect| match connect {
        Seen::Connect {
            user, client_id, ..
        } => (user, client_id),
        other => panic!("expected a connect, got {other:?}"),
    };
    let mut peer = broker.accept_raw().await;
    assert_eq!(who(peer.read().await), (None, "tm-test".to_owned()));
    std::fs::write(&file, "tm:secret\n").expect("written");
    peer.send(&[0x20, 2, 0, 0]).await;
    assert!(matches!(down(&mut session).await, DownReason::Rejected(_)));
    let (_peer, connect) = broker.accept(false).await;
    // Who does not know the password cannot know the id either: sha256("secret") begins with 2bb80d53.
    let expected = (Some("tm".to_owned()), "tm-test-2bb80d53".to_owned());
    assert_eq!(who(connect), expected);
    up(&mut session).await;
}

#[tokio::test]
async fn what_is_not_acked_when_the_link_is_cut_is_fed_again() {
    let broker = FakeBroker::bind().await;
    let mut session = Session::open(options(&broker.url()));
    let (mut peer, _) = broker.accept(false).await;
    up(&mut session).await;
    feed(&session, 1..=3);
    let (first, _) = published(&mut peer).await;
    peer.puback(first).await;
    assert_eq!(acked(&mut session).await, 1);
    drop(peer);
    assert_eq!(down(&mut session).await, DownReason::Closed);

    let (mut peer, _) = broker.accept(false).await;
    up(&mut session).await;
    feed(&session, 2..=3);
    for expected in 2..=3 {
        let (packet, token) = published(&mut peer).await;
        assert_eq!(token, expected);
        peer.puback(packet).await;
        assert_eq!(acked(&mut session).await, expected);
    }
}

#[tokio::test]
async fn feeding_between_a_cut_and_its_news_is_void() {
    let broker = FakeBroker::bind().await;
    let mut session = Session::open(options(&broker.url()));
    let (peer, _) = broker.accept(false).await;
    up(&mut session).await;
    drop(peer);
    // The next connection stands, but the owner has not heard of the end of this one.
    let (mut peer, _) = broker.accept(false).await;
    let _ = session.feed(message(1));
    assert_eq!(down(&mut session).await, DownReason::Closed);
    up(&mut session).await;
    feed(&session, [2]);
    assert_eq!(published(&mut peer).await.1, 2, "message 1 never comes");
}

#[tokio::test]
async fn a_broker_that_acknowledges_nothing_is_left() {
    let broker = FakeBroker::bind().await;
    let mut session = Session::open(Options {
        ack_timeout: Duration::from_millis(300),
        ..options(&broker.url())
    });
    let (mut peer, _) = broker.accept(false).await;
    up(&mut session).await;
    feed(&session, [1]);
    published(&mut peer).await;
    assert_eq!(down(&mut session).await, DownReason::Timeout);
    broker.accept(false).await;
    up(&mut session).await;
}

#[tokio::test]
async fn a_half_open_link_shows_without_traffic() {
    let broker = FakeBroker::bind().await;
    let mut session = Session::open(Options {
        keep_alive: Duration::from_secs(1),
        ..options(&broker.url())
    });
    let (mut peer, _) = broker.accept(false).await;
    up(&mut session).await;
    assert_eq!(peer.read().await, Seen::Ping);
    assert_eq!(down(&mut session).await, DownReason::Timeout);
}

#[tokio::test]
async fn a_broker_that_says_nothing_at_all_is_left() {
    let broker = FakeBroker::bind().await;
    let mut session = Session::open(Options {
        connect_timeout: Duration::from_secs(1),
        ..options(&broker.url())
    });
    let _peer = broker.accept_raw().await;
    assert_eq!(down(&mut session).await, DownReason::Timeout);
}

#[tokio::test]
async fn a_forgotten_session_with_publishes_in_flight_goes_on() {
    let broker = FakeBroker::bind().await;
    let mut session = Session::open(Options {
        clean_session: false,
        window: 3,
        ..options(&broker.url())
    });
    let (mut peer, connect) = broker.accept(true).await;
    assert!(matches!(
        connect,
        Seen::Connect {
            clean_session: false,
            ..
        }
    ));
    assert!(up(&mut session).await);
    feed(&session, 1..=3);
    assert!(matches!(session.feed(message(4)), Err(NotTaken::Full(_))));
    for _ in 1..=3 {
        published(&mut peer).await;
    }
    drop(peer);
    down(&mut session).await;

    let (mut peer, _) = broker.accept(false).await;
    assert!(!up(&mut session).await, "the broker forgot us");
    feed(&session, 1..=3);
    for expected in 1..=3 {
        let (packet, token) = published(&mut peer).await;
        assert_eq!(token, expected, "once each, in order, no ghosts");
        peer.puback(packet).await;
        assert_eq!(acked(&mut session).await, expected);
    }
}

/// rumqttc 0.25 could stash a publish whose packet id was still in use, lose the session, and then
/// serve no request ever again.
#[tokio::test]
async fn acks_out_of_order_and_a_lost_session_do_not_lock_up() {
    let broker = FakeBroker::bind().await;
    let mut session = Session::open(Options {
        clean_session: false,
        window: 2,
        ..options(&broker.url())
    });
    for round in 0..5 {
        let (mut peer, _) = broker.accept(false).await;
        up(&mut session).await;
        let base = round * 10;
        feed(&session, [base + 1, base + 2]);
        let (_, _) = published(&mut peer).await;
        let (second, _) = published(&mut peer).await;
        peer.puback(second).await;
        assert_eq!(acked(&mut session).await, base + 2);
        feed(&session, [base + 3]);
        let (third, token) = published(&mut peer).await;
        assert_eq!(token, base + 3);
        peer.puback(third).await;
        assert_eq!(acked(&mut session).await, base + 3);
        drop(peer);
        down(&mut session).await;
    }
}

#[tokio::test]
async fn a_puback_nobody_asked_for_costs_one_connection() {
    let broker = FakeBroker::bind().await;
    let mut session = Session::open(options(&broker.url()));
    for packet in [7, 0, 65_535] {
        let (mut peer, _) = broker.accept(false).await;
        up(&mut session).await;
        peer.puback(packet).await;
        assert!(matches!(down(&mut session).await, DownReason::Protocol(_)));
    }
    broker.accept(false).await;
    up(&mut session).await;
}

#[tokio::test]
async fn garbage_costs_one_connection() {
    let broker = FakeBroker::bind().await;
    let mut session = Session::open(options(&broker.url()));
    let garbage: [&[u8]; 3] = [
        &[0xff; 64],
        &[0x30, 0xff, 0xff, 0xff, 0xff, 0x01],
        &[0x32, 4, 0, 9, b'x', b'y'],
    ];
    for bytes in garbage {
        let (mut peer, _) = broker.accept(false).await;
        up(&mut session).await;
        peer.send(bytes).await;
        // The broker keeps the connection: it is the session that leaves.
        let reason = down(&mut session).await;
        assert!(matches!(reason, DownReason::Protocol(_)), "{reason:?}");
    }
    // The beginning of a packet that never ends, until the broker does.
    let (mut peer, _) = broker.accept(false).await;
    up(&mut session).await;
    peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
    drop(peer);
    down(&mut session).await;
    broker.accept(false).await;
    up(&mut session).await;
}

#[tokio::test]
async fn messages_of_128_kib_pass_and_larger_ones_are_refused() {
    let broker = FakeBroker::bind().await;
    let limit = 128 * 1024;
    let mut session = Session::open(Options {
        max_packet: limit + 64,
        ..options(&broker.url())
    });
    let (mut peer, _) = broker.accept(false).await;
    up(&mut session).await;
    let payload = Bytes::from(vec![b'x'; limit]);
    let large = |payload| Outgoing {
        payload,
        ..message(1)
    };
    session.feed(large(payload.clone())).expect("it fits");
    match peer.read().await {
        Seen::Publish {
            packet, payload, ..
        } => {
            assert_eq!(payload.len(), limit);
            peer.puback(packet).await;
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(acked(&mut session).await, 1);
    let beyond = large(Bytes::from(vec![b'x'; limit + 64]));
    assert!(matches!(session.feed(beyond), Err(NotTaken::Unsendable(_))));

    peer.publish("t", &payload, None, false).await;
    assert_eq!(received(&mut session).await.payload.len(), limit);
    peer.publish("t", &vec![b'x'; limit + 64], None, false)
        .await;
    down(&mut session).await;
}

#[tokio::test]
async fn qos_0_does_not_disturb_the_acknowledgements() {
    let broker = FakeBroker::bind().await;
    let mut session = Session::open(options(&broker.url()));
    let (mut peer, _) = broker.accept(false).await;
    up(&mut session).await;
    for token in 1..=6 {
        let qos = if token % 2 == 0 {
            Qos::AtLeastOnce
        } else {
            Qos::AtMostOnce
        };
        let message = Outgoing {
            qos,
            ..message(token)
        };
        session.feed(message).expect("room");
    }
    let mut to_ack = Vec::new();
    for expected in 1..=6 {
        let (packet, token) = published(&mut peer).await;
        assert_eq!(token, expected);
        if packet != 0 {
            to_ack.push((packet, token));
        }
    }
    assert_eq!(to_ack.len(), 3);
    for (packet, token) in to_ack.into_iter().rev() {
        peer.puback(packet).await;
        assert_eq!(acked(&mut session).await, token);
    }
}

#[tokio::test]
async fn manual_acks_go_out_in_order_and_die_with_their_connection() {
    let broker = FakeBroker::bind().await;
    let mut session = Session::open(Options {
        manual_acks: true,
        clean_session: false,
        subscriptions: vec![("t".to_owned(), Qos::AtLeastOnce)],
        ..options(&broker.url())
    });
    let (mut peer, _) = broker.accept(false).await;
    assert_eq!(peer.confirm_subscription().await, ["t"]);
    up(&mut session).await;
    for packet in [11, 12, 13] {
        peer.publish("t", b"x", Some(packet), false).await;
    }
    let mut receipts = Vec::new();
    for _ in 0..3 {
        let message = received(&mut session).await;
        receipts.push(message.receipt.expect("acks are ours"));
    }
    let acknowledger = session.acknowledger();
    let late = receipts[2];
    let elsewhere = tokio::spawn(async move {
        acknowledger.acknowledge(receipts[0]);
        acknowledger.acknowledge(receipts[1]);
    });
    within(elsewhere).await.expect("it ends");
    assert_eq!(peer.read().await, Seen::PubAck(11));
    assert_eq!(peer.read().await, Seen::PubAck(12));
    drop(peer);
    down(&mut session).await;

    let (mut peer, _) = broker.accept(true).await;
    up(&mut session).await;
    session.acknowledge(late);
    peer.publish("t", b"x", Some(14), false).await;
    let again = received(&mut session).await.receipt.expect("acks are ours");
    session.acknowledge(again);
    assert_eq!(peer.read_message().await, Seen::PubAck(14), "and no 13");
}

#[tokio::test]
async fn a_refusal_is_told_with_its_reason_once() {
    let broker = FakeBroker::bind().await;
    let mut session = Session::open(options(&broker.url()));
    for (code, refusal) in [
        (1, Some(Refusal::Protocol)),
        (2, Some(Refusal::ClientId)),
        (3, Some(Refusal::Unavailable)),
        (4, Some(Refusal::Credentials)),
        (4, None),
        (5, Some(Refusal::NotAuthorised)),
    ] {
        let mut peer = broker.accept_raw().await;
        peer.read().await;
        peer.send(&[0x20, 2, 0, code]).await;
        if let Some(refusal) = refusal {
            assert_eq!(down(&mut session).await, DownReason::Rejected(refusal));
        }
    }
}

#[tokio::test]
async fn up_is_told_when_the_subscription_stands_and_before_what_it_brings() {
    let broker = FakeBroker::bind().await;
    let mut session = Session::open(Options {
        subscriptions: vec![("t".to_owned(), Qos::AtLeastOnce)],
        ..options(&broker.url())
    });
    let (mut peer, _) = broker.accept(false).await;
    let Seen::Subscribe { packet, .. } = peer.read().await else {
        panic!("a subscription");
    };
    // Brokers may send what matches before they confirm.
    peer.publish("t", b"early", Some(1), false).await;
    assert_eq!(peer.read().await, Seen::PubAck(1));
    assert!(session.try_next().is_none(), "nothing stands yet");
    peer.suback(packet, &[1]).await;
    up(&mut session).await;
    assert_eq!(&received(&mut session).await.payload[..], b"early");
}

#[tokio::test]
async fn a_subscription_that_is_never_confirmed_is_left() {
    let broker = FakeBroker::bind().await;
    let mut session = Session::open(Options {
        subscriptions: vec![("t".to_owned(), Qos::AtLeastOnce)],
        ack_timeout: Duration::from_millis(200),
        ..options(&broker.url())
    });
    let (_peer, _) = broker.accept(false).await;
    assert_eq!(down(&mut session).await, DownReason::Timeout);
}

#[tokio::test]
async fn a_refused_subscription_is_a_refusal() {
    let broker = FakeBroker::bind().await;
    let mut session = Session::open(Options {
        subscriptions: vec![("t".to_owned(), Qos::AtLeastOnce)],
        ..options(&broker.url())
    });
    let (mut peer, _) = broker.accept(false).await;
    let Seen::Subscribe { packet, .. } = peer.read().await else {
        panic!("a subscription");
    };
    peer.suback(packet, &[0x80]).await;
    assert!(matches!(down(&mut session).await, DownReason::Rejected(_)));
}

/// Some brokers say no, others close the connection; neither costs the rest where it need not.
#[tokio::test]
async fn a_refused_subscription_is_borne_where_it_is_not_needed() {
    let broker = FakeBroker::bind().await;
    let mut session = Session::open(Options {
        subscriptions: vec![("t".to_owned(), Qos::AtLeastOnce)],
        needs_subscriptions: false,
        ..options(&broker.url())
    });
    let is_subscribed = async |session: &mut Session| loop {
        match within(session.next()).await {
            SessionEvent::Up { is_subscribed, .. } => return is_subscribed,
            SessionEvent::Down(_) => {}
            other => panic!("expected Up, got {other:?}"),
        }
    };
    let (mut peer, _) = broker.accept(false).await;
    let Seen::Subscribe { packet, .. } = peer.read().await else {
        panic!("a subscription");
    };
    peer.suback(packet, &[0x80]).await;
    assert!(!is_subscribed(&mut session).await);
    drop(peer);
    for _ in 0..3 {
        let (mut peer, _) = broker.accept(false).await;
        assert!(matches!(peer.read().await, Seen::Subscribe { .. }));
    }
    let (mut peer, _) = broker.accept(false).await;
    assert!(!is_subscribed(&mut session).await);
    feed(&session, [1]);
    assert_eq!(
        published(&mut peer).await.1,
        1,
        "and no subscription before it"
    );
    drop(peer);
    // With the next connection it is tried again.
    let (mut peer, _) = broker.accept(false).await;
    peer.confirm_subscription().await;
    assert!(is_subscribed(&mut session).await);
}

#[tokio::test]
async fn another_broker_serves_while_the_first_one_is_away() {
    let (gone, other) = (FakeBroker::bind().await, FakeBroker::bind().await);
    let (url, other_url) = (gone.url(), other.url());
    drop(gone);
    let directory = tempfile::tempdir().expect("a directory");
    let password_file = directory.path().join("token");
    std::fs::write(&password_file, "first\n").expect("a file");
    let mut session = Session::open(Options {
        fallback: Some(other_url.parse().expect("an address")),
        credentials: Some(("user".to_owned(), Secret::new("unused"))),
        password_file: Some(password_file.clone()),
        ..options(&url)
    });
    let reached = async |session: &mut Session| loop {
        match within(session.next()).await {
            SessionEvent::Up { address, .. } => return address.to_string(),
            SessionEvent::Down(_) => {}
            other => panic!("expected Up, got {other:?}"),
        }
    };
    for password in ["first", "second"] {
        let (peer, connect) = other.accept(false).await;
        assert!(
            matches!(&connect, Seen::Connect { password: Some(told), .. } if told == password),
            "{connect:?}"
        );
        assert_eq!(reached(&mut session).await, other_url);
        // A token that was renewed is told with the next connection.
        std::fs::write(&password_file, "second").expect("a file");
        drop(peer);
    }
}

#[tokio::test]
async fn a_name_that_cannot_be_is_told_as_such() {
    let mut session = Session::open(options("mqtt://no..such..name"));
    assert_eq!(down(&mut session).await, DownReason::Dns);
}

#[tokio::test]
async fn a_closed_session_says_good_bye_after_its_last_ack() {
    let broker = FakeBroker::bind().await;
    let mut session = Session::open(Options {
        will: Some(Will {
            topic: "w".to_owned(),
            payload: Bytes::from_static(b"gone"),
            qos: Qos::AtLeastOnce,
            retain: true,
        }),
        ..options(&broker.url())
    });
    let (mut peer, connect) = broker.accept(false).await;
    let Seen::Connect { will, .. } = connect else {
        panic!("{connect:?}");
    };
    assert_eq!(will, Some(("w".to_owned(), b"gone".to_vec())));
    up(&mut session).await;
    feed(&session, [1]);
    let closing = tokio::spawn(session.close(Duration::from_secs(10)));
    let (packet, _) = published(&mut peer).await;
    peer.puback(packet).await;
    assert_eq!(peer.read_message().await, Seen::Disconnect);
    within(closing).await.expect("it ends");
}

#[tokio::test]
async fn a_dropped_session_ends_without_a_word() {
    let broker = FakeBroker::bind().await;
    let mut session = Session::open(options(&broker.url()));
    let (mut peer, _) = broker.accept(false).await;
    up(&mut session).await;
    drop(session);
    assert_eq!(peer.try_read().await, None, "no DISCONNECT, so the will");
}

/// The window never overflows, every message comes once per connection and in order, whatever the
/// broker acknowledges and whenever it cuts.
#[tokio::test]
async fn everything_arrives_through_a_link_that_is_cut_again_and_again() {
    const COUNT: u64 = 2_000;
    let broker = FakeBroker::bind().await;
    let mut session = Session::open(Options {
        window: 20,
        ack_timeout: Duration::from_millis(200),
        ..options(&broker.url())
    });
    let far_end = tokio::spawn(async move {
        let mut seen = vec![0_u32; usize::try_from(COUNT).expect("small")];
        let mut random = fastrand::Rng::with_seed(7);
        loop {
            let (mut peer, _) = broker.accept(false).await;
            for _ in 0..random.u32(50..400) {
                match peer.try_read().await {
                    Some(Seen::Publish {
                        packet, payload, ..
                    }) => {
                        let text = String::from_utf8(payload).expect("a token");
                        let token: usize = text.parse().expect("a token");
                        seen[token] += 1;
                        if random.u8(..) > 10 {
                            peer.puback(packet).await;
                        }
                    }
                    Some(Seen::Disconnect) => return seen,
                    Some(Seen::Ping) => peer.send(&[0xd0, 0]).await,
                    Some(_) => {}
                    None => break,
                }
            }
        }
    });
    let mut open: std::collections::BTreeSet<u64> = (0..COUNT).collect();
    let mut fed = std::collections::BTreeSet::new();
    while !open.is_empty() {
        let next: Vec<u64> = open.difference(&fed).copied().take(20).collect();
        for token in next {
            if session.feed(message(token)).is_err() {
                break;
            }
            fed.insert(token);
        }
        match within(session.next()).await {
            SessionEvent::Acked(token) => {
                assert!(fed.remove(&token), "acked what was not fed");
                open.remove(&token);
            }
            SessionEvent::Down(_) => fed.clear(),
            _ => {}
        }
    }
    session.close(Duration::from_secs(10)).await;
    let seen = within(far_end).await.expect("the far end");
    assert!(seen.iter().all(|count| *count > 0));
}
