use std::path::PathBuf;
use std::str::FromStr;

/// A path as a variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilePath(pub PathBuf);

impl FromStr for FilePath {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.into()))
    }
}

tm_service::setting!(FilePath, "path", "a path");

tm_service::settings! {
    /// `TM_SENSORS_*`, or the variables of whatever the instance is called.
    pub struct Config {
        /// Whether to measure the machine itself and its 1-Wire sensors: one instance on a device is enough.
        pub machine: bool = true,
        /// Seconds between two polls of the machine and of the 1-Wire sensors (1 to 86400).
        pub period_s: u32 [1..=86_400] = 30,
        /// Degrees Celsius a temperature must move before it is published; 0 publishes every poll.
        pub deadband_cel: f64 [0.0..=50.0] = 0.2,
        /// Seconds after which an unchanged value is published all the same; 0 publishes every poll of everything.
        pub heartbeat_s: u32 [0..=86_400] = 600,
        /// Modbus devices and rules of channels as a TOML document (`docs/sensors.md`). Empty: none, unless there is a file.
        pub modbus: Option<String> = None,
        /// File with that document, read when `TM_SENSORS_MODBUS` is empty, and again when it changes.
        pub modbus_file: Option<FilePath> = None,
        /// Contacts and pulse counters on GPIO lines as a TOML document (`docs/sensors.md`). Needs `/dev/gpiochip0`: the service `io`.
        pub gpio: Option<String> = None,
        /// Root of sysfs: thermal zones, supply, wear, 1-Wire, IIO and hwmon.
        pub sysfs_root: FilePath = "/sys",
        /// Root of procfs: load, memory, processor, uptime.
        pub procfs_root: FilePath = "/proc",
        /// Directory on the disk whose room is measured. Empty: the service's own data directory.
        pub disk: Option<FilePath> = None,
    }
}
