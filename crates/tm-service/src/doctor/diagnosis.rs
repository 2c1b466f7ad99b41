//! What was found: one entry per check.

use tm_types::{Cause, Stamp};

use crate::probe::Findings;

/// How a check ended.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Status {
    /// As it should be.
    Ok,
    /// Could not be looked at, or is not there and need not be.
    Skipped,
    /// Works, but is not as it should be.
    Warn,
    /// Does not work.
    Fail,
}

impl Status {
    /// The word of the machine form.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Skipped => "skipped",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

/// One check.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Check {
    /// Its word, such as `access_point`.
    pub name: &'static str,
    /// How it ended.
    pub status: Status,
    /// Why, or what was seen.
    pub cause: Cause,
}

impl Check {
    pub(super) fn ok(name: &'static str, cause: Cause) -> Self {
        Self::new(name, Status::Ok, cause)
    }

    pub(super) fn skipped(name: &'static str, cause: Cause) -> Self {
        Self::new(name, Status::Skipped, cause)
    }

    pub(super) fn warn(name: &'static str, cause: Cause) -> Self {
        Self::new(name, Status::Warn, cause)
    }

    pub(super) fn fail(name: &'static str, cause: Cause) -> Self {
        Self::new(name, Status::Fail, cause)
    }

    /// No identity leaves the doctor whole, wherever an argument comes from.
    fn new(name: &'static str, status: Status, mut cause: Cause) -> Self {
        for value in cause.args.values_mut() {
            *value = hidden(value);
        }
        Self {
            name,
            status,
            cause,
        }
    }
}

/// Everything that was found.
#[derive(Clone, Debug)]
pub struct Diagnosis {
    /// Version of the binary.
    pub version: String,
    /// The last four characters of the device's identity.
    pub device: String,
    /// When the doctor looked.
    pub stamp: Stamp,
    /// The checks in order.
    pub checks: Vec<Check>,
    /// The way to the cloud as one cause; `None` when it was not looked at.
    pub verdict: Option<Cause>,
    /// What the probe of the way saw; `None` when it was not looked at.
    pub findings: Option<Findings>,
}

impl Diagnosis {
    /// The worst status; what was skipped is no fault.
    pub fn status(&self) -> Status {
        let all = self.checks.iter().map(|check| check.status);
        let worst = all.filter(|status| *status != Status::Skipped).max();
        worst.unwrap_or(Status::Skipped)
    }

    /// 0: all well (a warning is well enough), 1: something failed.
    pub fn exit_code(&self) -> u8 {
        u8::from(self.status() == Status::Fail)
    }

    /// A check by its word.
    pub fn check(&self, name: &str) -> Option<&Check> {
        self.checks.iter().find(|check| check.name == name)
    }
}

/// The last four characters, after an ellipsis.
pub(super) fn masked(identity: &str) -> String {
    let count = identity.chars().count();
    let last: String = identity.chars().skip(count.saturating_sub(4)).collect();
    format!("…{last}")
}

/// Digits in a row that are a subscriber, a card, a device or a telephone, all but the last four hidden.
///
/// An IMEI and an IMSI have 15 (3GPP TS 23.003, sections 2.2 and 6.2.1), an ICCID 19 or 20 (ITU-T E.118), a
/// telephone number in international form from 9 on in Ukraine; a timestamp or a count of bytes is
/// written with separators or is shorter.
fn hidden(text: &str) -> String {
    const IDENTITY: usize = 9;
    let mut out = String::with_capacity(text.len());
    let mut digits = String::new();
    for sign in text.chars().chain(['\0']) {
        if sign.is_ascii_digit() {
            digits.push(sign);
            continue;
        }
        match digits.len() {
            0..IDENTITY => out.push_str(&digits),
            _ => out.push_str(&masked(&digits)),
        }
        digits.clear();
        if sign != '\0' {
            out.push(sign);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identities_are_hidden_and_the_rest_is_told() {
        for (text, expected) in [
            (
                "IMSI 255011234567890 on 127.0.0.1:1883",
                "IMSI …7890 on 127.0.0.1:1883",
            ),
            ("http://pay.ua/380501234567", "http://pay.ua/…4567"),
            ("8938001234567890123", "…0123"),
            ("2026-11-25T19:40:00Z", "2026-11-25T19:40:00Z"),
            ("12345678", "12345678"),
            ("", ""),
        ] {
            assert_eq!(hidden(text), expected);
        }
        assert_eq!(masked("0123abcd"), "…abcd");
        assert_eq!(masked("ab"), "…ab");
    }
}
