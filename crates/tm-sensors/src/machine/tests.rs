//! A Raspberry Pi as a tree of files, whole and broken.

use std::collections::BTreeMap;
use std::fs;

use super::*;

fn machine(root: &Path) -> Machine {
    machine_with(root, &root.join("store"))
}

fn machine_with(root: &Path, store: &Path) -> Machine {
    let (sys, proc) = (root.join("sys"), root.join("proc"));
    Machine::new(&sys, &proc, root, Deadband::None, &Store::at(store))
}

fn write(root: &Path, file: &str, text: &str) {
    let path = root.join(file);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// Name to value or reason.
async fn poll(machine: &mut Machine) -> BTreeMap<String, String> {
    poll_in(machine, 1).await
}

async fn poll_in(machine: &mut Machine, boot: u32) -> BTreeMap<String, String> {
    let stamp = Stamp {
        time: tm_types::Timestamp::EPOCH,
        mono_ms: 0,
        boot: tm_types::BootId(boot),
        clock: tm_types::Clock::Ntp,
        err_ms: None,
    };
    let points = machine.poll(&stamp).await;
    let told = points.into_iter().map(|Measured { point, .. }| {
        let text = match (point.reading.value(), point.reading.reason()) {
            (Some(value), _) => format!("{value} {}", point.unit),
            (None, reason) => reason.unwrap().as_str().to_owned(),
        };
        (point.name.to_string(), text.trim().to_owned())
    });
    told.collect()
}

#[tokio::test]
async fn a_raspberry_pi() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    write(
        root,
        "sys/class/thermal/thermal_zone0/type",
        "cpu-thermal\n",
    );
    write(root, "sys/class/thermal/thermal_zone0/temp", "48686\n");
    write(root, "sys/class/thermal/cooling_device0/type", "fan\n");
    write(root, "sys/class/hwmon/hwmon0/name", "cpu_thermal\n");
    write(root, "sys/class/hwmon/hwmon1/name", "rpi_volt\n");
    write(root, "sys/class/hwmon/hwmon1/in0_lcrit_alarm", "1\n");
    write(root, "proc/loadavg", "0.97 0.87 0.51 1/94 22531\n");
    write(root, "proc/uptime", "350735.47 234388.90\n");
    write(
        root,
        "proc/meminfo",
        "MemTotal: 4000 kB\nMemAvailable: 3000 kB\n",
    );
    write(root, "proc/stat", "cpu  100 0 100 800 0 0 0 0 0 0\n");

    let mut machine = machine(root);
    let first = poll(&mut machine).await;
    assert_eq!(first["cpu-temperature"], "48.7 Cel");
    assert_eq!(first["under-voltage"], "true");
    assert_eq!(first["load-1m"], "0.97");
    assert_eq!(first["uptime"], "350735 s");
    assert_eq!(first["memory-used"], "1024000 B");
    assert_eq!(first["memory-available"], "3072000 B");
    assert_eq!(first["cpu-usage"], "warming_up");
    assert!(first["disk-used"].ends_with('%'), "{first:?}");
    assert!(first["disk-available"].ends_with('B'), "{first:?}");

    write(
        root,
        "proc/stat",
        "cpu  150 0 150 1500 100 0 0 0\ncpu0 1 1 1 1\n",
    );
    write(root, "sys/class/hwmon/hwmon1/in0_lcrit_alarm", "0\n");
    write(root, "sys/class/thermal/thermal_zone0/temp", "garbage\n");
    let second = poll(&mut machine).await;
    assert_eq!(second["cpu-usage"], "11.1 %");
    assert_eq!(second["under-voltage"], "false");
    assert_eq!(second["cpu-temperature"], "bad_reply");
}

#[tokio::test]
async fn troubles_of_the_supply_are_remembered_until_the_next_boot() {
    const THROTTLED: &str = "sys/devices/platform/soc/soc:firmware/get_throttled";
    const ALARM: &str = "sys/class/hwmon/hwmon1/in0_lcrit_alarm";
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    write(root, "sys/class/hwmon/hwmon1/name", "rpi_volt\n");
    // (boot, alarm, firmware, under-voltage now and since boot, throttled now and since boot)
    let looks = [
        (1, "0", "0", ["false", "false", "false", "false"]),
        (1, "1", "0", ["true", "true", "false", "false"]),
        (1, "0", "2", ["false", "true", "true", "true"]),
        (1, "0", "0", ["false", "true", "false", "true"]),
        (1, "?", "?", ["bad_reply", "true", "bad_reply", "true"]),
        (2, "0", "40000", ["false", "false", "false", "true"]),
        (3, "0", "0", ["false", "false", "false", "false"]),
        (3, "?", "?", ["bad_reply"; 4]),
        (3, "0", "1", ["true", "true", "false", "false"]),
    ];
    for (boot, alarm, firmware, expected) in looks {
        write(root, ALARM, alarm);
        write(root, THROTTLED, firmware);
        // A process of its own each time: what is remembered is on the disk.
        let told = poll_in(&mut machine(root), boot).await;
        let names = [
            "under-voltage",
            "under-voltage-since-boot",
            "throttled",
            "throttled-since-boot",
        ];
        assert_eq!(
            names.map(|name| told[name].as_str()),
            expected,
            "{alarm} {firmware}"
        );
        assert_eq!(told["boots"], boot.to_string());
    }
}

#[tokio::test]
async fn a_dip_of_the_supply_between_two_polls_is_seen() {
    const ALARM: &str = "sys/class/hwmon/hwmon1/in0_lcrit_alarm";
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    let mut machine = machine(root);
    machine.glance = Duration::from_millis(5);
    let soon = || tokio::time::Instant::now() + Duration::from_millis(50);
    let never = || tokio::time::Instant::now() + Duration::from_hours(1);
    let deadline = Duration::from_secs(20);

    // Without a chip there is nothing to look at.
    poll(&mut machine).await;
    let due = soon();
    machine.wait(due).await;
    assert!(tokio::time::Instant::now() >= due);

    write(root, "sys/class/hwmon/hwmon1/name", "rpi_volt\n");
    write(root, ALARM, "0\n");
    assert_eq!(poll(&mut machine).await["under-voltage"], "false");
    let due = soon();
    machine.wait(due).await;
    assert!(tokio::time::Instant::now() >= due, "nothing has changed");
    for (text, expected) in [("1\n", "true"), ("0\n", "false")] {
        write(root, ALARM, text);
        let waited = tokio::time::timeout(deadline, machine.wait(never())).await;
        assert!(waited.is_ok(), "seen long before the next poll");
        let told = poll(&mut machine).await;
        assert_eq!(told["under-voltage"], expected);
        assert_eq!(told["under-voltage-since-boot"], "true");
    }
}

#[tokio::test]
async fn soldered_flash_says_how_worn_it_is_and_a_card_says_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    let device = "sys/block/mmcblk0/device";
    write(root, &format!("{device}/life_time"), "0x02 0x01\n");
    write(root, &format!("{device}/pre_eol_info"), "0x01\n");
    write(root, "sys/block/mmcblk0boot0/device/life_time", "0x02 0x01");
    write(root, "sys/block/mmcblk1/device/type", "SD\n");
    let told = poll(&mut machine(root)).await;
    assert_eq!(told["mmcblk0/wear"], "20 %");
    assert_eq!(told["mmcblk0/spare"], "normal");
    assert!(!told.keys().any(|name| name.starts_with("mmcblk1")));
}

#[tokio::test]
async fn nothing_at_all() {
    let dir = tempfile::tempdir().unwrap();
    let mut machine = machine_with(&dir.path().join("absent"), dir.path());
    let told = poll(&mut machine).await;
    assert!(!told.contains_key("under-voltage") && !told.contains_key("cpu-temperature"));
    for (name, text) in told {
        let expected = match name.as_str() {
            "boots" => "1",
            "clock" => "ntp",
            _ => "not_present",
        };
        assert_eq!(text, expected, "{name}");
    }
}

#[tokio::test]
async fn this_machine() {
    let data = std::env::temp_dir();
    let kept = tempfile::tempdir().unwrap();
    let store = Store::at(kept.path());
    let (sys, proc) = (Path::new("/sys"), Path::new("/proc"));
    let mut machine = Machine::new(sys, proc, &data, Deadband::None, &store);
    let told = poll(&mut machine).await;
    for name in ["load-1m", "memory-used", "uptime", "disk-used"] {
        let value = told[name].split(' ').next().unwrap();
        assert!(value.parse::<f64>().is_ok(), "{name}: {}", told[name]);
    }
}

#[tokio::test]
async fn garbage_everywhere() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    for file in ["loadavg", "uptime", "meminfo", "stat"] {
        write(root, &format!("proc/{file}"), "\u{0}ÿ garbage \n");
    }
    write(
        root,
        "sys/class/thermal/thermal_zone0/type",
        &"x".repeat(10_000),
    );
    write(
        root,
        "sys/class/thermal/thermal_zone0/temp",
        &"4".repeat(10_000),
    );
    write(root, "sys/class/thermal/thermal_zonex/temp", "1");
    write(root, "sys/class/hwmon/hwmon1/name", "rpi_volt");
    write(root, "sys/class/hwmon/hwmon1/in0_lcrit_alarm", "maybe");
    let told = poll(&mut machine(root)).await;
    for name in [
        "load-1m",
        "uptime",
        "memory-used",
        "cpu-usage",
        "under-voltage",
        "zone-temperature",
    ] {
        assert_eq!(told[name], "bad_reply", "{name}");
    }
}

#[test]
fn disk_shares() {
    let cases = [
        ((1000, 400, 300, 4096), ("66.6", Some(300 * 4096))),
        ((1000, 0, 0, 512), ("100", Some(0))),
        ((1000, 1000, 1000, 1), ("0", Some(1000))),
        ((0, 0, 0, 4096), ("device_error", Some(0))),
        ((u64::MAX, 0, u64::MAX, 4096), ("100", None)),
    ];
    for ((blocks, free, available, size), (share, bytes)) in cases {
        let (used, left) = disk_space(blocks, free, available, size);
        let used = match used.value() {
            Some(value) => value.to_string(),
            None => used.reason().unwrap().as_str().to_owned(),
        };
        assert_eq!(used, share, "{blocks} {free} {available}");
        assert_eq!(left.value().cloned(), bytes.map(Value::from));
    }
}
