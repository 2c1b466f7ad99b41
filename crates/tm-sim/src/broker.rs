//! An MQTT broker inside the process: for the demo and for tests, never in an image.
//!
//! rumqttd reports neither the port it bound nor a failure to bind, and cannot be stopped: a free
//! port is picked first, tried again if somebody else took it, and the broker lives as long as
//! the process.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use rumqttd::{Config, ConnectionSettings, RouterConfig, ServerSettings};

/// How often a port is picked anew before giving up.
const PORTS_TRIED: u32 = 8;
/// How long a broker may take to accept its first connection.
const START_DEADLINE: Duration = Duration::from_secs(5);
/// The product's own broker takes messages up to this size (`blocks/mqtt`).
const MESSAGE_MAX: usize = 128 * 1024;

/// A running broker on the loopback address.
#[derive(Debug, Clone, Copy)]
pub struct Broker {
    address: SocketAddr,
}

impl Broker {
    /// Starts a broker on a free port of 127.0.0.1 and waits until it accepts.
    ///
    /// # Errors
    /// When no port could be used within the tries, with the last reason.
    pub fn start() -> io::Result<Self> {
        let mut last = io::Error::other("no port was tried");
        for _ in 0..PORTS_TRIED {
            let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
            match start_on(address) {
                Ok(()) => return Ok(Self { address }),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its address as a URL.
    pub fn url(&self) -> String {
        format!("mqtt://{}", self.address)
    }
}

fn start_on(address: SocketAddr) -> io::Result<()> {
    let (ended, is_ended) = mpsc::channel();
    thread::Builder::new()
        .name("broker".into())
        .spawn(move || {
            let outcome = rumqttd::Broker::new(config(address)).start();
            // Nobody listens any more once the start was judged.
            let _ = ended.send(
                outcome
                    .err()
                    .map_or_else(|| "its server ended".into(), |e| e.to_string()),
            );
        })?;
    let deadline = Instant::now() + START_DEADLINE;
    loop {
        if let Ok(reason) = is_ended.recv_timeout(Duration::from_millis(5)) {
            return Err(io::Error::other(format!("broker on {address}: {reason}")));
        }
        if answers(address) {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(io::Error::other(format!(
                "broker on {address}: it does not accept"
            )));
        }
    }
}

/// Whether a broker greets there. A bare connection proves nothing: somebody else may listen.
fn answers(address: SocketAddr) -> bool {
    /// CONNECT of MQTT 3.1.1, clean session, keep-alive 60 s, client id `probe`.
    const CONNECT: &[u8] = b"\x10\x11\x00\x04MQTT\x04\x02\x00\x3c\x00\x05probe";
    const ACCEPTED: [u8; 4] = [0x20, 0x02, 0x00, 0x00];
    let greet = || -> io::Result<[u8; 4]> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(Duration::from_millis(500)))?;
        stream.write_all(CONNECT)?;
        let mut answer = [0; 4];
        stream.read_exact(&mut answer)?;
        Ok(answer)
    };
    greet().is_ok_and(|answer| answer == ACCEPTED)
}

fn config(listen: SocketAddr) -> Config {
    let connections = ConnectionSettings {
        connection_timeout_ms: 5_000,
        max_payload_size: MESSAGE_MAX,
        max_inflight_count: 2_000,
        auth: None,
        external_auth: None,
        dynamic_filters: true,
    };
    let server = ServerSettings {
        name: "v4".into(),
        listen,
        tls: None,
        next_connection_delay_ms: 1,
        connections,
    };
    Config {
        router: RouterConfig {
            max_connections: 1_000,
            max_outgoing_packet_count: 2_000,
            max_segment_size: 16 * 1024 * 1024,
            max_segment_count: 16,
            ..RouterConfig::default()
        },
        v4: Some(HashMap::from([("v4".into(), server)])),
        ..Config::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_brokers_live_side_by_side() {
        let (one, other) = (Broker::start().unwrap(), Broker::start().unwrap());
        assert_ne!(one.address(), other.address());
        assert!(TcpStream::connect(one.address()).is_ok());
    }

    #[test]
    fn a_taken_port_is_an_error_not_a_hang() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = taken.local_addr().unwrap();
        // The listener accepts, but only a broker greets.
        assert!(start_on(address).is_err());
    }
}
