//! A message kept as it came: topic and payload, for events, alarms and results.

use crate::varint::{self, Cursored};

/// A message of the urgent class, opaque to the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message<'a> {
    /// The bus topic it came on.
    pub topic: &'a str,
    /// Its payload, byte for byte.
    pub payload: &'a [u8],
}

impl<'a> Message<'a> {
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        varint::put_bytes(out, self.topic.as_bytes());
        out.extend_from_slice(self.payload);
    }

    /// Reads the payload of a message record; `None` when it makes no sense.
    pub fn decode(payload: &'a [u8]) -> Option<Self> {
        let mut input = Cursored::new(payload);
        let topic = input.text()?;
        Some(Self {
            topic,
            payload: input.rest,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        for (topic, payload) in [
            ("tm/v1/event/gnss", &b"{}"[..]),
            ("", b""),
            ("t", &[0, 255]),
        ] {
            let mut out = Vec::new();
            Message { topic, payload }.encode(&mut out);
            assert_eq!(Message::decode(&out), Some(Message { topic, payload }));
        }
        assert_eq!(Message::decode(&[]), None);
        assert_eq!(Message::decode(&[2, b'a']), None);
        assert_eq!(Message::decode(&[1, 0xff]), None);
    }
}
