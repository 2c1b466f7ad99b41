//! Counts what goes over the socket below TLS and MQTT: what a metered link is charged for, but for the headers of
//! TCP and IP.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use tm_types::DataBytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Headers of IPv4 (RFC 791) and of TCP with its timestamps (RFC 9293, RFC 7323), of every packet.
const HEADER_BYTES: u64 = 52;
/// What a full segment carries on LTE: an MTU of 1430 less the headers.
const SEGMENT_BYTES: usize = 1378;
/// Packets with nothing in them, to connect and to part: SYN, ACK, FIN, ACK.
const PACKETS_OUT: u64 = 4;
/// SYN-ACK, ACK, FIN.
const PACKETS_IN: u64 = 3;

/// What went over the sockets of a session; clones share it, so that it may outlive the session.
#[derive(Clone, Debug, Default)]
pub struct Wire(Arc<Counters>);

#[derive(Debug, Default)]
struct Counters {
    sent: AtomicU64,
    received: AtomicU64,
    connections: AtomicU64,
    /// Of both directions, full or not.
    segments: AtomicU64,
}

impl Wire {
    /// Bytes handed to the system for sending.
    pub fn sent(&self) -> u64 {
        self.0.sent.load(Ordering::Relaxed)
    }

    /// Bytes read.
    pub fn received(&self) -> u64 {
        self.0.received.load(Ordering::Relaxed)
    }

    /// TCP connections that were made.
    pub fn connections(&self) -> u64 {
        self.0.connections.load(Ordering::Relaxed)
    }

    /// What a metered link is charged for: the bytes, and the headers of TCP and IP as they are reckoned.
    ///
    /// What is written or read at once makes full segments of 1378 bytes and a rest; each segment has a header of
    /// 52 bytes, and an acknowledgement of 52 bytes comes back for it; seven packets make and part a connection.
    /// Acknowledgements that travel with data are not subtracted, and segments that are sent again or connections
    /// that nobody answers are not seen.
    pub fn with_headers(&self) -> DataBytes {
        let headers = |packets: u64| {
            let segments = self.0.segments.load(Ordering::Relaxed);
            (segments + packets * self.connections()) * HEADER_BYTES
        };
        DataBytes {
            rx_bytes: self.received() + headers(PACKETS_IN),
            tx_bytes: self.sent() + headers(PACKETS_OUT),
        }
    }

    fn segments(&self, bytes: usize) {
        let segments = bytes.div_ceil(SEGMENT_BYTES) as u64;
        self.0.segments.fetch_add(segments, Ordering::Relaxed);
    }

    /// Counts what goes over a connection from now on.
    pub(super) fn count<S>(&self, stream: S) -> Counted<S> {
        self.0.connections.fetch_add(1, Ordering::Relaxed);
        Counted {
            stream,
            wire: self.clone(),
        }
    }
}

/// A stream that is counted.
#[derive(Debug)]
pub(super) struct Counted<S> {
    stream: S,
    wire: Wire,
}

impl<S> Counted<S> {
    fn sent(&self, polled: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(n)) = polled {
            self.wire.0.sent.fetch_add(n as u64, Ordering::Relaxed);
            self.wire.segments(n);
        }
        polled
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Counted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        let n = buf.filled().len() - before;
        self.wire.0.received.fetch_add(n as u64, Ordering::Relaxed);
        self.wire.segments(n);
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Counted<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.sent(polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(cx, bytes);
        self.sent(polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[tokio::test]
    async fn every_segment_has_a_header_and_an_acknowledgement() {
        let wire = Wire::default();
        let (ours, mut theirs) = tokio::io::duplex(8192);
        let mut ours = wire.count(ours);
        let connection = DataBytes {
            rx_bytes: 3 * 52,
            tx_bytes: 4 * 52,
        };
        assert_eq!(wire.with_headers(), connection);
        for (bytes, segments) in [(1, 1), (1378, 1), (1379, 2), (4000, 3)] {
            let before = wire.with_headers();
            ours.write_all(&vec![0; bytes]).await.unwrap();
            theirs.read_exact(&mut vec![0; bytes]).await.unwrap();
            let after = wire.with_headers();
            let sent = bytes as u64 + segments * 52;
            assert_eq!(after.tx_bytes - before.tx_bytes, sent, "{bytes}");
            assert_eq!(after.rx_bytes - before.rx_bytes, segments * 52, "{bytes}");
        }
        let before = wire.with_headers();
        theirs.write_all(&[0; 4]).await.unwrap();
        ours.read_exact(&mut [0; 4]).await.unwrap();
        let after = wire.with_headers();
        assert_eq!(after.rx_bytes - before.rx_bytes, 4 + 52);
        assert_eq!(after.tx_bytes - before.tx_bytes, 52);
    }
}
