//! Several records in one message: what the ways to write them have in common.

use std::time::Duration;

use tm_columns::Header;
use tm_journal::Row;
use tm_types::Stamp;

use super::columns::Refused;
use super::thin::Kept;
use crate::schedule::{Body, Polled};

/// Points of a full batch of polls: in memory, and about 10 KiB as messages of Sparkplug.
const POLLS_POINTS: usize = 512;

/// Where a batch may lean on what was said before.
#[derive(Clone, Copy, Debug)]
pub(super) struct Leaning {
    /// The cloud connection.
    pub(super) connection: u64,
    /// Since boot.
    pub(super) now: Duration,
}

/// A batch that is filled row by row: contiguous records of one stream.
pub(super) trait Batch {
    /// Adds the points of a row that are kept under its number; `stamp` is the row's as it is to be sent.
    fn push(
        &mut self,
        seq: u64,
        row: &Row<'_>,
        stamp: Stamp,
        kept: Kept<'_>,
    ) -> Result<(), Refused>;
    /// Records in it.
    fn records(&self) -> usize;
    /// The number of the first one.
    fn first_seq(&self) -> u64;
    /// Whether it has as many points as it should have.
    fn is_full(&self) -> bool;
    /// What was pushed, to be sent, and before it the dictionary that it leans on, where it may and has to be
    /// announced; it is empty afterwards.
    fn finish(&mut self, header: &Header, leaning: Option<Leaning>) -> (Option<Vec<u8>>, Body);
}

/// Polls as they are, for the edge node.
#[derive(Default)]
pub(super) struct Polls {
    polls: Vec<Polled>,
    points: usize,
}

impl Batch for Polls {
    fn push(
        &mut self,
        seq: u64,
        row: &Row<'_>,
        stamp: Stamp,
        kept: Kept<'_>,
    ) -> Result<(), Refused> {
        // Numbers between two records are of records that are gone: no batch may span them.
        let next = self.polls.last().map_or(seq, |last| last.seq + 1);
        if next != seq {
            return Err(Refused::Full);
        }
        let mut poll = row.to_poll().ok_or(Refused::Unreadable)?;
        poll.stamp = stamp;
        kept.keep(&mut poll.points);
        self.points += poll.points.len();
        let source = row.source.clone();
        self.polls.push(Polled { seq, source, poll });
        Ok(())
    }

    fn records(&self) -> usize {
        self.polls.len()
    }

    fn first_seq(&self) -> u64 {
        self.polls.first().map_or(0, |first| first.seq)
    }

    fn is_full(&self) -> bool {
        self.points >= POLLS_POINTS || self.polls.len() >= POLLS_POINTS
    }

    fn finish(&mut self, _: &Header, _: Option<Leaning>) -> (Option<Vec<u8>>, Body) {
        self.points = 0;
        (None, Body::Polls(std::mem::take(&mut self.polls)))
    }
}
