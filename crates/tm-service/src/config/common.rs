use tm_types::Device;

use super::{Environment, List, Report, Secret, Settings};
use crate::settings;

/// How log lines look.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LogFormat {
    /// Text on a terminal, JSON otherwise.
    Auto,
    /// One line for people.
    Text,
    /// One JSON object per line.
    Json,
}

impl std::str::FromStr for LogFormat {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "auto" => Ok(Self::Auto),
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err(()),
        }
    }
}

crate::setting!(LogFormat, "word", "auto, text or json");

settings! {
    /// `TM_LOG_*`: what goes to the log.
    pub struct LogSettings {
        /// `error`, `warn`, `info`, `debug`, `trace`, or a filter such as `info,tm_modem=debug`.
        pub level: String = "info",
        /// `text`, `json`, or `auto`: text on a terminal, JSON otherwise.
        pub format: LogFormat = "auto",
    }
}

settings! {
    /// `TM_CONFIG_*`: how strictly variables are taken.
    pub struct ConfigSettings {
        /// Whether an unknown or malformed variable ends the service with exit code 64.
        pub strict: bool = false,
        /// Prefixes of further containers' variables that are none of our business: `TM_METER_ROOM_`.
        pub prefixes: List<String> = "",
    }
}

settings! {
    /// `TM_BUS_*`: the local broker.
    pub struct BusSettings {
        /// Address of the broker, `mqtt://host:port`; without it `MQTT_ADDRESS`, else `mqtt://mqtt:1883`.
        pub url: Option<String> = None,
        /// User name at the broker.
        pub user: Option<String> = None,
        /// Password at the broker.
        pub password: Option<Secret> = None,
        /// File with one line `user:password`, used when no user is set and the file exists.
        pub credentials_file: String = "/bus/credentials",
        /// KiB of messages kept while the broker is away (16 to 65536).
        pub outbox_kib: u32 [16..=65_536] = 512,
        /// Seconds that messages are kept while the broker is away (10 to 86400).
        pub outbox_s: u32 [10..=86_400] = 600,
        /// Seconds that measurements wait for the uplink's first subscription on this broker (0 to 600).
        pub uplink_wait_s: u32 [0..=600] = 60,
        /// Seconds between two health messages (1 to 300); silence for three periods counts as unknown.
        pub health_period_s: u32 [1..=300] = 30,
    }
}

/// The broker's address when nothing names one: a service of this name is what other blocks expect.
const DEFAULT_BUS: &str = "mqtt://mqtt:1883";

impl BusSettings {
    /// The address in force: `TM_BUS_URL`, else `MQTT_ADDRESS`, else `mqtt://mqtt:1883`.
    pub fn address(&self, environment: &Environment) -> String {
        let foreign = || environment.get("MQTT_ADDRESS");
        let address = self.url.as_deref().or_else(foreign);
        address.unwrap_or(DEFAULT_BUS).to_owned()
    }

    /// User and password from the variables; the credentials file is read by each connection anew.
    pub fn credentials(&self) -> Option<(String, Secret)> {
        let user = self.user.clone()?;
        let password = self.password.clone();
        Some((user, password.unwrap_or_else(|| Secret::new(""))))
    }
}

settings! {
    /// `TM_DEVICE_*`: who this cabinet is.
    pub struct DeviceSettings {
        /// Identity of the device; without it the balena UUID, else the host name.
        pub id: Option<String> = None,
        /// The owner's site code: what people see first.
        pub site: Option<String> = None,
        /// A name for people.
        pub name: Option<String> = None,
        /// IANA time zone of pages and billing periods.
        pub timezone: String = "Europe/Kyiv",
    }
}

impl DeviceSettings {
    /// The device these settings describe.
    pub fn device(&self, environment: &Environment) -> Device {
        let given = self.id.as_deref();
        let id = given
            .or_else(|| environment.get("BALENA_DEVICE_UUID"))
            .or_else(|| environment.get("HOSTNAME"));
        Device {
            id: id.unwrap_or("unknown").to_owned(),
            site: self.site.clone(),
            name: self.name.clone(),
            timezone: self.timezone.clone(),
        }
    }

    /// Loads `TM_DEVICE_*` and gives the device.
    pub fn load_device(environment: &Environment, report: &mut Report) -> Device {
        Self::load("TM_DEVICE_", environment, report).device(environment)
    }
}
