//! The whole path in one place: a broker, the rules, the journals, a cloud, and every kind of trouble between them.
//!
//! The broker keeps what it was not told is safe, and sends it again over a new connection. The uplink here is the
//! least one that obeys the rules. In the end the cloud has every message, and after dropping repetitions, once.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Range;

use crate::common::{poll, source};
use tm_journal::memory_disk::{Call, Fault};
use tm_journal::{
    Admission, AppendError, Class, Commit, Config, Effect, Event, Journal, MemoryDisk, NoDisk,
    Reader, Rules, Timing,
};
use tm_types::{Reading, Value};

const CONFIG: Config = Config {
    quota_bytes: 4 << 20,
    segment_bytes: 16 * 1024,
    memory_bytes: 3000,
};
const TIMING: Timing = Timing {
    commit_ms: 1000,
    commit_bytes: 2000,
    cursor_ms: 10_000,
    cursor_idle_ms: 30_000,
    memory_bytes: 3000,
};
/// How many messages the broker sends without an acknowledgement.
const WINDOW: usize = 30;

/// Takes messages from publishers, for ever, and gives them to the uplink.
#[derive(Default)]
struct Broker {
    /// Not acknowledged, in order.
    kept: VecDeque<u64>,
    /// How many of them are out on this connection: packet ids and messages.
    out: VecDeque<(u16, u64)>,
    packet: u16,
}

/// What reached the other side, by key; and the messages in it.
#[derive(Default)]
struct Cloud {
    keys: BTreeMap<(String, u64), u64>,
    messages: BTreeSet<u64>,
    /// Sent, not yet acknowledged.
    waiting: VecDeque<Range<u64>>,
}

struct World {
    random: fastrand::Rng,
    now_ms: u64,
    disk: MemoryDisk,
    broker: Broker,
    cloud: Cloud,
    uplink: Uplink,
    dropped: u64,
}

struct Uplink {
    rules: Rules,
    journal: Journal<MemoryDisk>,
    reader: Reader<<MemoryDisk as tm_journal::Disk>::File>,
    /// The state of the duplicate check: messages below are known.
    next: u64,
    effects: VecDeque<Effect>,
}

impl Uplink {
    fn start(now_ms: u64, disk: &MemoryDisk) -> Option<Self> {
        let (journal, recovered) = Journal::open(disk.clone(), CONFIG).ok()?;
        let (_, urgent) = Journal::open(NoDisk, CONFIG).ok()?;
        assert!(
            recovered.missing.is_empty() && recovered.damaged.is_empty(),
            "{recovered:?}"
        );
        let mut next = recovered
            .app_state
            .as_slice()
            .try_into()
            .map_or(0, u64::from_le_bytes);
        let mut reader = journal.reader(recovered.app_state_seq);
        while journal.read(&mut reader).ok()? {
            for record in reader.records() {
                next = next.max(record.row()?.sequence?.n + 1);
            }
        }
        reader.seek(0);
        let rules = Rules::new(now_ms, TIMING, [&urgent, &recovered]);
        Some(Self {
            rules,
            journal,
            reader,
            next,
            effects: VecDeque::new(),
        })
    }

    fn tell(&mut self, now_ms: u64, event: Event) {
        let mut effects = Vec::new();
        self.rules.on(now_ms, event, &mut effects);
        self.effects.extend(effects);
    }
}

impl World {
    fn new(seed: u64) -> Self {
        let disk = MemoryDisk::new();
        let uplink = Uplink::start(0, &disk).unwrap();
        let mut world = Self {
            random: fastrand::Rng::with_seed(seed),
            now_ms: 0,
            disk,
            broker: Broker::default(),
            cloud: Cloud::default(),
            uplink,
            dropped: 0,
        };
        world.connect();
        world
    }

    fn tell(&mut self, event: Event) {
        self.uplink.tell(self.now_ms, event);
        while let Some(effect) = self.uplink.effects.pop_front() {
            self.obey(effect);
        }
    }

    fn obey(&mut self, effect: Effect) {
        match effect {
            Effect::Acknowledge { connection, packet } => {
                if connection == self.uplink.rules.connection() {
                    let (expected, message) = self.broker.out.pop_front().unwrap();
                    assert_eq!(packet, expected);
                    assert_eq!(self.broker.kept.pop_front(), Some(message));
                }
            }
            Effect::Commit {
                class: Class::Urgent,
                ..
            } => self.tell(Event::CommitFailed {
                class: Class::Urgent,
            }),
            Effect::Commit {
                class,
                write_cursor,
            } => self.commit(class, write_cursor),
            Effect::Trim { class, below } => {
                self.uplink.journal.trim(below);
                let bytes = self.uplink.journal.buffered_bytes();
                self.tell(Event::Buffered { class, bytes });
            }
            Effect::Reconnect => self.connect(),
        }
    }

    fn commit(&mut self, class: Class, write_cursor: bool) {
        let uplink = &mut self.uplink;
        let with = Commit {
            cursor: uplink.rules.cursor(class),
            write_cursor,
            in_flight: uplink.rules.in_flight(class),
            app_state: &uplink.next.to_le_bytes(),
        };
        match uplink.journal.commit(&with) {
            Ok(committed) => {
                for dropped in committed.dropped {
                    self.dropped += dropped.unsent.records;
                    self.tell(Event::Gone {
                        class,
                        range: dropped.range,
                    });
                }
                self.tell(Event::Committed {
                    class,
                    end: committed.end,
                });
            }
            Err(_) => self.tell(Event::CommitFailed { class }),
        }
    }

    fn connect(&mut self) {
        self.broker.out.clear();
        self.tell(Event::Disconnected);
        self.tell(Event::Connected);
    }

    /// The broker gives out what its window allows.
    fn deliver(&mut self, most: usize) {
        let class = Class::Data;
        for _ in 0..most {
            let broker = &mut self.broker;
            let Some(&message) = broker
                .kept
                .get(broker.out.len())
                .filter(|_| broker.out.len() < WINDOW)
            else {
                return;
            };
            broker.packet = broker.packet.wrapping_add(1).max(1);
            broker.out.push_back((broker.packet, message));
            let packet = Some(broker.packet);
            let points = usize::try_from(message % 20).unwrap();
            // What the JSON would take.
            if self.uplink.rules.admission(class, 100 + 40 * points) == Admission::Discard {
                self.tell(Event::Discarded { class, packet });
                continue;
            }
            if message < self.uplink.next {
                self.tell(Event::Passed { class, packet });
                continue;
            }
            let before = self.uplink.journal.buffered_bytes();
            match self
                .uplink
                .journal
                .append_row(&source(), &poll(message, points))
            {
                Ok(seq) => {
                    // Not always the next one: what went from a bad disk's memory to the cloud is unknown after a crash.
                    self.uplink.next = message + 1;
                    let bytes = self.uplink.journal.buffered_bytes() - before;
                    self.tell(Event::Received {
                        class,
                        packet,
                        seq,
                        bytes,
                    });
                }
                Err(AppendError::Full { .. }) => self.tell(Event::Discarded { class, packet }),
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// Sends some of what is due: the oldest, or from the middle.
    fn send(&mut self, count: usize) {
        let class = Class::Data;
        for _ in 0..count {
            let uplink = &mut self.uplink;
            let from = if self.random.bool() {
                0
            } else {
                self.random.u64(0..=uplink.journal.end())
            };
            let Some(due) = uplink
                .rules
                .next_unsent(class, from)
                .or_else(|| uplink.rules.next_unsent(class, 0))
            else {
                return;
            };
            uplink.reader.seek(due.start);
            if !matches!(uplink.journal.read(&mut uplink.reader), Ok(true)) {
                return;
            }
            assert!(uplink.reader.lost().is_empty());
            let stream = uplink.reader.stream().to_string();
            let mut sent: Option<Range<u64>> = None;
            for record in uplink.reader.records() {
                let is_next = sent.as_ref().map_or(due.start, |sent| sent.end) == record.seq;
                if !is_next || !due.contains(&record.seq) {
                    break;
                }
                let row = record.row().unwrap();
                let n = row.sequence.unwrap().n;
                for (index, point) in row.points().enumerate() {
                    let expected =
                        Value::decimal(n.cast_signed() * 100 + i64::try_from(index).unwrap(), 2)
                            .unwrap();
                    assert_eq!(point.unwrap().reading, Reading::Good(expected));
                }
                let known = self.cloud.keys.insert((stream.clone(), record.seq), n);
                assert!(
                    known.is_none_or(|known| known == n),
                    "one key, two messages: {n} and {known:?}"
                );
                self.cloud.messages.insert(n);
                sent = Some(sent.map_or(record.seq, |sent| sent.start)..record.seq + 1);
            }
            for range in uplink.reader.absent().to_vec() {
                self.tell(Event::Gone { class, range });
            }
            if let Some(range) = sent {
                self.cloud.waiting.push_back(range.clone());
                self.tell(Event::Sent { class, range });
            }
        }
    }

    fn puback(&mut self, count: usize) {
        for _ in 0..count {
            let Some(range) = self.cloud.waiting.pop_front() else {
                return;
            };
            self.tell(Event::Acknowledged {
                class: Class::Data,
                range,
            });
        }
    }

    /// A new uplink on the disk as it is, or as a power cut leaves it.
    fn crash(&mut self, with_power: bool) {
        if !with_power {
            let mut images = self.disk.power_cut_images(self.random.u64(..), 8);
            self.disk = images.swap_remove(self.random.usize(..images.len()));
        }
        self.clear_faults();
        self.cloud.waiting.clear();
        self.uplink = Uplink::start(self.now_ms, &self.disk).unwrap();
        self.connect();
    }

    fn clear_faults(&mut self) {
        for call in [Call::Create, Call::Write, Call::Sync, Call::SyncDir] {
            self.disk.set_fault(call, None);
        }
    }

    fn wait(&mut self, ms: u64) {
        let until = self.now_ms + ms;
        while let Some(wake) = self
            .uplink
            .rules
            .next_wake_ms()
            .filter(|wake| *wake <= until)
        {
            self.now_ms = wake.max(self.now_ms + 1);
            self.tell(Event::Tick);
        }
        self.now_ms = self.now_ms.max(until);
        self.tell(Event::Tick);
    }

    fn play(mut self, steps: usize) {
        let mut published = 0;
        for _ in 0..steps {
            match self.random.u8(..24) {
                0..6 => {
                    let count = self.random.u64(1..25);
                    self.broker.kept.extend(published..published + count);
                    published += count;
                }
                6..12 => {
                    let most = self.random.usize(1..40);
                    self.deliver(most);
                }
                12..15 => {
                    let count = self.random.usize(1..5);
                    self.send(count);
                }
                15..18 => {
                    let count = self.random.usize(1..6);
                    self.puback(count);
                }
                18..20 => {
                    let ms = self.random.u64(1..3000);
                    self.wait(ms);
                }
                20 => {
                    self.cloud.waiting.clear();
                    self.tell(Event::CloudLost);
                }
                21 => self.connect(),
                22 => {
                    let calls = [Call::Create, Call::Write, Call::Sync, Call::SyncDir];
                    let call = calls[self.random.usize(..calls.len())];
                    let fault = if self.random.bool() {
                        Some(Fault::BROKEN)
                    } else {
                        None
                    };
                    self.disk.set_fault(call, fault);
                }
                _ => {
                    let with_power = self.random.bool();
                    self.crash(with_power);
                }
            }
        }
        self.clear_faults();
        for _ in 0..1000 {
            self.deliver(WINDOW);
            self.wait(5_000);
            self.send(20);
            self.puback(100);
        }
        assert_eq!(self.dropped, 0, "the quota was never reached");
        assert!(
            self.broker.kept.is_empty(),
            "{} are kept by the broker",
            self.broker.kept.len()
        );
        let missing: Vec<u64> = (0..published)
            .filter(|message| !self.cloud.messages.contains(message))
            .collect();
        assert!(missing.is_empty(), "lost: {missing:?}");
        assert_eq!(self.uplink.rules.held(), 0);
        assert_eq!(
            self.uplink
                .journal
                .pending(self.uplink.rules.cursor(Class::Data))
                .records,
            0
        );
    }
}

#[test]
fn every_message_that_the_broker_took_reaches_the_cloud() {
    // Seed 3768 once removed a failed segment not durably; coming back, it voided what a restart had made durable.
    for seed in (0..60).chain([3768]) {
        World::new(seed).play(300);
    }
}
