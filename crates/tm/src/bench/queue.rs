//! Memory with more and more points queued: of the process that took them, and of one started afresh over them.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use tm_sim::Gate;
use tm_sim::gate::GateMode;

use super::load::{self, Load};
use super::mosquitto::Mosquitto;
use super::process::{Uplink, Usage};
use super::{Bench, per};

/// How long memory may take to come to rest.
const REST: Duration = Duration::from_secs(5);

pub(super) async fn measure(bench: &Bench) -> Result<()> {
    println!("memory with points queued, cloud away; taken at full speed in polls of 16:");
    let (bus, cloud) = (Mosquitto::start()?, Mosquitto::start()?);
    let gate = Gate::open(cloud.address())?;
    gate.handle().set_mode(GateMode::Refuse);
    let url = format!("mqtt://{}", gate.address());
    let mut uplink = Uplink::start(bench, bus.address(), &url, &[])?;
    load::wait_until_taken(bus.address(), 0).await?;
    let mut load = Load::connect(bus.address())?;
    let mut polls = 0;
    for (what, wanted) in [
        ("1 k", 1_000 / 16 + 1),
        ("1 M", 1_000_000 / 16),
        ("all", bench.million * 1_000_000 / 16),
    ] {
        let more = wanted
            .checked_sub(polls)
            .context("a queue of less than 1 M points")?;
        let since = Instant::now();
        let sender = std::thread::spawn(move || load.send(more, 16).map(|()| load));
        load = tokio::task::spawn_blocking(move || sender.join().expect("the load does not panic"))
            .await??;
        polls = wanted;
        let points = load::wait_until_taken(bus.address(), polls).await?;
        ensure!(
            points == polls * 16,
            "{points} points wait instead of {}",
            polls * 16
        );
        let seconds = since.elapsed().as_secs_f64();
        let taken = at_rest(&uplink).await?;
        uplink.kill()?;
        uplink.start_again()?;
        load::wait_until_taken(bus.address(), polls).await?;
        let fresh = at_rest(&uplink).await?;
        println!(
            "  {what}: {points} points, {:.0} MiB of journal, taken in {seconds:.1} s; RSS {} KiB (peak {}); started afresh {} KiB (peak {})",
            per(uplink.journal_bytes(), 1_048_576.0),
            taken.rss_kib,
            taken.peak_kib,
            fresh.rss_kib,
            fresh.peak_kib
        );
    }
    Ok(())
}

async fn at_rest(uplink: &Uplink) -> Result<Usage> {
    tokio::time::sleep(REST).await;
    uplink.usage()
}
