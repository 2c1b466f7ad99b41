//! Bytes on the wire: ten minutes of the cabinet stream in ten batches over one TLS connection.
//!
//! Time is virtual: the polls carry the stamps of ten minutes, and each batch is closed as soon as its 60 s
//! are there, so the bytes are those of ten real minutes but for one keep-alive.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use tempfile::TempDir;
use tm_columns::cabinet::{Cabinet, measurements};
use tm_service::session::{Options, Pem, TlsOptions};
use tm_sim::Gate;
use tm_sim::gate::{GateCounts, GateHandle};
use tm_types::{Poll, Source};

use super::collector::Collector;
use super::load::Load;
use super::mosquitto::{Certificates, Mosquitto};
use super::process::Uplink;
use super::{Bench, per};

/// So many polls may be more than a batch takes.
const MANY_POLLS: u64 = 500;
/// IPv4 and TCP headers with the timestamp option, of every segment.
pub(super) const HEADER_BYTES: u64 = 52;
/// Payload of a full segment on LTE (MTU 1430 less the headers, rounded down).
const SEGMENT_BYTES: u64 = 1378;
/// A keep-alive with TLS: PINGREQ and PINGRESP of 2 bytes, 22 bytes of record each, two segments and an ACK.
pub(super) const PING_BYTES: u64 = 2 * (2 + 22) + 3 * HEADER_BYTES;

/// What goes over the wire, and how.
#[derive(Clone, Copy)]
pub(super) struct Case {
    pub(super) payload: &'static str,
    pub(super) seed: u64,
    pub(super) is_moving: bool,
    /// The cabinet is polled every so many seconds.
    pub(super) every_s: u64,
    pub(super) batch_s: u64,
    pub(super) batches: u64,
}

/// Ten minutes in ten batches: what design §11 has a target for.
const TEN_MINUTES: Case = Case {
    payload: "columns",
    seed: 42,
    is_moving: false,
    every_s: 1,
    batch_s: 60,
    batches: 10,
};

/// What was counted; headers of TCP and IP included.
pub(super) struct Counted {
    pub(super) measured: u64,
    pub(super) connecting: u64,
    pub(super) batches: u64,
    pub(super) payload: u64,
    /// The next connection, resumed.
    pub(super) again: u64,
    rss_kib: u64,
}

pub(super) async fn measure(bench: &Bench) -> Result<()> {
    println!(
        "bytes on the wire, TLS, one connection over 10 batches of 60 s of the cabinet stream:"
    );
    for is_moving in [false, true] {
        let case = Case {
            is_moving,
            ..TEN_MINUTES
        };
        let counted = count(bench, case).await?;
        let measured = per(counted.measured, 1.0);
        let in_all = counted.connecting + counted.batches + PING_BYTES;
        println!(
            "  {}: {:.3} B per measurement in all ({} measurements, {in_all} B): batches with headers {:.3}, connecting {:.3}, a keep-alive {:.3}; payloads alone {:.3}; RSS {} KiB; connecting again {} B",
            if is_moving { "moving" } else { "still" },
            per(in_all, measured),
            counted.measured,
            per(counted.batches, measured),
            per(counted.connecting, measured),
            per(PING_BYTES, measured),
            per(counted.payload, measured),
            counted.rss_kib,
            counted.again
        );
    }
    Ok(())
}

pub(super) async fn count(bench: &Bench, case: Case) -> Result<Counted> {
    let directory = TempDir::new()?;
    let (certificates, ca_file) = certificates(directory.path())?;
    let (bus, cloud) = (
        Mosquitto::start()?,
        Mosquitto::start_with(Some(&certificates), "")?,
    );
    let mut collector = Collector::connect_with(options_of(&cloud, &ca_file)?).await?;
    let gate = Gate::open(cloud.address())?;
    let url = format!("mqtts://localhost:{}", gate.address().port());
    let variables = [
        ("TM_UPLINK_CA_FILE", ca_file.as_str()),
        ("TM_UPLINK_PAYLOAD", case.payload),
        ("TM_UPLINK_BATCH_S", "1"),
        ("TM_UPLINK_STATE_S", "0"),
        ("TM_UPLINK_COMMIT_MS", "100"),
    ];
    let uplink = Uplink::start(bench, bus.address(), &url, &variables)?;
    collector.up().await?;
    let mut load = Load::connect(bus.address())?;
    let mut stream = Seconds::of(Cabinet::new(case.seed, case.is_moving));
    let mut numbers = Numbers::default();
    let (mut measured, mut sent) = (0, 0);
    let mut last = gate.handle().counts();
    let connecting = setup_bytes(last);
    let mut batches = 0;
    for batch in 1..=case.batches {
        let mut polls = Vec::new();
        for second in stream.by_ref().take(usize::try_from(case.batch_s)?) {
            if second.number.is_multiple_of(case.every_s) {
                polls.extend(
                    second
                        .polls
                        .into_iter()
                        .map(|poll| numbers.renumbered(poll)),
                );
            }
        }
        measured += polls
            .iter()
            .map(|(source, poll)| measurements(source, poll) as u64)
            .sum::<u64>();
        let n_polls = polls.len() as u64;
        if n_polls == 0 {
            continue;
        }
        sent += n_polls;
        load.send_from(&mut polls.into_iter(), n_polls)?;
        collector.records(sent, Duration::from_secs(30)).await?;
        let is_one_each = case.payload == "columns" && n_polls < MANY_POLLS && case.every_s == 1;
        ensure!(
            !is_one_each || collector.batches == batch,
            "{} s were not one batch: {} batches",
            case.batch_s,
            collector.batches
        );
        let now = settled(&gate.handle(), last).await?;
        batches += batch_bytes(last, now);
        last = now;
    }
    let again = reconnecting(&gate.handle()).await?;
    Ok(Counted {
        measured,
        connecting,
        batches,
        payload: collector.payload_bytes,
        again,
        rss_kib: uplink.usage()?.rss_kib,
    })
}

/// A client of the encrypted broker.
pub(super) fn options_of(cloud: &Mosquitto, ca_file: &str) -> Result<Options> {
    let mut options = Options::new(
        "collector",
        format!("mqtts://localhost:{}", cloud.address().port()).parse()?,
    );
    options.tls = TlsOptions {
        ca: Some(Pem::File(ca_file.into())),
        ..TlsOptions::default()
    };
    Ok(options)
}

/// After the last PUBACK has come back.
async fn settled(gate: &GateHandle, before: GateCounts) -> Result<GateCounts> {
    let wait = async {
        let mut last = gate.counts();
        loop {
            tokio::time::sleep(Duration::from_millis(20)).await;
            let now = gate.counts();
            if now == last && now.to_clients != before.to_clients {
                return now;
            }
            last = now;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), wait)
        .await
        .context("wait for the PUBACK")
}

/// The cabinet stream, second by second.
struct Seconds {
    stream: std::iter::Peekable<Cabinet>,
    next: u64,
}

/// Numbers polls anew: where some were left out, the uplink would tell of a loss.
#[derive(Default)]
struct Numbers(HashMap<Source, u64>);

impl Numbers {
    fn renumbered(&mut self, (source, mut poll): (Source, Poll)) -> (Source, Poll) {
        if let Some(sequence) = &mut poll.sequence {
            let next = self.0.entry(source.clone()).or_insert(sequence.n);
            sequence.n = *next;
            *next += 1;
        }
        (source, poll)
    }
}

struct Second {
    number: u64,
    polls: Vec<(Source, Poll)>,
}

impl Seconds {
    fn of(cabinet: Cabinet) -> Self {
        Self {
            stream: cabinet.peekable(),
            next: 0,
        }
    }
}

impl Iterator for Seconds {
    type Item = Second;

    fn next(&mut self) -> Option<Second> {
        // Every second begins with the sensors.
        let mut polls = vec![self.stream.next()?];
        while let Some(poll) = self
            .stream
            .next_if(|(source, _)| source.as_str() != "sensors")
        {
            polls.push(poll);
        }
        let number = self.next;
        self.next += 1;
        Some(Second { number, polls })
    }
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
/// Where there are many PUBACKs, they share segments.
fn batch_bytes(before: GateCounts, after: GateCounts) -> u64 {
    let (up, down) = (
        after.to_target - before.to_target,
        after.to_clients - before.to_clients,
    );
    let segments = up.div_ceil(SEGMENT_BYTES) + down.div_ceil(SEGMENT_BYTES) + 1;
    up + down + segments * HEADER_BYTES
}

/// A certificate for `localhost` that is its own authority.
pub(super) fn certificates(directory: &std::path::Path) -> Result<(Certificates, String)> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    let (certificate, key) = (directory.join("certificate.pem"), directory.join("key.pem"));
    std::fs::write(&certificate, made.cert.pem())?;
    std::fs::write(&key, made.signing_key.serialize_pem())?;
    let ca_file = certificate.to_string_lossy().into_owned();
    Ok((Certificates { certificate, key }, ca_file))
}
