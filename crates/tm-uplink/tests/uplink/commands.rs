//! Commands from the cloud: carried out once, answered, late, refused.

use std::time::Duration;

use serde_json::{Value as Json, json};
use tm_service::bus::{BusEvent, BusOptions};
use tm_service::{Clock, Host};
use tm_uplink::Config;
use tokio::task::JoinHandle;

use crate::world::{Client, EVERYTHING, World, health_says, standing};

/// A service on the bus that opens a valve, and takes configurations; what it was asked, it counts.
struct Valve {
    task: JoinHandle<()>,
    opened: tokio::sync::watch::Receiver<Vec<Json>>,
}

impl Valve {
    async fn start(world: &World) -> Self {
        let directory = world.directory.path().join("valve");
        let host = Host::for_test("valve", &directory, &world.bus.url(), Clock::system()).unwrap();
        let (told, opened) = tokio::sync::watch::channel(Vec::new());
        let (up, is_up) = tokio::sync::oneshot::channel();
        let task = tokio::spawn(async move {
            let mut bus = host.bus.open(BusOptions {
                operations: &["open", "configure"],
                ..BusOptions::default()
            });
            let mut up = Some(up);
            loop {
                match bus.next().await {
                    BusEvent::Up { .. } => {
                        up.take().map(|up| up.send(()));
                    }
                    BusEvent::Command(request) => {
                        assert_eq!(request.issuer, "cloud");
                        told.send_modify(|all| all.push(request.args.clone()));
                        bus.progress(&request.id, Some(50));
                        bus.succeed(&request.id, json!({"turns": 7}));
                    }
                    _ => {}
                }
            }
        });
        is_up.await.unwrap();
        Self { task, opened }
    }

    fn opened(&self) -> Vec<Json> {
        self.opened.borrow().clone()
    }

    async fn stop(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}

/// What the cloud was answered under an id: status, and the code of the problem.
fn answers(client: &Client, id: &str) -> Vec<String> {
    let answers = client.seen.arrived.urgent.iter();
    let answers = answers.filter(|(topic, _)| *topic == format!("tm/v1/res/{id}"));
    let tell = |(_, operation): &(String, Json)| {
        let code = operation["problem"]["code"].as_str().unwrap_or_default();
        format!("{} {code}", operation["status"].as_str().unwrap())
    };
    answers.map(tell).collect()
}

async fn answered(client: &mut Client, id: &str, n: usize) -> Vec<String> {
    let is_final = |operation: &Json| {
        ["succeeded", "failed", "expired"].contains(&operation["status"].as_str().unwrap())
    };
    let topic = format!("tm/v1/res/{id}");
    client
        .until(id, |seen| {
            let answers = seen.arrived.urgent.iter();
            let of_it = answers.filter(|(at, operation)| *at == topic && is_final(operation));
            of_it.count() >= n
        })
        .await;
    answers(client, id)
}

async fn cloud(world: &World) -> Client {
    Client::connect("operator", &world.cloud, EVERYTHING).await
}

/// Until the uplink is subscribed at the cloud too.
async fn ready(cloud: &mut Client) {
    cloud
        .until("the uplink's health at the cloud", |seen| {
            seen.messages.iter().any(|message| {
                message.topic == "tm/test/health"
                    && message.payload.windows(4).any(|word| word == b"\"up\"")
            })
        })
        .await;
}

const OPEN: &str = r#"{"id":"open-1","service":"valve","op":"open","args":{"by":3}}"#;

#[tokio::test]
async fn a_command_is_carried_out_once_and_answered_as_often_as_it_is_asked() {
    let world = World::new();
    let mut cloud = cloud(&world).await;
    let running = world.start(world.config());
    let valve = Valve::start(&world).await;
    ready(&mut cloud).await;
    cloud.publish("tm/test/cmd", OPEN).await;
    let told = answered(&mut cloud, "open-1", 1).await;
    assert_eq!(told.last().unwrap(), "succeeded ");
    assert_eq!(valve.opened(), [json!({"by": 3})]);
    // The same id is the same operation, for the same service and for one that was started again.
    cloud.publish("tm/test/cmd", OPEN).await;
    answered(&mut cloud, "open-1", 2).await;
    assert_eq!(valve.opened().len(), 1);
    valve.stop().await;
    let valve = Valve::start(&world).await;
    cloud.publish("tm/test/cmd", OPEN).await;
    answered(&mut cloud, "open-1", 3).await;
    assert_eq!(valve.opened(), Vec::<Json>::new());
    // By the time that somebody is given up who never answers, nobody who did is.
    let nobody = r#"{"id":"nobody","service":"pump","op":"open"}"#;
    cloud.publish("tm/test/cmd", nobody).await;
    assert_eq!(
        answered(&mut cloud, "nobody", 1).await,
        ["failed service.unavailable"]
    );
    let told = answers(&cloud, "open-1");
    assert!(
        told.iter().all(|answer| !answer.starts_with("failed")),
        "{told:?}"
    );
    running.stop().await;
    valve.stop().await;
}

#[tokio::test]
async fn what_cannot_be_done_is_answered_too() {
    let world = World::new();
    let mut cloud = cloud(&world).await;
    let running = world.start(world.config());
    let mut source = standing(&world).await;
    let valve = Valve::start(&world).await;
    ready(&mut cloud).await;
    for (id, command, expected) in [
        (
            "nobody",
            r#"{"id":"nobody","service":"pump","op":"start"}"#,
            "failed service.unavailable",
        ),
        (
            "unknown",
            r#"{"id":"unknown","service":"valve","op":"explode"}"#,
            "failed operation.unknown",
        ),
        (
            "bad",
            r#"{"id":"bad","service":"valve","op":"open","args":7}"#,
            "failed operation.bad_arguments",
        ),
        (
            "late",
            r#"{"id":"late","service":"valve","op":"open","ttl_ms":1000,"issued_at":"2020-01-01T00:00:00.000Z"}"#,
            // This machine's clock may be one that nobody set.
            if Clock::system().stamp().clock.is_trusted() {
                "expired operation.expired"
            } else {
                "succeeded "
            },
        ),
    ] {
        cloud.publish("tm/test/cmd", command).await;
        let told = answered(&mut cloud, id, 1).await;
        assert_eq!(told.last().unwrap(), expected, "{id}");
    }
    cloud.publish("tm/test/cmd", "\u{1}{").await;
    source
        .until("an event", |seen| {
            let events = seen
                .messages
                .iter()
                .filter(|m| m.topic == "tm/v1/event/uplink");
            let refused = b"uplink.command_refused";
            let mut events = events.map(|m| m.payload.windows(refused.len()).any(|w| w == refused));
            events.any(|is_it| is_it)
        })
        .await;
    cloud
        .publish(
            "tm/test/cfg",
            r#"{"id":"map-1","service":"valve","document":"x = 1","dry_run":true}"#,
        )
        .await;
    answered(&mut cloud, "map-1", 1).await;
    assert_eq!(
        valve.opened().last().unwrap(),
        &json!({"document": "x = 1", "dry_run": true})
    );
    running.stop().await;
    valve.stop().await;
}

#[tokio::test]
async fn an_echo_shows_that_commands_arrive() {
    let world = World::new();
    let mut cloud = cloud(&world).await;
    let running = world.start(Config {
        commands_check_s: 1,
        ..world.config()
    });
    let mut source = standing(&world).await;
    let commands = |seen: &crate::world::Seen| {
        let states = seen
            .messages
            .iter()
            .rev()
            .filter(|m| m.topic == "tm/v1/state/uplink");
        let state = states
            .map(|m| serde_json::from_slice::<Json>(&m.payload).unwrap())
            .next();
        state.map_or(Json::Null, |state| state["commands"]["status"].clone())
    };
    source
        .until("an echo", |seen| commands(seen) == "alive")
        .await;
    ready(&mut cloud).await;
    running.stop().await;
    // A device that takes no commands says so, and subscribes to nothing.
    let running = world.start(Config {
        commands: false,
        ..world.config()
    });
    source
        .until("no commands", |seen| commands(seen) == "off")
        .await;
    health_says(&mut source, "up", |health| health["status"] == "up").await;
    tokio::time::timeout(Duration::from_secs(5), running.stop())
        .await
        .unwrap();
}
