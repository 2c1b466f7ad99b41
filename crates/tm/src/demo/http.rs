//! Binds the page's port: the wished one, else the next that is free.

use std::io;
use std::net::Ipv4Addr;

use anyhow::{Context, Result};
use tokio::net::TcpListener;

/// How many ports above the wished one are tried.
const PORTS_TRIED: u16 = 100;

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
