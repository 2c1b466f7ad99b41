//! What an edge node is told at its start.

use std::time::Duration;

use tm_types::Source;

use crate::Id;

/// The least time between two births that were asked for: a host that asks for one after each
/// message it dislikes must not fill the link with births.
const REBIRTH_PAUSE: Duration = Duration::from_secs(5);
/// How long sent records wait for a question behind them. A question and its answer cost about
/// 100 bytes with TLS, and a dead link costs the repetition of at most this.
const FENCE_EVERY: Duration = Duration::from_secs(30);
/// How long a host may be gone before its server says so: one and a half times a keep-alive of 60 s.
const HOLD: Duration = Duration::from_secs(90);
/// How long a server is given to deliver the host's retained STATE.
const HOST_WAIT: Duration = Duration::from_secs(30);

/// The configuration of an [`EdgeNode`](crate::EdgeNode).
#[derive(Clone, Debug)]
pub struct Config {
    /// The group the node belongs to.
    pub group: Id,
    /// The node's own id, unique within the group.
    pub node: Id,
    /// The host without which nothing is sent; `None` sends to whoever listens.
    pub primary_host: Option<Id>,
    /// How many servers the caller knows, 1 or more: with several, one without the host is left.
    pub servers: u32,
    /// The source whose points are the node's own metrics (NDATA), not those of a device.
    pub home: Option<Source>,
    /// Constant texts, born as `Properties/<name>`: site, version, hardware.
    pub properties: Vec<(String, String)>,
    /// The least time between two births that were asked for. Default 5 s.
    pub rebirth_pause: Duration,
    /// How long sent records wait for a fence behind them. Default 30 s.
    pub fence_every: Duration,
    /// How long after it was sent a record may still come back, because the host may have been gone
    /// already: one and a half times the host's keep-alive. Only with a primary host. Default 90 s.
    pub hold: Duration,
    /// How long a server is given to tell of the host before the next is tried, where there are
    /// several. Default 30 s.
    pub host_wait: Duration,
    /// The most metrics that are kept, over all devices; points beyond are refused and counted.
    /// Default 4096.
    pub metrics_max: usize,
    /// The most records on their way; further ones come back at once. Default 4096.
    pub records_max: usize,
}

impl Config {
    /// A node without a primary host, with the defaults.
    pub fn new(group: Id, node: Id) -> Self {
        Self {
            group,
            node,
            primary_host: None,
            servers: 1,
            home: None,
            properties: Vec::new(),
            rebirth_pause: REBIRTH_PAUSE,
            fence_every: FENCE_EVERY,
            hold: HOLD,
            host_wait: HOST_WAIT,
            metrics_max: 4096,
            records_max: 4096,
        }
    }

    /// How long a record is held after it was sent.
    pub(crate) fn hold_ms(&self) -> u64 {
        if self.primary_host.is_some() {
            millis(self.hold)
        } else {
            0
        }
    }
}

/// A duration in whole milliseconds.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// That moment of the monotonic clock, so much later.
pub(crate) fn later(ms: u64, by: Duration) -> u64 {
    ms.saturating_add(millis(by))
}
