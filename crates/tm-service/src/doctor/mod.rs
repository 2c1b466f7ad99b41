//! The doctor: looks at the whole cabinet from inside a container, and names causes and remedies.
//!
//! Every service's binary offers it as `/tm doctor`, and `tm doctor` is the same. It changes nothing, needs no
//! privilege, skips what it may not see and says why. `docs/doctor.md` is its manual.

mod bus;
mod clock;
mod command;
mod configuration;
mod diagnosis;
mod disk;
mod machine;
mod manager;
mod modem;
mod network;
mod power;
mod report;
mod serial;
mod texts;
mod usb;

pub(crate) use command::from_command_line;
pub use command::{Options, USAGE, Unusable, doctor};
pub use diagnosis::{Check, Diagnosis, Status};
pub use disk::Disk;
pub use machine::Machine;
pub use report::{json, text};

use tm_types::Cause;

/// Every check, in the order of telling. The words are those of the machine form.
pub const CHECKS: [&str; 20] = [
    "configuration",
    "usb",
    "ports",
    "power",
    "temperature",
    "one_wire",
    "manager",
    "bus",
    "modem",
    "sim",
    "registration",
    "access_point",
    "route",
    "names",
    "portal",
    "broker",
    "tls",
    "uplink",
    "clock",
    "disk",
];

/// Looks at everything. Always ends: each look has its deadline.
pub async fn examine(machine: &Machine) -> Diagnosis {
    let mut checks = configuration::checks(machine);
    checks.extend(usb::checks(machine));
    checks.extend(power::checks(machine));
    checks.push(manager::check(machine).await);
    let heard = bus::listen(machine).await;
    checks.push(heard.check.clone());
    checks.extend(match &machine.port {
        Some(url) => serial::checks(machine, url).await,
        None => modem::checks(machine, &heard),
    });
    let (network, findings, cause) = network::checks(machine).await;
    checks.extend(network);
    checks.push(network::uplink(&heard));
    checks.push(clock::check(machine));
    checks.push(disk::check(machine));
    Diagnosis {
        version: machine.version.to_owned(),
        device: diagnosis::masked(&machine.device),
        stamp: machine.clock.stamp(),
        checks,
        verdict: cause,
        findings,
    }
}

/// A cause of the doctor's own; its texts are in `texts/`.
fn own(name: &str) -> Cause {
    Cause {
        code: format!("doctor.{name}"),
        args: std::collections::BTreeMap::new(),
    }
}
