//! The on-device API: what the cabinet is, measures and did, for people, scripts and Prometheus.
//!
//! One task folds bus messages into a bounded `World`; handlers look at it. Peers outside the
//! allow-list get not one byte; writes need a token. The OpenAPI document comes from the handlers
//! and types themselves; `docs/api.md` tells the rest.

mod allow;
mod config;
mod token;

pub mod history;
mod world;

mod labels;
mod views;

mod app;
mod attempts;
mod error;
mod extract;
mod server;
mod span;

mod docs;
mod metrics;
mod openapi;
mod page;
mod routes;

mod run;

pub use allow::{AllowList, InvalidAllowList};
pub use config::Config;
pub use openapi::document;
pub use run::{run, run_on};
pub use token::{Scope, UnknownScope, derive_token};
