//! The socket below a session, and what its failures mean.

use std::io;
use std::time::Duration;

use rumqttc::{ConnectReturnCode, ConnectionError, StateError, TlsError, mqttbytes};
use tokio::net::{TcpStream, lookup_host};

use super::{DownReason, Refusal};

/// How long sent bytes may stay unacknowledged by the peer's TCP before the link counts as dead.
const USER_TIMEOUT: Duration = Duration::from_secs(30);

/// Marks the failure to resolve a name inside an I/O error.
#[derive(Debug, thiserror::Error)]
#[error("the name cannot be resolved")]
struct Unresolved;

/// Connects to the first address that answers.
pub(super) async fn tcp(address: String) -> io::Result<TcpStream> {
    let addresses = lookup_host(&address)
        .await
        .map_err(|_| io::Error::new(io::ErrorKind::NotFound, Unresolved))?;
    let mut last = io::Error::new(io::ErrorKind::NotFound, Unresolved);
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                // Best effort: a kernel without it falls back to the ping.
                let millis = u32::try_from(USER_TIMEOUT.as_millis()).unwrap_or(u32::MAX);
                let _ = rustix::net::sockopt::set_tcp_user_timeout(&stream, millis);
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// What an error of the client means for the owner.
pub(super) fn reason(error: &ConnectionError) -> DownReason {
    match error {
        ConnectionError::NetworkTimeout
        | ConnectionError::FlushTimeout
        | ConnectionError::MqttState(StateError::AwaitPingResp | StateError::CollisionTimeout) => {
            DownReason::Timeout
        }
        ConnectionError::MqttState(StateError::ConnectionAborted) => DownReason::Closed,
        ConnectionError::MqttState(
            StateError::Io(error) | StateError::Deserialization(mqttbytes::Error::Io(error)),
        )
        | ConnectionError::Io(error)
        | ConnectionError::Tls(TlsError::Io(error)) => of_io(error),
        ConnectionError::MqttState(other) => DownReason::Protocol(other.to_string()),
        ConnectionError::Tls(TlsError::TLS(error)) => of_rustls(error),
        ConnectionError::Tls(other) => DownReason::Tls(other.to_string()),
        ConnectionError::ConnectionRefused(code) => refusal(*code),
        other => DownReason::Protocol(other.to_string()),
    }
}

fn of_io(error: &io::Error) -> DownReason {
    let Some(inner) = error.get_ref() else {
        return DownReason::of_io(error);
    };
    if inner.is::<Unresolved>() {
        return DownReason::Dns;
    }
    match inner.downcast_ref::<rustls::Error>() {
        Some(error) => of_rustls(error),
        None => DownReason::of_io(error),
    }
}

fn of_rustls(error: &rustls::Error) -> DownReason {
    use rustls::CertificateError as Bad;
    match error {
        rustls::Error::InvalidCertificate(
            Bad::Expired
            | Bad::ExpiredContext { .. }
            | Bad::NotValidYet
            | Bad::NotValidYetContext { .. },
        ) => DownReason::TlsClockSuspect,
        rustls::Error::InvalidCertificate(Bad::UnknownIssuer) => DownReason::TlsForeign,
        other => DownReason::Tls(other.to_string()),
    }
}

/// What a CONNACK that refuses means.
fn refusal(code: ConnectReturnCode) -> DownReason {
    DownReason::Rejected(match code {
        ConnectReturnCode::RefusedProtocolVersion => Refusal::Protocol,
        ConnectReturnCode::BadClientId => Refusal::ClientId,
        ConnectReturnCode::ServiceUnavailable => Refusal::Unavailable,
        ConnectReturnCode::BadUserNamePassword => Refusal::Credentials,
        ConnectReturnCode::NotAuthorized => Refusal::NotAuthorised,
        ConnectReturnCode::Success => return DownReason::Protocol("refused, and not".to_owned()),
    })
}
