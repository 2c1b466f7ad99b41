//! What the module is like.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

/// Where the module's GNSS and network time come from.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> SystemTime + Send + Sync>);

impl Clock {
    /// The time that `now` tells.
    pub fn new(now: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    pub(crate) fn time(&self) -> SystemTime {
        (self.0)()
    }
}

impl Default for Clock {
    /// The machine's own.
    fn default() -> Self {
        Self::new(SystemTime::now)
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

/// How the antenna moves.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Motion {
    /// Over ground.
    pub speed_mps: f64,
    /// At first, clockwise from north; it wanders.
    pub heading_deg: f64,
}

/// How answers come over the line, which a client must bear.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Delivery {
    /// Each byte is written on its own.
    pub is_bytewise: bool,
    /// The module starts with echo off, as after `ATE0&W`.
    pub is_echo_off: bool,
    /// `AT+CMEE` after a start; 2 when absent.
    pub error_level: Option<u8>,
    /// Lines that the module prints by itself between the echo and the lines of each answer, one after the other.
    pub urcs_inside: Vec<String>,
}

/// A USB composition: which interfaces the module shows (`AT+CUSBPIDSWITCH`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Composition {
    /// Diagnostics, NMEA, AT, modem, audio, QMI: as delivered.
    #[default]
    Qmi,
    /// The same with MBIM.
    Mbim,
    /// RNDIS first, which moves the others by two interfaces.
    Rndis,
    /// With ECM at the end; Linux knows no serial ports in it.
    Ecm,
}

impl Composition {
    /// All of them with their product ids.
    pub const ALL: [(&'static str, Self); 4] = [
        ("9001", Self::Qmi),
        ("9003", Self::Mbim),
        ("9011", Self::Rndis),
        ("9018", Self::Ecm),
    ];

    /// The USB product id, in hexadecimal.
    pub fn product(self) -> &'static str {
        let known = Self::ALL.iter().find(|(_, known)| *known == self);
        known.map_or("9001", |(product, _)| product)
    }
}

/// What the module is like.
#[derive(Debug, Clone)]
pub struct Sim7600Config {
    /// Of all randomness.
    pub seed: u64,
    /// Of GNSS and network time.
    pub clock: Clock,
    /// 15 digits.
    pub imei: String,
    /// Up to 15 digits.
    pub imsi: String,
    /// 18 to 20 digits; printed with the filling `F`.
    pub iccid: String,
    /// What unlocks the SIM in [`super::Scenario::PinRequired`].
    pub pin: String,
    /// Access point of context 1.
    pub access_point: String,
    /// Address of context 1.
    pub address: String,
    /// From `RDY` to `PB DONE`; 12 to 20 s on the real module.
    pub boot_time: Duration,
    /// How long the ports are away after a reset; 12 s on the real module.
    pub outage: Duration,
    /// The GNSS engine starts by itself (`AT+CGPSAUTO=1`).
    pub gnss_autostart: bool,
    /// From the start of the engine, or the return of the sky, to a fix.
    pub time_to_fix: Duration,
    /// Where the antenna is at first.
    pub latitude_deg: f64,
    /// Where the antenna is at first.
    pub longitude_deg: f64,
    /// Above mean sea level.
    pub altitude_m: f64,
    /// Absent for an antenna that stands still.
    pub motion: Option<Motion>,
    /// What happens at the start, after power was applied and before the card is read.
    pub scenarios: Vec<super::Scenario>,
    /// How answers come over the line.
    pub delivery: Delivery,
    /// How the operator treats text messages.
    pub messages: super::MessageService,
    /// From a service code to the network's answer.
    pub ussd_time: Duration,
    /// The USB composition at first.
    pub composition: Composition,
    /// Whether the firmware knows `AT+CESQ`, which the manual does not.
    pub has_extended_signal: bool,
}

impl Default for Sim7600Config {
    /// A cabinet near Ivano-Frankivsk, in quicker motion than the real module starts.
    fn default() -> Self {
        Self {
            seed: 1,
            clock: Clock::default(),
            imei: "860000000000001".to_owned(),
            imsi: "255010000000001".to_owned(),
            iccid: "8938001000000000001".to_owned(),
            pin: "0042".to_owned(),
            access_point: "staticip".to_owned(),
            address: "10.64.12.34".to_owned(),
            boot_time: Duration::from_secs(2),
            outage: Duration::from_secs(3),
            gnss_autostart: true,
            time_to_fix: Duration::from_secs(2),
            latitude_deg: 48.9226,
            longitude_deg: 24.7103,
            altitude_m: 244.0,
            motion: None,
            scenarios: Vec::new(),
            delivery: Delivery::default(),
            messages: super::MessageService::default(),
            ussd_time: Duration::from_secs(2),
            composition: Composition::default(),
            has_extended_signal: false,
        }
    }
}
