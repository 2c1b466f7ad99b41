//! Lines nobody asked for (manual, 1.4, 4.2, 8.2, 11.3, 17.2 and 19.2).

use std::fmt;

use super::{
    fields, message,
    network::{AccessTechnology, Registration},
    sim::SimState,
    ussd::Ussd,
};

/// So much of an unknown line is shown.
const MAX_SHOWN: usize = 16;

/// An unsolicited line.
#[derive(Clone, PartialEq, Eq)]
pub enum Urc {
    /// `RDY`: the module has just started; whatever it was told before is gone.
    Started,
    /// `+CPIN: …` or `+SIMCARD: NOT AVAILABLE`: the SIM changed.
    Sim(SimState),
    /// `SMS DONE`: messages can be read.
    MessagesReady,
    /// `PB DONE`: the start is finished.
    PhonebookReady,
    /// `+CREG: …`, `+CGREG: …` or `+CEREG: …`: registration changed.
    Registration(Registration),
    /// `+CNSMOD: …`: access technology changed; absent without service.
    Access(Option<AccessTechnology>),
    /// `+CGPS: 0`: the GNSS engine has stopped.
    GnssStopped,
    /// `+CMTE: …`: below (negative) or above the temperature limits.
    Temperature {
        /// Too cold rather than too hot.
        is_cold: bool,
        /// The module switches off now (`±2`) rather than warns (`±1`).
        shuts_down: bool,
    },
    /// `UNDER-VOLTAGE WARNNING` or `OVER-VOLTAGE WARNNING`, with or without `POWER DOWN`.
    Supply(SupplyAlarm),
    /// `+CMTI: "SM",7`: a message was stored; the index is absent when it could not be (store full).
    Message {
        /// `SM` or `ME`; empty when not printed.
        storage: String,
        /// Where it is.
        index: Option<u16>,
    },
    /// `+CMT: ,25` and its PDU: a message that is not stored, such as one of class 0.
    UnstoredMessage {
        /// Read by [`crate::sms::decode`].
        pdu: String,
    },
    /// `+CDS: 25` and its PDU: the network's word on a message of ours, which is not stored.
    DeliveryReport {
        /// Read by [`crate::sms::decode`].
        pdu: String,
    },
    /// `+CDSI: "SR",1`: the network's word on a message of ours was stored.
    DeliveryReportStored {
        /// `SR`, `SM` or `ME`.
        storage: String,
        /// Where it is; absent when it could not be stored.
        index: Option<u16>,
    },
    /// `+CUSD: …`: the network's answer to a service code, or a word of its own.
    Ussd(Ussd),
    /// `+CGEV: …`: a context came or went, in the module's words.
    PacketDomain(String),
    /// `+CTZV: …`: the network told the time; the zone in quarters of an hour.
    TimeZone {
        /// What local time is ahead of UTC, in quarters of an hour.
        offset_quarters: i8,
    },
    /// Anything else, as printed.
    Other(String),
}

impl fmt::Debug for Urc {
    /// Without messages, and of unknown lines no more than their beginning: they may hold one, or a caller's number.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Started => f.write_str("Started"),
            Self::Sim(state) => f.debug_tuple("Sim").field(state).finish(),
            Self::MessagesReady => f.write_str("MessagesReady"),
            Self::PhonebookReady => f.write_str("PhonebookReady"),
            Self::Registration(registration) => {
                f.debug_tuple("Registration").field(registration).finish()
            }
            Self::Access(access) => f.debug_tuple("Access").field(access).finish(),
            Self::GnssStopped => f.write_str("GnssStopped"),
            Self::Temperature {
                is_cold,
                shuts_down,
            } => f
                .debug_struct("Temperature")
                .field("is_cold", is_cold)
                .field("shuts_down", shuts_down)
                .finish(),
            Self::Supply(alarm) => f.debug_tuple("Supply").field(alarm).finish(),
            Self::Message { storage, index } => stored(f, "Message", storage, *index),
            Self::DeliveryReportStored { storage, index } => {
                stored(f, "DeliveryReportStored", storage, *index)
            }
            Self::UnstoredMessage { .. } => f.write_str("UnstoredMessage"),
            Self::DeliveryReport { .. } => f.write_str("DeliveryReport"),
            Self::Ussd(ussd) => ussd.fmt(f),
            Self::PacketDomain(words) => f.debug_tuple("PacketDomain").field(words).finish(),
            Self::TimeZone { offset_quarters } => f
                .debug_struct("TimeZone")
                .field("offset_quarters", offset_quarters)
                .finish(),
            Self::Other(line) => {
                let name = line.split(':').next().unwrap_or_default();
                let start: String = name.chars().take(MAX_SHOWN).collect();
                f.debug_tuple("Other").field(&start).finish()
            }
        }
    }
}

fn stored(
    f: &mut fmt::Formatter<'_>,
    name: &str,
    storage: &str,
    index: Option<u16>,
) -> fmt::Result {
    f.debug_struct(name)
        .field("storage", &storage)
        .field("index", &index)
        .finish()
}

/// A warning about the supply voltage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SupplyAlarm {
    /// Too low rather than too high.
    pub is_under: bool,
    /// The module switches off now rather than warns.
    pub shuts_down: bool,
}

impl Urc {
    /// Reads a line; every line is something.
    pub fn parse(line: &str) -> Self {
        Self::known(line).unwrap_or_else(|| Self::Other(line.to_owned()))
    }

    fn known(line: &str) -> Option<Self> {
        match line {
            "RDY" => return Some(Self::Started),
            "SMS DONE" => return Some(Self::MessagesReady),
            "PB DONE" => return Some(Self::PhonebookReady),
            _ => {}
        }
        if let Some(is_under) = supply_alarm(line) {
            return Some(Self::Supply(SupplyAlarm {
                is_under,
                shuts_down: line.ends_with("POWER DOWN"),
            }));
        }
        if line.starts_with("+CUSD:") {
            return Ussd::parse(line).map(Self::Ussd);
        }
        if let Some((header, pdu)) = line.split_once('\n') {
            return with_pdu(header, pdu);
        }
        let (prefix, _) = line.split_once(':')?;
        let fields = fields::after(line, prefix)?;
        let first = *fields.first()?;
        match prefix {
            "+CPIN" => SimState::parse(line).map(Self::Sim),
            "+SIMCARD" => (first == "NOT AVAILABLE").then_some(Self::Sim(SimState::NotInserted)),
            "+CREG" | "+CGREG" | "+CEREG" => {
                Registration::from_fields(&fields).map(Self::Registration)
            }
            "+CNSMOD" if fields.len() == 1 => match first {
                "0" => Some(Self::Access(None)),
                code => {
                    AccessTechnology::from_cnsmod(code).map(|access| Self::Access(Some(access)))
                }
            },
            "+CGPS" => (first == "0").then_some(Self::GnssStopped),
            "+CMTE" => {
                let level: i8 = first
                    .parse()
                    .ok()
                    .filter(|level| matches!(level, -2..=-1 | 1..=2))?;
                Some(Self::Temperature {
                    is_cold: level < 0,
                    shuts_down: level.abs() == 2,
                })
            }
            "+CMTI" => {
                let index = fields.get(1)?.parse().ok();
                Some(Self::Message {
                    storage: first.to_owned(),
                    index,
                })
            }
            "+CDSI" => {
                let index = fields.get(1)?.parse().ok();
                Some(Self::DeliveryReportStored {
                    storage: first.to_owned(),
                    index,
                })
            }
            "+CGEV" => Some(Self::PacketDomain(
                line.strip_prefix("+CGEV:")?.trim().to_owned(),
            )),
            "+CTZV" => first
                .parse()
                .ok()
                .map(|offset_quarters| Self::TimeZone { offset_quarters }),
            _ => None,
        }
    }
}

/// A header line and the PDU behind it, when that is whole.
fn with_pdu(header: &str, pdu: &str) -> Option<Urc> {
    let (prefix, _) = header.split_once(':')?;
    let fields = fields::after(header, prefix)?;
    let pdu = message::whole(pdu, fields.last()?)?;
    match prefix {
        "+CDS" => Some(Urc::DeliveryReport { pdu }),
        "+CMT" => Some(Urc::UnstoredMessage { pdu }),
        _ => None,
    }
}

/// The firmware spells it `WARNNING`; the right spelling is taken too.
fn supply_alarm(line: &str) -> Option<bool> {
    let (kind, rest) = line.split_once("-VOLTAGE ")?;
    let is_under = match kind {
        "UNDER" => true,
        "OVER" => false,
        _ => return None,
    };
    (rest.starts_with("WARN")).then_some(is_under)
}
