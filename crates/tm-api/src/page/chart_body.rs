//! What stands on the page of a series: its last value, spans, the picture, its sum, the figures.

use std::fmt::Write as _;

use tm_types::Kind;

use super::chart_page::{ChartPage, SPANS, USUAL};
use super::figure::{class as figure_class, reading};
use super::shell::in_language;
use super::{escape, table};
use crate::views::SeriesView;
use crate::world::World;

const HEIGHT_PX: i32 = 300;
/// Lanes of conditions need less.
const LANES_HEIGHT_PX: i32 = 150;
/// Series in the list to choose from.
const CHOICES_MAX: usize = 300;

/// The whole body.
pub(super) fn body(page: &ChartPage<'_>, name: &str) -> String {
    let labels = page.labels;
    let mut out = String::with_capacity(48 * 1024);
    let live = if page.is_live {
        let address = in_language(
            &format!("/chart?series={}{}", page.series, page.query),
            labels,
        );
        let every_ms = (page.chart.step_ms() / 2).clamp(5_000, 60_000);
        format!(
            " data-live=\"{}\" data-watch=\"{}\" data-every=\"{every_ms}\"",
            escape(&address),
            escape(page.series.as_str())
        )
    } else {
        String::new()
    };
    // Writing to a string cannot fail, here and below.
    let _ = write!(
        out,
        "<main><p class=\"back\"><a href=\"{}\">← {}</a></p><div id=\"chart\"{live}>\
         <div class=\"title\"><div><h1>{}</h1><p class=\"quiet\">{}</p></div>",
        escape(&in_language("/", labels)),
        labels.home,
        escape(name),
        escape(page.series.as_str()),
    );
    if let Some(latest) = page.look.world.latest.get(page.series) {
        let view = SeriesView::new(page.look, page.series, latest);
        let _ = write!(
            out,
            "<p class=\"figure\"><span class=\"big {}\" data-tile=\"{series}\">{}</span>\
             <span class=\"quiet\">{} <span data-age=\"{}\" data-of=\"{series}\">{}</span></span></p>",
            figure_class(&view),
            reading(&view, labels),
            labels.age,
            view.age_ms,
            labels.duration(view.age_ms),
            series = escape(page.series.as_str()),
        );
    }
    out.push_str("</div>");
    spans(&mut out, page);
    picture(&mut out, page);
    summary(&mut out, page);
    table::put(&mut out, page);
    out.push_str("</div>");
    choice(&mut out, page.look.world, page);
    out.push_str("</main>");
    out
}

/// Links to other spans: as far back as the history reaches, and one beyond.
fn spans(out: &mut String, page: &ChartPage<'_>) {
    let now = page.look.now.time;
    let oldest = page.look.world.history.oldest(page.series).unwrap_or(now);
    let reach_ms = now.ms_since(oldest);
    let shown_ms = page.chart.to.ms_since(page.chart.from);
    let _ = write!(out, "<nav class=\"spans\">");
    for (index, (text, ms)) in SPANS.into_iter().enumerate() {
        let before_ms = index.checked_sub(1).map_or(0, |before| SPANS[before].1);
        let is_current = page.is_live && (shown_ms - ms).abs() <= 1;
        if index > USUAL && before_ms >= reach_ms && !is_current {
            continue;
        }
        let address = in_language(
            &format!("/chart?series={}&from={text}", page.series),
            page.labels,
        );
        let current = if is_current {
            " aria-current=\"true\""
        } else {
            ""
        };
        let _ = write!(
            out,
            "<a href=\"{}\"{current}>{}</a>",
            escape(&address),
            page.labels.span(ms.unsigned_abs())
        );
    }
    let (from, to) = (page.moment(page.chart.from), page.moment(page.chart.to));
    let _ = write!(
        out,
        "<span class=\"quiet\">{from} – {to}, {}</span></nav>",
        page.zone.name(now)
    );
}

fn picture(out: &mut String, page: &ChartPage<'_>) {
    let chart = page.chart;
    let _ = write!(
        out,
        "<section class=\"card one\"><p class=\"readout quiet\" aria-live=\"polite\">{}</p>\
         <div class=\"plot\" data-from=\"{}\" data-to=\"{}\" data-step=\"{}\" data-ahead=\"{}\" \
         data-unit=\"{}\" data-rows=\"{}\">",
        escape(&table::scale_note(page)),
        chart.from.unix_ms(),
        chart.to.unix_ms(),
        chart.step_ms(),
        page.zone.offset_s(chart.to),
        escape(&chart.unit),
        escape(&table::rows_for_script(page)),
    );
    let height_px = match chart.range.kind {
        Kind::State => LANES_HEIGHT_PX,
        Kind::Gauge | Kind::Counter => HEIGHT_PX,
    };
    chart.draw(out, height_px, page.zone, page.labels);
    out.push_str("</div></section>");
}

/// What the rows come to, in a line of figures.
fn summary(out: &mut String, page: &ChartPage<'_>) {
    let (chart, labels) = (page.chart, page.labels);
    let summary = chart.summary();
    let figure = |value: f64| page.figure(value);
    let mut figures: Vec<(&str, String)> = Vec::new();
    match chart.range.kind {
        Kind::Gauge => {
            if let Some((low, high)) = summary.ends {
                figures.push((labels.minimum, figure(low)));
                figures.extend(summary.mean.map(|mean| (labels.mean, figure(mean))));
                figures.push((labels.maximum, figure(high)));
            }
        }
        Kind::Counter => {
            figures.push((labels.growth, figure(summary.growth)));
            figures.push((labels.resets, summary.resets.to_string()));
        }
        Kind::State => figures.push((labels.changes, summary.changes.to_string())),
    }
    figures.push((labels.readings, summary.readings.to_string()));
    figures.push((labels.unusable, summary.unusable.to_string()));
    out.push_str("<dl class=\"card sums\">");
    for (name, value) in figures {
        let class = match (name == labels.unusable, summary.unusable) {
            (true, 1..) => "uncertain",
            _ => "good",
        };
        let _ = write!(
            out,
            "<div><dt>{name}</dt><dd class=\"{class}\">{value}</dd></div>"
        );
    }
    out.push_str("</dl>");
}

/// Another series to look at in the same span.
fn choice(out: &mut String, world: &World, page: &ChartPage<'_>) {
    let labels = page.labels;
    let _ = write!(
        out,
        "<form class=\"choice\" action=\"/chart\"><label for=\"series\">{}</label><select id=\"series\" name=\"series\">",
        labels.other_series
    );
    for series in world.latest.keys().take(CHOICES_MAX) {
        let selected = if series == page.series {
            " selected"
        } else {
            ""
        };
        let _ = write!(
            out,
            "<option{selected}>{}</option>",
            escape(series.as_str())
        );
    }
    let _ = write!(
        out,
        "</select><input type=\"hidden\" name=\"lang\" value=\"{}\"><button>{}</button></form>",
        labels.lang, labels.show
    );
}
