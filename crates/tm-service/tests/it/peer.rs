//! A broker played by the test, packet by packet, over TCP.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// No step of a test may take longer.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// Waits for a step of the test.
pub(crate) async fn within<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, what)
        .await
        .expect("the step happens before its deadline")
}

/// A packet as the broker sees it (MQTT 3.1.1, section 3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Seen {
    Connect {
        client_id: String,
        clean_session: bool,
        will: Option<(String, Vec<u8>)>,
        user: Option<String>,
        password: Option<String>,
    },
    Publish {
        packet: u16,
        topic: String,
        payload: Vec<u8>,
        retain: bool,
    },
    PubAck(u16),
    Subscribe {
        packet: u16,
        filters: Vec<String>,
    },
    Ping,
    Disconnect,
}

pub(crate) struct FakeBroker {
    listener: TcpListener,
}

impl FakeBroker {
    pub(crate) async fn bind() -> Self {
        Self::bind_to(SocketAddr::from(([127, 0, 0, 1], 0))).await
    }

    pub(crate) async fn bind_to(address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).await.expect("a free port");
        Self { listener }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.listener.local_addr().expect("a bound socket")
    }

    pub(crate) fn url(&self) -> String {
        format!("mqtt://{}", self.address())
    }

    /// The next connection, before its CONNECT is read.
    pub(crate) async fn accept_raw(&self) -> Peer {
        let (stream, _) = within(self.listener.accept()).await.expect("a connection");
        Peer::new(stream)
    }

    /// The next connection, answered with success.
    pub(crate) async fn accept(&self, session_present: bool) -> (Peer, Seen) {
        let mut peer = self.accept_raw().await;
        let connect = peer.read().await;
        peer.send(&[0x20, 2, u8::from(session_present), 0]).await;
        (peer, connect)
    }
}

pub(crate) struct Peer<S = TcpStream> {
    stream: S,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Peer<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self { stream }
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        within(self.stream.write_all(bytes))
            .await
            .expect("the client reads");
    }

    pub(crate) async fn puback(&mut self, packet: u16) {
        let [high, low] = packet.to_be_bytes();
        self.send(&[0x40, 2, high, low]).await;
    }

    pub(crate) async fn suback(&mut self, packet: u16, codes: &[u8]) {
        let mut body = packet.to_be_bytes().to_vec();
        body.extend_from_slice(codes);
        self.send(&frame(0x90, &body)).await;
    }

    /// A message to the client; QoS 1 when it has a packet id.
    /// Reads a subscription and confirms it; its filters.
    pub(crate) async fn confirm_subscription(&mut self) -> Vec<String> {
        let Seen::Subscribe { packet, filters } = self.read().await else {
            panic!("the subscription comes first");
        };
        self.suback(packet, &vec![1; filters.len()]).await;
        filters
    }

    pub(crate) async fn publish(
        &mut self,
        topic: &str,
        payload: &[u8],
        packet: Option<u16>,
        retain: bool,
    ) {
        let mut body = string(topic);
        let qos = match packet {
            Some(packet) => {
                body.extend_from_slice(&packet.to_be_bytes());
                0b10
            }
            None => 0,
        };
        body.extend_from_slice(payload);
        let first = 0x30 | qos | u8::from(retain);
        self.send(&frame(first, &body)).await;
    }

    /// The next packet; panics at the end of the stream.
    pub(crate) async fn read(&mut self) -> Seen {
        self.try_read().await.expect("the client sends a packet")
    }

    /// The next packet that is no ping; subscriptions are granted and pings answered on the way.
    pub(crate) async fn read_message(&mut self) -> Seen {
        loop {
            match self.read().await {
                Seen::Ping => self.send(&[0xd0, 0]).await,
                Seen::Subscribe { packet, filters } => {
                    self.suback(packet, &vec![1; filters.len()]).await;
                }
                other => return other,
            }
        }
    }

    /// The next packet; `None` at the end of the stream.
    pub(crate) async fn try_read(&mut self) -> Option<Seen> {
        within(async {
            let first = self.stream.read_u8().await.ok()?;
            let mut length = 0_usize;
            for shift in [0, 7, 14, 21] {
                let byte = self.stream.read_u8().await.ok()?;
                length |= usize::from(byte & 0x7f) << shift;
                if byte & 0x80 == 0 {
                    break;
                }
            }
            let mut body = vec![0; length];
            self.stream.read_exact(&mut body).await.ok()?;
            Some(parse(first, &body))
        })
        .await
    }
}

fn parse(first: u8, body: &[u8]) -> Seen {
    let mut rest = Rest(body);
    match first >> 4 {
        1 => {
            assert_eq!(rest.string(), b"MQTT");
            assert_eq!(rest.byte(), 4, "protocol level 3.1.1");
            let flags = rest.byte();
            rest.number();
            let client_id = rest.text();
            let will = (flags & 0b100 != 0).then(|| (rest.text(), rest.string()));
            Seen::Connect {
                client_id,
                clean_session: flags & 0b10 != 0,
                will,
                user: (flags & 0x80 != 0).then(|| rest.text()),
                password: (flags & 0x40 != 0).then(|| rest.text()),
            }
        }
        3 => {
            let topic = rest.text();
            let packet = if first & 0b110 == 0 { 0 } else { rest.number() };
            Seen::Publish {
                packet,
                topic,
                payload: rest.0.to_vec(),
                retain: first & 1 != 0,
            }
        }
        4 => Seen::PubAck(rest.number()),
        8 => {
            let packet = rest.number();
            let mut filters = Vec::new();
            while !rest.0.is_empty() {
                filters.push(rest.text());
                rest.byte();
            }
            Seen::Subscribe { packet, filters }
        }
        12 => Seen::Ping,
        14 => Seen::Disconnect,
        other => panic!("a client does not send packets of type {other}"),
    }
}

struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    fn byte(&mut self) -> u8 {
        let (byte, rest) = self.0.split_first().expect("a whole packet");
        self.0 = rest;
        *byte
    }

    fn number(&mut self) -> u16 {
        u16::from_be_bytes([self.byte(), self.byte()])
    }

    fn string(&mut self) -> Vec<u8> {
        let length = self.number().into();
        let (string, rest) = self.0.split_at(length);
        self.0 = rest;
        string.to_vec()
    }

    fn text(&mut self) -> String {
        String::from_utf8(self.string()).expect("MQTT texts are UTF-8")
    }
}

fn string(text: &str) -> Vec<u8> {
    let length = u16::try_from(text.len()).expect("a short text");
    let mut bytes = length.to_be_bytes().to_vec();
    bytes.extend_from_slice(text.as_bytes());
    bytes
}

fn frame(first: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    let mut length = body.len();
    loop {
        let low = u8::try_from(length & 0x7f).expect("seven bits");
        length >>= 7;
        bytes.push(if length > 0 { low | 0x80 } else { low });
        if length == 0 {
            break;
        }
    }
    bytes.extend_from_slice(body);
    bytes
}
