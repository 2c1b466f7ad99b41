use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tm_sim::broker::Broker;
use tm_sim::gate::{Gate, GateHandle};

use crate::cabinet::{Cabinet, DEADLINE};

/// An address at which nobody listens: the discard port.
const NOBODY: &str = "127.0.0.1:9";

/// Waits until six services have tried to connect, each more than once.
async fn everybody_tries(gate: &GateHandle) {
    let (began, before) = (Instant::now(), gate.counts().n_connections);
    while gate.counts().n_connections < before + 12 {
        assert!(began.elapsed() < DEADLINE, "they try again");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn address(cabinet: &Cabinet) -> SocketAddr {
    let address = cabinet.demo.bus.trim_start_matches("mqtt://");
    address.parse().unwrap()
}

#[tokio::test]
async fn measuring_goes_on_and_catches_up() {
    let cabinet = Cabinet::start(&["TM_UPLINK_BATCH_S=1"]).await;
    cabinet
        .until("/api/v1/uplink", |uplink| {
            uplink["batches_acked"].as_u64() > Some(0)
        })
        .await;
    cabinet
        .until_cloud("sensors", |cloud| cloud.sources.contains("sensors"))
        .await;
    let before = cabinet.polls("sensors").len();

    let gate = &cabinet.demo.bus_gate;
    gate.set_target(NOBODY.parse().unwrap());
    gate.cut();
    everybody_tries(gate).await;
    // The page does not go away with the broker.
    assert_eq!(cabinet.get("/").await.status, 200);
    assert_eq!(cabinet.get("/readyz").await.status, 503);
    gate.set_target(address(&cabinet));

    cabinet.until_polls("sensors", before + 5).await;
    cabinet.assert_no_gap("sensors");
}

#[tokio::test]
async fn a_broker_that_comes_late_is_found_and_gets_what_was_measured_before_it() {
    // Nobody is behind the gate yet.
    let gate = Gate::open(NOBODY.parse().unwrap()).unwrap();
    let bus = format!("TM_BUS_URL=mqtt://{}", gate.address());
    let cabinet = Cabinet::start(&["TM_UPLINK_BATCH_S=1", &bus]).await;
    everybody_tries(&gate.handle()).await;
    assert_eq!(cabinet.get("/readyz").await.status, 503);
    assert!(cabinet.demo.is_alive());

    gate.handle().set_target(address(&cabinet));
    cabinet
        .until("/api/v1/status", |status| status["level"] == "ok")
        .await;
    cabinet.until_polls("sensors", 5).await;
    cabinet.assert_no_gap("sensors");
}

#[tokio::test]
async fn a_broker_that_forgot_everything_is_told_again() {
    let mut cabinet = Cabinet::start(&["TM_UPLINK_BATCH_S=1"]).await;
    cabinet
        .until("/api/v1/status", |status| status["level"] == "ok")
        .await;
    let other = Broker::start().unwrap();
    cabinet.demo.bus_gate.set_target(other.address());
    cabinet.demo.bus_gate.cut();
    cabinet.demo.bus = other.url();

    // The uplink stands in it again, and takes what anybody publishes there.
    let batches = cabinet.batches().await;
    cabinet
        .until("/api/v1/uplink", |uplink| {
            uplink["batches_acked"].as_u64() > Some(batches + 2)
        })
        .await;
    let messages =
        [1, 2, 3].map(|level| format!(r#"{{"points":[{{"name":"level","value":{level}}}]}}"#));
    cabinet.publish("tm/v1/data/tank", &messages).await;
    cabinet
        .until_cloud("the tank", |cloud| cloud.sources.contains("tank"))
        .await;
    cabinet
        .until("/api/v1/series/latest?source=tank", |latest| {
            latest.to_string().contains("level")
        })
        .await;
    cabinet
        .until("/api/v1/status", |status| status["level"] == "ok")
        .await;
}
