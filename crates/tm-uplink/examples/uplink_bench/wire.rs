//! Bytes on the wire: ten minutes of the cabinet stream in ten batches over one TLS connection.
//!
//! Time is virtual: the polls carry the stamps of ten minutes, and each batch is closed as soon as its 60 s
//! are there, so the bytes are those of ten real minutes but for one keep-alive.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use tempfile::TempDir;
use tm_columns::cabinet::{Cabinet, measurements};
use tm_service::session::{Options, Outgoing, Pem, Qos, Session, SessionEvent, TlsOptions};
use tm_sim::Gate;
use tm_sim::gate::{GateCounts, GateHandle};
use tm_types::topic;

use crate::broker::{Certificates, Mosquitto};
use crate::collector::Collector;
use crate::process::Uplink;

/// Polls in 60 s of the cabinet stream.
const POLLS: usize = 126;
/// Batches in 600 s.
const BATCHES: u64 = 10;
/// IPv4 and TCP headers with the timestamp option, of every segment.
const HEADER_BYTES: u64 = 52;
/// Payload of a full segment on LTE (MTU 1430 less the headers, rounded down).
const SEGMENT_BYTES: u64 = 1378;
/// A keep-alive with TLS: PINGREQ and PINGRESP of 2 bytes, 22 bytes of record each, two segments and an ACK.
const PING_BYTES: u64 = 2 * (2 + 22) + 3 * HEADER_BYTES;

pub(crate) async fn measure(is_moving: bool) -> Result<()> {
    let directory = TempDir::new()?;
    let (certificates, ca_file) = certificates(directory.path())?;
    let (bus, cloud) = (
        Mosquitto::start()?,
        Mosquitto::start_with(Some(&certificates))?,
    );
    let mut options = Options::new(
        "collector",
        format!("mqtts://localhost:{}", cloud.address().port()).parse()?,
    );
    options.tls = TlsOptions {
        ca: Some(Pem::File(ca_file.clone().into())),
        ..TlsOptions::default()
    };
    let mut collector = Collector::connect_with(options).await?;
    let gate = Gate::open(cloud.address())?;
    let url = format!("mqtts://localhost:{}", gate.address().port());
    let variables = [
        ("TM_UPLINK_CA_FILE", ca_file.as_str()),
        ("TM_UPLINK_BATCH_S", "1"),
        ("TM_UPLINK_STATE_S", "0"),
        ("TM_UPLINK_COMMIT_MS", "100"),
    ];
    let uplink = Uplink::start(bus.address(), &url, &variables)?;
    collector.up().await?;
    let mut options = Options::new("source", format!("mqtt://{}", bus.address()).parse()?);
    options.window = 200;
    let mut source = Session::open(options);
    while !matches!(source.next().await, SessionEvent::Up { .. }) {}
    let mut cabinet = Cabinet::new(42, is_moving);
    let mut measured = 0;
    let mut last = gate.handle().counts();
    let (setup, mut batches) = (setup_bytes(last), 0);
    for batch in 1..=BATCHES {
        for (token, (name, poll)) in (0..).zip(cabinet.by_ref().take(POLLS)) {
            measured += measurements(&name, &poll);
            let message = Outgoing {
                token,
                topic: topic::data(&name),
                payload: poll.to_json().into(),
                qos: Qos::AtLeastOnce,
                retain: false,
            };
            source
                .feed(message)
                .map_err(|_| anyhow::anyhow!("the bus takes nothing"))?;
        }
        let mut n_taken = 0;
        while n_taken < POLLS {
            n_taken += usize::from(matches!(source.next().await, SessionEvent::Acked(_)));
        }
        collector
            .records(batch * POLLS as u64, Duration::from_secs(30))
            .await?;
        ensure!(
            collector.batches == batch,
            "60 s were not one batch: {} batches",
            collector.batches
        );
        // The PUBACK is still on its way back.
        let puback = async {
            while gate.handle().counts().to_clients == last.to_clients {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(5), puback)
            .await
            .context("wait for the PUBACK")?;
        let now = gate.handle().counts();
        batches += batch_bytes(last, now);
        last = now;
    }
    let again = reconnecting(&gate.handle()).await?;
    let usage = uplink.usage()?;
    #[expect(clippy::cast_precision_loss, reason = "counts far below 2^53")]
    let per = |bytes: u64| bytes as f64 / measured as f64;
    println!(
        "  {}: {:.3} B per measurement in all ({measured} measurements, {} B): batches with headers {:.3}, connecting {:.3}, a keep-alive {:.3}; payloads alone {:.3}; RSS {} KiB; connecting again {again} B",
        if is_moving { "moving" } else { "still" },
        per(setup + batches + PING_BYTES),
        setup + batches + PING_BYTES,
        per(batches),
        per(setup),
        per(PING_BYTES),
        per(collector.payload_bytes),
        usage.rss_kib
    );
    Ok(())
}

/// What the next connection costs after this one was cut: its handshake is resumed, and brings no certificate.
async fn reconnecting(gate: &GateHandle) -> Result<u64> {
    // The last PUBACK has to arrive, or its batch is sent again.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let before = gate.counts();
    gate.cut();
    let mut last = before;
    let settled = async {
        loop {
            tokio::time::sleep(Duration::from_millis(500)).await;
            let now = gate.counts();
            if now.n_connections > before.n_connections && now.n_open > 0 && now == last {
                return now;
            }
            last = now;
        }
    };
    let now = tokio::time::timeout(Duration::from_secs(30), settled).await;
    let now = now.context("wait for the next connection")?;
    ensure!(
        now.n_connections == before.n_connections + 1,
        "more than one connection was made"
    );
    Ok(setup_bytes(GateCounts {
        to_target: now.to_target - before.to_target,
        to_clients: now.to_clients - before.to_clients,
        ..now
    }))
}

/// Segments that carry no batch: three to connect; ClientHello, the server's flight, our finish, CONNECT, tickets, CONNACK,
/// health and its PUBACK; two bare ACKs; four to part.
const SETUP_SEGMENTS: u64 = 3 + 8 + 2 + 4;

fn setup_bytes(counts: GateCounts) -> u64 {
    counts.to_target + counts.to_clients + SETUP_SEGMENTS * HEADER_BYTES
}

/// A batch: full segments up, one down with the PUBACK, an ACK for it; the PUBACK acknowledges the batch itself.
fn batch_bytes(before: GateCounts, after: GateCounts) -> u64 {
    let (up, down) = (
        after.to_target - before.to_target,
        after.to_clients - before.to_clients,
    );
    up + down + (up.div_ceil(SEGMENT_BYTES) + 2) * HEADER_BYTES
}

/// A certificate for `localhost` that is its own authority.
fn certificates(directory: &std::path::Path) -> Result<(Certificates, String)> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    let (certificate, key) = (directory.join("certificate.pem"), directory.join("key.pem"));
    std::fs::write(&certificate, made.cert.pem())?;
    std::fs::write(&key, made.signing_key.serialize_pem())?;
    let ca_file = certificate.to_string_lossy().into_owned();
    Ok((Certificates { certificate, key }, ca_file))
}
