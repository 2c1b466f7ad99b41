//! The figures of a chart: a table for who cannot see or point, rows for the script.

use std::fmt::Write as _;

use tm_types::Timestamp;

use super::chart::{Chart, condition_of};
use super::chart_page::ChartPage;
use super::escape;
use crate::history::Rows;

/// Rows of the table: a page of reading; the rest is in the CSV.
const ROWS: u64 = 30;

/// The table, newest first, with the way to all of it.
pub(super) fn put(out: &mut String, page: &ChartPage<'_>) {
    let labels = page.labels;
    let window = (page.chart.from, page.chart.to);
    let Ok(chart) = Chart::load(page.look, page.series, window, ROWS) else {
        return;
    };
    let csv = format!(
        "/api/v1/history?series={}{}&step={}s&format=csv",
        page.series,
        page.query,
        page.chart.step.as_secs()
    );
    let file = page.series.as_str().replace('/', "_");
    // Writing to a string cannot fail, here and below.
    let _ = write!(
        out,
        "<div class=\"head\"><h2>{}</h2><a class=\"quiet\" href=\"{}\" download=\"{}.csv\">{}</a></div>",
        labels.figures,
        escape(&csv),
        escape(&file),
        labels.csv
    );
    let (heads, rows) = cells(page, &chart);
    if rows.is_empty() {
        let _ = write!(out, "<p class=\"card quiet\">{}</p>", labels.no_readings);
        return;
    }
    let is_fine = chart.step_ms() % 60_000 != 0;
    let told = |time: Timestamp| {
        if is_fine {
            page.zone.clock(time)
        } else {
            page.moment(time)
        }
    };
    let _ = write!(
        out,
        "<div class=\"card wide\" tabindex=\"0\" role=\"region\" aria-label=\"{}\"><table><thead><tr>",
        labels.figures
    );
    for (index, head) in heads.iter().enumerate() {
        let class = if index == 0 { "" } else { " class=\"n\"" };
        let _ = write!(out, "<th scope=\"col\"{class}>{}</th>", escape(head));
    }
    out.push_str("</tr></thead><tbody>");
    for (time, row) in rows.iter().rev() {
        let _ = write!(out, "<tr><th scope=\"row\">{}</th>", told(*time));
        for cell in row {
            let _ = write!(out, "<td class=\"n\">{}</td>", escape(cell));
        }
        out.push_str("</tr>");
    }
    out.push_str("</tbody></table></div>");
}

/// Heads and rows; what is not known is a dash.
fn cells(page: &ChartPage<'_>, chart: &Chart) -> (Vec<String>, Vec<(Timestamp, Vec<String>)>) {
    let labels = page.labels;
    let number =
        |value: Option<f64>| value.map_or_else(|| "—".to_owned(), |value| page.number(value));
    let with_unit = |name: &str| match page.chart.unit.as_str() {
        "" => name.to_owned(),
        unit => format!("{name}, {unit}"),
    };
    let counts = |count: u32, bad: u32| [count.to_string(), bad.to_string()];
    let (names, rows): (Vec<String>, Vec<(Timestamp, Vec<String>)>) = match &chart.range.rows {
        Rows::Gauge(rows) => (
            [labels.minimum, labels.mean, labels.maximum]
                .map(with_unit)
                .to_vec(),
            rows.iter()
                .map(|row| {
                    (
                        row.t,
                        [row.min, row.mean, row.max].map(number),
                        counts(row.count, row.bad),
                    )
                })
                .map(|(t, values, counts)| (t, [values.as_slice(), &counts].concat()))
                .collect(),
        ),
        Rows::Counter(rows) => (
            vec![
                with_unit(labels.growth),
                with_unit(labels.total),
                labels.resets.to_owned(),
            ],
            rows.iter()
                .map(|row| {
                    let values = [
                        number(Some(row.delta).filter(|_| row.count > 0)),
                        number(row.last),
                        row.resets.to_string(),
                    ];
                    (
                        row.t,
                        [values.as_slice(), &counts(row.count, row.bad)].concat(),
                    )
                })
                .collect(),
        ),
        Rows::State(rows) => (
            vec![labels.condition.to_owned(), labels.changes.to_owned()],
            rows.iter()
                .map(|row| {
                    let last = row.last.as_ref();
                    let last =
                        last.map_or_else(|| "—".to_owned(), |value| condition_of(value, labels));
                    let values = [last, row.changes.to_string()];
                    (
                        row.t,
                        [values.as_slice(), &counts(row.count, row.bad)].concat(),
                    )
                })
                .collect(),
        ),
        Rows::Raw(_) => (Vec::new(), Vec::new()),
    };
    let counts = [labels.readings.to_owned(), labels.unusable.to_owned()];
    let heads = [vec![labels.time.to_owned()], names, counts.to_vec()].concat();
    (heads, rows)
}

/// How finely the picture is drawn, in words: stands above it until a finger points at it.
pub(super) fn scale_note(page: &ChartPage<'_>) -> String {
    let labels = page.labels;
    let step_ms = page.chart.step_ms().unsigned_abs();
    let before = match &page.chart.range.rows {
        Rows::Gauge(_) => labels.levels_per,
        Rows::Counter(_) => labels.growth_per,
        Rows::State(_) | Rows::Raw(_) => labels.condition_step,
    };
    format!("{before} {}", labels.span(step_ms))
}

/// The rows of the picture as `time,value[,value…];…`: steps since the first one, texts as shown.
pub(super) fn rows_for_script(page: &ChartPage<'_>) -> String {
    let step_ms = page.chart.step_ms();
    let first = page.chart.from.unix_ms().div_euclid(step_ms);
    let at = |time: Timestamp| time.unix_ms().div_euclid(step_ms) - first;
    let mut out = String::new();
    match &page.chart.range.rows {
        Rows::Gauge(rows) => {
            for row in rows {
                let Some(((low, mean), high)) = row.min.zip(row.mean).zip(row.max) else {
                    continue;
                };
                let _ = write!(out, "{},", at(row.t));
                let [low, mean, high] = [low, mean, high].map(|value| page.number(value));
                let _ = if low == high {
                    write!(out, "{mean};")
                } else {
                    write!(out, "{mean},{low},{high};")
                };
            }
        }
        Rows::Counter(rows) => {
            for row in rows.iter().filter(|row| row.count > 0) {
                let _ = write!(out, "{},{};", at(row.t), page.number(row.delta));
            }
        }
        Rows::State(rows) => {
            for row in rows {
                if let Some(last) = &row.last {
                    let text = condition_of(last, page.labels).replace([',', ';'], " ");
                    let _ = write!(out, "{},{text};", at(row.t));
                }
            }
        }
        Rows::Raw(_) => {}
    }
    out
}
