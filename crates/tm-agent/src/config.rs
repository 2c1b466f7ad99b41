use std::fmt;
use std::str::FromStr;

use tm_service::config::{Environment, Field, Report, Secret, Settings};

use crate::contacts::ContactList;

/// Where balenaOS tells a container its supervisor's address (label `io.balena.features.supervisor-api`).
const BALENA_ADDRESS: &str = "BALENA_SUPERVISOR_ADDRESS";
/// Where it tells the key.
const BALENA_KEY: &str = "BALENA_SUPERVISOR_API_KEY";

/// An address `http://host` or `http://host:port`, without a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpUrl {
    /// Name or address, an IPv6 address without its brackets.
    pub host: String,
    /// Port, 1 to 65535.
    pub port: u16,
}

/// A text is not an [`HttpUrl`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an address is written as http://host:port")]
pub struct NotHttpUrl;

impl FromStr for HttpUrl {
    type Err = NotHttpUrl;

    fn from_str(text: &str) -> Result<Self, NotHttpUrl> {
        let rest = text.trim().strip_prefix("http://").ok_or(NotHttpUrl)?;
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => {
                (host, port.parse().map_err(|_| NotHttpUrl)?)
            }
            _ => (authority, 80),
        };
        let bare = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'));
        let is_name = |host: &str| {
            let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
            !host.is_empty() && host.bytes().all(allowed)
        };
        let is_good = bare.map_or_else(
            || is_name(host),
            |v6| v6.parse::<std::net::Ipv6Addr>().is_ok(),
        );
        if !is_good || port == 0 {
            return Err(NotHttpUrl);
        }
        let host = bare.unwrap_or(host).to_owned();
        Ok(Self { host, port })
    }
}

impl fmt::Display for HttpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "http://[{}]:{}", self.host, self.port)
        } else {
            write!(f, "http://{}:{}", self.host, self.port)
        }
    }
}

tm_service::setting!(HttpUrl, "URL", "an address such as http://127.0.0.1:48484");

tm_service::settings! {
    /// `TM_AGENT_*`.
    pub struct AgentSettings {
        /// Address of the balena supervisor; without it `BALENA_SUPERVISOR_ADDRESS`, else there is none. Its key is `BALENA_SUPERVISOR_API_KEY`.
        pub supervisor_url: Option<HttpUrl> = None,
        /// Seconds between two questions to the supervisor (10 to 3600).
        pub supervisor_period_s: u32 [10..=3600] = 60,
        /// Reboots allowed within 24 hours (0 to 24).
        pub reboots_per_day: u32 [0..=24] = 3,
        /// Contacts that raise alarms: `sensors/meter/door-open=door,sensors/meter/mains-present=mains` (`docs/agent.md`).
        pub contacts: ContactList = "gnss/moved=moved",
    }
}

/// The supervisor and the right to ask it.
#[derive(Clone, Debug)]
pub struct SupervisorAccess {
    /// Where it listens.
    pub url: HttpUrl,
    /// Its key, for this application on this device.
    pub key: Secret,
}

/// The agent's settings, and what balenaOS adds to them.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// `TM_AGENT_*`.
    pub agent: AgentSettings,
    /// The supervisor; absent when not on balenaOS.
    pub supervisor: Option<SupervisorAccess>,
}

impl Settings for Config {
    const FIELDS: &'static [Field] = AgentSettings::FIELDS;

    fn load(prefix: &str, environment: &Environment, report: &mut Report) -> Self {
        let agent = AgentSettings::load(prefix, environment, report);
        let from_balena = || environment.get(BALENA_ADDRESS)?.parse().ok();
        let url = agent.supervisor_url.clone().or_else(from_balena);
        let key = environment.get(BALENA_KEY).unwrap_or_default();
        Self {
            supervisor: url.map(|url| SupervisorAccess {
                url,
                key: Secret::new(key),
            }),
            agent,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for (text, expected) in [
            ("http://127.0.0.1:48484", Some("http://127.0.0.1:48484")),
            ("http://supervisor", Some("http://supervisor:80")),
            ("http://[::1]:48484/", Some("http://[::1]:48484")),
            ("http://[::1]", Some("http://[::1]:80")),
            ("https://supervisor:1", None),
            ("127.0.0.1:48484", None),
            ("http://", None),
            ("http://:80", None),
            ("http://host:0", None),
            ("http://host:99999", None),
            ("http://user@host:1", None),
            ("http://host:1/path", None),
            ("http://[x]:1", None),
        ] {
            let got = text.parse::<HttpUrl>().map(|url| url.to_string()).ok();
            assert_eq!(got.as_deref(), expected, "{text}");
        }
    }

    fn supervisor_of(variables: &[(&str, &str)]) -> Option<String> {
        let environment = variables.iter().copied().collect();
        let config = Config::load("TM_AGENT_", &environment, &mut Report::new());
        assert!(
            !format!("{config:?}").contains("s3cret"),
            "a key is never shown"
        );
        let access = config.supervisor?;
        Some(format!("{} {}", access.url, access.key.expose()))
    }

    #[test]
    fn balena_tells_where_its_supervisor_is() {
        let (address, key) = (
            (BALENA_ADDRESS, "http://10.114.104.1:48484"),
            (BALENA_KEY, "s3cret"),
        );
        let own = ("TM_AGENT_SUPERVISOR_URL", "http://other:1");
        assert_eq!(supervisor_of(&[]), None);
        assert_eq!(supervisor_of(&[key]), None);
        assert_eq!(supervisor_of(&[(BALENA_ADDRESS, ""), key]), None);
        assert_eq!(supervisor_of(&[(BALENA_ADDRESS, "nonsense"), key]), None);
        assert_eq!(
            supervisor_of(&[address, key]).unwrap(),
            "http://10.114.104.1:48484 s3cret"
        );
        assert_eq!(
            supervisor_of(&[address, key, own]).unwrap(),
            "http://other:1 s3cret"
        );
        assert_eq!(supervisor_of(&[own]).unwrap(), "http://other:1 ");
    }
}
