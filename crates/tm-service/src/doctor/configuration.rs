//! Variables that are unknown or malformed.

use super::{Check, Machine, own};

pub(super) fn checks(machine: &Machine) -> Vec<Check> {
    if machine.config_findings.is_empty() {
        return vec![Check::ok("configuration", own("configuration_well"))];
    }
    let findings = machine.config_findings.iter().cloned();
    findings
        .map(|cause| Check::warn("configuration", cause))
        .collect()
}
