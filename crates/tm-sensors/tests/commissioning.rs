//! Another register map, and a look at a device, asked of a collector that runs.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::time::Duration;

use serde_json::{Value as Json, json};
use tm_sensors::{Config, FilePath};
use tm_service::bus::{Bus, BusEvent, BusOptions};
use tm_service::{Clock, Host};
use tm_sim::broker::Broker;
use tm_sim::modbus::{ModbusDevice, ModbusMode};
use tm_types::{
    ActiveConfig, ConfigSource, Health, HealthStatus, Operation, OperationStatus, topic,
};
use tokio::task::JoinHandle;
use tokio::time::timeout;

const DEADLINE: Duration = Duration::from_secs(20);

/// A collector with two meters it may be told of, and somebody who asks.
struct Scene {
    broker: Broker,
    asker: Bus,
    meters: [ModbusDevice; 2],
    config: Config,
    collector: JoinHandle<()>,
    /// The newest heard.
    health: Option<BusEvent>,
    configuration: Option<ActiveConfig>,
    directory: tempfile::TempDir,
}

impl Drop for Scene {
    fn drop(&mut self) {
        self.collector.abort();
    }
}

impl Scene {
    async fn new(config: Config) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let broker = Broker::start().unwrap();
        let host = Host::for_test(
            "asker",
            &directory.path().join("asker"),
            &broker.url(),
            Clock::system(),
        );
        let asker = host.unwrap().bus.open(BusOptions {
            subscriptions: [
                "data/+",
                "health/sensors",
                "cfg/+",
                "state/sensors",
                "event/sensors",
            ]
            .map(|rest| format!("tm/v1/{rest}"))
            .into(),
            follow_results: true,
            ..BusOptions::default()
        });
        let nothing = FilePath(directory.path().join("nothing"));
        let config = Config {
            machine: false,
            heartbeat_s: 0,
            sysfs_root: nothing,
            ..config
        };
        let mut scene = Self {
            broker,
            asker,
            meters: [
                ModbusDevice::start(1).await.unwrap(),
                ModbusDevice::start(2).await.unwrap(),
            ],
            config,
            collector: tokio::spawn(async {}),
            health: None,
            configuration: None,
            directory,
        };
        scene
            .until("the asker is connected", |event| {
                matches!(event, BusEvent::Up { .. })
            })
            .await;
        scene.start().await;
        scene
    }

    /// Starts the collector on its files, after the one before has ended.
    async fn start(&mut self) {
        self.collector.abort();
        let _ = (&mut self.collector).await;
        (self.health, self.configuration) = (None, None);
        let host = Host::for_test(
            "sensors",
            &self.directory.path().join("sensors"),
            &self.broker.url(),
            Clock::system(),
        )
        .unwrap();
        let config = self.config.clone();
        self.collector = tokio::spawn(async move {
            let ended = tm_sensors::run(config, host).await;
            panic!("the collector ended: {ended:?}");
        });
        // Commands reach whoever has subscribed.
        self.health("the collector is there", |health| {
            health.status != HealthStatus::Down
        })
        .await;
    }

    /// Listens until `is_it` says so.
    async fn until(&mut self, what: &str, is_it: impl Fn(&BusEvent) -> bool) -> BusEvent {
        let listening = async {
            loop {
                let event = self.asker.next().await;
                if let Some(text) = payload(&event, "tm/v1/cfg/sensors") {
                    self.configuration = Some(serde_json::from_str(text).unwrap());
                }
                if payload(&event, "tm/v1/health/sensors").is_some() {
                    self.health = Some(event.clone());
                }
                if is_it(&event) {
                    return event;
                }
            }
        };
        let heard = timeout(DEADLINE, listening).await;
        heard.unwrap_or_else(|_| panic!("never: {what}"))
    }

    /// Waits for such a health; the newest one counts as just heard.
    async fn health(&mut self, what: &str, is_it: impl Fn(&Health) -> bool) {
        if !self
            .health
            .as_ref()
            .is_some_and(|event| is_health(event, &is_it))
        {
            self.until(what, |event| is_health(event, &is_it)).await;
        }
    }

    /// Waits for a measurement of this point.
    async fn point(&mut self, name: &str) {
        let quoted = format!("\"name\":\"{name}\"");
        self.until(name, |event| {
            payload(event, topic::DATA_ALL).is_some_and(|text| text.contains(&quoted))
        })
        .await;
    }

    /// Asks, and waits for the end.
    async fn operate(&mut self, op: &str, args: Json) -> Operation {
        let sensors = "sensors".parse().unwrap();
        let id = self
            .asker
            .request(&sensors, op, args, Duration::from_secs(10), "test");
        let event = self
            .until(op, |event| {
                matches!(event, BusEvent::Operation(operation)
                    if operation.id == id && operation.status.is_final())
            })
            .await;
        match event {
            BusEvent::Operation(operation) => operation,
            _ => unreachable!("only operations end"),
        }
    }

    async fn succeeds(&mut self, op: &str, args: Json) -> Json {
        let operation = self.operate(op, args).await;
        assert_eq!(
            operation.status,
            OperationStatus::Succeeded,
            "{operation:?}"
        );
        operation.result.unwrap()
    }

    async fn fails(&mut self, op: &str, args: Json, code: &str, status: u16) -> tm_types::Problem {
        let operation = self.operate(op, args).await;
        assert_eq!(operation.status, OperationStatus::Failed, "{operation:?}");
        let problem = operation.problem.unwrap();
        assert_eq!((&*problem.code, problem.status), (code, status));
        problem
    }

    /// The configuration in force, once it has this revision.
    async fn configuration(&mut self, revision: &Json) -> ActiveConfig {
        let is_it = |config: &ActiveConfig| json!(config.revision) == *revision;
        if !self.configuration.as_ref().is_some_and(is_it) {
            self.until("a configuration", |event| {
                payload(event, "tm/v1/cfg/sensors")
                    .is_some_and(|text| is_it(&serde_json::from_str(text).unwrap()))
            })
            .await;
        }
        self.configuration.clone().unwrap()
    }

    fn map(&self, name: &str, meter: usize, register: &str) -> String {
        let address = self.meters[meter].address();
        format!(
            "[[device]]\nname = \"{name}\"\nport = \"tcp://{address}\"\nperiod_s = 1\n\
             [[device.register]]\nname = \"{register}\"\nfunction = \"input\"\naddress = 0\n"
        )
    }
}

fn payload<'a>(event: &'a BusEvent, filter: &str) -> Option<&'a str> {
    let BusEvent::Message(message) = event else {
        return None;
    };
    let start = filter.trim_end_matches('+');
    let is_of_it = message.topic.starts_with(start);
    std::str::from_utf8(&message.payload)
        .ok()
        .filter(|_| is_of_it)
}

fn is_health(event: &BusEvent, is_it: impl Fn(&Health) -> bool) -> bool {
    payload(event, "tm/v1/health/sensors")
        .and_then(|text| serde_json::from_str(text).ok())
        .is_some_and(|health| is_it(&health))
}

#[tokio::test]
async fn a_map_is_tried_activated_rolled_back_and_survives_a_restart() {
    let mut scene = Scene::new(Config::default()).await;
    let first = scene.map("a", 0, "volts");
    let second = first.clone() + &scene.map("b", 1, "mains");

    // Trying changes nothing.
    let tried = scene
        .succeeds("configure", json!({"document": first, "dry_run": true}))
        .await;
    assert_eq!(tried["dry_run"], true);
    assert_eq!(
        (&tried["devices"], &tried["added"]),
        (&json!(1), &json!(["a"]))
    );
    scene
        .fails("rollback", json!({}), "config.no_previous", 409)
        .await;

    let given = scene
        .succeeds("configure", json!({"document": first}))
        .await;
    let active = scene.configuration(&given["revision"]).await;
    assert_eq!(active.document.as_deref(), Some(&*first));
    assert_eq!(active.source, ConfigSource::Revision);
    assert_eq!(tried["revision"], given["revision"]);
    scene.point("a/volts").await;

    // A second device; the first goes on over its connection.
    let expected = json!({"document": second, "expected_revision": active.revision});
    let given = scene.succeeds("configure", expected.clone()).await;
    assert_eq!(
        (&given["added"], &given["unchanged"]),
        (&json!(["b"]), &json!(1))
    );
    scene.point("b/mains").await;
    scene.point("a/volts").await;
    // The same request again is meant for a revision that is no more.
    scene
        .fails("configure", expected, "config.revision_mismatch", 412)
        .await;

    scene.start().await;
    let active = scene.configuration(&given["revision"]).await;
    assert_eq!(active.document.as_deref(), Some(&*second));
    scene.point("b/mains").await;

    let back = scene.succeeds("rollback", json!({})).await;
    assert_eq!(
        (&back["removed"], &back["revision"]),
        (&json!(["b"]), &tried["revision"])
    );
    scene.point("a/volts").await;
    // Once more is forward again; null is whatever the variables say.
    let forward = scene.succeeds("rollback", json!({})).await;
    assert_eq!(forward["added"], json!(["b"]));
    let none = scene.succeeds("configure", json!({"document": null})).await;
    assert_eq!(
        (&none["source"], &none["devices"]),
        (&json!("none"), &json!(0))
    );
}

/// Another meter behind the same name, while nobody looked.
#[tokio::test]
async fn a_meter_that_was_changed_during_a_restart_is_an_event() {
    let mut scene = Scene::new(Config::default()).await;
    scene.meters[1].handle().set_door(true);
    let map = |meter: &ModbusDevice| {
        format!(
            "[[device]]\nname = \"m\"\nport = \"tcp://{}\"\nperiod_s = 1\n\
             [[device.register]]\nname = \"serial\"\nfunction = \"discrete\"\naddress = 0\n\
             type = \"bool\"\nidentity = true\n",
            meter.address()
        )
    };
    for meter in [0, 1] {
        scene.config.modbus = Some(map(&scene.meters[meter]));
        scene.start().await;
        if meter == 0 {
            scene.point("m/serial").await;
        }
    }
    let event = scene
        .until("the change", |event| {
            payload(event, "tm/v1/event/sensors").is_some()
        })
        .await;
    let text = payload(&event, "tm/v1/event/sensors").unwrap();
    let event: Json = serde_json::from_str(text).unwrap();
    assert_eq!(event["cause"]["code"], "sensors.meter_swapped");
    assert_eq!(event["cause"]["args"]["channel"], "m/serial");
}

#[tokio::test]
async fn a_bad_map_is_refused_whole_and_the_old_one_stays() {
    let mut scene = Scene::new(Config::default()).await;
    let good = scene.map("a", 0, "volts");
    let given = scene.succeeds("configure", json!({"document": good})).await;
    let bad = good.clone() + "unit = \"Volt\"\n";
    for dry_run in [true, false] {
        let asked = json!({"document": bad, "dry_run": dry_run});
        let problem = scene
            .fails("configure", asked, "sensors.map_refused", 422)
            .await;
        assert_eq!(problem.args["line"], "9");
        assert!(
            problem.args["reason"].contains("write \"V\""),
            "{problem:?}"
        );
    }
    for (args, part) in [
        (json!({}), "document is missing"),
        (json!({"document": 7}), "invalid type"),
        (json!({"document": "", "why": 1}), "unknown field"),
        (
            json!({"document": "#".repeat(61 * 1024)}),
            "at most 61440 bytes",
        ),
    ] {
        let problem = scene
            .fails("configure", args, "operation.bad_arguments", 400)
            .await;
        assert!(problem.args["detail"].contains(part), "{problem:?}");
    }
    scene.point("a/volts").await;
    scene.start().await;
    scene.configuration(&given["revision"]).await;
}

#[tokio::test]
async fn a_device_is_probed_and_found_while_it_is_polled() {
    let mut scene = Scene::new(Config::default()).await;
    let document = scene.map("a", 0, "volts");
    scene
        .succeeds("configure", json!({"document": document}))
        .await;
    scene.point("a/volts").await;
    let port = format!("tcp://{}", scene.meters[0].address());
    let asked = json!({"port": port, "function": "input", "address": 8, "count": 2});
    let seen = scene.succeeds("probe", asked).await;
    let volts = seen["registers"][0]["f32"]["big"].as_f64().unwrap();
    assert!((180.0..270.0).contains(&volts), "{seen}");
    let asked = json!({"port": port, "unit_ids": [1, 3], "function": "input"});
    let found = scene.succeeds("scan", asked).await;
    assert_eq!(found["found"].as_array().unwrap().len(), 1, "{found}");
    assert_eq!(found["found"][0]["unit_id"], 1);
    scene
        .fails(
            "probe",
            json!({"port": port, "unit_id": 9}),
            "sensors.no_answer",
            500,
        )
        .await;
    scene
        .fails("probe", json!({}), "operation.bad_arguments", 400)
        .await;
    scene.point("a/volts").await;
}

#[tokio::test]
async fn devices_have_their_turn_while_their_port_is_scanned() {
    let mut scene = Scene::new(Config::default()).await;
    let document = scene.map("a", 0, "volts");
    scene
        .succeeds("configure", json!({"document": document}))
        .await;
    scene.point("a/volts").await;
    // Each attempt takes its whole time now.
    scene.meters[0].handle().set_mode(ModbusMode::Silent);
    let args = json!({"port": format!("tcp://{}", scene.meters[0].address()),
        "unit_ids": [2, 247], "timeout_ms": 2000, "limit_s": 600});
    let sensors = "sensors".parse().unwrap();
    let patience = Duration::from_secs(10);
    let id = scene
        .asker
        .request(&sensors, "scan", args, patience, "test");
    scene
        .until("the scan runs", |event| {
            matches!(event, BusEvent::Operation(operation)
                if operation.id == id && operation.status == OperationStatus::Running)
        })
        .await;
    let meter = scene.meters[0].handle();
    let n_requests = meter.n_requests();
    pass(1).await;
    timeout(DEADLINE, async {
        while meter.n_requests() == n_requests {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("the scan asks");
    pass(11).await;
    scene.point("a/volts").await;
    // One at a time.
    let port = format!("tcp://{}", scene.meters[1].address());
    scene
        .fails("probe", json!({"port": port}), "operation.busy", 409)
        .await;
}

/// Lets time pass for whoever waits for it.
async fn pass(seconds: u64) {
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(seconds)).await;
    tokio::time::resume();
}

#[tokio::test]
async fn a_changed_file_is_taken_up_and_a_bad_one_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("map.toml");
    std::fs::write(&file, "").unwrap();
    let mut scene = Scene::new(Config {
        modbus_file: Some(FilePath(file.clone())),
        ..Config::default()
    })
    .await;
    let good = scene.map("a", 0, "volts");
    std::fs::write(&file, &good).unwrap();
    pass(61).await;
    scene.point("a/volts").await;

    std::fs::write(&file, "[[device]").unwrap();
    pass(61).await;
    scene
        .health("refused", |health| {
            let mut reasons = health.reasons.iter();
            reasons.any(|cause| {
                cause.code == "sensors.map_refused"
                    && cause.args["line"] == "1"
                    && cause.args["name"].ends_with("map.toml")
            })
        })
        .await;
    scene.point("a/volts").await;

    std::fs::write(&file, scene.map("a", 0, "potential")).unwrap();
    pass(61).await;
    scene.point("a/potential").await;
    scene
        .health("well again", |health| health.status == HealthStatus::Up)
        .await;
}
