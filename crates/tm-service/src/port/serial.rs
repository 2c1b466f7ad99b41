//! How a serial line speaks, where it matters: RS-485.

use serde::{Deserialize, Serialize};
use tokio_serial::SerialPortBuilder;

/// The check bit of each byte.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Parity {
    /// None.
    #[default]
    None,
    /// The ones are even with it.
    Even,
    /// The ones are odd with it.
    Odd,
}

/// Speed and framing of a tty; always 8 data bits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct SerialLine {
    /// Symbols per second.
    pub baud: u32,
    /// Check bit.
    pub parity: Parity,
    /// Whether two stop bits end a byte instead of one.
    pub two_stop_bits: bool,
}

impl SerialLine {
    /// 8N1.
    pub fn plain(baud: u32) -> Self {
        Self {
            baud,
            parity: Parity::None,
            two_stop_bits: false,
        }
    }

    pub(super) fn of(self, builder: SerialPortBuilder) -> SerialPortBuilder {
        builder
            .parity(match self.parity {
                Parity::None => tokio_serial::Parity::None,
                Parity::Even => tokio_serial::Parity::Even,
                Parity::Odd => tokio_serial::Parity::Odd,
            })
            .stop_bits(if self.two_stop_bits {
                tokio_serial::StopBits::Two
            } else {
                tokio_serial::StopBits::One
            })
    }
}
