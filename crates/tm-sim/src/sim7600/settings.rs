//! What commands set.

use super::{config::Delivery, messages::Memory, world::Technology};

/// What commands set; all but `kept` is gone after a restart.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "the module's own switches")]
pub(super) struct Settings {
    pub(super) cmee: u8,
    pub(super) creg: [u8; 3],
    pub(super) cops_format: u8,
    pub(super) cnlsa: bool,
    pub(super) cfun: u8,
    pub(super) cnsmod: bool,
    pub(super) autocsq: bool,
    pub(super) cgerep: bool,
    /// Lower and upper limit in mV.
    pub(super) cvalarm: Option<(i64, i64)>,
    pub(super) cmte: bool,
    pub(super) ctzr: bool,
    pub(super) cusd: bool,
    pub(super) cmgf: u8,
    pub(super) cnmi: [u8; 5],
    /// To read and delete, to write and send, to receive.
    pub(super) cpms: [Memory; 3],
    /// Which ports show what the module says by itself: 0 all, 2 modem, 3 AT (manual, 3.2.11).
    pub(super) catr: u8,
    /// Antenna supply, in mV and on or off: falls back at each restart.
    pub(super) cvauxv: u16,
    pub(super) cvauxs: bool,
    pub(super) kept: Kept,
}

/// What a restart does not forget.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "the module's own switches")]
pub(super) struct Kept {
    pub(super) cnmp: u8,
    pub(super) ctzu: bool,
    pub(super) gnss_auto: bool,
    pub(super) gnss_mask: u32,
    pub(super) gnss_rate: u8,
    pub(super) hot_swap: bool,
    pub(super) hot_swap_level: bool,
}

impl Kept {
    /// Whether `AT+CNMP` lets the module look for such cells (manual, 4.2.11).
    pub(super) fn allows(&self, technology: Technology) -> bool {
        match self.cnmp {
            13 => technology == Technology::Gsm,
            14 => technology == Technology::Wcdma,
            38 => technology == Technology::Lte,
            48 | 54 => technology != Technology::Gsm,
            51 => technology != Technology::Wcdma,
            19 => technology != Technology::Lte,
            _ => true,
        }
    }
}

impl Settings {
    pub(super) fn new(delivery: &Delivery) -> Self {
        Self {
            cmee: delivery.error_level.unwrap_or(2),
            creg: [0; 3],
            cops_format: 0,
            cnlsa: false,
            cfun: 1,
            cnsmod: false,
            autocsq: false,
            cgerep: false,
            cvalarm: None,
            cmte: false,
            ctzr: false,
            cusd: false,
            cmgf: 0,
            cnmi: [2, 1, 0, 0, 0],
            cpms: [Memory::Sm; 3],
            catr: 0,
            cvauxv: 2950,
            cvauxs: false,
            kept: Kept {
                cnmp: 2,
                ctzu: false,
                gnss_auto: false,
                gnss_mask: 200_191,
                gnss_rate: 0,
                hot_swap: false,
                hot_swap_level: false,
            },
        }
    }

    pub(super) fn restart(&mut self, delivery: &Delivery) {
        let kept = self.kept.clone();
        *self = Self::new(delivery);
        self.kept = kept;
    }
}
