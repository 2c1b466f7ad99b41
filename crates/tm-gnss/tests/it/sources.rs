//! Every kind of source, and what happens when it is not there, stops or loses the sky.

use tm_service::Clock;
use tm_sim::sim7600::{Line, Scenario};
use tm_types::{Anchor, Source};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufStream};
use tokio::net::{TcpListener, TcpStream};

use crate::bench::Bench;

/// What a busy machine may add to the way of a sentence.
const BUSY_MS: i64 = 250;

#[tokio::test]
async fn a_receiver_on_tcp_comes_loses_the_sky_and_goes() {
    let mut bench = Bench::new().await;
    let url = format!("tcp://{}", bench.receiver.on_tcp().unwrap().nmea);
    bench.start(&[("TM_GNSS_SOURCE", &url), ("TM_GNSS_PUBLISH_S", "1")]);
    let state = bench.cause("gnss.fix").await;
    assert_eq!(state["source"], url.as_str());
    let latitude = state["fix"]["latitude_deg"].as_f64().unwrap();
    assert!((latitude - 48.9226).abs() < 0.01, "{latitude}");
    assert!(!state["satellites"].as_array().unwrap().is_empty());
    let is_position = |data: &serde_json::Value| data["points"][0]["quality"] == "good";
    let data = bench.wait("tm/v1/data/gnss", is_position).await;
    assert_eq!(
        (&data["points"][0]["name"], &data["points"][0]["unit"]),
        (&"latitude".into(), &"lat".into())
    );
    let anchor = bench.wait("tm/v1/clock/gnss", |_| true).await;
    assert_eq!(anchor["source"], "gnss");
    // The receiver's time is this machine's own: the anchor must be, too.
    let anchor: Anchor = serde_json::from_value(anchor).unwrap();
    let now = Clock::system().stamp();
    assert_eq!(anchor.boot, now.boot);
    let since_ms = i64::try_from(now.mono_ms - anchor.mono_ms).unwrap();
    let off_ms = now.time.ms_since(anchor.utc.plus_ms(since_ms)).abs();
    let bound_ms = i64::from(anchor.err_ms) + BUSY_MS;
    assert!(off_ms <= bound_ms, "{off_ms} ms");
    let play = bench.receiver.handle();
    play.play(Scenario::NoSky);
    let lost = bench.cause("gnss.no_fix").await;
    assert_eq!(lost["fix"]["mode"], "none");
    play.inject_garbage(Line::Nmea, b"$GPGGA,\xff\xfe*00\r\nnonsense");
    play.play(Scenario::Normal);
    bench.cause("gnss.fix").await;
    play.play(Scenario::Unplugged);
    bench.cause("gnss.source_unusable").await;
    bench
        .wait("tm/v1/health/gnss", |health| health["status"] == "degraded")
        .await;
    play.play(Scenario::Normal);
    bench.cause("gnss.fix").await;
    bench
        .wait("tm/v1/health/gnss", |health| health["status"] == "up")
        .await;
}

#[tokio::test]
async fn a_false_sky_is_suspected_and_doubted() {
    let mut bench = Bench::new().await;
    let url = format!("tcp://{}", bench.receiver.on_tcp().unwrap().nmea);
    bench.start(&[("TM_GNSS_SOURCE", &url), ("TM_GNSS_PUBLISH_S", "1")]);
    bench.cause("gnss.fix").await;
    let has_quality = |quality: &'static str| {
        move |data: &serde_json::Value| data["points"][0]["quality"] == quality
    };
    bench.wait("tm/v1/data/gnss", has_quality("good")).await;
    bench.receiver.handle().play(Scenario::Spoofing);
    let state = bench.cause("gnss.spoofing_suspected").await;
    assert_eq!(state["cause"]["args"]["time_s"], "+420");
    assert_eq!(state["suspicion"]["satellites"], 20);
    let trusted = state["suspicion"]["trusted_latitude_deg"].as_f64().unwrap();
    assert!((trusted - 48.9226).abs() < 0.001, "{trusted}");
    let data = bench
        .wait("tm/v1/data/gnss", has_quality("uncertain"))
        .await;
    assert_eq!(data["points"][0]["reason"], "implausible");
    let is_told = |health: &serde_json::Value| {
        health["status"] == "degraded" && health["reasons"][0]["code"] == "gnss.spoofing_suspected"
    };
    bench.wait("tm/v1/health/gnss", is_told).await;
    let event = bench.wait("tm/v1/event/gnss", |_| true).await;
    assert_eq!(event["severity"], "warning");
    assert_eq!(event["cause"]["code"], "gnss.spoofing_suspected");
}

#[tokio::test]
async fn a_serial_receiver_is_not_configured_until_it_is_there() {
    let mut bench = Bench::new().await;
    let nodes = bench.directory.path().join("dev");
    std::fs::create_dir(&nodes).unwrap();
    let node = nodes.join("nmea").display().to_string();
    bench.start(&[("TM_GNSS_SOURCE", &node)]);
    bench.cause("gnss.not_configured").await;
    bench.receiver.on_ptys(&nodes).await.unwrap();
    bench.cause("gnss.fix").await;
    bench.receiver.handle().play(Scenario::Unplugged);
    bench.cause("gnss.source_unusable").await;
    bench.receiver.handle().play(Scenario::Normal);
    bench.cause("gnss.fix").await;
}

#[tokio::test]
async fn a_relay_on_the_bus_is_found() {
    let mut bench = Bench::new().await;
    bench.start(&[]);
    bench.cause("gnss.not_configured").await;
    let mut line = loop {
        match bench.receiver.handle().open(Line::Nmea).await {
            Ok(line) => break line,
            Err(_) => tokio::time::sleep(std::time::Duration::from_millis(20)).await,
        }
    };
    let relay = bench.bus.handle();
    let relaying = tokio::spawn(async move {
        let source = Source::new("modem").unwrap();
        let mut bytes = vec![0; 4096];
        while let Ok(n @ 1..) = line.read(&mut bytes).await {
            relay.nmea(&source, bytes[..n].to_vec());
        }
    });
    let state = bench.cause("gnss.fix").await;
    assert_eq!(state["source"], "bus:modem");
    relaying.abort();
    bench.cause("gnss.silent").await;
    bench
        .wait("tm/v1/health/gnss", |health| health["status"] == "degraded")
        .await;
}

#[tokio::test]
async fn a_gpsd_is_asked_for_the_sentences_of_its_receiver() {
    let mut bench = Bench::new().await;
    let nmea = bench.receiver.on_tcp().unwrap().nmea;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("gpsd://{}", listener.local_addr().unwrap());
    bench.start(&[("TM_GNSS_SOURCE", &url)]);
    // As a gpsd 3.25 greets and answers, recorded from its own clients' dialogue.
    let gpsd = tokio::spawn(async move {
        let (client, _) = listener.accept().await.unwrap();
        let mut client = BufStream::new(client);
        let greeting = "{\"class\":\"VERSION\",\"release\":\"3.25\",\"rev\":\"3.25\",\"proto_major\":3,\"proto_minor\":15}\r\n";
        client.write_all(greeting.as_bytes()).await.unwrap();
        client.flush().await.unwrap();
        let mut request = String::new();
        client.read_line(&mut request).await.unwrap();
        assert_eq!(request, "?WATCH={\"enable\":true,\"nmea\":true};\r\n");
        let answer = "{\"class\":\"DEVICES\",\"devices\":[{\"class\":\"DEVICE\",\"path\":\"/dev/ttyACM0\"}]}\r\n\
            {\"class\":\"WATCH\",\"enable\":true,\"json\":false,\"nmea\":true}\r\n";
        client.write_all(answer.as_bytes()).await.unwrap();
        client.flush().await.unwrap();
        let mut receiver = TcpStream::connect(nmea).await.unwrap();
        tokio::io::copy(&mut receiver, &mut client.into_inner()).await
    });
    let state = bench.cause("gnss.fix").await;
    assert_eq!(state["source"], url.as_str());
    gpsd.abort();
    bench.cause("gnss.source_unusable").await;
}

#[tokio::test]
async fn a_recording_is_played() {
    let mut bench = Bench::new().await;
    let log = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../tm-proto/tests/nmea/bu353s4.log"
    );
    let url = format!("file:{log}");
    bench.start(&[("TM_GNSS_SOURCE", &url)]);
    let state = bench.cause("gnss.fix").await;
    assert_eq!(state["source"], url.as_str());
    let latitude = state["fix"]["latitude_deg"].as_f64().unwrap();
    assert!((latitude - -37.7848).abs() < 0.001, "{latitude}");
}
