use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;

use super::tls::TlsOptions;
use super::wire::Wire;
use crate::config::Secret;

/// Delivery of a message.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Qos {
    /// Sent and forgotten; never acknowledged.
    AtMostOnce,
    /// Acknowledged by the broker, sent again by the owner until then.
    AtLeastOnce,
}

/// Where a broker is: `mqtt://host:port` or `mqtts://host:port`; ports default to 1883 and 8883.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Address {
    /// Name or IP address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Whether the connection is encrypted.
    pub tls: bool,
}

/// Why a text is not a broker's address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadAddress {
    /// Not `mqtt`, `mqtts` (or their other names `tcp`, `ssl`).
    #[error("the scheme is mqtt:// or mqtts://")]
    Scheme,
    /// Nothing between scheme and port.
    #[error("the host is missing")]
    Host,
    /// Not 1 to 65535.
    #[error("the port is 1 to 65535")]
    Port,
    /// User and password have variables of their own.
    #[error("user and password do not belong into the address")]
    Credentials,
}

impl std::str::FromStr for Address {
    type Err = BadAddress;

    /// A bare `host` or `host:port`, as other blocks give in `MQTT_ADDRESS`, means `mqtt://`.
    fn from_str(text: &str) -> Result<Self, BadAddress> {
        let text = text.trim().trim_end_matches('/');
        let (tls, rest) = match text.split_once("://") {
            Some(("mqtt" | "tcp", rest)) => (false, rest),
            Some(("mqtts" | "ssl" | "tls", rest)) => (true, rest),
            Some(_) => return Err(BadAddress::Scheme),
            None => (false, text),
        };
        if rest.contains('@') {
            return Err(BadAddress::Credentials);
        }
        let (host, port) = split_port(rest)?;
        if host.is_empty() || host.contains(['/', ' ', '[', ']']) {
            return Err(BadAddress::Host);
        }
        let default = if tls { 8883 } else { 1883 };
        let port = match port {
            None => default,
            Some(port) => match port.parse() {
                Ok(0) | Err(_) => return Err(BadAddress::Port),
                Ok(port) => port,
            },
        };
        Ok(Self {
            host: host.to_owned(),
            port,
            tls,
        })
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let scheme = if self.tls { "mqtts" } else { "mqtt" };
        let Self { host, port, .. } = self;
        if host.contains(':') {
            write!(f, "{scheme}://[{host}]:{port}")
        } else {
            write!(f, "{scheme}://{host}:{port}")
        }
    }
}

/// Host and port of `host`, `host:port`, `[v6]`, `[v6]:port` and a bare IPv6 address.
fn split_port(text: &str) -> Result<(&str, Option<&str>), BadAddress> {
    if let Some(rest) = text.strip_prefix('[') {
        let (host, tail) = rest.split_once(']').ok_or(BadAddress::Host)?;
        return match tail.strip_prefix(':') {
            Some(port) => Ok((host, Some(port))),
            None if tail.is_empty() => Ok((host, None)),
            None => Err(BadAddress::Port),
        };
    }
    match text.split_once(':') {
        Some((_, port)) if port.contains(':') => Ok((text, None)),
        Some((host, port)) => Ok((host, Some(port))),
        None => Ok((text, None)),
    }
}

/// The message the broker publishes when the connection breaks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Will {
    /// Its topic.
    pub topic: String,
    /// Its payload.
    pub payload: Bytes,
    /// Its delivery.
    pub qos: Qos,
    /// Whether the broker keeps it.
    pub retain: bool,
}

/// Waits between two attempts to connect.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BackOff {
    /// Before the second attempt.
    pub first: Duration,
    /// The longest.
    pub most: Duration,
    /// A connection that the broker closed earlier than this is another failure, and does not begin with the first wait
    /// again: two devices with one client id throw each other out as often as they connect.
    pub settled: Duration,
}

impl Default for BackOff {
    fn default() -> Self {
        Self {
            first: Duration::from_secs(1),
            most: Duration::from_mins(1),
            settled: Duration::ZERO,
        }
    }
}

/// QoS 0 messages that may wait for the wire; they are not worth more.
const QUEUE: usize = 256;

/// Everything about a session; start from [`Options::new`].
#[derive(Clone, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "settings that have nothing to do with each other"
)]
pub struct Options {
    /// Unique at the broker: equal ids throw each other out for ever.
    pub client_id: String,
    /// Where the broker is.
    pub address: Address,
    /// Another broker, tried in turn with the first one while that cannot be reached. From there the first one is tried
    /// again every six hours.
    pub fallback: Option<Address>,
    /// User and password.
    pub credentials: Option<(String, Secret)>,
    /// File whose first line is the password for the user of the `credentials`, read anew for every connection: a
    /// token that somebody renews. Without the file the password of the `credentials` counts.
    pub password_file: Option<PathBuf>,
    /// File whose first line is `user:password`, read anew for every connection when there are no
    /// `credentials`: it may be written after we start. Without the file we are anonymous.
    pub credentials_file: Option<PathBuf>,
    /// Whether the broker forgets the session when the connection ends.
    pub clean_session: bool,
    /// Pause after which a ping is due, whole seconds, at least one.
    pub keep_alive: Duration,
    /// Deadline for name, TCP, TLS and CONNACK together.
    pub connect_timeout: Duration,
    /// How long the broker may owe an acknowledgement before the link counts as dead.
    pub ack_timeout: Duration,
    /// What the broker says when the connection breaks.
    pub will: Option<Will>,
    /// Whether the owner gives each connection a will of its own ([`Attempt`](super::Attempt)); then `will` is not used.
    pub asks_for_will: bool,
    /// Filters subscribed to on every connection, ahead of anything that is fed.
    pub subscriptions: Vec<(String, Qos)>,
    /// Whether a broker that refuses the subscriptions is as good as none. Where not, the connection stands without them.
    pub needs_subscriptions: bool,
    /// Whether QoS 1 messages are acknowledged by the owner rather than on arrival.
    pub manual_acks: bool,
    /// The largest packet, in bytes, both ways; a larger one closes the connection.
    pub max_packet: usize,
    /// Messages of QoS 1 that may be on the way to the broker at once (1 to 65535).
    pub window: u16,
    /// Messages of QoS 0 that may wait for the wire.
    pub queue: usize,
    /// Certificates; used when the address says so.
    pub tls: TlsOptions,
    /// Waits between attempts.
    pub back_off: BackOff,
    /// Where the bytes on the wire are counted.
    pub wire: Wire,
}

impl Options {
    /// A clean session with our usual figures.
    pub fn new(client_id: impl Into<String>, address: Address) -> Self {
        Self {
            client_id: client_id.into(),
            address,
            fallback: None,
            credentials: None,
            password_file: None,
            credentials_file: None,
            clean_session: true,
            keep_alive: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(20),
            ack_timeout: Duration::from_secs(30),
            will: None,
            asks_for_will: false,
            subscriptions: Vec::new(),
            needs_subscriptions: true,
            manual_acks: false,
            max_packet: 256 * 1024,
            window: 100,
            queue: QUEUE,
            tls: TlsOptions::default(),
            back_off: BackOff::default(),
            wire: Wire::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_written() {
        for (text, expected) in [
            ("mqtt://broker", "mqtt://broker:1883"),
            ("mqtt://broker:1884/", "mqtt://broker:1884"),
            ("mqtts://broker", "mqtts://broker:8883"),
            ("ssl://broker:1", "mqtts://broker:1"),
            ("tcp://10.0.0.1:1883", "mqtt://10.0.0.1:1883"),
            ("broker", "mqtt://broker:1883"),
            (" broker:99 ", "mqtt://broker:99"),
            ("mqtt://[::1]:99", "mqtt://[::1]:99"),
            ("mqtts://[fd00::1]", "mqtts://[fd00::1]:8883"),
            ("fd00::1", "mqtt://[fd00::1]:1883"),
        ] {
            let address: Address = text.parse().unwrap();
            assert_eq!(address.to_string(), expected, "{text}");
            assert_eq!(expected.parse(), Ok(address));
        }
    }

    #[test]
    fn what_is_no_address_is_told_why() {
        for (text, expected) in [
            ("http://broker", BadAddress::Scheme),
            ("", BadAddress::Host),
            ("mqtt://:1883", BadAddress::Host),
            ("mqtt://a b", BadAddress::Host),
            ("mqtt://a/b", BadAddress::Host),
            ("mqtt://broker:0", BadAddress::Port),
            ("mqtt://broker:65536", BadAddress::Port),
            ("mqtt://broker:", BadAddress::Port),
            ("mqtt://[::1", BadAddress::Host),
            ("mqtt://[::1]x", BadAddress::Port),
            ("mqtt://me:secret@broker", BadAddress::Credentials),
        ] {
            assert_eq!(text.parse::<Address>(), Err(expected), "{text}");
        }
    }
}
