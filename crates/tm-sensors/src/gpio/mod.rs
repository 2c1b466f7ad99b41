//! Contacts and pulse counters on GPIO lines: what changes is told at once, what is counted stays counted.
//!
//! [`document`] says which lines there are, [`line`] is the seam to the hardware, [`chip`] the kernel's character
//! devices behind it. [`contact`] and [`pulse`] decide what is told; [`storm`] keeps a line that flutters from
//! flooding the bus, and [`total`] keeps the counts on the disk.

mod chip;
mod contact;
mod document;
mod input;
mod line;
mod pulse;
mod storm;
mod total;

pub(crate) use document::parse;
pub(crate) use input::{Input, Spec, inputs};

/// The `driver` of these devices in the state.
pub(crate) const DRIVER: &str = "gpio";
