//! Accepts connections: allow-list first, then limits on number, headers and stalled writes.

use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Sleep, sleep};
use tower::Service as _;
use tracing::{debug, warn};

use crate::allow::AllowList;
use crate::app::Peer;

/// Connections at once; what comes beyond is closed at once. A page takes two.
const CONNECTIONS_MAX: usize = 64;
/// How long a client may take for the head of a request, and idle between two.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of a request's head.
const HEADER_BYTES_MAX: usize = 16 * 1024;
/// How long a client may take nothing of what is sent to it.
const WRITE_STALL: Duration = Duration::from_secs(30);
/// Pause after a failed accept (no file descriptors left), so as not to spin.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// Serves `router` to the allowed peers. Dropping it closes every connection.
pub(crate) async fn serve(listener: TcpListener, allow: AllowList, router: Router) -> Infallible {
    let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let (stream, peer) = match listener.accept().await {
            Ok((stream, peer)) => (stream, peer.ip()),
            Err(error) => {
                warn!(%error, "cannot accept a connection");
                sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        if !allow.allows(peer) {
            debug!(%peer, "refused a peer outside the allow-list");
            continue;
        }
        let Ok(slot) = Arc::clone(&slots).try_acquire_owned() else {
            debug!(%peer, "too many connections");
            continue;
        };
        let router = router.clone();
        connections.spawn(async move {
            let _slot = slot;
            if let Err(error) = connection(stream, Peer(peer.to_canonical()), router).await {
                debug!(%peer, %error, "connection ended");
            }
        });
    }
}

async fn connection(stream: TcpStream, peer: Peer, router: Router) -> Result<(), hyper::Error> {
    // Small answers go out at once; failure to set it costs a delay only.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(peer);
        router.clone().call(request)
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(HEADER_BYTES_MAX)
        .serve_connection(TokioIo::new(Stalling::new(stream)), service)
        .await
}

/// A connection that fails when nothing of what was written has been taken for `WRITE_STALL`.
struct Stalling<T> {
    inner: T,
    deadline: Option<Pin<Box<Sleep>>>,
}

impl<T> Stalling<T> {
    fn new(inner: T) -> Self {
        Self {
            inner,
            deadline: None,
        }
    }

    fn watch<R>(
        &mut self,
        cx: &mut Context<'_>,
        result: Poll<io::Result<R>>,
    ) -> Poll<io::Result<R>> {
        if result.is_ready() {
            self.deadline = None;
            return result;
        }
        let deadline = self
            .deadline
            .get_or_insert_with(|| Box::pin(sleep(WRITE_STALL)));
        match deadline.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Stalling<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Stalling<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.inner).poll_write(cx, buf);
        self.watch(cx, result)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.inner).poll_flush(cx);
        self.watch(cx, result)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.inner).poll_shutdown(cx);
        self.watch(cx, result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.inner).poll_write_vectored(cx, bufs);
        self.watch(cx, result)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_nothing_is_cut() {
        let (server, mut client) = tokio::io::duplex(16);
        let mut server = Stalling::new(server);
        let begun = tokio::time::Instant::now();
        let error = server.write_all(&[0; 64]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(begun.elapsed(), WRITE_STALL);
        drop(server);
        let mut taken = Vec::new();
        client.read_to_end(&mut taken).await.unwrap();
        assert_eq!(taken.len(), 16);
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_client_that_takes_something_is_not() {
        let (server, mut client) = tokio::io::duplex(16);
        let mut server = Stalling::new(server);
        let reader = async {
            for _ in 0..8 {
                sleep(WRITE_STALL / 2).await;
                client.read_exact(&mut [0; 16]).await.unwrap();
            }
        };
        let (written, ()) = tokio::join!(server.write_all(&[0; 128]), reader);
        written.unwrap();
    }
}
