//! The ladder as written down in `ladder.toml`: what is done, how often, and where it stops.

use std::sync::OnceLock;

use serde::Deserialize;
use tm_types::{Cause, code};

/// A step of the ladder.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Rung {
    /// 1: data connection down and up.
    Reconnect,
    /// 2: operator choice to automatic, radio off and on.
    CycleRadio,
    /// 3: restart of the module.
    Reset,
    /// 4: USB port unbound and bound.
    UsbRebind,
    /// 5: power key.
    PowerKey,
    /// 6: reboot of the machine.
    Reboot,
}

impl Rung {
    /// Every rung, from the mildest.
    pub(crate) const ALL: [Self; 6] = [
        Self::Reconnect,
        Self::CycleRadio,
        Self::Reset,
        Self::UsbRebind,
        Self::PowerKey,
        Self::Reboot,
    ];

    /// 1 to 6.
    pub(crate) fn number(self) -> u8 {
        match self {
            Self::Reconnect => 1,
            Self::CycleRadio => 2,
            Self::Reset => 3,
            Self::UsbRebind => 4,
            Self::PowerKey => 5,
            Self::Reboot => 6,
        }
    }

    /// The rung of this number.
    pub(crate) fn of_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|rung| rung.number() == number)
    }

    /// The name of its action, such as `reconnect`.
    pub(crate) fn action(self) -> &'static str {
        match self {
            Self::Reconnect => "reconnect",
            Self::CycleRadio => "cycle_radio",
            Self::Reset => "reset",
            Self::UsbRebind => "usb_rebind",
            Self::PowerKey => "power_key",
            Self::Reboot => "reboot",
        }
    }

    /// The rung of this action.
    #[cfg(test)]
    pub(crate) fn of_action(action: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rung| rung.action() == action)
    }
}

/// The whole table.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Table {
    /// What holds for every diagnosis.
    pub(crate) general: General,
    /// The rungs 0 to 6, in order.
    #[serde(rename = "rung")]
    pub(crate) rungs: Vec<Rule>,
    /// The diagnoses, in the order of precedence.
    #[serde(rename = "row")]
    pub(crate) rows: Vec<Row>,
}

/// What holds for every diagnosis.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct General {
    /// A success of so many seconds clears the level.
    pub(crate) clear_s: u64,
    /// A better stage must hold for so many seconds.
    pub(crate) helped_s: u64,
    /// Minutes between rounds; the last one repeats.
    pub(crate) back_off_min: Vec<u64>,
    /// The most by which long waits are stretched, per cent.
    pub(crate) jitter_percent: u64,
    /// Seconds from enumeration within which a module is not disturbed.
    pub(crate) bring_up_s: u64,
}

/// What holds for a rung.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rule {
    /// 0 to 6.
    pub(crate) number: u8,
    /// Its name.
    pub(crate) action: String,
    /// How often in one round.
    pub(crate) tries: u8,
    /// Seconds the call may take.
    pub(crate) act_s: u64,
    /// Seconds the evidence may take.
    pub(crate) judge_s: u64,
    /// The most steps within the window.
    pub(crate) cap: usize,
    /// Hours of the window.
    pub(crate) window_h: u64,
    /// Only after the link was away for so many seconds.
    #[serde(default)]
    pub(crate) after_s: u64,
    /// What it does, for people.
    pub(crate) does: String,
}

impl Rule {
    pub(crate) fn window_ms(&self) -> u64 {
        self.window_h.saturating_mul(3_600_000)
    }
}

/// What is wrong; one class is mended in one place.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Class {
    /// The module, its port, its supply.
    Hardware,
    /// The card.
    Card,
    /// The radio and the operator's word.
    Registration,
    /// The connection for data.
    Data,
    /// What lies behind a working link.
    Cloud,
}

/// What holds for a diagnosis.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Row {
    /// The diagnosis.
    pub(crate) code: String,
    /// What is wrong.
    pub(crate) class: Class,
    /// A person has to when nothing is left to do.
    pub(crate) person: bool,
    /// The allowed rungs, in the order they are taken.
    pub(crate) rungs: Vec<u8>,
    /// Seconds it must stand before the first.
    pub(crate) patience_s: u64,
    /// Failed rounds after which it ends; 0: never.
    #[serde(default)]
    pub(crate) rounds: u32,
    /// Hours after which one mild round is made again; 0: none.
    #[serde(default)]
    pub(crate) again_h: u64,
    /// Seconds of rest between two rungs.
    #[serde(default)]
    pub(crate) gap_s: u64,
    /// What the diagnosis means, for people.
    pub(crate) means: String,
    /// Why the ladder does what it does, for people.
    pub(crate) why: String,
}

/// The highest rung of a round that is made again after the end.
pub(crate) const MILD: u8 = 2;

impl Table {
    /// The table of this version.
    pub(crate) fn standard() -> &'static Self {
        static TABLE: OnceLock<Table> = OnceLock::new();
        TABLE.get_or_init(|| {
            toml::from_str(include_str!("ladder.toml")).expect("our own table is read by a test")
        })
    }

    /// What holds for a rung.
    pub(crate) fn rule(&self, rung: Rung) -> &Rule {
        let index = usize::from(rung.number());
        self.rungs
            .get(index)
            .expect("a test holds the rungs complete")
    }

    /// What holds for a diagnosis; nothing for one that is no fault.
    pub(crate) fn row(&self, code: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.code == code)
    }

    /// Whether this is the diagnosis that is only waited for while the mains are away.
    pub(crate) fn is_outage(cause: &Cause) -> bool {
        cause.is(code::MODEM_AREA_OUTAGE)
    }
}
