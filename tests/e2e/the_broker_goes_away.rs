use std::time::{Duration, Instant};

use tm_sim::broker::Broker;
use tm_sim::gate::{Gate, GateMode};

use crate::cabinet::{Cabinet, DEADLINE};

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

    cabinet.demo.bus_gate.set_mode(GateMode::Refuse);
    cabinet.demo.bus_gate.cut();
    // The page does not go away with the broker.
    cabinet
        .until("/api/v1/status", |status| status["level"] != "ok")
        .await;
    cabinet.demo.bus_gate.set_mode(GateMode::Forward);

    cabinet.until_polls("sensors", before + 5).await;
    cabinet.assert_no_gap("sensors");
}

#[tokio::test]
async fn a_broker_that_comes_late_is_found_and_gets_what_was_measured_before_it() {
    // Nobody is behind the gate yet.
    let gate = Gate::open("127.0.0.1:9".parse().unwrap()).unwrap();
    let bus = format!("TM_BUS_URL=mqtt://{}", gate.address());
    let cabinet = Cabinet::start(&["TM_UPLINK_BATCH_S=1", &bus]).await;
    let began = Instant::now();
    // Six services, each more than once.
    while gate.handle().counts().n_connections < 12 {
        assert!(began.elapsed() < DEADLINE, "they try again");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(cabinet.get("/readyz").await.status, 503);
    assert!(cabinet.demo.is_alive());

    let broker = cabinet.demo.bus.trim_start_matches("mqtt://");
    gate.handle().set_target(broker.parse().unwrap());
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
