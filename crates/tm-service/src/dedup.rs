//! Which messages of a source were seen before, by run and number. Pure.
//!
//! MQTT's DUP flag proves nothing: brokers and clients send again without it.

use std::collections::HashMap;

use tm_types::{RunId, Sequence, Source};

/// Runs remembered per source: late messages of an earlier run are still told apart.
const RUNS: usize = 4;
/// Sources remembered; the one not heard of for longest goes first.
const SOURCES: usize = 256;
/// First byte of the compact form.
const VERSION: u8 = 1;

/// What a message is, by its number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Not seen before.
    New,
    /// Not seen before, and so many before it never came.
    Gap(u64),
    /// Seen before: drop it.
    Repeat,
}

impl Verdict {
    /// Whether the message is to be taken.
    pub fn is_new(self) -> bool {
        self != Self::Repeat
    }
}

/// The last run and number of each source.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Dedup {
    sources: HashMap<Source, Runs>,
    clock: u64,
    lost: u64,
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct Runs {
    /// Newest last.
    last: Vec<Sequence>,
    heard: u64,
}

impl Dedup {
    /// Judges a message and remembers it. Messages without run and number are always new.
    pub fn check(&mut self, source: &Source, sequence: Option<Sequence>) -> Verdict {
        let Some(sequence) = sequence else {
            return Verdict::New;
        };
        self.clock += 1;
        let heard = self.clock;
        if let Some(runs) = self.sources.get_mut(source) {
            runs.heard = heard;
            let verdict = runs.check(sequence);
            if let Verdict::Gap(lost) = verdict {
                self.lost = self.lost.saturating_add(lost);
            }
            return verdict;
        }
        if self.sources.len() >= SOURCES {
            let oldest = self.sources.iter().min_by_key(|(_, runs)| runs.heard);
            if let Some(oldest) = oldest.map(|(source, _)| source.clone()) {
                self.sources.remove(&oldest);
            }
        }
        let last = vec![sequence];
        self.sources.insert(source.clone(), Runs { last, heard });
        // Where a run began before we first listened is not a loss of ours.
        Verdict::New
    }

    /// Messages that never came, over all sources.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// The compact form: version, lost (u64), then per source its name and its runs, oldest source
    /// first; integers little-endian.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut sources: Vec<_> = self.sources.iter().collect();
        sources.sort_by_key(|(_, runs)| runs.heard);
        let mut bytes = vec![VERSION];
        bytes.extend_from_slice(&self.lost.to_le_bytes());
        for (source, runs) in sources {
            let name = source.as_str().as_bytes();
            bytes.push(u8::try_from(name.len()).expect("a source has at most 32 characters"));
            bytes.extend_from_slice(name);
            bytes.push(u8::try_from(runs.last.len()).expect("at most RUNS runs"));
            for sequence in &runs.last {
                bytes.extend_from_slice(&sequence.run.0.to_le_bytes());
                bytes.extend_from_slice(&sequence.n.to_le_bytes());
            }
        }
        bytes
    }

    /// Reads the compact form; `None` when it is none.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (&version, rest) = bytes.split_first()?;
        let (lost, mut rest) = rest.split_first_chunk::<8>()?;
        if version != VERSION {
            return None;
        }
        let mut dedup = Self {
            lost: u64::from_le_bytes(*lost),
            ..Self::default()
        };
        while !rest.is_empty() {
            let (source, runs, tail) = read_source(rest)?;
            dedup.clock += 1;
            let heard = dedup.clock;
            dedup.sources.insert(source, Runs { last: runs, heard });
            rest = tail;
        }
        (dedup.sources.len() <= SOURCES).then_some(dedup)
    }
}

impl Runs {
    fn check(&mut self, sequence: Sequence) -> Verdict {
        let Some(index) = self.last.iter().position(|last| last.run == sequence.run) else {
            if self.last.len() >= RUNS {
                self.last.remove(0);
            }
            self.last.push(sequence);
            return match sequence.n {
                0 => Verdict::New,
                missed => Verdict::Gap(missed),
            };
        };
        let last = self.last[index].n;
        if sequence.n <= last {
            return Verdict::Repeat;
        }
        self.last[index].n = sequence.n;
        match sequence.n - last - 1 {
            0 => Verdict::New,
            missed => Verdict::Gap(missed),
        }
    }
}

fn read_source(bytes: &[u8]) -> Option<(Source, Vec<Sequence>, &[u8])> {
    let (&length, rest) = bytes.split_first()?;
    let (name, rest) = rest.split_at_checked(length.into())?;
    let source = Source::new(std::str::from_utf8(name).ok()?).ok()?;
    let (&count, mut rest) = rest.split_first()?;
    if usize::from(count) > RUNS {
        return None;
    }
    let mut runs = Vec::with_capacity(count.into());
    for _ in 0..count {
        let (run, tail) = rest.split_first_chunk::<4>()?;
        let (n, tail) = tail.split_first_chunk::<8>()?;
        runs.push(Sequence {
            run: RunId(u32::from_le_bytes(*run)),
            n: u64::from_le_bytes(*n),
        });
        rest = tail;
    }
    Some((source, runs, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn source(name: &str) -> Source {
        Source::new(name).unwrap()
    }

    fn check(dedup: &mut Dedup, source: &Source, run: u32, n: u64) -> Verdict {
        let run = RunId(run);
        dedup.check(source, Some(Sequence { run, n }))
    }

    #[test]
    fn repeats_gaps_and_runs() {
        let mut dedup = Dedup::default();
        let gnss = source("gnss");
        for (run, n, expected) in [
            (1, 5, Verdict::New),
            (1, 6, Verdict::New),
            (1, 6, Verdict::Repeat),
            (1, 5, Verdict::Repeat),
            (1, 9, Verdict::Gap(2)),
            (1, 7, Verdict::Repeat),
            (2, 0, Verdict::New),
            (1, 10, Verdict::New),
            (3, 2, Verdict::Gap(2)),
            (4, 0, Verdict::New),
            (5, 0, Verdict::New),
            (2, 1, Verdict::New),
        ] {
            let verdict = check(&mut dedup, &gnss, run, n);
            // Run 1 was the oldest of five: it is forgotten when run 5 comes.
            assert_eq!(verdict, expected, "run {run} n {n}");
        }
        assert_eq!(dedup.lost(), 4);
        assert_eq!(dedup.check(&gnss, None), Verdict::New);
        assert_eq!(dedup.check(&gnss, None), Verdict::New);
        assert_eq!(check(&mut dedup, &source("io"), 2, 1), Verdict::New);
    }

    #[test]
    fn the_source_not_heard_of_for_longest_is_forgotten() {
        let mut dedup = Dedup::default();
        for i in 0..SOURCES {
            check(&mut dedup, &source(&format!("s{i}")), 1, 0);
        }
        check(&mut dedup, &source("s0"), 1, 1);
        check(&mut dedup, &source("one-more"), 1, 0);
        let mut again = |name: &str| check(&mut dedup, &source(name), 1, 0);
        assert_eq!(again("s0"), Verdict::Repeat);
        assert_eq!(again("s1"), Verdict::New, "forgotten");
    }

    #[test]
    fn the_compact_form_is_frozen() {
        let mut dedup = Dedup::default();
        check(&mut dedup, &source("io"), 0x0102_0304, 7);
        let expected = [
            1, 0, 0, 0, 0, 0, 0, 0, 0, 2, b'i', b'o', 1, 4, 3, 2, 1, 7, 0, 0, 0, 0, 0, 0, 0,
        ];
        assert_eq!(dedup.to_bytes(), expected);
        for length in 0..expected.len() {
            let whole = Dedup::from_bytes(&expected[..length]);
            assert_eq!(whole.is_some(), length == 9, "cut at {length}");
        }
    }

    proptest! {
        #[test]
        fn every_number_is_taken_once_and_losses_add_up(
            order in proptest::collection::vec((0_u32..3, 0_u64..40), 0..200),
        ) {
            let mut dedup = Dedup::default();
            let io = source("io");
            let mut last = std::collections::HashMap::new();
            let mut lost = 0;
            for (index, (run, n)) in order.into_iter().enumerate() {
                let expected = match last.get(&run) {
                    Some(last) if n <= *last => Verdict::Repeat,
                    Some(last) if n > last + 1 => Verdict::Gap(n - last - 1),
                    None if index > 0 && n > 0 => Verdict::Gap(n),
                    _ => Verdict::New,
                };
                if let Verdict::Gap(gap) = expected {
                    lost += gap;
                }
                if expected.is_new() {
                    last.insert(run, n);
                }
                prop_assert_eq!(check(&mut dedup, &io, run, n), expected);
                let restored = Dedup::from_bytes(&dedup.to_bytes()).unwrap();
                prop_assert_eq!(restored.to_bytes(), dedup.to_bytes());
                dedup = restored;
            }
            prop_assert_eq!(dedup.lost(), lost);
        }

        #[test]
        fn garbage_is_refused_without_a_panic(bytes: Vec<u8>) {
            let _ = Dedup::from_bytes(&bytes);
        }
    }
}
