//! What ModemManager tells of a modem at one moment, folded into the same knowledge that the AT port gives.

use tm_types::{Cell, ModemIdentity, Reason, Registration, RegistrationStatus, Sim, SimStatus};
use zbus::zvariant::{OwnedObjectPath, Value};

use super::choose::{MODEM_3GPP, ModemObject};
use super::properties::{Properties, Read};
use super::raw::Levels as RawLevels;
use super::round::Card;
use crate::knowledge::{Bearer, Knowledge};

pub(super) const SIGNAL: &str = "org.freedesktop.ModemManager1.Modem.Signal";

/// `MM_MODEM_STATE_FAILED`, `_DISABLED`, `_ENABLED` and `_REGISTERED` (ModemManager-enums.h).
pub(super) const STATE_FAILED: i32 = -1;
pub(super) const STATE_DISABLED: i32 = 3;
pub(super) const STATE_ENABLED: i32 = 6;
pub(super) const STATE_REGISTERED: i32 = 8;
/// `MM_MODEM_LOCK_SIM_PIN` and `MM_MODEM_LOCK_SIM_PUK`.
pub(super) const LOCK_PIN: u32 = 2;
const LOCK_PUK: u32 = 4;

/// One modem with what belongs to it.
#[derive(Debug)]
pub(super) struct Snapshot {
    pub(super) object: ModemObject,
    pub(super) sim: Option<Card>,
    pub(super) bearers: Vec<(OwnedObjectPath, Properties)>,
    /// `MCC,MNC,LAC,CI,TAC`.
    pub(super) place: Option<String>,
    /// `1e0e:9001`.
    pub(super) usb: Option<String>,
}

impl Snapshot {
    /// The state, -1 (failed) to 11 (connected).
    pub(super) fn state(&self) -> i32 {
        self.object.modem().signed("State").unwrap_or_default()
    }

    /// Why it has failed, in ModemManager's word (MMModemStateFailedReason); nothing while it has not.
    pub(super) fn failed_reason(&self) -> Option<&'static str> {
        if self.state() != STATE_FAILED {
            return None;
        }
        Some(match self.object.modem().word("StateFailedReason") {
            Some(2) => "sim-missing",
            Some(3) => "sim-error",
            Some(4) => "unknown-capabilities",
            Some(5) => "esim-without-profiles",
            _ => "unknown",
        })
    }

    /// Tries left for the PIN.
    pub(super) fn pin_tries(&self) -> Option<u8> {
        self.tries(LOCK_PIN)
    }

    /// Which code the card asks for (MMModemLock).
    pub(super) fn lock(&self) -> u32 {
        self.object
            .modem()
            .word("UnlockRequired")
            .unwrap_or_default()
    }

    fn tries(&self, lock: u32) -> Option<u8> {
        let tries = self.object.modem().numbers("UnlockRetries");
        u8::try_from(*tries.get(&lock)?).ok()
    }

    /// Everything that is known by it.
    pub(super) fn knowledge(&self, raw: &RawLevels) -> Knowledge {
        let mut known = Knowledge::new();
        let modem = self.object.modem();
        known.identity = self.identity();
        known.sim = self.card();
        known.pin_tries = self.pin_tries();
        known.radio_on = match modem.word("PowerState") {
            Some(3) => Some(true),
            Some(1 | 2) => Some(false),
            _ => None,
        };
        known.given_up = self.failed_reason().map(str::to_owned);
        let network = self.object.interface(MODEM_3GPP);
        known.attached = match network.word("PacketServiceState") {
            Some(1) => Some(true),
            Some(2) => Some(false),
            _ => None,
        };
        // First what the module itself says of its cell: it knows band, channel and noise as well.
        if let Some(cells) = &raw.cells {
            known.on_serving_cells(cells.clone());
        }
        self.on_network(&mut known, network);
        self.on_signal(&mut known, raw);
        known.bearer = self.bearer();
        known
    }

    fn identity(&self) -> ModemIdentity {
        let told = self.object.modem();
        // The make is in its own field.
        let model = told
            .text("Model")
            .map(|model| model.trim_start_matches("SIMCOM_").to_owned());
        ModemIdentity {
            manufacturer: told.text("Manufacturer"),
            model,
            revision: told.text("Revision"),
            imei: self.object.imei(),
            usb: self.usb.clone(),
        }
    }

    fn card(&self) -> Sim {
        let card = self.sim.as_ref().map(|card| &*card.properties);
        let status = match (self.failed_reason(), self.lock()) {
            (Some("sim-missing" | "esim-without-profiles"), _) => SimStatus::Absent,
            (Some("sim-error"), _) => SimStatus::Failure,
            (_, LOCK_PIN) => SimStatus::PinRequired,
            (_, LOCK_PUK) => SimStatus::PukRequired,
            // The second PIN is for dialling restrictions: nothing waits for it.
            (_, 1 | 3 | 5) if card.is_some() => SimStatus::Ready,
            (_, 0 | 1 | 3 | 5) => SimStatus::Unknown,
            // Locked to other equipment or another network: for this modem it does not work.
            _ => SimStatus::Failure,
        };
        Sim {
            status,
            iccid: card
                .text("SimIdentifier")
                .map(|iccid| iccid.trim_end_matches(['F', 'f']).to_owned()),
            imsi: card.text("Imsi"),
            pin_tries: self.pin_tries(),
            puk_tries: self.tries(LOCK_PUK),
        }
    }

    fn on_network(&self, known: &mut Knowledge, network: Option<&Properties>) {
        let technologies = self.object.modem().word("AccessTechnologies");
        let told = Registration {
            status: RegistrationStatus::Unknown,
            operator: network.text("OperatorName"),
            plmn: network.text("OperatorCode").and_then(|code| plmn(&code)),
            technology: technologies.and_then(technology).map(str::to_owned),
            reject_cause: rejection(network),
        };
        let registration = &mut known.registration;
        registration.operator = told.operator;
        registration.plmn = told.plmn.or(registration.plmn.take());
        registration.technology = told.technology.or(registration.technology.take());
        registration.reject_cause = told.reject_cause;
        known.on_standing(standing(network.word("RegistrationState")));
        if known.cell.is_none()
            && let Some(mut cell) = self.place.as_deref().and_then(cell)
        {
            cell.enb =
                (known.registration.technology.as_deref() == Some("lte")).then_some(cell.id >> 8);
            cell.band = self.only_band();
            known.levels.cell = Ok(cell.id);
            known.cell = Some(cell);
        }
    }

    /// The band, where only one is allowed: of several nobody tells which is used.
    fn only_band(&self) -> Option<String> {
        // `MM_MODEM_BAND_EUTRAN_1` is 31, and so on to band 71.
        let bands = self.object.modem().words("CurrentBands");
        let &[band @ 31..=101] = bands.as_slice() else {
            return None;
        };
        Some(format!("EUTRAN-BAND{}", band - 30))
    }

    /// The percentage of `SignalQuality` is not used: it says little of the link.
    fn on_signal(&self, known: &mut Knowledge, raw: &RawLevels) {
        let signal = self.object.interface(SIGNAL);
        let first = |names: [&str; 3]| {
            names
                .into_iter()
                .find_map(|name| signal.table(name).filter(|map| !map.is_empty()))
        };
        // 5G and 2G tell too little to be worth a name of their own.
        let heard = first(["Lte", "Umts", "Gsm"]);
        let level = |name: &str| {
            heard
                .as_ref()?
                .decimal(name)
                .filter(|level| (-200.0..100.0).contains(level))
        };
        let levels = &mut known.levels;
        let missing = if signal.is_some() {
            Reason::WarmingUp
        } else {
            Reason::NotPresent
        };
        let settle = |place: &mut Result<f64, Reason>, told: Option<f64>| {
            if place.is_err() {
                *place = told.ok_or(missing);
            }
        };
        settle(&mut levels.rsrp, level("rsrp"));
        settle(&mut levels.rsrq, level("rsrq"));
        // Named "snr" in LTE and 5G; ModemManager takes it from the modem's own report.
        settle(&mut levels.sinr, level("snr"));
        levels.rssi = level("rssi")
            .or_else(|| raw.rssi_dbm())
            .map(|level| {
                #[expect(clippy::cast_possible_truncation, reason = "a level has three digits")]
                let whole = level.round() as i16;
                whole
            })
            .ok_or(missing);
        levels.temperature = raw.temperature.unwrap_or(Err(Reason::NotPresent));
        levels.supply = raw.supply.unwrap_or(Err(Reason::NotPresent));
    }

    /// The connection for data: one that stands before one that does not.
    fn bearer(&self) -> Option<Bearer> {
        let described = self.bearers.iter().map(|(path, bearer)| {
            let stats = bearer.table("Stats");
            let stats = stats.as_ref();
            let address = |name: &str| bearer.table(name)?.text("address");
            Bearer {
                id: path.as_str().to_owned(),
                is_connected: bearer.flag("Connected").unwrap_or(false),
                interface: bearer.text("Interface"),
                apn: bearer
                    .table("Properties")
                    .and_then(|properties| properties.text("apn")),
                address: address("Ip4Config").or_else(|| address("Ip6Config")),
                rx_bytes: stats.number("rx-bytes"),
                tx_bytes: stats.number("tx-bytes"),
                began_unix_s: stats.number("start-date"),
                duration_s: stats.number("duration"),
                error: bearer.value("ConnectionError").and_then(error_text),
            }
        });
        described.max_by_key(|bearer| (bearer.is_connected, bearer.apn.is_some()))
    }
}

fn standing(state: Option<u32>) -> RegistrationStatus {
    // MMModem3gppRegistrationState. Registered for text messages only, no data flows.
    match state {
        Some(0) => RegistrationStatus::Idle,
        Some(1 | 9) => RegistrationStatus::Home,
        Some(2) => RegistrationStatus::Searching,
        Some(3) => RegistrationStatus::Denied,
        Some(5 | 10) => RegistrationStatus::Roaming,
        Some(6 | 7 | 8 | 11) => RegistrationStatus::EmergencyOnly,
        _ => RegistrationStatus::Unknown,
    }
}

/// The newest of the technologies (MMModemAccessTechnology).
fn technology(bits: u32) -> Option<&'static str> {
    const GSM: u32 = 0b1_1110;
    const UMTS: u32 = 0b11_1110_0000;
    const LTE: u32 = 1 << 14 | 1 << 16 | 1 << 17;
    const NR: u32 = 1 << 15;
    let has = |mask| bits & mask != 0;
    match () {
        () if has(NR) && !has(LTE) => Some("nr"),
        () if has(LTE) => Some("lte"),
        () if has(UMTS) => Some("umts"),
        () if has(GSM) => Some("gsm"),
        () => None,
    }
}

/// `25501` is `255-01`: the country has three digits, the network two or three.
fn plmn(code: &str) -> Option<String> {
    let is_code = matches!(code.len(), 5 | 6) && code.bytes().all(|byte| byte.is_ascii_digit());
    is_code.then(|| format!("{}-{}", &code[..3], &code[3..]))
}

/// `MCC,MNC,LAC,CI[,TAC]`, the last three hexadecimal. Of LAC and TAC the unused one is zero.
fn cell(place: &str) -> Option<Cell> {
    let mut fields = place.split(',').skip(2);
    let mut hex = || u32::from_str_radix(fields.next()?.trim(), 16).ok();
    let (lac, id, tac) = (hex(), hex()?, hex());
    let is_used = |code: &u32| !matches!(code, 0 | 0xFFFE | 0xFF_FFFE);
    (id != 0).then(|| Cell {
        id,
        enb: None,
        area_code: tac.filter(is_used).or(lac.filter(is_used)),
        pci: None,
        band: None,
        channel: None,
        bandwidth_mhz: None,
    })
}

/// ModemManager 1.24 and later: the number of 3GPP TS 24.008 or 24.301, and the network that refused.
fn rejection(network: Option<&Properties>) -> Option<String> {
    let rejection = network.table("NetworkRejection")?;
    rejection.number("error").map(|number| number.to_string())
}

/// `(name, words)`; empty without an error.
fn error_text(value: &Value<'_>) -> Option<String> {
    let Value::Structure(fields) = value else {
        return None;
    };
    let text = |index: usize| -> Option<&str> { fields.fields().get(index)?.downcast_ref().ok() };
    let words = text(1)
        .filter(|text| !text.is_empty())
        .or_else(|| text(0))?;
    (!words.is_empty()).then(|| words.to_owned())
}

#[cfg(test)]
#[path = "tests/snapshots.rs"]
mod tests;
