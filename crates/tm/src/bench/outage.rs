//! An outage of many days at the standard load: the cloud comes back over an LTE link, and everything arrives,
//! in its order, while live data goes on.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use tm_columns::cabinet::Cabinet;
use tm_sim::Gate;
use tm_sim::gate::GateMode;

use super::collector::Collector;
use super::drain::BATCH_S;
use super::live::Live;
use super::load::{self, Load};
use super::mosquitto::Mosquitto;
use super::process::Uplink;
use super::witness::Witness;
use super::{Bench, LTE, per};

/// Polls of the standard load in a day: sensors and fix every second, modem every ten.
const POLLS_A_DAY: u64 = 2 * 86_400 + 8_640;
/// How late a live poll may be beyond its batch and its commit (design §11).
const LATE_S: f64 = 2.0;

pub(super) async fn measure(bench: &Bench) -> Result<()> {
    let (bus, cloud) = (Mosquitto::start()?, Mosquitto::start()?);
    let mut collector = Collector::connect(cloud.address()).await?;
    let gate = Gate::open(cloud.address())?;
    let handle = gate.handle();
    handle.set_mode(GateMode::Refuse);
    let batch = BATCH_S.to_string();
    let uplink = Uplink::start(
        bench,
        bus.address(),
        &format!("mqtt://{}", gate.address()),
        &[("TM_UPLINK_BATCH_S", batch.as_str())],
    )?;
    load::wait_until_taken(bus.address(), 0).await?;
    let polls = bench.days * POLLS_A_DAY;
    let mut load = Load::connect(bus.address())?;
    let mut cabinet = Cabinet::new(42, true);
    let since = Instant::now();
    let sender = std::thread::spawn(move || load.send_from(&mut cabinet, polls));
    tokio::task::spawn_blocking(move || sender.join().expect("the load does not panic")).await??;
    let points = load::wait_until_taken(bus.address(), polls).await?;
    println!(
        "an outage of {} days at the standard load: {polls} polls, {points} points, {:.0} MiB of journal, taken in {:.0} s",
        bench.days,
        per(uplink.journal_bytes(), 1_048_576.0),
        since.elapsed().as_secs_f64()
    );
    let full = uplink.usage()?;
    let mut live = Live::connect(bus.address()).await?;
    collector.witness = Some(Witness::default());
    LTE.set(&handle);
    handle.set_mode(GateMode::Forward);
    // What is published before the connection stands is backlog too: the live source begins with it.
    collector.first_new().await?;
    let (start, before) = (Instant::now(), handle.counts().to_target);
    let most = Duration::from_mins(10) + Duration::from_secs(polls / 5_000);
    // The live polls come on top; backlog is done when the number of its records says so.
    tokio::select! {
        arrived = collector.witnessed(polls, most) => arrived?,
        failed = live.run() => match failed? {},
    }
    let (seconds, after) = (start.elapsed().as_secs_f64(), uplink.usage()?);
    let bytes = handle.counts().to_target - before;
    let Some(witness) = &collector.witness else {
        return Ok(());
    };
    let (count, middle, last) = witness.lateness();
    println!(
        "  over 60 ms and 5 Mbit/s all is there {seconds:.1} s after the first batch: {:.0} points/s, {:.1} % of the link, {:.2} B a point; {} repeats, {} batches out of order; uplink CPU {:.3} s per 100 k points, RSS {} KiB full, {} after (peak {})",
        per(points, seconds),
        100.0 * per(bytes, seconds) / per(LTE.bytes_per_s, 1.0),
        per(bytes, per(points, 1.0)),
        witness.repeats,
        witness.disordered,
        after.cpu_since(&full) / per(points, 100_000.0),
        full.rss_kib,
        after.rss_kib,
        after.peak_kib
    );
    println!(
        "  live polls meanwhile: {count} of {}, after {middle:.2} s in the middle and {last:.2} s at most ({BATCH_S} s of it are the batch, 1 s the commit)",
        live.count()
    );
    ensure!(witness.disordered == 0, "batches came out of order");
    ensure!(count > 0, "no live poll arrived during the drain");
    ensure!(
        last <= f64::from(BATCH_S) + 1.0 + LATE_S,
        "live data was late"
    );
    Ok(())
}
