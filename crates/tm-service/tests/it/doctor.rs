//! The doctor on machines that are ill in one way each, and on one that is well.

use std::os::unix::fs::symlink;
use std::path::Path;

use serde_json::{Value, json};
use tm_service::Clock;
use tm_service::config::{Environment, Secret};
use tm_service::doctor::{CHECKS, Diagnosis, Disk, Machine, Status, examine, json, text};
use tm_types::text::Language;
use tm_types::{BootId, Clock as Quality, Stamp, Timestamp};

use crate::peer::{FakeBroker, Seen};
use crate::probe::{Names, Network, in_network};

/// 2026-11-25T12:00:00Z.
const NOW_MS: i64 = 1_795_608_000_000;
const IMSI: &str = "255011234567890";

/// A machine and the world around it; the usual one is well.
struct World {
    network: Network,
    product: Option<(&'static str, &'static str)>,
    interfaces: &'static [(&'static str, &'static str)],
    modem: Value,
    uplink: Value,
    bus: Bus,
    under_voltage: &'static str,
    millidegrees: &'static str,
    one_wire_line: u8,
    disk: Disk,
    now_ms: i64,
    clock: Quality,
    variables: Vec<(&'static str, &'static str)>,
    dbus: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Bus {
    Open,
    Absent,
    Refusing,
}

impl Default for World {
    fn default() -> Self {
        Self {
            network: Network::default(),
            product: Some(("1e0e", "9001")),
            interfaces: &[("01", "ttyUSB1"), ("02", "ttyUSB2"), ("05", "cdc-wdm0")],
            modem: modem("modem.registered", "ready", "home"),
            uplink: uplink(
                "connected",
                &json!({"code": "uplink.connected", "args": {"broker": "b"}}),
            ),
            bus: Bus::Open,
            under_voltage: "0",
            millidegrees: "48000",
            one_wire_line: 17,
            disk: Disk {
                free_mib: 9000,
                is_read_only: false,
            },
            now_ms: NOW_MS,
            clock: Quality::Ntp,
            variables: Vec::new(),
            dbus: true,
        }
    }
}

fn modem(cause: &str, sim: &str, registration: &str) -> Value {
    let args = json!({"operator": "Kyivstar", "apn": "internet", "known": "www.kyivstar.net", "tries": "3"});
    json!({
        "id": "1",
        "presence": "present",
        "cause": {"code": cause, "args": args},
        "port": "/dev/ttyUSB2",
        "stamp": null,
        "identity": {"manufacturer": null, "model": "SIM7600G-H", "revision": null, "imei": "861234567890123"},
        "sim": {"status": sim, "iccid": "8938001234567890123", "imsi": IMSI},
        "registration": {"status": registration, "operator": "Kyivstar", "plmn": "255-03", "technology": "lte"},
        "signal": {"rssi_dbm": null, "rsrp_dbm": null, "rsrq_db": null, "sinr_db": null},
        "cell": null,
        "temperature_cel": null,
        "supply_v": null,
        "data": {"attached": true, "active": cause == "modem.registered", "apn": "internet"},
    })
}

fn uplink(link: &str, cause: &Value) -> Value {
    json!({
        "link": link,
        "cause": cause,
        "broker": "b:8883",
        "since": null,
        "ack_age_ms": null,
        "journal": {
            "records_pending": 0, "points_pending": 0, "bytes_on_disk": 0, "quota_bytes": 0,
            "oldest": null, "records_dropped": 0, "records_damaged": 0,
        },
        "messages_received": 0,
        "duplicates_dropped": 0,
        "lost_on_bus": 0,
        "messages_unreadable": 0,
        "batches_acked": 0,
        "bytes_acked": 0,
    })
}

fn write(root: &Path, name: &str, content: impl AsRef<[u8]>) {
    let path = root.join(name);
    std::fs::create_dir_all(path.parent().expect("below the root")).expect("a directory");
    std::fs::write(path, content).expect("a file");
}

/// `/sys` as the world has it.
fn fill(root: &Path, world: &World) {
    write(root, "sys/bus/usb/devices/usb1/idVendor", "1d6b\n");
    write(root, "sys/bus/usb/devices/usb1/idProduct", "0002\n");
    if let Some((vendor, product)) = world.product {
        let device = root.join("sys/devices/1-1.3");
        write(&device, "idVendor", format!("{vendor}\n"));
        write(&device, "idProduct", format!("{product}\n"));
        for (number, node) in world.interfaces {
            let interface = device.join(format!("1-1.3:1.{number}"));
            write(&interface, "bInterfaceNumber", format!("{number}\n"));
            let place = match node.strip_prefix("cdc") {
                Some(_) => format!("usbmisc/{node}/dev"),
                None => format!("{node}/dev"),
            };
            write(&interface, &place, "");
        }
        symlink(&device, root.join("sys/bus/usb/devices/1-1.3")).expect("a link");
    }
    write(root, "sys/class/hwmon/hwmon1/name", "rpi_volt\n");
    write(
        root,
        "sys/class/hwmon/hwmon1/in0_lcrit_alarm",
        world.under_voltage,
    );
    write(
        root,
        "sys/class/thermal/thermal_zone0/temp",
        world.millidegrees,
    );
    write(root, "sys/bus/w1/devices/w1_bus_master1/name", "w1");
    let gpios = [0, 0, 0, 7, 0, 0, 0, world.one_wire_line, 0, 0, 0, 0];
    write(root, "sys/firmware/devicetree/base/onewire@0/gpios", gpios);
}

async fn serve_bus(broker: FakeBroker, world: &World) {
    let mut peer = broker.accept_raw().await;
    let Seen::Connect { user, .. } = peer.read().await else {
        panic!("a client says CONNECT first");
    };
    assert_eq!(user.as_deref(), Some("tm"));
    // MQTT 3.1.1, table 3.1: 5 is "not authorized".
    let code = if world.bus == Bus::Refusing { 5 } else { 0 };
    peer.send(&[0x20, 2, 0, code]).await;
    if world.bus == Bus::Open {
        peer.confirm_subscription().await;
        let state = json!({"modems": [world.modem]}).to_string();
        peer.publish("tm/v1/state/modem", state.as_bytes(), None, true)
            .await;
        let state = world.uplink.to_string();
        peer.publish("tm/v1/state/uplink", state.as_bytes(), None, true)
            .await;
    }
    while peer.try_read().await.is_some() {}
    std::future::pending::<()>().await;
}

async fn diagnose(mut world: World) -> Diagnosis {
    let network = std::mem::take(&mut world.network);
    let look = async |targets, path: &Path| {
        fill(path, &world);
        let broker = FakeBroker::bind().await;
        let mut environment: Environment = world.variables.iter().copied().collect();
        let dbus = path.join("bus_socket");
        let listener = world.dbus.then(|| tokio::net::UnixListener::bind(&dbus));
        let address = format!("unix:path={}", dbus.display());
        environment = environment.with("DBUS_SYSTEM_BUS_ADDRESS", &address);
        let (clock, _hand) = Clock::manual(Stamp {
            time: Timestamp::of_unix_ms(world.now_ms),
            mono_ms: 1000,
            boot: BootId(1),
            clock: world.clock,
            err_ms: None,
        });
        let mut machine = Machine::here(environment, "1.2.3");
        machine.sys = path.join("sys");
        machine.proc = path.to_owned();
        machine.data = path.to_owned();
        machine.disk = Some(world.disk);
        // Nobody listens on port 1 (tcpmux).
        machine.bus_address = match world.bus {
            Bus::Absent => "mqtt://127.0.0.1:1".to_owned(),
            Bus::Open | Bus::Refusing => broker.url(),
        };
        machine.bus_credentials = Some(("tm".to_owned(), Secret::new("hush-hush")));
        machine.targets = Ok(Some(targets));
        machine.clock = clock;
        "0123456789abcdef0123456789abcdef".clone_into(&mut machine.device);
        let serving = serve_bus(broker, &world);
        let diagnosis = tokio::select! {
            diagnosis = examine(&machine) => diagnosis,
            () = serving => unreachable!("it serves for ever"),
        };
        drop(listener);
        diagnosis
    };
    in_network(network, look).await
}

/// The machine fails in this check for this cause; nothing secret is told in any form.
async fn check(what: &str, world: World, name: &str, status: Status, code: &str) {
    let diagnosis = diagnose(world).await;
    let report = text(&diagnosis, Language::En);
    let found = diagnosis.check(name).expect("every check is told");
    assert_eq!(
        (found.status, found.cause.code.as_str()),
        (status, code),
        "{what}\n{report}"
    );
    let is_failed = status == Status::Fail;
    assert_eq!(
        diagnosis.exit_code(),
        u8::from(is_failed),
        "{what}\n{report}"
    );
    for language in Language::ALL {
        let told = text(&diagnosis, language) + &json(&diagnosis, language).to_string();
        for secret in [
            IMSI,
            "861234567890123",
            "8938001234567890123",
            "hush-hush",
            "0123456789abcdef",
        ] {
            assert!(!told.contains(secret), "{what}: {secret}");
        }
        assert!(
            !told.contains(" ?") && !told.contains("\"?"),
            "{what}: {told}"
        );
    }
}

fn network(change: impl FnOnce(&mut Network)) -> World {
    let mut world = World::default();
    change(&mut world.network);
    world
}

fn world(change: impl FnOnce(&mut World)) -> World {
    let mut world = World::default();
    change(&mut world);
    world
}

#[tokio::test]
async fn a_machine_that_is_well_is_well() {
    let diagnosis = Box::pin(diagnose(World::default())).await;
    let report = text(&diagnosis, Language::En);
    assert_eq!(
        (diagnosis.status(), diagnosis.exit_code()),
        (Status::Ok, 0),
        "{report}"
    );
    let names: Vec<&str> = diagnosis.checks.iter().map(|check| check.name).collect();
    assert_eq!(names, CHECKS);
    assert!(
        diagnosis
            .checks
            .iter()
            .all(|check| check.status == Status::Ok),
        "{report}"
    );
    let report = json(&diagnosis, Language::Uk);
    assert_eq!(report["doctor"], 1);
    assert_eq!(report["device"], "…cdef");
    assert_eq!(report["status"], "ok");
    assert_eq!(report["verdict"]["code"], "link.open");
    assert_eq!(report["checks"][8]["check"], "modem");
    assert_eq!(report["checks"][8]["text"], "Модем відповідає: SIM7600G-H.");
    assert_eq!(report["checks"][8]["remedy"], Value::Null);
    assert_eq!(report["probe"]["steps"][7]["look"], "tls");
    assert_eq!(report["probe"]["steps"][7]["result"], "good");
}

/// What is ill, the machine, the check that tells, how, and with which code.
type Case = (&'static str, World, &'static str, Status, &'static str);

fn hardware() -> Vec<Case> {
    use Status::{Fail, Skipped, Warn};
    vec![
        (
            "no modem",
            world(|it| it.product = None),
            "usb",
            Fail,
            "modem.absent",
        ),
        (
            "no modem, and none wanted",
            world(|it| {
                it.product = None;
                it.variables = vec![("TM_MODEM_EXPECTED", "false")];
            }),
            "usb",
            Skipped,
            "modem.not_configured",
        ),
        (
            "wrong socket",
            world(|it| it.product = Some(("10c4", "ea60"))),
            "usb",
            Fail,
            "doctor.usb_uart_socket",
        ),
        (
            "composition",
            world(|it| it.product = Some(("1e0e", "9011"))),
            "usb",
            Fail,
            "modem.wrong_composition",
        ),
        (
            "composition without ports for us",
            world(|it| it.product = Some(("1e0e", "9004"))),
            "usb",
            Fail,
            "modem.wrong_composition",
        ),
        (
            "no network port",
            world(|it| it.interfaces = &[("01", "ttyUSB1"), ("02", "ttyUSB2")]),
            "ports",
            Warn,
            "doctor.ports_no_network",
        ),
        (
            "ports elsewhere",
            world(|it| it.product = Some(("1e0e", "9003"))),
            "ports",
            Warn,
            "doctor.ports_other_layout",
        ),
        (
            "another composition with ports for us",
            world(|it| it.product = Some(("1e0e", "9006"))),
            "ports",
            Warn,
            "doctor.ports_other_layout",
        ),
        (
            "no ports",
            world(|it| it.interfaces = &[("05", "cdc-wdm0")]),
            "ports",
            Fail,
            "doctor.ports_missing",
        ),
        (
            "under-voltage",
            world(|it| it.under_voltage = "1\n"),
            "power",
            Fail,
            "doctor.under_voltage",
        ),
        (
            "hot",
            world(|it| it.millidegrees = "91000\n"),
            "temperature",
            Fail,
            "doctor.hot",
        ),
        (
            "1-Wire",
            world(|it| it.one_wire_line = 4),
            "one_wire",
            Warn,
            "doctor.one_wire_on_flight_line",
        ),
    ]
}

fn modem_faults() -> Vec<Case> {
    use Status::{Fail, Warn};
    let sim = |cause, sim| world(|it| it.modem = modem(cause, sim, "unknown"));
    let net = |cause, registration| world(|it| it.modem = modem(cause, "ready", registration));
    vec![
        (
            "no SIM",
            sim("modem.sim_absent", "absent"),
            "sim",
            Fail,
            "modem.sim_absent",
        ),
        (
            "PIN",
            sim("modem.sim_pin_required", "pin_required"),
            "sim",
            Fail,
            "modem.sim_pin_required",
        ),
        (
            "PIN kept",
            sim("modem.sim_pin_withheld", "pin_required"),
            "sim",
            Fail,
            "modem.sim_pin_withheld",
        ),
        (
            "PUK",
            sim("modem.sim_puk_required", "puk_required"),
            "sim",
            Fail,
            "modem.sim_puk_required",
        ),
        (
            "denied",
            net("modem.denied", "denied"),
            "registration",
            Fail,
            "modem.denied",
        ),
        (
            "searching",
            net("modem.searching", "searching"),
            "registration",
            Warn,
            "modem.searching",
        ),
        (
            "wrong APN",
            net("modem.wrong_apn", "home"),
            "access_point",
            Fail,
            "modem.wrong_apn",
        ),
    ]
}

fn network_faults() -> Vec<Case> {
    use Status::Fail;
    vec![
        (
            "no route",
            network(|it| it.route = false),
            "route",
            Fail,
            "link.no_route",
        ),
        (
            "DNS dead",
            network(|it| it.names = Names::Absent),
            "names",
            Fail,
            "link.dns_dead",
        ),
        (
            "DNS hijacked",
            network(|it| {
                it.names = Names::Wildcard;
                it.issued_by_other = true;
            }),
            "names",
            Fail,
            "link.dns_hijacked",
        ),
        (
            "portal",
            network(|it| {
                it.page = "HTTP/1.1 302 Found\r\nLocation: http://pay.ua/380501234567\r\n\r\n";
                it.issued_by_other = true;
            }),
            "portal",
            Fail,
            "link.captive_portal",
        ),
        (
            "intercepted",
            network(|it| it.issued_by_other = true),
            "tls",
            Fail,
            "link.tls_intercepted",
        ),
        (
            "port blocked",
            network(|it| it.broker_listens = false),
            "broker",
            Fail,
            "link.port_blocked",
        ),
        (
            "broker away",
            network(|it| {
                it.broker_listens = false;
                it.other_port_listens = false;
            }),
            "broker",
            Fail,
            "link.cloud_unreachable",
        ),
        (
            "certificate and clock",
            network(|it| {
                it.until = 2001;
                it.clock_suspect = true;
            }),
            "tls",
            Fail,
            "link.clock_suspect",
        ),
    ]
}

fn other() -> Vec<Case> {
    use Status::{Fail, Warn};
    let refused =
        json!({"code": "uplink.refused", "args": {"broker": "b", "error": "not authorised"}});
    vec![
        (
            "refused",
            world(|it| it.uplink = uplink("failed", &refused)),
            "uplink",
            Fail,
            "link.cloud_refuses",
        ),
        (
            "clock wrong",
            world(|it| it.now_ms = 0),
            "clock",
            Fail,
            "doctor.clock_wrong",
        ),
        (
            "clock free",
            world(|it| it.clock = Quality::Restored),
            "clock",
            Warn,
            "doctor.clock_free",
        ),
        (
            "disk full",
            world(|it| it.disk.free_mib = 3),
            "disk",
            Fail,
            "journal.disk_full",
        ),
        (
            "disk low",
            world(|it| it.disk.free_mib = 300),
            "disk",
            Warn,
            "doctor.disk_low",
        ),
        (
            "read-only",
            world(|it| it.disk.is_read_only = true),
            "disk",
            Fail,
            "journal.read_only",
        ),
        (
            "bus away",
            world(|it| it.bus = Bus::Absent),
            "bus",
            Fail,
            "bus.unreachable",
        ),
        (
            "bus refuses",
            world(|it| it.bus = Bus::Refusing),
            "bus",
            Fail,
            "bus.refused",
        ),
        (
            "no D-Bus",
            world(|it| it.dbus = false),
            "manager",
            Fail,
            "modem.manager_absent",
        ),
    ]
}

#[tokio::test]
async fn a_fault_beyond_the_modem_is_not_the_modems() {
    let causes = [
        "link.open",
        "link.dns_dead",
        "link.cloud_unreachable",
        "uplink.tls_failed",
        "uplink.unreachable",
        "modem.data_limit",
        "modem.area_outage",
    ];
    for cause in causes {
        let world = world(|it| it.modem = modem(cause, "ready", "home"));
        Box::pin(check(
            cause,
            world,
            "modem",
            Status::Ok,
            "doctor.modem_answers",
        ))
        .await;
    }
    let world = world(|it| it.modem = modem("modem.flight_mode", "ready", "idle"));
    let code = "modem.flight_mode";
    Box::pin(check(code, world, "modem", Status::Fail, code)).await;
}

#[tokio::test]
async fn each_fault_is_named() {
    let cases = [hardware(), modem_faults(), network_faults(), other()];
    for (what, world, name, status, code) in cases.into_iter().flatten() {
        Box::pin(check(what, world, name, status, code)).await;
    }
}
