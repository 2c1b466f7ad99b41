//! What the modem service costs by each of its two ways: by AT on a port and by ModemManager over D-Bus, both as
//! processes of their own around a real Mosquitto, at the same time, with NMEA at 1 Hz.
//!
//! `--bus ADDRESS` takes a system bus with a ModemManager on it; without it a private `dbus-daemon` with the
//! simulator's twin is used.

#![expect(clippy::print_stdout, reason = "a measurement prints its table")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use tm_sim::modem_manager::{ManagerConfig, ManagerHandle, ModemManagerTwin, PrivateBus};
use tm_sim::sim7600::Sim7600Config;
use tm_sim::{Cabinet, CabinetConfig};
use tm_tests::process::{Mosquitto, Reaped, Usage};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;

/// Measure the modem service.
#[derive(Parser)]
struct Arguments {
    /// The service's binary.
    #[arg(long, default_value = "dist/x86_64/tm-modem")]
    binary: PathBuf,
    /// Seconds before the measurement begins: `auto` gives ModemManager 20 s.
    #[arg(long, default_value_t = 30)]
    warm_up_s: u64,
    /// Seconds measured.
    #[arg(long, default_value_t = 600)]
    seconds: u64,
    /// Seconds between two readings of the modem.
    #[arg(long, default_value_t = 10)]
    poll_s: u32,
    /// A system bus with ModemManager on it, such as `unix:path=/run/dbus/system_bus_socket`.
    #[arg(long)]
    bus: Option<String>,
}

/// Transfers of a small cabinet, so that the traffic counters move with every look.
const RECEIVED_PER_S: u64 = 200;
const SENT_PER_S: u64 = 300;

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let folder = tempfile::tempdir()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let hardware = folder.path().join("hardware");
    fs::create_dir(&hardware)?;
    let cabinet = runtime.block_on(Cabinet::start(CabinetConfig {
        directory: hardware,
        seed: 42,
        modem: Sim7600Config::default(),
        with_ptys: false,
    }))?;
    let ports = cabinet.tcp();
    let twin = match &arguments.bus {
        None => Some(Twin::start(
            &runtime,
            folder.path(),
            ports.nmea.to_string(),
        )?),
        Some(_) => None,
    };
    let address = twin.as_ref().map(|twin| twin.bus.address().to_owned());
    let address = address.or(arguments.bus).context("a bus")?;
    // Two of one name would share the address of their health check.
    let serial = vec![
        ("TM_MODEM_BACKEND", "serial".to_owned()),
        ("TM_MODEM_PORT", format!("tcp://{}", ports.at)),
        ("TM_MODEM_NMEA_PORT", format!("tcp://{}", ports.nmea)),
        ("TM_MODEM_POLL_S", arguments.poll_s.to_string()),
    ];
    let manager = vec![
        ("TM_INSTANCE", "managed".to_owned()),
        ("TM_MANAGED_BACKEND", "modemmanager".to_owned()),
        ("TM_MANAGED_POLL_S", arguments.poll_s.to_string()),
        ("DBUS_SYSTEM_BUS_ADDRESS", address),
    ];
    let (mut services, mut topics) = (Vec::new(), Vec::new());
    for (name, instance, mut variables) in [
        ("serial", "modem", serial),
        ("modemmanager", "managed", manager),
    ] {
        let home = folder.path().join(name);
        fs::create_dir(&home)?;
        let broker = Mosquitto::start(&home, "broker")?;
        variables.push(("TM_BUS_URL", format!("mqtt://{}", broker.address)));
        variables.push(("TM_DATA_DIR", home.display().to_string()));
        let log = fs::File::create(home.join("log"))?;
        let process = Command::new(&arguments.binary)
            .env_clear()
            .envs([("TM_DEVICE_ID", "bench"), ("TM_CONFIG_STRICT", "true")])
            .envs(variables)
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("start {}", arguments.binary.display()))?;
        services.push((name, Reaped(process), broker));
        topics.push(format!("tm/v1/state/{instance}"));
    }
    thread::sleep(Duration::from_secs(arguments.warm_up_s));
    // A service that found no modem would cost little.
    for ((name, _, broker), topic) in services.iter().zip(&topics) {
        let state = read_retained(broker, topic)?;
        ensure!(state.contains("SIM7600G-H"), "{name}: no modem in {state}");
        ensure!(state.contains(&format!("\"{name}\"")), "{name}: other way");
    }
    let before = usages(&mut services)?;
    let began = Instant::now();
    thread::sleep(Duration::from_secs(arguments.seconds));
    let after = usages(&mut services)?;
    let elapsed = began.elapsed().as_secs_f64();

    println!(
        "{:<14}{:>9}{:>10}{:>8}{:>12}{:>13}",
        "way", "RSS KiB", "peak KiB", "CPU %", "wakeups/s", "written B/s"
    );
    for ((name, ..), (before, after)) in services.iter().zip(before.iter().zip(&after)) {
        println!(
            "{name:<14}{:>9}{:>10}{:>8.3}{:>12.1}{:>13.0}",
            after.resident_kib,
            after.peak_kib,
            (after.cpu_s - before.cpu_s) / elapsed * 100.0,
            per_second(after.switches - before.switches, elapsed),
            per_second(after.written - before.written, elapsed),
        );
    }
    Ok(())
}

/// ModemManager's twin on a bus of its own.
struct Twin {
    bus: PrivateBus,
    _twin: ModemManagerTwin,
}

impl Twin {
    fn start(runtime: &Runtime, folder: &Path, nmea: String) -> Result<Self> {
        runtime.block_on(async {
            let bus = PrivateBus::start(folder).await?;
            let bus = bus.context("dbus-daemon is not installed (Debian's package dbus)")?;
            let twin = ModemManagerTwin::start(bus.connect().await?, ManagerConfig::default());
            let twin = twin.await?;
            tokio::spawn(feed(twin.handle(), nmea));
            tokio::spawn(transfer(twin.handle()));
            Ok(Self { bus, _twin: twin })
        })
    }
}

/// The sentences of the simulated module are those of the twin.
async fn feed(twin: ManagerHandle, nmea: String) -> Result<()> {
    let mut lines = BufReader::new(TcpStream::connect(nmea).await?).lines();
    while let Some(line) = lines.next_line().await? {
        twin.feed_nmea(&line);
    }
    Ok(())
}

async fn transfer(twin: ManagerHandle) {
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        twin.transfer(RECEIVED_PER_S, SENT_PER_S);
    }
}

fn read_retained(broker: &Mosquitto, topic: &str) -> Result<String> {
    let output = Command::new("mosquitto_sub")
        .args(["-h", "127.0.0.1", "-p", &broker.address.port().to_string()])
        .args(["-t", topic, "-C", "1", "-W", "20"])
        .output()
        .context("run mosquitto_sub")?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[expect(clippy::cast_precision_loss, reason = "counts of ten minutes")]
fn per_second(count: u64, elapsed: f64) -> f64 {
    count as f64 / elapsed
}

fn usages(services: &mut [(&str, Reaped, Mosquitto)]) -> Result<Vec<Usage>> {
    let mut usages = Vec::new();
    for (name, process, _) in services {
        ensure!(process.0.try_wait()?.is_none(), "{name} has ended");
        usages.push(Usage::of(process.0.id())?);
    }
    Ok(usages)
}
