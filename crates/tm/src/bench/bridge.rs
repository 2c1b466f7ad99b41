//! A Mosquitto bridge with persistence, beside the uplink in the same run: the same load, brokers and kills.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use tempfile::TempDir;
use tm_columns::cabinet::{Cabinet, measurements};
use tm_service::session::{Options, Qos, Session, SessionEvent};
use tm_sim::Gate;
use tm_sim::gate::GateMode;

use super::collector::Collector;
use super::load::{self, Load};
use super::mosquitto::Mosquitto;
use super::process::Uplink;
use super::wire::{HEADER_BYTES, certificates, options_of};
use super::witness::Witness;
use super::{Bench, per};

/// Messages of the flood that a kill ends.
const FLOOD: u64 = 100_000;
/// Ten minutes of the standard load.
const TEN_MINUTES: u64 = 1_260;
/// Nothing for so long: nothing comes any more. A bridge tries again after a few seconds.
const SILENCE: Duration = Duration::from_secs(10);

pub(super) async fn measure(bench: &Bench) -> Result<()> {
    println!("a Mosquitto bridge (persistence, autosave_interval 1, QoS 1) with the same load:");
    rate("polls of 16 points", 400_000, 16).await?;
    rate("one point per message", 400_000, 1).await?;
    wire().await?;
    println!(
        "never arrived of {FLOOD} acknowledged messages, cloud away meanwhile, by when kill -9 came after the last acknowledgement:"
    );
    for after_ms in [0, 300, 2_000] {
        let after = Duration::from_millis(after_ms);
        let bridge = lost_by_bridge(after).await?;
        let both = lost_by_uplink(bench, after, true).await?;
        let alone = lost_by_uplink(bench, after, false).await?;
        println!(
            "  {after_ms} ms: bridge {bridge}; uplink and its local Mosquitto both killed {both}; uplink alone killed {alone}"
        );
    }
    Ok(())
}

/// A broker that hands on to another.
fn bridge(to: &str, further: &str) -> Result<Mosquitto> {
    Mosquitto::start_with(
        None,
        &format!(
            "autosave_interval 1\nconnection cloud\naddress {to}\ntopic tm/v1/data/# out 1\nremote_clientid bridge\n\
             cleansession false\nnotifications false\nrestart_timeout 1\n{further}"
        ),
    )
}

/// The far end: which messages have come.
struct Arrivals {
    session: Session,
    count: u64,
    numbers: HashSet<u64>,
}

impl Arrivals {
    async fn connect(cloud: SocketAddr) -> Result<Self> {
        Self::connect_with(Options::new(
            "collector",
            format!("mqtt://{cloud}").parse()?,
        ))
        .await
    }

    async fn connect_with(mut options: Options) -> Result<Self> {
        options.subscriptions = vec![("tm/#".to_owned(), Qos::AtLeastOnce)];
        let mut session = Session::open(options);
        let up = async { while !matches!(session.next().await, SessionEvent::Up { .. }) {} };
        tokio::time::timeout(Duration::from_secs(10), up)
            .await
            .context("connect the far end")?;
        Ok(Self {
            session,
            count: 0,
            numbers: HashSet::new(),
        })
    }

    async fn next(&mut self) {
        if let SessionEvent::Message(message) = self.session.next().await {
            self.count += 1;
            self.numbers.extend(number(&message.payload));
        }
    }

    async fn until(&mut self, count: u64) -> Result<()> {
        let wait = async {
            while self.count < count {
                self.next().await;
            }
        };
        tokio::time::timeout(Duration::from_mins(5), wait)
            .await
            .with_context(|| format!("only {} of {count} messages have arrived", self.count))
    }

    async fn until_silence(&mut self) {
        while tokio::time::timeout(SILENCE, self.next()).await.is_ok() {}
    }
}

/// The field `n` of a poll, which stands near its beginning.
fn number(payload: &[u8]) -> Option<u64> {
    let head = std::str::from_utf8(payload.get(..payload.len().min(64))?).ok()?;
    head.split("\"n\":").nth(1)?.split(',').next()?.parse().ok()
}

async fn rate(what: &str, polls: u64, points: u64) -> Result<()> {
    let cloud = Mosquitto::start()?;
    let mut arrivals = Arrivals::connect(cloud.address()).await?;
    let bridge = bridge(&cloud.address().to_string(), "")?;
    let mut load = Load::connect(bridge.address())?;
    // The first one shows that the bridge stands.
    load.send(1, points)?;
    arrivals.until(1).await?;
    let (start, before) = (Instant::now(), bridge.usage()?);
    let sender = std::thread::spawn(move || load.send(polls, points));
    arrivals.until(1 + polls).await?;
    let (seconds, after) = (start.elapsed().as_secs_f64(), bridge.usage()?);
    sender.join().expect("the load does not panic")?;
    let total = polls * points;
    println!(
        "  {what}: {:.0} messages/s, {:.0} points/s; CPU per 100 k points: {:.3} s; RSS {} KiB (peak {})",
        per(polls, seconds),
        per(total, seconds),
        after.cpu_since(&before) / per(total, 100_000.0),
        after.rss_kib,
        after.peak_kib
    );
    Ok(())
}

/// Every message for itself, as it goes in real time: a segment up, one down with the PUBACK, an ACK for that.
async fn wire() -> Result<()> {
    let directory = TempDir::new()?;
    let (certificates, ca_file) = certificates(directory.path())?;
    let cloud = Mosquitto::start_with(Some(&certificates), "")?;
    let mut arrivals = Arrivals::connect_with(options_of(&cloud, &ca_file)?).await?;
    let gate = Gate::open(cloud.address())?;
    let to = format!("localhost:{}", gate.address().port());
    let bridge = bridge(&to, &format!("bridge_cafile {ca_file}\n"))?;
    let mut load = Load::connect(bridge.address())?;
    load.send(1, 1)?;
    arrivals.until(1).await?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let before = gate.handle().counts();
    let polls: Vec<_> = Cabinet::new(42, false)
        .take(usize::try_from(TEN_MINUTES)?)
        .collect();
    let measured: u64 = polls
        .iter()
        .map(|(source, poll)| measurements(source, poll) as u64)
        .sum();
    load.send_from(&mut polls.into_iter(), TEN_MINUTES)?;
    arrivals.until(1 + TEN_MINUTES).await?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let after = gate.handle().counts();
    let payload = after.to_target - before.to_target + after.to_clients - before.to_clients;
    let headers = TEN_MINUTES * 3 * HEADER_BYTES;
    println!(
        "  ten minutes of the cabinet stream, TLS: {:.2} B per measurement with headers ({:.2} without), connecting not counted",
        per(payload + headers, per(measured, 1.0)),
        per(payload, per(measured, 1.0))
    );
    Ok(())
}

async fn lost_by_bridge(after: Duration) -> Result<u64> {
    let cloud = Mosquitto::start()?;
    let mut arrivals = Arrivals::connect(cloud.address()).await?;
    let gate = Gate::open(cloud.address())?;
    gate.handle().set_mode(GateMode::Refuse);
    let mut bridge = bridge(&gate.address().to_string(), "")?;
    flood(bridge.address()).await?;
    tokio::time::sleep(after).await;
    bridge.kill()?;
    bridge.start_again()?;
    gate.handle().set_mode(GateMode::Forward);
    arrivals.until_silence().await;
    Ok(FLOOD - arrivals.numbers.len() as u64)
}

async fn lost_by_uplink(bench: &Bench, after: Duration, with_bus: bool) -> Result<u64> {
    let (mut bus, cloud) = (Mosquitto::start()?, Mosquitto::start()?);
    let mut collector = Collector::connect(cloud.address()).await?;
    collector.witness = Some(Witness::default());
    let gate = Gate::open(cloud.address())?;
    gate.handle().set_mode(GateMode::Refuse);
    let url = format!("mqtt://{}", gate.address());
    let mut uplink = Uplink::start(bench, bus.address(), &url, &[("TM_UPLINK_BATCH_S", "1")])?;
    load::wait_until_taken(bus.address(), 0).await?;
    flood(bus.address()).await?;
    tokio::time::sleep(after).await;
    uplink.kill()?;
    if with_bus {
        bus.kill()?;
        bus.start_again()?;
    }
    uplink.start_again()?;
    gate.handle().set_mode(GateMode::Forward);
    while tokio::time::timeout(SILENCE, collector.next())
        .await
        .is_ok()
    {}
    Ok(FLOOD - collector.witness.as_ref().map_or(0, Witness::backlog))
}

async fn flood(bus: SocketAddr) -> Result<()> {
    let mut load = Load::connect(bus)?;
    let sender = std::thread::spawn(move || load.send(FLOOD, 1));
    tokio::task::spawn_blocking(move || sender.join().expect("the load does not panic")).await?
}
