//! A set of record numbers as ascending ranges that do not touch.

use std::ops::Range;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Intervals(Vec<Range<u64>>);

impl Intervals {
    pub(crate) fn as_slice(&self) -> &[Range<u64>] {
        &self.0
    }

    pub(crate) fn insert(&mut self, range: Range<u64>) {
        if range.start >= range.end {
            return;
        }
        let from = self
            .0
            .partition_point(|interval| interval.end < range.start);
        let to = self
            .0
            .partition_point(|interval| interval.start <= range.end);
        let touched = &self.0[from..to];
        let start = touched
            .first()
            .map_or(range.start, |first| first.start.min(range.start));
        let end = touched
            .last()
            .map_or(range.end, |last| last.end.max(range.end));
        self.0.splice(from..to, std::iter::once(start..end));
    }

    pub(crate) fn remove(&mut self, range: &Range<u64>) {
        let from = self
            .0
            .partition_point(|interval| interval.end <= range.start);
        let to = self
            .0
            .partition_point(|interval| interval.start < range.end);
        if from >= to || range.start >= range.end {
            return;
        }
        let (left, right) = (
            self.0[from].start..range.start,
            range.end..self.0[to - 1].end,
        );
        self.0.splice(
            from..to,
            [left, right]
                .into_iter()
                .filter(|rest| rest.start < rest.end),
        );
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// The first number at or above `seq` that is not in the set.
    pub(crate) fn end_of(&self, seq: u64) -> u64 {
        let index = self.0.partition_point(|interval| interval.end <= seq);
        self.0
            .get(index)
            .filter(|interval| interval.start <= seq)
            .map_or(seq, |interval| interval.end)
    }

    /// The first number at or above `seq` that is in the set, or `u64::MAX`.
    pub(crate) fn next(&self, seq: u64) -> u64 {
        let index = self.0.partition_point(|interval| interval.end <= seq);
        self.0
            .get(index)
            .map_or(u64::MAX, |interval| interval.start.max(seq))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn agrees_with_a_plain_set(changes in prop::collection::vec((any::<bool>(), 0_u64..60, 0_u64..9), 0..40)) {
            let mut intervals = Intervals::default();
            let mut model = BTreeSet::new();
            for (is_insert, start, length) in changes {
                let range = start..start + length;
                if is_insert {
                    intervals.insert(range.clone());
                    model.extend(range);
                } else {
                    intervals.remove(&range);
                    model.retain(|seq| !range.contains(seq));
                }
                for seq in 0..70 {
                    let end = (seq..100).find(|seq| !model.contains(seq)).unwrap();
                    prop_assert_eq!(intervals.end_of(seq), end);
                    let next = model.range(seq..).next().copied().unwrap_or(u64::MAX);
                    prop_assert_eq!(intervals.next(seq), next);
                }
                for pair in intervals.as_slice().windows(2) {
                    prop_assert!(pair[0].end < pair[1].start);
                }
            }
        }
    }
}
