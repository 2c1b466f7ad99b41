//! The state of the module, its SIM, its network and its antenna, in raw units.

use std::time::{Duration, SystemTime};

use fastrand::Rng;

use super::{Scenario, Status, config::Sim7600Config, nmea::Sky};
use crate::number::{Walk, round};

/// `staticip` with a typing error.
const MISTYPED: &str = "statikip";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SimCard {
    Ready,
    Missing,
    PinRequired,
    PukRequired,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Network {
    Home,
    Roaming,
    Searching,
    Denied,
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

/// What the module must do beside answering.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    Restart,
    PowerOff,
    /// Tell that the GNSS engine stopped.
    GnssStopped,
}

/// What commands set; gone after a restart.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub(super) echo: bool,
    pub(super) cmee: u8,
    pub(super) creg: [u8; 3],
    pub(super) cops_format: u8,
    pub(super) cnlsa: bool,
    pub(super) cfun: u8,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            echo: true,
            cmee: 2,
            creg: [0; 3],
            cops_format: 0,
            cnlsa: false,
            cfun: 1,
        }
    }
}

#[derive(Debug)]
pub(super) struct World {
    pub(super) config: Sim7600Config,
    pub(super) random: Rng,
    pub(super) boot: Boot,
    pub(super) sim: SimCard,
    pub(super) network: Network,
    pub(super) muted: bool,
    pub(super) settings: Settings,
    /// Kept over a restart: `AT+COPS=2` is sticky.
    pub(super) deregistered: bool,
    pub(super) access_point: String,
    pub(super) pin_tries: u8,
    pub(super) gnss_on: bool,
    pub(super) sky: Sky,
    pub(super) n_boots: u64,
    pub(super) n_commands: u64,
    rsrp: Walk,
    rsrq: Walk,
    snr: Walk,
    temperature: Walk,
    millivolts: Walk,
}

impl World {
    pub(super) fn new(config: Sim7600Config) -> Self {
        let mut random = Rng::with_seed(config.seed);
        Self {
            sky: Sky::new(&config, &mut random),
            random,
            boot: Boot::Powered,
            sim: SimCard::Ready,
            network: Network::Home,
            muted: false,
            settings: Settings::default(),
            deregistered: false,
            access_point: config.access_point.clone(),
            pin_tries: 3,
            gnss_on: config.gnss_autostart,
            n_boots: 0,
            n_commands: 0,
            rsrp: Walk::around(-920.0, 6.0),
            rsrq: Walk::around(-105.0, 2.5),
            snr: Walk::around(12.0, 0.5),
            temperature: Walk::around(38.0, 0.15),
            millivolts: Walk::around(3880.0, 3.0),
            config,
        }
    }

    /// The module starts: what commands set is forgotten; SIM, network and sky are as they are.
    pub(super) fn boot(&mut self) {
        self.n_boots += 1;
        self.boot = Boot::Powered;
        self.settings = Settings::default();
        self.gnss_on = self.config.gnss_autostart;
        self.sky.engine_started();
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
                match self.sim {
                    SimCard::Ready => "+CPIN: READY",
                    SimCard::Missing => "+CPIN: NOT INSERTED",
                    SimCard::PinRequired => "+CPIN: SIM PIN",
                    SimCard::PukRequired => "+CPIN: SIM PUK",
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

    /// Changes what the scenario is about and leaves the rest; the lines the module prints by itself.
    pub(super) fn play(&mut self, scenario: Scenario) -> Vec<&'static str> {
        match scenario {
            Scenario::Normal => {
                let lines = if self.sim == SimCard::Missing {
                    vec!["+CPIN: READY"]
                } else {
                    vec![]
                };
                self.sim = SimCard::Ready;
                self.network = Network::Home;
                self.muted = false;
                self.pin_tries = 3;
                self.access_point.clone_from(&self.config.access_point);
                self.sky.uncover();
                self.sky.tell_truth();
                return lines;
            }
            Scenario::NoSim => {
                self.sim = SimCard::Missing;
                return vec!["+SIMCARD: NOT AVAILABLE"];
            }
            Scenario::PinRequired => {
                self.sim = SimCard::PinRequired;
                self.pin_tries = 3;
                return vec!["+CPIN: SIM PIN"];
            }
            Scenario::Searching => self.network = Network::Searching,
            Scenario::Denied => self.network = Network::Denied,
            Scenario::Roaming => self.network = Network::Roaming,
            Scenario::WrongApn => {
                MISTYPED.clone_into(&mut self.access_point);
                return vec!["+CGEV: NW DEACT \"IP\",\"0.0.0.0\",1"];
            }
            Scenario::ApnNormal => {
                self.access_point.clone_from(&self.config.access_point);
                return vec!["+CGEV: EPS PDN ACT 1"];
            }
            Scenario::NoSky => self.sky.cover(),
            Scenario::Spoofing => self.sky.spoof(),
            Scenario::SpoofingOver => self.sky.tell_truth(),
            Scenario::Mute => self.muted = true,
            Scenario::Unplugged | Scenario::BrownOutReset => {}
        }
        Vec::new()
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
        self.config.clock.now()
    }

    /// Whether the radio is in a cell it may use.
    pub(super) fn has_service(&self) -> bool {
        matches!(self.network, Network::Home | Network::Roaming) && self.may_register()
    }

    /// Whether the network gives the module's access point a way to data; an empty one is the network's to choose.
    pub(super) fn has_data(&self) -> bool {
        let known = [self.config.access_point.as_str(), "internet", ""];
        self.has_service() && known.contains(&self.access_point.as_str())
    }

    /// Whether SIM, radio and operator mode let the module look for a network.
    pub(super) fn may_register(&self) -> bool {
        self.sim == SimCard::Ready
            && self.settings.cfun == 1
            && !self.deregistered
            && self.boot >= Boot::SimRead
    }

    /// `<stat>` of `+CREG` and its siblings.
    pub(super) fn registration(&self) -> u8 {
        match self.network {
            _ if !self.may_register() => 0,
            Network::Home => 1,
            Network::Searching => 2,
            Network::Denied => 3,
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
        round(self.temperature.value())
    }

    pub(super) fn millivolts(&self) -> i64 {
        round(self.millivolts.value())
    }

    pub(super) fn status(&self, is_present: bool) -> Status {
        let (latitude_deg, longitude_deg) = self.sky.antenna();
        Status {
            is_present,
            n_boots: self.n_boots,
            n_commands: self.n_commands,
            is_gnss_on: self.gnss_on,
            has_fix: self.gnss_on && self.sky.has_fix(),
            latitude_deg,
            longitude_deg,
            rsrp_tenths: self.levels()[1],
        }
    }
}
