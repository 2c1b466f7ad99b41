//! The front page: the sentence, what needs attention, the tiles, the last hour, all values.
//!
//! Three parts that the script renews apart from each other: `now`, `charts`, `rest`.

use std::fmt::Write as _;

use tm_types::{Severity, code};

use super::figure::{class as figure_class, reading};
use super::shell::{class, icon, short_who, sign};
use super::{Page, charts, escape, tiles};
use crate::views::{AlarmView, Level, ReasonView, SeriesView};
use crate::world::Condition;

/// Rows of the tables; a cabinet has some dozens, whoever has more asks the API.
const ROWS_MAX: usize = 200;

/// The whole body.
pub(super) fn body(page: &Page<'_>) -> String {
    let mut out = String::with_capacity(48 * 1024);
    out.push_str("<main>");
    now(&mut out, page);
    charts::all(&mut out, page);
    rest(&mut out, page);
    out.push_str("</main>");
    out
}

/// What the window is called: the level as a sign, the sentence, the cabinet.
pub(super) fn title(page: &Page<'_>) -> String {
    let status = page.status;
    let sentence = status.explained.sentence.trim_end_matches('.');
    format!(
        "{} {sentence} · {}",
        sign(status.level),
        short_who(&status.device)
    )
}

/// The sentence, what presses, and the tiles.
pub(super) fn now(out: &mut String, page: &Page<'_>) {
    let (status, labels) = (page.status, page.labels);
    let level = class(status.level);
    // Writing to a string cannot fail, here and below.
    let _ = write!(
        out,
        "<div id=\"now\" data-live=\"/live?part=now&amp;lang={}\" data-every=\"3000\">\
         <section class=\"state {level}\" data-level=\"{level}\" data-title=\"{}\">{}<div>",
        labels.lang,
        escape(&title(page)),
        icon(status.level),
    );
    let headline = headline_alarm(page);
    let word = labels.level(status.level);
    match headline {
        Some(alarm) => {
            let since = page.moment(alarm.alarm.since);
            let _ = write!(out, "<p>{word}, {} <time>{since}</time></p>", labels.since);
        }
        None if status.level > Level::Grey => {
            let _ = write!(out, "<p>{word}</p>");
        }
        // The sentence says so itself; the word is for who does not see the picture.
        None => {
            let _ = write!(out, "<p class=\"unseen\">{word}</p>");
        }
    }
    let _ = write!(
        out,
        "<h1>{}</h1></div></section>",
        escape(&status.explained.sentence)
    );
    let others: Vec<&AlarmView> = status
        .alarms
        .iter()
        .filter(|alarm| headline.is_none_or(|headline| headline.alarm.id != alarm.alarm.id))
        .collect();
    alarms(out, page, &others);
    // The sentence above tells the first one where it begins with "working with limits".
    let told = usize::from(status.explained.is(code::STATUS_DEGRADED));
    let reasons = status.reasons.iter().skip(told);
    notes(
        out,
        page,
        reasons.filter(|reason| reason.level > Level::Grey),
    );
    tiles::all(out, page);
    out.push_str("</div>");
}

/// The alarm that the sentence tells.
fn headline_alarm<'a>(page: &Page<'a>) -> Option<&'a AlarmView> {
    let status = page.status;
    let told = status
        .explained
        .is(code::STATUS_ALARM)
        .then(|| status.explained.argument("alarm"))??;
    status.alarms.iter().find(|alarm| alarm.sentence == told)
}

fn alarms(out: &mut String, page: &Page<'_>, alarms: &[&AlarmView]) {
    if alarms.is_empty() {
        return;
    }
    let _ = write!(
        out,
        "<section class=\"card notes\"><h2>{}</h2><ul>",
        page.labels.alarms
    );
    for alarm in alarms {
        let level = match alarm.alarm.severity {
            Severity::Critical => Level::Red,
            Severity::Warning => Level::Amber,
            Severity::Info => Level::Grey,
        };
        let _ = write!(
            out,
            "<li class=\"{}\">{}<span><span class=\"unseen\">{}: </span>{} <time>{}</time></span></li>",
            class(level),
            icon(level),
            page.labels.level(level),
            escape(&alarm.sentence),
            page.moment(alarm.alarm.since)
        );
    }
    out.push_str("</ul></section>");
}

fn notes<'a>(out: &mut String, page: &Page<'_>, reasons: impl Iterator<Item = &'a ReasonView>) {
    let mut reasons = reasons.peekable();
    if reasons.peek().is_none() {
        return;
    }
    let _ = write!(
        out,
        "<section class=\"card notes\"><h2>{}</h2><ul>",
        page.labels.notes
    );
    for reason in reasons {
        let _ = write!(
            out,
            "<li class=\"{}\">{}<span><span class=\"unseen\">{}: </span><b>{}</b> {}</span></li>",
            class(reason.level),
            icon(reason.level),
            page.labels.level(reason.level),
            escape(&reason.service),
            escape(&reason.explained.sentence)
        );
    }
    out.push_str("</ul></section>");
}

/// All values, what needs no attention, and the services.
pub(super) fn rest(out: &mut String, page: &Page<'_>) {
    let _ = write!(
        out,
        "<div id=\"rest\" data-live=\"/live?part=rest&amp;lang={}\" data-every=\"5000\">",
        page.labels.lang
    );
    values(out, page);
    let is_quiet = |reason: &&ReasonView| reason.level <= Level::Grey;
    let mut quiet = page.status.reasons.iter().filter(is_quiet).peekable();
    if quiet.peek().is_some() {
        notes(out, page, quiet);
    }
    services(out, page);
    out.push_str("</div>");
}

fn values(out: &mut String, page: &Page<'_>) {
    let (series, labels) = (page.series, page.labels);
    let _ = write!(out, "<div class=\"head\"><h2>{}</h2></div>", labels.values);
    if series.is_empty() {
        let _ = write!(out, "<p class=\"card quiet\">{}</p>", labels.no_values);
        return;
    }
    out.push_str("<div class=\"values\">");
    let shown = series.get(..ROWS_MAX).unwrap_or(series);
    for of_source in shown.chunk_by(|a, b| a.series.source() == b.series.source()) {
        let source = of_source.first().map_or("", |view| view.series.source());
        let _ = write!(
            out,
            "<div class=\"card\"><table><caption>{}</caption><thead class=\"unseen\"><tr><th>{}</th><th>{}</th><th>{}</th></tr></thead><tbody>",
            escape(source),
            labels.series,
            labels.value,
            labels.age
        );
        for view in of_source {
            row(out, page, view);
        }
        out.push_str("</tbody></table></div>");
    }
    out.push_str("</div>");
    if series.len() > ROWS_MAX {
        let more = series.len() - ROWS_MAX;
        let _ = write!(
            out,
            "<p class=\"quiet\"><a href=\"/api/v1/series\">+{more}: {}</a></p>",
            labels.more
        );
    }
}

fn row(out: &mut String, page: &Page<'_>, view: &SeriesView) {
    let _ = write!(
        out,
        "<tr><td><a href=\"{link}\">{name}</a></td><td class=\"n {quality}\">{value}</td>\
         <td class=\"n age\" data-age=\"{age_ms}\">{age}</td></tr>",
        link = escape(&charts::address(&view.series, "", page)),
        // A long name breaks between its parts.
        name = escape(view.series.name()).replace('/', "/<wbr>"),
        quality = figure_class(view),
        value = reading(view, page.labels),
        age_ms = view.age_ms,
        age = page.labels.duration(view.age_ms),
    );
}

fn services(out: &mut String, page: &Page<'_>) {
    if page.status.services.is_empty() {
        return;
    }
    let _ = write!(
        out,
        "<div class=\"head\"><h2>{}</h2></div><ul class=\"card services\">",
        page.labels.services
    );
    for service in &page.status.services {
        let level = match service.status {
            Condition::Up => Level::Ok,
            Condition::Degraded => Level::Amber,
            Condition::Down => Level::Red,
            Condition::Unknown => Level::Grey,
        };
        let _ = write!(
            out,
            "<li class=\"{}\">{}{} <small>{}</small></li>",
            class(level),
            icon(level),
            escape(&service.service),
            page.labels.condition(service.status)
        );
    }
    out.push_str("</ul>");
}
