//! What every page has: head, the bar with who and in which language, the foot.

use std::fmt::Write as _;

use tm_types::text::Language;
use tm_types::{Device, Reason};

use super::escape;
use crate::labels::Labels;
use crate::views::Level;

/// Pictures for levels, told apart by shape as well as by colour.
const SYMBOLS: &str = "<svg hidden>\
    <symbol id=\"ok\" viewBox=\"0 0 24 24\"><circle cx=\"12\" cy=\"12\" r=\"10\"/><path d=\"m7.5 12.3 3.2 3.2 5.8-6.6\"/></symbol>\
    <symbol id=\"grey\" viewBox=\"0 0 24 24\"><circle cx=\"12\" cy=\"12\" r=\"10\"/><path d=\"M8 12h8\"/></symbol>\
    <symbol id=\"amber\" viewBox=\"0 0 24 24\"><path d=\"M12 3 2 20.5h20zM12 10v4.5M12 17.5v.1\"/></symbol>\
    <symbol id=\"red\" viewBox=\"0 0 24 24\"><path d=\"M8 2h8l6 6v8l-6 6H8l-6-6V8zM9 9l6 6M15 9l-6 6\"/></symbol></svg>";

/// A page to be.
#[derive(Clone, Copy)]
pub(super) struct Shell<'a> {
    pub(super) language: Language,
    pub(super) device: &'a Device,
    /// What the window is called.
    pub(super) title: &'a str,
    pub(super) level: Level,
    /// The address without language, such as `/chart?series=a/b`.
    pub(super) address: &'a str,
    /// Whether the page is kept current: by the script, without it by loading it again.
    pub(super) is_live: bool,
}

impl Shell<'_> {
    /// The whole document around a body.
    pub(super) fn around(&self, body: &str) -> String {
        let labels = Labels::of(self.language);
        let mut out = String::with_capacity(body.len() + 4096);
        let refresh = if self.is_live {
            "<noscript><meta http-equiv=\"refresh\" content=\"30\"></noscript>"
        } else {
            ""
        };
        // Writing to a string cannot fail, here and below.
        let _ = write!(
            out,
            "<!doctype html><html lang=\"{lang}\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
             <meta name=\"color-scheme\" content=\"light dark\"><title>{title}</title>\
             <link rel=\"icon\" href=\"/icon-{level}.svg\"><link rel=\"stylesheet\" href=\"/page.css\">\
             {refresh}<script src=\"/page.js\" defer></script></head>\
             <body data-units=\"{units}\" data-flags=\"{no},{yes}\" data-reasons=\"{reasons}\">{SYMBOLS}\
             <header class=\"bar\"><p class=\"who\"><a href=\"{home}\">{who}</a></p><nav>{languages}</nav></header>",
            lang = labels.lang,
            title = escape(self.title),
            level = class(self.level),
            units = labels.units.join(","),
            no = labels.no,
            yes = labels.yes,
            reasons = reasons(labels),
            home = escape(&in_language("/", labels)),
            who = who(self.device),
            languages = self.languages(),
        );
        out.push_str(body);
        let _ = write!(
            out,
            "<footer><span id=\"link\" data-live=\"{on}\" data-paused=\"{off}\"></span>\
             <nav><a href=\"/docs/\">API</a> <a href=\"{codes}\">{problems}</a> \
             <a href=\"/metrics\">Prometheus</a></nav></footer></body></html>",
            on = labels.live,
            off = labels.paused,
            codes = escape(&in_language("/docs/problems", labels)),
            problems = labels.problems,
        );
        out
    }

    /// The same page in every language.
    fn languages(&self) -> String {
        let mut links = String::new();
        for other in Language::ALL {
            let labels = Labels::of(other);
            let current = if other == self.language {
                " aria-current=\"true\""
            } else {
                ""
            };
            let _ = write!(
                links,
                "<a href=\"{}\" hreflang=\"{lang}\" lang=\"{lang}\"{current}>{}</a> ",
                escape(&in_language(self.address, labels)),
                labels.own_name,
                lang = labels.lang,
            );
        }
        links
    }
}

/// An address of ours that keeps the language.
pub(super) fn in_language(address: &str, labels: &Labels) -> String {
    let sign = if address.contains('?') { '&' } else { '?' };
    format!("{address}{sign}lang={}", labels.lang)
}

/// Site and name; the beginning of the id while it has neither. Markup.
fn who(device: &Device) -> String {
    match (device.site.as_deref(), device.name.as_deref()) {
        (Some(site), Some(name)) => format!("<b>{}</b> {}", escape(site), escape(name)),
        _ => format!("<b>{}</b>", escape(&short_who(device))),
    }
}

/// What a cabinet is called in few words.
pub(super) fn short_who(device: &Device) -> String {
    let named = device.site.as_deref().or(device.name.as_deref());
    named.map_or_else(|| device.id.chars().take(12).collect(), str::to_owned)
}

/// A picture for a level.
pub(super) fn icon(level: Level) -> String {
    let name = class(level);
    format!("<svg class=\"i\" aria-hidden=\"true\"><use href=\"#{name}\"/></svg>")
}

/// The name of a level in classes and addresses.
pub(super) fn class(level: Level) -> &'static str {
    match level {
        Level::Ok => "ok",
        Level::Grey => "grey",
        Level::Amber => "amber",
        Level::Red => "red",
    }
}

/// A level as a sign before the title of a window.
pub(super) fn sign(level: Level) -> char {
    match level {
        Level::Ok => '✓',
        Level::Grey => '–',
        Level::Amber => '!',
        Level::Red => '✕',
    }
}

/// Every reason with its words, for the script.
fn reasons(labels: &Labels) -> String {
    let all = Reason::ALL.iter();
    let pairs: Vec<String> = all
        .map(|reason| format!("{}={}", reason.as_str(), escape(labels.reason(*reason))))
        .collect();
    pairs.join("|")
}
