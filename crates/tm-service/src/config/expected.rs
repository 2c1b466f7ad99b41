//! `TM_…_EXPECTED`: whether something ought to be there.

use std::fmt;
use std::str::FromStr;

/// Whether the absence of something is a fault: `auto`, `true` or `false`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Expected {
    /// From the first time it was seen.
    #[default]
    Auto,
    /// Always.
    Yes,
    /// Never.
    No,
}

impl Expected {
    /// Whether its absence is a fault, given whether it was ever seen.
    pub fn is_fault(self, was_seen: bool) -> bool {
        match self {
            Self::Auto => was_seen,
            Self::Yes => true,
            Self::No => false,
        }
    }
}

/// A text is neither `auto` nor `true` nor `false`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("expected auto, true or false")]
pub struct UnknownExpectation;

impl FromStr for Expected {
    type Err = UnknownExpectation;

    fn from_str(text: &str) -> Result<Self, UnknownExpectation> {
        match text.to_ascii_lowercase().as_str() {
            "auto" => Ok(Self::Auto),
            "true" | "1" | "yes" | "on" => Ok(Self::Yes),
            "false" | "0" | "no" | "off" => Ok(Self::No),
            _ => Err(UnknownExpectation),
        }
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Yes => "true",
            Self::No => "false",
        })
    }
}

crate::setting!(Expected, "auto, true or false", "auto, true or false");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absence_is_a_fault_when_it_was_seen_or_is_expected() {
        let cases = [
            ("auto", false, false),
            ("auto", true, true),
            ("True", false, true),
            ("false", true, false),
        ];
        for (text, was_seen, is_fault) in cases {
            let expected: Expected = text.parse().unwrap();
            assert_eq!(expected.is_fault(was_seen), is_fault, "{text}");
        }
        assert!("maybe".parse::<Expected>().is_err());
    }
}
