//! A cloud broker that does what the test says: packet by packet, over TCP (MQTT 3.1.1, section 3).

use std::time::Duration;

use bytes::Bytes;
use tm_service::session::{Incoming, Qos};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::world::{Arrived, DEADLINE};

pub(crate) struct Scripted {
    listener: TcpListener,
    /// What its peers were given, whether they acknowledged it or not.
    pub(crate) arrived: Arrived,
}

/// A connection, after its CONNECT was read.
pub(crate) struct Peer {
    stream: BufReader<TcpStream>,
}

/// What an uplink sends once it is connected.
#[derive(Debug)]
pub(crate) enum Packet {
    Publish {
        packet: u16,
        topic: String,
        payload: Bytes,
    },
    Subscribe {
        packet: u16,
    },
    /// Nothing that asks for an answer.
    Other,
}

async fn within<T>(what: &str, step: impl Future<Output = T>) -> T {
    let done = tokio::time::timeout(DEADLINE, step).await;
    done.unwrap_or_else(|_| panic!("{what} never came"))
}

impl Scripted {
    pub(crate) async fn bind() -> Self {
        Self {
            listener: TcpListener::bind("127.0.0.1:0").await.unwrap(),
            arrived: Arrived::default(),
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("mqtt://{}", self.listener.local_addr().unwrap())
    }

    /// The next connection, answered with that code.
    pub(crate) async fn accept(&self, session_present: bool, code: u8) -> Peer {
        let mut peer = self.accept_silently().await;
        peer.send(&[0x20, 2, u8::from(session_present), code]).await;
        peer
    }

    /// The next connection, which has no answer yet.
    pub(crate) async fn accept_silently(&self) -> Peer {
        let (stream, _) = within("a connection", self.listener.accept())
            .await
            .unwrap();
        let mut peer = Peer {
            stream: BufReader::new(stream),
        };
        // A connection may be gone by now: whoever reads next sees it.
        let _ = peer.read().await;
        peer
    }

    /// The next poll or event that is published; `None` when the connection ends. All else is answered.
    pub(crate) async fn next(&mut self, peer: &mut Peer) -> Option<u16> {
        loop {
            match within("a packet", peer.next()).await? {
                Packet::Subscribe { packet } => {
                    let [high, low] = packet.to_be_bytes();
                    peer.send(&[0x90, 4, high, low, 1, 1]).await;
                }
                Packet::Publish {
                    packet,
                    topic,
                    payload,
                } if topic.ends_with("/data") || topic.ends_with("/event") => {
                    self.arrived.take(&Incoming {
                        topic,
                        payload,
                        qos: Qos::AtLeastOnce,
                        retain: false,
                        receipt: None,
                    });
                    return Some(packet);
                }
                Packet::Publish { packet, .. } => peer.puback(packet).await,
                Packet::Other => {}
            }
        }
    }

    /// From here on everything is as it should be.
    pub(crate) async fn behave(&mut self, mut is_done: impl FnMut(&Arrived) -> bool) {
        while !is_done(&self.arrived) {
            let mut peer = self.accept(false, 0).await;
            while !is_done(&self.arrived) {
                match self.next(&mut peer).await {
                    Some(packet) => peer.puback(packet).await,
                    None => break,
                }
            }
        }
    }
}

impl Peer {
    pub(crate) async fn puback(&mut self, packet: u16) {
        let [high, low] = packet.to_be_bytes();
        self.send(&[0x40, 2, high, low]).await;
    }

    /// The kind of an acknowledgement and its length, and not of what.
    pub(crate) async fn half_a_puback(&mut self) {
        self.send(&[0x40, 2]).await;
    }

    /// Answers what asks for it until a message begins, and reads no more than its first byte.
    pub(crate) async fn read_into_a_message(&mut self) {
        while let Ok(kind) = within("a message", self.stream.read_u8()).await
            && kind >> 4 != 3
        {
            if let (8, Some([high, low, ..])) = (kind >> 4, self.body().await.as_deref()) {
                self.send(&[0x90, 4, *high, *low, 1, 1]).await;
            }
        }
    }

    /// Whether the other side ends the connection within its time.
    pub(crate) async fn is_left(&mut self) -> bool {
        let end = async { while self.next().await.is_some() {} };
        tokio::time::timeout(Duration::from_secs(10), end)
            .await
            .is_ok()
    }

    async fn send(&mut self, bytes: &[u8]) {
        // A peer that has gone is seen by the next read.
        let _ = self.stream.write_all(bytes).await;
    }

    async fn next(&mut self) -> Option<Packet> {
        let (kind, body) = self.read().await?;
        let number = |at: usize| Some(u16::from_be_bytes(body.get(at..at + 2)?.try_into().ok()?));
        Some(match kind >> 4 {
            3 => {
                let end = 2 + usize::from(number(0)?);
                Packet::Publish {
                    packet: number(end)?,
                    topic: String::from_utf8(body.get(2..end)?.to_vec()).ok()?,
                    payload: Bytes::copy_from_slice(body.get(end + 2..)?),
                }
            }
            8 => Packet::Subscribe { packet: number(0)? },
            12 => {
                self.send(&[0xd0, 0]).await;
                Packet::Other
            }
            _ => Packet::Other,
        })
    }

    async fn read(&mut self) -> Option<(u8, Vec<u8>)> {
        let kind = self.stream.read_u8().await.ok()?;
        Some((kind, self.body().await?))
    }

    /// What follows the first byte of a packet.
    async fn body(&mut self) -> Option<Vec<u8>> {
        let (mut length, mut shift) = (0, 0);
        loop {
            let digit = self.stream.read_u8().await.ok()?;
            length |= usize::from(digit & 0x7f) << shift;
            shift += 7;
            if digit & 0x80 == 0 {
                break;
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).await.ok()?;
        Some(body)
    }
}
