//! How many messages a second the session module carries through a broker, publisher and subscriber
//! in one process: `cargo run --release --example session_throughput -- mqtt://127.0.0.1:1883 500000`.

use std::time::{Duration, Instant};

use bytes::Bytes;
use tm_service::session::{NotTaken, Options, Outgoing, Qos, Session, SessionEvent};

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().expect("the broker's address");
    let count: u64 = arguments
        .next()
        .map_or(500_000, |n| n.parse().expect("a count"));
    let size: usize = arguments
        .next()
        .map_or(200, |n| n.parse().expect("a payload size"));
    let address: tm_service::session::Address = address.parse().expect("mqtt://host:port");

    let mut ingest = Session::open(Options {
        manual_acks: true,
        subscriptions: vec![("throughput".to_owned(), Qos::AtLeastOnce)],
        ..Options::new("throughput-in", address.clone())
    });
    let mut publisher = Session::open(Options {
        window: 1000,
        ..Options::new("throughput-out", address)
    });
    while !matches!(ingest.next().await, SessionEvent::Up { .. }) {}
    while !matches!(publisher.next().await, SessionEvent::Up { .. }) {}
    tokio::time::sleep(Duration::from_millis(200)).await;

    let start = Instant::now();
    let receive = async {
        let acknowledger = ingest.acknowledger();
        let mut received = 0_u64;
        while received < count {
            if let SessionEvent::Message(message) = ingest.next().await {
                received += 1;
                if let Some(receipt) = message.receipt {
                    acknowledger.acknowledge(receipt);
                }
            }
        }
        start.elapsed()
    };
    let publish = async {
        let payload = Bytes::from(vec![b'x'; size]);
        let (mut fed, mut acked) = (0, 0);
        while acked < count {
            while fed < count {
                let message = Outgoing {
                    token: fed,
                    topic: "throughput".to_owned(),
                    payload: payload.clone(),
                    qos: Qos::AtLeastOnce,
                    retain: false,
                };
                match publisher.feed(message) {
                    Ok(()) => fed += 1,
                    Err(NotTaken::Full(_)) => break,
                    Err(other) => panic!("{other:?}"),
                }
            }
            let mut event = Some(publisher.next().await);
            while let Some(now) = event {
                match now {
                    SessionEvent::Acked(_) => acked += 1,
                    other => panic!("{other:?}"),
                }
                event = publisher.try_next();
            }
        }
        start.elapsed()
    };
    let (received, acked) = tokio::join!(receive, publish);
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    let rate = |took: Duration| (count as f64 / took.as_secs_f64()).round();
    tracing_subscriber::fmt().init();
    tracing::info!(
        count,
        size,
        published_per_s = rate(acked),
        received_per_s = rate(received),
        "done"
    );
}
