//! Cloud brokers that refuse, forget and answer wrongly: what is told, and that nothing is lost by it.

use tm_uplink::Config;
use tokio::task::JoinSet;

use crate::scripted::Scripted;
use crate::world::{Arrived, Polls, World, has_reason, health_says, on_flash, standing};

fn config(world: &World, cloud: &Scripted) -> Config {
    Config {
        url: Some(cloud.url()),
        ..world.config()
    }
}

#[tokio::test]
async fn every_refusal_has_its_code() {
    let world = World::new();
    let mut cloud = Scripted::bind().await;
    let running = world.start(config(&world, &cloud));
    let mut source = standing(&world).await;
    for (answer, code) in [
        (1, "uplink.protocol_refused"),
        (2, "uplink.client_id_refused"),
        (3, "uplink.broker_unavailable"),
        (4, "uplink.auth_refused"),
        (5, "uplink.auth_refused"),
    ] {
        let mut peer = cloud.accept(false, answer).await;
        health_says(&mut source, code, |health| {
            health["status"] == "degraded" && has_reason(health, code)
        })
        .await;
        assert!(peer.is_left().await, "{answer}");
    }
    let mut polls = Polls::of("tank", 7);
    source.publish_all(polls.take(10)).await;
    cloud.behave(|arrived| arrived.count(&polls) == 10).await;
    running.stop().await;
}

/// Three events and twenty polls wait for the cloud. Events go out one by one, so that several are under way.
async fn waiting(world: &World) -> Polls {
    let mut source = standing(world).await;
    let mut polls = Polls::of("tank", 7);
    for _ in 0..3 {
        source.publish("tm/v1/event/door", "{}").await;
    }
    source.publish_all(polls.take(20)).await;
    polls
}

/// All of it arrives, and what came again came under the same key.
async fn all_arrives(cloud: &mut Scripted, polls: &Polls, after: impl std::fmt::Debug) {
    cloud
        .behave(|arrived| arrived.count(polls) == 20 && arrived.urgent.len() >= 3)
        .await;
    cloud.arrived.assert_exactly(polls, 20);
    assert_eq!(cloud.arrived.urgent.len(), 3, "{after:?}");
}

#[derive(Debug, Clone, Copy)]
enum Acknowledgement {
    /// Under an id that was never used.
    Unknown,
    Twice,
    /// The first one last.
    OutOfOrder,
    /// Of the message, and then the connection is closed.
    ThenClosed,
    Never,
}

#[tokio::test]
async fn acknowledgements_that_are_wrong_cost_at_most_a_connection() {
    for odd in [
        Acknowledgement::Unknown,
        Acknowledgement::Twice,
        Acknowledgement::OutOfOrder,
        Acknowledgement::ThenClosed,
        Acknowledgement::Never,
    ] {
        let world = World::new();
        let mut cloud = Scripted::bind().await;
        let running = world.start(config(&world, &cloud));
        let polls = waiting(&world).await;
        let mut peer = cloud.accept(false, 0).await;
        let mut open = Vec::new();
        while open.len() < 3 {
            open.push(cloud.next(&mut peer).await.expect("a message"));
        }
        match odd {
            Acknowledgement::Unknown => peer.puback(999).await,
            Acknowledgement::Twice => {
                peer.puback(open[0]).await;
                peer.puback(open[0]).await;
            }
            Acknowledgement::OutOfOrder => {
                for packet in open.iter().rev() {
                    peer.puback(*packet).await;
                }
            }
            Acknowledgement::ThenClosed => peer.puback(open[0]).await,
            Acknowledgement::Never => {}
        }
        drop(peer);
        all_arrives(&mut cloud, &polls, odd).await;
        running.stop().await;
    }
}

#[tokio::test]
async fn a_broker_that_takes_and_forgets_is_given_everything_again() {
    let world = World::new();
    let mut cloud = Scripted::bind().await;
    let running = world.start(config(&world, &cloud));
    let mut source = standing(&world).await;
    let mut polls = Polls::of("tank", 7);
    source.publish_all(polls.take(50)).await;
    on_flash(&mut source, 50, 50).await;
    // Each connection takes a batch and ends. To remember a session that is to be a clean one is against the
    // protocol ([MQTT-3.2.2-1]): such a connection is left at once.
    for is_remembered in [false, true, false, true, false] {
        let mut peer = cloud.accept(is_remembered, 0).await;
        assert_eq!(cloud.next(&mut peer).await.is_none(), is_remembered);
        assert_eq!(cloud.arrived.count(&polls), 50);
    }
    assert_eq!(cloud.arrived.repeats, 2 * 50);
    cloud.arrived = Arrived::default();
    cloud.behave(|arrived| arrived.count(&polls) == 50).await;
    cloud.arrived.assert_exactly(&polls, 50);
    health_says(&mut source, "a broker that throws out", |health| {
        has_reason(health, "uplink.topic_denied")
    })
    .await;
    running.stop().await;
}

/// Where a connection breaks.
#[derive(Debug, Clone, Copy)]
enum Break {
    BeforeConnack,
    AfterConnack,
    /// The broker has read only a part of a message.
    InAMessage,
    BeforePuback(usize),
    /// Only the first two of its four bytes were sent.
    InAPuback(usize),
    AfterPuback(usize),
}

#[tokio::test]
async fn wherever_a_connection_breaks_everything_arrives() {
    use Break::{AfterConnack, AfterPuback, BeforeConnack, BeforePuback, InAMessage, InAPuback};
    let mut tasks = JoinSet::new();
    for at in [
        BeforeConnack,
        AfterConnack,
        InAMessage,
        BeforePuback(1),
        InAPuback(1),
        AfterPuback(1),
        BeforePuback(3),
        InAPuback(3),
        AfterPuback(3),
    ] {
        tasks.spawn(everything_arrives_after(at));
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
}

async fn everything_arrives_after(at: Break) {
    let world = World::new();
    let mut cloud = Scripted::bind().await;
    let running = world.start(config(&world, &cloud));
    let polls = waiting(&world).await;
    break_at(&mut cloud, at).await;
    all_arrives(&mut cloud, &polls, at).await;
    running.stop().await;
}

/// Lets the next connection come as far as that.
async fn break_at(cloud: &mut Scripted, at: Break) {
    if let Break::BeforeConnack = at {
        return drop(cloud.accept_silently().await);
    }
    let mut peer = cloud.accept(false, 0).await;
    let n = match at {
        Break::BeforeConnack | Break::AfterConnack => return,
        Break::InAMessage => return peer.read_into_a_message().await,
        Break::BeforePuback(n) | Break::InAPuback(n) | Break::AfterPuback(n) => n,
    };
    for k in 1..=n {
        let packet = cloud.next(&mut peer).await.expect("a message");
        match at {
            Break::BeforePuback(_) if k == n => {}
            Break::InAPuback(_) if k == n => peer.half_a_puback().await,
            _ => peer.puback(packet).await,
        }
    }
}
