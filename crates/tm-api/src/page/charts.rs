//! The last hour on the front page: the few series that tell most of a cabinet.

use std::fmt::Write as _;

use tm_types::{Kind, SeriesId, Value};

use super::chart::Chart;
use super::figure::{class as figure_class, fixed, reading};
use super::names::title;
use super::shell::in_language;
use super::{Page, escape};
use crate::views::SeriesView;

/// Charts on the page.
const CHARTS: usize = 6;
/// What they show: an hour, or less while there is less; as in an address, and in milliseconds.
const SPANS: [(&str, i64); 3] = [("-5m", 300_000), ("-15m", 900_000), ("", 3_600_000)];
/// Rows of a chart: more cannot be told apart at its width.
const COLUMNS: u64 = 120;
const HEIGHT_PX: i32 = 104;

/// The charts with their heading; nothing while nothing can be drawn.
pub(super) fn all(out: &mut String, page: &Page<'_>) {
    let chosen = chosen(page.series);
    let (now, labels) = (page.look.now.time, page.labels);
    let history = &page.look.world.history;
    let oldest = chosen
        .iter()
        .filter_map(|view| history.oldest(&view.series))
        .min();
    let reach_ms = oldest.map_or(0, |oldest| now.ms_since(oldest));
    let covers = |(_, ms): &&(&str, i64)| reach_ms <= *ms;
    let (back, span_ms) = SPANS.iter().find(covers).copied().unwrap_or(SPANS[2]);
    let from = now.plus_ms(-span_ms);
    let watched: Vec<&str> = chosen.iter().map(|view| view.series.as_str()).collect();
    let _ = write!(
        out,
        "<section id=\"charts\" data-live=\"/live?part=charts&amp;lang={}\" data-watch=\"{}\" data-every=\"15000\">",
        labels.lang,
        escape(&watched.join(" "))
    );
    if !chosen.is_empty() {
        let _ = write!(
            out,
            "<div class=\"head\"><h2>{}</h2><small>{} – {}, {}</small></div><div class=\"charts\">",
            labels.last(span_ms.unsigned_abs()),
            page.zone.minute(from),
            page.zone.minute(now),
            page.zone.name(now)
        );
        for view in chosen {
            if let Ok(chart) = Chart::load(page.look, &view.series, (from, now.plus_ms(1)), COLUMNS)
            {
                card(out, page, view, &chart, back);
            }
        }
        out.push_str("</div>");
    }
    out.push_str("</section>");
}

fn card(out: &mut String, page: &Page<'_>, view: &SeriesView, chart: &Chart, back: &str) {
    let series = escape(view.series.as_str());
    // Writing to a string cannot fail.
    let _ = write!(
        out,
        "<a class=\"card chart\" href=\"{}\"><h3>{}</h3><p class=\"now\"><span class=\"big {}\" data-tile=\"{series}\">{}</span>",
        escape(&address(&view.series, back, page)),
        escape(&title(&view.series, page.labels)),
        figure_class(view),
        reading(view, page.labels),
    );
    if let (Some((low, high)), Kind::Gauge) = (chart.summary().ends, chart.range.kind) {
        let text = |value: f64| fixed(value / chart.divisor, chart.decimals.min(2));
        let (low, high) = (text(low), text(high));
        if low != high {
            let _ = write!(out, "<small>{low} … {high}</small>");
        }
    }
    out.push_str("</p><div class=\"plot\">");
    chart.draw(out, HEIGHT_PX, page.zone, page.labels);
    out.push_str("</div></a>");
}

/// Where a series has a page of its own, from `back` on; an hour when that is empty.
pub(super) fn address(series: &SeriesId, back: &str, page: &Page<'_>) -> String {
    let from = if back.is_empty() { "" } else { "&from=" };
    // The names of series need no escapes in an address.
    in_language(&format!("/chart?series={series}{from}{back}"), page.labels)
}

/// The series worth a chart: the best of each kind first, then second ones.
fn chosen(all: &[SeriesView]) -> Vec<&SeriesView> {
    let mut ranked: Vec<(usize, u8, &SeriesView)> = Vec::new();
    let mut seen = [0usize; 16];
    for view in all {
        if let Some(rank) = rank(view) {
            let turn = &mut seen[usize::from(rank)];
            ranked.push((*turn, rank, view));
            *turn += 1;
        }
    }
    // Second ones of a kind only after the first ones of every kind that a person asks for.
    ranked.sort_by_key(|(turn, rank, _)| {
        (usize::from(*rank >= SECONDARY) + turn.min(&2), *rank, *turn)
    });
    ranked
        .into_iter()
        .take(CHARTS)
        .map(|(.., view)| view)
        .collect()
}

/// From here on a kind tells less than a second one of those before it.
const SECONDARY: u8 = 8;

/// How much a series tells of a cabinet; lower is more.
fn rank(view: &SeriesView) -> Option<u8> {
    let (source, name) = (view.series.source(), view.series.name());
    let quantity = name.rsplit('/').next().unwrap_or(name);
    let is_chip = source == "modem" || name.starts_with("cpu");
    Some(match (view.kind, view.unit.as_str(), quantity) {
        (Kind::Gauge, "dBm", "rsrp") => 0,
        (Kind::Gauge, "Cel", _) if !is_chip => 1,
        (Kind::Gauge, "%RH", _) => 2,
        (Kind::Gauge, "V", _) if !is_chip => 3,
        (Kind::Gauge, "W", _) => 4,
        (Kind::State, ..) if matches!(view.value, Some(Value::Bool(_))) => 5,
        (Kind::Gauge, "m" | "Pa" | "hPa" | "l/s" | "m3/s" | "lx", _) if source != "gnss" => 6,
        (Kind::Gauge, unit, _) if !is_ours(source) && !unit.is_empty() => 7,
        (Kind::Gauge, "Cel", _) => 8,
        (Kind::Gauge, "A", _) => 9,
        (Kind::Gauge, _, "cpu-usage") => 10,
        (Kind::Gauge, _, "load-1m") => 11,
        (Kind::Gauge, _, "memory-used") => 12,
        (Kind::Counter, unit, _) if unit != "s" => 13,
        (Kind::Gauge, ..) if !is_ours(source) => 14,
        _ => return None,
    })
}

fn is_ours(source: &str) -> bool {
    matches!(
        source,
        "modem" | "gnss" | "sensors" | "io" | "uplink" | "agent" | "api"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use tm_types::{Clock, Quality, Timestamp, Unit};

    fn view(series: &str, kind: Kind, unit: &'static str) -> SeriesView {
        SeriesView {
            series: SeriesId::new(series).unwrap(),
            kind,
            unit: Unit::known(unit),
            value: Some(if kind == Kind::State {
                Value::Bool(true)
            } else {
                Value::from(1)
            }),
            quality: Quality::Good,
            reason: None,
            time: Timestamp::EPOCH,
            clock: Clock::Ntp,
            age_ms: 0,
        }
    }

    fn check(series: &[(&str, Kind, &'static str)], expected: &[&str]) {
        let views: Vec<SeriesView> = series.iter().map(|(s, k, u)| view(s, *k, u)).collect();
        let found: Vec<&str> = chosen(&views)
            .iter()
            .map(|view| view.series.as_str())
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_cabinet_is_told_by_its_best_series() {
        use Kind::{Counter, Gauge, State};
        check(&[], &[]);
        // A bare machine.
        check(
            &[
                ("sensors/cpu-temperature", Gauge, "Cel"),
                ("sensors/cpu-usage", Gauge, "%"),
                ("sensors/load-1m", Gauge, ""),
                ("sensors/uptime", Counter, "s"),
                ("gnss/latitude", Gauge, "lat"),
            ],
            &[
                "sensors/cpu-temperature",
                "sensors/cpu-usage",
                "sensors/load-1m",
            ],
        );
        // A full one: one of each before a second of any, chips last.
        check(
            &[
                ("modem/1/rsrp", Gauge, "dBm"),
                ("modem/1/supply", Gauge, "V"),
                ("modem/1/temperature", Gauge, "Cel"),
                ("sensors/28-a/temperature", Gauge, "Cel"),
                ("sensors/28-b/temperature", Gauge, "Cel"),
                ("sensors/28-c/temperature", Gauge, "Cel"),
                ("sensors/meter/current", Gauge, "A"),
                ("sensors/meter/door-open", State, ""),
                ("sensors/meter/power", Gauge, "W"),
                ("sensors/meter/voltage", Gauge, "V"),
            ],
            &[
                "modem/1/rsrp",
                "sensors/28-a/temperature",
                "sensors/meter/voltage",
                "sensors/meter/power",
                "sensors/meter/door-open",
                "sensors/28-b/temperature",
            ],
        );
        // Many of a foreign source do not push out the signal.
        let levels: Vec<String> = (10..30).map(|n| format!("tank/{n}/level")).collect();
        let mut many: Vec<(&str, Kind, &'static str)> = levels
            .iter()
            .map(|level| (level.as_str(), Gauge, "m"))
            .collect();
        many.push(("modem/1/rsrp", Gauge, "dBm"));
        let few = [
            "modem/1/rsrp",
            "tank/10/level",
            "tank/11/level",
            "tank/12/level",
            "tank/13/level",
            "tank/14/level",
        ];
        check(&many, &few);
    }
}
