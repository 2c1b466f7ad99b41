//! The questions put to the modem, in which order, and how long each may take.

use std::time::Duration;

use tm_proto::at::Command;
use tm_proto::sim7600::ask::{self, ANSWER_TIME, MESSAGE_TIME, RADIO_TIME, SIM_TIME};

use crate::config::Pin;

/// How long the first `AT` may take: a module that is awake answers within milliseconds.
pub(crate) const ATTENTION_TIME: Duration = Duration::from_secs(1);
/// How often the first `AT` is sent: the UART may need one to find the baud rate
/// (UART Application Note V2.00, 5), and a line that was half written before spoils another.
pub(crate) const ATTENTION_TRIES: u32 = 5;
/// How long the operator's name may take (manual V3.00, 4.2.2 gives `COPS` long times while searching).
const OPERATOR_TIME: Duration = Duration::from_secs(10);

/// How long contexts and the last refusal may take; the manual (V3.00, 8.2) allows more, for networks that are asked.
const CONTEXT_TIME: Duration = Duration::from_secs(10);

/// A question or a setting.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Ask {
    Attention,
    EchoOff,
    VerboseErrors,
    Identity,
    Revision,
    Imei,
    LimitedService,
    NetworkTime,
    NetworkTimeReports,
    TemperatureAlarm,
    SupplyAlarm,
    RegistrationReports,
    PacketReports,
    OperatorNames,
    Sim,
    Iccid,
    Imsi,
    PinTries,
    EnterPin,
    RegistrationLte,
    RegistrationPs,
    Operator,
    ServingCell,
    SignalQuality,
    Temperature,
    Supply,
    Clock,
    PacketData,
    LastError,
    GnssEngine,
    GnssOn,
    RadioPower,
    /// Supply of the satellite antenna, mV.
    AntennaVoltage(u16),
    AntennaSupply,
    MessageMode,
    MessageStore,
    MessageReports,
    MessageList,
    MessageRoom,
    /// The present step of an errand; the command is the errand's.
    Errand,
}

/// After the port was opened or the module restarted. Every one may be refused.
///
/// `AT+CATR` stays as it is: by default unsolicited lines go to every port (manual, 3.2.11).
pub(crate) const INIT: &[Ask] = &[
    Ask::Attention,
    Ask::EchoOff,
    Ask::VerboseErrors,
    Ask::Identity,
    Ask::Revision,
    Ask::LimitedService,
    Ask::NetworkTime,
    Ask::NetworkTimeReports,
    Ask::TemperatureAlarm,
    Ask::SupplyAlarm,
    Ask::RegistrationReports,
    Ask::PacketReports,
    Ask::OperatorNames,
];

/// What tells whether the modem is in service.
pub(crate) const SERVICE: &[Ask] = &[Ask::Sim, Ask::RegistrationLte, Ask::Operator];

/// What is measured.
pub(crate) const LEVELS: &[Ask] = &[
    Ask::ServingCell,
    Ask::SignalQuality,
    Ask::Temperature,
    Ask::Supply,
    Ask::Clock,
    Ask::PacketData,
    Ask::RadioPower,
];

/// Once a card can be used: its number, its tries, and how messages are kept on it.
pub(crate) const CARD: &[Ask] = &[
    Ask::Iccid,
    Ask::Imsi,
    Ask::PinTries,
    Ask::MessageMode,
    Ask::MessageStore,
    Ask::MessageReports,
    Ask::MessageList,
];

/// What lies on the card: also what was announced while nobody listened.
pub(crate) const MESSAGES: &[Ask] = &[Ask::MessageList, Ask::MessageRoom];

impl Ask {
    /// The command line; nothing when it cannot be made (there is no PIN).
    pub(crate) fn command(self, pin: Option<&Pin>) -> Option<Command> {
        Some(match self {
            Self::Attention => ask::attention(),
            Self::EchoOff => ask::echo_off(),
            Self::VerboseErrors => ask::verbose_errors(),
            Self::Identity => ask::identity(),
            Self::Revision => ask::firmware_revision(),
            Self::Imei => ask::equipment_identity(),
            Self::LimitedService => ask::limited_service_on(),
            Self::NetworkTime => ask::network_time_on(),
            // `+CTZV` when the network tells the time (manual, 3.2.13).
            Self::NetworkTimeReports => Command::new("AT+CTZR=1").ok()?,
            Self::TemperatureAlarm => ask::temperature_alarm_on(),
            Self::SupplyAlarm => ask::supply_alarm_on(),
            // `+CEREG: <stat>` on change (manual, 8.2).
            Self::RegistrationReports => Command::new("AT+CEREG=1").ok()?,
            // `+CGEV` when the network or the module detaches (manual, 8.2.14).
            Self::PacketReports => Command::new("AT+CGEREP=2,1").ok()?,
            Self::OperatorNames => ask::operator_names(),
            Self::Sim => ask::sim_state(),
            Self::Iccid => ask::iccid(),
            Self::Imsi => ask::subscriber_identity(),
            Self::PinTries => ask::pin_tries(),
            Self::EnterPin => ask::enter_pin(pin?.expose())?,
            Self::RegistrationLte => ask::registration_lte(),
            Self::RegistrationPs => ask::registration_ps(),
            Self::Operator => ask::operator(),
            Self::ServingCell => ask::serving_cell(),
            Self::SignalQuality => ask::signal_quality(),
            Self::Temperature => ask::temperature(),
            Self::Supply => ask::supply_voltage(),
            Self::Clock => ask::network_clock(),
            Self::PacketData => ask::packet_data(),
            Self::LastError => ask::last_error(),
            Self::GnssEngine => ask::gnss_engine(),
            Self::GnssOn => ask::gnss_on(),
            Self::RadioPower => ask::radio_power(),
            // 1700 to 3050 mV (manual, 19.2.3); another value is refused by the module.
            Self::AntennaVoltage(mv) => Command::new(&format!("AT+CVAUXV={mv}")).ok()?,
            Self::AntennaSupply => ask::antenna_supply_on(),
            Self::MessageMode => ask::pdu_mode(),
            Self::MessageStore => ask::store_on_card(),
            Self::MessageReports => ask::announce_messages(),
            Self::MessageList => ask::stored_messages(),
            Self::MessageRoom => ask::message_stores(),
            Self::Errand => return None,
        })
    }

    /// How long the answer may take.
    pub(crate) fn time(self) -> Duration {
        match self {
            Self::Attention => ATTENTION_TIME,
            Self::Sim
            | Self::Iccid
            | Self::Imsi
            | Self::PinTries
            | Self::EnterPin
            | Self::MessageStore
            | Self::MessageRoom => SIM_TIME,
            Self::Operator => OPERATOR_TIME,
            Self::RadioPower => RADIO_TIME,
            Self::MessageList => MESSAGE_TIME,
            Self::PacketData | Self::LastError => CONTEXT_TIME,
            _ => ANSWER_TIME,
        }
    }
}
