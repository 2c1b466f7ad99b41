//! The register map: which devices there are, and what is read from them.

use std::time::Duration;

use serde::Deserialize;
use tm_service::port::PortUrl;
use tm_types::{Decimal, Kind, PointName, Unit};

use super::decode::{Encoding, WordOrder};
use crate::report::Deadband;

/// The most registers of one request (MODBUS Application Protocol V1.1b3, 6.3 and 6.4).
pub(super) const WORDS_MAX: u16 = 125;
/// The most coils of one request (MODBUS Application Protocol V1.1b3, 6.1 and 6.2).
pub(super) const BITS_MAX: u16 = 2000;

/// A device of the map.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Device {
    /// Names the device, and begins the names of its points.
    pub(crate) name: String,
    /// Host of its port.
    pub(crate) host: String,
    /// TCP port.
    pub(crate) port: u16,
    /// Unit id behind that port.
    pub(crate) unit_id: u8,
    /// Between two polls.
    pub(crate) period: Duration,
    /// For one answer.
    pub(crate) timeout: Duration,
    /// The most registers asked for at once.
    pub(crate) max_count: u16,
    /// What is read, in the order of the document.
    pub(crate) registers: Vec<Register>,
}

impl Device {
    /// Whether it is reached over this port.
    pub(crate) fn is_on(&self, port: &PortUrl) -> bool {
        match port {
            PortUrl::Tcp { host, port } => {
                let host = host.trim_start_matches('[').trim_end_matches(']');
                self.host == host && self.port == *port
            }
            _ => false,
        }
    }
}

/// The four tables of Modbus.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Table {
    /// Function 1.
    Coil,
    /// Function 2.
    Discrete,
    /// Function 3.
    Holding,
    /// Function 4.
    Input,
}

impl Table {
    /// Whether it holds single bits.
    pub(crate) fn is_bits(self) -> bool {
        matches!(self, Self::Coil | Self::Discrete)
    }
}

/// A value of a device.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Register {
    /// `<device>/<register>`.
    pub(crate) name: PointName,
    /// Where it is.
    pub(crate) table: Table,
    /// As it goes on the wire, from 0.
    pub(crate) address: u16,
    /// What its words mean.
    pub(crate) encoding: Encoding,
    /// Which word comes first.
    pub(crate) word_order: WordOrder,
    /// What the number is multiplied by.
    pub(crate) factor: Decimal,
    /// Decimal places that are kept.
    pub(crate) scale: Option<u8>,
    /// Unit of the result.
    pub(crate) unit: Unit,
    /// What it counts as.
    pub(crate) kind: Kind,
    /// When it is worth a message.
    pub(crate) deadband: Deadband,
}

impl Register {
    /// Whether two values of one device share a register.
    pub(super) fn overlaps(&self, other: &Self) -> bool {
        let end = |r: &Self| u32::from(r.address) + u32::from(r.encoding.n_words());
        self.table == other.table
            && u32::from(self.address) < end(other)
            && u32::from(other.address) < end(self)
    }
}
