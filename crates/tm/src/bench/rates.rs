//! Everything flows: how many points a second arrive at the far end.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::collector::Collector;
use super::load::Load;
use super::mosquitto::Mosquitto;
use super::process::Uplink;
use super::{Bench, per};

pub(super) async fn measure(bench: &Bench) -> Result<()> {
    println!("end to end, through a local Mosquitto to another, until the last batch is there:");
    one(bench, "polls of 16 points", 400_000, 16).await?;
    one(bench, "one point per message", 400_000, 1).await
}

async fn one(bench: &Bench, what: &str, polls: u64, points: u64) -> Result<()> {
    let (bus, cloud) = (Mosquitto::start()?, Mosquitto::start()?);
    let mut collector = Collector::connect(cloud.address()).await?;
    let uplink = Uplink::start(
        bench,
        bus.address(),
        &format!("mqtt://{}", cloud.address()),
        &[("TM_UPLINK_BATCH_S", "1")],
    )?;
    let mut load = Load::connect(bus.address())?;
    collector.up().await?;
    let (start, before, bus_before) = (Instant::now(), uplink.usage()?, bus.usage()?);
    let sender = std::thread::spawn(move || load.send(polls, points).map(|()| load));
    collector.records(polls, Duration::from_mins(5)).await?;
    let (elapsed, after) = (start.elapsed(), uplink.usage()?);
    let bus_cpu = bus.usage()?.cpu_since(&bus_before);
    sender.join().expect("the load does not panic")?;
    let total = polls * points;
    let seconds = elapsed.as_secs_f64();
    let cpu = after.cpu_since(&before);
    println!(
        "  {what}: {:.0} messages/s, {:.0} points/s; CPU per 100 k points: uplink {:.3} s ({:.3} s per 100 k messages), local Mosquitto {:.3} s; RSS {} -> {} KiB (peak {})",
        per(polls, seconds),
        per(total, seconds),
        cpu / per(total, 100_000.0),
        cpu / per(polls, 100_000.0),
        bus_cpu / per(total, 100_000.0),
        before.rss_kib,
        after.rss_kib,
        after.peak_kib
    );
    Ok(())
}
