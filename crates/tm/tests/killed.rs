//! A real uplink process is killed with SIGKILL at random moments under load, its cloud away half
//! of the time: what the bus acknowledged to a publisher arrives, and arrives once.

#![cfg(feature = "demo")]
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value as Json;
use tm::decode::decode;
use tm_columns::Dictionaries;
use tm_service::session::{Options, Outgoing, Qos, Session, SessionEvent};
use tm_sim::broker::Broker;
use tm_sim::gate::{Gate, GateMode};
use tokio::time::{sleep, timeout};

/// Far more than anything here takes.
const DEADLINE: Duration = Duration::from_mins(1);
/// How often the process is killed.
const KILLS: u64 = 8;
/// Messages between two kills.
const MESSAGES: u64 = 400;

/// A process that is killed when its owner goes.
struct Uplink(Child);

impl Uplink {
    fn start(data: &Path, bus: &Broker, cloud: &Gate) -> Self {
        let process = Command::new(env!("CARGO_BIN_EXE_tm"))
            .args(["run", "uplink"])
            .env_clear()
            .env("TM_DATA_DIR", data)
            .env("TM_BUS_URL", bus.url())
            .env("TM_DEVICE_ID", "killed")
            .env("TM_UPLINK_URL", format!("mqtt://{}", cloud.address()))
            .env("TM_UPLINK_BATCH_S", "1")
            .env("TM_CONFIG_STRICT", "true")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        Self(process.unwrap())
    }

    fn kill(&mut self) {
        assert!(self.0.try_wait().unwrap().is_none(), "it ended by itself");
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Uplink {
    fn drop(&mut self) {
        // It may have been killed already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn open(name: &str, broker: &Broker, filter: Option<&str>) -> Session {
    let mut options = Options::new(name, broker.url().parse().unwrap());
    options.subscriptions = filter
        .map(|filter| (filter.to_owned(), Qos::AtLeastOnce))
        .into_iter()
        .collect();
    options.max_packet = 4 << 20;
    let mut session = Session::open(options);
    while !matches!(next(&mut session).await, SessionEvent::Up { .. }) {}
    session
}

async fn next(session: &mut Session) -> SessionEvent {
    timeout(DEADLINE, session.next())
        .await
        .expect("news in time")
}

/// Publishes one after the other; each is acknowledged when this ends.
async fn publish(session: &mut Session, numbers: std::ops::Range<u64>) {
    for n in numbers {
        let payload =
            format!(r#"{{"run":"0badcafe","n":{n},"points":[{{"name":"count","value":{n}}}]}}"#);
        let message = Outgoing {
            token: n,
            topic: "tm/v1/data/outside".to_owned(),
            payload: payload.into(),
            qos: Qos::AtLeastOnce,
            retain: false,
        };
        session.feed(message).unwrap();
        while !matches!(next(session).await, SessionEvent::Acked(token) if token == n) {}
    }
}

/// How often each number arrived, after repeats of a record were dropped.
#[derive(Default)]
struct Arrived {
    records: BTreeSet<(String, u64)>,
    numbers: BTreeMap<u64, u32>,
    dictionaries: Dictionaries,
}

impl Arrived {
    fn take(&mut self, payload: &[u8]) {
        for line in decode(&mut self.dictionaries, payload).unwrap() {
            let line: Json = serde_json::from_slice(&line.json).unwrap();
            if line["class"] != "data" || line["source"] != "outside" {
                continue;
            }
            let stream = line["stream"].as_str().unwrap().to_owned();
            if self.records.insert((stream, line["seq"].as_u64().unwrap())) {
                *self.numbers.entry(line["n"].as_u64().unwrap()).or_default() += 1;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_bus_acknowledged_survives_sigkill() {
    let (bus, cloud) = (Broker::start().unwrap(), Broker::start().unwrap());
    let gate = Gate::open(cloud.address()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut collector = open("collector", &cloud, Some("tm/#")).await;
    let mut watcher = open("watcher", &bus, Some("tm/v1/health/uplink")).await;
    let mut publisher = open("publisher", &bus, None).await;
    let mut uplink = Uplink::start(folder.path(), &bus, &gate);
    // From here on the bus keeps for the uplink what it acknowledges.
    while !matches!(next(&mut watcher).await, SessionEvent::Message(_)) {}

    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    for round in 0..KILLS {
        let mode = [GateMode::Forward, GateMode::Refuse][usize::from(round % 2 == 1)];
        gate.handle().set_mode(mode);
        gate.handle().cut();
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let moment = Duration::from_millis(random % 400);
        let killing = async {
            sleep(moment).await;
            uplink.kill();
            uplink = Uplink::start(folder.path(), &bus, &gate);
        };
        tokio::join!(
            publish(&mut publisher, round * MESSAGES..(round + 1) * MESSAGES),
            killing
        );
    }
    gate.handle().set_mode(GateMode::Forward);

    let mut arrived = Arrived::default();
    let arriving = async {
        while (arrived.numbers.len() as u64) < KILLS * MESSAGES {
            if let SessionEvent::Message(message) = collector.next().await {
                arrived.take(&message.payload);
            }
        }
    };
    // What is missing then is shown below.
    let _ = timeout(DEADLINE, arriving).await;
    let expected: BTreeMap<u64, u32> = (0..KILLS * MESSAGES).map(|n| (n, 1)).collect();
    assert_eq!(arrived.numbers, expected);
}
