//! The access point name: which way out of the operator's network a SIM takes.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// The most characters. 3GPP TS 23.003 §9.1 allows 99 (100 octets, one of them a length), but
/// NetworkManager refuses a profile with more than 64 (nm-setting-gsm.c, `_verify_apn`).
const LONGEST: usize = 64;
/// A label, by RFC 1035 §2.3.4.
const LONGEST_LABEL: usize = 63;
/// How no network identifier may begin, by 3GPP TS 23.003 §9.1.1.
const RESERVED_STARTS: [&str; 4] = ["rac", "lac", "sgsn", "rnc"];

/// An access point name as 3GPP TS 23.003 §9.1 spells it: labels of letters, digits and `-`,
/// joined by dots. `_` is not in the standard, but operators use it and NetworkManager takes it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Apn(String);

/// What is wrong with an access point name.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub(super) enum ApnError {
    /// There is none.
    #[error("the APN is empty")]
    Empty,
    /// More characters than NetworkManager takes.
    #[error("the APN has {0} characters; NetworkManager takes at most {LONGEST}")]
    TooLong(usize),
    /// A character that belongs into no APN.
    #[error(
        "the APN has {0:?} at position {1}; it is made of letters, digits, '-' and '_', in labels joined by dots"
    )]
    Character(char, usize),
    /// Two dots in a row, or one at an end.
    #[error("the APN has an empty label: dots stand between labels only")]
    EmptyLabel,
    /// A label of more than 63 characters.
    #[error("a label of the APN has more than {LONGEST_LABEL} characters")]
    LongLabel,
    /// A label begins or ends with a dash.
    #[error("the APN's label {0:?} begins or ends with a dash")]
    Dash(String),
    /// The network keeps this beginning for itself.
    #[error("an APN must not begin with {0:?}: 3GPP reserves it")]
    ReservedStart(&'static str),
    /// Only an operator identifier ends so.
    #[error("an APN ends with \".gprs\" only after its operator, as in \".mnc001.mcc255.gprs\"")]
    ReservedEnd,
}

impl FromStr for Apn {
    type Err = ApnError;

    fn from_str(text: &str) -> Result<Self, ApnError> {
        if text.is_empty() {
            return Err(ApnError::Empty);
        }
        let is_usual = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if let Some((at, c)) = text.chars().enumerate().find(|(_, c)| !is_usual(*c)) {
            return Err(ApnError::Character(c, at + 1));
        }
        if text.len() > LONGEST {
            return Err(ApnError::TooLong(text.len()));
        }
        for label in text.split('.') {
            match label {
                "" => return Err(ApnError::EmptyLabel),
                long if long.len() > LONGEST_LABEL => return Err(ApnError::LongLabel),
                dashed if dashed.starts_with('-') || dashed.ends_with('-') => {
                    return Err(ApnError::Dash(dashed.to_owned()));
                }
                _ => {}
            }
        }
        let lower = text.to_ascii_lowercase();
        if let Some(start) = RESERVED_STARTS
            .into_iter()
            .find(|start| lower.starts_with(start))
        {
            return Err(ApnError::ReservedStart(start));
        }
        let is_operators = lower
            .rsplit_once('.')
            .is_some_and(|(_, last)| last == "gprs");
        if is_operators && !ends_with_operator(&lower) {
            return Err(ApnError::ReservedEnd);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Apn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether it ends with an operator identifier, `mnc<3 digits>.mcc<3 digits>.gprs` (§9.1.2).
fn ends_with_operator(lower: &str) -> bool {
    let mut labels = lower.rsplit('.').skip(1);
    let mut is = |prefix: &str| {
        let digits = labels.next().and_then(|label| label.strip_prefix(prefix));
        digits.is_some_and(|text| text.len() == 3 && text.bytes().all(|b| b.is_ascii_digit()))
    };
    is("mcc") && is("mnc")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_an_apn() {
        let longest = format!("{}.b", "a".repeat(62));
        for text in [
            "staticip",
            "internet.mnc001.mcc255.gprs",
            "www.ab.kyivstar.net",
            "3g.example",
            "my_apn",
            "a-b.C-1",
            &longest,
        ] {
            assert_eq!(text.parse::<Apn>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_none() {
        let label = "a".repeat(64);
        let long = format!("{}.{}", "a".repeat(40), "b".repeat(40));
        for (text, expected) in [
            ("", ApnError::Empty),
            ("static ip", ApnError::Character(' ', 7)),
            ("static\nip", ApnError::Character('\n', 7)),
            ("static\0", ApnError::Character('\0', 7)),
            ("статична", ApnError::Character('с', 1)),
            ("*", ApnError::Character('*', 1)),
            ("a..b", ApnError::EmptyLabel),
            (".a", ApnError::EmptyLabel),
            ("a.", ApnError::EmptyLabel),
            ("-a", ApnError::Dash("-a".to_owned())),
            ("b.a-", ApnError::Dash("a-".to_owned())),
            ("RNC1", ApnError::ReservedStart("rnc")),
            ("lacework", ApnError::ReservedStart("lac")),
            ("internet.gprs", ApnError::ReservedEnd),
            ("internet.mnc1.mcc255.gprs", ApnError::ReservedEnd),
            (label.as_str(), ApnError::LongLabel),
            (long.as_str(), ApnError::TooLong(81)),
        ] {
            assert_eq!(text.parse::<Apn>(), Err(expected), "{text:?}");
        }
    }
}
