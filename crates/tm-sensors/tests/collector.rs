//! The collector between simulated hardware and a real broker, seen from the bus.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::path::PathBuf;
use std::time::Duration;

use tm_sensors::{Config, FilePath};
use tm_service::bus::{Bus, BusEvent, BusOptions};
use tm_service::{Clock, Host, ManualClock};
use tm_sim::broker::Broker;
use tm_sim::modbus::{ModbusDevice, ModbusMode};
use tm_sim::sysfs::{SensorFault, SysfsTree};
use tm_types::{
    BootId, Clock as Quality, Health, HealthStatus, Point, Poll, Reading, Reason, SensorPresence,
    SensorsState, Stamp, Timestamp, topic,
};
use tokio::task::JoinHandle;
use tokio::time::timeout;

const DEADLINE: Duration = Duration::from_secs(20);
const SENSOR: &str = "28-0000000000a1";
const NOW: Stamp = Stamp {
    time: Timestamp::EPOCH,
    mono_ms: 1_000_000,
    boot: BootId(7),
    clock: Quality::Ntp,
    err_ms: None,
};

/// A collector on a broker of its own, and somebody who listens.
struct Scene {
    watcher: Bus,
    hand: ManualClock,
    tree: SysfsTree,
    meter: ModbusDevice,
    collector: JoinHandle<()>,
    state: Option<Heard>,
    health: Option<Heard>,
    _directory: tempfile::TempDir,
}

impl Drop for Scene {
    fn drop(&mut self) {
        self.collector.abort();
    }
}

/// What the listener heard.
#[derive(Debug, Clone)]
enum Heard {
    Poll(Poll),
    State(SensorsState),
    Health(Health),
}

impl Scene {
    /// `modbus` is the map's document; `METER` in it becomes the simulated meter's address.
    async fn new(instance: &str, modbus: Option<&str>, with_sensors: bool) -> Self {
        let config = Config {
            modbus: modbus.map(str::to_owned),
            ..Config::default()
        };
        Self::configured(instance, config, with_sensors).await
    }

    async fn configured(instance: &str, config: Config, with_sensors: bool) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let broker = Broker::start().unwrap();
        let (clock, hand) = Clock::manual(NOW);
        let host = |name: &str| {
            let store = directory.path().join(name);
            Host::for_test(name, &store, &broker.url(), clock.clone()).unwrap()
        };
        let tree_root = directory.path().join("tree");
        std::fs::create_dir(&tree_root).unwrap();
        let tree = SysfsTree::start(&tree_root, 1).await.unwrap();
        let meter = ModbusDevice::start(1).await.unwrap();
        let mut watcher = host("watcher").bus.open(BusOptions {
            subscriptions: vec![
                topic::DATA_ALL.to_owned(),
                topic::STATE_ALL.to_owned(),
                topic::HEALTH_ALL.to_owned(),
            ],
            ..BusOptions::default()
        });
        timeout(DEADLINE, async {
            while !matches!(watcher.next().await, BusEvent::Up { .. }) {}
        })
        .await
        .unwrap();
        let nothing: PathBuf = directory.path().join("nothing");
        let config = Config {
            period_s: 1,
            heartbeat_s: 0,
            modbus: config
                .modbus
                .map(|map| map.replace("METER", &meter.address().to_string())),
            sysfs_root: FilePath(if with_sensors { tree.sys() } else { nothing }),
            ..config
        };
        let host = host(instance);
        let collector = tokio::spawn(async move {
            let ended = tm_sensors::run(config, host).await;
            panic!("the collector ended: {ended:?}");
        });
        Self {
            watcher,
            hand,
            tree,
            meter,
            collector,
            state: None,
            health: None,
            _directory: directory,
        }
    }

    async fn hear(&mut self) -> Heard {
        loop {
            let event = timeout(DEADLINE, self.watcher.next())
                .await
                .expect("news in time");
            let BusEvent::Message(message) = event else {
                continue;
            };
            match topic::classify(&message.topic) {
                Some(topic::Class::Data("sensors" | "io")) => {
                    return Heard::Poll(Poll::from_json(&message.payload, &NOW).unwrap());
                }
                Some(topic::Class::State("sensors" | "io")) => {
                    let heard = Heard::State(serde_json::from_slice(&message.payload).unwrap());
                    self.state = Some(heard.clone());
                    return heard;
                }
                Some(topic::Class::Health("sensors" | "io")) => {
                    let heard = Heard::Health(serde_json::from_slice(&message.payload).unwrap());
                    self.health = Some(heard.clone());
                    return heard;
                }
                _ => {}
            }
        }
    }

    /// Listens until `is_it` says so; the newest state and health count as just heard.
    async fn until(&mut self, what: &str, is_it: impl Fn(&Heard) -> bool) {
        let newest = [&self.state, &self.health];
        if newest.into_iter().flatten().any(&is_it) {
            return;
        }
        let listening = async { while !is_it(&self.hear().await) {} };
        timeout(DEADLINE, listening)
            .await
            .unwrap_or_else(|_| panic!("never: {what}"));
    }

    /// The next point of that name for which `is_it` holds.
    async fn point(&mut self, name: &str, is_it: impl Fn(&Point) -> bool) {
        self.until(name, |heard| match heard {
            Heard::Poll(poll) => poll
                .points
                .iter()
                .any(|p| p.name.as_str() == name && is_it(p)),
            _ => false,
        })
        .await;
    }

    /// The next health for which `is_it` holds.
    async fn health(&mut self, what: &str, is_it: impl Fn(&Health) -> bool) {
        self.until(
            what,
            |heard| matches!(heard, Heard::Health(health) if is_it(health)),
        )
        .await;
    }
}

const METER: &str = r#"
[[device]]
name = "meter"
port = "tcp://METER"
period_s = 1
timeout_ms = 300

[[device.register]]
name = "voltage"
function = "input"
address = 0
factor = 0.1
unit = "V"

[[device.register]]
name = "energy"
function = "input"
address = 4
type = "u32"
factor = 0.001
unit = "kWh"
kind = "counter"

[[device.register]]
name = "door"
function = "discrete"
address = 0
"#;

fn is_failed(health: &Health, device: &str, reason: &str) -> bool {
    health.status == HealthStatus::Degraded
        && health.reasons.iter().any(|cause| {
            let arg = |name: &str| cause.args.get(name).map_or("", String::as_str);
            cause.code == "sensors.device_failed"
                && arg("device") == device
                && arg("reason") == reason
        })
}

#[tokio::test]
async fn everything_is_measured_and_told() {
    let mut scene = Scene::new("sensors", Some(METER), true).await;
    let in_range = |low: f64, high: f64| {
        move |point: &Point| {
            let number = point.reading.value().and_then(tm_types::Value::to_f64);
            number.is_some_and(|number| (low..high).contains(&number))
        }
    };
    scene.point("cpu-temperature", in_range(-20.0, 90.0)).await;
    scene.point("load-1m", in_range(0.0, 1000.0)).await;
    scene.point("disk-available", in_range(1.0, 1e18)).await;
    scene
        .point(&format!("{SENSOR}/temperature"), in_range(-20.0, 60.0))
        .await;
    scene
        .point("bme280-76/temperature", in_range(-20.0, 60.0))
        .await;
    scene
        .point("bme280-76/pressure", in_range(9e4, 1.1e5))
        .await;
    scene
        .point("throttled-since-boot", |point| {
            point.reading == Reading::from(false)
        })
        .await;
    scene.point("meter/voltage", in_range(180.0, 270.0)).await;
    scene.point("meter/energy", in_range(1000.0, 2000.0)).await;
    scene.meter.handle().set_door(true);
    scene
        .point("meter/door", |point| point.reading == Reading::from(true))
        .await;
    scene
        .until("all devices present", |heard| match heard {
            Heard::State(state) => {
                let present = |d: &&tm_types::SensorDevice| d.presence == SensorPresence::Present;
                state.devices.iter().filter(present).count() == 6
            }
            _ => false,
        })
        .await;
}

#[tokio::test]
async fn one_poll_is_one_message_with_one_stamp() {
    let mut scene = Scene::new("sensors", Some(METER), true).await;
    for _ in 0..10 {
        let Heard::Poll(poll) = scene.hear().await else {
            continue;
        };
        let device = |point: &Point| {
            let name = point.name.to_string();
            name.split_once('/')
                .map_or_else(String::new, |(device, _)| device.to_owned())
        };
        let first = device(&poll.points[0]);
        assert!(
            poll.points.iter().all(|point| device(point) == first),
            "{poll:?}"
        );
        assert_eq!(poll.stamp.boot, NOW.boot);
    }
}

#[tokio::test]
async fn a_pulled_sensor_is_a_state_and_comes_back() {
    let mut scene = Scene::new("sensors", None, true).await;
    let name = format!("{SENSOR}/temperature");
    scene
        .health("up", |health| {
            health.status == HealthStatus::Up && health.reasons.is_empty()
        })
        .await;

    for (fault, reason) in [
        (SensorFault::Removed, Reason::NotPresent),
        (SensorFault::Garbage, Reason::BadReply),
        (SensorFault::BadCrc, Reason::BadReply),
    ] {
        scene.tree.handle().set_fault(SENSOR, Some(fault));
        scene
            .point(&name, |point| point.reading == Reading::Missing(reason))
            .await;
        scene
            .health("failed", |health| {
                is_failed(health, SENSOR, reason.as_str())
            })
            .await;
        scene.tree.handle().set_fault(SENSOR, None);
        scene
            .point(&name, |point| point.reading.value().is_some())
            .await;
        scene
            .health("mended", |health| health.status == HealthStatus::Up)
            .await;
    }
    scene
        .tree
        .handle()
        .set_fault(SENSOR, Some(SensorFault::PowerOn));
    scene
        .point(&name, |point| {
            point.reading == Reading::Missing(Reason::Implausible)
        })
        .await;
}

#[tokio::test]
async fn a_meter_that_falls_silent_is_named_and_the_rest_goes_on() {
    let mut scene = Scene::new("sensors", Some(METER), true).await;
    scene
        .point("meter/voltage", |point| point.reading.value().is_some())
        .await;
    for (mode, reason) in [
        (ModbusMode::Silent, "timeout"),
        (ModbusMode::Gone, "not_present"),
    ] {
        scene.meter.handle().set_mode(mode);
        scene
            .health("failed", |health| is_failed(health, "meter", reason))
            .await;
        scene
            .point("load-1m", |point| point.reading.value().is_some())
            .await;
        scene.meter.handle().set_mode(ModbusMode::Normal);
        scene
            .health("mended", |health| health.status == HealthStatus::Up)
            .await;
    }
    scene
        .meter
        .handle()
        .set_mode(ModbusMode::Exception { address: 0 });
    scene
        .point("meter/voltage", |point| {
            point.reading == Reading::Missing(Reason::DeviceError)
        })
        .await;
    scene
        .point("meter/energy", |point| point.reading.value().is_some())
        .await;
}

#[tokio::test]
async fn a_bad_map_is_reported_with_its_line_and_the_machine_is_measured() {
    let map = METER.replace("unit = \"V\"", "unit = \"Volt\"");
    let mut scene = Scene::new("sensors", Some(&map), false).await;
    scene
        .health("map refused", |health| {
            let cause = health.reasons.first();
            health.status == HealthStatus::Degraded
                && cause.is_some_and(|cause| {
                    cause.code == "sensors.map_invalid"
                        && cause.args["name"] == "TM_SENSORS_MODBUS"
                        && cause.args["line"] == "13"
                        && cause.args["reason"].contains("write \"V\"")
                })
        })
        .await;
    scene
        .point("load-1m", |point| point.reading.value().is_some())
        .await;
}

#[tokio::test]
async fn nothing_configured_is_a_note_and_not_a_fault() {
    let mut scene = Scene::new("io", None, false).await;
    scene
        .health("a note", |health| {
            health.status == HealthStatus::Up && health.reasons[0].code == "sensors.not_configured"
        })
        .await;
    scene
        .point("uptime", |point| point.reading.value().is_some())
        .await;
}

#[tokio::test]
async fn an_instance_that_leaves_the_machine_alone_is_idle() {
    let config = Config {
        machine: false,
        ..Config::default()
    };
    let mut scene = Scene::configured("io", config, true).await;
    scene
        .until("a state without devices", |heard| match heard {
            Heard::Poll(poll) => panic!("an idle instance measures {poll:?}"),
            Heard::State(state) => state.devices.is_empty(),
            Heard::Health(_) => false,
        })
        .await;
    scene
        .health("a note", |health| {
            health.status == HealthStatus::Up && health.reasons[0].code == "sensors.not_configured"
        })
        .await;
}

#[tokio::test]
async fn contacts_need_a_chip_and_nothing_else_is_measured_beside_them() {
    let config = Config {
        machine: false,
        gpio: Some(
            "[[contact]]\nname = 'door-open'\nchip = '/dev/gpiochip-none'\nline = 17\n".to_owned(),
        ),
        ..Config::default()
    };
    let mut scene = Scene::configured("io", config, true).await;
    scene
        .point("door-open", |point| {
            point.reading == Reading::Missing(Reason::NotPresent)
        })
        .await;
    scene
        .health("failed", |health| {
            is_failed(health, "door-open", "not_present")
        })
        .await;
    scene
        .until("the contact alone", |heard| match heard {
            Heard::Poll(poll) => panic!("something else is measured: {poll:?}"),
            Heard::State(state) => {
                let ids: Vec<_> = state.devices.iter().map(|d| (&*d.id, &*d.driver)).collect();
                ids == [("door-open", "gpio")]
            }
            Heard::Health(_) => false,
        })
        .await;
}

#[tokio::test]
async fn a_bad_list_of_contacts_is_reported_with_its_line_and_the_rest_is_measured() {
    // The name is that of a Modbus device.
    let config = Config {
        modbus: Some(METER.to_owned()),
        gpio: Some("[[contact]]\nname = 'meter'\nline = 17\n".to_owned()),
        ..Config::default()
    };
    let mut scene = Scene::configured("io", config, false).await;
    scene
        .health("list refused", |health| {
            health.reasons.first().is_some_and(|cause| {
                cause.code == "sensors.gpio_invalid"
                    && cause.args["name"] == "TM_IO_GPIO"
                    && cause.args["line"] == "2"
                    && cause.args["reason"].contains("a second device is called meter")
            })
        })
        .await;
    scene
        .point("meter/voltage", |point| point.reading.value().is_some())
        .await;
}

#[tokio::test]
async fn a_clock_that_steps_ten_years_disturbs_no_schedule() {
    const TEN_YEARS_MS: i64 = 10 * 365 * 86_400_000;
    let mut scene = Scene::new("sensors", None, false).await;
    scene.point("load-1m", |_| true).await;
    for (step, year) in [
        (TEN_YEARS_MS, "1979"),
        (-2 * TEN_YEARS_MS, "1960"),
        (TEN_YEARS_MS, "1970"),
    ] {
        scene.hand.step_wall(step);
        let start = tokio::time::Instant::now();
        let mut n_polls = 0;
        while n_polls < 3 {
            if let Heard::Poll(poll) = scene.hear().await {
                let told = poll.stamp.time.to_string();
                // One poll may have been under way.
                assert!(
                    n_polls == 0
                        || told.starts_with(year)
                        || year == "1960" && told.starts_with("1959"),
                    "{told}"
                );
                n_polls += 1;
            }
        }
        let took = start.elapsed();
        assert!(
            took > Duration::from_millis(1500),
            "a burst: 3 polls in {took:?}"
        );
        assert!(
            took < Duration::from_secs(6),
            "a stall: 3 polls in {took:?}"
        );
    }
}
