//! `/chart`: one series in a span of time, as a picture, in sum and in figures.

use std::fmt::Write as _;

use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{Html, IntoResponse as _, Response};
use serde::Deserialize;
use tm_types::text::Language;
use tm_types::{Kind, SeriesId, Timestamp};

use super::chart::Chart;
use super::figure::{class as figure_class, fixed, reading};
use super::names::title;
use super::shell::{Shell, in_language, short_who};
use super::zone::Zone;
use super::{escape, table};
use crate::app::Shared;
use crate::error::ApiError;
use crate::extract::{Lang, Query};
use crate::labels::Labels;
use crate::routes::history::refusal;
use crate::span::moment;
use crate::views::{Level, Look, SeriesView, StatusView};
use crate::world::World;

/// Columns of the picture, as many as it has pixels to tell apart.
const COLUMNS: u64 = 360;
const HEIGHT_PX: i32 = 300;
/// Lanes of conditions need less.
const LANES_HEIGHT_PX: i32 = 150;
/// Series in the list to choose from.
const CHOICES_MAX: usize = 300;
const HOUR_MS: i64 = 3_600_000;
/// Spans to choose from: as written in an address, and in milliseconds.
const SPANS: [(&str, i64); 9] = [
    ("-5m", HOUR_MS / 12),
    ("-15m", HOUR_MS / 4),
    ("-1h", HOUR_MS),
    ("-3h", 3 * HOUR_MS),
    ("-6h", 6 * HOUR_MS),
    ("-12h", 12 * HOUR_MS),
    ("-24h", 24 * HOUR_MS),
    ("-7d", 168 * HOUR_MS),
    ("-30d", 720 * HOUR_MS),
];
/// The span when none is asked for.
const USUAL: usize = 2;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Question {
    series: SeriesId,
    from: Option<String>,
    to: Option<String>,
}

/// What the page is made from.
pub(super) struct ChartPage<'a> {
    pub(super) look: Look<'a>,
    pub(super) labels: &'static Labels,
    pub(super) zone: &'a Zone,
    pub(super) series: &'a SeriesId,
    pub(super) chart: &'a Chart,
    /// `from` and `to` as the address has them.
    query: &'a str,
    is_live: bool,
}

pub(super) async fn whole(
    State(app): State<Shared>,
    Lang(language): Lang,
    uri: Uri,
    question: Result<Query<Question>, ApiError>,
) -> Response {
    let now = app.now();
    let address = without_language(uri.query().unwrap_or(""));
    let result = app.read(|world| {
        let look = Look {
            world,
            now,
            language,
        };
        let level = StatusView::new(look, &app.device, app.version).level;
        let shell = Shell {
            language,
            device: &app.device,
            title: "",
            level,
            address: &address,
            is_live: false,
        };
        match question.and_then(|Query(question)| read(look, &question)) {
            Ok((question, chart, is_live)) => {
                Ok(page(look, &app, shell, &question, &chart, is_live))
            }
            Err(error) => Err((refused(&error, language, shell), error.told(language).0)),
        }
    });
    match result {
        Ok(html) => Html(html).into_response(),
        Err((html, status)) => (status, Html(html)).into_response(),
    }
}

/// A question that was understood.
struct Asked {
    series: SeriesId,
    query: String,
}

fn read(look: Look<'_>, question: &Question) -> Result<(Asked, Chart, bool), ApiError> {
    let now = look.now.time;
    let to = moment("to", question.to.as_deref(), now)?;
    // The end is not included, the present moment is.
    let end = to.unwrap_or_else(|| now.plus_ms(1));
    let from = moment("from", question.from.as_deref(), now)?;
    let from = from.unwrap_or_else(|| to.unwrap_or(now).plus_ms(-SPANS[USUAL].1));
    if from >= end {
        return Err(ApiError::bad_field("from", "a time before `to`"));
    }
    let chart = Chart::load(look, &question.series, (from, end), COLUMNS).map_err(refusal)?;
    let mut query = String::new();
    for (name, text) in [("from", &question.from), ("to", &question.to)] {
        // Both were understood as times: letters, digits and a few signs of which only `+` and
        // its space mean something else in an address.
        if let Some(text) = text.as_deref().filter(|text| !text.is_empty()) {
            let _ = write!(query, "&{name}={}", text.replace(['+', ' '], "%2B"));
        }
    }
    let asked = Asked {
        series: question.series.clone(),
        query,
    };
    Ok((asked, chart, to.is_none()))
}

fn page(
    look: Look<'_>,
    app: &Shared,
    shell: Shell<'_>,
    asked: &Asked,
    chart: &Chart,
    is_live: bool,
) -> String {
    let labels = Labels::of(look.language);
    let name = title(&asked.series, labels);
    let zone = Zone::of(&app.device.timezone);
    let view = ChartPage {
        look,
        labels,
        zone: &zone,
        series: &asked.series,
        chart,
        query: &asked.query,
        is_live,
    };
    let window = format!("{name} · {}", short_who(&app.device));
    let shell = Shell {
        title: &window,
        is_live,
        ..shell
    };
    shell.around(&body(&view, &name))
}

/// A page that says why there is no chart.
fn refused(error: &ApiError, language: Language, shell: Shell<'_>) -> String {
    let labels = Labels::of(language);
    let (status, sentence) = error.told(language);
    let level = if status == StatusCode::NOT_FOUND {
        Level::Grey
    } else {
        Level::Amber
    };
    let body = format!(
        "<main><section class=\"state {}\">{}<div><h1>{}</h1></div></section><p><a href=\"{}\">← {}</a></p></main>",
        super::shell::class(level),
        super::shell::icon(level),
        escape(&sentence),
        escape(&in_language("/", labels)),
        labels.home
    );
    let title = format!("{sentence} · {}", short_who(shell.device));
    Shell {
        title: &title,
        ..shell
    }
    .around(&body)
}

fn body(page: &ChartPage<'_>, name: &str) -> String {
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

impl ChartPage<'_> {
    /// A value of the series in the unit of the chart; markup.
    fn figure(&self, value: f64) -> String {
        let text = self.number(value);
        match self.chart.unit.as_str() {
            "" => text,
            unit => format!("{text}\u{a0}<small>{}</small>", escape(unit)),
        }
    }

    /// The same without the unit.
    pub(super) fn number(&self, value: f64) -> String {
        fixed(value / self.chart.divisor, self.chart.decimals)
    }

    /// A moment in the device's zone.
    pub(super) fn moment(&self, time: Timestamp) -> String {
        self.zone
            .moment(time, self.look.now.time, self.look.language)
    }

    /// `from` and `to` as they were asked, each after an `&`.
    pub(super) fn query(&self) -> &str {
        self.query
    }
}

/// The address of this page without its language; only for links, so what cannot be read stays.
fn without_language(query: &str) -> String {
    let pairs = query
        .split('&')
        .filter(|pair| !pair.starts_with("lang=") && !pair.is_empty());
    let kept: Vec<&str> = pairs.collect();
    if kept.is_empty() {
        "/chart".to_owned()
    } else {
        format!("/chart?{}", kept.join("&"))
    }
}
