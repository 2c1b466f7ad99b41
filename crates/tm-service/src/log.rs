//! Where log lines go: text for a person at a terminal, JSON for a machine.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::config::{LogFormat, LogSettings};

/// Starts logging to standard error for the whole process; the second call changes nothing.
///
/// A level that is no filter becomes `info`.
pub fn start_log(settings: &LogSettings) {
    let filter = EnvFilter::try_new(&settings.level).unwrap_or_else(|_| EnvFilter::new("info"));
    let is_terminal = std::io::stderr().is_terminal();
    let is_text = match settings.format {
        LogFormat::Auto => is_terminal,
        LogFormat::Text => true,
        LogFormat::Json => false,
    };
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    // A subscriber that is already there, as in a test, stays.
    let _ = if is_text {
        builder.with_ansi(is_terminal).try_init()
    } else {
        builder.json().flatten_event(true).try_init()
    };
}

/// Whether a text is a level or a filter.
pub(crate) fn is_log_filter(text: &str) -> bool {
    EnvFilter::try_new(text).is_ok()
}
