//! Where log lines go: text for a person at a terminal, JSON for a machine.

use std::io::IsTerminal;

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer as _, fmt};

use crate::config::{LogFormat, LogSettings};

/// Starts logging to standard error for the whole process; the second call changes nothing.
///
/// A level that is no filter becomes `info`.
pub fn start_log(settings: &LogSettings) {
    let filter = filter(&settings.level).unwrap_or_else(|| Targets::new().with_default(USUAL));
    let is_terminal = std::io::stderr().is_terminal();
    let is_text = match settings.format {
        LogFormat::Auto => is_terminal,
        LogFormat::Text => true,
        LogFormat::Json => false,
    };
    let layer = fmt::layer().with_writer(std::io::stderr);
    let layer = if is_text {
        layer.with_ansi(is_terminal).boxed()
    } else {
        layer.json().flatten_event(true).boxed()
    };
    // A subscriber that is already there, as in a test, stays.
    let _ = tracing_subscriber::registry()
        .with(layer.with_filter(filter))
        .try_init();
}

/// What is logged unless somebody says otherwise.
const USUAL: LevelFilter = LevelFilter::INFO;

/// Levels by target, such as `info,tm_modem=debug`; nothing for a text that is none.
///
/// Not the filter of the environment, which also takes patterns over fields, and with them a tenth of a megabyte of
/// regular expressions into every image.
pub fn filter(text: &str) -> Option<Targets> {
    // Neither an empty part nor a bare word that is no level means anything: nobody has such a target.
    let is_part = |part: &str| match part.split_once('=') {
        Some((target, level)) => {
            !target.is_empty() && !level.is_empty() && level.parse::<LevelFilter>().is_ok()
        }
        None => !part.is_empty() && part.parse::<LevelFilter>().is_ok(),
    };
    let is_filter = !text.is_empty() && text.split(',').all(is_part);
    is_filter.then(|| text.parse().ok()).flatten()
}

/// Whether a text is a level or a filter.
pub(crate) fn is_log_filter(text: &str) -> bool {
    filter(text).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_by_target() {
        for text in [
            "info",
            "WARN",
            "info,tm_modem=debug",
            "off,tm_modem::run=trace",
        ] {
            assert!(is_log_filter(text), "{text}");
        }
        for text in [
            "",
            "loud",
            "info,,debug",
            "info,tm_modem=loud",
            "info,tm_modem",
        ] {
            assert!(!is_log_filter(text), "{text}");
        }
    }
}
