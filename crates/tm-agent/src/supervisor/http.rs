//! One HTTP/1.1 request on a connection of its own, bounded in time and size.

use std::fmt::Write;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::time::Duration;

use hyper::body::{Body, Incoming};
use hyper::client::conn::http1;
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use thiserror::Error;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::SupervisorAccess;

/// For the connection: the supervisor is on this machine.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// For the answer: a supervisor that is applying an update takes seconds.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);
/// A device is about 500 bytes.
const BODY_MAX: usize = 64 * 1024;

/// A complete answer.
#[derive(Debug)]
pub(super) struct Answer {
    /// HTTP status.
    pub(super) status: u16,
    /// At most 64 KiB.
    pub(super) body: Vec<u8>,
}

/// Why there is no answer. The address of a request, which holds the key, is in none of them.
#[derive(Debug, Error)]
pub(crate) enum HttpError {
    /// The connection was not made.
    #[error("{0}")]
    Connect(std::io::Error),
    /// No connection within 5 s.
    #[error("no connection within {} s", CONNECT_TIMEOUT.as_secs())]
    ConnectTimeout,
    /// The request cannot be written as HTTP.
    #[error("the request cannot be made")]
    Request,
    /// Not HTTP, or cut off.
    #[error("{0}")]
    Broken(hyper::Error),
    /// No complete answer within 20 s.
    #[error("no answer within {} s", ANSWER_TIMEOUT.as_secs())]
    AnswerTimeout,
    /// More than 64 KiB.
    #[error("an answer longer than {BODY_MAX} bytes")]
    TooLong,
}

impl HttpError {
    /// Whether the request surely was not received.
    pub(super) fn is_before_request(&self) -> bool {
        matches!(
            self,
            Self::Connect(_) | Self::ConnectTimeout | Self::Request
        )
    }
}

/// Asks for `path`, with a JSON body unless it is empty.
pub(super) async fn ask(
    access: &SupervisorAccess,
    method: Method,
    path: &str,
    body: &str,
) -> Result<Answer, HttpError> {
    let (host, port) = (access.url.host.as_str(), access.url.port);
    let stream = timeout(CONNECT_TIMEOUT, TcpStream::connect((host, port)))
        .await
        .map_err(|_| HttpError::ConnectTimeout)?
        .map_err(HttpError::Connect)?;
    let authority = access.url.to_string();
    let authority = authority.trim_start_matches("http://");
    let request = Request::builder()
        .method(method)
        .uri(format!("{path}?apikey={}", escaped(access.key.expose())))
        .header("host", authority)
        .header("connection", "close")
        .header("content-type", "application/json")
        .body(body.to_owned())
        .map_err(|_| HttpError::Request)?;
    timeout(ANSWER_TIMEOUT, exchange(stream, request))
        .await
        .map_err(|_| HttpError::AnswerTimeout)?
}

async fn exchange(stream: TcpStream, request: Request<String>) -> Result<Answer, HttpError> {
    let io = TokioIo::new(stream);
    let (mut sender, connection) = http1::handshake(io).await.map_err(HttpError::Broken)?;
    let mut connection = pin!(connection);
    let mut answer = pin!(async {
        let response = sender
            .send_request(request)
            .await
            .map_err(HttpError::Broken)?;
        let status = response.status().as_u16();
        let body = whole(response.into_body()).await?;
        Ok(Answer { status, body })
    });
    let mut is_open = true;
    loop {
        // The connection moves the bytes; it may end before the answer is put together, and its
        // error reaches the answer as well.
        tokio::select! {
            biased;
            answer = &mut answer => return answer,
            _ended = &mut connection, if is_open => is_open = false,
        }
    }
}

async fn whole(mut body: Incoming) -> Result<Vec<u8>, HttpError> {
    let mut bytes = Vec::new();
    while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        let frame = frame.map_err(HttpError::Broken)?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        if bytes.len() + data.len() > BODY_MAX {
            return Err(HttpError::TooLong);
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes)
}

/// The key as part of a URL (RFC 3986, 2.1): everything but letters, digits and `_` as `%xx`.
fn escaped(key: &str) -> String {
    let mut out = String::with_capacity(key.len());
    for byte in key.bytes() {
        if byte.is_ascii_alphanumeric() || byte == b'_' {
            out.push(char::from(byte));
        } else {
            write!(out, "%{byte:02X}").expect("a String takes everything");
        }
    }
    out
}
