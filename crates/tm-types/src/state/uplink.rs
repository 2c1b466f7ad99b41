use serde::{Deserialize, Serialize};

use crate::{Cause, Timestamp};

/// The state on `tm/v1/state/uplink`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UplinkState {
    /// How the cloud connection stands.
    pub link: LinkStatus,
    /// The present situation as one code, such as `uplink.unreachable`.
    pub cause: Cause,
    /// Host and port of the cloud broker, without credentials; null when not configured.
    pub broker: Option<String>,
    /// When the connection last came up or went down.
    pub since: Option<Timestamp>,
    /// Age of the last acknowledgement from the cloud, in milliseconds; null before the first.
    pub ack_age_ms: Option<u64>,
    /// What waits on disk.
    pub journal: JournalState,
    /// Messages taken from the bus since start.
    pub messages_received: u64,
    /// Messages dropped as repeats since start.
    pub duplicates_dropped: u64,
    /// Messages that never arrived from the bus, seen as gaps, since start.
    pub lost_on_bus: u64,
    /// Messages passed over because they could not be read or were too large, since start.
    pub messages_unreadable: u64,
    /// Batches acknowledged by the cloud since start.
    pub batches_acked: u64,
    /// Payload bytes acknowledged by the cloud since start.
    pub bytes_acked: u64,
    /// What the cloud asks of the device.
    #[serde(default)]
    pub commands: CommandsState,
    /// How often something goes out.
    #[serde(default)]
    pub profile: ProfileState,
    /// What went over the cloud connection since start.
    #[serde(default)]
    pub wire: WireState,
    /// What the cloud connection costs, and what may still go out for it.
    #[serde(default)]
    pub budget: BudgetState,
}

/// What went over the cloud connection: TLS and MQTT, without the headers of TCP and IP.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WireState {
    /// Bytes to the broker.
    pub sent_bytes: u64,
    /// Bytes from the broker.
    pub received_bytes: u64,
    /// TCP connections that were made.
    pub connections: u64,
}

/// How often something goes out.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ProfileState {
    /// `live`, `balanced` or `thrifty`.
    pub name: String,
    /// Whether it was chosen by an operation, instead of the configured one.
    pub is_chosen: bool,
    /// Why it is this one.
    #[serde(default)]
    pub reason: ProfileReason,
    /// Seconds of live measurements in one batch.
    pub batch_s: u32,
    /// Seconds until the configured one is back; null when it stays.
    pub ends_in_s: Option<u64>,
}

/// Why a profile is in force; what stands later here goes before what stands earlier.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ProfileReason {
    /// It is the configured one.
    #[default]
    Configured,
    /// The schedule says so at this time of the day.
    Schedule,
    /// An operation has chosen it.
    Chosen,
    /// A budget does not last.
    Budget,
}

/// What the cloud connection costs, headers of TCP and IP included as they are reckoned.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BudgetState {
    /// What may go out for what was used.
    pub step: BudgetStep,
    /// The present day, from midnight in the cabinet's time zone.
    pub day: BudgetPeriod,
    /// The present billing month.
    pub month: BudgetPeriod,
    /// Hours until the journal is full if nothing goes out, at the rate of the last hour; null while that is not known.
    pub room_hours: Option<u64>,
    /// Points left out because of an interval, since start.
    pub points_thinned: u64,
}

/// A day or a month, and its budget.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BudgetPeriod {
    /// Bytes used, both directions together.
    pub used_bytes: u64,
    /// Bytes that may be used; null without a budget.
    pub limit_bytes: Option<u64>,
    /// Bytes at its end if it goes on like this; null while the clock is not set.
    pub forecast_bytes: Option<u64>,
    /// Hours that the rest of the budget lasts at this pace; null without one or while nothing is used.
    pub lasts_hours: Option<u64>,
    /// When it ends; null until the clock was set once.
    pub ends: Option<Timestamp>,
}

/// What may go out for what was used. Alarms, events, results and health always may.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize,
)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum BudgetStep {
    /// Everything.
    #[default]
    Free,
    /// Live measurements; states and backlog wait.
    Lean,
    /// Live measurements, collected for a quarter of an hour; states and backlog wait.
    Thrifty,
    /// No measurements: they wait for the next period.
    Spent,
}

/// How commands from the cloud stand.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CommandsState {
    /// Whether they arrive.
    pub status: CommandsStatus,
    /// When the last one came; null before the first since start.
    pub heard: Option<Timestamp>,
    /// Passed on to services, since start.
    pub taken: u64,
    /// Refused because they were malformed, late, retained or too many, since start.
    pub refused: u64,
}

/// Whether what the cloud sends arrives.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum CommandsStatus {
    /// Not asked for, or never connected.
    #[default]
    Off,
    /// The broker has confirmed the subscription.
    Subscribed,
    /// Something has arrived.
    Alive,
    /// An echo did not arrive, and never did: perhaps the broker lets nobody send to himself.
    Unproven,
    /// An echo did not arrive although earlier ones did.
    Dead,
    /// The broker refuses the subscription.
    Forbidden,
}

/// How a connection stands.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum LinkStatus {
    /// Nobody asked for one.
    NotConfigured,
    /// Being made.
    Connecting,
    /// Up.
    Connected,
    /// Cannot be made, see the cause.
    Failed,
}

/// What waits in the journals, both classes together.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct JournalState {
    /// Records not acknowledged by the cloud.
    pub records_pending: u64,
    /// Points in them.
    pub points_pending: u64,
    /// Bytes on disk.
    pub bytes_on_disk: u64,
    /// The most bytes it may take.
    pub quota_bytes: u64,
    /// Wall time of the oldest pending record; null when nothing waits.
    pub oldest: Option<Timestamp>,
    /// Records dropped for room, since the journal was made.
    pub records_dropped: u64,
    /// Damaged records passed over, since start.
    pub records_damaged: u64,
}
