//! A SIM7600G-H: an AT port and an NMEA port, on PTYs, on TCP and in memory, all showing the same module.

mod agenda;
mod answers;
mod at;
mod changes;
mod config;
pub(crate) mod faults;
mod gsm7;
mod messages;
mod nmea;
mod pdu;
mod play;
mod ports;
mod pty;
mod run;
mod scenario;
mod settings;
mod usb;
pub(crate) mod ussd;
mod world;

use std::{
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::{
    io::DuplexStream,
    sync::{mpsc, oneshot, watch},
};

pub use config::{Clock, Composition, Delivery, Motion, Sim7600Config};
pub use messages::{MessageService, SentMessage};
pub use ports::Line;
pub use scenario::{Scenario, UnknownScenario};
pub use usb::UsbPaths;
pub use ussd::UssdAnswer;

use crate::{port::Port, task::Task};

/// The truth about the simulated module, to hold the product's readings against.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts")]
pub struct Status {
    /// The ports are there.
    pub is_present: bool,
    /// It runs, whether or not its ports are there.
    pub is_on: bool,
    /// How often it started.
    pub n_boots: u64,
    /// Command lines answered.
    pub n_commands: u64,
    /// How often its ports appeared.
    pub n_enumerations: u64,
    /// The network has it.
    pub is_registered: bool,
    /// Its context is up.
    pub has_data: bool,
    /// Its context is up and carries packets.
    pub has_traffic: bool,
    /// A fault keeps it silent.
    pub is_mute: bool,
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
    sent: messages::Sent,
}

enum Order {
    Play(Scenario),
    Garbage(Line, Vec<u8>),
    Connect(Line, DuplexStream, oneshot::Sender<io::Result<()>>),
    Serial(Line, PathBuf, oneshot::Sender<io::Result<()>>),
    Tcp(Line, Port),
    Usb(PathBuf, String, oneshot::Sender<io::Result<()>>),
    PowerKey(Duration),
    UsbRebind,
    Receive(String, String, Option<Vec<usize>>),
    Messages(MessageService),
    Ussd(String, UssdAnswer),
    Delivery(Delivery),
}

impl Sim7600 {
    /// Powers the module on; it answers on the ports that are added.
    pub fn start(config: Sim7600Config) -> Self {
        let (orders, inbox) = mpsc::unbounded_channel();
        let (truth, status) = watch::channel(Status::default());
        let sent = messages::Sent::default();
        let run = run::run(config, sent.clone(), inbox, truth);
        let handle = Sim7600Handle {
            orders,
            status,
            sent,
        };
        Self {
            handle,
            _task: Task::spawn(run),
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

    /// Adds the module as a USB device in the socket `socket`, such as `1-1.3`, of the tree under `root`: `root/sys` and
    /// `root/dev`. The device, its interfaces and its ports come and go with the module, each time with other numbers;
    /// what is written to `authorized`, or to `unbind` and `bind` of the driver `usb`, is obeyed.
    ///
    /// # Errors
    /// When the tree cannot be written.
    pub async fn on_usb(&self, root: &Path, socket: &str) -> io::Result<UsbPaths> {
        self.handle
            .ask(|done| Order::Usb(root.to_owned(), socket.to_owned(), done))
            .await?;
        Ok(UsbPaths::new(root, socket))
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

    /// Presses the power key for that long: at least 100 ms switch the module on, at least 2.5 s off
    /// (Hardware Design V1.02, tables 8 and 9).
    pub fn power_key(&self, press: Duration) {
        self.send(Order::PowerKey(press));
    }

    /// Takes the USB device from its driver and gives it back: the ports vanish and return, the module runs on.
    pub fn usb_rebind(&self) {
        self.send(Order::UsbRebind);
    }

    /// A text message is sent to the module's number; `from` is a number or a name.
    pub fn receive_sms(&self, from: &str, text: &str) {
        self.send(Order::Receive(from.to_owned(), text.to_owned(), None));
    }

    /// The same with its parts, counted from 0, in this order; those left out never come, those named twice come twice.
    pub fn receive_sms_parts(&self, from: &str, text: &str, parts: &[usize]) {
        self.send(Order::Receive(
            from.to_owned(),
            text.to_owned(),
            Some(parts.to_vec()),
        ));
    }

    /// What the module has sent, oldest first.
    pub fn sent_messages(&self) -> Vec<SentMessage> {
        self.sent.all()
    }

    /// Changes how the operator treats messages; the number of places on the card stays.
    pub fn set_messages(&self, service: MessageService) {
        self.send(Order::Messages(service));
    }

    /// Changes what the network answers to a service code; the answer `1` to `*111#` is the code `*111#/1`.
    pub fn set_ussd(&self, code: &str, answer: UssdAnswer) {
        self.send(Order::Ussd(code.to_owned(), answer));
    }

    /// Changes how answers come over the line; echo and error level after the next start only.
    pub fn set_delivery(&self, delivery: Delivery) {
        self.send(Order::Delivery(delivery));
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
