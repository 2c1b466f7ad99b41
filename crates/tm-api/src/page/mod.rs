//! The live page: one document that the server renders whole and a script keeps current.
//!
//! No framework, nothing from elsewhere, readable without the script. `/live` is the changing
//! part alone; the script puts it in place when something other than a value has changed.

mod tiles;

use std::fmt::Write as _;

use axum::Router;
use axum::extract::State;
use axum::http::header;
use axum::response::{Html, IntoResponse};
use axum::routing::get;
use tm_types::text::Language;
use tm_types::{Quality, Value};

use crate::app::Shared;
use crate::extract::Lang;
use crate::labels::Labels;
use crate::views::{Level, Look, ReasonView, SeriesView, StatusView};
use crate::world::Condition;

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");
const ICON: &str = include_str!("icon.svg");
/// Rows of the table; a cabinet has some dozens, whoever has more asks the API.
const ROWS_MAX: usize = 200;
/// How long a browser keeps style and script before it asks again.
const KEEP: &str = "max-age=300";

/// `/` and what it needs.
pub(crate) fn router() -> Router<Shared> {
    let asset = |kind: &'static str, text: &'static str| {
        get(move || async move {
            (
                [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, KEEP)],
                text,
            )
                .into_response()
        })
    };
    Router::new()
        .route("/", get(whole))
        .route("/live", get(live))
        .route("/page.css", asset("text/css; charset=utf-8", STYLE))
        .route("/page.js", asset("text/javascript; charset=utf-8", SCRIPT))
        .route("/icon.svg", asset("image/svg+xml", ICON))
}

/// What stands between tags and in quoted attributes.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}

async fn whole(State(app): State<Shared>, Lang(language): Lang) -> Html<String> {
    let live = render(&app, language);
    let labels = Labels::of(language);
    let device = &app.device;
    let title = device
        .site
        .as_deref()
        .or(device.name.as_deref())
        .unwrap_or("tm-server");
    let mut links = String::new();
    for other in Language::ALL {
        let lang = Labels::of(other).lang;
        let current = if other == language {
            " aria-current=\"true\""
        } else {
            ""
        };
        // Writing to a string cannot fail, here and below.
        let _ = write!(
            links,
            "<a href=\"/?lang={lang}\" hreflang=\"{lang}\"{current}>{lang}</a> "
        );
    }
    Html(format!(
        "<!doctype html><html lang=\"{lang}\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <meta name=\"color-scheme\" content=\"light dark\"><title>{title}</title>\
         <link rel=\"icon\" href=\"/icon.svg\"><link rel=\"stylesheet\" href=\"/page.css\">\
         <noscript><meta http-equiv=\"refresh\" content=\"30\"></noscript>\
         <script src=\"/page.js\" defer></script></head>\
         <body data-units=\"{units}\"><div id=\"page\">{live}</div>\
         <footer><span id=\"link\" data-live=\"{on}\" data-paused=\"{off}\"></span>\
         <nav><a href=\"/docs/\">API</a> <a href=\"/docs/problems\">{problems}</a> \
         <a href=\"/metrics\">Prometheus</a></nav><nav>{links}</nav></footer></body></html>",
        lang = labels.lang,
        title = escape(title),
        units = labels.units.join(","),
        on = labels.live,
        off = labels.paused,
        problems = labels.problems,
    ))
}

async fn live(State(app): State<Shared>, Lang(language): Lang) -> Html<String> {
    Html(render(&app, language))
}

fn render(app: &Shared, language: Language) -> String {
    let now = app.now();
    app.read(|world| {
        let look = Look {
            world,
            now,
            language,
        };
        let status = StatusView::new(look, &app.device, app.version);
        let series = SeriesView::all(look, None);
        let labels = Labels::of(language);
        let mut out = String::with_capacity(16 * 1024);
        head(&mut out, &status);
        out.push_str("<main>");
        notes(&mut out, &status, labels);
        tiles::all(&mut out, look, labels, &series);
        values(&mut out, &series, labels);
        quiet_notes(&mut out, &status, labels);
        services(&mut out, &status, labels);
        out.push_str("</main>");
        out
    })
}

fn head(out: &mut String, status: &StatusView) {
    let device = &status.device;
    let names = [device.site.as_deref(), device.name.as_deref()];
    let mut who = names.into_iter().flatten().collect::<Vec<_>>().join(" · ");
    if who.is_empty() {
        who = device.id.chars().take(12).collect();
    }
    let _ = write!(
        out,
        "<header class=\"{}\"><p class=\"who\">{}</p><h1>{}</h1></header>",
        class(status.level),
        escape(&who),
        escape(&status.explained.sentence)
    );
}

/// Alarms and whatever needs attention, but for the sentence that already stands above.
fn notes(out: &mut String, status: &StatusView, labels: &Labels) {
    if !status.alarms.is_empty() {
        let _ = write!(
            out,
            "<section class=\"notes\"><h2>{}</h2><ul>",
            labels.alarms
        );
        for alarm in &status.alarms {
            let level = match alarm.alarm.severity {
                tm_types::Severity::Critical => Level::Red,
                tm_types::Severity::Warning => Level::Amber,
                tm_types::Severity::Info => Level::Grey,
            };
            let _ = write!(
                out,
                "<li class=\"{}\">{} <time>{}</time></li>",
                class(level),
                escape(&alarm.sentence),
                utc(alarm.alarm.since)
            );
        }
        out.push_str("</ul></section>");
    }
    // The sentence above tells the first one where it begins with "working with limits".
    let told = usize::from(status.explained.is(tm_types::code::STATUS_DEGRADED));
    let pressing = |reason: &&ReasonView| reason.level > Level::Grey;
    reasons(
        out,
        status.reasons.iter().skip(told).filter(pressing),
        labels,
    );
}

/// What needs no attention: not configured, just starting.
fn quiet_notes(out: &mut String, status: &StatusView, labels: &Labels) {
    let is_quiet = |reason: &&ReasonView| reason.level <= Level::Grey;
    reasons(out, status.reasons.iter().filter(is_quiet), labels);
}

fn reasons<'a>(out: &mut String, reasons: impl Iterator<Item = &'a ReasonView>, labels: &Labels) {
    let mut reasons = reasons.peekable();
    if reasons.peek().is_none() {
        return;
    }
    let _ = write!(
        out,
        "<section class=\"notes\"><h2>{}</h2><ul>",
        labels.notes
    );
    for reason in reasons {
        let _ = write!(
            out,
            "<li class=\"{}\"><b>{}</b> {}</li>",
            class(reason.level),
            escape(&reason.service),
            escape(&reason.explained.sentence)
        );
    }
    out.push_str("</ul></section>");
}

fn values(out: &mut String, series: &[SeriesView], labels: &Labels) {
    let _ = write!(out, "<section class=\"values\"><h2>{}</h2>", labels.values);
    if series.is_empty() {
        let _ = write!(out, "<p class=\"quiet\">{}</p></section>", labels.no_values);
        return;
    }
    let _ = write!(
        out,
        "<table><thead><tr><th>{}</th><th class=\"n\">{}</th><th class=\"n\">{}</th></tr></thead><tbody>",
        labels.series, labels.value, labels.age
    );
    let mut source = "";
    for view in series.iter().take(ROWS_MAX) {
        if view.series.source() != source {
            source = view.series.source();
            let _ = write!(
                out,
                "<tr class=\"of\"><th colspan=\"3\">{}</th></tr>",
                escape(source)
            );
        }
        let _ = write!(
            out,
            "<tr data-series=\"{series}\"><td>{name}</td><td class=\"n {quality}\" data-unit=\"{unit}\">{value}</td>\
             <td class=\"n age\" data-age=\"{age_ms}\">{age}</td></tr>",
            series = escape(view.series.as_str()),
            name = escape(view.series.name()),
            quality = quality(view.quality),
            unit = escape(view.unit.as_str()),
            value = reading(view),
            age_ms = view.age_ms,
            age = labels.duration(view.age_ms),
        );
    }
    out.push_str("</tbody></table>");
    if series.len() > ROWS_MAX {
        let more = series.len() - ROWS_MAX;
        let _ = write!(
            out,
            "<p class=\"quiet\"><a href=\"/api/v1/series\">+{more}: {}</a></p>",
            labels.more
        );
    }
    out.push_str("</section>");
}

fn services(out: &mut String, status: &StatusView, labels: &Labels) {
    if status.services.is_empty() {
        return;
    }
    let _ = write!(
        out,
        "<section class=\"services\"><h2>{}</h2><ul>",
        labels.services
    );
    for service in &status.services {
        let level = match service.status {
            Condition::Up => Level::Ok,
            Condition::Degraded => Level::Amber,
            Condition::Down => Level::Red,
            Condition::Unknown => Level::Grey,
        };
        let _ = write!(
            out,
            "<li class=\"{}\">{} <span class=\"quiet\">{}</span></li>",
            class(level),
            escape(&service.service),
            labels.condition(service.status)
        );
    }
    out.push_str("</ul></section>");
}

/// A value with its unit, or the reason why there is none.
fn reading(view: &SeriesView) -> String {
    match (&view.value, view.reason) {
        (Some(value), _) => with_unit(value, view.unit.as_str()),
        (None, reason) => format!(
            "— <small>{}</small>",
            reason.map_or("", tm_types::Reason::as_str)
        ),
    }
}

/// The same as `shown` in `page.js`.
fn with_unit(value: &Value, unit: &str) -> String {
    match (value, unit) {
        (Value::Number(number), "B") => bytes(number.to_f64()),
        (value, "") => escape(&value.to_string()),
        (value, unit) => format!(
            "{} <small>{}</small>",
            escape(&value.to_string()),
            escape(symbol(unit))
        ),
    }
}

/// How people write a unit.
fn symbol(unit: &str) -> &str {
    match unit {
        "Cel" => "°C",
        "%RH" => "% RH",
        "lat" | "lon" | "deg" => "°",
        "m3" => "m³",
        other => other,
    }
}

/// Bytes in their largest unit.
fn bytes(count: f64) -> String {
    let (mut size, mut unit) = (count, "B");
    for larger in ["kB", "MB", "GB", "TB"] {
        if size.abs() < 1000.0 {
            break;
        }
        size /= 1000.0;
        unit = larger;
    }
    let decimals = usize::from(unit != "B" && size.abs() < 100.0);
    format!("{size:.decimals$} <small>{unit}</small>")
}

fn utc(time: tm_types::Timestamp) -> String {
    let text = time.to_string();
    format!("{} {} UTC", &text[..10], &text[11..19])
}

fn class(level: Level) -> &'static str {
    match level {
        Level::Ok => "ok",
        Level::Grey => "grey",
        Level::Amber => "amber",
        Level::Red => "red",
    }
}

fn quality(quality: Quality) -> &'static str {
    match quality {
        Quality::Good => "good",
        Quality::Uncertain => "uncertain",
        Quality::Bad => "bad",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_from_outside_is_text() {
        assert_eq!(escape("<b a='\"'>&"), "&lt;b a=&#39;&quot;&#39;&gt;&amp;");
    }

    #[test]
    fn the_page_is_light() {
        assert!(STYLE.len() + SCRIPT.len() + ICON.len() < 20_000);
        for asset in [STYLE, SCRIPT] {
            assert!(!asset.contains("http://") && !asset.contains("https://"));
        }
    }

    #[test]
    fn sizes_are_readable() {
        let cases = [
            (0.0, "0 <small>B</small>"),
            (999.0, "999 <small>B</small>"),
            (1500.0, "1.5 <small>kB</small>"),
            (123_456_789.0, "123 <small>MB</small>"),
        ];
        for (count, expected) in cases {
            assert_eq!(bytes(count), expected);
        }
    }
}
