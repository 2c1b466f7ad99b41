//! What the six services cost: resident memory and CPU of each, as processes of their own around
//! a real Mosquitto, on simulated hardware at the product's usual pace; and what all of it writes to flash.

#![expect(clippy::print_stdout, reason = "a measurement prints its table")]

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use clap::Parser;
use tm::bench::device_bytes;
use tm_columns::cabinet::Cabinet;
use tm_service::Clock;
use tm_service::session::{Options, Outgoing, Qos, Session, SessionEvent};
use tm_sim::sim7600::Sim7600Config;
use tm_tests::process::{Mosquitto, Reaped, Usage};
use tm_types::{Clock as ClockQuality, Source, Stamp, topic};
use tokio::task::JoinHandle;

/// Measure the services.
#[derive(Parser)]
struct Arguments {
    /// Folder with the services' binaries.
    #[arg(long, default_value = "target/release")]
    binaries: PathBuf,
    /// Seconds before the measurement begins.
    #[arg(long, default_value_t = 15)]
    warm_up_s: u64,
    /// Seconds measured.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Measure and publish every second, as the demo does, instead of the product's usual pace.
    #[arg(long)]
    demo_pace: bool,
    /// Publish the standard load of a cabinet as well: 11.1 measurements a second.
    #[arg(long)]
    standard_load: bool,
    /// Where all files of the services and of the local broker lie; on a file system of its own its bytes are told.
    #[arg(long, value_name = "DIRECTORY")]
    directory: Option<PathBuf>,
}

const SERVICES: [&str; 6] = ["modem", "gnss", "sensors", "uplink", "api", "agent"];

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let folder = match &arguments.directory {
        Some(base) => tempfile::tempdir_in(base),
        None => tempfile::tempdir(),
    }?;
    // What a device does not have, or not on its flash.
    let beside = tempfile::tempdir()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let local = Mosquitto::start(folder.path(), "local")?;
    let cloud = Mosquitto::start(beside.path(), "cloud")?;
    let hardware = beside.path().join("hardware");
    fs::create_dir(&hardware)?;
    let modem = Sim7600Config::default();
    let cabinet = runtime.block_on(tm_sim::Cabinet::start(tm_sim::CabinetConfig {
        directory: hardware,
        seed: 42,
        modem,
        with_ptys: false,
    }))?;

    let ports = cabinet.tcp();
    let mut variables = vec![
        ("TM_BUS_URL", format!("mqtt://{}", local.address)),
        ("TM_DEVICE_ID", "bench".into()),
        ("TM_CONFIG_STRICT", "true".into()),
        ("TM_MODEM_PORT", format!("tcp://{}", ports.at)),
        ("TM_MODEM_NMEA_PORT", format!("tcp://{}", ports.nmea)),
        ("TM_SENSORS_SYSFS_ROOT", cabinet.sys().display().to_string()),
        ("TM_UPLINK_URL", format!("mqtt://{}", cloud.address)),
        ("TM_API_LISTEN", "127.0.0.1:0".into()),
    ];
    if arguments.demo_pace {
        variables.extend([
            ("TM_MODEM_POLL_S", "5".into()),
            ("TM_GNSS_PUBLISH_S", "1".into()),
            ("TM_SENSORS_PERIOD_S", "1".into()),
            ("TM_SENSORS_DEADBAND_CEL", "0".into()),
            ("TM_SENSORS_HEARTBEAT_S", "0".into()),
        ]);
    }
    let mut services = Vec::new();
    for name in SERVICES {
        let data = folder.path().join(name);
        fs::create_dir(&data)?;
        let log = fs::File::create(beside.path().join(name))?;
        let process = Command::new(arguments.binaries.join(format!("tm-{name}")))
            .env_clear()
            .env("TM_DATA_DIR", &data)
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("start {name}"))?;
        services.push((name, Reaped(process)));
    }
    let mut load = None;
    if arguments.standard_load {
        local.wait_for_retained("tm/v1/health/uplink")?;
        let bus = format!("mqtt://{}", local.address).parse()?;
        load = Some(runtime.spawn(async { publish(Options::new("load", bus)).await }));
    }
    thread::sleep(Duration::from_secs(arguments.warm_up_s));
    let written = device_bytes(folder.path());
    let before = usages(&mut services)?;
    let began = Instant::now();
    thread::sleep(Duration::from_secs(arguments.seconds));
    let after = usages(&mut services)?;
    let elapsed = began.elapsed().as_secs_f64();
    if let Some(load) = load.filter(JoinHandle::is_finished) {
        let ended = runtime.block_on(load)?;
        ended.context("publish the load")?;
    }

    println!(
        "{:<10}{:>12}{:>10}{:>12}{:>14}",
        "service", "RSS KiB", "CPU %", "wakeups/s", "written B/s"
    );
    let mut all = 0;
    for ((name, _), (before, after)) in services.iter().zip(before.iter().zip(&after)) {
        all += after.resident_kib;
        println!(
            "{name:<10}{:>12}{:>10.3}{:>12.1}{:>14.0}",
            after.resident_kib,
            (after.cpu_s - before.cpu_s) / elapsed * 100.0,
            per_second(after.switches - before.switches, elapsed),
            per_second(after.written - before.written, elapsed),
        );
    }
    println!("{:<10}{all:>12}", "together");
    if let (Some((device, before)), Some((_, after))) = (written, device_bytes(folder.path())) {
        let a_second = per_second(after - before, elapsed);
        println!(
            "{device}: {a_second:.0} B/s written by everybody, {:.0} MB a day",
            a_second * 86_400.0 / 1e6
        );
    }
    Ok(())
}

/// The standard load, as it is measured now, by sources that are not those of the services.
async fn publish(options: Options) -> Result<()> {
    let mut session = Session::open(options);
    while !matches!(session.next().await, SessionEvent::Up { .. }) {}
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    let mut cabinet = Cabinet::new(42, false);
    for second in 0_u64.. {
        loop {
            tokio::select! {
                _ = ticks.tick() => break,
                _ = session.next() => {}
            }
        }
        // Sensors and position each second, the modem every tenth.
        let polls = if second.is_multiple_of(10) { 3 } else { 2 };
        for (source, mut poll) in cabinet.by_ref().take(polls) {
            poll.stamp = Stamp {
                clock: ClockQuality::Ntp,
                ..Clock::system().stamp()
            };
            let source = Source::new(&format!("load-{source}"))?;
            let message = Outgoing {
                token: 0,
                topic: topic::data(&source),
                payload: poll.to_json().into(),
                qos: Qos::AtLeastOnce,
                retain: false,
            };
            session
                .feed(message)
                .map_err(|error| anyhow!("the bus takes nothing: {error:?}"))?;
        }
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "counts of a minute")]
fn per_second(count: u64, elapsed: f64) -> f64 {
    count as f64 / elapsed
}

fn usages(services: &mut [(&str, Reaped)]) -> Result<Vec<Usage>> {
    let mut usages = Vec::new();
    for (name, process) in services {
        ensure!(process.0.try_wait()?.is_none(), "{name} has ended");
        usages.push(Usage::of(process.0.id())?);
    }
    Ok(usages)
}
