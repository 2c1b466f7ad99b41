//! A SIM7600G-H: an AT port and an NMEA port, on PTYs, on TCP and in memory, all showing the same module.

mod answers;
mod at;
mod config;
mod nmea;
mod ports;
mod pty;
mod run;
mod world;

use std::{
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    str::FromStr,
};

use tokio::{
    io::DuplexStream,
    sync::{mpsc, oneshot, watch},
};

pub use config::{Clock, Motion, Sim7600Config};
pub use ports::Line;

use crate::{port::Port, task::Task};

/// What happens to the module, its SIM, its network or its sky.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scenario {
    /// Everything well; ends every other one.
    Normal,
    /// The SIM is taken out.
    NoSim,
    /// The SIM waits for its PIN.
    PinRequired,
    /// No network found.
    Searching,
    /// The network refuses the SIM.
    Denied,
    /// In a foreign network.
    Roaming,
    /// The profile names an access point that the network does not know: registered, but no way to data.
    WrongApn,
    /// The profile names the right access point again.
    ApnNormal,
    /// The antenna sees no satellites.
    NoSky,
    /// A stronger sky that is not the true one: every level the same, elsewhere, and minutes ahead.
    Spoofing,
    /// The true sky again.
    SpoofingOver,
    /// Both ports stay open and silent.
    Mute,
    /// Both ports vanish.
    Unplugged,
    /// Both ports vanish and come back by themselves, with a module that has forgotten everything.
    BrownOutReset,
}

impl Scenario {
    /// All of them with their names on a command line.
    pub const ALL: [(&'static str, Self); 15] = [
        ("normal", Self::Normal),
        ("plug", Self::Normal),
        ("no-sim", Self::NoSim),
        ("pin-required", Self::PinRequired),
        ("searching", Self::Searching),
        ("denied", Self::Denied),
        ("roaming", Self::Roaming),
        ("wrong-apn", Self::WrongApn),
        ("apn-normal", Self::ApnNormal),
        ("no-sky", Self::NoSky),
        ("spoofing", Self::Spoofing),
        ("spoofing-over", Self::SpoofingOver),
        ("mute", Self::Mute),
        ("unplug", Self::Unplugged),
        ("brown-out", Self::BrownOutReset),
    ];
}

impl FromStr for Scenario {
    type Err = UnknownScenario;

    fn from_str(name: &str) -> Result<Self, UnknownScenario> {
        let known = Self::ALL.iter().find(|(known, _)| *known == name);
        known
            .map(|(_, scenario)| *scenario)
            .ok_or_else(|| UnknownScenario(name.to_owned()))
    }
}

/// No scenario has this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no scenario is called {0:?}")]
pub struct UnknownScenario(String);

/// The truth about the simulated module, to hold the product's readings against.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Status {
    /// The ports are there.
    pub is_present: bool,
    /// How often it started.
    pub n_boots: u64,
    /// Command lines answered.
    pub n_commands: u64,
    /// The GNSS engine runs.
    pub is_gnss_on: bool,
    /// The GNSS engine has a fix.
    pub has_fix: bool,
    /// Where the antenna is.
    pub latitude_deg: f64,
    /// Where the antenna is.
    pub longitude_deg: f64,
    /// RSRP in tenths of dBm, as `AT+CPSI?` prints it.
    pub rsrp_tenths: i64,
}

/// The two ports as device files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SerialPaths {
    /// The AT port: a symbolic link whose name stays over an unplug, as `/dev/pts` numbers are reused.
    pub at: PathBuf,
    /// The NMEA port.
    pub nmea: PathBuf,
}

/// The two ports as TCP addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TcpPorts {
    /// The AT port.
    pub at: SocketAddr,
    /// The NMEA port.
    pub nmea: SocketAddr,
}

/// A running module; dropping it closes every port.
#[derive(Debug)]
pub struct Sim7600 {
    handle: Sim7600Handle,
    _task: Task,
}

/// Steers a [`Sim7600`].
#[derive(Debug, Clone)]
pub struct Sim7600Handle {
    // Unbounded: orders come from a script or a test, a few a second at most.
    orders: mpsc::UnboundedSender<Order>,
    status: watch::Receiver<Status>,
}

enum Order {
    Play(Scenario),
    Garbage(Line, Vec<u8>),
    Connect(Line, DuplexStream, oneshot::Sender<io::Result<()>>),
    Serial(Line, PathBuf, oneshot::Sender<io::Result<()>>),
    Tcp(Line, Port),
}

impl Sim7600 {
    /// Powers the module on; it answers on the ports that are added.
    pub fn start(config: Sim7600Config) -> Self {
        let (orders, inbox) = mpsc::unbounded_channel();
        let (truth, status) = watch::channel(Status::default());
        let handle = Sim7600Handle { orders, status };
        Self {
            handle,
            _task: Task::spawn(run::run(config, inbox, truth)),
        }
    }

    /// A handle to steer it.
    pub fn handle(&self) -> Sim7600Handle {
        self.handle.clone()
    }

    /// Adds both ports as PTYs behind the links `at` and `nmea` in `directory`.
    ///
    /// # Errors
    /// When no PTY can be had or the links cannot be made.
    pub async fn on_ptys(&self, directory: &Path) -> io::Result<SerialPaths> {
        let paths = SerialPaths {
            at: directory.join("at"),
            nmea: directory.join("nmea"),
        };
        for (line, path) in [(Line::At, &paths.at), (Line::Nmea, &paths.nmea)] {
            self.handle
                .ask(|done| Order::Serial(line, path.clone(), done))
                .await?;
        }
        Ok(paths)
    }

    /// Adds both ports as TCP listeners on the loopback interface.
    ///
    /// # Errors
    /// When no port can be had.
    pub fn on_tcp(&self) -> io::Result<TcpPorts> {
        let (at, nmea) = (Port::open()?, Port::open()?);
        let ports = TcpPorts {
            at: at.address(),
            nmea: nmea.address(),
        };
        self.handle.send(Order::Tcp(Line::At, at));
        self.handle.send(Order::Tcp(Line::Nmea, nmea));
        Ok(ports)
    }
}

impl Sim7600Handle {
    /// Makes something happen.
    pub fn play(&self, scenario: Scenario) {
        self.send(Order::Play(scenario));
    }

    /// Puts bytes on a line that no module would send.
    pub fn inject_garbage(&self, line: Line, bytes: &[u8]) {
        self.send(Order::Garbage(line, bytes.to_vec()));
    }

    /// Opens a line in memory, for tests with paused time; it ends when the module is unplugged.
    ///
    /// # Errors
    /// `NotFound` while the module is unplugged.
    pub async fn open(&self, line: Line) -> io::Result<DuplexStream> {
        let (ours, theirs) = tokio::io::duplex(64 * 1024);
        self.ask(|done| Order::Connect(line, ours, done)).await?;
        Ok(theirs)
    }

    /// The truth, now.
    pub fn status(&self) -> Status {
        *self.status.borrow()
    }

    /// Waits until the truth is as wanted.
    ///
    /// # Errors
    /// When the module was dropped.
    pub async fn wait_for(&self, holds: impl FnMut(&Status) -> bool) -> io::Result<Status> {
        let mut status = self.status.clone();
        let found = status.wait_for(holds).await.map_err(|_| gone())?;
        Ok(*found)
    }

    fn send(&self, order: Order) {
        // After the module was dropped nothing can happen to it.
        let _ = self.orders.send(order);
    }

    async fn ask(
        &self,
        order: impl FnOnce(oneshot::Sender<io::Result<()>>) -> Order,
    ) -> io::Result<()> {
        let (done, answer) = oneshot::channel();
        self.send(order(done));
        answer.await.unwrap_or_else(|_| Err(gone()))
    }
}

fn gone() -> io::Error {
    io::Error::new(
        io::ErrorKind::NotConnected,
        "the simulated module was dropped",
    )
}
