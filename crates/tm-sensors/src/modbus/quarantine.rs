//! Registers that a device will not give: set aside, and asked for again from time to time.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

/// So many refusals in a row set a register aside: one may come from a device that is starting.
const REFUSALS: u32 = 3;
/// A register that was set aside is asked for again after this long.
pub(super) const QUARANTINE: Duration = Duration::from_mins(10);

/// Those of one device, by index of the register.
#[derive(Debug, Default)]
pub(super) struct Quarantine {
    registers: HashMap<usize, Refusal>,
    has_grown: bool,
}

#[derive(Debug, Default)]
struct Refusal {
    n_in_row: u32,
    until: Option<Instant>,
}

impl Quarantine {
    /// Whether a register is not asked for at the moment.
    pub(super) fn holds(&self, index: usize) -> bool {
        let until = self.registers.get(&index).and_then(|refusal| refusal.until);
        until.is_some_and(|until| Instant::now() < until)
    }

    /// Whether a register was set aside and has not been read since.
    pub(super) fn knows(&self, index: usize) -> bool {
        let refusal = self.registers.get(&index);
        refusal.is_some_and(|refusal| refusal.until.is_some())
    }

    /// A register was read.
    pub(super) fn release(&mut self, index: usize) {
        self.registers.remove(&index);
    }

    /// A register was refused; whether it is newly set aside.
    pub(super) fn refused(&mut self, index: usize) -> bool {
        let refusal = self.registers.entry(index).or_default();
        refusal.n_in_row = refusal.n_in_row.saturating_add(1);
        refusal.n_in_row >= REFUSALS && self.set_aside(index)
    }

    /// Sets a register aside; whether it was not before.
    pub(super) fn set_aside(&mut self, index: usize) -> bool {
        let refusal = self.registers.entry(index).or_default();
        let is_new = refusal.until.is_none();
        refusal.until = Some(Instant::now() + QUARANTINE);
        self.has_grown |= is_new;
        is_new
    }

    /// Whether a register was newly set aside since this was asked last.
    pub(super) fn take_growth(&mut self) -> bool {
        std::mem::take(&mut self.has_grown)
    }
}
