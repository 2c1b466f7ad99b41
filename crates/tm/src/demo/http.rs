//! The page's port: the wished one, else the next that is free; and a client that asks the API.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value as Json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

/// How many ports above the wished one are tried.
const PORTS_TRIED: u16 = 100;
/// For an answer of the API; it gives them within milliseconds.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// Binds `port` on the loopback address, or the next free port above it.
///
/// # Errors
/// When none of them is free, or the first fails for another reason than being busy.
pub(super) async fn bind(port: u16) -> Result<TcpListener> {
    let last = port.saturating_add(PORTS_TRIED);
    for candidate in port..=last {
        match TcpListener::bind((Ipv4Addr::LOCALHOST, candidate)).await {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
            outcome => return outcome.with_context(|| format!("listen on port {candidate}")),
        }
    }
    anyhow::bail!("no port from {port} to {last} is free")
}

/// What the API answers, as JSON; nothing while there is no sound answer.
pub(super) async fn get(page: SocketAddr, path: &str) -> Option<Json> {
    // HTTP/1.0 ends with the connection and comes in one piece.
    let request = format!("GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n");
    let asked = async {
        let mut stream = TcpStream::connect(page).await?;
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        io::Result::Ok(answer)
    };
    let answer = timeout(ANSWER_TIMEOUT, asked).await.ok()?.ok()?;
    let answer = String::from_utf8(answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    (head.split(' ').nth(1)? == "200").then_some(())?;
    serde_json::from_str(body).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_busy_port_moves_to_the_next_free_one() {
        let busy = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = busy.local_addr().unwrap().port();
        let other = bind(port).await.unwrap().local_addr().unwrap().port();
        assert!(other > port, "{other} is not above {port}");
    }
}
