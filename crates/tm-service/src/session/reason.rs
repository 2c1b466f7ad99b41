use std::io;

use tm_types::{Cause, code};

/// Why there is no connection; equal reasons are told once.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DownReason {
    /// The name cannot be resolved.
    #[error("the name cannot be resolved")]
    Dns,
    /// Nothing listens, no route, unreachable: the system's words.
    #[error("{0}")]
    Unreachable(String),
    /// The broker answers, and refuses: bad credentials, bad client id, not authorised.
    #[error("{0}")]
    Rejected(&'static str),
    /// Certificates or handshake.
    #[error("{0}")]
    Tls(String),
    /// The certificate is not valid at the time our clock shows.
    #[error("the certificate is not valid at the time this clock shows")]
    TlsClockSuspect,
    /// Nothing came within the deadline: a half-open link or a mute broker.
    #[error("no answer in time")]
    Timeout,
    /// The broker closed the connection.
    #[error("the connection was closed")]
    Closed,
    /// A connection that is not all that was asked for is left for another try: the second broker, or no subscription.
    #[error("made anew, for a better one")]
    Returning,
    /// The other side does not speak MQTT as it should.
    #[error("not MQTT as expected: {0}")]
    Protocol(String),
}

impl DownReason {
    /// The cause for a service whose local broker is away.
    pub fn cause_for_bus(&self, address: &str) -> Cause {
        match self {
            Self::Rejected(_) => code::BUS_REFUSED.with("address", address),
            other => {
                let cause = code::BUS_UNREACHABLE.with("address", address);
                cause.and("error", other)
            }
        }
    }

    /// The cause for an uplink whose cloud broker is away.
    pub fn cause_for_uplink(&self, broker: &str) -> Cause {
        match self {
            Self::Dns => code::UPLINK_DNS_FAILED.with("broker", broker),
            Self::Rejected(words) => {
                let cause = code::UPLINK_REFUSED.with("broker", broker);
                cause.and("error", words)
            }
            Self::Tls(words) => {
                let cause = code::UPLINK_TLS_FAILED.with("broker", broker);
                cause.and("error", words)
            }
            Self::TlsClockSuspect => code::UPLINK_TLS_CLOCK_SUSPECT.with("broker", broker),
            other => {
                let cause = code::UPLINK_UNREACHABLE.with("broker", broker);
                cause.and("error", other)
            }
        }
    }

    /// The reason behind a failed read, write or connect.
    pub(super) fn of_io(error: &io::Error) -> Self {
        use io::ErrorKind as Kind;
        match error.kind() {
            Kind::TimedOut => Self::Timeout,
            Kind::UnexpectedEof
            | Kind::ConnectionReset
            | Kind::ConnectionAborted
            | Kind::BrokenPipe => Self::Closed,
            _ => Self::Unreachable(error.to_string()),
        }
    }
}
