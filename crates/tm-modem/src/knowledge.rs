//! What is known of the modem: answers folded in, one by one.

use tm_proto::at::Reply;
use tm_proto::sim7600::{self, RegistrationStatus as Heard, ServingCell, SimState};
use tm_types::{Cell, ModemIdentity, Reason, Registration, RegistrationStatus, Sim, SimStatus};

use crate::ask::Ask;

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
    /// The operator locked the card to other equipment, or something else only a person can mend.
    pub(crate) pin_tries: Option<u8>,
    /// The PIN of the configuration was refused, or is not spent because too few tries are left.
    pub(crate) is_pin_withheld: bool,
    pub(crate) registration: Registration,
    pub(crate) cell: Option<Cell>,
    pub(crate) levels: Levels,
    lte: RegistrationStatus,
    packet: RegistrationStatus,
    is_limited: bool,
}

impl Knowledge {
    /// Nothing is known yet.
    pub(crate) fn new() -> Self {
        Self {
            identity: ModemIdentity::default(),
            sim: Sim {
                status: SimStatus::Unknown,
                iccid: None,
                imsi: None,
            },
            pin_tries: None,
            is_pin_withheld: false,
            registration: Registration::default(),
            cell: None,
            levels: Levels::missing(Reason::NotPresent),
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
            Ask::PinTries => self.pin_tries = sim7600::pin_tries(lines).map(|tries| tries.pin),
            Ask::RegistrationLte => self.on_lte(sim7600::registration(lines).map(|r| r.status)),
            Ask::RegistrationPs => self.on_packet(sim7600::registration(lines).map(|r| r.status)),
            Ask::Operator => {
                let operator = sim7600::operator(lines);
                self.registration.operator = operator.and_then(|operator| operator.name);
            }
            Ask::ServingCell => self.on_cells(read(reply, sim7600::serving_cells)),
            Ask::SignalQuality => {
                let quality = read(reply, sim7600::signal_quality);
                self.levels.rssi = quality.and_then(|q| q.rssi_dbm.ok_or(Reason::NotPresent));
            }
            Ask::Temperature => self.levels.temperature = read(reply, sim7600::temperature_celsius),
            Ask::Supply => self.levels.supply = read(reply, sim7600::supply_voltage_v),
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
        };
    }

    /// LTE counts; in 2G and 3G the packet domain does (sim7600: `CREG` may lie with a data-only SIM).
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

    fn on_cells(&mut self, cells: Level<Vec<ServingCell>>) {
        let cell = match cells {
            Ok(cells) => cells.into_iter().next().ok_or(Reason::WarmingUp),
            Err(why) => Err(why),
        };
        self.cell = None;
        match cell {
            Ok(cell) => self.on_cell(cell),
            // Between two cells the module prints no levels; the next poll has them again.
            Err(why) => self.levels.no_cell(why),
        }
        self.settle_registration();
    }

    fn on_cell(&mut self, cell: ServingCell) {
        self.levels.no_cell(Reason::NotPresent);
        (self.registration.plmn, self.registration.technology) = (None, None);
        self.is_limited = false;
        let (plmn, technology, is_limited, id, cell) = match cell {
            ServingCell::NoService { .. } => return,
            ServingCell::Lte(lte) => {
                let level = |level: Option<f64>| level.ok_or(Reason::OutOfRange);
                self.levels.rsrp = level(lte.levels.rsrp_dbm);
                self.levels.rsrq = level(lte.levels.rsrq_db);
                self.levels.sinr = level(lte.levels.sinr_db);
                let cell = lte.cell_id.map(|id| Cell {
                    id,
                    enb: Some(id >> 8),
                    area_code: lte.tracking_area,
                    pci: lte.physical_cell_id,
                    band: lte.band.map(|band| format!("EUTRAN-BAND{band}")),
                    channel: lte.earfcn,
                    bandwidth_mhz: lte.downlink_mhz,
                });
                (lte.plmn, "lte", lte.is_limited, lte.cell_id, cell)
            }
            ServingCell::Wcdma(wcdma) => {
                let cell = wcdma.cell_id.map(|id| Cell {
                    id,
                    enb: None,
                    area_code: wcdma.location_area,
                    pci: None,
                    band: Some(wcdma.band),
                    channel: wcdma.uarfcn,
                    bandwidth_mhz: None,
                });
                (wcdma.plmn, "umts", wcdma.is_limited, wcdma.cell_id, cell)
            }
            ServingCell::Gsm(gsm) => {
                let cell = gsm.cell_id.map(|id| Cell {
                    id,
                    enb: None,
                    area_code: gsm.location_area,
                    pci: None,
                    band: Some(gsm.band),
                    channel: None,
                    bandwidth_mhz: None,
                });
                (gsm.plmn, "gsm", gsm.is_limited, gsm.cell_id, cell)
            }
        };
        self.registration.plmn = Some(plmn);
        self.registration.technology = Some(technology.to_owned());
        self.is_limited = is_limited;
        self.levels.cell = id.ok_or(Reason::NotPresent);
        self.cell = cell;
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

#[cfg(test)]
mod tests {
    use tm_proto::at::{Channel, Output};

    use super::*;

    /// Puts a question to a module that answers `text`.
    fn answer(knowledge: &mut Knowledge, ask: Ask, text: &str) {
        let mut channel = Channel::default();
        channel.start(ask.command(None).unwrap()).unwrap();
        channel.feed(text.replace('\n', "\r\n").as_bytes());
        while let Some(output) = channel.next() {
            if let Output::Reply(reply) = output {
                knowledge.on_reply(ask, &reply);
                return;
            }
        }
        panic!("{text} is no answer to {ask:?}");
    }

    #[test]
    fn an_lte_cell_is_folded_in() {
        let mut known = Knowledge::new();
        answer(
            &mut known,
            Ask::ServingCell,
            "\n+CPSI: LTE,Online,255-01,0x8502,22274571,143,EUTRAN-BAND3,1650,5,5,-98,-892,-591,12\n\nOK\n",
        );
        answer(&mut known, Ask::SignalQuality, "\n+CSQ: 27,99\n\nOK\n");
        answer(&mut known, Ask::RegistrationLte, "\n+CEREG: 0,1\n\nOK\n");
        answer(
            &mut known,
            Ask::Operator,
            "\n+COPS: 0,0,\"Vodafone UA\",7\n\nOK\n",
        );
        answer(&mut known, Ask::Temperature, "\n+CPMUTEMP: -7\n\nOK\n");
        answer(&mut known, Ask::Supply, "\n+CBC: 3.891V\n\nOK\n");
        assert_eq!(
            known.levels,
            Levels {
                rssi: Ok(-59),
                rsrp: Ok(-89.2),
                rsrq: Ok(-9.8),
                sinr: Ok(12.0),
                temperature: Ok(-7.0),
                supply: Ok(3.891),
                cell: Ok(22_274_571),
            }
        );
        assert_eq!(
            known.registration,
            Registration {
                status: RegistrationStatus::Home,
                operator: Some("Vodafone UA".to_owned()),
                plmn: Some("255-01".to_owned()),
                technology: Some("lte".to_owned()),
            }
        );
        let cell = known.cell.unwrap();
        assert_eq!(
            (cell.enb, cell.pci, cell.band.as_deref()),
            (Some(87_010), Some(143), Some("EUTRAN-BAND3"))
        );
    }

    #[test]
    fn what_is_missing_says_why() {
        let mut known = Knowledge::new();
        let cases = [
            ("\n+CPSI: NO SERVICE,Online\n\nOK\n", Reason::NotPresent),
            (
                "\n+CPSI: GSM,Online,460-00,0x182d,12401,27 EGSM 900,-64,2110,42-42\n\nOK\n",
                Reason::NotPresent,
            ),
            ("\n+CPSI: LTE,Online,250-20\n\nOK\n", Reason::BadReply),
            ("\nERROR\n", Reason::Refused),
        ];
        for (text, why) in cases {
            answer(&mut known, Ask::ServingCell, text);
            assert_eq!(known.levels.rsrp, Err(why), "{text}");
        }
        answer(&mut known, Ask::SignalQuality, "\n+CSQ: 99,99\n\nOK\n");
        assert_eq!(known.levels.rssi, Err(Reason::NotPresent));
        answer(&mut known, Ask::Supply, "\n+CBC: 0.013V\n\nOK\n");
        assert_eq!(known.levels.supply, Err(Reason::BadReply));
        known.on_timeout(Ask::Supply);
        assert_eq!(known.levels.supply, Err(Reason::Timeout));
    }

    #[test]
    fn registration_is_judged_by_lte_then_by_the_packet_domain() {
        let cases = [
            ("1", None, RegistrationStatus::Home),
            ("5", Some("0"), RegistrationStatus::Roaming),
            ("0", Some("1"), RegistrationStatus::Home),
            ("2", Some("0"), RegistrationStatus::Searching),
            ("2", Some("3"), RegistrationStatus::Denied),
            ("0", Some("0"), RegistrationStatus::Idle),
            ("4", Some("4"), RegistrationStatus::Unknown),
            ("6", Some("0"), RegistrationStatus::EmergencyOnly),
        ];
        for (lte, packet, expected) in cases {
            let mut known = Knowledge::new();
            answer(
                &mut known,
                Ask::RegistrationLte,
                &format!("\n+CEREG: 0,{lte}\n\nOK\n"),
            );
            if let Some(packet) = packet {
                answer(
                    &mut known,
                    Ask::RegistrationPs,
                    &format!("\n+CGREG: 0,{packet}\n\nOK\n"),
                );
            }
            assert_eq!(known.registration.status, expected, "{lte} {packet:?}");
        }
    }

    #[test]
    fn a_camped_cell_without_rights_is_for_emergencies() {
        let mut known = Knowledge::new();
        answer(&mut known, Ask::RegistrationLte, "\n+CEREG: 0,2\n\nOK\n");
        answer(
            &mut known,
            Ask::ServingCell,
            "\n+CPSI: LTE-LIMITED,Online,255-01,0x8502,22274571,143,EUTRAN-BAND3,1650,5,5,-98,-892,-591,12\n\nOK\n",
        );
        assert_eq!(known.registration.status, RegistrationStatus::EmergencyOnly);
        answer(
            &mut known,
            Ask::ServingCell,
            "\n+CPSI: NO SERVICE,Online\n\nOK\n",
        );
        assert_eq!(known.registration.status, RegistrationStatus::Searching);
    }

    #[test]
    fn a_card_that_is_pulled_takes_its_numbers_along() {
        let mut known = Knowledge::new();
        answer(&mut known, Ask::Sim, "\n+CPIN: READY\n\nOK\n");
        answer(
            &mut known,
            Ask::Iccid,
            "\n+ICCID: 8938003991234567890F\n\nOK\n",
        );
        answer(&mut known, Ask::Imsi, "\n255011234567890\n\nOK\n");
        assert_eq!(known.sim.iccid.as_deref(), Some("8938003991234567890"));
        assert_eq!(known.sim.imsi.as_deref(), Some("255011234567890"));
        answer(&mut known, Ask::Sim, "\n+CME ERROR: SIM not inserted\n");
        assert_eq!(
            known.sim,
            Sim {
                status: SimStatus::Absent,
                iccid: None,
                imsi: None
            }
        );
    }

    #[test]
    fn the_firmware_is_the_revision() {
        let mut known = Knowledge::new();
        answer(
            &mut known,
            Ask::Identity,
            "\nManufacturer: SIMCOM INCORPORATED\nModel: SIMCOM_SIM7600G-H\nRevision: SIM7600G_V2.0.2\n\
             IMEI: 860000000000001\n+GCAP: +CGSM\n\nOK\n",
        );
        answer(
            &mut known,
            Ask::Revision,
            "\n+CGMR: LE20B04SIM7600G22\n\nOK\n",
        );
        let identity = known.identity;
        assert_eq!(identity.model.as_deref(), Some("SIM7600G-H"));
        assert_eq!(identity.revision.as_deref(), Some("LE20B04SIM7600G22"));
        assert_eq!(identity.imei.as_deref(), Some("860000000000001"));
    }
}
