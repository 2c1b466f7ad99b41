//! What is looked at: the machine as it is, or as a test makes it.

use std::path::PathBuf;

use tm_types::Cause;

use super::Disk;
use crate::Clock;
use crate::config::{BusSettings, Environment, Secret};
use crate::port::PortUrl;
use crate::probe::Targets;

/// Everything global that the doctor looks at, handed in.
#[derive(Clone, Debug)]
pub struct Machine {
    /// The variables.
    pub environment: Environment,
    /// What loading the settings brought to light.
    pub config_findings: Vec<Cause>,
    /// `/sys`.
    pub sys: PathBuf,
    /// `/proc`.
    pub proc: PathBuf,
    /// The service's data directory.
    pub data: PathBuf,
    /// How full that directory's disk is; asked of the system when `None`.
    pub disk: Option<Disk>,
    /// The local broker, `mqtt://host:port`.
    pub bus_address: String,
    /// User and password there.
    pub bus_credentials: Option<(String, Secret)>,
    /// File with `user:password`, when no user is given.
    pub bus_credentials_file: Option<PathBuf>,
    /// The modem's AT port, for asking it itself instead of its service.
    pub port: Option<PortUrl>,
    /// Where the cloud broker is and with what to look; `None` without one, `Err` with why it is not valid.
    pub targets: Result<Option<Targets>, String>,
    /// Whether the network may be used at all.
    pub network: bool,
    /// The clock.
    pub clock: Clock,
    /// Identity of the device; only its last four characters are told.
    pub device: String,
    /// Version of the binary.
    pub version: &'static str,
}

impl Machine {
    /// This machine, with the variables of this process.
    pub fn here(environment: Environment, version: &'static str) -> Self {
        use crate::config::{DeviceSettings, Report, Settings};
        let mut report = Report::new();
        let bus = BusSettings::load("TM_BUS_", &environment, &mut report);
        let device = DeviceSettings::load_device(&environment, &mut report).id;
        let clock = Clock::system();
        let targets = super::network::targets(&environment, &clock);
        Self {
            config_findings: Vec::new(),
            sys: "/sys".into(),
            proc: "/proc".into(),
            data: environment.get("TM_DATA_DIR").unwrap_or("/data").into(),
            disk: None,
            bus_address: bus.address(&environment),
            bus_credentials: bus.credentials(),
            bus_credentials_file: Some(bus.credentials_file.into()),
            port: None,
            targets,
            network: true,
            clock,
            device,
            version,
            environment,
        }
    }
}
