//! Mosquitto with the product's settings, on a free port.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use tempfile::TempDir;

/// Where Debian puts it, and others.
const PLACES: [&str; 3] = [
    "/usr/sbin/mosquitto",
    "/usr/local/sbin/mosquitto",
    "/usr/bin/mosquitto",
];

/// A broker that dies with this value.
pub(crate) struct Mosquitto {
    child: Child,
    address: SocketAddr,
    _directory: TempDir,
}

/// Certificates for an encrypted listener.
pub(crate) struct Certificates {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

impl Mosquitto {
    pub(crate) fn is_installed() -> bool {
        program().is_some()
    }

    pub(crate) fn start() -> Result<Self> {
        Self::start_with(None)
    }

    pub(crate) fn start_with(tls: Option<&Certificates>) -> Result<Self> {
        let directory = TempDir::new()?;
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let config = directory.path().join("mosquitto.conf");
        std::fs::write(&config, text(address, directory.path(), tls))?;
        let program = program().context("mosquitto is not installed")?;
        let child = Command::new(program)
            .arg("-c")
            .arg(&config)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let broker = Self {
            child,
            address,
            _directory: directory,
        };
        let deadline = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(address).is_err() {
            if Instant::now() > deadline {
                bail!("mosquitto does not listen");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(broker)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn program() -> Option<&'static str> {
    PLACES.into_iter().find(|place| Path::new(place).exists())
}

/// The settings of `blocks/mqtt` (design §5), without its users.
fn text(address: SocketAddr, directory: &Path, tls: Option<&Certificates>) -> String {
    let mut text = format!(
        "listener {} {}\nallow_anonymous true\npersistence true\npersistence_location {}/\nautosave_interval 300\n\
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
