//! Which register map is in force: a kept revision, else what the variables say.
//!
//! A change is validated, kept on the disk and only then put in force; a bad one changes nothing.

mod change;
mod variables;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tm_types::{ActiveConfig, Cause, ConfigSource, PreviousConfig, Source, Timestamp, code};

use crate::modbus::{self, Map};

pub(crate) use change::{Asked, Change, Changed};
pub(crate) use variables::Variables;

/// The file of the store.
pub(crate) const FILE: &str = "register-map";
/// The longest document that a change may bring, in bytes. Every byte of a text may be escaped by a
/// second one on the bus, whose messages end at 128 KiB.
pub(crate) const DOCUMENT_MAX: usize = 60 * 1024;

/// What is kept across restarts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Kept {
    /// What counts.
    active: Choice,
    /// What counted before; `None` when nothing was ever changed.
    previous: Option<Choice>,
    /// Since when.
    since: Timestamp,
}

/// What the map is taken from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Choice {
    /// The variables.
    Variables,
    /// This document.
    Document(String),
}

impl Kept {
    /// A service that was never asked to change anything.
    pub(crate) fn nothing(now: Timestamp) -> Self {
        Self {
            active: Choice::Variables,
            previous: None,
            since: now,
        }
    }

    /// Whether the variables count.
    pub(crate) fn follows_variables(&self) -> bool {
        self.active == Choice::Variables
    }
}

/// The map that is read by.
#[derive(Debug, Clone)]
pub(crate) struct InForce {
    /// The document, as it was written.
    pub(crate) document: String,
    /// Where it comes from.
    pub(crate) source: ConfigSource,
    /// What it says.
    pub(crate) map: Map,
    /// Since when.
    pub(crate) since: Timestamp,
}

impl InForce {
    /// No map.
    pub(crate) fn nothing(since: Timestamp) -> Self {
        Self {
            document: String::new(),
            source: ConfigSource::None,
            map: Map::default(),
            since,
        }
    }

    /// Names the map.
    pub(crate) fn revision(&self) -> String {
        revision_of(&self.document)
    }

    /// How many registers are read.
    pub(crate) fn n_registers(&self) -> usize {
        self.map.devices.iter().map(|d| d.registers.len()).sum()
    }

    /// The event that tells of it.
    pub(crate) fn told(&self) -> Cause {
        code::SENSORS_MAP_ACTIVATED
            .with("revision", self.revision())
            .and("devices", self.map.devices.len())
            .and("registers", self.n_registers())
    }

    /// As it is published.
    pub(crate) fn view(&self, kept: &Kept) -> ActiveConfig {
        let fits = self.document.len() <= DOCUMENT_MAX;
        ActiveConfig {
            revision: self.revision(),
            source: self.source,
            since: self.since,
            document: fits.then(|| self.document.clone()),
            bytes: self.document.len() as u64,
            previous: kept.previous.as_ref().map(|choice| PreviousConfig {
                revision: match choice {
                    Choice::Variables => None,
                    Choice::Document(document) => Some(revision_of(document)),
                },
            }),
        }
    }
}

/// The first 64 bits of the document's SHA-256 in hexadecimal digits.
fn revision_of(document: &str) -> String {
    use std::fmt::Write as _;
    let digest = Sha256::digest(document);
    digest.iter().take(8).fold(String::new(), |mut text, byte| {
        // Writing to a String never fails.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// What is in force at the start, with what is wrong with it.
pub(crate) async fn at_start(
    kept: &Kept,
    variables: &Variables,
    source: &Source,
    now: Timestamp,
) -> (InForce, Option<Cause>) {
    if let Choice::Document(document) = &kept.active {
        match modbus::parse(document, source) {
            Ok(map) => {
                let in_force = InForce {
                    document: document.clone(),
                    source: ConfigSource::Revision,
                    map,
                    since: kept.since,
                };
                return (in_force, None);
            }
            // Of a newer version of this program: it counts again once that is back.
            Err(error) => {
                let finding = code::SENSORS_MAP_INVALID
                    .with("name", format_args!("revision {}", revision_of(document)))
                    .and("line", error.line)
                    .and("reason", error.reason);
                let (in_force, _) = of_variables(variables, source, now).await;
                return (in_force, Some(finding));
            }
        }
    }
    of_variables(variables, source, now).await
}

async fn of_variables(
    variables: &Variables,
    source: &Source,
    now: Timestamp,
) -> (InForce, Option<Cause>) {
    match variables.in_force(source, now).await {
        Ok(in_force) => (in_force, None),
        Err(finding) => (InForce::nothing(now), Some(finding)),
    }
}
