//! Links at their worst, in real time: what they cost in connections and memory, and that everything arrives.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use tm_sim::gate::GateMode;
use tm_sim::{Gate, GateHandle};

use super::Bench;
use super::collector::Collector;
use super::live::Live;
use super::mosquitto::Mosquitto;
use super::process::Uplink;
use super::witness::Witness;

/// How long a link is good before, and how long it is bad.
const GOOD: Duration = Duration::from_secs(15);
const BAD: Duration = Duration::from_mins(3);
/// Seconds of live data in one batch.
const BATCH_S: &str = "5";
/// A path with loss stands still for this long at a time: the retransmission of a segment at a round trip of 3 s.
const STANDSTILL: Duration = Duration::from_secs(3);

/// What a link does while it is bad.
#[derive(Clone, Copy)]
enum Bad {
    /// Takes everything and delivers nothing.
    HalfOpen,
    /// So many bytes a second.
    Rate(u64),
    /// A round trip of 3 s, and a standstill a third of the time.
    Lossy,
}

pub(super) async fn measure(bench: &Bench) -> Result<()> {
    println!(
        "three minutes of a bad link, one poll a second, batches of {BATCH_S} s; then the link is good:"
    );
    tokio::try_join!(
        one(bench, "half open", Bad::HalfOpen),
        one(bench, "1 B/s", Bad::Rate(1)),
        one(bench, "200 B/s", Bad::Rate(200)),
        one(
            bench,
            "3 s round trip, a third of the time at a standstill",
            Bad::Lossy
        ),
    )?;
    Ok(())
}

async fn one(bench: &Bench, what: &str, bad: Bad) -> Result<()> {
    let (bus, cloud) = (Mosquitto::start()?, Mosquitto::start()?);
    let mut collector = Collector::connect(cloud.address()).await?;
    collector.witness = Some(Witness::default());
    let gate = Gate::open(cloud.address())?;
    let handle = gate.handle();
    let uplink = Uplink::start(
        bench,
        bus.address(),
        &format!("mqtt://{}", gate.address()),
        &[("TM_UPLINK_BATCH_S", BATCH_S)],
    )?;
    collector.up().await?;
    let mut live = Live::connect(bus.address()).await?;
    pass(GOOD, &mut live, &mut collector).await?;
    let (before, counts) = (uplink.usage()?, handle.counts());
    let already = arrived(&collector);
    let end = Instant::now() + BAD;
    while let Some(rest) = end.checked_duration_since(Instant::now()) {
        bad.sets(&handle);
        pass(rest.min(STANDSTILL), &mut live, &mut collector).await?;
        if matches!(bad, Bad::Lossy) {
            handle.set_mode(GateMode::Forward);
            let rest = end.saturating_duration_since(Instant::now());
            pass(rest.min(2 * STANDSTILL), &mut live, &mut collector).await?;
        }
    }
    let (after, connections) = (uplink.usage()?, handle.counts().n_connections);
    let meanwhile = arrived(&collector) - already;
    handle.set_mode(GateMode::Forward);
    handle.set_rate(None);
    handle.set_delay(Duration::ZERO);
    let since = Instant::now();
    let all = live.count();
    let wait = async {
        while arrived(&collector) < all {
            collector.next().await?;
        }
        anyhow::Ok(())
    };
    let in_time = tokio::time::timeout(Duration::from_mins(5), wait).await;
    in_time.with_context(|| format!("{what}: not all {all} polls have arrived"))??;
    let witness = collector.witness.as_ref().context("a witness")?;
    ensure!(
        witness.lateness().0 == all,
        "{what}: more polls than there were"
    );
    println!(
        "  {what}: {meanwhile} polls arrived meanwhile, {} connections made; RSS {} -> {} KiB (peak {}); all {all} there {:.1} s after the end, {} repeats",
        connections - counts.n_connections,
        before.rss_kib,
        after.rss_kib,
        after.peak_kib,
        since.elapsed().as_secs_f64(),
        witness.repeats
    );
    Ok(())
}

impl Bad {
    fn sets(self, gate: &GateHandle) {
        match self {
            Self::HalfOpen => gate.set_mode(GateMode::Stall),
            Self::Rate(bytes_per_s) => gate.set_rate(Some(bytes_per_s)),
            Self::Lossy => {
                gate.set_delay(Duration::from_millis(1_500));
                gate.set_mode(GateMode::Stall);
            }
        }
    }
}

/// Lets time pass: the source publishes, and what arrives is taken.
async fn pass(time: Duration, live: &mut Live, collector: &mut Collector) -> Result<()> {
    let all = async { tokio::try_join!(live.run(), collector.forever()) };
    match tokio::time::timeout(time, all).await {
        Ok(Err(error)) => Err(error),
        // Neither ends by itself.
        Ok(Ok(_)) | Err(_) => Ok(()),
    }
}

/// Different polls of the live source that are there.
fn arrived(collector: &Collector) -> u64 {
    let witness = collector.witness.as_ref();
    witness.map_or(0, |witness| witness.lateness().0)
}
