//! The gate between a client and an echoing server, on real sockets.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{
    io::ErrorKind,
    net::SocketAddr,
    time::{Duration, Instant},
};

use tm_sim::{
    Gate,
    gate::{GateCounts, GateMode},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    time::timeout,
};

const DEADLINE: Duration = Duration::from_secs(10);

/// A server that sends back what it gets, after its name.
async fn echo(name: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut read, mut write) = stream.into_split();
                let _ = write.write_all(name.as_bytes()).await;
                let _ = tokio::io::copy(&mut read, &mut write).await;
            });
        }
    });
    address
}

async fn gate() -> Gate {
    Gate::open(echo("a").await).unwrap()
}

async fn connect(gate: &Gate) -> TcpStream {
    let mut stream = TcpStream::connect(gate.address()).await.unwrap();
    assert_eq!(read(&mut stream, 1).await, b"a");
    stream
}

async fn read(stream: &mut TcpStream, n: usize) -> Vec<u8> {
    let mut bytes = vec![0; n];
    timeout(DEADLINE, stream.read_exact(&mut bytes))
        .await
        .unwrap()
        .unwrap();
    bytes
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let wait = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    assert!(timeout(DEADLINE, wait).await.is_ok(), "{what}");
}

/// The connection ends, whichever way.
async fn ends(stream: &mut TcpStream) {
    let end = timeout(DEADLINE, stream.read(&mut [0; 16])).await.unwrap();
    assert!(matches!(end, Ok(0) | Err(_)), "{end:?}");
}

#[tokio::test]
async fn it_forwards_and_counts() {
    let gate = gate().await;
    let mut stream = connect(&gate).await;
    stream.write_all(b"hello").await.unwrap();
    assert_eq!(read(&mut stream, 5).await, b"hello");
    let expected = GateCounts {
        n_connections: 1,
        n_open: 1,
        to_target: 5,
        to_clients: 6,
    };
    until("all counted", || gate.handle().counts() == expected).await;
    drop(stream);
    until("closed", || gate.handle().counts().n_open == 0).await;
}

#[tokio::test]
async fn a_client_that_only_stops_writing_still_reads() {
    let gate = gate().await;
    let mut stream = connect(&gate).await;
    stream.write_all(b"last words").await.unwrap();
    stream.shutdown().await.unwrap();
    let mut rest = Vec::new();
    timeout(DEADLINE, stream.read_to_end(&mut rest))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(rest, b"last words");
}

#[tokio::test]
async fn it_refuses_and_opens_again_on_the_same_port() {
    let gate = gate().await;
    let mut open = connect(&gate).await;
    for _ in 0..5 {
        gate.handle().set_mode(GateMode::Refuse);
        let refused = async {
            let connect = || TcpStream::connect(gate.address());
            // A connection in the queue at the moment of shutting is reset.
            while !matches!(connect().await, Err(error) if error.kind() == ErrorKind::ConnectionRefused)
            {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        timeout(DEADLINE, refused).await.unwrap();
        gate.handle().set_mode(GateMode::Forward);
        let connected = async {
            while TcpStream::connect(gate.address()).await.is_err() {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        timeout(DEADLINE, connected).await.unwrap();
    }
    open.write_all(b"still here").await.unwrap();
    assert_eq!(read(&mut open, 10).await, b"still here");
}

#[tokio::test]
async fn a_cut_ends_what_is_open_and_nothing_else() {
    let gate = gate().await;
    let (mut one, mut two) = (connect(&gate).await, connect(&gate).await);
    gate.handle().cut();
    ends(&mut one).await;
    ends(&mut two).await;
    connect(&gate).await;
}

#[tokio::test]
async fn a_stall_takes_bytes_and_delivers_them_later() {
    let gate = gate().await;
    let mut stream = connect(&gate).await;
    gate.handle().set_mode(GateMode::Stall);
    stream.write_all(b"are you there?").await.unwrap();
    let silence = timeout(Duration::from_millis(200), stream.read(&mut [0; 16])).await;
    assert!(silence.is_err(), "{silence:?}");
    // New connections are taken, and as silent.
    let mut late = TcpStream::connect(gate.address()).await.unwrap();
    assert!(
        timeout(Duration::from_millis(100), late.read(&mut [0; 16]))
            .await
            .is_err()
    );
    gate.handle().set_mode(GateMode::Forward);
    assert_eq!(read(&mut stream, 14).await, b"are you there?");
    assert_eq!(read(&mut late, 1).await, b"a");
}

#[tokio::test]
async fn rate_and_delay_are_kept() {
    let gate = gate().await;
    let mut stream = connect(&gate).await;
    gate.handle().set_rate(Some(100_000));
    let start = Instant::now();
    stream.write_all(&vec![7; 20_000]).await.unwrap();
    read(&mut stream, 20_000).await;
    // 20 kB at 100 kB/s, the way back overlapping: 0.2 s at least.
    assert!(
        start.elapsed() >= Duration::from_millis(195),
        "{:?}",
        start.elapsed()
    );
    gate.handle().set_rate(None);
    gate.handle().set_delay(Duration::from_millis(60));
    let start = Instant::now();
    stream.write_all(b"x").await.unwrap();
    read(&mut stream, 1).await;
    assert!(
        start.elapsed() >= Duration::from_millis(120),
        "{:?}",
        start.elapsed()
    );
}

#[tokio::test]
async fn the_target_can_move_and_be_absent() {
    let gate = gate().await;
    gate.handle().set_target(echo("b").await);
    let mut stream = TcpStream::connect(gate.address()).await.unwrap();
    assert_eq!(read(&mut stream, 1).await, b"b");
    let nobody = Gate::open(gate.address()).unwrap();
    gate.handle().set_mode(GateMode::Refuse);
    until("the target refuses", || {
        std::net::TcpStream::connect(gate.address()).is_err()
    })
    .await;
    let mut stream = TcpStream::connect(nobody.address()).await.unwrap();
    ends(&mut stream).await;
}

#[tokio::test]
async fn dropping_it_closes_everything() {
    let gate = gate().await;
    let address = gate.address();
    let mut stream = connect(&gate).await;
    drop(gate);
    ends(&mut stream).await;
    until("the port is closed", || {
        std::net::TcpStream::connect(address).is_err()
    })
    .await;
}
