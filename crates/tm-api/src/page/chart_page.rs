//! `/chart`: one series in a span of time, as a picture, in sum and in figures.

use std::fmt::Write as _;

use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{Html, IntoResponse as _, Response};
use serde::Deserialize;
use tm_types::text::Language;
use tm_types::{SeriesId, Timestamp};

use super::chart::Chart;
use super::chart_body::body;
use super::escape;
use super::figure::fixed;
use super::names::title;
use super::shell::{Shell, in_language, short_who};
use super::zone::Zone;
use crate::app::Shared;
use crate::error::ApiError;
use crate::extract::{Lang, Query};
use crate::labels::Labels;
use crate::routes::history::refusal;
use crate::span::moment;
use crate::views::{Level, Look, StatusView};

/// Columns of the picture, as many as it has pixels to tell apart.
const COLUMNS: u64 = 360;
const HOUR_MS: i64 = 3_600_000;
/// Spans to choose from: as written in an address, and in milliseconds.
pub(super) const SPANS: [(&str, i64); 9] = [
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
pub(super) const USUAL: usize = 2;

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
    /// `from` and `to` as they were asked, each after an `&`.
    pub(super) query: &'a str,
    /// Whether it ends now, and goes on.
    pub(super) is_live: bool,
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
        if let Some(text) = text.as_deref().filter(|text| !text.is_empty()) {
            let _ = write!(query, "&{name}={}", encoded(&text.replace(' ', "+")));
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

impl ChartPage<'_> {
    /// A value of the series in the unit of the chart; markup.
    pub(super) fn figure(&self, value: f64) -> String {
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
}

/// A value of an address, with everything escaped that could mean something else there.
fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b':' => out.push(byte.into()),
            // Writing to a string cannot fail.
            other => drop(write!(out, "%{other:02X}")),
        }
    }
    out
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
