use serde::Serialize;
use tm_types::{
    BudgetState, CommandsState, JournalState, LinkStatus, ProfileState, UplinkState, WireState,
};

use super::{Explained, Look, uplink_state};

/// How measurements get to the cloud.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct UplinkView {
    /// Everything the uplink tells; its fields are absent while it has not.
    #[serde(flatten)]
    pub(crate) state: Option<UplinkFields>,
    /// The situation in words.
    #[serde(flatten)]
    pub(crate) explained: Explained,
    /// Whether this may be outdated because the service does not report.
    pub(crate) stale: bool,
}

/// The uplink's state without its cause, which is told beside it.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct UplinkFields {
    /// How the cloud connection stands.
    pub(crate) link: LinkStatus,
    /// Host and port of the cloud broker, without credentials; null when not configured.
    broker: Option<String>,
    /// When the connection last came up or went down.
    since: Option<tm_types::Timestamp>,
    /// Age of the last acknowledgement from the cloud, in milliseconds; null before the first.
    pub(crate) ack_age_ms: Option<u64>,
    /// What waits on disk.
    pub(crate) journal: JournalState,
    /// Messages taken from the bus since start.
    messages_received: u64,
    /// Messages dropped as repeats since start.
    duplicates_dropped: u64,
    /// Messages that never arrived from the bus, seen as gaps, since start.
    pub(crate) lost_on_bus: u64,
    /// Messages passed over because they could not be read or were too large, since start.
    messages_unreadable: u64,
    /// Batches acknowledged by the cloud since start.
    batches_acked: u64,
    /// Payload bytes acknowledged by the cloud since start.
    bytes_acked: u64,
    /// What the cloud asks of the device.
    commands: CommandsState,
    /// How often something goes out.
    profile: ProfileState,
    /// What went over the cloud connection since start.
    wire: WireState,
    /// What the cloud connection costs, and what may still go out for it.
    pub(crate) budget: BudgetState,
}

/// What waits for the cloud.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct QueueView {
    /// What waits on disk; null while the uplink has not told.
    pub(crate) journal: Option<JournalState>,
    /// Milliseconds since the oldest waiting record was measured; null when nothing waits.
    pub(crate) oldest_age_ms: Option<u64>,
    /// Share of the room that is taken, percent.
    pub(crate) used_percent: Option<f64>,
    /// The situation in words.
    #[serde(flatten)]
    pub(crate) explained: Explained,
    /// Whether this may be outdated because the service does not report.
    pub(crate) stale: bool,
}

impl UplinkView {
    pub(crate) fn new(look: Look<'_>) -> Self {
        let found = look.state("uplink", uplink_state);
        Self {
            explained: look.explain(&found.cause(|state| state.cause.clone())),
            state: found.state.map(UplinkFields::from),
            stale: found.is_stale,
        }
    }
}

impl From<&UplinkState> for UplinkFields {
    fn from(state: &UplinkState) -> Self {
        Self {
            link: state.link,
            broker: state.broker.clone(),
            since: state.since,
            ack_age_ms: state.ack_age_ms,
            journal: state.journal.clone(),
            messages_received: state.messages_received,
            duplicates_dropped: state.duplicates_dropped,
            lost_on_bus: state.lost_on_bus,
            messages_unreadable: state.messages_unreadable,
            batches_acked: state.batches_acked,
            bytes_acked: state.bytes_acked,
            commands: state.commands,
            profile: state.profile.clone(),
            wire: state.wire,
            budget: state.budget.clone(),
        }
    }
}

impl QueueView {
    pub(crate) fn new(look: Look<'_>) -> Self {
        let uplink = UplinkView::new(look);
        let journal = uplink.state.map(|state| state.journal);
        let oldest = journal.as_ref().and_then(|journal| journal.oldest);
        Self {
            oldest_age_ms: oldest.map(|time| look.now.time.ms_since(time).max(0).unsigned_abs()),
            used_percent: journal.as_ref().and_then(used_percent),
            journal,
            explained: uplink.explained,
            stale: uplink.stale,
        }
    }
}

fn used_percent(journal: &JournalState) -> Option<f64> {
    #[expect(
        clippy::cast_precision_loss,
        reason = "a share, shown with one decimal"
    )]
    let share = journal.bytes_on_disk as f64 / journal.quota_bytes as f64;
    (journal.quota_bytes > 0).then(|| (share * 1000.0).round() / 10.0)
}
