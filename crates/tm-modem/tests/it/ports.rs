//! A port that is missing, comes, vanishes and returns; and what is remembered of it.

use tm_sim::sim7600::{Line, Scenario};

use crate::bench::Bench;

#[tokio::test]
async fn a_serial_port_comes_and_goes() {
    let mut bench = Bench::new().await;
    let nodes = bench.directory.path().join("dev");
    std::fs::create_dir(&nodes).unwrap();
    let handle = bench.module.handle();
    let paths = bench.module.on_ptys(&nodes).await.unwrap();
    handle.play(Scenario::Unplugged);
    while paths.at.exists() {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let (at, nmea) = (
        paths.at.display().to_string(),
        paths.nmea.display().to_string(),
    );
    let variables = [
        ("TM_MODEM_PORT", at.as_str()),
        ("TM_MODEM_NMEA_PORT", nmea.as_str()),
    ];
    bench.start(&variables);
    // Never seen and not expected: a sentence, no fault.
    bench.cause("modem.not_configured").await;
    let health = bench
        .wait("tm/v1/health/modem", |health| {
            health["reasons"] != serde_json::json!([])
        })
        .await;
    assert_eq!(health["status"], "up");
    handle.play(Scenario::Normal);
    let modem = bench.cause("modem.registered").await;
    assert_eq!(modem["port"], at.as_str());
    handle.inject_garbage(Line::At, b"\x00\xff\r\nnoise \r\n+CREG: ");
    handle.play(Scenario::Unplugged);
    // Now it is missed, also by a service that was started anew.
    bench.cause("modem.absent").await;
    bench
        .wait("tm/v1/health/modem", |health| {
            health["status"] == "degraded"
        })
        .await;
    bench.stop().await;
    bench
        .wait("tm/v1/health/modem", |health| health["status"] == "down")
        .await;
    bench.start(&variables);
    bench
        .wait("tm/v1/health/modem", |health| {
            health["status"] == "degraded"
        })
        .await;
    handle.play(Scenario::Normal);
    bench.cause("modem.registered").await;
    bench
        .wait("tm/v1/health/modem", |health| health["status"] == "up")
        .await;
}
