//! The SIM: there, locked or missing (manual, 4.2.1 and 3.2.5).

use super::fields;
use crate::at::{Failure, Reply};

/// What the SIM wants, or what is wrong with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SimState {
    /// Unlocked and usable.
    Ready,
    /// Waits for its PIN.
    PinRequired,
    /// Blocked after wrong PINs; a person with the PUK is needed.
    PukRequired,
    /// Locked to a network, a provider or another phone.
    Locked,
    /// No SIM in the holder.
    NotInserted,
    /// Still starting: ask again in a few seconds.
    Busy,
    /// There, but does not work.
    Failed,
}

impl SimState {
    /// Reads the answer to `AT+CPIN?`, which says a missing SIM by a failure; nothing for any other answer.
    pub fn from_reply(reply: &Reply) -> Option<Self> {
        match reply.ok() {
            Ok(lines) => lines.iter().rev().find_map(|line| Self::parse(line)),
            Err(failure) => Self::from_failure(failure),
        }
    }

    /// Reads a `+CPIN: …` line, answer or unsolicited.
    pub fn parse(line: &str) -> Option<Self> {
        let text = line.strip_prefix("+CPIN:")?.trim().trim_matches('"');
        Some(match text {
            "READY" => Self::Ready,
            "SIM PIN" | "SIM PIN2" => Self::PinRequired,
            "SIM PUK" | "SIM PUK2" => Self::PukRequired,
            "NOT INSERTED" | "SIM NOT INSERTED" | "NOT AVAILABLE" | "SIM REMOVED" => {
                Self::NotInserted
            }
            "NOT READY" | "SIM BUSY" => Self::Busy,
            "SIM FAILURE" => Self::Failed,
            _ if text.starts_with("PH-") => Self::Locked,
            _ => return None,
        })
    }

    fn from_failure(failure: &Failure) -> Option<Self> {
        Some(match failure.cme()? {
            10 => Self::NotInserted,
            11 | 17 => Self::PinRequired,
            12 | 18 => Self::PukRequired,
            13 | 15 => Self::Failed,
            14 => Self::Busy,
            _ => return None,
        })
    }
}

/// How many tries are left; a PIN may be sent by a machine only while `pin` is 3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PinTries {
    /// Tries left for the PIN, 3 when none was wrong.
    pub pin: u8,
    /// Tries left for the PUK, 10 when none was wrong.
    pub puk: u8,
    /// Tries left for PIN2.
    pub pin2: u8,
    /// Tries left for PUK2.
    pub puk2: u8,
}

/// Reads the answer to `AT+SPIC`: `+SPIC: <pin1>,<puk1>,<pin2>,<puk2>`.
pub fn pin_tries(lines: &[String]) -> Option<PinTries> {
    let fields = fields::last(lines, "+SPIC")?;
    let number = |index: usize| fields.get(index)?.parse().ok();
    Some(PinTries {
        pin: number(0)?,
        puk: number(1)?,
        pin2: number(2)?,
        puk2: number(3)?,
    })
}
