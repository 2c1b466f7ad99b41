//! A message bus of our own, where `dbus-daemon` is installed.

use std::{
    io,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use tokio::time::{Instant, sleep};
use zbus::{Connection, connection::Builder};

/// How long a bus may take to listen.
const START: Duration = Duration::from_secs(10);

/// A bus with its own address; it ends when dropped.
#[derive(Debug)]
pub struct PrivateBus {
    daemon: Child,
    address: String,
}

impl PrivateBus {
    /// Starts one that listens in `directory`; nothing where `dbus-daemon` is not installed.
    ///
    /// # Errors
    /// When it cannot be started.
    pub async fn start(directory: &Path) -> io::Result<Option<Self>> {
        let socket = directory.join("bus");
        let address = format!("unix:path={}", socket.display());
        let configuration = directory.join("bus.conf");
        // Everybody may own and say everything.
        let text = format!(
            "<busconfig><type>custom</type><listen>{address}</listen><auth>EXTERNAL</auth><policy context=\"default\">\
             <allow send_destination=\"*\" eavesdrop=\"true\"/><allow eavesdrop=\"true\"/><allow own=\"*\"/></policy>\
             </busconfig>\n"
        );
        std::fs::write(&configuration, text)?;
        let daemon = Command::new("dbus-daemon")
            .arg("--nofork")
            .arg(format!("--config-file={}", configuration.display()))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let daemon = match daemon {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            daemon => daemon?,
        };
        let mut bus = Self { daemon, address };
        let deadline = Instant::now() + START;
        while bus.connect().await.is_err() {
            if let Some(status) = bus.daemon.try_wait()? {
                return Err(io::Error::other(format!("dbus-daemon ended: {status}")));
            }
            if Instant::now() > deadline {
                return Err(io::ErrorKind::TimedOut.into());
            }
            sleep(Duration::from_millis(10)).await;
        }
        Ok(Some(bus))
    }

    /// Where it listens, as `DBUS_SYSTEM_BUS_ADDRESS` wants it.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// A connection to it.
    ///
    /// # Errors
    /// When it cannot be made.
    pub async fn connect(&self) -> zbus::Result<Connection> {
        Builder::address(self.address.as_str())?.build().await
    }
}

impl Drop for PrivateBus {
    fn drop(&mut self) {
        // One that has ended by itself is well, too.
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }
}
