//! The state of the module, its SIM, its network and its antenna, in raw units.

use std::time::{Duration, SystemTime};

use fastrand::Rng;
use tokio::time::Instant;

use super::{
    Scenario, Status,
    changes::Seen,
    config::{Composition, Sim7600Config},
    faults::{Cure, Faults},
    messages::{Messages, Sent},
    nmea::Sky,
    settings::Settings,
    ussd::Ussd,
};
use crate::number::{Walk, round};

pub(super) use super::agenda::{Effect, Later};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SimCard {
    Ready,
    Missing,
    PinRequired,
    PukRequired,
    /// Ten wrong PUKs: never again.
    Blocked,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Network {
    Home,
    Roaming,
    Searching,
    Denied,
}

/// What the serving cell is, as `+CNSMOD` numbers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Technology {
    Gsm,
    Wcdma,
    Lte,
}

/// How far the start has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Boot {
    Powered,
    Started,
    SimRead,
    MessagesRead,
    Done,
}

/// The card in the holder.
#[derive(Debug, Clone)]
pub(super) struct Card {
    pub(super) iccid: String,
    pub(super) imsi: String,
    /// What unlocks it; absent where nothing is asked for.
    pub(super) pin: Option<String>,
    pub(super) pin_tries: u8,
    pub(super) puk_tries: u8,
}

/// Tries for a PIN and for a PUK (3GPP TS 31.101).
pub(super) const PIN_TRIES: u8 = 3;
pub(super) const PUK_TRIES: u8 = 10;

#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts about the world"
)]
pub(super) struct World {
    pub(super) config: Sim7600Config,
    pub(super) random: Rng,
    pub(super) boot: Boot,
    pub(super) sim: SimCard,
    pub(super) card: Card,
    pub(super) imei: String,
    network: Network,
    /// Which cells there are.
    pub(super) cells: Technology,
    pub(super) is_area_out: bool,
    pub(super) is_reselecting: bool,
    /// The flight pin.
    pub(super) is_flight: bool,
    pub(super) faults: Faults,
    pub(super) settings: Settings,
    /// Kept over a restart: `AT+COPS=2` is sticky.
    pub(super) deregistered: bool,
    /// `AT+CGATT`; 1 after a start.
    pub(super) is_attached: bool,
    /// Context 1, which LTE brings up with the registration.
    pub(super) is_active: bool,
    pub(super) access_point: String,
    pub(super) composition: Composition,
    pub(super) gnss_on: bool,
    pub(super) sky: Sky,
    pub(super) messages: Messages,
    pub(super) sent: Sent,
    pub(super) ussd: Ussd,
    pub(super) n_boots: u64,
    pub(super) n_commands: u64,
    pub(super) n_enumerations: u64,
    pub(super) seen: Seen,
    /// Kept in order of time.
    pub(super) agenda: Vec<(Instant, Later)>,
    rsrp: Walk,
    rsrq: Walk,
    snr: Walk,
    temperature: Walk,
    /// Beside the walk: what a scenario adds.
    pub(super) heat: f64,
    millivolts: Walk,
    pub(super) sag_millivolts: i64,
    /// Seconds since the supply alarm was printed.
    pub(super) alarm_age: u64,
}

impl World {
    pub(super) fn new(config: Sim7600Config, sent: Sent) -> Self {
        let mut random = Rng::with_seed(config.seed);
        Self {
            sky: Sky::new(&config, &mut random),
            random,
            boot: Boot::Powered,
            sim: SimCard::Ready,
            card: Card {
                iccid: config.iccid.clone(),
                imsi: config.imsi.clone(),
                pin: None,
                pin_tries: PIN_TRIES,
                puk_tries: PUK_TRIES,
            },
            imei: config.imei.clone(),
            network: Network::Home,
            cells: Technology::Lte,
            is_area_out: false,
            is_reselecting: false,
            is_flight: false,
            faults: Faults::default(),
            settings: Settings::new(&config.delivery),
            deregistered: false,
            is_attached: true,
            is_active: true,
            access_point: config.access_point.clone(),
            composition: config.composition,
            gnss_on: config.gnss_autostart,
            messages: Messages::new(&config.messages),
            sent,
            ussd: Ussd::default(),
            n_boots: 0,
            n_commands: 0,
            n_enumerations: 0,
            seen: Seen::default(),
            agenda: Vec::new(),
            rsrp: Walk::around(-920.0, 6.0),
            rsrq: Walk::around(-105.0, 2.5),
            snr: Walk::around(12.0, 0.5),
            temperature: Walk::around(38.0, 0.15),
            heat: 0.0,
            millivolts: Walk::around(3880.0, 3.0),
            sag_millivolts: 0,
            alarm_age: u64::MAX,
            config,
        }
    }

    /// The module starts: what commands set is forgotten; SIM, network and sky are as they are.
    pub(super) fn boot(&mut self) {
        self.n_boots += 1;
        self.boot = Boot::Powered;
        self.settings.restart(&self.config.delivery);
        self.gnss_on = self.config.gnss_autostart || self.settings.kept.gnss_auto;
        self.is_attached = true;
        self.is_active = true;
        self.agenda
            .retain(|(_, later)| matches!(later, Later::Report(_) | Later::Deliver));
        self.ussd.cancel();
        self.seen = Seen::default();
        self.sky.engine_started();
        self.lock_card();
    }

    /// Power was taken from the card: a locked one asks again.
    pub(super) fn lock_card(&mut self) {
        if self.card.pin.is_some() && self.sim == SimCard::Ready {
            self.sim = SimCard::PinRequired;
        }
    }

    /// One step of the start; the line it prints.
    pub(super) fn boot_step(&mut self) -> &'static str {
        match self.boot {
            Boot::Powered => {
                self.boot = Boot::Started;
                "RDY"
            }
            Boot::Started => {
                self.boot = Boot::SimRead;
                match self.sim() {
                    SimCard::Ready => "+CPIN: READY",
                    SimCard::Missing => "+CPIN: NOT INSERTED",
                    SimCard::PinRequired => "+CPIN: SIM PIN",
                    SimCard::PukRequired => "+CPIN: SIM PUK",
                    SimCard::Blocked => "+CPIN: SIM FAILURE",
                }
            }
            Boot::SimRead => {
                self.boot = Boot::MessagesRead;
                "SMS DONE"
            }
            Boot::MessagesRead | Boot::Done => {
                self.boot = Boot::Done;
                "PB DONE"
            }
        }
    }

    /// Changes what the network is, for all that the module can do about it.
    pub(super) fn set_network(&mut self, network: Network) {
        self.network = network;
    }

    /// Somebody does something that may heal.
    pub(super) fn treat(&mut self, cure: Cure) {
        self.faults.treat(cure);
    }

    /// A second passes.
    pub(super) fn tick(&mut self) {
        for walk in [
            &mut self.rsrp,
            &mut self.rsrq,
            &mut self.snr,
            &mut self.temperature,
            &mut self.millivolts,
        ] {
            walk.step(&mut self.random);
        }
        if self.gnss_on {
            self.sky.tick(Duration::from_secs(1), &mut self.random);
        }
    }

    pub(super) fn now(&self) -> SystemTime {
        self.config.clock.time()
    }

    /// What the module finds in the holder.
    pub(super) fn sim(&self) -> SimCard {
        if self.faults.card.is_some() {
            SimCard::Missing
        } else {
            self.sim
        }
    }

    /// What the module believes of the network.
    pub(super) fn network(&self) -> Network {
        match self.faults.network {
            _ if self.is_area_out => Network::Searching,
            Some((network, _)) => network,
            // Cells of a kind that `AT+CNMP` excludes are not looked for.
            None if !self.settings.kept.allows(self.cells) => Network::Searching,
            None => self.network,
        }
    }

    /// Whether the radio is in a cell it may use.
    pub(super) fn has_service(&self) -> bool {
        matches!(self.network(), Network::Home | Network::Roaming) && self.may_register()
    }

    /// Whether context 1 is up; an empty access point is the network's to choose.
    pub(super) fn has_data(&self) -> bool {
        let known = [self.config.access_point.as_str(), "internet", ""];
        let is_known = known.contains(&self.access_point.as_str());
        self.has_service() && self.is_attached && self.is_active && is_known
    }

    /// Whether SIM, radio and operator mode let the module look for a network.
    pub(super) fn may_register(&self) -> bool {
        self.sim() == SimCard::Ready
            && self.settings.cfun == 1
            && !self.is_flight
            && !self.deregistered
            && self.boot >= Boot::SimRead
    }

    /// `<stat>` of `+CREG`, `+CGREG` and `+CEREG`.
    pub(super) fn registration(&self, index: usize) -> u8 {
        let is_lte = self.cells == Technology::Lte;
        match self.network() {
            _ if !self.may_register() => 0,
            Network::Searching => 2,
            // The third speaks of LTE alone.
            _ if index == 2 && !is_lte => 0,
            _ if index > 0 && !self.is_attached => 0,
            Network::Denied => 3,
            Network::Home => 1,
            Network::Roaming => 5,
        }
    }

    /// (RSRQ, RSRP, RSSI) in tenths and RSSNR in whole dB, as `+CPSI` prints them.
    pub(super) fn levels(&self) -> [i64; 4] {
        let power = round(self.rsrp.value()).clamp(-1200, -700);
        let quality = round(self.rsrq.value()).clamp(-180, -60);
        [
            quality,
            power,
            power + 301,
            round(self.snr.value()).clamp(-5, 25),
        ]
    }

    pub(super) fn temperature(&self) -> i64 {
        round(self.temperature.value() + self.heat)
    }

    pub(super) fn millivolts(&self) -> i64 {
        round(self.millivolts.value()) - self.sag_millivolts
    }

    pub(super) fn status(&self, is_present: bool, is_on: bool) -> Status {
        let (latitude_deg, longitude_deg) = self.sky.antenna();
        Status {
            is_present,
            is_on,
            n_boots: self.n_boots,
            n_commands: self.n_commands,
            n_enumerations: self.n_enumerations,
            is_registered: self.has_service(),
            has_data: is_on && self.has_data(),
            has_traffic: is_on && self.has_data() && self.faults.stalled.is_none(),
            is_mute: self.faults.mute.is_some(),
            is_gnss_on: self.gnss_on,
            has_fix: self.gnss_on && self.sky.has_fix(),
            latitude_deg,
            longitude_deg,
            rsrp_tenths: self.levels()[1],
        }
    }

    /// Everything well again, but for what was swapped.
    pub(super) fn mend(&mut self) {
        self.network = Network::Home;
        self.cells = Technology::Lte;
        self.is_area_out = false;
        self.is_reselecting = false;
        self.is_flight = false;
        self.faults = Faults::default();
        self.deregistered = false;
        self.heat = 0.0;
        self.sag_millivolts = 0;
        self.sim = SimCard::Ready;
        self.card.pin = None;
        self.card.pin_tries = PIN_TRIES;
        self.card.puk_tries = PUK_TRIES;
        self.access_point.clone_from(&self.config.access_point);
        self.sky.uncover();
        self.sky.tell_truth();
    }

    /// `scenario` names what is wrong until something heals it.
    pub(super) fn break_down(&mut self, scenario: Scenario) {
        let faults = &mut self.faults;
        match scenario {
            Scenario::Mute => faults.mute = Some(Cure::Nothing),
            Scenario::MuteUntilReset => faults.mute = Some(Cure::Restart),
            Scenario::MuteUntilRebind => faults.mute = Some(Cure::Rebind),
            Scenario::MuteUntilPowerKey => faults.mute = Some(Cure::PowerKey),
            Scenario::Stalled => faults.stalled = Some(Cure::Reconnect),
            Scenario::StalledUntilRadio => faults.stalled = Some(Cure::Radio),
            Scenario::StalledUntilReset => faults.stalled = Some(Cure::Restart),
            Scenario::DeniedUntilRadio => faults.network = Some((Network::Denied, Cure::Radio)),
            Scenario::NoServiceUntilOperator => {
                faults.network = Some((Network::Searching, Cure::Operator));
            }
            Scenario::NoServiceUntilRadio => {
                faults.network = Some((Network::Searching, Cure::Radio));
            }
            Scenario::NoServiceUntilReset => {
                faults.network = Some((Network::Searching, Cure::Restart));
            }
            Scenario::NoSimUntilReset => faults.card = Some(Cure::Restart),
            _ => {}
        }
    }
}
