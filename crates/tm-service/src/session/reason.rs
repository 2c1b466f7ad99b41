use std::io;

use tm_types::{Cause, Code, code};

/// Why there is no connection; equal reasons are told once.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DownReason {
    /// The name cannot be resolved.
    #[error("the name cannot be resolved")]
    Dns,
    /// Nothing listens, no route, unreachable: the system's words.
    #[error("{0}")]
    Unreachable(String),
    /// The broker answers, and refuses.
    #[error(transparent)]
    Rejected(#[from] Refusal),
    /// Certificates or handshake.
    #[error("{0}")]
    Tls(String),
    /// The certificate was issued by nobody whom we trust.
    #[error("the certificate was issued by nobody who is trusted here")]
    TlsForeign,
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

/// What a broker refuses: the first five are the return codes 1 to 5 of CONNACK (MQTT 3.1.1, table 3.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refusal {
    /// 1, unacceptable protocol version.
    #[error("the broker does not speak MQTT 3.1.1")]
    Protocol,
    /// 2, identifier rejected.
    #[error("the client id is refused")]
    ClientId,
    /// 3, server unavailable.
    #[error("the broker is not available")]
    Unavailable,
    /// 4, bad user name or password.
    #[error("user name or password is wrong")]
    Credentials,
    /// 5, not authorized.
    #[error("not authorised")]
    NotAuthorised,
    /// The credentials were made or changed while the connection was.
    #[error("the credentials have changed meanwhile")]
    CredentialsChanged,
    /// We cannot even ask for it.
    #[error("a subscription is not a topic filter")]
    BadFilter,
    /// A subscription that is needed.
    #[error("the broker refuses a subscription")]
    Subscription,
}

impl Refusal {
    fn code_for_uplink(self) -> Code {
        match self {
            Self::Protocol => code::UPLINK_PROTOCOL_REFUSED,
            Self::ClientId => code::UPLINK_CLIENT_ID_REFUSED,
            Self::Unavailable => code::UPLINK_BROKER_UNAVAILABLE,
            Self::Credentials | Self::NotAuthorised => code::UPLINK_AUTH_REFUSED,
            Self::CredentialsChanged | Self::BadFilter | Self::Subscription => code::UPLINK_REFUSED,
        }
    }
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
            Self::Rejected(refusal) => {
                let cause = refusal.code_for_uplink().with("broker", broker);
                cause.and("error", refusal)
            }
            Self::TlsForeign => code::UPLINK_TLS_INTERCEPTED.with("broker", broker),
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

#[cfg(test)]
mod tests {
    use tm_types::text::{Language, sentence};

    use super::*;

    #[test]
    fn every_reason_has_its_code_for_the_uplink() {
        for (reason, code) in [
            (DownReason::Dns, "uplink.dns_failed"),
            (DownReason::Timeout, "uplink.unreachable"),
            (DownReason::Closed, "uplink.unreachable"),
            (Refusal::Protocol.into(), "uplink.protocol_refused"),
            (Refusal::ClientId.into(), "uplink.client_id_refused"),
            (Refusal::Unavailable.into(), "uplink.broker_unavailable"),
            (Refusal::Credentials.into(), "uplink.auth_refused"),
            (Refusal::NotAuthorised.into(), "uplink.auth_refused"),
            (Refusal::Subscription.into(), "uplink.refused"),
            (DownReason::Tls("no cipher".to_owned()), "uplink.tls_failed"),
            (DownReason::TlsForeign, "uplink.tls_intercepted"),
            (DownReason::TlsClockSuspect, "uplink.tls_clock_suspect"),
        ] {
            let cause = reason.cause_for_uplink("mqtt.acme.ua:8883");
            assert_eq!(cause.code, code, "{reason:?}");
            for language in [Language::En, Language::Uk, Language::Ru] {
                let told = sentence(language, &cause);
                assert!(told.contains("mqtt.acme.ua:8883"), "{told}");
                assert!(!told.contains('?'), "an argument is missing: {told}");
            }
        }
    }
}
