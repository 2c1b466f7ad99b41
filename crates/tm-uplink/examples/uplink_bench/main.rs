//! Measures the uplink between two Mosquittos: rates, drain, memory, CPU, and bytes on the wire.
//!
//! `cargo run --release -p tm-uplink --example uplink_bench [rates|drain|wire]`; without a word all of it.
//! The uplink runs as a process of its own, so that its CPU and memory are its own.
#![expect(clippy::print_stdout, reason = "a tool for people")]

mod broker;
mod collector;
mod load;
mod process;
mod wire;

use std::time::{Duration, Instant};

use anyhow::Result;
use tm_sim::Gate;
use tm_sim::gate::GateMode;

use broker::Mosquitto;
use collector::Collector;
use load::Load;
use process::Uplink;

/// One way's delay, and bytes a second, of an ordinary LTE link.
const LTE: (Duration, u64) = (Duration::from_millis(30), 5_000_000 / 8);

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    if arguments.first().is_some_and(|word| word == "uplink") {
        return runtime.block_on(process::run(&arguments[1..]));
    }
    if !Mosquitto::is_installed() {
        println!("this measurement needs mosquitto (apt install mosquitto)");
        return Ok(());
    }
    let wants = |what: &str| arguments.is_empty() || arguments.iter().any(|word| word == what);
    if wants("rates") {
        println!(
            "end to end, through a local Mosquitto to another, until the last batch is there:"
        );
        runtime.block_on(rate("polls of 16 points", 400_000, 16))?;
        runtime.block_on(rate("one point per message", 400_000, 1))?;
    }
    if wants("drain") {
        println!("backlog, cloud away meanwhile:");
        runtime.block_on(drain("1 M points", 62_500, None))?;
        runtime.block_on(drain("8 M points", 500_000, None))?;
        runtime.block_on(drain(
            "4 M points at 60 ms and 5 Mbit/s",
            250_000,
            Some(LTE),
        ))?;
    }
    if wants("wire") {
        println!(
            "bytes on the wire, TLS, one connection over 10 batches of 60 s of the cabinet stream:"
        );
        runtime.block_on(wire::measure(false))?;
        runtime.block_on(wire::measure(true))?;
    }
    Ok(())
}

/// Everything flows: how many points a second arrive at the far end.
async fn rate(what: &str, polls: u64, points: u64) -> Result<()> {
    let (bus, cloud) = (Mosquitto::start()?, Mosquitto::start()?);
    let mut collector = Collector::connect(cloud.address()).await?;
    let uplink = Uplink::start(
        bus.address(),
        &format!("mqtt://{}", cloud.address()),
        &[("TM_UPLINK_BATCH_S", "1")],
    )?;
    let mut load = Load::connect(bus.address())?;
    collector.up().await?;
    let (start, before) = (Instant::now(), uplink.usage()?);
    let sender = std::thread::spawn(move || load.send(polls, points).map(|()| load));
    collector.records(polls, Duration::from_mins(5)).await?;
    let (elapsed, after) = (start.elapsed(), uplink.usage()?);
    sender.join().expect("the load does not panic")?;
    let total = polls * points;
    let seconds = elapsed.as_secs_f64();
    let cpu = after.cpu.saturating_sub(before.cpu).as_secs_f64();
    println!(
        "  {what}: {:.0} messages/s, {:.0} points/s; uplink CPU {:.3} s per 100 k points ({:.3} s per 100 k messages); RSS {} -> {} KiB (peak {})",
        per(polls, seconds),
        per(total, seconds),
        cpu / per(total, 100_000.0),
        cpu / per(polls, 100_000.0),
        before.rss_kib,
        after.rss_kib,
        after.peak_kib
    );
    Ok(())
}

/// A backlog is made while the cloud is away; then it drains.
async fn drain(what: &str, polls: u64, link: Option<(Duration, u64)>) -> Result<()> {
    let (bus, cloud) = (Mosquitto::start()?, Mosquitto::start()?);
    let mut collector = Collector::connect(cloud.address()).await?;
    let gate = Gate::open(cloud.address())?;
    let uplink = Uplink::start(bus.address(), &format!("mqtt://{}", gate.address()), &[])?;
    collector.up().await?;
    // The connection goes, and what comes from now on is backlog.
    gate.handle().set_mode(GateMode::Refuse);
    gate.handle().cut();
    let mut load = Load::connect(bus.address())?;
    let sender = std::thread::spawn(move || load.send(polls, 16).map(|()| load));
    let empty = uplink.usage()?;
    tokio::task::spawn_blocking(move || sender.join().expect("the load does not panic")).await??;
    load::wait_until_taken(bus.address(), polls).await?;
    let full = uplink.usage()?;
    if let Some((delay, rate)) = link {
        gate.handle().set_delay(delay);
        gate.handle().set_rate(Some(rate));
    }
    gate.handle().set_mode(GateMode::Forward);
    let before = gate.handle().counts().to_target;
    let first = collector.first_new().await?;
    let records = collector.records(polls, Duration::from_mins(5)).await?;
    let (elapsed, after) = (first.elapsed(), uplink.usage()?);
    let bytes = gate.handle().counts().to_target - before;
    println!(
        "  {what}: drained at {:.0} points/s in {:.2} s, {:.0} B/s; uplink CPU {:.3} s per 100 k points; {records} records; RSS empty {} KiB, full {} KiB, after {} KiB (peak {})",
        per(polls * 16, elapsed.as_secs_f64()),
        elapsed.as_secs_f64(),
        per(bytes, elapsed.as_secs_f64()),
        after.cpu.saturating_sub(full.cpu).as_secs_f64() / per(polls * 16, 100_000.0),
        empty.rss_kib,
        full.rss_kib,
        after.rss_kib,
        after.peak_kib
    );
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^53")]
fn per(count: u64, by: f64) -> f64 {
    count as f64 / by
}
