//! A foreign client publishes to a real Mosquitto while the uplink is killed with SIGKILL and the
//! way to the remote Mosquitto is open, shut, and open and shut by turns. Every message that the local Mosquitto
//! acknowledged arrives at the remote one at least once and, after dropping repeats by
//! (device, class, stream, seq) and by (run, n), exactly once. Checked with `tm decode`.
//! With `--bad-disk` the uplink's writes fail by turns as well, by libfiu.

#![expect(clippy::print_stdout, reason = "a story tells what happens")]

use std::collections::HashSet;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use clap::Parser;
use serde_json::Value as Json;
use tm_sim::gate::{Gate, GateHandle, GateMode};
use tm_tests::process::{Mosquitto, Reaped};

/// Kill the uplink, cut the cloud, and count what arrives.
#[derive(Parser)]
struct Arguments {
    /// The `tm` binary, for `decode`.
    #[arg(long)]
    tm: PathBuf,
    /// The uplink's binary.
    #[arg(long)]
    uplink: PathBuf,
    /// Messages to publish.
    #[arg(long, default_value_t = 200_000)]
    messages: u64,
    /// Messages per second.
    #[arg(long, default_value_t = 5_000)]
    rate: u64,
    /// How often the uplink is killed; 200 need some more messages, such as 1000000.
    #[arg(long, default_value_t = 20)]
    kills: u32,
    /// Writing and syncing the journal fail by turns until the last kill; needs `fiu-run` (Debian: fiu-utils).
    #[arg(long)]
    bad_disk: bool,
    /// Seed of every random moment.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// How long the uplink may take to deliver the rest once everything is up again.
const DELIVERY_DEADLINE: Duration = Duration::from_mins(3);

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let folder = tempfile::tempdir()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;

    let local = Mosquitto::start(folder.path(), "local")?;
    let remote = Mosquitto::start(folder.path(), "remote")?;
    let gate = runtime.block_on(async { Gate::open(remote.address) })?;
    let cloud_url = format!("mqtt://{}", gate.address());

    let (_decoder, arrivals) = decode(&arguments.tm, remote.address)?;
    let data = folder.path().join("uplink");
    let control = arguments.bad_disk.then(|| folder.path().join("fiu"));
    let start = || {
        Uplink::start(
            &arguments.uplink,
            control.as_deref(),
            &data,
            local.address,
            &cloud_url,
        )
    };
    let mut uplink = start()?;
    local.wait_for_retained("tm/v1/health/uplink")?;
    let complaints = Complaints::listen(local.address)?;

    let mut publisher = publish(local.address, arguments.messages, arguments.rate)?;
    let began = Instant::now();
    let span = Duration::from_secs(arguments.messages / arguments.rate);
    let mut random = fastrand::Rng::with_seed(arguments.seed);
    let (mut way, mut tally) = (Way::Open, Tally::default());
    for kill in 1..=arguments.kills {
        let slot = span / arguments.kills;
        let early = slot.mul_f64(random.f64() * 0.9);
        let until = began + slot * (kill - 1) + early;
        let faults = control
            .as_deref()
            .map(|control| Faults::start(&uplink, control, random.u64(..)));
        way.keep(&gate.handle(), until, &mut random, |until| {
            tally.take_until(&arrivals, until)
        })?;
        faults.map_or(Ok(()), Faults::end)?;
        uplink.kill()?;
        uplink = start()?;
        way = way.next();
        println!(
            "{:5.1} s: killed {kill} times, cloud {}",
            began.elapsed().as_secs_f64(),
            way.words()
        );
    }
    ensure!(
        publisher.wait()?.success(),
        "the outside client could not publish everything"
    );
    gate.handle().set_mode(GateMode::Forward);
    println!(
        "{:5.1} s: {} messages acknowledged by the local broker",
        began.elapsed().as_secs_f64(),
        arguments.messages
    );

    tally.collect(&arrivals, arguments.messages)?;
    println!(
        "{:5.1} s: after {} kills {} arrived, {} lost; duplicates: {} by (device, class, stream, seq), {} by (run, n)",
        began.elapsed().as_secs_f64(),
        arguments.kills,
        tally.numbers.len(),
        arguments.messages - tally.numbers.len() as u64,
        tally.repeated_records,
        tally.repeated_numbers
    );
    uplink.kill()?;
    let missing: Vec<u64> = (0..arguments.messages)
        .filter(|n| !tally.numbers.contains(n))
        .take(20)
        .collect();
    ensure!(
        missing.is_empty(),
        "{} never arrived, first {missing:?}",
        arguments.messages - tally.numbers.len() as u64
    );
    if arguments.bad_disk {
        let count = complaints.count();
        println!("        health named the disk {count} times");
        ensure!(count > 0, "no write has failed");
    }
    println!("1 passed, 0 failed");
    Ok(())
}

/// The way to the cloud between two kills.
#[derive(Clone, Copy)]
enum Way {
    Open,
    Shut,
    Flapping,
}

impl Way {
    fn next(self) -> Self {
        match self {
            Self::Open => Self::Shut,
            Self::Shut => Self::Flapping,
            Self::Flapping => Self::Open,
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Open => "reachable",
            Self::Shut => "away",
            Self::Flapping => "reachable and away by turns",
        }
    }

    /// Keeps the way like that until then; whatever is to be done meanwhile is done up to the moment that it is given.
    fn keep(
        self,
        gate: &GateHandle,
        until: Instant,
        random: &mut fastrand::Rng,
        mut meanwhile: impl FnMut(Instant) -> Result<()>,
    ) -> Result<()> {
        let set = |is_open| {
            gate.set_mode(if is_open {
                GateMode::Forward
            } else {
                GateMode::Refuse
            });
            if !is_open {
                gate.cut();
            }
        };
        set(!matches!(self, Self::Shut));
        if matches!(self, Self::Flapping) {
            let (mut is_open, mut turn) = (true, Instant::now());
            loop {
                turn += Duration::from_millis(random.u64(20..400));
                if turn >= until {
                    break;
                }
                meanwhile(turn)?;
                is_open = !is_open;
                set(is_open);
            }
        }
        meanwhile(until)
    }
}

/// What arrived at the far end.
#[derive(Default)]
struct Tally {
    records: HashSet<String>,
    numbers: HashSet<u64>,
    repeated_records: u64,
    repeated_numbers: u64,
}

impl Tally {
    /// Takes what arrives up to that moment.
    fn take_until(&mut self, arrivals: &Receiver<String>, until: Instant) -> Result<()> {
        loop {
            let rest = until.saturating_duration_since(Instant::now());
            if rest.is_zero() {
                return Ok(());
            }
            match arrivals.recv_timeout(rest) {
                Ok(line) => self.take(&line)?,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => bail!("tm decode ended"),
            }
        }
    }

    /// Reads arrivals until every number was seen and nothing comes for two seconds.
    fn collect(&mut self, arrivals: &Receiver<String>, expected: u64) -> Result<()> {
        let deadline = Instant::now() + DELIVERY_DEADLINE;
        let mut seen = 0;
        let mut said = Instant::now();
        loop {
            match arrivals.recv_timeout(Duration::from_secs(2)) {
                Ok(line) => self.take(&line)?,
                Err(RecvTimeoutError::Timeout) if self.numbers.len() as u64 == expected => break,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => bail!("tm decode ended"),
            }
            seen += 1;
            if said.elapsed() > Duration::from_secs(5) {
                println!(
                    "        … {} of {expected} after {seen} lines",
                    self.numbers.len()
                );
                said = Instant::now();
            }
            if Instant::now() > deadline {
                println!("the deadline has passed");
                break;
            }
        }
        Ok(())
    }

    fn take(&mut self, line: &str) -> Result<()> {
        let poll: Json =
            serde_json::from_str(line).with_context(|| format!("tm decode wrote {line}"))?;
        if poll["source"] != "outside" {
            return Ok(());
        }
        let key = format!(
            "{}/{}/{}/{}",
            poll["device"], poll["class"], poll["stream"], poll["seq"]
        );
        let n = poll["n"].as_u64().context("a message without its number")?;
        let value = &poll["points"][0]["value"];
        ensure!(
            value.as_u64() == Some(n),
            "message {n} arrived with the value {value}"
        );
        if !self.records.insert(key) {
            self.repeated_records += 1;
        } else if !self.numbers.insert(n) {
            self.repeated_numbers += 1;
        }
        Ok(())
    }
}

struct Uplink(Reaped);

impl Uplink {
    /// With a place for libfiu's pipes its writes can be made to fail.
    fn start(
        binary: &Path,
        control: Option<&Path>,
        data: &Path,
        local: SocketAddr,
        cloud_url: &str,
    ) -> Result<Self> {
        fs::create_dir_all(data)?;
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(data.with_extension("log"))?;
        let mut command = match control {
            // It becomes the uplink by `exec`.
            Some(control) => {
                let mut command = Command::new("fiu-run");
                command.arg("-x").arg("-f").arg(control).arg(binary);
                command
            }
            None => Command::new(binary),
        };
        let process = command
            .env_clear()
            .env("TM_BUS_URL", format!("mqtt://{local}"))
            .env("TM_DATA_DIR", data)
            .env("TM_DEVICE_ID", "story")
            .env("TM_UPLINK_URL", cloud_url)
            .env("TM_UPLINK_BATCH_S", "1")
            .env("TM_CONFIG_STRICT", "true")
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("start the uplink")?;
        Ok(Self(Reaped(process)))
    }

    fn kill(&mut self) -> Result<()> {
        if let Some(status) = self.0.0.try_wait()? {
            bail!("the uplink ended by itself: {status}");
        }
        self.0.0.kill()?;
        self.0.0.wait()?;
        Ok(())
    }
}

/// Failing writes of one uplink.
struct Faults {
    /// Goes when they are to end.
    running: Sender<()>,
    thread: JoinHandle<Result<()>>,
}

impl Faults {
    /// What fails: the journal alone writes at a place of a file and syncs its data. 5 is EIO, 28 ENOSPC.
    const POINTS: [(&str, u32); 3] = [
        ("posix/io/sync/fdatasync", 5),
        ("posix/io/rw/pwrite", 5),
        ("posix/io/rw/pwrite", 28),
    ];

    fn start(uplink: &Uplink, control: &Path, seed: u64) -> Self {
        let (control, process) = (control.to_owned(), uplink.0.0.id());
        let (running, end) = channel();
        let thread = thread::spawn(move || {
            let mut random = fastrand::Rng::with_seed(seed);
            let is_over_after =
                |ms| end.recv_timeout(Duration::from_millis(ms)) != Err(RecvTimeoutError::Timeout);
            let pipe = format!("{}-{process}.out", control.display());
            while !Path::new(&pipe).exists() {
                if is_over_after(5) {
                    return Ok(());
                }
            }
            for (point, error) in Self::POINTS.iter().cycle() {
                if is_over_after(random.u64(50..600)) {
                    return Ok(());
                }
                tell(
                    &control,
                    process,
                    &format!("enable name={point},failinfo={error}"),
                )?;
                // The kill may find it failing.
                if is_over_after(random.u64(50..600)) {
                    return Ok(());
                }
                tell(&control, process, &format!("disable name={point}"))?;
            }
            Ok(())
        });
        Self { running, thread }
    }

    /// Nothing changes any more: what fails goes on to fail.
    fn end(self) -> Result<()> {
        drop(self.running);
        self.thread.join().expect("the faults do not panic")
    }
}

/// A command for libfiu in a process that lives.
fn tell(control: &Path, process: u32, command: &str) -> Result<()> {
    let output = Command::new("timeout")
        .args(["5", "fiu-ctrl", "-f"])
        .arg(control)
        .args(["-c", command, &process.to_string()])
        .output()
        .context("run fiu-ctrl")?;
    ensure!(output.status.success(), "{command}: {output:?}");
    Ok(())
}

/// How often the uplink's health names its disk.
struct Complaints {
    _listener: Reaped,
    count: Arc<AtomicU64>,
}

impl Complaints {
    fn listen(broker: SocketAddr) -> Result<Self> {
        let mut listener = Command::new("mosquitto_sub")
            .args(["-h", "127.0.0.1", "-p", &broker.port().to_string()])
            .args(["-t", "tm/v1/health/uplink"])
            .stdout(Stdio::piped())
            .spawn()
            .context("start mosquitto_sub")?;
        let output = listener.stdout.take().context("the listener's output")?;
        let count = Arc::new(AtomicU64::new(0));
        let counts = count.clone();
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                counts.fetch_add(u64::from(line.contains("journal.disk_")), Ordering::Relaxed);
            }
        });
        Ok(Self {
            _listener: Reaped(listener),
            count,
        })
    }

    fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }
}

/// Starts `mosquitto_pub`, an outside client that ends well only when all is acknowledged.
fn publish(broker: SocketAddr, messages: u64, rate: u64) -> Result<Child> {
    let mut client = Command::new("mosquitto_pub")
        .args(["-h", "127.0.0.1", "-p", &broker.port().to_string()])
        .args(["-q", "1", "-l", "-t", "tm/v1/data/outside"])
        .stdin(Stdio::piped())
        .spawn()
        .context("start mosquitto_pub")?;
    let mut lines = client.stdin.take().context("the client's input")?;
    thread::spawn(move || {
        let began = Instant::now();
        for n in 0..messages {
            if n.is_multiple_of(50) {
                let due = began + Duration::from_millis(n * 1000 / rate);
                thread::sleep(due.saturating_duration_since(Instant::now()));
            }
            // The clock is called good: what a restored clock stamped would wait for an anchor.
            let message = format!(
                "{{\"run\":\"0badcafe\",\"n\":{n},\"time\":\"2026-11-22T10:00:00Z\",\"clock\":\"ntp\",\"points\":[{{\"name\":\"count\",\"kind\":\"counter\",\"value\":{n}}}]}}\n"
            );
            if lines.write_all(message.as_bytes()).is_err() {
                return;
            }
        }
    });
    Ok(client)
}

/// Runs `tm decode` at the remote broker; each line it prints comes out of the channel.
fn decode(tm: &Path, broker: SocketAddr) -> Result<(Reaped, Receiver<String>)> {
    let mut process = Command::new(tm)
        .args([
            "decode",
            "--broker",
            &format!("mqtt://{broker}"),
            "--topic",
            "tm/#",
        ])
        .stdout(Stdio::piped())
        .spawn()
        .context("start tm decode")?;
    let output = process.stdout.take().context("the decoder's output")?;
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    Ok((Reaped(process), receiver))
}
