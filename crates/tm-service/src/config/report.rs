use std::collections::BTreeSet;

use tm_types::{Cause, code};

use super::{Environment, Field};

/// Prefixes of the product's services: their variables reach every container of a fleet.
const KNOWN_PREFIXES: [&str; 11] = [
    "TM_LOG_",
    "TM_BUS_",
    "TM_DEVICE_",
    "TM_CONFIG_",
    "TM_MODEM_",
    "TM_GNSS_",
    "TM_SENSORS_",
    "TM_IO_",
    "TM_UPLINK_",
    "TM_API_",
    "TM_AGENT_",
];

/// Variables that belong to no prefix.
const KNOWN_NAMES: [&str; 2] = ["TM_INSTANCE", "TM_DATA_DIR"];

/// Where a value in force comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Origin {
    /// The variable is unset or empty.
    Default,
    /// The variable.
    Environment,
    /// The variable is malformed: its default, or the closed value of a security setting.
    Fallback,
}

impl Origin {
    /// The word for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Environment => "environment",
            Self::Fallback => "fallback",
        }
    }
}

/// One value in force.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Effective {
    /// The full name of its variable.
    pub variable: String,
    /// The value; `***` for a secret that is set.
    pub value: String,
    /// Where it comes from.
    pub origin: Origin,
}

/// What loading the settings brought to light.
#[derive(Clone, Default, Debug)]
pub struct Report {
    findings: Vec<Cause>,
    effective: Vec<Effective>,
    prefixes: BTreeSet<String>,
}

impl Report {
    /// An empty report.
    pub fn new() -> Self {
        Self::default()
    }

    /// Everything that is wrong, as codes with arguments; never a value.
    pub fn findings(&self) -> &[Cause] {
        &self.findings
    }

    /// Every value in force, in the order of loading.
    pub fn effective(&self) -> &[Effective] {
        &self.effective
    }

    /// Looks for `TM_` variables that nothing has read, after all settings are loaded.
    ///
    /// A name with another service's prefix is that service's business; `further_prefixes` adds
    /// those of instances this version does not know, such as `TM_METER_ROOM_`.
    pub fn check_unknown(&mut self, environment: &Environment, further_prefixes: &[String]) {
        for name in environment.names().filter(|name| name.starts_with("TM_")) {
            let known = self.effective.iter().any(|e| e.variable == name);
            if known || KNOWN_NAMES.contains(&name) || self.is_foreign(name, further_prefixes) {
                continue;
            }
            let nearest = self.nearest(name);
            let cause = code::CONFIG_UNKNOWN_VARIABLE.with("name", name);
            self.findings.push(cause.and("nearest", nearest));
        }
    }

    pub(super) fn note_prefix(&mut self, prefix: &str) {
        self.prefixes.insert(prefix.to_owned());
    }

    pub(super) fn note(&mut self, field: &Field, variable: &str, value: String, origin: Origin) {
        let value = if field.secret && !value.is_empty() {
            "***".to_owned()
        } else {
            value
        };
        self.effective.push(Effective {
            variable: variable.to_owned(),
            value,
            origin,
        });
    }

    /// Notes that a variable is malformed in a way its type could not see.
    pub fn note_malformed(&mut self, variable: &str, expected: &str) {
        let cause = code::CONFIG_MALFORMED_VALUE.with("name", variable);
        self.findings.push(cause.and("expected", expected));
    }

    fn is_foreign(&self, name: &str, further_prefixes: &[String]) -> bool {
        let own = self.prefixes.iter().any(|prefix| name.starts_with(prefix));
        let mut known = KNOWN_PREFIXES
            .into_iter()
            .chain(further_prefixes.iter().map(String::as_str));
        !own && known.any(|prefix| name.starts_with(prefix))
    }

    fn nearest(&self, name: &str) -> &str {
        let names = self.effective.iter().map(|e| e.variable.as_str());
        names
            .chain(KNOWN_NAMES)
            .min_by_key(|known| strsim::damerau_levenshtein(known, name))
            .expect("KNOWN_NAMES is not empty")
    }
}
