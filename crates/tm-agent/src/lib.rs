//! The device agent: what the cabinet decides for itself.
//!
//! [`run`] rolls the health of every service up into one state, raises and clears alarms about
//! services and contacts (nobody else does), reports what the balena supervisor says where there is
//! one, and reboots the machine through it when asked. The decisions are plain functions of what was heard and the time.

mod config;
mod service;

mod alarms;
mod contacts;
mod reboot;
mod rollup;
mod supervisor;

pub use config::{AgentSettings, Config, HttpUrl, SupervisorAccess};
pub use contacts::{Contact, ContactList, Meaning, NotContacts};
pub use service::run;
