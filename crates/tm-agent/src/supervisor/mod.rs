//! The balena supervisor on the device: what it says of the device, and the reboot it can do.
//!
//! Its API is documented in "Interacting with the balena Supervisor" of balena's documentation.

mod device;
mod http;

use hyper::Method;
use thiserror::Error;
use tm_types::{Cause, Supervisor, code};

use crate::SupervisorAccess;
use http::{Answer, HttpError};

/// Why the supervisor did not do what it was asked. The key appears in none of these.
#[derive(Debug, Error)]
pub(crate) enum Trouble {
    /// No answer.
    #[error(transparent)]
    Unreachable(#[from] HttpError),
    /// An answer of another kind: 401 for a wrong key, 423 while updates are locked, 503.
    #[error("it answers {status} {said}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The beginning of what it says about it.
        said: String,
    },
    /// Status 200 with something that is no device.
    #[error("its answer is not a JSON object")]
    Garbage,
}

impl Trouble {
    /// The reason for the service's health and for a failed operation.
    pub(crate) fn cause(&self) -> Cause {
        match self {
            Self::Unreachable(_) => code::AGENT_SUPERVISOR_UNREACHABLE.with("error", self),
            Self::Refused { .. } | Self::Garbage => {
                code::AGENT_SUPERVISOR_REFUSED.with("error", self)
            }
        }
    }

    /// Whether the supervisor surely did nothing.
    pub(crate) fn is_refusal(&self) -> bool {
        match self {
            Self::Unreachable(error) => error.is_before_request(),
            Self::Refused { .. } => true,
            Self::Garbage => false,
        }
    }
}

/// `GET /v1/device`: what the supervisor says of the device.
pub(crate) async fn device(access: &SupervisorAccess) -> Result<Supervisor, Trouble> {
    let answer = http::ask(access, Method::GET, "/v1/device", "").await?;
    match answer.status {
        200 => device::parse(&answer.body).ok_or(Trouble::Garbage),
        _ => Err(refused(&answer)),
    }
}

/// `POST /v1/reboot`: accepted is not yet done.
pub(crate) async fn reboot(access: &SupervisorAccess, force: bool) -> Result<(), Trouble> {
    let body = if force {
        r#"{"force":true}"#
    } else {
        r#"{"force":false}"#
    };
    let answer = http::ask(access, Method::POST, "/v1/reboot", body).await?;
    match answer.status {
        200 | 202 => Ok(()),
        _ => Err(refused(&answer)),
    }
}

/// The status, and the first words of the body where they are readable.
fn refused(answer: &Answer) -> Trouble {
    let said = String::from_utf8_lossy(&answer.body);
    let said = said.chars().filter(|c| !c.is_control()).take(100).collect();
    Trouble::Refused {
        status: answer.status,
        said,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tm_service::config::Secret;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio::sync::mpsc;

    use super::*;
    use crate::HttpUrl;

    const DEVICE: &str = r#"{"api_port":48484,"ip_address":"192.168.0.10","commit":"414e65cd37","status":"Idle","download_progress":null,"os_version":"balenaOS 6.0.24","mac_address":"00:11:22:33:44:55","supervisor_version":"17.0.2","update_pending":false,"update_failed":false,"update_downloaded":false}"#;

    /// A supervisor that gives every connection these bytes, then closes; and the requests it got.
    async fn supervisor(reply: Vec<u8>) -> (SupervisorAccess, mpsc::UnboundedReceiver<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = HttpUrl {
            host: "127.0.0.1".to_owned(),
            port: listener.local_addr().unwrap().port(),
        };
        let (sender, requests) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = Vec::new();
                let mut chunk = [0; 1024];
                // The requests of these tests end with their headers or a closing brace.
                while !request.ends_with(b"\r\n\r\n") && !request.ends_with(b"}") {
                    match stream.read(&mut chunk).await {
                        Ok(n) if n > 0 => request.extend_from_slice(&chunk[..n]),
                        _ => break,
                    }
                }
                let _ = sender.send(String::from_utf8_lossy(&request).into_owned());
                let _ = stream.write_all(&reply).await;
                let _ = stream.shutdown().await;
                // A close with unread bytes would be a reset.
                let _ =
                    tokio::time::timeout(Duration::from_millis(200), stream.read(&mut chunk)).await;
            }
        });
        (
            SupervisorAccess {
                url,
                key: Secret::new("s3cret key"),
            },
            requests,
        )
    }

    fn json(status: &str, body: &str) -> Vec<u8> {
        format!("HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
    }

    #[tokio::test]
    async fn a_device_is_read_and_the_key_goes_along() {
        let chunked = format!(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{DEVICE}\r\n0\r\n\r\n",
            DEVICE.len()
        );
        let until_close = format!("HTTP/1.0 200 OK\r\n\r\n{DEVICE}");
        for reply in [
            json("200 OK", DEVICE),
            chunked.into_bytes(),
            until_close.into_bytes(),
        ] {
            let (access, mut requests) = supervisor(reply).await;
            let seen = device(&access).await.unwrap();
            assert_eq!(seen.status.as_deref(), Some("Idle"));
            assert_eq!(seen.version.as_deref(), Some("17.0.2"));
            assert_eq!(seen.update_pending, Some(false));
            let request = requests.recv().await.unwrap();
            assert!(
                request.starts_with("GET /v1/device?apikey=s3cret%20key HTTP/1.1\r\n"),
                "{request}"
            );
            assert!(
                request
                    .to_ascii_lowercase()
                    .contains("\r\nhost: 127.0.0.1:"),
                "{request}"
            );
        }
    }

    #[tokio::test]
    async fn a_reboot_is_asked_for() {
        let (access, mut requests) =
            supervisor(json("202 Accepted", r#"{"Data":"OK","Error":""}"#)).await;
        reboot(&access, false).await.unwrap();
        let request = requests.recv().await.unwrap();
        assert!(request.starts_with("POST /v1/reboot?apikey="), "{request}");
        assert!(request.ends_with("{\"force\":false}"), "{request}");
        assert!(request.contains("application/json"), "{request}");
    }

    #[tokio::test]
    async fn other_answers_say_what_they_are() {
        let huge = format!("{{\"status\":\"{}\"}}", "x".repeat(1 << 20));
        let cases: [(Vec<u8>, &str, &str); 10] = [
            (
                json("401 Unauthorized", "Unauthorized"),
                "agent.supervisor_refused",
                "401 Unauthorized",
            ),
            (
                json("423 Locked", "{\"status\":\"failed\"}"),
                "agent.supervisor_refused",
                "423",
            ),
            (
                json("503 Service Unavailable", ""),
                "agent.supervisor_refused",
                "503",
            ),
            (
                json("200 OK", "[]"),
                "agent.supervisor_refused",
                "not a JSON object",
            ),
            (
                json("200 OK", "<html>"),
                "agent.supervisor_refused",
                "not a JSON object",
            ),
            (
                json("200 OK", &huge),
                "agent.supervisor_unreachable",
                "longer than",
            ),
            (
                b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{".to_vec(),
                "agent.supervisor_unreachable",
                "",
            ),
            (
                b"garbage\r\n\r\n".to_vec(),
                "agent.supervisor_unreachable",
                "",
            ),
            (vec![0xff; 100_000], "agent.supervisor_unreachable", ""),
            (Vec::new(), "agent.supervisor_unreachable", ""),
        ];
        for (reply, code, words) in cases {
            let start = String::from_utf8_lossy(&reply[..reply.len().min(40)]).into_owned();
            let (access, _requests) = supervisor(reply).await;
            let trouble = device(&access).await.unwrap_err();
            let cause = trouble.cause();
            assert_eq!(cause.code, code, "{start:?}: {trouble}");
            assert!(cause.args["error"].contains(words), "{start:?}: {trouble}");
            assert!(
                !format!("{trouble} {trouble:?}").contains("s3cret"),
                "{trouble:?}"
            );
        }
    }

    #[tokio::test]
    async fn nobody_there() {
        let (mut access, _requests) = supervisor(Vec::new()).await;
        let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
        access.url.port = free.local_addr().unwrap().port();
        drop(free);
        let trouble = reboot(&access, true).await.unwrap_err();
        assert!(
            matches!(trouble, Trouble::Unreachable(_)) && trouble.is_refusal(),
            "{trouble:?}"
        );
        access.url.host = "host.invalid".to_owned();
        assert!(device(&access).await.unwrap_err().is_refusal());
    }
}
