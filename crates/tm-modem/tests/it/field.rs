//! What the field does every day: no SIM, no network, silence.

use tm_sim::sim7600::Scenario;

use crate::bench::{Bench, point};

/// A registered modem on TCP, polled every 5 s.
async fn registered() -> Bench {
    let mut bench = Bench::new().await;
    let ports = bench.module.on_tcp().unwrap();
    let (at, nmea) = (
        format!("tcp://{}", ports.at),
        format!("tcp://{}", ports.nmea),
    );
    bench.start(&[
        ("TM_MODEM_PORT", &at),
        ("TM_MODEM_NMEA_PORT", &nmea),
        ("TM_MODEM_POLL_S", "5"),
    ]);
    let modem = bench.cause("modem.registered").await;
    assert_eq!(modem["port"], at.as_str());
    bench
}

async fn check(scenario: Scenario, code: &str) {
    let mut bench = registered().await;
    let play = bench.module.handle();
    play.play(scenario);
    bench.cause(code).await;
    play.play(Scenario::Normal);
    bench.cause("modem.registered").await;
}

#[tokio::test]
async fn every_trouble_has_its_cause_and_passes() {
    tokio::join!(
        check(Scenario::NoSim, "modem.sim_absent"),
        check(Scenario::Searching, "modem.searching"),
        check(Scenario::Denied, "modem.denied"),
        check(Scenario::Roaming, "modem.roaming"),
        check(Scenario::Mute, "modem.mute"),
        check(Scenario::Unplugged, "modem.port_unusable"),
    );
}

#[tokio::test]
async fn a_wrong_access_point_is_explained_and_passes() {
    let mut bench = registered().await;
    let play = bench.module.handle();
    play.play(Scenario::WrongApn);
    let modem = bench.cause("modem.wrong_apn").await;
    assert_eq!(modem["cause"]["args"]["apn"], "statikip");
    assert_eq!(modem["cause"]["args"]["operator"], "Vodafone UA");
    assert_eq!(modem["cause"]["args"]["known"], "internet, staticip");
    assert_eq!(modem["registration"]["status"], "home");
    assert_eq!(modem["data"]["active"], false);
    let is_told = |health: &serde_json::Value| {
        health["status"] == "degraded" && health["reasons"][0]["code"] == "modem.wrong_apn"
    };
    bench.wait("tm/v1/health/modem", is_told).await;
    play.play(Scenario::ApnNormal);
    let modem = bench.cause("modem.registered").await;
    assert_eq!(modem["data"]["active"], true);
    bench
        .wait("tm/v1/health/modem", |health| health["status"] == "up")
        .await;
}

#[tokio::test]
async fn what_is_measured_reaches_the_bus() {
    let mut bench = registered().await;
    let modem = bench.cause("modem.registered").await;
    assert_eq!(modem["presence"], "present");
    assert_eq!(modem["identity"]["model"], "SIM7600G-H");
    assert_eq!(modem["identity"]["imei"], "860000000000001");
    assert_eq!(modem["sim"]["iccid"], "8938001000000000001");
    let is_read = |data: &serde_json::Value| point(data, "1/rsrp")["quality"] == "good";
    let data = bench.wait("tm/v1/data/modem", is_read).await;
    let rsrp = point(&data, "1/rsrp")["value"].as_f64().unwrap();
    assert!((-140.0..-44.0).contains(&rsrp), "{rsrp}");
    assert_eq!(point(&data, "1/rsrp")["unit"], "dBm");
    assert!(point(&data, "1/cell")["value"].is_u64(), "{data}");
    assert_eq!(point(&data, "1/registration")["value"], "home");
    // The engine was off: it was switched on, and its sentences are relayed.
    let has_position = |sentences: &serde_json::Value| {
        sentences
            .as_str()
            .is_some_and(|text| text.contains("$GPGGA") && text.ends_with('\n'))
    };
    bench.wait("tm/v1/nmea/modem", has_position).await;
    // Two readings of the network's time, five seconds apart, agree.
    let anchor = bench.wait("tm/v1/clock/modem", |_| true).await;
    assert_eq!(anchor["source"], "network");
    // A reset loses the engine; it is switched on again.
    bench.module.handle().play(Scenario::BrownOutReset);
    bench
        .wait_anew("tm/v1/state/modem", |state| {
            state["modems"][0]["presence"] == "present"
        })
        .await;
    bench.wait_anew("tm/v1/nmea/modem", has_position).await;
}

#[tokio::test]
async fn a_pin_is_entered() {
    let mut bench = Bench::new().await;
    bench.module.handle().play(Scenario::PinRequired);
    let ports = bench.module.on_tcp().unwrap();
    let at = format!("tcp://{}", ports.at);
    bench.start(&[("TM_MODEM_PORT", &at), ("TM_MODEM_NMEA_RELAY", "false")]);
    bench.cause("modem.sim_pin_required").await;
    bench.stop().await;
    bench.start(&[
        ("TM_MODEM_PORT", &at),
        ("TM_MODEM_NMEA_RELAY", "false"),
        ("TM_MODEM_PIN", "0042"),
    ]);
    bench.cause("modem.registered").await;
}
