//! Why there is no internet: neutral facts in, one cause out.
//!
//! [`Evidence`] is what the services know at one moment; [`Watch`] adds what only time shows (how long nothing
//! came back, how long no cell was heard). The order in which facts are believed is that of [`reason`]'s
//! functions, and is written down for owners in `docs/recovery.md`. Nothing here does I/O or reads a clock.

mod describe;
mod look;
mod reason;
mod watch;

#[cfg(test)]
mod tests;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tm_types::{Cause, Code, ModemPresence, RegistrationStatus, SimStatus, code};

pub(crate) use watch::Watch;

/// What is known at one moment. `None` is "not told", and never counts against the modem.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Evidence {
    /// Whether the modem is there.
    pub(crate) presence: ModemPresence,
    /// Why it is not, in the backend's words (`modem.absent`, `modem.mute`, `modem.manager_failed`…).
    pub(crate) trouble: Option<Cause>,
    /// Whether a device of vendor 1e0e is on USB.
    pub(crate) is_on_usb: Option<bool>,
    /// The card.
    pub(crate) sim: SimStatus,
    /// Whether a card is expected: without one that was ever seen, its absence is no fault.
    pub(crate) is_card_expected: bool,
    /// The configured PIN is not spent although the card asks for it.
    pub(crate) is_pin_withheld: bool,
    /// Tries left for the PIN.
    pub(crate) pin_tries: Option<u8>,
    /// Whether the radio is on.
    pub(crate) is_radio_on: Option<bool>,
    /// How the modem stands with the network.
    pub(crate) registration: RegistrationStatus,
    /// The operator's name, or country and network.
    pub(crate) operator: Option<String>,
    /// Why the network refused.
    pub(crate) reject_cause: Option<String>,
    /// Whether any cell at all is heard (false: `NO SERVICE`, no level of any technology).
    pub(crate) hears_cell: Option<bool>,
    /// Whether this card was registered here before, in this run or an earlier one.
    pub(crate) was_registered: bool,
    /// `modem.no_data_context` or `modem.wrong_apn`, from the contexts on the AT port.
    pub(crate) data_trouble: Option<Cause>,
    /// Whether a context or bearer for data is up.
    pub(crate) has_context: Option<bool>,
    /// What went through the bearer so far.
    pub(crate) bytes: Option<Bytes>,
    /// NetworkManager's word on the modem's device; nothing where it is not there.
    pub(crate) network_manager: Option<NetworkManager>,
    /// How the uplink stands.
    pub(crate) uplink: Uplink,
    /// What the last probe found (`link.*`, `link.open` when it passed); nothing when it is out of date.
    pub(crate) probe: Option<Cause>,
    /// Temperature of the module, °C.
    pub(crate) temperature_cel: Option<i32>,
    /// Supply of the module, V.
    pub(crate) supply_v: Option<f64>,
    /// Whether the mains supply is there, by a contact of the cabinet.
    pub(crate) has_mains: Option<bool>,
    /// `modem.data_limit` while the configured limit is used up.
    pub(crate) data_limit: Option<Cause>,
}

impl Default for Evidence {
    fn default() -> Self {
        Self {
            presence: ModemPresence::NotConfigured,
            trouble: None,
            is_on_usb: None,
            sim: SimStatus::Unknown,
            is_card_expected: true,
            is_pin_withheld: false,
            pin_tries: None,
            is_radio_on: None,
            registration: RegistrationStatus::Unknown,
            operator: None,
            reject_cause: None,
            hears_cell: None,
            was_registered: false,
            data_trouble: None,
            has_context: None,
            bytes: None,
            network_manager: None,
            uplink: Uplink::default(),
            probe: None,
            temperature_cel: None,
            supply_v: None,
            has_mains: None,
            data_limit: None,
        }
    }
}

impl Evidence {
    fn is_registered(&self) -> bool {
        matches!(
            self.registration,
            RegistrationStatus::Home | RegistrationStatus::Roaming
        )
    }
}

/// The bearer's counters, or those of its network interface.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Bytes {
    /// Bytes received.
    pub(crate) rx: u64,
    /// Bytes sent.
    pub(crate) tx: u64,
}

/// NetworkManager's word on the modem's device.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct NetworkManager {
    /// How the device stands.
    pub(crate) device: DeviceState,
    /// `NMDeviceStateReason` of its last change.
    pub(crate) state_reason: Option<u32>,
    /// How far its check got, at most as old as its interval: an hour on balenaOS.
    pub(crate) connectivity: Connectivity,
    /// Whether the modem's connection is the primary one; nothing when there is none.
    pub(crate) is_primary: Option<bool>,
}

/// `NMDeviceState`, folded to what matters here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum DeviceState {
    /// Not told.
    Unknown,
    /// Left alone, by configuration.
    Unmanaged,
    /// There, but nothing is connected.
    Disconnected,
    /// On its way up.
    Connecting,
    /// Connected.
    Activated,
    /// The last attempt failed.
    Failed,
}

impl DeviceState {
    /// From the number on the bus (NetworkManager 1.52, `NMDeviceState`).
    pub(crate) fn of_number(number: u32) -> Self {
        match number {
            10 => Self::Unmanaged,
            20 | 30 | 110 => Self::Disconnected,
            40..=90 => Self::Connecting,
            100 => Self::Activated,
            120 => Self::Failed,
            _ => Self::Unknown,
        }
    }
}

/// `NMConnectivityState`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Connectivity {
    /// Not checked, or checks are off.
    Unknown,
    /// No network.
    None,
    /// A portal answers.
    Portal,
    /// A network without the internet.
    Limited,
    /// The internet.
    Full,
}

impl Connectivity {
    /// From the number on the bus (NetworkManager 1.52, `NMConnectivityState`).
    pub(crate) fn of_number(number: u32) -> Self {
        match number {
            1 => Self::None,
            2 => Self::Portal,
            3 => Self::Limited,
            4 => Self::Full,
            _ => Self::Unknown,
        }
    }
}

/// How the uplink stands.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) enum Uplink {
    /// No cloud broker is configured, or the uplink has not spoken.
    #[default]
    Silent,
    /// Being made for the first time.
    Connecting,
    /// Up.
    Connected {
        /// When the cloud last acknowledged anything, on the monotonic clock.
        last_ack: Option<Duration>,
        /// Whether something waits to be sent.
        has_backlog: bool,
    },
    /// Cannot be made: `uplink.dns_failed`, `uplink.refused`… Keep it between two attempts.
    Failing(Cause),
}

/// What follows from the evidence.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Diagnosis {
    /// Why there is no internet, or `link.open`.
    pub(crate) cause: Cause,
    /// What that means.
    pub(crate) standing: Standing,
    /// How far the way to the internet reaches.
    pub(crate) stage: Stage,
    /// A cut of the mains is believed: the whole area may be dark, so `modem.area_outage` is only waited for,
    /// and nothing reboots the machine.
    pub(crate) is_mains_away: bool,
    /// The cloud is reached by another way: a reboot would cut what works.
    pub(crate) has_other_way: bool,
    /// The facts, in words, for events. Never carries a number of the card or the subscriber.
    pub(crate) evidence: String,
}

/// What a diagnosis means for the recovery.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Standing {
    /// Data flows: nothing may be done.
    Healthy,
    /// Nothing says that it works, nothing that it does not.
    Unknown,
    /// Not working, and usually working again by itself.
    MayPass,
    /// Not working.
    Faulty,
}

impl Standing {
    /// Whether nothing is wrong as far as anybody can tell.
    pub(crate) fn is_quiet(self) -> bool {
        matches!(self, Self::Healthy | Self::Unknown)
    }
}

/// How far the way to the internet reaches; a step that moved it on has helped, even if the end is not reached.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Stage {
    /// Nothing on USB.
    #[default]
    Gone,
    /// On USB, no answer.
    Mute,
    /// Answers.
    Present,
    /// The card is usable.
    Card,
    /// Registered.
    Registered,
    /// A connection for data is up.
    Context,
    /// Data flows.
    Open,
}

/// The diagnoses that are faults, in the order of precedence: each has a row in the ladder's table.
pub(crate) const FAULTS: &[Code] = &[
    code::MODEM_OVER_TEMPERATURE,
    code::MODEM_UNDER_VOLTAGE,
    code::MODEM_ABSENT,
    code::MODEM_MUTE,
    code::MODEM_PORT_UNUSABLE,
    code::MODEM_PORT_HELD,
    code::MODEM_WRONG_COMPOSITION,
    code::MODEM_MANAGER_ABSENT,
    code::MODEM_MANAGER_FAILED,
    code::MODEM_STARTING,
    code::MODEM_SIM_ABSENT,
    code::MODEM_SIM_PIN_REQUIRED,
    code::MODEM_SIM_PIN_WITHHELD,
    code::MODEM_SIM_PUK_REQUIRED,
    code::MODEM_SIM_FAILURE,
    code::MODEM_FLIGHT_MODE,
    code::MODEM_DENIED,
    code::MODEM_AREA_OUTAGE,
    code::MODEM_EMERGENCY_ONLY,
    code::MODEM_SEARCHING,
    code::MODEM_NOT_REGISTERED,
    code::MODEM_DATA_LIMIT,
    code::MODEM_WRONG_APN,
    code::MODEM_NO_DATA_CONTEXT,
    code::LINK_NO_ROUTE,
    code::LINK_CAPTIVE_PORTAL,
    code::LINK_DNS_HIJACKED,
    code::LINK_TLS_INTERCEPTED,
    code::LINK_PORT_BLOCKED,
    code::LINK_CLOUD_REFUSES,
    code::LINK_CLOCK_SUSPECT,
    code::LINK_STALLED,
    code::LINK_DNS_DEAD,
    code::LINK_CLOUD_UNREACHABLE,
    code::UPLINK_TLS_FAILED,
    code::UPLINK_UNREACHABLE,
];

/// The diagnoses that are no faults.
#[cfg(test)]
pub(crate) const QUIET: &[Code] = &[
    code::LINK_OPEN,
    code::MODEM_REGISTERED,
    code::MODEM_ROAMING,
    code::MODEM_NOT_CONFIGURED,
    code::MODEM_SIM_ABSENT,
];
