//! What the six services cost: resident memory and CPU of each, as processes of their own around
//! a real Mosquitto, on simulated hardware at the product's usual pace.

#![expect(clippy::print_stdout, reason = "a measurement prints its table")]

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use tm_sim::sim7600::Sim7600Config;
use tm_sim::{Cabinet, CabinetConfig};
use tm_tests::process::{Mosquitto, Reaped, Usage};

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
}

const SERVICES: [&str; 6] = ["modem", "gnss", "sensors", "uplink", "api", "agent"];

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let folder = tempfile::tempdir()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let local = Mosquitto::start(folder.path(), "local")?;
    let cloud = Mosquitto::start(folder.path(), "cloud")?;
    let hardware = folder.path().join("hardware");
    fs::create_dir(&hardware)?;
    let modem = Sim7600Config::default();
    let cabinet = runtime.block_on(Cabinet::start(CabinetConfig {
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
        let log = fs::File::create(data.join("log"))?;
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
    thread::sleep(Duration::from_secs(arguments.warm_up_s));
    let before = usages(&mut services)?;
    let began = Instant::now();
    thread::sleep(Duration::from_secs(arguments.seconds));
    let after = usages(&mut services)?;
    let elapsed = began.elapsed().as_secs_f64();

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
