//! Which retained alarms and results were already taken: a broker repeats them at every subscription.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};

/// Topics remembered; beyond it the one not heard of for longest is forgotten, and at worst taken once more.
const TOPICS_MAX: usize = 256;
/// Bytes of one remembered topic on disk.
const ENTRY_BYTES: usize = 8;

/// The newest payload of each topic, as hashes. Rides in the urgent journal.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Taken {
    /// Topic and payload, the latest last.
    topics: VecDeque<(u32, u32)>,
}

impl Taken {
    /// Whether a retained message is what was last taken under its topic.
    pub(super) fn is_known(&self, topic: &str, payload: &[u8]) -> bool {
        self.topics
            .contains(&(hash(topic.as_bytes()), hash(payload)))
    }

    /// Remembers a message as taken.
    pub(super) fn note(&mut self, topic: &str, payload: &[u8]) {
        let topic = hash(topic.as_bytes());
        self.topics.retain(|(known, _)| *known != topic);
        if self.topics.len() == TOPICS_MAX {
            self.topics.pop_front();
        }
        self.topics.push_back((topic, hash(payload)));
    }

    /// The form kept on disk.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let entries = self.topics.iter();
        entries
            .flat_map(|(topic, payload)| [topic.to_le_bytes(), payload.to_le_bytes()].concat())
            .collect()
    }

    /// Reads what [`Taken::to_bytes`] made; anything else as nothing.
    pub(super) fn from_bytes(bytes: &[u8]) -> Self {
        let (entries, rest) = bytes.as_chunks::<ENTRY_BYTES>();
        if !rest.is_empty() || entries.len() > TOPICS_MAX {
            return Self::default();
        }
        let number = |bytes: &[u8]| bytes.try_into().map_or(0, u32::from_le_bytes);
        let topics = entries
            .iter()
            .map(|entry| (number(&entry[..4]), number(&entry[4..])));
        Self {
            topics: topics.collect(),
        }
    }
}

/// Stable within one release of the compiler; after an update a retained message may be taken once more.
fn hash(bytes: &[u8]) -> u32 {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    (hasher.finish() >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_newest_of_a_topic_is_known() {
        let mut taken = Taken::default();
        taken.note("tm/v1/alarm/door", b"{1}");
        assert!(taken.is_known("tm/v1/alarm/door", b"{1}"));
        assert!(!taken.is_known("tm/v1/alarm/mains", b"{1}"));
        taken.note("tm/v1/alarm/door", b"");
        assert!(!taken.is_known("tm/v1/alarm/door", b"{1}"));
    }

    #[test]
    fn it_is_bounded_and_survives() {
        let mut taken = Taken::default();
        for number in 0..1000 {
            taken.note(&number.to_string(), b"x");
        }
        assert!(!taken.is_known("743", b"x") && taken.is_known("744", b"x"));
        assert_eq!(Taken::from_bytes(&taken.to_bytes()), taken);
        assert_eq!(Taken::from_bytes(&[1, 2, 3]), Taken::default());
        assert_eq!(Taken::from_bytes(&[0; 8 * 257]), Taken::default());
    }
}
