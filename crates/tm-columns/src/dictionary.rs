//! What the batches of a device say again and again, said once: the preset dictionary of deflate (RFC 1950).
//!
//! Names, units and the fields of a batch are a third of a minute of measurements. A dictionary holds them as they
//! stand in the JSON of a batch, and is announced by a batch without records; later batches point into it. What they
//! hold after unpacking is the same as without.

use std::collections::VecDeque;

use tm_types::Source;

use crate::{Decoded, Error, JSON_MAX, decode_json, deflate};

/// Deflate reaches back 32 KiB: what a dictionary has beyond half of it would leave too little for the batch.
pub const DICTIONARY_MAX: usize = 16 * 1024;
/// Dictionaries that a reader remembers: those of so many devices.
pub const DICTIONARIES_MAX: usize = 4096;
/// How the JSON that announces a dictionary begins.
pub(crate) const ANNOUNCEMENT: &[u8] = b"{\"v\":1,\"dictionary\":";

/// A text that payloads lean on, and its number, the Adler-32 of the text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Dictionary {
    text: Vec<u8>,
    number: u32,
}

impl Dictionary {
    pub(crate) fn new(text: Vec<u8>) -> Self {
        let number = adler2::adler32_slice(&text);
        Self { text, number }
    }

    /// The text: the announcing batch before gzip.
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// What payloads name it by.
    pub fn number(&self) -> u32 {
        self.number
    }
}

/// What is known of the sources of a device, for its next dictionary.
#[derive(Debug, Default)]
pub struct Vocabulary {
    /// The newest last, where deflate needs the fewest bits to point at it.
    heads: VecDeque<Head>,
}

/// A source as batches begin to tell of it.
#[derive(Debug)]
struct Head {
    source: Source,
    /// The names of its series, one space between them.
    names: String,
    json: Vec<u8>,
}

impl Vocabulary {
    /// Whether it has all of these names of that source, one space between them, or will never have them.
    pub(crate) fn knows(&self, source: &Source, names: &str) -> bool {
        if names.len() > DICTIONARY_MAX / 2 {
            return true;
        }
        let known = self.heads.iter().find(|head| head.source == *source);
        known.is_some_and(|head| {
            head.names == names
                || names
                    .split(' ')
                    .all(|name| head.names.split(' ').any(|known| known == name))
        })
    }

    /// Takes the head of a source instead of the one it had; the oldest give way to it.
    pub(crate) fn learn(&mut self, source: Source, names: String, json: Vec<u8>) {
        self.heads.retain(|head| head.source != source);
        self.heads.push_back(Head {
            source,
            names,
            json,
        });
        let bytes =
            |heads: &VecDeque<Head>| heads.iter().map(|head| head.json.len() + 1).sum::<usize>();
        while bytes(&self.heads) > DICTIONARY_MAX {
            self.heads.pop_front();
        }
    }

    /// Whether there is nothing to announce.
    pub fn is_empty(&self) -> bool {
        self.heads.is_empty()
    }

    /// The heads, the oldest first.
    pub(crate) fn heads(&self) -> impl Iterator<Item = &[u8]> {
        self.heads.iter().map(|head| &head.json[..])
    }
}

/// Reads payloads of any number of devices, and remembers the dictionaries that they announce.
#[derive(Debug, Default, Clone)]
pub struct Dictionaries {
    /// The oldest first.
    known: VecDeque<Dictionary>,
}

impl Dictionaries {
    /// Reads a payload; one that announces a dictionary has no records.
    pub fn decode(&mut self, payload: &[u8]) -> Result<Decoded, Error> {
        decode_json(&self.unpack(payload)?)
    }

    /// The JSON in a payload, of at most [`JSON_MAX`] bytes; [`decode_json`] reads it.
    pub fn unpack(&mut self, payload: &[u8]) -> Result<Vec<u8>, Error> {
        if let Some(number) = deflate::dictionary_of(payload) {
            let known = self.known.iter().rev();
            let dictionary = known.into_iter().find(|known| known.number == number);
            let text = dictionary.ok_or(Error::Dictionary(number))?.text();
            return deflate::read_zlib(payload, text, JSON_MAX)?.ok_or(Error::TooLarge);
        }
        let json = deflate::read_gzip(payload, JSON_MAX)?.ok_or(Error::TooLarge)?;
        if json.starts_with(ANNOUNCEMENT) {
            self.remember(Dictionary::new(json.clone()));
        }
        Ok(json)
    }

    fn remember(&mut self, dictionary: Dictionary) {
        // Whose text is longer than two of ours was not made by this format.
        if dictionary.text.len() > 2 * DICTIONARY_MAX {
            return;
        }
        self.known.retain(|known| known.number != dictionary.number);
        if self.known.len() >= DICTIONARIES_MAX {
            self.known.pop_front();
        }
        self.known.push_back(dictionary);
    }
}
