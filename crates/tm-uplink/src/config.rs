//! `TM_UPLINK_*`.

use tm_service::config::Secret;

use crate::intervals::Intervals;
use crate::profile::Profile;
use crate::timetable::Timetable;
use crate::topic::TopicTemplate;

/// How measurements look on the wire (`docs/uplink.md`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Payload {
    /// Batches in columns, gzip: the fewest bytes.
    Columns,
    /// One readable object per poll: no decoder needed.
    Json,
    /// One readable object per point, each series on a topic of its own.
    Series,
    /// A Sparkplug B edge node (`docs/sparkplug.md`).
    Sparkplug,
}

impl std::str::FromStr for Payload {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "columns" => Ok(Self::Columns),
            "json" => Ok(Self::Json),
            "series" => Ok(Self::Series),
            "sparkplug" => Ok(Self::Sparkplug),
            _ => Err(()),
        }
    }
}

/// A group, node or host of Sparkplug: one level of a topic.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SparkplugId(pub(crate) tm_sparkplug::Id);

impl std::str::FromStr for SparkplugId {
    type Err = tm_sparkplug::BadId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

impl std::fmt::Display for SparkplugId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

tm_service::setting!(
    SparkplugId,
    "Sparkplug id",
    "1 to 128 bytes without +, / and #"
);
tm_service::setting!(Payload, "word", "columns, json, series or sparkplug");
tm_service::setting!(
    TopicTemplate,
    "topic template",
    "a topic with {class} and perhaps {site} and {device}, without + and #"
);

tm_service::setting!(
    Timetable,
    "timetable",
    "windows such as 22:00-06:00 thrifty; Mo-Fr 08:00-17:00 live"
);

tm_service::setting!(
    Intervals,
    "intervals",
    "patterns over source/series with seconds (1 to 86400) such as gnss/*=60; sensors/cpu-temperature=300"
);

tm_service::settings! {
    /// `TM_UPLINK_*`: where measurements are delivered, and how they are kept until then.
    pub struct Config {
        /// The cloud broker, `mqtt://host:port` or `mqtts://host:port`. Unset: measurements are kept on the device, the oldest give way.
        pub url: Option<String> = None,
        /// Another broker, with the same credentials, that is tried in turn with the first one while that cannot be reached. From there the first one is tried again every six hours.
        pub fallback_url: Option<String> = None,
        /// User name at the cloud broker.
        pub user: Option<String> = None,
        /// Password at the cloud broker.
        pub password: Option<Secret> = None,
        /// File whose first line is the password, read anew for every connection: a token that somebody renews.
        pub password_file: Option<String> = None,
        /// Client id at the cloud broker; without it `tm-` and the device's id.
        pub client_id: Option<String> = None,
        /// Authorities that the broker's certificate is checked against, as PEM text; line ends may be written as `\n`.
        pub ca: Option<Secret> = None,
        /// PEM file of the authorities that the broker's certificate is checked against; without it those of the web.
        pub ca_file: Option<String> = None,
        /// Our own certificate, for brokers that ask for one, as PEM text; line ends may be written as `\n`.
        pub client_certificate: Option<Secret> = None,
        /// The key of our own certificate, as PEM text; line ends may be written as `\n`.
        pub client_key: Option<Secret> = None,
        /// What is spoken above TLS (ALPN), for brokers that share port 443 with others, such as `x-amzn-mqtt-ca` or `mqtt`.
        pub alpn: Option<String> = None,
        /// PEM file of our own certificate, for brokers that ask for one.
        pub client_certificate_file: Option<String> = None,
        /// PEM file of the key of our own certificate.
        pub client_key_file: Option<String> = None,
        /// `columns` (batches, the fewest bytes), `json` (one readable object per poll), `series` (one per point, each series on a topic of its own) or `sparkplug` (Sparkplug B).
        pub payload: Payload = "columns",
        /// Whether batches in columns lean on a dictionary, which is announced once per connection and retained: a third fewer bytes. Without it each batch stands alone.
        pub dictionary: bool = true => false,
        /// Cloud topic over `{device}`, `{site}` and `{class}`; the class is `data`, `state`, `event`, `alarm`, `res` or `health`, and down to the device `cmd` and `cfg`.
        pub topic: TopicTemplate = "tm/{site}/{class}",
        /// Sparkplug's group.
        pub sparkplug_group: SparkplugId = "tm",
        /// The edge node's id within its group; without it the site code, or the device's id.
        pub sparkplug_node: Option<SparkplugId> = None,
        /// The primary host: nothing goes out while it is not there. Unset: none is waited for.
        pub sparkplug_host: Option<SparkplugId> = None,
        /// How often something goes out: `live` (every 5 s), `balanced` (every minute) or `thrifty` (every 15 minutes). Another one can be chosen while it runs.
        pub profile: Profile = "balanced",
        /// Seconds of live measurements in one batch (1 to 3600), instead of the profile's.
        pub batch_s: Option<u32> = None,
        /// Seconds between two reports of the services' states, when they have changed (0 to 86400; 0 sends none), instead of the profile's.
        pub state_s: Option<u32> = None,
        /// Other profiles at certain times of the week, in the zone of `TM_DEVICE_TIMEZONE`: `22:00-06:00 thrifty; Mo-Fr 08:00-17:00 live`. Of windows that overlap the later one counts; while the clock is not set, none does.
        pub schedule: Timetable = "",
        /// MiB a day that the cloud connection may cost in both directions, TLS and headers included; without it, or with 0, no limit.
        pub budget_day_mib: Option<u32> = None,
        /// MiB a billing month that the cloud connection may cost in both directions, TLS and headers included; without it, or with 0, no limit.
        pub budget_month_mib: Option<u32> = None,
        /// Day of the month on which the operator's billing month begins (1 to 28), as in `TM_MODEM_BILLING_DAY`.
        pub billing_day: u32 [1..=28] = 1,
        /// Whether gauges are thinned to windows of ten minutes while a budget does not last: measurements are left out then.
        pub budget_thin: bool = false,
        /// Seconds of which only the smallest, the largest and the last value of a series go out, by patterns over `source/series`: `gnss/*=60; sensors/cpu-temperature=300`. The first pattern that fits counts; a window is never longer than a batch.
        pub intervals: Intervals = "",
        /// Milliseconds after which what was taken from the bus is on flash (10 to 60000).
        pub commit_ms: u32 [10..=60_000] = 1000,
        /// MiB of flash that the journals may take; without it 15 % of what is free, at most 2048 (2 to 65536).
        pub quota_mib: Option<u32> = None,
        /// Directory of the journals within the service's data directory.
        pub directory: String = "journal",
        /// Whether the cloud may ask for operations and give configurations, on the classes `cmd` and `cfg`.
        pub commands: bool = true => false,
        /// Seconds between two echoes that show whether commands still arrive; 0 sends none (0 to 86400).
        pub commands_check_s: u32 [0..=86_400] = 3600,
        /// Seconds of silence after which the cloud connection is tested (10 to 3600).
        pub keep_alive_s: u32 [10..=3600] = 600,
    }
}

impl Config {
    /// The quota in bytes, if one is set.
    pub(crate) fn quota_bytes(&self) -> Option<u64> {
        self.quota_mib
            .map(|mib| u64::from(mib.clamp(2, 65_536)) << 20)
    }
}
