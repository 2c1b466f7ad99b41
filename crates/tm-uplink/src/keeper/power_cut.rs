//! The power fails after every single operation on either disk, in the midst of the whole uplink at work, and no
//! message that was acknowledged to the bus is missing at the cloud in the end.
//!
//! What works here is what ships: the keeper's work, its rules, both journals, the encoders and the scheduler; only
//! their thread and their sockets are left out. The run has commits, acknowledgements, segments, cursors, a quota that
//! is reached while the cloud is away, lost connections on both sides, and restarts. Two negative tests show that a loss is seen.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value as Json;
use tm_columns::Dictionaries;
use tm_journal::{Class, Config, Journal, MemoryDisk};
use tm_service::session::{Incoming, Qos, Receipt};
use tm_service::{Clock, ManualClock};
use tm_types::{BootId, Clock as Quality, Stamp, Timestamp};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::work::Work;
use super::{Answer, Command, Journals};
use crate::anchors::Anchors;
use crate::config::Payload;
use crate::outlet::{BATCH_BYTES, Terms, Thinning};
use crate::schedule::{Body, Effect, Event, Message, Rules, Scheduler};

/// The smallest segments there are: one holds some fifteen polls.
const CONFIG: Config = Config {
    quota_bytes: 1024 * 1024,
    segment_bytes: 16 * 1024,
    memory_bytes: 64 * 1024,
};
/// A quota that an outage reaches: some eighty polls.
const SMALL_QUOTA: u64 = 96 * 1024;
const RULES: Rules = Rules {
    batch: Duration::from_secs(5),
    batch_bytes: BATCH_BYTES as u64,
    window: 6,
    window_bytes: usize::MAX,
    unsettled: usize::MAX,
    stalled_after: Duration::from_secs(30),
};
const STEPS: usize = 120;
/// Pairs of disks that are looked at after each cut.
const IMAGES: usize = 3;
/// Unacknowledged messages that the bus gives out.
const WINDOW: usize = 20;

/// What is published: polls with a number, and events with one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Publication {
    Poll(u64),
    Event(u64),
}

impl Publication {
    fn incoming(self, receipt: Option<Receipt>) -> Incoming {
        let (topic, payload) = match self {
            Self::Poll(n) => {
                let text = |i| format!(r#",{{"name":"text-{i}","value":"{n}{}"}}"#, "x".repeat(50));
                let texts: String = (0..n % 40).map(text).collect();
                let payload = format!(
                    r#"{{"run":"00000001","n":{n},"time":"2026-11-22T10:00:00Z","mono_ms":{n},"boot":"00c0ffee","clock":"ntp","err_ms":1,"points":[{{"name":"count","value":{n}}}{texts}]}}"#
                );
                ("tm/v1/data/tank", payload)
            }
            Self::Event(n) => ("tm/v1/event/door", format!(r#"{{"number":{n}}}"#)),
        };
        Incoming {
            topic: topic.to_owned(),
            payload: payload.into(),
            qos: Qos::AtLeastOnce,
            retain: false,
            receipt,
        }
    }
}

/// Keeps what it was not told is safe.
#[derive(Default, Clone)]
struct Bus {
    kept: VecDeque<Publication>,
    /// How many of them are out on this connection.
    out: usize,
    connection: u64,
    acknowledged: BTreeSet<Publication>,
}

/// What reached the far end, under which key.
#[derive(Default, Clone)]
struct Cloud {
    keys: BTreeMap<(Class, String, u64), Publication>,
    /// On the way, and received but not acknowledged.
    wire: VecDeque<(u64, Bytes)>,
    received: VecDeque<u64>,
    /// Whether it can be reached, and whether the connection stands.
    is_up: bool,
    is_connected: bool,
    dictionaries: Dictionaries,
}

#[derive(Clone, Copy, PartialEq)]
enum Acknowledge {
    ByTheRules,
    OnArrival,
}

struct World {
    config: Config,
    disks: [MemoryDisk; 2],
    clock: Clock,
    hand: ManualClock,
    work: Work<MemoryDisk>,
    answers: UnboundedReceiver<Answer>,
    scheduler: Scheduler,
    bus: Bus,
    cloud: Cloud,
    mode: Acknowledge,
    published: Vec<Publication>,
    /// Records that the quota took, and that could not be read, as the uplink reports them.
    dropped: u64,
    damaged: u64,
    restarts: u64,
}

impl World {
    /// An uplink on these disks, between a bus and a cloud as they stand.
    fn start(
        config: Config,
        disks: [MemoryDisk; 2],
        bus: Bus,
        cloud: Cloud,
        mode: Acknowledge,
    ) -> Self {
        let (clock, hand) = Clock::manual(Stamp {
            time: Timestamp::of_unix_ms(1_790_000_000_000),
            mono_ms: 5_000,
            boot: BootId(0x00c0_ffee),
            clock: Quality::Ntp,
            err_ms: Some(1),
        });
        let (work, answers, scheduler) = uplink(config, &disks, &clock);
        let mut world = Self {
            config,
            disks,
            clock,
            hand,
            work,
            answers,
            scheduler,
            bus,
            cloud,
            mode,
            published: Vec::new(),
            dropped: 0,
            damaged: 0,
            restarts: 0,
        };
        world.begin();
        world
    }

    /// Both connections are made.
    fn begin(&mut self) {
        self.connect_bus();
        self.lose_cloud();
        self.connect_cloud();
    }

    fn is_powered(&self) -> bool {
        self.disks[0].is_powered()
    }

    fn tell(&mut self, command: Command) {
        if self.is_powered() {
            self.work.on(command);
        }
    }

    fn schedule(&mut self, event: Event) {
        let mut effects = Vec::new();
        self.scheduler.on(event, self.clock.mono(), &mut effects);
        for effect in effects {
            match effect {
                Effect::Prepare(request) => self.tell(Command::Prepare(request)),
                Effect::Settle { class, records } => self.tell(Command::Settled(class, records)),
                Effect::Send {
                    ticket,
                    class,
                    message:
                        Message {
                            records, payload, ..
                        },
                } => {
                    if !records.is_empty() {
                        self.tell(Command::Sent(class, records));
                    }
                    let Body::Whole(payload) = payload else {
                        panic!("columns are one message each")
                    };
                    self.cloud.wire.push_back((ticket, payload));
                }
                Effect::Stalled => self.lose_cloud(),
            }
        }
    }

    /// What is due is done, and what was said is heard, until all is quiet.
    fn settle(&mut self) {
        loop {
            if self.is_powered() {
                self.work.commit_due();
            }
            if self.is_powered() {
                self.work.flush();
            }
            // What was said before the power went may have been heard.
            let mut answers = Vec::new();
            while let Ok(answer) = self.answers.try_recv() {
                answers.push(answer);
            }
            if answers.is_empty() {
                return;
            }
            for answer in answers {
                self.hear(answer);
            }
        }
    }

    fn hear(&mut self, answer: Answer) {
        match answer {
            Answer::Acknowledge {
                connection,
                receipts,
            } if connection == self.bus.connection => {
                for _ in receipts {
                    self.bus.out -= 1;
                    let message = self.bus.kept.pop_front().expect("it was out");
                    self.bus.acknowledged.insert(message);
                }
            }
            Answer::Reconnect => self.connect_bus(),
            Answer::Committed { class, end, bytes } => {
                self.schedule(Event::Committed { class, end, bytes });
            }
            Answer::Gone(class, records) => self.schedule(Event::Gone { class, records }),
            Answer::Prepared(prepared) => self.schedule(Event::Prepared(prepared)),
            Answer::Report(report) => {
                self.dropped = report.journal.records_dropped;
                self.damaged = report.journal.records_damaged;
            }
            _ => {}
        }
    }

    fn connect_bus(&mut self) {
        self.tell(Command::Disconnected);
        self.bus.out = 0;
        self.bus.connection += 1;
        self.tell(Command::Connected(self.bus.connection));
    }

    fn connect_cloud(&mut self) {
        if self.cloud.is_up && !self.cloud.is_connected {
            self.cloud.is_connected = true;
            self.schedule(Event::Up);
        }
        self.settle();
    }

    fn lose_cloud(&mut self) {
        self.cloud.is_connected = false;
        self.cloud.wire.clear();
        self.cloud.received.clear();
        self.tell(Command::CloudLost);
        self.schedule(Event::Down);
    }

    fn publish(&mut self, messages: impl IntoIterator<Item = Publication>) {
        for message in messages {
            self.published.push(message);
            self.bus.kept.push_back(message);
        }
    }

    /// The bus gives out what its window allows.
    fn deliver(&mut self, most: usize) {
        let mut messages = Vec::new();
        while messages.len() < most && self.bus.out < WINDOW.min(self.bus.kept.len()) {
            let message = self.bus.kept[self.bus.out];
            let receipt = Receipt::for_test(self.bus.connection, 1);
            if self.mode == Acknowledge::OnArrival {
                self.bus.kept.remove(self.bus.out);
                self.bus.acknowledged.insert(message);
                messages.push(message.incoming(None));
            } else {
                self.bus.out += 1;
                messages.push(message.incoming(Some(receipt)));
            }
        }
        self.tell(Command::Messages(messages));
    }

    /// The cloud receives what is on the way, and acknowledges what it has.
    fn carry(&mut self, received: usize, acknowledged: usize) {
        for _ in 0..received {
            let Some((ticket, payload)) = self.cloud.wire.pop_front() else {
                break;
            };
            self.cloud.take(&payload);
            self.cloud.received.push_back(ticket);
        }
        for _ in 0..acknowledged {
            let Some(ticket) = self.cloud.received.pop_front() else {
                break;
            };
            self.schedule(Event::Acked { ticket });
        }
    }

    fn wait(&mut self, time: Duration) {
        self.hand.advance(time);
        if self.is_powered() {
            self.work.decide(tm_journal::Event::Tick);
        }
        self.schedule(Event::Tick);
    }

    /// A new process over the files as they are.
    fn restart(&mut self) {
        let (work, answers, scheduler) = uplink(self.config, &self.disks, &self.clock);
        (self.work, self.answers, self.scheduler) = (work, answers, scheduler);
        self.restarts += 1;
        self.begin();
    }

    fn play(&mut self, seed: u64, is_cloud_away: bool) {
        let mut random = fastrand::Rng::with_seed(seed);
        let (mut n_polls, mut n_events) = (0, 0);
        for step in 0..STEPS {
            if !self.is_powered() {
                return;
            }
            match random.u8(..20) {
                0..6 => {
                    let polls = random.u64(1..8);
                    self.publish((n_polls..n_polls + polls).map(Publication::Poll));
                    n_polls += polls;
                    if random.bool() {
                        self.publish([Publication::Event(n_events)]);
                        n_events += 1;
                    }
                }
                6..11 => self.deliver(random.usize(1..12)),
                11..14 => self.carry(random.usize(..4), random.usize(..4)),
                14..18 => self.wait(Duration::from_millis(random.u64(1..3_000))),
                18 => self.connect_bus(),
                _ if random.bool() => self.restart(),
                _ => self.lose_cloud(),
            }
            // Up, then away for so long that the quota is reached, then up again.
            let is_up = !is_cloud_away || !(STEPS / 4..STEPS * 3 / 4).contains(&step);
            if is_up != self.cloud.is_up {
                self.cloud.is_up = is_up;
                self.lose_cloud();
            }
            self.connect_cloud();
        }
    }

    /// Everything goes on until all is delivered.
    fn finish(&mut self) {
        self.cloud.is_up = true;
        let (mut idle, mut rounds) = (0, 0);
        // The cloud has what it gets, once a batch's time has passed twice without another.
        while idle < 5 {
            rounds += 1;
            assert!(rounds < 500, "{:?} stay with the bus", self.bus.kept);
            self.connect_cloud();
            self.deliver(WINDOW);
            self.settle();
            self.wait(Duration::from_secs(2));
            self.settle();
            let is_idle = self.bus.kept.is_empty() && self.cloud.wire.is_empty();
            idle = if is_idle { idle + 1 } else { 0 };
            self.carry(usize::MAX, usize::MAX);
            self.settle();
        }
        self.tell(Command::Report);
        self.settle();
    }
}

fn uplink(
    config: Config,
    disks: &[MemoryDisk; 2],
    clock: &Clock,
) -> (Work<MemoryDisk>, UnboundedReceiver<Answer>, Scheduler) {
    let [urgent, data] = disks
        .clone()
        .map(|disk| Journal::open(disk, config).expect("a disk that can be read"));
    let journals = Journals {
        urgent,
        data,
        quota_bytes: 2 * config.quota_bytes,
    };
    let terms = Terms {
        device: "test".into(),
        topic_names_device: true,
        payload: Payload::Columns,
        has_dictionary: true,
        is_ring: false,
        thinning: Thinning::default(),
    };
    let (said, answers) = unbounded_channel();
    let (work, start) = Work::new(
        journals,
        None,
        terms,
        clock.clone(),
        1_000,
        Anchors::default(),
        said,
    );
    let scheduler = Scheduler::new(RULES, start.urgent, start.data);
    (work, answers, scheduler)
}

impl Cloud {
    fn take(&mut self, payload: &[u8]) {
        if payload.starts_with(b"{") {
            let line: Json = serde_json::from_slice(payload).unwrap();
            let stream = line["stream"].as_str().unwrap().to_owned();
            let key = (Class::Urgent, stream, line["seq"].as_u64().unwrap());
            let n = line["payload"]["number"].as_u64().unwrap();
            return self.note(key, Publication::Event(n));
        }
        let batch = self.dictionaries.decode(payload).unwrap();
        for record in batch.records {
            let n = record.poll.sequence.unwrap().n;
            let key = (Class::Data, batch.header.stream.clone(), record.seq);
            self.note(key, Publication::Poll(n));
        }
    }

    fn note(&mut self, key: (Class, String, u64), publication: Publication) {
        let known = self.keys.entry(key).or_insert(publication);
        assert_eq!(*known, publication, "one key, two messages");
    }
}

/// What is wrong at the far end once everything has gone on, if anything.
fn violation(world: &World) -> Result<(), String> {
    let arrived: Vec<Publication> = world.cloud.keys.values().copied().collect();
    let distinct: BTreeSet<Publication> = arrived.iter().copied().collect();
    let missing: Vec<&Publication> = world
        .published
        .iter()
        .filter(|message| !distinct.contains(message))
        .collect();
    // The quota may take records, and then it says how many.
    if missing.len() as u64 > world.dropped {
        let acknowledged = missing
            .iter()
            .filter(|message| world.bus.acknowledged.contains(message));
        return Err(format!(
            "{missing:?} are lost, {} of them acknowledged to the bus; the quota took {}",
            acknowledged.count(),
            world.dropped
        ));
    }
    if world.damaged > 0 {
        return Err(format!("{} records are called damaged", world.damaged));
    }
    let is_poll = |message: &&Publication| matches!(message, Publication::Poll(_));
    let (polls, distinct) = (
        arrived.iter().filter(is_poll),
        distinct.iter().filter(is_poll),
    );
    if polls.count() != distinct.count() {
        return Err("a poll came under two keys".to_owned());
    }
    // Within a stream, the numbers follow the order of the source.
    // An event has no number of its own by which the uplink could know it again.
    let streams = world.cloud.keys.iter();
    let streams = streams.map(|((class, stream, _), message)| ((class, stream), message));
    let streams = streams.filter(|(_, message)| is_poll(message));
    let mut last = BTreeMap::new();
    for (stream, message) in streams {
        match last.insert(stream, message) {
            Some(before) if before >= message => {
                return Err(format!("{message:?} came after {before:?}"));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Cuts the power after every operation of the run; how many there were, or the first violation.
fn cut_everywhere(
    seed: u64,
    is_cloud_away: bool,
    mode: Acknowledge,
    lies: bool,
) -> Result<usize, String> {
    let mut config = CONFIG;
    if is_cloud_away {
        config.quota_bytes = SMALL_QUOTA;
    }
    for operations in 0.. {
        let urgent = MemoryDisk::new();
        let disks = [urgent.clone(), urgent.beside()];
        if lies {
            disks.iter().for_each(MemoryDisk::lie_about_syncs);
        }
        urgent.cut_power_after(operations);
        let cloud = Cloud {
            is_up: true,
            ..Cloud::default()
        };
        let mut world = World::start(config, disks, Bus::default(), cloud, mode);
        world.play(seed, is_cloud_away);
        if world.is_powered() {
            urgent.cut_power_after(usize::MAX);
            world.finish();
            violation(&world)?;
            // The run was whole, and had all in it that can go wrong.
            assert_eq!(world.dropped > 0, is_cloud_away);
            let (restarts, keys) = (world.restarts, world.cloud.keys.len());
            assert!(
                restarts > 0 && keys > 100,
                "{restarts} restarts, {keys} keys"
            );
            return Ok(operations);
        }
        let images = world.disks.clone().map(|disk| {
            let images = disk.power_cut_images(seed + operations as u64, IMAGES);
            images.into_iter().cycle()
        });
        let [urgent, data] = images;
        for (index, (urgent, data)) in urgent.zip(data).take(IMAGES).enumerate() {
            // Where there are fewer images of one disk, one stands beside several of the other, each time as it was.
            let disks = [urgent.copy(), data.copy()];
            let mut after =
                World::start(config, disks, world.bus.clone(), world.cloud.clone(), mode);
            after.published.clone_from(&world.published);
            after.finish();
            violation(&after)
                .map_err(|error| format!("cut after {operations}, image {index}: {error}"))?;
        }
    }
    Ok(0)
}

#[test]
fn every_power_cut_of_a_run_loses_nothing_that_was_acknowledged() {
    let operations = cut_everywhere(1, false, Acknowledge::ByTheRules, false).unwrap();
    assert!(operations > 80, "{operations}");
}

#[test]
fn every_power_cut_of_a_run_that_reaches_the_quota_loses_nothing_uncounted() {
    let operations = cut_everywhere(2, true, Acknowledge::ByTheRules, false).unwrap();
    assert!(operations > 80, "{operations}");
}

#[test]
fn acknowledging_before_the_commit_is_found_out() {
    let violation = cut_everywhere(1, false, Acknowledge::OnArrival, false).unwrap_err();
    assert!(violation.contains("are lost"), "{violation}");
}

#[test]
fn a_disk_that_lies_about_syncs_is_found_out() {
    let violation = cut_everywhere(1, false, Acknowledge::ByTheRules, true).unwrap_err();
    assert!(
        ["are lost", "damaged", "two keys"]
            .iter()
            .any(|loss| violation.contains(loss)),
        "{violation}"
    );
}
