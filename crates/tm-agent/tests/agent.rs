//! The agent on a real broker, with other services, a played supervisor and a manual clock.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use serde_json::json;
use tm_agent::{AgentSettings, Config, HttpUrl, SupervisorAccess};
use tm_service::bus::{Bus, BusEvent, BusMessage, BusOptions};
use tm_service::config::Secret;
use tm_service::{Clock, Host, ManualClock};
use tm_sim::broker::Broker;
use tm_types::{
    AgentState, Alarm, BootId, Clock as Quality, Health, HealthStatus, Instance, Operation,
    OperationStatus, Point, Severity, Stamp, Timestamp, code, topic,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::timeout;

const DEADLINE: Duration = Duration::from_secs(20);
const KEY: &str = "s3cret";
const CONTACTS: &str = "meter/door=door,meter/other-door=door,meter/mains=mains";
const NOW: Stamp = Stamp {
    time: Timestamp::EPOCH,
    mono_ms: 1_000_000,
    boot: BootId(7),
    clock: Quality::Ntp,
    err_ms: None,
};

/// A supervisor that answers with what it is told to, and remembers what it was asked.
#[derive(Clone)]
struct Supervisor {
    url: HttpUrl,
    answer: Arc<Mutex<(u16, String)>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Supervisor {
    async fn start(status: u16, body: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let supervisor = Self {
            url: HttpUrl {
                host: "127.0.0.1".to_owned(),
                port: listener.local_addr().unwrap().port(),
            },
            answer: Arc::new(Mutex::new((status, body.to_owned()))),
            asked: Arc::default(),
        };
        let played = supervisor.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = Vec::new();
                let mut chunk = [0; 1024];
                while !request.ends_with(b"\r\n\r\n") && !request.ends_with(b"}") {
                    match stream.read(&mut chunk).await {
                        Ok(n) if n > 0 => request.extend_from_slice(&chunk[..n]),
                        _ => break,
                    }
                }
                let line = String::from_utf8_lossy(&request)
                    .lines()
                    .next()
                    .unwrap_or("")
                    .to_owned();
                played.asked.lock().unwrap().push(line);
                let (status, body) = played.answer.lock().unwrap().clone();
                let head = format!(
                    "HTTP/1.1 {status} X\r\nContent-Length: {}\r\n\r\n{body}",
                    body.len()
                );
                let _ = stream.write_all(head.as_bytes()).await;
            }
        });
        supervisor
    }

    fn answers(&self, status: u16, body: &str) {
        *self.answer.lock().unwrap() = (status, body.to_owned());
    }

    fn n_reboots(&self) -> usize {
        let asked = self.asked.lock().unwrap();
        asked
            .iter()
            .filter(|line| line.starts_with("POST /v1/reboot?apikey=s3cret "))
            .count()
    }
}

struct Scene {
    directory: tempfile::TempDir,
    broker: Broker,
    clock: Clock,
    hand: ManualClock,
    watcher: Bus,
    agent: Option<JoinHandle<()>>,
    /// The newest payload of every topic.
    newest: HashMap<String, Bytes>,
}

impl Drop for Scene {
    fn drop(&mut self) {
        if let Some(agent) = self.agent.take() {
            agent.abort();
        }
    }
}

fn host(directory: &Path, name: &str, broker: &Broker, clock: &Clock) -> Host {
    Host::for_test(name, &directory.join(name), &broker.url(), clock.clone()).unwrap()
}

impl Scene {
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let broker = Broker::start().unwrap();
        let (clock, hand) = Clock::manual(NOW);
        let mut watcher = host(directory.path(), "watcher", &broker, &clock)
            .bus
            .open(BusOptions {
                subscriptions: vec![
                    topic::STATE_ALL.to_owned(),
                    topic::HEALTH_ALL.to_owned(),
                    topic::ALARM_ALL.to_owned(),
                ],
                follow_results: true,
                ..BusOptions::default()
            });
        timeout(DEADLINE, async {
            while !matches!(watcher.next().await, BusEvent::Up { .. }) {}
        })
        .await
        .unwrap();
        Self {
            directory,
            broker,
            clock,
            hand,
            watcher,
            agent: None,
            newest: HashMap::new(),
        }
    }

    async fn with_agent(supervisor: Option<&Supervisor>) -> Self {
        let mut scene = Self::new().await;
        scene.start_agent(supervisor).await;
        scene
    }

    /// Starts the agent and waits until it is on the bus.
    async fn start_agent(&mut self, supervisor: Option<&Supervisor>) {
        let config = Config {
            agent: AgentSettings {
                supervisor_period_s: 1,
                contacts: CONTACTS.parse().unwrap(),
                ..AgentSettings::default()
            },
            supervisor: supervisor.map(|supervisor| SupervisorAccess {
                url: supervisor.url.clone(),
                key: Secret::new(KEY),
            }),
        };
        let host = host(self.directory.path(), "agent", &self.broker, &self.clock);
        self.agent = Some(tokio::spawn(async move {
            let ended = tm_agent::run(config, host).await;
            panic!("the agent ended: {ended:?}");
        }));
        self.until_agent(true).await;
    }

    /// Stops the agent as a container is stopped, and waits for its last word.
    async fn stop_agent(&mut self) {
        self.agent.take().unwrap().abort();
        self.until_agent(false).await;
    }

    async fn until_agent(&mut self, lives: bool) {
        self.until(&format!("the agent lives: {lives}"), |topic, payload| {
            let is_down = |health: Health| health.status == HealthStatus::Down;
            topic == "tm/v1/health/agent"
                && is_down(serde_json::from_slice(payload).unwrap()) != lives
        })
        .await;
    }

    /// A service that says it is up.
    async fn service(&mut self, name: &str) -> Bus {
        let bus = host(self.directory.path(), name, &self.broker, &self.clock)
            .bus
            .open(BusOptions::default());
        bus.health(HealthStatus::Up, Vec::new());
        self.until_service(name, Some(HealthStatus::Up)).await;
        bus
    }

    /// The meter reads a contact, a tenth of a second after it read the last one.
    fn contact(&self, name: &str, position: bool) {
        let points = vec![Point::state(name.parse().unwrap(), position)];
        self.hand.advance(Duration::from_millis(100));
        let meter = "meter".parse().unwrap();
        self.watcher.data_as(&meter, self.clock.stamp(), points);
    }

    /// Waits until the alarm about a contact is raised, or cleared.
    async fn until_contact(&mut self, name: &str, code: Option<&str>) {
        let topic = format!("tm/v1/alarm/contact-meter.{name}");
        self.until(&format!("{topic} {code:?}"), |heard, payload| {
            let alarm = serde_json::from_slice::<Alarm>(payload).ok();
            heard == topic && alarm.as_ref().map(|alarm| alarm.code.as_str()) == code
        })
        .await;
    }

    /// Reads a contact again and again, as a collector does, until an alarm is raised.
    ///
    /// The first readings may come before the agent has ever listened.
    async fn until_contact_alarms(&mut self, name: &str, position: bool, code: &str) {
        for _ in 0..DEADLINE.as_millis() / 50 {
            self.contact(name, position);
            let raised = self.until_contact(name, Some(code));
            if timeout(Duration::from_millis(50), raised).await.is_ok() {
                return;
            }
        }
        panic!("never: {name} {code}");
    }

    /// Any change of another service's health makes the agent look at once, not at its next tick.
    fn nudge(&self, n: u32) {
        let health = Health {
            status: HealthStatus::Up,
            reasons: vec![code::SERVICE_STARTING.with("n", n)],
            version: String::new(),
            boot: NOW.boot,
            mono_ms: u64::try_from(self.clock.mono().as_millis()).unwrap(),
            period_s: 30,
        };
        let payload = serde_json::to_vec(&health).unwrap();
        self.watcher
            .publish_retained("tm/v1/health/nudge".to_owned(), payload.into());
    }

    /// Listens until `is_it` holds for the newest payload of a topic.
    async fn until(&mut self, what: &str, is_it: impl Fn(&str, &[u8]) -> bool) {
        if self
            .newest
            .iter()
            .any(|(topic, payload)| is_it(topic, payload))
        {
            return;
        }
        let listening = async {
            loop {
                if let BusEvent::Message(BusMessage { topic, payload, .. }) =
                    self.watcher.next().await
                {
                    let text = String::from_utf8_lossy(&payload);
                    assert!(!text.contains(KEY), "the key is on the bus: {text}");
                    let is_found = is_it(&topic, &payload);
                    self.newest.insert(topic, payload);
                    if is_found {
                        break;
                    }
                }
            }
        };
        timeout(DEADLINE, listening)
            .await
            .unwrap_or_else(|_| panic!("never: {what}"));
    }

    async fn until_state(&mut self, what: &str, is_it: impl Fn(&AgentState) -> bool) {
        self.until(what, |topic, payload| {
            topic == "tm/v1/state/agent" && is_it(&serde_json::from_slice(payload).unwrap())
        })
        .await;
    }

    async fn until_service(&mut self, name: &str, status: Option<HealthStatus>) {
        self.until_state(&format!("{name} {status:?}"), |state| {
            state
                .services
                .iter()
                .any(|s| s.service == name && s.status == status)
        })
        .await;
    }

    async fn until_health(&mut self, code: Option<&str>) {
        self.until(&format!("health with {code:?}"), |topic, payload| {
            topic == "tm/v1/health/agent" && {
                let health: Health = serde_json::from_slice(payload).unwrap();
                health.reasons.first().map(|cause| cause.code.as_str()) == code
            }
        })
        .await;
    }

    /// Asks for a reboot and waits for a status.
    async fn reboot(&mut self, args: serde_json::Value, status: OperationStatus) -> Operation {
        let agent: Instance = "agent".parse().unwrap();
        let id = self
            .watcher
            .request(&agent, "reboot", args, Duration::from_mins(1), "test");
        let listening = async {
            loop {
                if let BusEvent::Operation(operation) = self.watcher.next().await
                    && operation.id == id
                    && operation.status == status
                {
                    break operation;
                }
            }
        };
        timeout(DEADLINE, listening)
            .await
            .unwrap_or_else(|_| panic!("never {status:?}"))
    }
}

fn problem_of(operation: &Operation) -> &str {
    operation
        .problem
        .as_ref()
        .map_or("", |problem| &problem.code)
}

#[tokio::test]
async fn services_are_rolled_up() {
    let mut scene = Scene::with_agent(None).await;
    let gnss = scene.service("gnss").await;
    gnss.health(
        HealthStatus::Degraded,
        vec![code::GNSS_SILENT.with("source", "x")],
    );
    scene
        .until_service("gnss", Some(HealthStatus::Degraded))
        .await;
    drop(gnss);
    scene.until_service("gnss", Some(HealthStatus::Down)).await;
}

#[tokio::test]
async fn not_on_balena_is_quiet() {
    let mut scene = Scene::new().await;
    let state = async {
        scene.start_agent(None).await;
        scene
            .until_state("without supervisor", |state| state.supervisor.is_none())
            .await;
        let refused = scene.reboot(json!({}), OperationStatus::Failed).await;
        assert_eq!(problem_of(&refused), "agent.not_on_balena");
    };
    state.await;
}

#[tokio::test]
async fn a_silent_service_becomes_an_alarm_and_its_word_ends_it() {
    let mut scene = Scene::with_agent(None).await;
    let gnss = scene.service("gnss").await;
    drop(gnss);
    scene.until_service("gnss", Some(HealthStatus::Down)).await;
    scene.hand.advance(Duration::from_secs(91));
    scene.nudge(1);
    scene
        .until("the alarm", |topic, payload| {
            topic == "tm/v1/alarm/service-gnss" && {
                let alarm: Alarm = serde_json::from_slice(payload).unwrap();
                assert_eq!(
                    (alarm.code.as_str(), alarm.severity),
                    ("service.stopped", Severity::Warning)
                );
                alarm.active
            }
        })
        .await;
    let gnss = host(scene.directory.path(), "gnss", &scene.broker, &scene.clock)
        .bus
        .open(BusOptions::default());
    gnss.health(HealthStatus::Up, Vec::new());
    scene
        .until("its end", |topic, payload| {
            topic == "tm/v1/alarm/service-gnss" && payload.is_empty()
        })
        .await;
}

#[tokio::test]
async fn an_alarm_of_an_earlier_run_is_not_left_behind() {
    let mut scene = Scene::new().await;
    let alarm = |service: &str| Alarm {
        id: format!("service-{service}"),
        source: service.parse().unwrap(),
        code: "service.silent".to_owned(),
        severity: Severity::Critical,
        active: true,
        acked: false,
        since: Timestamp::EPOCH,
        args: std::collections::BTreeMap::new(),
    };
    scene.watcher.alarm(&alarm("gnss"));
    let id = "service-gnss";
    scene
        .until("retained", |topic, _| topic == "tm/v1/alarm/service-gnss")
        .await;
    scene.start_agent(None).await;
    let _gnss = scene.service("gnss").await;
    scene
        .until("cleared", |topic, payload| {
            topic.ends_with(id) && payload.is_empty()
        })
        .await;
}

#[tokio::test]
async fn contacts_become_alarms_and_end_them() {
    let mut scene = Scene::with_agent(None).await;
    let _uplink = scene.service("uplink").await;
    scene
        .until_contact_alarms("door", true, "contact.door_open")
        .await;
    scene.contact("door", false);
    scene
        .until_contact_alarms("mains", false, "contact.mains_lost")
        .await;
    scene.hand.advance(Duration::from_secs(1));
    scene.nudge(1);
    scene.until_contact("door", None).await;
}

#[tokio::test]
async fn a_contact_that_moved_while_the_agent_was_away() {
    let mut scene = Scene::with_agent(None).await;
    let _uplink = scene.service("uplink").await;
    scene
        .until_contact_alarms("door", true, "contact.door_open")
        .await;
    scene.stop_agent().await;
    // Closed, opened and closed again, all unseen.
    for is_open in [false, true, false] {
        scene.contact("door", is_open);
    }
    scene.contact("other-door", true);
    scene.newest.clear();
    scene.start_agent(None).await;
    scene
        .until_contact("other-door", Some("contact.door_open"))
        .await;
    let door = "tm/v1/alarm/contact-meter.door";
    assert!(
        !scene.newest.contains_key(door),
        "taken over, neither raised again nor cleared yet"
    );
    scene.hand.advance(Duration::from_secs(1));
    scene.nudge(1);
    scene.until_contact("door", None).await;
}

#[tokio::test]
async fn a_retained_word_of_another_boot_is_unknown() {
    let mut scene = Scene::new().await;
    let health = Health {
        status: HealthStatus::Up,
        reasons: Vec::new(),
        version: String::new(),
        boot: BootId(6),
        mono_ms: 999_999,
        period_s: 30,
    };
    let topic = "tm/v1/health/modem".to_owned();
    scene
        .watcher
        .publish_retained(topic.clone(), serde_json::to_vec(&health).unwrap().into());
    scene.until("retained", |heard, _| heard == topic).await;
    scene.start_agent(None).await;
    scene.until_service("modem", None).await;
    // Forgotten when the retained message is cleared.
    scene.watcher.publish_retained(topic, Bytes::new());
    scene
        .until_state("forgotten", |state| {
            state.services.iter().all(|s| s.service != "modem")
        })
        .await;
}

#[tokio::test]
async fn garbage_on_the_bus_is_passed_over() {
    let mut scene = Scene::with_agent(None).await;
    for (topic, payload) in [
        ("tm/v1/health/UPPER", "{}"),
        ("tm/v1/health/modem", "garbage"),
        ("tm/v1/alarm/service-x", "[1,2"),
        ("tm/v1/alarm/service-", "{}"),
    ] {
        scene
            .watcher
            .publish_retained(topic.to_owned(), payload.into());
    }
    let _gnss = scene.service("gnss").await;
}

#[tokio::test]
async fn the_supervisor_is_reported_and_its_failures_degrade() {
    let supervisor = Supervisor::start(200, r#"{"status":"Idle","os_version":"balenaOS 6"}"#).await;
    let mut scene = Scene::with_agent(Some(&supervisor)).await;
    scene
        .until_state("idle", |state| {
            let supervisor = state.supervisor.as_ref();
            supervisor.is_some_and(|s| s.status.as_deref() == Some("Idle"))
        })
        .await;
    supervisor.answers(401, "Unauthorized");
    scene.until_health(Some("agent.supervisor_refused")).await;
    supervisor.answers(200, "{}");
    scene.until_health(None).await;
}

#[tokio::test]
async fn reboots_are_counted_and_limited() {
    let supervisor = Supervisor::start(202, "{}").await;
    let mut scene = Scene::with_agent(Some(&supervisor)).await;

    let wrong = scene
        .reboot(json!({"fast": true}), OperationStatus::Failed)
        .await;
    assert_eq!(problem_of(&wrong), "operation.bad_arguments");

    supervisor.answers(423, r#"{"status":"failed","message":"Updates are locked"}"#);
    let locked = scene.reboot(json!({}), OperationStatus::Failed).await;
    assert_eq!(problem_of(&locked), "agent.supervisor_refused");
    assert!(locked.problem.unwrap().detail.contains("423"));
    assert_eq!(supervisor.n_reboots(), 1);

    supervisor.answers(202, r#"{"Data":"OK","Error":""}"#);
    for n in 2..=4 {
        scene
            .reboot(json!({"force": true}), OperationStatus::Running)
            .await;
        while supervisor.n_reboots() < n {
            tokio::task::yield_now().await;
        }
    }
    let limited = scene
        .reboot(serde_json::Value::Null, OperationStatus::Failed)
        .await;
    assert_eq!(problem_of(&limited), "agent.reboot_limit");
    assert_eq!(
        supervisor.n_reboots(),
        4,
        "the refused one did not count, the limited one was not asked"
    );

    // The count survives the agent and the clock; a day later it is over.
    scene.stop_agent().await;
    scene.hand.step_wall(10 * 365 * 86_400_000);
    scene.start_agent(Some(&supervisor)).await;
    let limited = scene.reboot(json!({}), OperationStatus::Failed).await;
    assert_eq!(problem_of(&limited), "agent.reboot_limit");
    scene.hand.advance(Duration::from_hours(24));
    scene.reboot(json!({}), OperationStatus::Running).await;
}
