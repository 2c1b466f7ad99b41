//! Connections that wait for their will, questions, and connections that are left for another.

use std::time::Duration;

use bytes::Bytes;
use tm_service::session::{
    Attempt, DownReason, Options, Outgoing, Qos, Session, SessionEvent, Turn, Will,
};

use crate::peer::{FakeBroker, Peer, Seen, within};
use crate::session::options;

fn will(payload: &'static str) -> Will {
    Will {
        topic: "w".to_owned(),
        payload: Bytes::from_static(payload.as_bytes()),
        qos: Qos::AtLeastOnce,
        retain: false,
    }
}

fn asking(broker: &FakeBroker) -> Options {
    Options {
        asks_for_will: true,
        subscriptions: vec![("cmd".to_owned(), Qos::AtLeastOnce)],
        ..options(&broker.url())
    }
}

fn unsure(token: u64) -> Outgoing {
    Outgoing {
        token,
        topic: "t".to_owned(),
        payload: Bytes::from_static(b"x"),
        qos: Qos::AtMostOnce,
        retain: false,
    }
}

async fn attempt(session: &mut Session) -> Attempt {
    match within(session.next()).await {
        SessionEvent::Connects(attempt) => attempt,
        other => panic!("expected an attempt, got {other:?}"),
    }
}

/// The broker's side of a connection, and the will it came with.
async fn accepted(broker: &FakeBroker) -> (Peer, Vec<u8>) {
    let (mut peer, connect) = broker.accept(false).await;
    let Seen::Connect {
        will: Some((_, payload)),
        ..
    } = connect
    else {
        panic!("{connect:?}");
    };
    peer.confirm_subscription().await;
    (peer, payload)
}

async fn up(session: &mut Session) {
    let event = within(session.next()).await;
    assert!(matches!(event, SessionEvent::Up { .. }), "{event:?}");
}

async fn down(session: &mut Session) -> DownReason {
    match within(session.next()).await {
        SessionEvent::Down(reason) => reason,
        other => panic!("expected Down, got {other:?}"),
    }
}

#[tokio::test]
async fn each_connection_waits_for_its_own_will() {
    let broker = FakeBroker::bind().await;
    let mut session = Session::open(asking(&broker));
    // One that is not wanted is asked for again, and nothing was sent of it.
    drop(attempt(&mut session).await);
    for payload in ["first", "second"] {
        attempt(&mut session).await.with(will(payload));
        let (peer, told) = accepted(&broker).await;
        assert_eq!(told, payload.as_bytes());
        up(&mut session).await;
        drop(peer);
        down(&mut session).await;
    }
}

#[tokio::test]
async fn a_question_is_behind_what_was_fed_and_its_answer_has_its_name() {
    let broker = FakeBroker::bind().await;
    let mut session = Session::open(asking(&broker));
    assert!(!session.ask(1), "nothing to ask yet");
    attempt(&mut session).await.with(will("w"));
    let (mut peer, _) = accepted(&broker).await;
    up(&mut session).await;
    session.feed(unsure(7)).expect("room");
    session.feed(unsure(8)).expect("room");
    assert!(session.ask(70));
    assert!(session.ask(80));
    for _ in 0..2 {
        assert!(matches!(peer.read().await, Seen::Publish { packet: 0, .. }));
    }
    let mut packets = Vec::new();
    for _ in 0..2 {
        let Seen::Subscribe { packet, filters } = peer.read().await else {
            panic!("the question");
        };
        assert_eq!(filters, ["cmd"]);
        packets.push(packet);
    }
    for (packet, token) in packets.into_iter().zip([70, 80]).rev() {
        peer.suback(packet, &[1]).await;
        let event = within(session.next()).await;
        assert!(
            matches!(event, SessionEvent::Acked(acked) if acked == token),
            "{event:?}"
        );
    }
}

#[tokio::test]
async fn a_broker_that_answers_no_question_is_dead() {
    let broker = FakeBroker::bind().await;
    let mut session = Session::open(Options {
        ack_timeout: Duration::from_millis(200),
        ..asking(&broker)
    });
    attempt(&mut session).await.with(will("w"));
    let (mut peer, _) = accepted(&broker).await;
    up(&mut session).await;
    assert!(session.ask(1));
    assert!(matches!(peer.read().await, Seen::Subscribe { .. }));
    assert_eq!(down(&mut session).await, DownReason::Timeout);
}

#[tokio::test]
async fn a_connection_that_is_left_ends_in_good_order_and_the_next_goes_where_it_shall() {
    let (first, second) = (FakeBroker::bind().await, FakeBroker::bind().await);
    let mut session = Session::open(Options {
        fallback: Some(second.url().parse().expect("an address")),
        ..asking(&first)
    });
    let turns = [
        (&first, Turn::Same),
        (&first, Turn::Other),
        (&second, Turn::Same),
        (&second, Turn::Other),
        (&first, Turn::Same),
    ];
    for (broker, turn) in turns {
        let attempt = attempt(&mut session).await;
        assert_eq!(attempt.address.to_string(), broker.url());
        attempt.with(will("w"));
        let (mut peer, _) = accepted(broker).await;
        up(&mut session).await;
        session.feed(unsure(1)).expect("room");
        session.leave(turn);
        assert!(matches!(peer.read().await, Seen::Publish { .. }));
        assert_eq!(peer.read().await, Seen::Disconnect);
        assert_eq!(down(&mut session).await, DownReason::Returning);
    }
}
