//! The uplink: journals every measurement and delivers it to the cloud broker at least once.
//!
//! What comes from the bus is on flash before it is acknowledged, and leaves the journal only when the
//! cloud has acknowledged it. The promise and its windows are in `docs/uplink.md`.
//! Decisions are pure: [`tm_journal::Rules`] says what is committed and acknowledged, `schedule` what is sent and when.

mod config;
mod intervals;
mod profile;
mod timetable;
mod topic;

mod anchors;
mod budget;
mod outlet;
mod schedule;
mod states;

mod cloud;
mod downlink;
mod flapping;
mod ingest;
mod keeper;
mod parts;
mod sparkplug;

mod run;
mod uplink;

pub use config::{Config, Payload, SparkplugId};
pub use intervals::Intervals;
pub use profile::Profile;
pub use run::run;
pub use timetable::Timetable;
pub use topic::{BadTemplate, TopicTemplate};
