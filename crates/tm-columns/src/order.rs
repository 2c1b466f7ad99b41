//! The order of records across sources when nothing is written: a merge by time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Which source each record comes from, when at every step the source whose next poll has the
/// smallest time comes next; among equals the one listed first.
pub(crate) fn by_time(sources: &[impl AsRef<[i64]>]) -> impl Iterator<Item = usize> {
    let mut next = vec![0; sources.len()];
    let mut heads: BinaryHeap<_> = sources
        .iter()
        .enumerate()
        .filter_map(|(source, times)| Some(Reverse((*times.as_ref().first()?, source))))
        .collect();
    std::iter::from_fn(move || {
        let Reverse((_, source)) = heads.pop()?;
        next[source] += 1;
        if let Some(time) = sources[source].as_ref().get(next[source]) {
            heads.push(Reverse((*time, source)));
        }
        Some(source)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_merged() {
        for (sources, expected) in [
            (vec![], vec![]),
            (vec![vec![1, 2], vec![1, 2]], vec![0, 1, 0, 1]),
            (vec![vec![5, 1], vec![3, 9]], vec![1, 0, 0, 1]),
            (vec![vec![3, 9], vec![], vec![5, 1]], vec![0, 2, 2, 0]),
        ] {
            assert_eq!(by_time(&sources).collect::<Vec<_>>(), expected);
        }
    }
}
