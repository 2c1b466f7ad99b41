//! Operations between an asker and an executor, through a real broker.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;
use tm_service::bus::{Bus, BusEvent, BusOptions, Request};
use tm_service::{Clock, Host};
use tm_sim::broker::Broker;
use tm_types::{Instance, Operation, OperationId, OperationStatus as Status, code};

use crate::bus::temporary;
use crate::peer::{FakeBroker, Seen, within};

struct Pair {
    executor: Host,
    asker: Bus,
    url: String,
    _directories: [TempDir; 2],
}

const OPERATIONS: BusOptions = BusOptions {
    subscriptions: Vec::new(),
    persistent: false,
    operations: &["reset", "restart", "reboot"],
    follow_results: false,
};

async fn pair() -> Pair {
    let url = Broker::start().expect("a broker").url();
    let directories = [temporary(), temporary()];
    let host = |name, directory: &TempDir| {
        Host::for_test(name, directory.path(), &url, Clock::system()).expect("a host")
    };
    let executor = host("modem", &directories[0]);
    let mut asker = host("api", &directories[1]).bus.open(BusOptions {
        follow_results: true,
        ..BusOptions::default()
    });
    up(&mut asker).await;
    Pair {
        executor,
        asker,
        url,
        _directories: directories,
    }
}

async fn up(bus: &mut Bus) {
    while !matches!(within(bus.next()).await, BusEvent::Up { .. }) {}
}

async fn command(bus: &mut Bus) -> Request {
    loop {
        if let BusEvent::Command(request) = within(bus.next()).await {
            return request;
        }
    }
}

async fn operation(bus: &mut Bus, id: &OperationId, status: Status) -> Operation {
    loop {
        if let BusEvent::Operation(operation) = within(bus.next()).await
            && operation.id == *id
            && operation.status == status
        {
            return operation;
        }
    }
}

fn ask(asker: &Bus, op: &str) -> OperationId {
    let service = Instance::new("modem").expect("a name");
    asker.request(
        &service,
        op,
        json!({"hard": true}),
        Duration::from_secs(10),
        "api",
    )
}

#[tokio::test]
async fn an_operation_goes_from_accepted_to_succeeded_and_is_done_once() {
    let mut pair = pair().await;
    let mut bus = pair.executor.bus.open(OPERATIONS);
    up(&mut bus).await;
    let id = ask(&pair.asker, "reset");
    let request = command(&mut bus).await;
    assert_eq!((&request.id, request.op.as_str()), (&id, "reset"));
    assert_eq!(
        (request.args, request.issuer.as_str()),
        (json!({"hard": true}), "api")
    );
    operation(&mut pair.asker, &id, Status::Accepted).await;
    bus.progress(&id, Some(40));
    let running = operation(&mut pair.asker, &id, Status::Running).await;
    assert_eq!(running.progress_percent, Some(40));
    bus.succeed(&id, json!("done"));
    let done = operation(&mut pair.asker, &id, Status::Succeeded).await;
    assert_eq!(done.result, Some(json!("done")));

    // Late words change nothing, and the same id is the same operation.
    bus.fail(&id, &code::OPERATION_FAILED.plain());
    let service = Instance::new("modem").expect("a name");
    let repeat = Duration::from_secs(10);
    pair.asker
        .request_with_id(id.clone(), &service, "reset", json!({}), repeat, "api");
    operation(&mut pair.asker, &id, Status::Succeeded).await;
    let next = ask(&pair.asker, "reset");
    assert_eq!(
        command(&mut bus).await.id,
        next,
        "the repeat was not delivered"
    );
}

#[tokio::test]
async fn failures_carry_a_problem() {
    let mut pair = pair().await;
    let mut bus = pair.executor.bus.open(OPERATIONS);
    up(&mut bus).await;
    let unknown = ask(&pair.asker, "explode");
    let failed = operation(&mut pair.asker, &unknown, Status::Failed).await;
    let problem = failed.problem.expect("a problem");
    assert_eq!(
        (problem.code.as_str(), problem.status),
        ("operation.unknown", 404)
    );

    let bad = ask(&pair.asker, "reset");
    let cause = code::OPERATION_BAD_ARGUMENTS.with("detail", "hard is true or false");
    let refused = command(&mut bus).await;
    bus.fail(&refused.id, &cause);
    let failed = operation(&mut pair.asker, &bad, Status::Failed).await;
    let problem = failed.problem.expect("a problem");
    assert_eq!(problem.instance.as_deref(), Some(bad.as_str()));
    assert_eq!(problem.status, 400);
}

#[tokio::test]
async fn a_service_that_is_not_there_is_unavailable() {
    let mut pair = pair().await;
    let id = ask(&pair.asker, "reset");
    let failed = operation(&mut pair.asker, &id, Status::Failed).await;
    assert_eq!(
        failed.problem.expect("a problem").code,
        "service.unavailable"
    );
}

#[tokio::test]
async fn without_a_broker_a_request_fails_and_is_never_sent() {
    let broker = FakeBroker::bind().await;
    let address = broker.address();
    drop(broker);
    let directory = temporary();
    let url = format!("mqtt://{address}");
    let host = Host::for_test("api", directory.path(), &url, Clock::system()).expect("a host");
    let mut bus = host.bus.open(BusOptions::default());
    let id = ask(&bus, "reset");
    operation(&mut bus, &id, Status::Failed).await;
    let broker = FakeBroker::bind_to(address).await;
    let (mut peer, _) = broker.accept(false).await;
    bus.state(&json!({}));
    let Seen::Publish { topic, .. } = peer.read_message().await else {
        panic!("a publish");
    };
    assert_eq!(topic, "tm/v1/state/api", "and no command before it");
}

#[tokio::test]
async fn an_operation_that_comes_too_late_expires() {
    let mut pair = pair().await;
    let mut bus = pair.executor.bus.open(OPERATIONS);
    up(&mut bus).await;
    let service = Instance::new("modem").expect("a name");
    let at_once = Duration::ZERO;
    let id = pair
        .asker
        .request(&service, "reset", json!({}), at_once, "sms");
    // Accepted, but the service looks only now.
    operation(&mut pair.asker, &id, Status::Accepted).await;
    let next = ask(&pair.asker, "reset");
    assert_eq!(command(&mut bus).await.id, next);
    let expired = operation(&mut pair.asker, &id, Status::Expired).await;
    assert_eq!(
        expired.problem.expect("a problem").code,
        "operation.expired"
    );
}

#[tokio::test]
async fn what_ran_when_the_service_ended_was_interrupted_but_a_restart_was_done() {
    let mut pair = pair().await;
    let mut bus = pair.executor.bus.open(OPERATIONS);
    up(&mut bus).await;
    let mut ids = Vec::new();
    for op in ["reset", "restart", "reboot"] {
        let id = ask(&pair.asker, op);
        assert_eq!(command(&mut bus).await.id, id);
        bus.progress(&id, None);
        operation(&mut pair.asker, &id, Status::Running).await;
        ids.push(id);
    }
    drop(bus);
    pair.executor.bus.closed().await;

    // A new process of the same instance finds its book in the store.
    let directory = pair.executor.store.directory().to_owned();
    let host = Host::for_test("modem", &directory, &pair.url, Clock::system()).expect("a host");
    let bus = host.bus.open(OPERATIONS);
    let mut outcomes = HashMap::new();
    while outcomes.len() < ids.len() {
        if let BusEvent::Operation(operation) = within(pair.asker.next()).await
            && operation.status.is_final()
        {
            let code = operation.problem.map(|problem| problem.code);
            outcomes.insert(operation.id, (operation.status, code));
        }
    }
    let interrupted = (Status::Failed, Some("operation.interrupted".to_owned()));
    assert_eq!(outcomes[&ids[0]], interrupted);
    assert_eq!(outcomes[&ids[1]], (Status::Succeeded, None));
    assert_eq!(outcomes[&ids[2]], interrupted, "the machine did not reboot");
    drop(bus);
    host.bus.closed().await;
}

#[tokio::test]
async fn commands_of_a_crooked_kind_are_passed_over() {
    let (directory, broker) = (temporary(), FakeBroker::bind().await);
    let host = Host::for_test("modem", directory.path(), &broker.url(), Clock::system());
    let mut bus = host.expect("a host").bus.open(OPERATIONS);
    let (mut peer, _) = broker.accept(false).await;
    peer.confirm_subscription().await;
    let good = |id: &str| {
        json!({"id": id, "args": {}, "ttl_ms": 10_000, "issuer": "api",
               "issued_at": "2026-11-23T08:00:00Z"})
        .to_string()
    };
    let topic = "tm/v1/cmd/modem/reset";
    peer.publish(topic, good("retained").as_bytes(), None, true)
        .await;
    peer.publish(topic, b"{", Some(1), false).await;
    peer.publish(topic, b"", Some(2), false).await;
    peer.publish(topic, good("no/id").as_bytes(), Some(3), false)
        .await;
    peer.publish(topic, good("real").as_bytes(), Some(4), false)
        .await;
    assert_eq!(command(&mut bus).await.id.as_str(), "real");
}
