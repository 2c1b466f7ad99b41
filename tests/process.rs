//! Real processes for stories and measurements.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

/// How long a process may take to be ready.
const START_DEADLINE: Duration = Duration::from_secs(15);

/// A child process that is killed when its owner goes.
#[derive(Debug)]
pub struct Reaped(pub Child);

impl Drop for Reaped {
    fn drop(&mut self) {
        // It may have ended by itself already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Debian's Mosquitto with the queue limits of the product's own broker.
#[derive(Debug)]
pub struct Mosquitto {
    /// Where it listens.
    pub address: SocketAddr,
    /// The process.
    pub process: Reaped,
}

impl Mosquitto {
    /// Starts a broker that keeps its files in `folder/name`.
    ///
    /// # Errors
    /// When the program is missing or does not accept within 15 s.
    pub fn start(folder: &Path, name: &str) -> Result<Self> {
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let home = folder.join(name);
        fs::create_dir(&home)?;
        let file = home.join("mosquitto.conf");
        let settings = format!(
            "listener {} 127.0.0.1\nallow_anonymous true\nuser root\n\
             persistence true\npersistence_location {}/\nautosave_interval 300\n\
             max_queued_messages 1000000\nmax_queued_bytes 0\nmessage_size_limit 131072\n\
             max_inflight_messages 2000\npersistent_client_expiration 14d\n\
             log_type error\nlog_type warning\n",
            address.port(),
            home.display()
        );
        fs::write(&file, settings)?;
        let log = fs::File::create(home.join("log"))?;
        let process = Command::new("mosquitto")
            .arg("-c")
            .arg(&file)
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("start mosquitto (Debian's package)")?;
        let broker = Self {
            address,
            process: Reaped(process),
        };
        let deadline = Instant::now() + START_DEADLINE;
        while TcpStream::connect(address).is_err() {
            ensure!(
                Instant::now() < deadline,
                "the {name} mosquitto does not accept"
            );
            thread::sleep(Duration::from_millis(20));
        }
        Ok(broker)
    }

    /// Waits until a retained message stands at `topic`.
    ///
    /// # Errors
    /// When none comes within 20 s.
    pub fn wait_for_retained(&self, topic: &str) -> Result<()> {
        let output = Command::new("mosquitto_sub")
            .args(["-h", "127.0.0.1", "-p", &self.address.port().to_string()])
            .args(["-t", topic, "-C", "1", "-W", "20"])
            .output()
            .context("run mosquitto_sub")?;
        ensure!(output.status.success(), "nothing came on {topic}");
        Ok(())
    }
}

/// What the kernel counts of a process.
#[derive(Debug)]
pub struct Usage {
    /// Resident memory now, KiB.
    pub resident_kib: u64,
    /// The most it ever was, KiB.
    pub peak_kib: u64,
    /// Time on a processor since the start, s.
    pub cpu_s: f64,
    /// How often a thread went to sleep.
    pub switches: u64,
    /// Bytes caused to be written to storage.
    pub written: u64,
}

impl Usage {
    /// Reads what `/proc` says of the process now.
    ///
    /// # Errors
    /// When the process has gone, or the kernel keeps no such counts.
    pub fn of(process: u32) -> Result<Self> {
        let process = Path::new("/proc").join(process.to_string());
        let status = fs::read_to_string(process.join("status"))?;
        let mut switches = 0;
        let mut cpu_s = 0.0;
        for thread in fs::read_dir(process.join("task"))? {
            let thread = thread?.path();
            let status = fs::read_to_string(thread.join("status"))?;
            // A voluntary switch is a thread that went to sleep: it was woken before.
            switches += number(&status, "voluntary_ctxt_switches:")?;
            // Nanoseconds on a processor, finer than the ticks of `stat`.
            let schedule = fs::read_to_string(thread.join("schedstat"))?;
            let spent: f64 = schedule.split(' ').next().unwrap_or_default().parse()?;
            cpu_s += spent / 1e9;
        }
        let io = fs::read_to_string(process.join("io"))?;
        Ok(Self {
            resident_kib: number(&status, "VmRSS:")?,
            peak_kib: number(&status, "VmHWM:")?,
            cpu_s,
            switches,
            written: number(&io, "write_bytes:")?,
        })
    }
}

fn number(text: &str, name: &str) -> Result<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let word = line.and_then(|line| line.split_whitespace().next());
    word.with_context(|| format!("find {name}"))?
        .parse()
        .with_context(|| format!("read {name}"))
}
