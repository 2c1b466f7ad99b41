//! One modem as ModemManager knows it.

use std::collections::BTreeMap;

use crate::sim7600::{faults::Cure, ussd::Ussd};

use super::{ManagerConfig, location::Location, scenario::Scenario};

/// MMModemState.
pub(super) mod state {
    pub(crate) const FAILED: i32 = -1;
    pub(crate) const LOCKED: i32 = 2;
    pub(crate) const DISABLED: i32 = 3;
    pub(crate) const ENABLED: i32 = 6;
    pub(crate) const SEARCHING: i32 = 7;
    pub(crate) const REGISTERED: i32 = 8;
    pub(crate) const CONNECTED: i32 = 11;
}

/// MMModemStateFailedReason: the card is missing.
pub(super) const SIM_MISSING: u32 = 2;
/// MMModemPowerState.
pub(super) const POWER_LOW: u32 = 2;
pub(super) const POWER_ON: u32 = 3;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Card {
    Ready,
    Missing,
    Pin,
    Puk,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Network {
    Home,
    Roaming,
    Searching,
    Denied,
}

/// A text message as an object.
#[derive(Debug, Clone)]
pub(super) struct Sms {
    /// MMSmsState: 0 unknown, 2 receiving, 3 received, 4 sending, 5 sent.
    pub(super) state: u32,
    /// MMSmsPduType: 1 deliver, 2 submit, 3 report.
    pub(super) kind: u32,
    pub(super) number: String,
    pub(super) text: String,
    pub(super) wants_report: bool,
    pub(super) reference: u32,
    pub(super) timestamp: String,
    /// MMSmsStorage: 0 none, 1 card, 2 modem.
    pub(super) storage: u32,
    /// `<st>` of a report; 256 is unknown.
    pub(super) delivery: u32,
}

/// What a bearer has carried.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Traffic {
    pub(super) received: u64,
    pub(super) sent: u64,
    pub(super) total_received: u64,
    pub(super) total_sent: u64,
    pub(super) n_attempts: u32,
}

#[derive(Debug)]
pub(super) struct Modem {
    /// `N` of `Modem/N`; grows with each enumeration.
    pub(super) number: u32,
    /// 0 or 1: which of the two.
    pub(super) slot: u32,
    pub(super) imei: String,
    pub(super) iccid: String,
    pub(super) imsi: String,
    pub(super) card: Card,
    pub(super) pin: String,
    pub(super) pin_tries: u32,
    pub(super) network: Network,
    /// What the modem believes of the network until this is done.
    pub(super) stuck: Option<(Network, Cure)>,
    pub(super) stalled: Option<Cure>,
    pub(super) is_failed: Option<Cure>,
    pub(super) is_mute: bool,
    pub(super) n_timeouts: u32,
    pub(super) is_enabled: bool,
    pub(super) power: u32,
    /// Somebody wants the bearer to be up.
    pub(super) is_wanted: bool,
    /// The bearer's number; it grows with each new one.
    pub(super) bearer: u32,
    pub(super) traffic: Traffic,
    pub(super) access_point: String,
    pub(super) signal_rate: u32,
    /// RSRP, RSRQ, RSSI, SNR.
    pub(super) levels: [f64; 4],
    pub(super) location: Location,
    pub(super) messages: BTreeMap<u32, Sms>,
    pub(super) ussd: Ussd,
    pub(super) ussd_state: u32,
    pub(super) ussd_request: String,
    /// The number of the network device; it grows with each enumeration.
    pub(super) device: u32,
    /// The number of the active connection; it grows with each activation.
    pub(super) activation: u32,
    /// As last told by `StateChanged`.
    pub(super) told_state: Option<i32>,
    pub(super) told_device_state: Option<u32>,
}

impl Modem {
    pub(super) fn new(slot: u32, config: &ManagerConfig) -> Self {
        let numbered = |text: &str| {
            if slot == 0 {
                text.to_owned()
            } else {
                format!("{}9", &text[..text.len() - 1])
            }
        };
        Self {
            number: 0,
            slot,
            imei: numbered(&config.imei),
            iccid: numbered(&config.iccid),
            imsi: numbered(&config.imsi),
            card: Card::Ready,
            pin: config.pin.clone(),
            pin_tries: 3,
            network: Network::Home,
            stuck: None,
            stalled: None,
            is_failed: None,
            is_mute: false,
            n_timeouts: 0,
            is_enabled: true,
            power: POWER_ON,
            is_wanted: true,
            bearer: 0,
            traffic: Traffic {
                n_attempts: 1,
                ..Traffic::default()
            },
            access_point: config.access_point.clone(),
            signal_rate: 0,
            levels: [-92.0, -10.5, -62.0, 12.0],
            location: Location::default(),
            messages: BTreeMap::new(),
            ussd: Ussd::default(),
            ussd_state: 1,
            ussd_request: String::new(),
            device: 0,
            activation: 0,
            told_state: None,
            told_device_state: None,
        }
    }

    /// The card as far as the modem can see it.
    pub(super) fn card(&self) -> Card {
        if self.is_failed.is_some() {
            Card::Missing
        } else {
            self.card
        }
    }

    pub(super) fn network(&self) -> Network {
        self.stuck.map_or(self.network, |(network, _)| network)
    }

    pub(super) fn state(&self) -> i32 {
        match (self.card(), self.network()) {
            (Card::Missing, _) => state::FAILED,
            (Card::Pin | Card::Puk, _) => state::LOCKED,
            _ if self.power == POWER_LOW || !self.is_enabled => state::DISABLED,
            (_, Network::Searching) => state::SEARCHING,
            // Enabled, and nothing more comes of it.
            (_, Network::Denied) => state::ENABLED,
            _ if self.is_wanted => state::CONNECTED,
            _ => state::REGISTERED,
        }
    }

    pub(super) fn is_registered(&self) -> bool {
        self.state() >= state::REGISTERED
    }

    pub(super) fn is_connected(&self) -> bool {
        self.state() == state::CONNECTED
    }

    /// Whether packets go through.
    pub(super) fn has_traffic(&self) -> bool {
        self.is_connected() && self.stalled.is_none()
    }

    /// MMModem3gppRegistrationState.
    pub(super) fn registration(&self) -> u32 {
        match self.network() {
            _ if self.state() < state::ENABLED => 0,
            Network::Home => 1,
            Network::Searching => 2,
            Network::Denied => 3,
            Network::Roaming => 5,
        }
    }

    pub(super) fn treat(&mut self, cure: Cure) {
        self.stuck.take_if(|(_, needed)| cure.heals(*needed));
        self.stalled.take_if(|needed| cure.heals(*needed));
        self.is_failed.take_if(|needed| cure.heals(*needed));
    }

    /// The bearer goes down.
    pub(super) fn disconnect(&mut self) {
        if self.is_wanted {
            self.is_wanted = false;
            self.treat(Cure::Reconnect);
        }
    }

    /// The bearer comes up, with new counters.
    pub(super) fn connect(&mut self) {
        if !self.is_wanted {
            self.is_wanted = true;
            self.activation += 1;
            let traffic = &mut self.traffic;
            *traffic = Traffic {
                received: 0,
                sent: 0,
                n_attempts: traffic.n_attempts + 1,
                ..*traffic
            };
        }
    }

    /// It leaves the bus; whoever asked it for something asks the next one again.
    pub(super) fn reset(&mut self) {
        self.n_timeouts = 0;
        self.is_enabled = true;
        self.power = POWER_ON;
        self.is_wanted = true;
        self.signal_rate = 0;
        self.location = Location::default();
        self.ussd.cancel();
        self.ussd_state = 1;
        self.traffic = Traffic {
            n_attempts: 1,
            ..Traffic::default()
        };
        self.told_state = None;
        self.told_device_state = None;
        if self.card == Card::Ready && self.pin_tries < 3 {
            self.card = Card::Pin;
        }
    }

    pub(super) fn mend(&mut self) {
        self.card = Card::Ready;
        self.pin_tries = 3;
        self.network = Network::Home;
        self.stuck = None;
        self.stalled = None;
        self.is_failed = None;
        self.is_mute = false;
        self.n_timeouts = 0;
        self.is_enabled = true;
        self.power = POWER_ON;
        self.connect();
    }

    /// What a scenario changes in the modem; those that end or begin its presence are elsewhere.
    pub(super) fn play(&mut self, scenario: Scenario) {
        match scenario {
            Scenario::Normal => self.mend(),
            Scenario::FailedUntilReset => self.is_failed = Some(Cure::Restart),
            Scenario::NoSim => self.card = Card::Missing,
            Scenario::PinRequired => {
                self.card = Card::Pin;
                self.pin_tries = 3;
            }
            Scenario::PukRequired => {
                self.card = Card::Puk;
                self.pin_tries = 0;
            }
            Scenario::SimSwapped => {
                "8938001000000000002".clone_into(&mut self.iccid);
                "255010000000002".clone_into(&mut self.imsi);
            }
            Scenario::ModemSwapped => "860000000000002".clone_into(&mut self.imei),
            Scenario::Stalled => self.stalled = Some(Cure::Reconnect),
            Scenario::StalledUntilRadio => self.stalled = Some(Cure::Radio),
            Scenario::StalledUntilReset => self.stalled = Some(Cure::Restart),
            Scenario::Disconnected => self.is_wanted = false,
            Scenario::Denied => self.network = Network::Denied,
            Scenario::DeniedUntilRadio => self.stuck = Some((Network::Denied, Cure::Radio)),
            Scenario::Searching => self.network = Network::Searching,
            Scenario::Roaming => self.network = Network::Roaming,
            Scenario::LowPower => self.power = POWER_LOW,
            Scenario::Disabled => self.is_enabled = false,
            Scenario::Mute => self.is_mute = true,
            _ => {}
        }
    }
}
