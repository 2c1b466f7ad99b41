//! Finds sentences in a byte stream.
//!
//! ```text
//! $GPRMC,191506.99,A,…,A,V*49<CR><LF>
//! | |  | fields             |
//! | |  formatter            exclusive or of everything between $ and *
//! | talker (P… = proprietary)
//! ```

use std::{collections::VecDeque, str};

/// Longest sentence kept. The standard allows 82 characters; engines print more (`$PQXFI`, `$GNGSA`, `$GNGNS`).
const MAX_SENTENCE: usize = 256;
/// Most sentences kept until the caller takes them; beyond it the oldest is dropped and counted.
const MAX_SENTENCES: usize = 1024;

/// The checksum of what stands between `$` and `*`.
pub fn checksum(body: &[u8]) -> u8 {
    body.iter().fold(0, |sum, byte| sum ^ byte)
}

/// A sentence whose checksum is right, without `$`, checksum and line end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sentence {
    body: String,
}

impl Sentence {
    /// Who and what: the text before the first comma, such as `GPRMC` or `PQXFI`.
    pub fn address(&self) -> &str {
        self.body.split(',').next().unwrap_or_default()
    }

    /// The fields behind the address.
    pub fn fields(&self) -> Vec<&str> {
        self.body.split(',').skip(1).collect()
    }

    /// The sentence as it was sent, without line end.
    pub fn to_line(&self) -> String {
        format!("${}*{:02X}", self.body, checksum(self.body.as_bytes()))
    }
}

/// What the framer dropped, for health.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Sentences whose checksum was right.
    pub n_sentences: u64,
    /// Sentences with a wrong checksum, without one, or with something else than printable ASCII.
    pub n_corrupt: u64,
    /// Sentences without an end, longer than 256 bytes.
    pub n_overflows: u64,
    /// Sentences nobody took in time.
    pub n_dropped: u64,
}

/// Cuts a byte stream into sentences; everything else (comments, half sentences, noise) is skipped.
#[derive(Debug, Default)]
pub struct Framer {
    /// The sentence being collected, from its `$`; nothing between sentences.
    buffer: Option<Vec<u8>>,
    ready: VecDeque<Sentence>,
    counters: Counters,
}

impl Framer {
    /// Takes in bytes, in any portions.
    pub fn feed(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.push(*byte);
        }
    }

    /// The next sentence, oldest first.
    #[expect(
        clippy::should_implement_trait,
        reason = "it is no iterator: it yields again after more bytes"
    )]
    pub fn next(&mut self) -> Option<Sentence> {
        self.ready.pop_front()
    }

    /// What was dropped so far.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    fn push(&mut self, byte: u8) {
        match byte {
            b'$' => {
                // A new sentence begins. The one before lacks its line end only, or was cut off.
                if let Some(line) = self.buffer.replace(Vec::with_capacity(96)) {
                    self.finish(&line);
                }
            }
            b'\r' | b'\n' => {
                if let Some(line) = self.buffer.take() {
                    self.finish(&line);
                }
            }
            _ => {
                let Some(buffer) = &mut self.buffer else {
                    return;
                };
                if buffer.len() == MAX_SENTENCE {
                    self.buffer = None;
                    self.counters.n_overflows += 1;
                } else {
                    buffer.push(byte);
                }
            }
        }
    }

    fn finish(&mut self, line: &[u8]) {
        let Some(body) = verify(line) else {
            self.counters.n_corrupt += 1;
            return;
        };
        self.counters.n_sentences += 1;
        if self.ready.len() == MAX_SENTENCES {
            self.ready.pop_front();
            self.counters.n_dropped += 1;
        }
        self.ready.push_back(Sentence {
            body: body.to_owned(),
        });
    }
}

fn verify(line: &[u8]) -> Option<&str> {
    let star = line.iter().rposition(|byte| *byte == b'*')?;
    let (body, sum) = line.split_at(star);
    let digits = str::from_utf8(sum.get(1..)?).ok()?.trim_end();
    let plain = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    let good = plain && u8::from_str_radix(digits, 16) == Ok(checksum(body));
    let printable = body.iter().all(|byte| (0x20..0x7f).contains(byte));
    (good && printable && body.len() >= 4)
        .then(|| str::from_utf8(body).ok())
        .flatten()
}
