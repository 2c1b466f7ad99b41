//! Where log lines go: text for a person at a terminal, JSON for a machine.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::config::{LogFormat, LogSettings};

/// Starts logging to standard error for the whole process; the second call changes nothing.
///
/// A filter that cannot be read becomes `info`; the return value says whether it could.
pub fn start_log(settings: &LogSettings) -> bool {
    let filter = EnvFilter::try_new(&settings.level);
    let is_readable = filter.is_ok();
    let filter = filter.unwrap_or_else(|_| EnvFilter::new("info"));
    let is_text = match settings.format {
        LogFormat::Auto => std::io::stderr().is_terminal(),
        LogFormat::Text => true,
        LogFormat::Json => false,
    };
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    // A subscriber that is already there, as in a test, stays.
    let _ = if is_text {
        builder
            .with_ansi(std::io::stderr().is_terminal())
            .try_init()
    } else {
        builder.json().flatten_event(true).try_init()
    };
    is_readable
}
