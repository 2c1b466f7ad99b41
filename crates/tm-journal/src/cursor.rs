//! What the cloud has acknowledged: a low-water mark and a few intervals above it.

use std::ops::Range;

use crate::varint::{self, Cursored};

/// Intervals kept above the low-water mark (design §6); with more, the smallest is forgotten.
pub const MAX_INTERVALS: usize = 32;

/// The records that need not be sent any more: all below [`Cursor::low`], and those in [`Cursor::above`].
///
/// A record is *settled* when its PUBACK came, when the quota dropped it, or when it is known to be unreadable.
/// Memory and size on flash are bounded: forgetting an interval only means sending its records again.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cursor {
    low: u64,
    above: Vec<Range<u64>>,
}

impl Cursor {
    /// A cursor under which everything below `low` is settled.
    pub fn at(low: u64) -> Self {
        Self {
            low,
            above: Vec::new(),
        }
    }

    /// The first record that is not settled.
    pub fn low(&self) -> u64 {
        self.low
    }

    /// Settled intervals above the low-water mark: ascending, apart from each other, at most [`MAX_INTERVALS`].
    pub fn above(&self) -> &[Range<u64>] {
        &self.above
    }

    /// One past the highest settled record.
    pub fn high(&self) -> u64 {
        self.above.last().map_or(self.low, |last| last.end)
    }

    /// Whether record `seq` is settled.
    pub fn is_settled(&self, seq: u64) -> bool {
        self.settled_until(seq) > seq
    }

    /// The first record at or above `seq` that is not settled.
    pub fn settled_until(&self, seq: u64) -> u64 {
        if seq < self.low {
            return self.low;
        }
        let index = self.above.partition_point(|interval| interval.end <= seq);
        match self.above.get(index) {
            Some(interval) if interval.start <= seq => interval.end,
            _ => seq,
        }
    }

    /// The first settled record at or above `seq`, or `u64::MAX` when none is known.
    pub fn next_settled(&self, seq: u64) -> u64 {
        if seq < self.low {
            return seq;
        }
        let index = self.above.partition_point(|interval| interval.end <= seq);
        self.above
            .get(index)
            .map_or(u64::MAX, |interval| interval.start.max(seq))
    }

    /// How many records of `range` are not settled.
    pub fn unsettled_in(&self, range: &Range<u64>) -> u64 {
        let mut at = range.start;
        let mut count = 0;
        while at < range.end {
            at = self.settled_until(at);
            let next = self.next_settled(at).min(range.end);
            count += next.saturating_sub(at);
            at = next.max(at);
        }
        count
    }

    /// Settles `range`; returns how many of its records were not settled before.
    ///
    /// When more than [`MAX_INTERVALS`] stand above the low-water mark afterwards, the smallest is forgotten.
    pub fn settle(&mut self, range: Range<u64>) -> u64 {
        if range.start >= range.end {
            return 0;
        }
        let fresh = self.unsettled_in(&range);
        if range.start <= self.low {
            self.low = self.low.max(range.end);
        } else {
            let from = self
                .above
                .partition_point(|interval| interval.end < range.start);
            let to = self
                .above
                .partition_point(|interval| interval.start <= range.end);
            let mut merged = range;
            if let (Some(first), Some(last)) =
                (self.above[from..to].first(), self.above[from..to].last())
            {
                merged = merged.start.min(first.start)..merged.end.max(last.end);
            }
            self.above.splice(from..to, [merged]);
        }
        self.absorb();
        if self.above.len() > MAX_INTERVALS {
            let smallest = (0..self.above.len())
                .min_by_key(|&index| self.above[index].end - self.above[index].start);
            self.above
                .remove(smallest.expect("there are more than MAX_INTERVALS"));
        }
        fresh
    }

    /// Lets the low-water mark swallow the intervals it has reached.
    fn absorb(&mut self) {
        let reached = self
            .above
            .partition_point(|interval| interval.start <= self.low);
        for interval in self.above.drain(..reached) {
            self.low = self.low.max(interval.end);
        }
    }

    /// Appends the form kept on flash: low, count, then the distances between the edges, all varints.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        varint::put_u64(out, self.low);
        varint::put_u64(out, self.above.len() as u64);
        let mut at = self.low;
        for interval in &self.above {
            varint::put_u64(out, interval.start - at);
            varint::put_u64(out, interval.end - interval.start);
            at = interval.end;
        }
    }

    /// Reads what [`Cursor::encode`] wrote; `None` for anything else.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut input = Cursored::new(bytes);
        let low = input.u64()?;
        let count = usize::try_from(input.u64()?)
            .ok()
            .filter(|count| *count <= MAX_INTERVALS)?;
        let mut above = Vec::with_capacity(count);
        let mut at = low;
        for _ in 0..count {
            let start = at.checked_add(input.u64()?).filter(|start| *start > at)?;
            let end = start.checked_add(input.u64()?).filter(|end| *end > start)?;
            above.push(start..end);
            at = end;
        }
        input.rest.is_empty().then_some(Self { low, above })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn intervals_join_and_the_low_mark_follows() {
        let mut cursor = Cursor::at(10);
        assert_eq!(cursor.settle(12..14), 2);
        assert_eq!(cursor.settle(16..18), 2);
        assert_eq!(cursor.settle(13..17), 2);
        assert_eq!(cursor.above(), std::slice::from_ref(&(12..18)));
        assert_eq!(cursor.settle(5..12), 2);
        assert_eq!((cursor.low(), cursor.above().len()), (18, 0));
        assert_eq!(cursor.settle(18..18), 0);
    }

    #[test]
    fn overflow_forgets_the_smallest() {
        let mut cursor = Cursor::at(0);
        for index in 0..MAX_INTERVALS as u64 {
            cursor.settle(10 * index + 1..10 * index + 4);
        }
        cursor.settle(5000..5001);
        assert_eq!(cursor.above().len(), MAX_INTERVALS);
        assert!(!cursor.is_settled(5000));
        cursor.settle(6000..6100);
        assert_eq!(cursor.above().len(), MAX_INTERVALS);
        assert!(cursor.is_settled(6050));
    }

    #[test]
    fn garbage_is_refused() {
        for bytes in [
            &[][..],
            &[1],
            &[1, 1, 0, 1],
            &[1, 1, 1, 0],
            &[1, 40],
            &[1, 0, 0],
        ] {
            assert_eq!(Cursor::decode(bytes), None, "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn agrees_with_a_plain_set(ranges in prop::collection::vec((0_u64..300, 0_u64..12), 0..60)) {
            let mut cursor = Cursor::at(3);
            let mut model: BTreeSet<u64> = (0..3).collect();
            let mut forgot = false;
            for (start, length) in ranges {
                let fresh = (start..start + length).filter(|seq| !model.contains(seq)).count() as u64;
                let before = cursor.above().len();
                let counted = cursor.settle(start..start + length);
                model.extend(start..start + length);
                forgot |= before == MAX_INTERVALS && cursor.above().len() == MAX_INTERVALS;
                if !forgot {
                    prop_assert_eq!(counted, fresh);
                    for seq in 0..320 {
                        prop_assert_eq!(cursor.is_settled(seq), model.contains(&seq));
                    }
                }
                for seq in 0..320 {
                    // Never more than was settled, whatever was forgotten.
                    prop_assert!(!cursor.is_settled(seq) || model.contains(&seq));
                }
                prop_assert!(cursor.above().len() <= MAX_INTERVALS);
                let mut bytes = Vec::new();
                cursor.encode(&mut bytes);
                prop_assert_eq!(Cursor::decode(&bytes), Some(cursor.clone()));
            }
        }
    }
}
