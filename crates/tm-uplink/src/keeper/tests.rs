//! The keeper on a disk that fails: what is acknowledged to the bus, and when.

use std::time::Duration;

use bytes::Bytes;
use tm_journal::memory_disk::{Call, Fault};
use tm_journal::{Config, Journal, MemoryDisk};
use tm_service::session::{Options, Outgoing, Qos, Session, SessionEvent};
use tm_sim::broker::Broker;

use super::*;
use crate::config::Payload;

/// Longer than anything here takes.
const DEADLINE: Duration = Duration::from_secs(30);
/// `EIO`.
const INPUT_OUTPUT_ERROR: i32 = 5;

/// A keeper on disks in memory, and messages with real receipts.
struct Bench {
    keeper: Keeper,
    data: MemoryDisk,
    ingest: Session,
    source: Session,
    seen: Vec<Answer>,
    next: u64,
}

impl Bench {
    async fn start() -> Self {
        let broker = Broker::start().unwrap();
        let address = || broker.url().parse().unwrap();
        let mut options = Options::new("ingest", address());
        options.manual_acks = true;
        options.subscriptions = vec![("tm/#".to_owned(), Qos::AtLeastOnce)];
        let (mut ingest, mut source) = (
            Session::open(options),
            Session::open(Options::new("source", address())),
        );
        for session in [&mut ingest, &mut source] {
            while !matches!(session.next().await, SessionEvent::Up { .. }) {}
        }
        let data = MemoryDisk::new();
        let journals = Journals::open(MemoryDisk::new(), data.clone(), 64 << 20).unwrap();
        let terms = Terms {
            has_dictionary: true,
            device: "test".into(),
            topic_names_device: true,
            payload: Payload::Columns,
            thinning: crate::outlet::Thinning::default(),
            is_ring: false,
        };
        let (keeper, _) = Keeper::start(
            journals,
            None,
            terms,
            Clock::system(),
            20,
            crate::anchors::Anchors::default(),
        )
        .unwrap();
        keeper.tell(Command::Connected(1));
        Self {
            keeper,
            data,
            ingest,
            source,
            seen: Vec::new(),
            next: 0,
        }
    }

    /// Publishes messages with so many texts of 60 characters in them, and hands them to the keeper.
    async fn receive(&mut self, count: u64, texts: usize) {
        for n in self.next..self.next + count {
            let text = |i| format!(r#",{{"name":"t{i}","value":"{}"}}"#, "x".repeat(60));
            let texts: String = (0..texts).map(text).collect();
            let payload = format!(
                r#"{{"run":"00000001","n":{n},"points":[{{"name":"a","value":{n}}}{texts}]}}"#
            );
            let message = Outgoing {
                token: n,
                topic: "tm/v1/data/a".into(),
                payload: payload.into(),
                qos: Qos::AtLeastOnce,
                retain: false,
            };
            self.source.feed(message).unwrap();
        }
        self.next += count;
        let mut messages = Vec::new();
        while (messages.len() as u64) < count {
            if let SessionEvent::Message(message) = self.ingest.next().await {
                messages.push(message);
            }
        }
        self.keeper.tell(Command::Messages(messages));
    }

    /// Collects answers until there is one as is wanted.
    async fn until(&mut self, what: &str, is_it: impl Fn(&[Answer]) -> bool) {
        let wait = async {
            while !is_it(&self.seen) {
                self.seen.push(self.keeper.next().await.unwrap());
            }
        };
        tokio::time::timeout(DEADLINE, wait)
            .await
            .unwrap_or_else(|_| panic!("{what} never came"));
    }

    fn acknowledged(&self) -> usize {
        acknowledged(&self.seen)
    }
}

fn acknowledged(answers: &[Answer]) -> usize {
    let receipts = |answer: &Answer| match answer {
        Answer::Acknowledge {
            connection: 1,
            receipts,
        } => receipts.len(),
        _ => 0,
    };
    answers.iter().map(receipts).sum()
}

fn readable(answers: &[Answer]) -> u64 {
    let end = |answer: &Answer| match answer {
        Answer::Committed {
            class: Class::Data,
            end,
            ..
        } => Some(*end),
        _ => None,
    };
    answers.iter().rev().find_map(end).unwrap_or(0)
}

fn trouble(answers: &[Answer]) -> Option<&Cause> {
    let report = |answer: &'_ Answer| match answer {
        Answer::Report(report) => Some(report.trouble.clone()),
        _ => None,
    };
    answers
        .iter()
        .rev()
        .find(|answer| report(answer).is_some())
        .and_then(|answer| match answer {
            Answer::Report(report) => report.trouble.as_ref(),
            _ => None,
        })
}

/// The records that an opening after a power cut would find, in the worst of several cases.
fn survivors(disk: &MemoryDisk) -> u64 {
    let images = disk.power_cut_images(7, 16);
    let end = |image: MemoryDisk| {
        Journal::open(image, Config::with_quota(64 << 20))
            .unwrap()
            .1
            .end
    };
    images.into_iter().map(end).min().unwrap()
}

#[tokio::test]
async fn what_is_acknowledged_survives_a_power_cut_in_that_moment() {
    let mut bench = Bench::start().await;
    for round in 1..=5 {
        bench.receive(10, 0).await;
        let due = round * 10;
        bench
            .until("the acknowledgements", |seen| acknowledged(seen) >= due)
            .await;
        assert!(survivors(&bench.data) >= due as u64);
    }
}

#[tokio::test]
async fn a_failing_disk_withholds_every_acknowledgement_until_the_cloud_has_the_message() {
    let mut bench = Bench::start().await;
    bench
        .data
        .set_fault(Call::Sync, Some(Fault::Error(INPUT_OUTPUT_ERROR)));
    bench.receive(10, 0).await;
    bench
        .until("the trouble", |seen| trouble(seen).is_some())
        .await;
    assert_eq!(trouble(&bench.seen).unwrap().code, "journal.disk_failing");
    bench
        .until("the records in memory", |seen| readable(seen) == 10)
        .await;
    assert_eq!(bench.acknowledged(), 0);
    bench.keeper.tell(Command::Sent(Class::Data, 0..10));
    bench.keeper.tell(Command::Settled(Class::Data, 0..4));
    bench
        .until("four acknowledgements", |seen| acknowledged(seen) == 4)
        .await;
    bench.data.set_fault(Call::Sync, None);
    // The journal tries by itself, and what memory still holds is on flash then.
    bench
        .until("the disk's return", |seen| {
            acknowledged(seen) == 10 && trouble(seen).is_none()
        })
        .await;
}

#[tokio::test]
async fn what_memory_cannot_hold_is_left_to_the_bus_and_fetched_again() {
    let mut bench = Bench::start().await;
    bench
        .data
        .set_fault(Call::Sync, Some(Fault::Error(INPUT_OUTPUT_ERROR)));
    bench.receive(1, 0).await;
    bench
        .until("the trouble", |seen| trouble(seen).is_some())
        .await;
    for _ in 0..15 {
        // 15 of about 74 KiB do not fit 1 MiB.
        bench.receive(1, 1200).await;
    }
    bench.keeper.tell(Command::Report);
    bench
        .until("everything to be looked at", |seen| {
            let taken = seen
                .iter()
                .filter(|answer| matches!(answer, Answer::Taken { .. }))
                .count();
            taken == 16
        })
        .await;
    assert_eq!(bench.acknowledged(), 0);
    let held = readable(&bench.seen);
    assert!((10..16).contains(&held), "{held} of 16 records are held");
    bench.keeper.tell(Command::Sent(Class::Data, 0..held));
    bench.keeper.tell(Command::Settled(Class::Data, 0..held));
    let is_reconnect = |answer: &Answer| matches!(answer, Answer::Reconnect);
    bench
        .until("a new connection", |seen| seen.iter().any(is_reconnect))
        .await;
    assert_eq!(
        bench.acknowledged() as u64,
        held,
        "the others are the broker's still"
    );
}

#[tokio::test]
async fn dropping_the_keeper_writes_what_is_settled() {
    let mut bench = Bench::start().await;
    bench.receive(10, 0).await;
    bench
        .until("the acknowledgements", |seen| acknowledged(seen) == 10)
        .await;
    bench.keeper.tell(Command::Settled(Class::Data, 0..7));
    let Bench { keeper, data, .. } = bench;
    drop(keeper);
    let (_, recovered) = Journal::open(data.copy(), Config::with_quota(64 << 20)).unwrap();
    assert_eq!((recovered.cursor.low(), recovered.end), (7, 10));
}

#[tokio::test]
async fn bytes_that_are_no_message_are_told_and_let_go() {
    let mut bench = Bench::start().await;
    let message = Outgoing {
        token: 0,
        topic: "tm/v1/data/a".into(),
        payload: Bytes::from_static(b"\xff\x00"),
        qos: Qos::AtLeastOnce,
        retain: false,
    };
    bench.source.feed(message).unwrap();
    let SessionEvent::Message(message) = bench.ingest.next().await else {
        panic!("no message")
    };
    let oversized = Incoming {
        payload: vec![b'['; sort::MESSAGE_MAX + 1].into(),
        ..message.clone()
    };
    bench
        .keeper
        .tell(Command::Messages(vec![message, oversized]));
    bench.until("both", |seen| acknowledged(seen) == 2).await;
    let codes: Vec<String> = bench
        .seen
        .iter()
        .filter_map(|answer| match answer {
            Answer::Event(_, cause) => Some(cause.code.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(
        codes,
        ["uplink.unreadable_message", "uplink.oversized_message"]
    );
}
