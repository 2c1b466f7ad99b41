use serde::Serialize;
use tm_types::{Anchor, Clock, Device, Stamp, Supervisor};

use super::{Look, ServiceView, agent_state, status};

/// The machine and the software on it.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct SystemView {
    /// Who this cabinet is.
    pub(crate) device: Device,
    /// Version of this software.
    pub(crate) version: String,
    /// Milliseconds since the machine started.
    pub(crate) uptime_ms: u64,
    /// What the balena supervisor says; null when not on balenaOS or not told yet.
    pub(crate) supervisor: Option<Supervisor>,
    /// Every service heard of.
    pub(crate) services: Vec<ServiceView>,
    /// Whether the local broker is connected.
    pub(crate) bus_connected: bool,
    /// Points in the history.
    pub(crate) history_points: usize,
}

/// What time it is, and how well that is known.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct TimeView {
    /// Now, by the host's clocks.
    pub(crate) now: Stamp,
    /// Whether the wall clock was set by something outside this machine.
    pub(crate) is_trusted: bool,
    /// What others say the time is.
    pub(crate) anchors: Vec<AnchorView>,
}

/// A moment known by both clocks.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct AnchorView {
    /// Who published it.
    pub(crate) from: String,
    /// The anchor.
    #[serde(flatten)]
    pub(crate) anchor: Anchor,
    /// How far the host's wall clock is ahead of it, in milliseconds; null for another boot's.
    pub(crate) offset_ms: Option<i64>,
}

impl SystemView {
    pub(crate) fn new(look: Look<'_>, device: &Device, version: &str) -> Self {
        let agent = look.state("agent", agent_state);
        Self {
            device: device.clone(),
            version: version.to_owned(),
            uptime_ms: look.now.mono_ms,
            supervisor: agent.state.and_then(|state| state.supervisor.clone()),
            services: status::services(look),
            bus_connected: look.world.is_connected,
            history_points: look.world.history.len(),
        }
    }
}

impl TimeView {
    pub(crate) fn new(look: Look<'_>) -> Self {
        let anchors = look
            .world
            .anchors
            .iter()
            .map(|(source, anchor)| AnchorView {
                from: source.to_string(),
                anchor: *anchor,
                offset_ms: offset_ms(&look.now, anchor),
            });
        Self {
            now: look.now,
            is_trusted: Clock::is_trusted(look.now.clock),
            anchors: anchors.collect(),
        }
    }
}

fn offset_ms(now: &Stamp, anchor: &Anchor) -> Option<i64> {
    if now.boot != anchor.boot {
        return None;
    }
    let since = i64::try_from(i128::from(now.mono_ms) - i128::from(anchor.mono_ms)).ok()?;
    Some(now.time.ms_since(anchor.utc.plus_ms(since)))
}
