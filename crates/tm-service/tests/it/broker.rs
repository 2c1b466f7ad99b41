//! A real broker in the test's process: rumqttd.

use std::collections::HashMap;
use std::net::{SocketAddr, TcpListener};

use rumqttd::{Broker, Config, ConnectionSettings, RouterConfig, ServerSettings};

/// Starts a broker and gives its address. It lives as long as the process: rumqttd cannot stop.
pub(crate) async fn start() -> SocketAddr {
    loop {
        // rumqttd tells no bound port: one that was free a moment ago is tried, and the next if not.
        let free = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let address = free.local_addr().expect("bound");
        drop(free);
        let mut broker = Broker::new(config(address));
        std::thread::spawn(move || broker.start().is_ok());
        for _ in 0..200 {
            if tokio::net::TcpStream::connect(address).await.is_ok() {
                return address;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    }
}

fn config(address: SocketAddr) -> Config {
    let server = ServerSettings {
        name: "test".to_owned(),
        listen: address,
        tls: None,
        next_connection_delay_ms: 1,
        connections: ConnectionSettings {
            connection_timeout_ms: 5_000,
            max_payload_size: 256 * 1024,
            max_inflight_count: 100,
            auth: None,
            external_auth: None,
            dynamic_filters: true,
        },
    };
    Config {
        router: RouterConfig {
            max_connections: 100,
            max_outgoing_packet_count: 200,
            max_segment_size: 1024 * 1024,
            max_segment_count: 10,
            ..RouterConfig::default()
        },
        v4: Some(HashMap::from([("test".to_owned(), server)])),
        ..Config::default()
    }
}
