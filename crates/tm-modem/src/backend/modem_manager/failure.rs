//! Why a call on the bus failed, and what that means to the one who asked.

use std::time::Duration;

use tm_types::{Cause, code};
use tokio::time::timeout;

/// How a call failed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Failure {
    /// No answer within this time.
    Timeout(Duration),
    /// The object or its owner is not there any more.
    Gone,
    /// ModemManager does not allow this to anybody, or not to us.
    Forbidden(String),
    /// ModemManager cannot do this with this modem.
    Unsupported(String),
    /// It was tried and failed, or cannot be done now.
    Refused(String),
}

impl Failure {
    /// For the one who asked. `port` names the modem.
    pub(super) fn cause(&self, port: &str) -> Cause {
        match self {
            Self::Timeout(time) => code::MODEM_TIMEOUT.with("seconds", time.as_secs()),
            Self::Gone => code::MODEM_ABSENT.with("port", port),
            Self::Unsupported(detail) => {
                let cause = code::MODEM_UNSUPPORTED.with("backend", "ModemManager");
                cause.and("detail", detail)
            }
            Self::Forbidden(detail) | Self::Refused(detail) => {
                code::MODEM_REFUSED.with("detail", detail)
            }
        }
    }
}

impl From<zbus::Error> for Failure {
    fn from(error: zbus::Error) -> Self {
        let zbus::Error::MethodError(name, text, _) = error else {
            return match error {
                zbus::Error::InputOutput(_) => Self::Gone,
                error => Self::Refused(error.to_string()),
            };
        };
        let short = name.rsplit('.').next().unwrap_or_default();
        let detail = text
            .filter(|text| !text.is_empty())
            .unwrap_or_else(|| short.to_owned());
        match short {
            "ServiceUnknown" | "NameHasNoOwner" | "UnknownObject" | "UnknownMethod"
            | "UnknownInterface" | "Disconnected" => Self::Gone,
            "NoReply" if detail.contains("disconnected") => Self::Gone,
            "Unauthorized" | "AccessDenied" => Self::Forbidden(detail),
            "Unsupported" => Self::Unsupported(detail),
            _ => Self::Refused(detail),
        }
    }
}

/// Waits for an answer, but not longer than this.
pub(super) async fn within<T>(
    time: Duration,
    call: impl Future<Output = zbus::Result<T>>,
) -> Result<T, Failure> {
    match timeout(time, call).await {
        Ok(answer) => answer.map_err(Failure::from),
        Err(_) => Err(Failure::Timeout(time)),
    }
}
