//! Group, node, device and host ids: one level of a topic each.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// The longest id, in bytes: with four of them a topic stays far below MQTT's 65535.
const ID_MAX: usize = 128;

/// Why a text is not an id.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum BadId {
    /// Nothing at all.
    #[error("a Sparkplug id must not be empty")]
    Empty,
    /// Longer than an id may be.
    #[error("a Sparkplug id of {0} bytes is longer than {ID_MAX}")]
    TooLong(usize),
    /// A character that means something in a topic, or a control character.
    #[error("a Sparkplug id must not contain {0:?}")]
    Character(char),
}

/// One level of a Sparkplug topic: a group, an edge node, a device or a host.
///
/// 1 to 128 bytes of UTF-8 without `+`, `/`, `#` (`tck-id-intro-group-id-chars` and its like) and
/// without control characters. Ids that differ only in case should not meet in one system.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Id(String);

impl Id {
    /// Checks and keeps the text.
    pub fn new(text: &str) -> Result<Self, BadId> {
        if text.is_empty() {
            return Err(BadId::Empty);
        }
        if text.len() > ID_MAX {
            return Err(BadId::TooLong(text.len()));
        }
        let forbidden = |c: &char| matches!(c, '+' | '/' | '#') || c.is_control();
        match text.chars().find(forbidden) {
            Some(found) => Err(BadId::Character(found)),
            None => Ok(Self(text.to_owned())),
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Id {
    type Err = BadId;

    fn from_str(text: &str) -> Result<Self, BadId> {
        Self::new(text)
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_means_something_in_a_topic_is_refused() {
        for (text, expected) in [
            ("Kyiv 1", Ok(())),
            ("Шафа-7", Ok(())),
            ("a.b_c-d", Ok(())),
            ("", Err(BadId::Empty)),
            ("a/b", Err(BadId::Character('/'))),
            ("+", Err(BadId::Character('+'))),
            ("a#", Err(BadId::Character('#'))),
            ("a\0", Err(BadId::Character('\0'))),
            (&"x".repeat(129), Err(BadId::TooLong(129))),
        ] {
            assert_eq!(Id::new(text).map(drop), expected, "{text:?}");
        }
        assert_eq!(
            Id::new("a/b").unwrap_err().to_string(),
            "a Sparkplug id must not contain '/'"
        );
    }
}
