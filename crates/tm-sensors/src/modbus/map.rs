//! The register map: which devices there are, and what is read from them.

use std::time::Duration;

use serde::Deserialize;
use tm_types::{Decimal, Kind, PointName, Unit};

use super::connection::Addressee;
use super::decode::{Encoding, Order};
use super::place::Place;
use crate::channel::Rules;
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
    /// The connection or bus it is on.
    pub(crate) place: Place,
    /// Unit id on that line.
    pub(crate) unit_id: u8,
    /// Between two polls of the registers that do not say otherwise.
    pub(crate) period: Duration,
    /// For one answer.
    pub(crate) timeout: Duration,
    /// Left to the device between an answer and the next request on its line.
    pub(crate) gap: Duration,
    /// The most registers asked for at once.
    pub(crate) max_count: u16,
    /// Registers between two wanted ones that are read and thrown away to save a request.
    pub(crate) max_hole: u16,
    /// What is read, in the order of the document.
    pub(crate) registers: Vec<Register>,
}

impl Device {
    /// Whom a request goes to.
    pub(super) fn addressee(&self) -> Addressee {
        Addressee {
            unit_id: self.unit_id,
            timeout: self.timeout,
            gap: self.gap,
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

    /// Whether its values can be written.
    pub(crate) fn is_writable(self) -> bool {
        matches!(self, Self::Coil | Self::Holding)
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
    /// Which word and which byte comes first.
    pub(crate) order: Order,
    /// What the number is multiplied by.
    pub(crate) factor: Decimal,
    /// What is added afterwards.
    pub(crate) offset: Decimal,
    /// Decimal places that are kept.
    pub(crate) scale: Option<u8>,
    /// What the value is a multiple of, in units of the last kept place; 1 but for a `resolution` of 0.5 or 20.
    pub(crate) step: i64,
    /// Unit of the result.
    pub(crate) unit: Unit,
    /// What it counts as.
    pub(crate) kind: Kind,
    /// Between two polls, where it is not the device's.
    pub(crate) period: Option<Duration>,
    /// When it is worth a message.
    pub(crate) deadband: Deadband,
    /// What it is held against.
    pub(crate) rules: Rules,
    /// Which numbers may be written; `None`: none.
    pub(crate) writable: Option<Writable>,
}

/// The numbers that the operation `write` may set.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Writable {
    /// The least.
    pub(crate) min: f64,
    /// The greatest.
    pub(crate) max: f64,
}

impl Register {
    /// One past its last address.
    pub(super) fn end(&self) -> u32 {
        u32::from(self.address) + u32::from(self.encoding.n_words())
    }

    /// Whether two values of one device share a register; bits of one register may, when they differ.
    pub(super) fn overlaps(&self, other: &Self) -> bool {
        if self.table != other.table {
            return false;
        }
        if let (Some(a), Some(b)) = (self.encoding.mask(), other.encoding.mask()) {
            return self.address == other.address && a & b != 0;
        }
        u32::from(self.address) < other.end() && u32::from(other.address) < self.end()
    }
}
