//! What is known of the modem: answers folded in, one by one.

mod bearer;
mod cells;
#[cfg(test)]
mod tests;

use tm_proto::at::Reply;
use tm_proto::sim7600::{self, OperatorMode, RadioPower, RegistrationStatus as Heard, SimState};
use tm_types::{
    Cell, GnssEngine, ModemIdentity, Reason, Registration, RegistrationStatus, Sim, SimStatus,
};

use crate::backend::modem_manager::Device;
use crate::backend::serial::Ask;
use crate::data::Data;

pub(crate) use bearer::Bearer;

/// A level that was read, or why it was not.
pub(crate) type Level<T = f64> = Result<T, Reason>;

/// The levels of one poll.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Levels {
    /// dBm, whole band.
    pub(crate) rssi: Level<i16>,
    /// dBm.
    pub(crate) rsrp: Level,
    /// dB.
    pub(crate) rsrq: Level,
    /// dB.
    pub(crate) sinr: Level,
    /// °C.
    pub(crate) temperature: Level,
    /// V.
    pub(crate) supply: Level,
    /// Id of the cell.
    pub(crate) cell: Level<u32>,
}

impl Levels {
    /// Nothing was read, and why.
    pub(crate) fn missing(why: Reason) -> Self {
        Self {
            rssi: Err(why),
            rsrp: Err(why),
            rsrq: Err(why),
            sinr: Err(why),
            temperature: Err(why),
            supply: Err(why),
            cell: Err(why),
        }
    }

    fn no_cell(&mut self, why: Reason) {
        (self.rsrp, self.rsrq, self.sinr, self.cell) = (Err(why), Err(why), Err(why), Err(why));
    }
}

/// Everything the answers said.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Knowledge {
    pub(crate) identity: ModemIdentity,
    pub(crate) sim: Sim,
    /// Tries left for the PIN, once asked for.
    pub(crate) pin_tries: Option<u8>,
    /// The PIN of the configuration was refused, or is not spent because too few tries are left.
    pub(crate) is_pin_withheld: bool,
    pub(crate) registration: Registration,
    pub(crate) cell: Option<Cell>,
    pub(crate) levels: Levels,
    pub(crate) data: Data,
    /// Somebody told the module to leave every network (`+COPS: 2`), which it keeps over a restart.
    pub(crate) is_deregistered: bool,
    /// Whether the radio is on; nothing where that is not told.
    pub(crate) radio_on: Option<bool>,
    /// Whether it is attached to the packet network, in a manager's words; nothing where there is none.
    pub(crate) attached: Option<bool>,
    /// The host's connection for data; nothing where there is none or nobody tells.
    pub(crate) bearer: Option<Bearer>,
    /// The satellite receiver, as a manager has it; nothing where it is not told.
    pub(crate) gnss: Option<GnssEngine>,
    /// What names it to NetworkManager; nothing where nobody tells.
    pub(crate) device: Option<Device>,
    /// Why a manager has given the modem up, in its word, although it still shows it, such as `sim-missing`.
    pub(crate) given_up: Option<String>,
    lte: RegistrationStatus,
    packet: RegistrationStatus,
    is_limited: bool,
}

impl Knowledge {
    /// Nothing is known yet.
    pub(crate) fn new() -> Self {
        Self {
            identity: ModemIdentity::default(),
            sim: Sim::default(),
            pin_tries: None,
            is_pin_withheld: false,
            registration: Registration::default(),
            cell: None,
            levels: Levels::missing(Reason::NotPresent),
            data: Data::default(),
            is_deregistered: false,
            radio_on: None,
            attached: None,
            bearer: None,
            gnss: None,
            device: None,
            given_up: None,
            lte: RegistrationStatus::Unknown,
            packet: RegistrationStatus::Unknown,
            is_limited: false,
        }
    }

    /// The modem is gone: what it is stays known, how it stands does not.
    pub(crate) fn forget_service(&mut self, why: Reason) {
        *self = Self {
            identity: std::mem::take(&mut self.identity),
            levels: Levels::missing(why),
            ..Self::new()
        };
    }

    /// Whether data can flow.
    pub(crate) fn is_registered(&self) -> bool {
        matches!(
            self.registration.status,
            RegistrationStatus::Home | RegistrationStatus::Roaming
        )
    }

    /// Whether everything about the card is known that it can tell.
    pub(crate) fn is_in_service(&self) -> bool {
        self.sim.status == SimStatus::Ready && self.is_registered()
    }

    /// Folds an answer in.
    pub(crate) fn on_reply(&mut self, ask: Ask, reply: &Reply) {
        let lines = reply.ok().unwrap_or_default();
        match ask {
            Ask::Identity => self.on_identity(lines),
            // `ATI` may print a marketing name; `AT+CGMR` is the firmware (transcript of a V2.0.2 board).
            Ask::Revision => {
                let revision = sim7600::firmware_revision(lines);
                self.identity.revision = revision.or(self.identity.revision.take());
            }
            Ask::Imei => self.identity.imei = sim7600::equipment_identity(lines),
            Ask::Sim => {
                if let Some(state) = SimState::from_reply(reply) {
                    self.on_sim(state);
                }
            }
            Ask::Iccid => self.sim.iccid = sim7600::iccid(lines),
            Ask::Imsi => self.sim.imsi = sim7600::subscriber_identity(lines),
            Ask::PinTries => {
                let tries = sim7600::pin_tries(lines);
                self.pin_tries = tries.map(|tries| tries.pin);
                self.sim.pin_tries = self.pin_tries;
                self.sim.puk_tries = tries.map(|tries| tries.puk);
            }
            Ask::GnssEngine => {
                let engine = sim7600::gnss_engine(lines);
                self.gnss = engine.map(|engine| GnssEngine {
                    on: Some(engine.is_on),
                    ..GnssEngine::default()
                });
            }
            Ask::RadioPower => {
                let power = sim7600::radio_power(lines);
                self.radio_on = power.map(|power| power == RadioPower::Full);
            }
            Ask::RegistrationLte => self.on_lte(sim7600::registration(lines).map(|r| r.status)),
            Ask::RegistrationPs => self.on_packet(sim7600::registration(lines).map(|r| r.status)),
            Ask::Operator => {
                let operator = sim7600::operator(lines);
                self.is_deregistered = operator
                    .as_ref()
                    .is_some_and(|operator| operator.mode == OperatorMode::Deregistered);
                self.registration.operator = operator.and_then(|operator| operator.name);
            }
            Ask::ServingCell => self.on_cells(read(reply, sim7600::serving_cells)),
            Ask::SignalQuality => {
                let quality = read(reply, sim7600::signal_quality);
                self.levels.rssi = quality.and_then(|q| q.rssi_dbm.ok_or(Reason::NotPresent));
            }
            Ask::Temperature => self.levels.temperature = read(reply, sim7600::temperature_celsius),
            Ask::Supply => self.levels.supply = read(reply, sim7600::supply_voltage_v),
            Ask::PacketData => {
                let is_registered = self.is_registered();
                self.data.on_contexts(reply, is_registered);
            }
            Ask::LastError => self.data.on_refusal(reply),
            _ => {}
        }
    }

    /// A question was not answered.
    pub(crate) fn on_timeout(&mut self, ask: Ask) {
        match ask {
            Ask::ServingCell => {
                self.cell = None;
                self.levels.no_cell(Reason::Timeout);
            }
            Ask::SignalQuality => self.levels.rssi = Err(Reason::Timeout),
            Ask::Temperature => self.levels.temperature = Err(Reason::Timeout),
            Ask::Supply => self.levels.supply = Err(Reason::Timeout),
            Ask::PacketData => self.data = Data::default(),
            _ => {}
        }
    }

    /// The card, by an answer or on its own.
    pub(crate) fn on_sim(&mut self, state: SimState) {
        self.sim.status = match state {
            SimState::Ready => SimStatus::Ready,
            SimState::PinRequired => SimStatus::PinRequired,
            SimState::PukRequired => SimStatus::PukRequired,
            SimState::NotInserted => SimStatus::Absent,
            SimState::Busy => SimStatus::Busy,
            // Locked to other equipment: for this modem it does not work.
            SimState::Locked | SimState::Failed => SimStatus::Failure,
        };
        if matches!(state, SimState::NotInserted | SimState::Failed) {
            (self.sim.iccid, self.sim.imsi) = (None, None);
        }
        if state == SimState::Ready {
            self.is_pin_withheld = false;
        }
    }

    /// The registration in LTE.
    pub(crate) fn on_lte(&mut self, status: Option<Heard>) {
        self.lte = status.map_or(RegistrationStatus::Unknown, standing);
        self.settle_registration();
    }

    fn on_packet(&mut self, status: Option<Heard>) {
        self.packet = status.map_or(RegistrationStatus::Unknown, standing);
        self.settle_registration();
    }

    fn on_identity(&mut self, lines: &[String]) {
        let Some(identity) = sim7600::identity(lines) else {
            return;
        };
        // The make is in its own field.
        let model = identity
            .model
            .map(|model| model.trim_start_matches("SIMCOM_").to_owned());
        self.identity = ModemIdentity {
            manufacturer: identity.manufacturer,
            model,
            revision: identity.revision,
            imei: identity.imei,
            usb: self.identity.usb.take(),
        };
    }

    /// LTE counts; in 2G and 3G the packet domain does (`CREG` may lie with a data-only SIM).
    /// Of two refusals the one that says more counts.
    fn settle_registration(&mut self) {
        let weight = |status| match status {
            RegistrationStatus::Home => 6,
            RegistrationStatus::Roaming => 5,
            RegistrationStatus::Denied => 4,
            RegistrationStatus::EmergencyOnly => 3,
            RegistrationStatus::Searching => 2,
            RegistrationStatus::Idle => 1,
            RegistrationStatus::Unknown => 0,
        };
        let better = if weight(self.packet) > weight(self.lte) {
            self.packet
        } else {
            self.lte
        };
        // A camped cell without rights while the module only says that it searches.
        let is_vague = weight(better) <= weight(RegistrationStatus::Searching);
        self.registration.status = if self.is_limited && is_vague {
            RegistrationStatus::EmergencyOnly
        } else {
            better
        };
    }
}

/// Reads an answer, or says why there is nothing to read.
fn read<T>(reply: &Reply, reader: impl Fn(&[String]) -> Option<T>) -> Level<T> {
    match reply.ok() {
        Ok(lines) => reader(lines).ok_or(Reason::BadReply),
        Err(_) => Err(Reason::Refused),
    }
}

fn standing(heard: Heard) -> RegistrationStatus {
    match heard {
        Heard::Idle => RegistrationStatus::Idle,
        Heard::Home => RegistrationStatus::Home,
        Heard::Searching => RegistrationStatus::Searching,
        Heard::Denied => RegistrationStatus::Denied,
        Heard::Roaming => RegistrationStatus::Roaming,
        // No data over such a registration.
        Heard::SmsOnly | Heard::EmergencyOnly => RegistrationStatus::EmergencyOnly,
        Heard::Unknown => RegistrationStatus::Unknown,
    }
}
