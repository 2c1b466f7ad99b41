//! Reads every batch to the end: whether all is there, in order, and how late what is live.

use std::collections::HashMap;

use anyhow::{Context as _, Result};
use tm_columns::Decoded;

use super::live::{LIVE, now_ms};

/// What arrived, record by record.
#[derive(Default)]
pub(super) struct Witness {
    /// Numbers seen of each source, a bit each.
    numbers: HashMap<String, Vec<u64>>,
    /// One past the last record of backlog and of live data.
    ends: [u64; 2],
    backlog: u64,
    pub(super) repeats: u64,
    /// Batches that came before one with lower numbers, backlog and live each for itself.
    pub(super) disordered: u64,
    /// How long after its stamp each live poll arrived, in milliseconds.
    late_ms: Vec<i64>,
}

impl Witness {
    pub(super) fn batch(&mut self, batch: &Decoded) -> Result<()> {
        let now = now_ms()?;
        if batch.records.is_empty() {
            // It announces a dictionary.
            return Ok(());
        }
        let is_live = batch
            .records
            .iter()
            .any(|record| record.source.as_str() == LIVE);
        let end = &mut self.ends[usize::from(is_live)];
        self.disordered += u64::from(batch.first_seq < *end);
        *end = batch.first_seq + batch.records.len() as u64;
        for record in &batch.records {
            let n = record.poll.sequence.context("a poll without its number")?.n;
            let source = record.source.as_str();
            if !self.note(source, n) {
                self.repeats += 1;
                continue;
            }
            if source == LIVE {
                self.late_ms.push(now - record.poll.stamp.time.unix_ms());
            } else {
                self.backlog += 1;
            }
        }
        Ok(())
    }

    /// Whether that number is new.
    fn note(&mut self, source: &str, n: u64) -> bool {
        if !self.numbers.contains_key(source) {
            self.numbers.insert(source.to_owned(), Vec::new());
        }
        let seen = self.numbers.get_mut(source).expect("it was just put there");
        let (word, bit) = (usize::try_from(n / 64).unwrap_or(usize::MAX), 1 << (n % 64));
        if seen.len() <= word {
            seen.resize(word + 1, 0);
        }
        let is_new = seen[word] & bit == 0;
        seen[word] |= bit;
        is_new
    }

    /// Different records of all other sources.
    pub(super) fn backlog(&self) -> u64 {
        self.backlog
    }

    /// Polls of the live source that arrived, and how late: the middle one and the last one, in seconds.
    pub(super) fn lateness(&self) -> (u64, f64, f64) {
        let mut late = self.late_ms.clone();
        late.sort_unstable();
        let seconds = |ms: Option<&i64>| {
            #[expect(clippy::cast_precision_loss, reason = "some seconds")]
            ms.map_or(0.0, |ms| *ms as f64 / 1000.0)
        };
        (
            late.len() as u64,
            seconds(late.get(late.len() / 2)),
            seconds(late.last()),
        )
    }
}
