//! Files of the machine, scripts, and the whole cabinet.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{fs, path::Path, time::Duration};

use tm_sim::{
    Cabinet, CabinetConfig, Gate, Script, SysfsTree,
    script::Event,
    sim7600::Sim7600Config,
    sysfs::{SensorFault, W1_SENSORS},
};
use tokio::{
    io::AsyncReadExt as _,
    net::TcpStream,
    time::{Instant, timeout},
};

const DEADLINE: Duration = Duration::from_secs(10);

fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(path.as_ref())
        .unwrap_or_else(|error| panic!("{}: {error}", path.as_ref().display()))
}

fn number(path: impl AsRef<Path>) -> i64 {
    read(path).trim().parse().unwrap()
}

#[tokio::test]
async fn the_tree_is_like_that_of_a_machine() {
    let root = tempfile::tempdir().unwrap();
    let tree = SysfsTree::start(root.path(), 1).await.unwrap();
    let (sys, proc) = (tree.sys(), tree.proc());
    assert_eq!(
        read(sys.join("class/thermal/thermal_zone0/type")),
        "cpu-thermal\n"
    );
    assert!((40_000..65_000).contains(&number(sys.join("class/thermal/thermal_zone0/temp"))));
    assert_eq!(number(sys.join("class/hwmon/hwmon1/in0_lcrit_alarm")), 0);
    assert!((15_000..30_000).contains(&number(
        sys.join("bus/iio/devices/iio:device0/in_temp_input")
    )));
    for (id, mean) in W1_SENSORS {
        let directory = sys.join("bus/w1/devices").join(id);
        let millidegrees = number(directory.join("temperature"));
        assert!((f64::from(i32::try_from(millidegrees).unwrap()) / 1000.0 - mean).abs() < 5.0);
        let slave = read(directory.join("w1_slave"));
        assert!(
            slave.contains(" YES\n") && slave.ends_with(&format!("t={millidegrees}\n")),
            "{slave}"
        );
    }
    assert_eq!(read(proc.join("loadavg")).split_whitespace().count(), 5);
    assert!(read(proc.join("meminfo")).contains("MemAvailable:"));
    assert!(
        read(proc.join("uptime"))
            .split_whitespace()
            .all(|field| field.parse::<f64>().is_ok())
    );
    assert_eq!(
        read(proc.join("sys/kernel/random/boot_id")).trim().len(),
        36
    );
}

#[tokio::test]
async fn it_drifts_and_faults_come_and_go() {
    let root = tempfile::tempdir().unwrap();
    let tree = SysfsTree::start(root.path(), 1).await.unwrap();
    let (handle, id) = (tree.handle(), W1_SENSORS[0].0);
    let directory = tree.sys().join("bus/w1/devices").join(id);
    let mut seen = Vec::new();
    for _ in 0..50 {
        handle.refresh().await.unwrap();
        seen.push(number(tree.sys().join("class/thermal/thermal_zone0/temp")));
    }
    seen.dedup();
    assert!(seen.len() > 20, "{seen:?}");
    for fault in [
        SensorFault::Removed,
        SensorFault::Garbage,
        SensorFault::PowerOn,
        SensorFault::BadCrc,
    ] {
        handle.set_fault(id, Some(fault));
        handle.refresh().await.unwrap();
        let temperature = fs::read_to_string(directory.join("temperature"));
        match fault {
            SensorFault::Removed => assert!(!directory.exists()),
            SensorFault::Garbage => assert!(temperature.unwrap().trim().parse::<i64>().is_err()),
            SensorFault::PowerOn => assert_eq!(temperature.unwrap(), "85000\n"),
            SensorFault::BadCrc => {
                assert!(temperature.is_err());
                assert!(read(directory.join("w1_slave")).contains(" NO\n"));
            }
        }
        handle.set_fault(id, None);
        handle.refresh().await.unwrap();
        assert!((10_000..40_000).contains(&number(directory.join("temperature"))));
    }
    handle.set_under_voltage(true);
    handle.refresh().await.unwrap();
    assert_eq!(
        number(tree.sys().join("class/hwmon/hwmon1/in0_lcrit_alarm")),
        1
    );
    fs::remove_dir_all(root.path()).unwrap();
    assert!(handle.refresh().await.is_err());
    assert!(!root.path().exists(), "a removed directory stays removed");
}

async fn cabinet(directory: &Path) -> Cabinet {
    let config = CabinetConfig {
        directory: directory.to_owned(),
        seed: 1,
        modem: Sim7600Config::default(),
        with_ptys: true,
    };
    Cabinet::start(config).await.unwrap()
}

#[tokio::test]
async fn everything_is_where_the_addresses_say() {
    let directory = tempfile::tempdir().unwrap();
    let cabinet = cabinet(directory.path()).await;
    let addresses = cabinet.addresses();
    let text = |pointer: &str| {
        addresses
            .pointer(pointer)
            .and_then(|value| value.as_str())
            .unwrap()
            .to_owned()
    };
    for pointer in ["/at/tcp", "/nmea/tcp", "/modbus"] {
        let address = text(pointer);
        TcpStream::connect(address.strip_prefix("tcp://").unwrap())
            .await
            .unwrap();
    }
    for pointer in ["/at/serial", "/nmea/serial", "/sys", "/proc"] {
        assert!(Path::new(&text(pointer)).exists(), "{pointer}");
    }
    drop(cabinet);
    let gone = async {
        while directory.path().join("at").exists() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    timeout(DEADLINE, gone).await.unwrap();
}

#[tokio::test]
async fn a_script_acts_when_its_time_has_come() {
    let directory = tempfile::tempdir().unwrap();
    let cabinet = cabinet(directory.path()).await;
    let gate = Gate::open(cabinet.meter()).unwrap();
    let mut stage = cabinet.stage();
    stage.link = Some(gate.handle());
    let modem = stage.modem.clone().unwrap();
    modem.wait_for(|status| status.is_present).await.unwrap();
    let mut through_gate = TcpStream::connect(gate.address()).await.unwrap();
    let start = Instant::now();
    let script: Script =
        "50ms unplug; 100ms door-open; 150ms plug; 200ms link-cut; 250ms sensor-85"
            .parse()
            .unwrap();
    let (gone, ()) = tokio::join!(
        timeout(DEADLINE, modem.wait_for(|status| !status.is_present)),
        script.play(&stage)
    );
    gone.unwrap().unwrap();
    assert!(start.elapsed() >= Duration::from_millis(250));
    let back = timeout(DEADLINE, modem.wait_for(|status| status.is_present))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(back.n_boots, 2);
    let end = timeout(DEADLINE, through_gate.read(&mut [0; 1]))
        .await
        .unwrap();
    assert!(matches!(end, Ok(0) | Err(_)));
    stage.tree.unwrap().refresh().await.unwrap();
    let first = directory
        .path()
        .join("sys/bus/w1/devices")
        .join(W1_SENSORS[0].0);
    assert_eq!(read(first.join("temperature")), "85000\n");
}

#[tokio::test]
async fn without_power_nothing_answers_and_with_it_the_modem_starts_anew() {
    let directory = tempfile::tempdir().unwrap();
    let cabinet = cabinet(directory.path()).await;
    let stage = cabinet.stage();
    let modem = stage.modem.clone().unwrap();
    modem.wait_for(|status| status.is_present).await.unwrap();
    let mut to_meter = TcpStream::connect(cabinet.meter()).await.unwrap();
    stage.act(Event::Power(false));
    let gone = modem.wait_for(|status| !status.is_present);
    timeout(DEADLINE, gone).await.unwrap().unwrap();
    let end = timeout(DEADLINE, to_meter.read(&mut [0; 1])).await.unwrap();
    assert!(matches!(end, Ok(0) | Err(_)));
    stage.act(Event::Power(true));
    let back = modem.wait_for(|status| status.is_present);
    let back = timeout(DEADLINE, back).await.unwrap().unwrap();
    assert_eq!(back.n_boots, 2);
    assert!(TcpStream::connect(cabinet.meter()).await.is_ok());
}
