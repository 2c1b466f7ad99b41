//! Five tiles: link, cabinet, position, queue, clock.

use std::fmt::{Display, Write as _};

use tm_types::{FixMode, Modem, ModemPresence, Quality};

use super::figure::{bytes, class as figure_class, fixed, reading};
use super::names::short_device;
use super::pictures::{bars, full_steps, sky};
use super::{Page, escape};
use crate::labels::Labels;
use crate::views::{GnssView, ModemsView, SeriesView, UplinkView, month_bytes};

/// Characters of the operator's words where they hold no amount.
const BALANCE_MAX: usize = 40;
/// Temperatures on the cabinet's tile below the one that stands large.
const TEMPERATURES: usize = 3;

const LINK: &str = "<path d=\"M4 20v-4M9.3 20v-7M14.7 20V9M20 20V4\"/>";
const CABINET: &str =
    "<rect x=\"5\" y=\"3\" width=\"14\" height=\"18\" rx=\"1.5\"/><path d=\"M15 11v2\"/>";
const POSITION: &str = "<path d=\"M12 21s7-6.5 7-11.500a7 7 0 0 0-14 0C5 14.5 12 21 12 21z\"/><circle cx=\"12\" cy=\"9.5\" r=\"2.3\"/>";
const QUEUE: &str = "<path d=\"M4 7h16M4 12h16M4 17h10\"/>";
const CLOCK: &str = "<circle cx=\"12\" cy=\"12\" r=\"9\"/><path d=\"M12 7v5l3.3 2\"/>";

pub(super) fn all(out: &mut String, page: &Page<'_>) {
    out.push_str("<section class=\"tiles\">");
    link(out, page);
    cabinet(out, page);
    position(out, page);
    queue(out, page);
    clock(out, page);
    out.push_str("</section>");
}

fn link(out: &mut String, page: &Page<'_>) {
    let labels = page.labels;
    let modems = ModemsView::new(page.look, false);
    let is_stale = modems.stale && !modems.modems.is_empty();
    begin(out, LINK, labels.link, is_stale, labels);
    let Some(view) = modems.modems.first() else {
        return quiet(out, &modems.explained.sentence);
    };
    let modem = &view.modem;
    // Nobody asked for a modem: a sentence, and nothing that looks like a loss.
    if modem.presence == ModemPresence::NotConfigured {
        return quiet(out, &view.sentence);
    }
    let cell = modem.cell.as_ref();
    match &modem.registration.operator {
        Some(operator) => {
            let steps = full_steps(&modem.signal);
            let parts = [
                modem
                    .registration
                    .technology
                    .as_deref()
                    .map(str::to_uppercase),
                steps.map(|steps| labels.signal(steps.saturating_sub(1)).to_owned()),
            ];
            let parts: Vec<String> = parts.into_iter().flatten().collect();
            let _ = write!(
                out,
                "<p class=\"big\">{}{}</p><p class=\"sub\">{}</p>",
                steps.map_or_else(String::new, bars),
                escape(operator),
                escape(&parts.join(", "))
            );
        }
        None => {
            let _ = write!(out, "<p class=\"mid\">{}</p>", escape(&view.sentence));
        }
    }
    rows(out);
    let level = |value: Option<f64>, unit: &str| {
        value.map(|value| {
            format!(
                "{}\u{a0}{unit}",
                fixed(value, super::figure::decimals(value))
            )
        })
    };
    row(out, "RSRP", level(modem.signal.rsrp_dbm, "dBm"));
    row(out, "SINR", level(modem.signal.sinr_db, "dB"));
    row(
        out,
        labels.band,
        cell.and_then(|cell| cell.band.as_deref()).map(short_band),
    );
    row(out, labels.modem, modem.identity.model.clone());
    let last = modem
        .sim
        .iccid
        .as_deref()
        .map(|iccid| iccid.trim_start_matches('*'));
    row(out, labels.sim, last.map(|digits| format!("…{digits}")));
    let radio = modem.temperature_cel;
    row(out, labels.radio, radio.map(|c| format!("{c}\u{a0}°C")));
    contract(out, modem, labels);
    let recovery = modem.recovery.as_ref();
    row(
        out,
        labels.recovery,
        recovery.map(|recovery| labels.recovery_status(recovery.status)),
    );
    age(out, labels, view.age_ms);
    end(out);
}

/// What the contract has used up: data of the month, and money.
fn contract(out: &mut String, modem: &Modem, labels: &Labels) {
    #[expect(clippy::cast_precision_loss, reason = "shown with one decimal")]
    let size = |count: u64| bytes(count as f64);
    if let Some(usage) = &modem.usage {
        let mut used = size(month_bytes(usage));
        if let Some(limit) = usage.limit_mb {
            let _ = write!(used, " / {}", size(u64::from(limit) * 1_000_000));
        }
        html_row(out, labels.month_data, &used);
    }
    let balance = modem.balance.as_ref().map(|balance| {
        balance.amount.clone().unwrap_or_else(|| {
            let words: String = balance.text.chars().take(BALANCE_MAX).collect();
            words
        })
    });
    row(out, labels.balance, balance);
}

fn cabinet(out: &mut String, page: &Page<'_>) {
    let (labels, series) = (page.labels, page.series);
    begin(out, CABINET, labels.cabinet, false, labels);
    let mut temperatures: Vec<&SeriesView> = series
        .iter()
        .filter(|view| view.unit.as_str() == "Cel")
        .collect();
    // What a sensor of the cabinet says comes before what chips say of themselves, and what is
    // known before what is not.
    let is_chip = |view: &SeriesView| {
        view.series.source() == "modem" || view.series.name().starts_with("cpu")
    };
    temperatures.sort_by_key(|view| (view.quality == Quality::Bad, is_chip(view)));
    let uptime = labels.duration(page.look.now.mono_ms);
    let mut temperatures = temperatures.into_iter();
    let first = temperatures.next();
    if let Some(view) = first {
        let _ = write!(
            out,
            "<p class=\"big {}\" data-tile=\"{series}\">{}</p><p class=\"sub\" title=\"{series}\">{}</p>",
            figure_class(view),
            reading(view, labels),
            escape(&temperature_label(view, labels)),
            series = escape(view.series.as_str()),
        );
    } else {
        let _ = write!(
            out,
            "<p class=\"big\">{uptime}</p><p class=\"sub\">{}</p>",
            labels.uptime
        );
    }
    rows(out);
    for view in temperatures.take(TEMPERATURES) {
        tile_row(out, &temperature_label(view, labels), view, labels);
    }
    let named = |name: &str| series.iter().find(|view| view.series.name() == name);
    if let Some(view) = named("load-1m") {
        tile_row(out, labels.load, view, labels);
    }
    if let Some(view) = named("memory-used") {
        tile_row(out, labels.memory, view, labels);
    }
    if first.is_some() {
        row(out, labels.uptime, Some(uptime));
    }
    end(out);
}

fn position(out: &mut String, page: &Page<'_>) {
    let labels = page.labels;
    let view = GnssView::new(page.look);
    let is_stale = view.stale && view.presence.is_some();
    begin(out, POSITION, labels.position, is_stale, labels);
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
                "<p class=\"big coordinates{old}\">{}°<br>{}°</p>",
                fixed(latitude, 5),
                fixed(longitude, 5)
            );
        }
        _ if view.presence == Some(tm_types::GnssPresence::Present) => {
            let _ = write!(out, "<p class=\"mid\">{}</p>", labels.no_position);
        }
        _ => return quiet(out, &view.explained.sentence),
    }
    sky(out, &view.satellites);
    rows(out);
    let in_view = view.satellites.len();
    // Of an old position the number of then says nothing beside those in view now.
    let used = fix.satellites_used.filter(|_| fix.mode != FixMode::None);
    let used = used.map(|used| format!("{used} / {in_view} · {}", Labels::fix(fix.mode)));
    row(out, labels.satellites, used);
    row(out, "HDOP", fix.hdop);
    let altitude = fix
        .altitude_m
        .map(|altitude| format!("{}\u{a0}m", fixed(altitude, 0)));
    row(out, labels.altitude, altitude);
    age(out, labels, fix.age_ms);
    end(out);
}

fn queue(out: &mut String, page: &Page<'_>) {
    let labels = page.labels;
    let view = UplinkView::new(page.look);
    let is_stale = view.stale && view.state.is_some();
    begin(out, QUEUE, labels.queue, is_stale, labels);
    let Some(state) = &view.state else {
        return quiet(out, &view.explained.sentence);
    };
    let journal = &state.journal;
    let _ = write!(
        out,
        "<p class=\"big\">{}</p><p class=\"sub\">{}</p>\
         <progress max=\"{}\" value=\"{}\" aria-label=\"{}\"></progress>",
        journal.points_pending,
        labels.waiting(journal.points_pending),
        journal.quota_bytes.max(1),
        journal.bytes_on_disk,
        labels.on_disk,
    );
    rows(out);
    let oldest = journal
        .oldest
        .map(|time| page.look.now.time.ms_since(time).max(0).unsigned_abs());
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
    // Without a budget the modem's tile has the month of all traffic already.
    let month = &state.budget.month;
    if let Some(limit) = month.limit_bytes {
        let used = format!("{} / {}", size(month.used_bytes), size(limit));
        html_row(out, labels.month_data, &used);
    }
    // The way to the cloud in words: below, so that the heads of all tiles are of one height.
    let _ = write!(
        out,
        "</dl><p class=\"sub\">{}</p></div></article>",
        escape(&view.explained.sentence)
    );
}

fn clock(out: &mut String, page: &Page<'_>) {
    let (labels, now, zone) = (page.labels, page.look.now, page.zone);
    begin(out, CLOCK, labels.clock, false, labels);
    let _ = write!(
        out,
        "<p class=\"big\"><time data-now=\"{}\" data-ahead=\"{}\">{}</time></p><p class=\"sub\">{}, {}</p>",
        now.time.unix_ms(),
        zone.offset_s(now.time),
        zone.clock(now.time),
        zone.date(now.time, page.look.language),
        zone.name(now.time),
    );
    rows(out);
    row(out, labels.source, Some(labels.clock_source(now.clock)));
    row(
        out,
        labels.error,
        now.err_ms.map(|ms| format!("±\u{a0}{ms}\u{a0}ms")),
    );
    for anchor in page.look.world.anchors.values() {
        if anchor.boot == now.boot {
            let source = capitalised(labels.clock_source(anchor.source));
            row(
                out,
                &source,
                Some(format!("±\u{a0}{}\u{a0}ms", anchor.err_ms)),
            );
        }
    }
    end(out);
}

fn begin(out: &mut String, picture: &str, title: &str, is_stale: bool, labels: &Labels) {
    let stale = if is_stale {
        format!("<small>{}</small>", labels.stale)
    } else {
        String::new()
    };
    let class = if is_stale {
        "card tile stale"
    } else {
        "card tile"
    };
    let _ = write!(
        out,
        "<article class=\"{class}\"><h2><svg class=\"i\" viewBox=\"0 0 24 24\" aria-hidden=\"true\">{picture}</svg>{title}{stale}</h2><div>"
    );
}

/// Ends a tile that has nothing but a sentence.
fn quiet(out: &mut String, sentence: &str) {
    let _ = write!(
        out,
        "<p class=\"sub\">{}</p></div></article>",
        escape(sentence)
    );
}

/// What was written so far is the head of the tile; its rows follow.
fn rows(out: &mut String) {
    out.push_str("</div><div><dl>");
}

fn end(out: &mut String) {
    out.push_str("</dl></div></article>");
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
fn tile_row(out: &mut String, name: &str, view: &SeriesView, labels: &Labels) {
    let _ = write!(
        out,
        "<div><dt title=\"{series}\">{}</dt><dd class=\"{}\" data-tile=\"{series}\">{}</dd></div>",
        escape(name),
        figure_class(view),
        reading(view, labels),
        series = escape(view.series.as_str()),
    );
}

/// A word of the middle of a sentence at the beginning of a row.
fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    let first = letters.next().map(char::to_uppercase);
    first.into_iter().flatten().chain(letters).collect()
}

/// What a temperature is called on a tile that holds nothing else: its sensor.
fn temperature_label(view: &SeriesView, labels: &Labels) -> String {
    let name = view.series.name();
    let sensor = name.strip_suffix("/temperature").unwrap_or(name);
    match (view.series.source(), labels.quantity(sensor)) {
        ("modem", _) => format!("{} {sensor}", labels.modem),
        (_, Some(quantity)) => quantity.to_owned(),
        _ => short_device(sensor),
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

/// `EUTRAN-BAND3` as people say it.
fn short_band(band: &str) -> &str {
    band.strip_prefix("EUTRAN-BAND").unwrap_or(band)
}
