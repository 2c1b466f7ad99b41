//! What a host asks of the node.

use crate::payload::{Metric, WireValue};
use crate::write::REBIRTH;
use crate::{decode, decode::Error};

/// The largest command that is read, in bytes: a request for a birth has about 30.
const COMMAND_MAX: usize = 64 * 1024;

/// What an NCMD asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Command {
    /// A birth of everything.
    pub(crate) is_rebirth: bool,
    /// Metrics that mean nothing to us.
    pub(crate) ignored: u64,
}

/// Reads an NCMD.
pub(crate) fn read(payload: &[u8]) -> Result<Command, Error> {
    if payload.len() > COMMAND_MAX {
        return Err(Error::TooLarge(payload.len()));
    }
    let mut command = Command::default();
    for metric in &decode(payload)?.metrics {
        if is_rebirth(metric) {
            command.is_rebirth = true;
        } else {
            command.ignored += 1;
        }
    }
    Ok(command)
}

/// By name: the metric has no alias.
fn is_rebirth(metric: &Metric<'_>) -> bool {
    metric.name == Some(REBIRTH) && metric.value == Some(WireValue::Boolean(true))
}
