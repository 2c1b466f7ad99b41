//! The seam: two ways to one modem, and the same word out of both.
//!
//! A backend finds the modem, reads it, and does what is asked of it; it judges nothing. The manager judges,
//! and knows no way. Everything a backend has to say comes as a [`Report`]; everything it is asked for is an
//! [`Action`] under a [`Ticket`], and ends with exactly one [`Report::Done`], also when the modem is gone.

pub(crate) mod chosen;
mod held;
pub(crate) mod modem_manager;
pub(crate) mod serial;

use std::time::Duration;

use tm_types::{Cause, ModemPresence, Stamp, Timestamp};

use tokio::time::Instant;

use crate::knowledge::Knowledge;

/// Now, by the clock for waiting and by the clocks for people.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Now {
    pub(crate) instant: Instant,
    pub(crate) stamp: Stamp,
}

/// What a backend tells.
#[derive(Debug)]
pub(crate) enum Report {
    /// Whether the modem is there; whenever that changes, and once at the start as soon as it is clear.
    Presence(Presence),
    /// Everything known, after a round of questions or a change.
    Known(Box<Knowledge>, Round),
    /// The network's time as the modem has it now (NITZ); told only while registered.
    NetworkTime {
        /// Seconds since 1970, UTC.
        unix_s: i64,
    },
    /// The module says that it has restarted: what it kept in memory is gone.
    Restarted,
    /// The way to the module was lost, maybe for a moment only: its clock may have been lost with it.
    Interrupted,
    /// Sentences of the satellite receiver, whole lines.
    Sentences(Vec<u8>),
    /// A received text message, whole or given up on; stays on the card until [`Action::Delete`].
    Message(Received),
    /// The network's word on a message that was sent with a request for it.
    Delivery {
        /// The reference that [`Outcome::Sent`] gave.
        reference: u8,
        /// Nothing when it has arrived; else why it will not, in the network's words.
        failure: Option<String>,
    },
    /// The card has no room for another message.
    StoreFull,
    /// An action has ended.
    Done(Ticket, Result<Outcome, Cause>),
}

/// Whether the modem is there, by which way, and if not, why not.
#[derive(Clone, PartialEq, Debug)]
#[expect(
    clippy::struct_field_names,
    reason = "the fact itself has the name of the state's field"
)]
pub(crate) struct Presence {
    /// The fact itself. `Absent` also where it may be no fault: the manager knows what is expected.
    pub(crate) presence: ModemPresence,
    /// Why it is not present: `modem.absent`, `modem.mute`, `modem.port_unusable`, `modem.port_held`,
    /// `modem.wrong_composition`, `modem.manager_absent`, `modem.manager_failed`; nothing while it is present.
    pub(crate) trouble: Option<Cause>,
    /// Where it is reached, such as `/dev/ttyUSB2` or the USB socket `1-1.3`.
    pub(crate) port: Option<String>,
    /// Whether a modem's USB device (vendor 1e0e) is on the bus; nothing where that cannot be told.
    pub(crate) is_on_usb: Option<bool>,
}

/// What a report of knowledge closes.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Round {
    /// A change, or card and registration only: for the state.
    Service,
    /// Everything was read at this time: for one message of measurements.
    Full(Stamp),
}

/// Names an action until it has ended; never used twice in a run.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct Ticket(pub(crate) u64);

/// Gives out tickets.
#[derive(Debug, Default)]
pub(crate) struct Tickets(u64);

impl Tickets {
    /// A ticket that was not given out before.
    pub(crate) fn draw(&mut self) -> Ticket {
        self.0 += 1;
        Ticket(self.0)
    }

    /// The one that was given out last.
    #[cfg(test)]
    pub(crate) fn last(&self) -> Ticket {
        Ticket(self.0)
    }
}

/// What a modem is asked to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Action {
    /// Take the data connection down and up again (rung 1).
    Reconnect,
    /// Choose the operator automatically, and switch the radio off and on (rung 2).
    CycleRadio,
    /// Restart the module (rung 3). Done once the request was taken; whether it helped shows otherwise.
    Reset,
    /// Send a text message.
    Send {
        /// The receiver: digits, with `+` for an international number.
        to: String,
        /// What to say; the backend chooses alphabet and parts.
        text: String,
        /// Whether to ask the network for a delivery report.
        wants_report: bool,
    },
    /// Take a message off the card.
    Delete(MessageHandle),
    /// Send a service code such as `*101#` and wait for the network's answer.
    Ussd(String),
}

impl Action {
    /// How long it may take; then it fails with `modem.timeout`.
    pub(crate) fn time(&self) -> Duration {
        match self {
            // `AT+CGACT` may take 120 s (manual V3.00, 8.2).
            Self::Reconnect => Duration::from_mins(2),
            Self::CycleRadio | Self::Ussd(_) => Duration::from_mins(1),
            Self::Reset | Self::Delete(_) => Duration::from_secs(30),
            // `AT+CMGS` may take 60 s a part (manual V3.00, 9.2), and there are at most ten.
            Self::Send { .. } => Duration::from_mins(10),
        }
    }
}

/// What came out of an action.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Outcome {
    /// It was done.
    Done,
    /// The message was sent; the network's reference of each part.
    Sent(Vec<u8>),
    /// What the network answered to a service code.
    Ussd(UssdReply),
}

/// The network's answer to a service code.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct UssdReply {
    /// Its words.
    pub(crate) text: String,
    /// Whether it waits for a choice; the session is ended by the backend.
    pub(crate) is_menu: bool,
}

/// A received text message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Received {
    /// Where its parts are, to take them off the card.
    pub(crate) handle: MessageHandle,
    /// The sender: a number with `+`, a short number, or a name.
    pub(crate) from: String,
    /// What it says; where parts never came, without them.
    pub(crate) text: String,
    /// When the operator took it; nothing where the operator's clock is not to be read.
    pub(crate) sent_at: Option<Timestamp>,
    /// Whether parts of it never came.
    pub(crate) is_incomplete: bool,
}

/// Where a message is on the card: places that only its backend understands.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(crate) struct MessageHandle(pub(crate) Vec<String>);
