//! Where a line may go on and where it must stop: a gap is shown as a gap.

use tm_types::Timestamp;

use crate::history::GaugeRow;

/// Rows cut where the source was silent or nothing usable was measured.
///
/// `reports` are the steps in which the source told anything. A series that is left out while its
/// source goes on has not changed (deadbands), so its line goes on.
pub(super) fn runs<'a>(
    rows: &'a [GaugeRow],
    reports: &[Timestamp],
    step_ms: i64,
) -> Vec<Vec<&'a GaugeRow>> {
    let longest_ms = usual_silence_ms(reports, step_ms);
    let mut runs: Vec<Vec<&GaugeRow>> = Vec::new();
    let mut is_open = false;
    for row in rows {
        if row.mean.is_none() {
            is_open = false;
            continue;
        }
        let last = runs.last().and_then(|run| run.last());
        let goes_on =
            is_open && last.is_some_and(|last| silence_ms(reports, last.t, row.t) <= longest_ms);
        match runs.last_mut() {
            Some(run) if goes_on => run.push(row),
            _ => runs.push(vec![row]),
        }
        is_open = true;
    }
    runs
}

/// The longest time without a report that is the source's own pace: twice the usual one.
fn usual_silence_ms(reports: &[Timestamp], step_ms: i64) -> i64 {
    let mut spacings: Vec<i64> = pairs(reports).collect();
    spacings.sort_unstable();
    let usual = spacings.get(spacings.len() / 2).copied().unwrap_or(step_ms);
    usual.saturating_mul(2)
}

/// The longest time without a report between two rows.
fn silence_ms(reports: &[Timestamp], from: Timestamp, to: Timestamp) -> i64 {
    let start = reports.partition_point(|report| *report < from);
    let end = reports.partition_point(|report| *report <= to);
    // Without reports the rows themselves are all that is known.
    pairs(reports.get(start..end).unwrap_or_default())
        .max()
        .unwrap_or_else(|| to.ms_since(from))
}

fn pairs(reports: &[Timestamp]) -> impl Iterator<Item = i64> {
    reports.windows(2).map(|pair| pair[1].ms_since(pair[0]))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `.` a step without a row, `x` one without a usable value, `o` one with; below it whether
    /// the source reported. Runs are told as their steps.
    fn check(rows: &str, reports: &str, expected: &[&[i64]]) {
        let step_ms = 10_000;
        let t = |n: usize| Timestamp::of_unix_ms(i64::try_from(n).unwrap() * step_ms);
        let rows: Vec<GaugeRow> = rows
            .chars()
            .enumerate()
            .filter(|(_, c)| *c != '.')
            .map(|(n, c)| {
                let value = (c == 'o').then_some(1.0);
                GaugeRow {
                    t: t(n),
                    min: value,
                    mean: value,
                    max: value,
                    count: u32::from(c == 'o'),
                    bad: u32::from(c == 'x'),
                }
            })
            .collect();
        let reports: Vec<Timestamp> = reports
            .chars()
            .enumerate()
            .filter(|(_, c)| *c == '|')
            .map(|(n, _)| t(n))
            .collect();
        let found: Vec<Vec<i64>> = runs(&rows, &reports, step_ms)
            .iter()
            .map(|run| run.iter().map(|row| row.t.unix_ms() / step_ms).collect())
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_line_stops_where_nothing_is_known() {
        check("", "", &[]);
        check("ooo", "|||", &[&[0, 1, 2]]);
        // One step missed may be jitter, two are silence.
        check("oo.oo", "||.||", &[&[0, 1, 3, 4]]);
        check("oo..oo", "||..||", &[&[0, 1], &[4, 5]]);
        // Asked every third step.
        check("o..o..o..o", "|..|..|..|", &[&[0, 3, 6, 9]]);
        check(
            "o..o........o..o..o",
            "|..|........|..|..|",
            &[&[0, 3], &[12, 15, 18]],
        );
        // Unchanged while the source tells others, and silent with it.
        check("o......o", "||||||||", &[&[0, 7]]);
        check("o......o", "|||..|||", &[&[0], &[7]]);
        // Nothing usable is a gap however short.
        check("oxo", "|||", &[&[0], &[2]]);
        check("xx", "||", &[]);
    }
}
