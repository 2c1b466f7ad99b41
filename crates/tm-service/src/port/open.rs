//! Opens a port.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{Mode, OFlags};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_serial::{SerialPortBuilderExt, SerialStream};

use super::{OpenError, PortUrl, usb};

/// How long a TCP server may take to answer: three SYNs of Linux (at 0, 1 and 3 s) and a slow link.
const CONNECT_TIME: Duration = Duration::from_secs(10);

/// Both directions of an open port.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// An open port, whatever is behind it. Dropping it closes it.
pub type Port = Box<dyn Stream>;

/// A port and what was found under its URL.
pub struct Opened {
    /// The port.
    pub port: Port,
    /// The node or address, such as `/dev/ttyUSB2`.
    pub name: String,
}

/// How a serial line is spoken: eight data bits, always.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SerialLine {
    /// Symbols per second.
    pub baud: u32,
    /// The parity bit.
    pub parity: Parity,
    /// Two stop bits instead of one.
    pub has_two_stop_bits: bool,
}

/// The parity bit of a serial line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Parity {
    /// There is none.
    None,
    /// The number of ones becomes even.
    Even,
    /// The number of ones becomes odd.
    Odd,
}

impl SerialLine {
    /// Eight data bits, no parity, one stop bit.
    pub fn with_baud(baud: u32) -> Self {
        Self {
            baud,
            parity: Parity::None,
            has_two_stop_bits: false,
        }
    }
}

/// Where ports are looked for. Tests and the simulator put other trees here.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ports {
    /// The root of sysfs.
    pub sys: PathBuf,
    /// The directory of device nodes.
    pub dev: PathBuf,
}

impl Default for Ports {
    fn default() -> Self {
        Self {
            sys: "/sys".into(),
            dev: "/dev".into(),
        }
    }
}

impl Ports {
    /// Opens a port; at most about 10 s.
    pub async fn open(&self, url: &PortUrl) -> Result<Opened, OpenError> {
        if let PortUrl::Tcp { host, port } = url {
            let stream = connect(host, *port).await?;
            return Ok(Opened {
                port: Box::new(stream),
                name: url.to_string(),
            });
        }
        let baud = match url {
            PortUrl::Device { baud, .. } => *baud,
            _ => USB_BAUD,
        };
        self.open_serial(url, SerialLine::with_baud(baud)).await
    }

    /// Opens a tty with these settings, whatever speed its URL names: RS-485 adapters, UARTs.
    pub async fn open_serial(&self, url: &PortUrl, line: SerialLine) -> Result<Opened, OpenError> {
        let (url, ports) = (url.clone(), self.clone());
        // sysfs and a tty's open are quick but may block on a device that is just going away.
        tokio::task::spawn_blocking(move || ports.open_tty(&url, line))
            .await
            .unwrap_or_else(|error| Err(OpenError::Other(error.to_string())))
    }

    fn open_tty(&self, url: &PortUrl, line: SerialLine) -> Result<Opened, OpenError> {
        let node = match url {
            PortUrl::Device { path, .. } => path.clone(),
            url => self.dev.join(usb::find(url, &self.sys)?),
        };
        let port = open_tty(&node, line)?;
        Ok(Opened {
            port: Box::new(port),
            name: node.display().to_string(),
        })
    }
}

/// Has no meaning on USB; the customary number keeps drivers content.
const USB_BAUD: u32 = 115_200;

async fn connect(host: &str, port: u16) -> Result<TcpStream, OpenError> {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let stream = timeout(CONNECT_TIME, TcpStream::connect((host, port)))
        .await
        .map_err(|_| {
            OpenError::Unreachable(format!("no answer within {} s", CONNECT_TIME.as_secs()))
        })?
        .map_err(|error| OpenError::of_connect(&error))?;
    stream
        .set_nodelay(true)
        .map_err(|error| OpenError::of_connect(&error))?;
    Ok(stream)
}

fn open_tty(node: &Path, line: SerialLine) -> Result<SerialStream, OpenError> {
    let path = node.to_string_lossy();
    tokio_serial::new(path, line.baud)
        .parity(match line.parity {
            Parity::None => tokio_serial::Parity::None,
            Parity::Even => tokio_serial::Parity::Even,
            Parity::Odd => tokio_serial::Parity::Odd,
        })
        .stop_bits(if line.has_two_stop_bits {
            tokio_serial::StopBits::Two
        } else {
            tokio_serial::StopBits::One
        })
        .open_native_async()
        .map_err(|error| {
            // The library reports most error numbers as "unknown", so the system is asked once more.
            let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
            match rustix::fs::open(node, flags, Mode::empty()) {
                Err(errno) => OpenError::of_errno(errno, node),
                // It opens, so it was its lock that failed.
                Ok(_) if error.kind() == tokio_serial::ErrorKind::NoDevice => OpenError::Busy,
                Ok(_) => OpenError::Other(error.to_string().to_lowercase()),
            }
        })
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    async fn failure(url: &str) -> OpenError {
        Ports::default()
            .open(&url.parse().unwrap())
            .await
            .err()
            .unwrap()
    }

    #[tokio::test]
    async fn failures_say_why() {
        let directory = tempfile::tempdir().unwrap();
        let node = directory.path().join("ttyUSB2");
        let url = node.display().to_string();
        let missing = failure(&url).await;
        assert_eq!(missing, super::super::Absence::Node(node.clone()).into());
        assert_eq!(missing.to_string(), format!("{url} does not exist"));
        std::fs::write(&node, "no tty").unwrap();
        assert!(matches!(failure(&url).await, OpenError::Other(_)));
        // Port 1 of the loopback (tcpmux) is served nowhere.
        assert_eq!(failure("tcp://127.0.0.1:1").await, OpenError::Refused);
        assert!(matches!(
            failure("tcp://host.invalid:1").await,
            OpenError::Unreachable(_)
        ));
    }

    #[tokio::test]
    async fn tcp_carries_both_directions_and_ends() {
        let server = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("tcp://{}", server.local_addr().unwrap());
        let (opened, accepted) = tokio::join!(
            async { Ports::default().open(&url.parse().unwrap()).await },
            server.accept()
        );
        let (mut opened, (mut peer, _)) = (opened.unwrap(), accepted.unwrap());
        assert_eq!(opened.name, url);
        opened.port.write_all(b"AT\r").await.unwrap();
        let mut bytes = [0; 3];
        peer.read_exact(&mut bytes).await.unwrap();
        assert_eq!(&bytes, b"AT\r");
        drop(peer);
        assert_eq!(opened.port.read(&mut bytes).await.unwrap_or(0), 0);
    }

    #[tokio::test]
    async fn a_tty_is_raw_exclusive_and_ends_with_its_device() {
        use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let url = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
        let mut opened = Ports::default().open(&url.parse().unwrap()).await.unwrap();
        assert_eq!(failure(&url).await, OpenError::Busy);
        rustix::io::write(&master, b"\r\nRDY\r\n\x03").unwrap();
        let mut bytes = [0; 8];
        opened.port.read_exact(&mut bytes).await.unwrap();
        assert_eq!(&bytes, b"\r\nRDY\r\n\x03");
        drop(master);
        assert!(matches!(opened.port.read(&mut bytes).await, Ok(0) | Err(_)));
    }
}
