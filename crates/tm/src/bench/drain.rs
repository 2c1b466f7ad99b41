//! A backlog is made while the cloud is away; then it drains, and a source goes on publishing meanwhile.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use tm_sim::Gate;
use tm_sim::gate::GateMode;

use super::collector::Collector;
use super::live::Live;
use super::load::{self, Load};
use super::mosquitto::Mosquitto;
use super::process::Uplink;
use super::witness::Witness;
use super::{Bench, LTE, Link, per};

/// Seconds of live data in one batch while a backlog drains.
pub(super) const BATCH_S: u32 = 5;

pub(super) async fn measure(bench: &Bench) -> Result<()> {
    println!("backlog, cloud away meanwhile:");
    one(bench, "1 M points", 62_500, None).await?;
    one(bench, "8 M points", 500_000, None).await?;
    one(
        bench,
        "8 M points at 60 ms and 5 Mbit/s",
        500_000,
        Some(LTE),
    )
    .await
}

async fn one(bench: &Bench, what: &str, polls: u64, link: Option<Link>) -> Result<()> {
    let (bus, cloud) = (Mosquitto::start()?, Mosquitto::start()?);
    let mut collector = Collector::connect(cloud.address()).await?;
    let gate = Gate::open(cloud.address())?;
    let handle = gate.handle();
    let batch = BATCH_S.to_string();
    let uplink = Uplink::start(
        bench,
        bus.address(),
        &format!("mqtt://{}", gate.address()),
        &[("TM_UPLINK_BATCH_S", batch.as_str())],
    )?;
    collector.up().await?;
    // The connection goes, and what comes from now on is backlog.
    handle.set_mode(GateMode::Refuse);
    handle.cut();
    let mut load = Load::connect(bus.address())?;
    let sender = std::thread::spawn(move || load.send(polls, 16).map(|()| load));
    let empty = uplink.usage()?;
    tokio::task::spawn_blocking(move || sender.join().expect("the load does not panic")).await??;
    load::wait_until_taken(bus.address(), polls).await?;
    let full = uplink.usage()?;
    let mut live = Live::connect(bus.address()).await?;
    if let Some(link) = link {
        link.set(&handle);
        // Only here: reading every record takes longer than sending it without a link between.
        collector.witness = Some(Witness::default());
    }
    handle.set_mode(GateMode::Forward);
    collector.first_new().await?;
    let (first, before) = (Instant::now(), handle.counts().to_target);
    let already = collector.count();
    let drained = async {
        if link.is_some() {
            tokio::select! {
                arrived = collector.records(polls, Duration::from_mins(10)) => arrived,
                failed = live.run() => Err(failed.expect_err("it never ends")),
            }
        } else {
            collector.records(polls, Duration::from_mins(10)).await
        }
    };
    let arrived = drained.await?;
    let (elapsed, after) = (first.elapsed(), uplink.usage()?);
    let seconds = elapsed.as_secs_f64();
    let bytes = handle.counts().to_target - before;
    let points = (arrived - already) * 16;
    println!(
        "  {what}: drained at {:.0} points/s in {seconds:.2} s, {:.0} B/s; uplink CPU {:.3} s per 100 k points; RSS empty {} KiB, full {} KiB, after {} KiB (peak {})",
        per(points, seconds),
        per(bytes, seconds),
        after.cpu_since(&full) / per(polls * 16, 100_000.0),
        empty.rss_kib,
        full.rss_kib,
        after.rss_kib,
        after.peak_kib
    );
    if let (Some(link), Some(witness)) = (link, &collector.witness) {
        let (count, middle, last) = witness.lateness();
        ensure!(count > 0, "no live poll arrived during the drain");
        println!(
            "    {:.1} % of the link; {count} of {} live polls arrived meanwhile, after {middle:.2} s in the middle and {last:.2} s at most ({BATCH_S} s of it are the batch, 1 s the commit)",
            100.0 * per(bytes, seconds) / per(link.bytes_per_s, 1.0),
            live.count()
        );
    }
    Ok(())
}
