//! ModemManager and NetworkManager as a SIM7600G-H in QMI mode makes them look on D-Bus: the twin that stands where the
//! host's services would. What it offers is what the real ones told of themselves (`introspection/`).
//!
//! It serves without a bus, connection by connection ([`ModemManagerTwin::connect`]), which is enough for everything but
//! names and their owners; and on a bus ([`ModemManagerTwin::start`], [`PrivateBus`]).

mod bus;
mod calls;
mod location;
mod modem;
mod network;
mod objects;
mod run;
mod scenario;
mod schema;
mod serve;
mod show;
#[cfg(test)]
mod tests;

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::sync::{mpsc, oneshot};
use zbus::{
    Connection, Guid,
    connection::{Builder, socket::Channel},
};

pub use bus::PrivateBus;
pub use scenario::Scenario;
pub use serve::Call;

use crate::{
    sim7600::{Clock, UssdAnswer},
    task::Task,
};

/// ModemManager's name on a bus.
pub const SERVICE: &str = "org.freedesktop.ModemManager1";
/// NetworkManager's name on a bus.
pub const NETWORK_MANAGER: &str = "org.freedesktop.NetworkManager";

/// What services and modem are like.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts")]
pub struct ManagerConfig {
    /// Of the network's time.
    pub clock: Clock,
    /// 15 digits.
    pub imei: String,
    /// Up to 15 digits.
    pub imsi: String,
    /// 19 or 20 digits.
    pub iccid: String,
    /// What unlocks the card.
    pub pin: String,
    /// Access point of the bearer.
    pub access_point: String,
    /// Address of the bearer.
    pub address: String,
    /// Its gateway.
    pub gateway: String,
    /// `Device` of the modem: the USB device in sysfs.
    pub device: String,
    /// From a call to its effect and its answer.
    pub action_time: Duration,
    /// How long the modem is away after a reset, and ModemManager in a restart.
    pub outage: Duration,
    /// ModemManager 1.18: what came later is missing.
    pub is_old: bool,
    /// The modem is reached by its AT ports alone: no power states and no reset but by `Command()`.
    pub is_by_at: bool,
    /// `Command()` is allowed, as with `--debug`.
    pub allows_commands: bool,
    /// The error that every sending of a message ends with.
    pub message_refusal: Option<&'static str>,
    /// Whether the network reports on messages that ask for it.
    pub sends_reports: bool,
    /// What has happened before the start.
    pub scenarios: Vec<Scenario>,
}

impl Default for ManagerConfig {
    /// The same cabinet as that of [`crate::sim7600::Sim7600Config`].
    fn default() -> Self {
        Self {
            clock: Clock::default(),
            imei: "860000000000001".to_owned(),
            imsi: "255010000000001".to_owned(),
            iccid: "8938001000000000001".to_owned(),
            pin: "0042".to_owned(),
            access_point: "staticip".to_owned(),
            address: "10.64.12.34".to_owned(),
            gateway: "10.64.12.33".to_owned(),
            device: "/sys/devices/platform/usb1/1-1.3".to_owned(),
            action_time: Duration::from_millis(20),
            outage: Duration::from_millis(200),
            is_old: false,
            is_by_at: false,
            allows_commands: true,
            message_refusal: None,
            sends_reports: true,
            scenarios: Vec::new(),
        }
    }
}

/// A text that was sent through the twin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentText {
    /// The receiver.
    pub to: String,
    /// What it says.
    pub text: String,
    /// Whether a report was asked for.
    pub wants_report: bool,
}

#[derive(Debug, Clone, Default)]
struct Sent(Arc<Mutex<Vec<SentText>>>);

impl Sent {
    fn add(&self, to: &str, text: &str, wants_report: bool) {
        let sent = SentText {
            to: to.to_owned(),
            text: text.to_owned(),
            wants_report,
        };
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(sent);
    }
}

/// The calls that came, the newest last.
#[derive(Debug, Clone, Default)]
struct Calls(Arc<Mutex<Vec<Call>>>);

/// Calls that are remembered.
const MAX_CALLS: usize = 10_000;

impl Calls {
    fn add(&self, call: Call) {
        let mut calls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if calls.len() < MAX_CALLS {
            calls.push(call);
        }
    }
}

enum Order {
    Connect(Connection, oneshot::Sender<()>),
    Settled(oneshot::Sender<()>),
    Play(Scenario),
    Nmea(String),
    Transfer(u64, u64),
    Receive {
        from: String,
        text: String,
        is_complete: bool,
    },
    Ussd(String, UssdAnswer),
    Levels([f64; 4]),
    Command(String, String),
    AllowCommands(bool),
    RefuseMessages(Option<&'static str>),
}

/// Running services; dropping it ends them.
#[derive(Debug)]
pub struct ModemManagerTwin {
    handle: ManagerHandle,
    _task: Task,
}

/// Steers a [`ModemManagerTwin`].
#[derive(Debug, Clone)]
pub struct ManagerHandle {
    // Unbounded: orders come from a script or a test, a few a second at most.
    orders: mpsc::UnboundedSender<Order>,
    calls: Calls,
    sent: Sent,
}

impl ModemManagerTwin {
    /// Starts both services, for connections that are made with [`Self::connect`].
    pub fn new(config: ManagerConfig) -> Self {
        let (orders, inbox) = mpsc::unbounded_channel();
        let (calls, sent) = (Calls::default(), Sent::default());
        let run = run::run(config, calls.clone(), sent.clone(), inbox);
        Self {
            handle: ManagerHandle {
                orders,
                calls,
                sent,
            },
            _task: Task::spawn(run),
        }
    }

    /// Starts both services on a bus, under their names.
    ///
    /// # Errors
    /// When the bus is gone.
    pub async fn start(connection: Connection, config: ManagerConfig) -> zbus::Result<Self> {
        let twin = Self::new(config);
        twin.serve(connection).await?;
        Ok(twin)
    }

    /// A new connection to both services, without a bus: whatever destination a call names, it is for them. In memory, so
    /// that time may be paused.
    ///
    /// # Errors
    /// When it cannot be made.
    pub async fn connect(&self) -> zbus::Result<Connection> {
        let (ours, theirs) = Channel::pair();
        let guid = Guid::generate();
        let ours = Builder::authenticated_socket(ours, guid.clone())?
            .p2p()
            .build();
        let theirs = Builder::authenticated_socket(theirs, guid)?.p2p().build();
        let (ours, theirs) = tokio::try_join!(ours, theirs)?;
        self.serve(ours).await?;
        Ok(theirs)
    }

    /// A handle to steer it.
    pub fn handle(&self) -> ManagerHandle {
        self.handle.clone()
    }

    async fn serve(&self, connection: Connection) -> zbus::Result<()> {
        let (done, served) = oneshot::channel();
        self.handle.send(Order::Connect(connection, done));
        served
            .await
            .map_err(|_| zbus::Error::Failure("the twin has ended".to_owned()))
    }
}

impl ManagerHandle {
    /// Makes something happen.
    pub fn play(&self, scenario: Scenario) {
        self.send(Order::Play(scenario));
    }

    /// Waits until what was ordered before has happened and was told.
    pub async fn settled(&self) {
        let (done, settled) = oneshot::channel();
        self.send(Order::Settled(done));
        // A twin that has ended is settled.
        let _ = settled.await;
    }

    /// Every call of a service's own method, oldest first; what was read is not counted.
    pub fn calls(&self) -> Vec<Call> {
        self.calls
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// How often a method was called, such as `Reset`.
    pub fn n_calls(&self, member: &str) -> usize {
        self.calls()
            .iter()
            .filter(|call| call.member == member)
            .count()
    }

    /// Sentences of the satellite receiver, in lines.
    pub fn feed_nmea(&self, text: &str) {
        self.send(Order::Nmea(text.to_owned()));
    }

    /// Bytes go through every connected bearer that is not stalled.
    pub fn transfer(&self, received: u64, sent: u64) {
        self.send(Order::Transfer(received, sent));
    }

    /// A text message arrives at the first modem.
    pub fn receive_sms(&self, from: &str, text: &str) {
        let (from, text) = (from.to_owned(), text.to_owned());
        self.send(Order::Receive {
            from,
            text,
            is_complete: true,
        });
    }

    /// One of which not every part came: its state says that it is being received, and it has no text.
    pub fn receive_incomplete_sms(&self, from: &str) {
        let from = from.to_owned();
        self.send(Order::Receive {
            from,
            text: String::new(),
            is_complete: false,
        });
    }

    /// What was sent, oldest first.
    pub fn sent_messages(&self) -> Vec<SentText> {
        self.sent
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Every sending of a message ends with this error, such as
    /// `org.freedesktop.ModemManager1.Error.Message.NetworkTimeout`, or with none.
    pub fn refuse_messages(&self, error: Option<&'static str>) {
        self.send(Order::RefuseMessages(error));
    }

    /// Changes what the network answers to a service code; the answer `1` to `*111#` is the code `*111#/1`.
    pub fn set_ussd(&self, code: &str, answer: UssdAnswer) {
        self.send(Order::Ussd(code.to_owned(), answer));
    }

    /// Changes what the modem answers to an AT command, such as `AT+CPSI?`.
    pub fn set_command(&self, command: &str, answer: &str) {
        self.send(Order::Command(command.to_owned(), answer.to_owned()));
    }

    /// Whether `Command()` is allowed from now on.
    pub fn allow_commands(&self, allows: bool) {
        self.send(Order::AllowCommands(allows));
    }

    /// RSRP, RSRQ and RSSI in dBm, dB and dBm, and the signal-to-noise ratio in dB.
    pub fn set_levels(&self, levels: [f64; 4]) {
        self.send(Order::Levels(levels));
    }

    fn send(&self, order: Order) {
        // After the twin was dropped nothing can happen to it.
        let _ = self.orders.send(order);
    }
}
