//! Mosquitto with the product's settings, on a free port.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use tempfile::TempDir;

use super::process::Usage;

/// Where Debian puts it, and others.
const PLACES: [&str; 3] = [
    "/usr/sbin/mosquitto",
    "/usr/local/sbin/mosquitto",
    "/usr/bin/mosquitto",
];

/// The file of its settings.
const SETTINGS: &str = "mosquitto.conf";

/// A broker that dies with this value.
pub(super) struct Mosquitto {
    child: Child,
    address: SocketAddr,
    directory: TempDir,
}

/// Certificates for an encrypted listener.
pub(super) struct Certificates {
    pub(super) certificate: PathBuf,
    pub(super) key: PathBuf,
}

impl Mosquitto {
    pub(super) fn is_installed() -> bool {
        program().is_some()
    }

    pub(super) fn start() -> Result<Self> {
        Self::start_with(None, "")
    }

    /// With an encrypted listener, or with further settings.
    pub(super) fn start_with(tls: Option<&Certificates>, further: &str) -> Result<Self> {
        let directory = TempDir::new()?;
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let settings = text(address, directory.path(), tls) + further;
        std::fs::write(directory.path().join(SETTINGS), settings)?;
        let broker = Self {
            child: spawn(directory.path())?,
            address,
            directory,
        };
        broker.accepts()?;
        Ok(broker)
    }

    /// Kills it with SIGKILL.
    pub(super) fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Starts it once more over the same files.
    pub(super) fn start_again(&mut self) -> Result<()> {
        self.child = spawn(self.directory.path())?;
        self.accepts()
    }

    pub(super) fn usage(&self) -> Result<Usage> {
        Usage::of(&self.child)
    }

    fn accepts(&self) -> Result<()> {
        let deadline = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(self.address).is_err() {
            if Instant::now() > deadline {
                bail!("mosquitto does not listen");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(directory: &Path) -> Result<Child> {
    Command::new(program().context("mosquitto is not installed")?)
        .arg("-c")
        .arg(directory.join(SETTINGS))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("start mosquitto")
}

fn program() -> Option<&'static str> {
    PLACES.into_iter().find(|place| Path::new(place).exists())
}

/// The settings of `blocks/mqtt` (design §5), without its users.
fn text(address: SocketAddr, directory: &Path, tls: Option<&Certificates>) -> String {
    let mut text = format!(
        "listener {} {}\nallow_anonymous true\nuser root\npersistence true\npersistence_location {}/\nautosave_interval 300\n\
         max_queued_messages 1000000\nmax_queued_bytes 0\nmessage_size_limit 131072\nmax_inflight_messages 2000\nlog_type none\n",
        address.port(),
        address.ip(),
        directory.display()
    );
    if let Some(tls) = tls {
        writeln!(
            text,
            "certfile {}\nkeyfile {}",
            tls.certificate.display(),
            tls.key.display()
        )
        .expect("a String takes everything");
    }
    text
}
