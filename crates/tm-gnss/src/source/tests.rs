//! What `auto` finds, and in which order, on streams in memory.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tm_service::port::{OpenError, Opened, Opener, Opening, PortEvent, PortUrl};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::time::{Instant, timeout};

use super::*;

/// Streams by URL; everything else is refused. Remembers what was asked for.
#[derive(Default)]
struct Machine {
    streams: Mutex<HashMap<String, DuplexStream>>,
    asked: Mutex<Vec<String>>,
}

impl Machine {
    /// A peer at `url`: the far end.
    fn plug(&self, url: &str) -> DuplexStream {
        let (near, far) = duplex(4096);
        self.streams.lock().unwrap().insert(url.to_owned(), near);
        far
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

impl Opener for Machine {
    fn begin(&self, url: &PortUrl) -> Opening {
        let name = url.to_string();
        self.asked.lock().unwrap().push(name.clone());
        let stream = self.streams.lock().unwrap().remove(&name);
        Box::pin(async move {
            let port = Box::new(stream.ok_or(OpenError::Refused)?);
            Ok(Opened { port, name })
        })
    }
}

fn auto(machine: &Arc<Machine>) -> Source {
    Source::new(&"auto".parse().unwrap(), machine.clone(), false)
}

async fn asked_for(far: &mut DuplexStream) -> Vec<u8> {
    let mut bytes = vec![0; WATCH.len()];
    far.read_exact(&mut bytes).await.unwrap();
    bytes
}

#[tokio::test(start_paused = true)]
async fn a_gpsd_is_found_before_a_receiver_and_is_asked_for_sentences() {
    let machine = Arc::new(Machine::default());
    let mut gpsd = machine.plug("tcp://localhost:2947");
    let _receiver = machine.plug("usb:1546:01a8:00");
    let mut source = auto(&machine);
    let opened = PortEvent::Opened("gpsd://localhost:2947".to_owned());
    assert_eq!(source.next().await, opened);
    assert_eq!(machine.asked(), ["tcp://gpsd:2947", "tcp://localhost:2947"]);
    tokio::select! {
        event = source.next() => panic!("{event:?}"),
        watch = asked_for(&mut gpsd) => assert_eq!(watch, WATCH),
    }
    gpsd.write_all(b"{\"class\":\"VERSION\"}\r\n")
        .await
        .unwrap();
    assert!(matches!(source.next().await, PortEvent::Bytes(_)));
}

#[tokio::test(start_paused = true)]
async fn a_place_that_says_nothing_gives_way_to_the_next() {
    let machine = Arc::new(Machine::default());
    let _mute = machine.plug("tcp://gpsd:2947");
    let mut receiver = machine.plug("usb:1546:01a8:00");
    let mut source = auto(&machine);
    let opened = |name: &str| PortEvent::Opened(name.to_owned());
    assert_eq!(source.next().await, opened("gpsd://gpsd:2947"));
    source.reopen();
    assert_eq!(source.next().await, opened("usb:1546:01a8:00"));
    receiver.write_all(b"$GP").await.unwrap();
    assert_eq!(source.next().await, PortEvent::Bytes(b"$GP".to_vec()));
    // What had sent and is lost may be back soon, anywhere.
    drop(receiver);
    assert!(matches!(source.next().await, PortEvent::Lost(_)));
    let _back = machine.plug("usb:1546:01a8:00");
    let lost = Instant::now();
    assert_eq!(source.next().await, opened("usb:1546:01a8:00"));
    assert!(lost.elapsed() < Duration::from_secs(5));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_looked_for_while_a_relay_is_heard() {
    let machine = Arc::new(Machine::default());
    let mut source = auto(&machine);
    for _ in 0..60 {
        assert!(
            timeout(Duration::from_secs(1), source.next())
                .await
                .is_err()
        );
        source.on_relayed();
    }
    assert_eq!(machine.asked(), [""; 0]);
    // The relay falls silent; half a minute later a round is made, and then one in each half minute.
    assert!(
        timeout(Duration::from_secs(89), source.next())
            .await
            .is_err()
    );
    assert_eq!(machine.asked().len(), 2 * 9);
    let _receiver = machine.plug("usb:0e8d:3329:00");
    assert!(matches!(source.next().await, PortEvent::Opened(_)));
}

#[tokio::test(start_paused = true)]
async fn the_bus_alone_opens_nothing() {
    let machine = Arc::new(Machine::default());
    let mut source = Source::new(&SourceSetting::Bus, machine.clone(), false);
    assert!(
        timeout(Duration::from_hours(1), source.next())
            .await
            .is_err()
    );
    assert_eq!(machine.asked(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn who_serves_does_not_ask_himself() {
    let machine = Arc::new(Machine::default());
    let _itself = machine.plug("tcp://localhost:2947");
    let mut receiver = machine.plug("usb:0e8d:3329:00");
    let mut source = Source::new(&SourceSetting::Auto, machine.clone(), true);
    let opened = PortEvent::Opened("usb:0e8d:3329:00".to_owned());
    assert_eq!(source.next().await, opened);
    receiver.write_all(b"$").await.unwrap();
    assert!(matches!(source.next().await, PortEvent::Bytes(_)));
    assert!(!machine.asked().contains(&"tcp://localhost:2947".to_owned()));
}
