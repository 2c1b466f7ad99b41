//! What Modbus points cost: CPU, resident memory and the jitter of the periods at growing rates, `tm-sensors` as a
//! process of its own around a real Mosquitto, on a local Modbus TCP server.
//!
//! Values move inside their deadband, so that polling is measured; with `--publish` every point of every poll is
//! published as well, and the messages are counted behind the broker.

#![expect(clippy::print_stdout, reason = "a measurement prints its table")]

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use tm_tests::process::{Mosquitto, Reaped, Usage};

/// Measure the sensors service at growing rates.
#[derive(Parser)]
struct Arguments {
    /// The service's binary.
    #[arg(long, default_value = "target/release/tm-sensors")]
    binary: PathBuf,
    /// Points a second, one line of the table each.
    #[arg(long, value_delimiter = ',', default_value = "1000,3000,10000")]
    rates: Vec<u32>,
    /// Seconds measured at each rate.
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// Publish every point of every poll.
    #[arg(long)]
    publish: bool,
}

/// Registers of one device; all are polled every second.
const N_REGISTERS: u32 = 500;
/// Within what every device must have been polled twice.
const START: Duration = Duration::from_secs(30);

/// When each poll of each device began: its request for register 0.
type Polls = Arc<(Mutex<Vec<Vec<Instant>>>, Condvar)>;

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    println!(
        "{:>9}{:>12}{:>9}{:>10}{:>12}{:>12}{:>12}",
        "points/s", "messages/s", "CPU %", "RSS KiB", "jitter p50", "p99 ms", "max ms"
    );
    for rate in &arguments.rates {
        measure(&arguments, rate / N_REGISTERS)?;
    }
    Ok(())
}

fn measure(arguments: &Arguments, n_devices: u32) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let broker = Mosquitto::start(folder.path(), "local")?;
    let (host, broker_port) = broker.address.to_string().rsplit_once(':').map_or_else(
        || (broker.address.to_string(), "1883".to_owned()),
        |(host, port)| (host.to_owned(), port.to_owned()),
    );
    let polls: Polls = Arc::new((
        Mutex::new(vec![Vec::new(); n_devices as usize]),
        Condvar::new(),
    ));
    let port = serve(Arc::clone(&polls))?;
    let map = write_map(folder.path(), n_devices, port, arguments.publish)?;
    // Measurements wait for an uplink, or for a minute.
    let uplink = Command::new("mosquitto_pub")
        .args([
            "-h",
            &host,
            "-p",
            &broker_port,
            "-r",
            "-t",
            "tm/v1/health/uplink",
            "-m",
            "{}",
        ])
        .status()
        .context("mosquitto_pub (Debian: mosquitto-clients)")?;
    ensure!(uplink.success(), "mosquitto_pub: {uplink}");
    let mut listener = Reaped(
        Command::new("mosquitto_sub")
            .args([
                "-h",
                &host,
                "-p",
                &broker_port,
                "-t",
                "tm/v1/data/sensors",
                "-F",
                "%l",
            ])
            .stdout(Stdio::piped())
            .spawn()
            .context("mosquitto_sub (Debian: mosquitto-clients)")?,
    );
    let heard = count_lines(listener.0.stdout.take().context("a pipe")?);
    let log = fs::File::create(folder.path().join("log"))?;
    let process = Command::new(&arguments.binary)
        .env_clear()
        .env("TM_BUS_URL", format!("mqtt://{}", broker.address))
        .env("TM_DEVICE_ID", "bench")
        .env("TM_DATA_DIR", folder.path())
        .env("TM_SENSORS_MACHINE", "false")
        .env("TM_SENSORS_MODBUS_FILE", &map)
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()
        .context("start tm-sensors")?;
    let process = Reaped(process);
    wait_for_polls(&polls)?;
    let before = Usage::of(process.0.id())?;
    clear(&polls);
    let heard_before = heard.load(Ordering::Relaxed);
    let began = Instant::now();
    // The time that is measured, not a wait for something.
    thread::sleep(Duration::from_secs(arguments.seconds));
    let after = Usage::of(process.0.id())?;
    let elapsed = began.elapsed().as_secs_f64();
    let n_heard = heard.load(Ordering::Relaxed) - heard_before;
    let polls = clear(&polls);
    let n_polls: usize = polls.iter().map(Vec::len).sum();
    let mut jitter: Vec<f64> = polls
        .iter()
        .flat_map(|of_device| of_device.windows(2))
        .map(|pair| ((pair[1] - pair[0]).as_secs_f64() - 1.0).abs() * 1000.0)
        .collect();
    jitter.sort_by(f64::total_cmp);
    let at = |part: usize| jitter.get(jitter.len().saturating_sub(1) * part / 100);
    let at = |part: usize| at(part).copied().unwrap_or(f64::NAN);
    #[expect(clippy::cast_precision_loss, reason = "counts of a minute")]
    let rate = n_polls as f64 * f64::from(N_REGISTERS) / elapsed;
    println!(
        "{rate:>9.0}{:>12.1}{:>9.2}{:>10}{:>12.2}{:>12.2}{:>12.2}",
        f64::from(n_heard) / elapsed,
        (after.cpu_s - before.cpu_s) / elapsed * 100.0,
        after.resident_kib,
        at(50),
        at(99),
        at(100),
    );
    Ok(())
}

/// Counts the lines of another program until it ends.
fn count_lines(output: ChildStdout) -> Arc<AtomicU32> {
    let n_lines = Arc::new(AtomicU32::new(0));
    let counter = Arc::clone(&n_lines);
    thread::spawn(move || {
        for _line in BufReader::new(output).lines().map_while(Result::ok) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    });
    n_lines
}

/// Until the service runs.
fn wait_for_polls((polls, is_polled): &(Mutex<Vec<Vec<Instant>>>, Condvar)) -> Result<()> {
    let polls = polls.lock().unwrap_or_else(PoisonError::into_inner);
    let is_waiting = |polls: &mut Vec<Vec<Instant>>| polls.iter().any(|times| times.len() < 2);
    let (_polls, waited) = is_polled
        .wait_timeout_while(polls, START, is_waiting)
        .unwrap_or_else(PoisonError::into_inner);
    ensure!(!waited.timed_out(), "the service polls nothing");
    Ok(())
}

fn clear(polls: &Polls) -> Vec<Vec<Instant>> {
    let mut polls = polls.0.lock().unwrap_or_else(PoisonError::into_inner);
    polls.iter_mut().map(std::mem::take).collect()
}

/// A map of devices with `N_REGISTERS` each.
fn write_map(folder: &Path, n_devices: u32, port: u16, is_published: bool) -> Result<PathBuf> {
    let deadband = if is_published { "" } else { ",deadband=100000" };
    let mut map = String::new();
    for unit in 0..n_devices {
        writeln!(
            map,
            "[[device]]\nname='d{unit}'\nport='tcp://127.0.0.1:{port}'\nunit_id={unit}\nperiod_s=1\nregister=["
        )?;
        for address in 0..N_REGISTERS {
            writeln!(
                map,
                "{{name='r{address}',function='input',address={address}{deadband}}},"
            )?;
        }
        writeln!(map, "]")?;
    }
    let path = folder.join("map.toml");
    fs::write(&path, map)?;
    Ok(path)
}

/// A Modbus TCP server whose registers count its answers.
fn serve(polls: Polls) -> Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            let polls = Arc::clone(&polls);
            thread::spawn(move || answer(stream, &polls));
        }
    });
    Ok(port)
}

fn answer(mut stream: TcpStream, polls: &Polls) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let mut request = [0; 12];
    let mut value = 0_u16;
    loop {
        stream.read_exact(&mut request).ok()?;
        let [t1, t2, .., unit, function, s1, s2, _, count] = request;
        if (s1, s2) == (0, 0) {
            let mut times = polls.0.lock().unwrap_or_else(PoisonError::into_inner);
            times.get_mut(usize::from(unit))?.push(Instant::now());
            polls.1.notify_one();
        }
        value = value.wrapping_add(1);
        let n_bytes = count.checked_mul(2)?;
        let [l1, l2] = (u16::from(n_bytes) + 3).to_be_bytes();
        let mut bytes = vec![t1, t2, 0, 0, l1, l2, unit, function, n_bytes];
        for _ in 0..count {
            bytes.extend(value.to_be_bytes());
        }
        stream.write_all(&bytes).ok()?;
    }
}
