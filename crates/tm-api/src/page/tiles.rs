//! Five tiles: link, cabinet, position, queue, clock.

use std::fmt::{Display, Write as _};

use tm_types::{FixMode, Satellite, Signal};

use super::{bytes, escape, reading, utc};
use crate::labels::Labels;
use crate::views::{GnssView, Look, ModemsView, SeriesView, UplinkView};

/// Temperatures on the cabinet's tile.
const TEMPERATURES: usize = 4;

pub(super) fn all(out: &mut String, look: Look<'_>, labels: &Labels, series: &[SeriesView]) {
    out.push_str("<section class=\"tiles\">");
    link(out, look, labels);
    cabinet(out, look, labels, series);
    position(out, look, labels);
    queue(out, look, labels);
    clock(out, look, labels);
    out.push_str("</section>");
}

fn link(out: &mut String, look: Look<'_>, labels: &Labels) {
    let modems = ModemsView::new(look, false);
    begin(out, labels.link, modems.stale, labels);
    let Some(view) = modems.modems.first() else {
        return quiet(out, &modems.explained.sentence);
    };
    let modem = &view.modem;
    match &modem.registration.operator {
        Some(operator) => {
            let technology = modem.registration.technology.as_deref().unwrap_or("");
            let _ = write!(
                out,
                "<p class=\"big\">{}{} <small>{}</small></p>",
                bars(&modem.signal),
                escape(operator),
                escape(&technology.to_uppercase())
            );
        }
        None => {
            let _ = write!(out, "<p class=\"mid\">{}</p>", escape(&view.sentence));
        }
    }
    out.push_str("<dl>");
    let dbm = |value: Option<f64>, unit: &str| value.map(|value| format!("{value} {unit}"));
    row(out, "RSRP", dbm(modem.signal.rsrp_dbm, "dBm"));
    row(out, "SINR", dbm(modem.signal.sinr_db, "dB"));
    let cell = modem.cell.as_ref();
    row(out, labels.band, cell.and_then(|cell| cell.band.clone()));
    row(out, labels.cell, cell.map(|cell| cell.id));
    row(out, labels.modem, modem.identity.model.clone());
    let last = modem
        .sim
        .iccid
        .as_deref()
        .map(|iccid| iccid.trim_start_matches('*'));
    row(out, labels.sim, last.map(|digits| format!("…{digits}")));
    age(out, labels, view.age_ms);
    end(out);
}

fn cabinet(out: &mut String, look: Look<'_>, labels: &Labels, series: &[SeriesView]) {
    begin(out, labels.cabinet, false, labels);
    let mut temperatures: Vec<&SeriesView> = series
        .iter()
        .filter(|view| view.unit.as_str() == "Cel" && view.value.is_some())
        .collect();
    // What a sensor of the cabinet says comes before what chips say of themselves.
    let is_chip = |view: &SeriesView| {
        view.series.source() == "modem" || view.series.name().starts_with("cpu")
    };
    temperatures.sort_by_key(|view| is_chip(view));
    if let Some(first) = temperatures.first() {
        let _ = write!(
            out,
            "<p class=\"big\" data-tile=\"{}\">{}</p>",
            escape(first.series.as_str()),
            reading(first)
        );
    } else {
        let _ = write!(
            out,
            "<p class=\"big\">{}</p>",
            labels.duration(look.now.mono_ms)
        );
    }
    out.push_str("<dl>");
    for view in temperatures.iter().take(TEMPERATURES) {
        tile_row(out, &temperature_label(view, labels), view);
    }
    let named = |name: &str| series.iter().find(|view| view.series.name() == name);
    if let Some(view) = named("load-1m") {
        tile_row(out, labels.load, view);
    }
    if let Some(view) = named("memory-used") {
        tile_row(out, labels.memory, view);
    }
    row(out, labels.uptime, Some(labels.duration(look.now.mono_ms)));
    end(out);
}

fn position(out: &mut String, look: Look<'_>, labels: &Labels) {
    let view = GnssView::new(look);
    begin(out, labels.position, view.stale, labels);
    let fix = &view.fix;
    match (fix.latitude_deg, fix.longitude_deg) {
        (Some(latitude), Some(longitude)) => {
            let old = if fix.mode == FixMode::None {
                " old"
            } else {
                ""
            };
            let _ = write!(
                out,
                "<p class=\"big coordinates{old}\">{latitude:.5}°<br>{longitude:.5}°</p>"
            );
        }
        _ if view.presence == Some(tm_types::GnssPresence::Present) => {
            let _ = write!(out, "<p class=\"mid\">{}</p>", labels.no_position);
        }
        _ => return quiet(out, &view.explained.sentence),
    }
    sky(out, &view.satellites);
    out.push_str("<dl>");
    let in_view = view.satellites.len();
    let used = fix
        .satellites_used
        .map(|used| format!("{used} / {in_view} · {}", Labels::fix(fix.mode)));
    row(out, labels.satellites, used);
    row(out, "HDOP", fix.hdop);
    row(
        out,
        labels.altitude,
        fix.altitude_m.map(|altitude| format!("{altitude:.0} m")),
    );
    age(out, labels, fix.age_ms);
    end(out);
}

fn queue(out: &mut String, look: Look<'_>, labels: &Labels) {
    let view = UplinkView::new(look);
    begin(out, labels.queue, view.stale, labels);
    let Some(state) = &view.state else {
        return quiet(out, &view.explained.sentence);
    };
    let journal = &state.journal;
    let _ = write!(
        out,
        "<p class=\"big\">{} <small>{}</small></p><progress max=\"{}\" value=\"{}\"></progress>\
         <p class=\"quiet\">{}</p><dl>",
        journal.points_pending,
        labels.waiting,
        journal.quota_bytes.max(1),
        journal.bytes_on_disk,
        escape(&view.explained.sentence)
    );
    let oldest = journal
        .oldest
        .map(|time| look.now.time.ms_since(time).max(0).unsigned_abs());
    row(out, labels.oldest, oldest.map(|ms| labels.duration(ms)));
    #[expect(clippy::cast_precision_loss, reason = "shown with one decimal")]
    let size = |count: u64| bytes(count as f64);
    html_row(
        out,
        labels.on_disk,
        &format!(
            "{} / {}",
            size(journal.bytes_on_disk),
            size(journal.quota_bytes)
        ),
    );
    row(
        out,
        labels.acked,
        state.ack_age_ms.map(|ms| labels.duration(ms)),
    );
    row(
        out,
        labels.lost,
        Some(journal.records_dropped.saturating_add(state.lost_on_bus)),
    );
    end(out);
}

fn clock(out: &mut String, look: Look<'_>, labels: &Labels) {
    begin(out, labels.clock, false, labels);
    let now = look.now;
    let text = utc(now.time);
    let (date, time) = text.split_once(' ').unwrap_or(("", &text));
    let _ = write!(
        out,
        "<p class=\"big\"><time data-now=\"{}\">{}</time> <small>UTC</small></p><p class=\"quiet\">{date}</p><dl>",
        now.time.unix_ms(),
        time.trim_end_matches(" UTC")
    );
    row(out, labels.source, Some(labels.clock_source(now.clock)));
    row(out, labels.error, now.err_ms.map(|ms| format!("± {ms} ms")));
    for (source, anchor) in &look.world.anchors {
        if anchor.boot == now.boot {
            row(
                out,
                source.as_str(),
                Some(format!("± {} ms", anchor.err_ms)),
            );
        }
    }
    end(out);
}

fn begin(out: &mut String, title: &str, is_stale: bool, labels: &Labels) {
    let stale = if is_stale {
        format!(" <small>{}</small>", labels.stale)
    } else {
        String::new()
    };
    let class = if is_stale { "tile stale" } else { "tile" };
    let _ = write!(out, "<article class=\"{class}\"><h2>{title}{stale}</h2>");
}

/// Ends a tile that has nothing but a sentence.
fn quiet(out: &mut String, sentence: &str) {
    let _ = write!(out, "<p class=\"quiet\">{}</p></article>", escape(sentence));
}

fn end(out: &mut String) {
    out.push_str("</dl></article>");
}

fn row(out: &mut String, name: &str, value: Option<impl Display>) {
    if let Some(value) = value {
        html_row(out, name, &escape(&value.to_string()));
    }
}

fn html_row(out: &mut String, name: &str, html: &str) {
    let _ = write!(out, "<div><dt>{}</dt><dd>{html}</dd></div>", escape(name));
}

/// A row that the script keeps current.
fn tile_row(out: &mut String, name: &str, view: &SeriesView) {
    let _ = write!(
        out,
        "<div><dt title=\"{series}\">{}</dt><dd data-tile=\"{series}\">{}</dd></div>",
        escape(name),
        reading(view),
        series = escape(view.series.as_str()),
    );
}

/// What a temperature is called on a tile that holds nothing else: its sensor, long numbers cut.
fn temperature_label(view: &SeriesView, labels: &Labels) -> String {
    let name = view.series.name();
    let sensor = name.strip_suffix("/temperature").unwrap_or(name);
    if view.series.source() == "modem" {
        return format!("{} {sensor}", labels.modem);
    }
    match sensor.split_once('-') {
        // A 1-Wire sensor: its family and twelve digits.
        Some((family, number)) if family.len() == 2 && number.len() == 12 && number.is_ascii() => {
            format!("{family}-…{}", &number[8..])
        }
        _ => sensor.to_owned(),
    }
}

fn age(out: &mut String, labels: &Labels, age_ms: Option<u64>) {
    if let Some(age_ms) = age_ms {
        let _ = write!(
            out,
            "<div><dt>{}</dt><dd data-age=\"{age_ms}\">{}</dd></div>",
            labels.age,
            labels.duration(age_ms)
        );
    }
}

/// Four bars by RSRP, the usual steps of telephones: -115, -105, -95, -85 dBm.
fn bars(signal: &Signal) -> String {
    let Some(rsrp) = signal.rsrp_dbm else {
        return String::new();
    };
    let mut out = "<svg class=\"bars\" viewBox=\"0 0 22 16\" aria-hidden=\"true\">".to_owned();
    for (bar, threshold) in (0..4).zip([-115.0, -105.0, -95.0, -85.0]) {
        let class = if rsrp >= threshold { "on" } else { "off" };
        let (x, height) = (bar * 6, 4 + bar * 4);
        let _ = write!(
            out,
            "<rect class=\"{class}\" x=\"{x}\" y=\"{}\" width=\"4\" height=\"{height}\" rx=\"1\"/>",
            16 - height
        );
    }
    out.push_str("</svg>");
    out
}

/// The sky from below: north up, the horizon outside, a dot for each satellite.
fn sky(out: &mut String, satellites: &[Satellite]) {
    if satellites.is_empty() {
        return;
    }
    out.push_str(
        "<svg class=\"sky\" viewBox=\"-52 -52 104 104\" aria-hidden=\"true\">\
         <circle r=\"48\"/><circle r=\"32\"/><circle r=\"16\"/><path d=\"M0-48V48M-48 0H48\"/>",
    );
    for satellite in satellites {
        let (Some(elevation), Some(azimuth)) = (satellite.elevation_deg, satellite.azimuth_deg)
        else {
            continue;
        };
        let distance = 48.0 * (90.0 - f64::from(elevation.clamp(0, 90))) / 90.0;
        let angle = f64::from(azimuth).to_radians();
        let class = if satellite.used { "used" } else { "seen" };
        let _ = write!(
            out,
            "<circle class=\"{class}\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"3.4\"/>",
            distance * angle.sin(),
            -distance * angle.cos()
        );
    }
    out.push_str("</svg>");
}
