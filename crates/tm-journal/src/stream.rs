//! The name of one opening of a journal.

use std::fmt;
use std::str::FromStr;

/// One opening of a journal: part of the key of every record appended during it.
///
/// Text: the counter, a dash, 8 hex digits, as in `17-9f3a2b1c`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StreamId {
    /// Grows by one with every opening, as long as the directory is not wiped.
    pub counter: u32,
    /// Drawn at random, for when it was.
    pub random: u32,
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:08x}", self.counter, self.random)
    }
}

/// The text is not that of a stream id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("read a stream id: it is not a number, a dash and 8 hex digits")]
pub struct NotAStreamId;

impl FromStr for StreamId {
    type Err = NotAStreamId;

    fn from_str(text: &str) -> Result<Self, NotAStreamId> {
        let (counter, random) = text.split_once('-').ok_or(NotAStreamId)?;
        let counter = counter.parse().map_err(|_| NotAStreamId)?;
        let random = u32::from_str_radix(random, 16).map_err(|_| NotAStreamId)?;
        let id = Self { counter, random };
        // Only the canonical text: no plus sign, no upper case, all digits.
        if id.to_string() == text {
            Ok(id)
        } else {
            Err(NotAStreamId)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_canonical() {
        let id = StreamId {
            counter: 17,
            random: 0x0f3a_2b1c,
        };
        assert_eq!(id.to_string(), "17-0f3a2b1c");
        assert_eq!("17-0f3a2b1c".parse(), Ok(id));
        for text in [
            "",
            "17",
            "17-0F3A2B1C",
            "+17-0f3a2b1c",
            "17-f3a2b1c",
            "x-0f3a2b1c",
        ] {
            assert_eq!(text.parse::<StreamId>(), Err(NotAStreamId), "{text}");
        }
    }
}
