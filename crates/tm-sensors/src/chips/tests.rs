//! Trees of files like those of the kernel, with what the field does to them.

use std::fs;
use std::os::unix::fs::symlink;

use super::*;
use rustix::fs::{CWD, FileType, Mode, mknodat};

/// A `/sys` with the buses of a Raspberry Pi.
struct Tree(tempfile::TempDir);

impl Tree {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn link(&self, from: &str, to: &str) {
        let from = self.path(from);
        fs::create_dir_all(from.parent().unwrap()).unwrap();
        symlink(self.path(to), from).unwrap();
    }

    /// An IIO device on the bus; gives its directory.
    fn iio(&self, number: u8, device: &str, files: &[(&str, &str)]) -> String {
        let directory = format!("devices/{device}/iio:device{number}");
        for (file, text) in files {
            self.write(&format!("{directory}/{file}"), text);
        }
        self.link(&format!("bus/iio/devices/iio:device{number}"), &directory);
        directory
    }

    fn hwmon(&self, number: u8, device: &str, files: &[(&str, &str)]) -> String {
        let directory = format!("devices/{device}/hwmon/hwmon{number}");
        for (file, text) in files {
            self.write(&format!("{directory}/{file}"), text);
        }
        self.link(&format!("{directory}/device"), &format!("devices/{device}"));
        self.link(&format!("class/hwmon/hwmon{number}"), &directory);
        directory
    }

    fn unplug(&self, link: &str) {
        let directory = fs::canonicalize(self.path(link)).unwrap();
        fs::remove_file(self.path(link)).unwrap();
        fs::remove_dir_all(directory).unwrap();
    }

    fn chips(&self) -> Chips {
        let mut chips = Chips::new(self.0.path(), "sensors".parse().unwrap(), Deadband::None);
        chips.deadline = Duration::from_secs(10);
        chips
    }
}

/// What a poll tells: `name value unit` or `name reason`.
async fn poll(chips: &mut Chips) -> Vec<String> {
    let mut told = Vec::new();
    for (id, _, state) in chips.look().await {
        let measured = match state {
            Ok(()) => chips.read(&id).await,
            Err(reason) => chips.missing(&id, reason),
        };
        for Measured { point, .. } in measured {
            told.push(match (point.reading.value(), point.reading.reason()) {
                (Some(value), _) => format!("{} {value} {}", point.name, point.unit),
                (None, reason) => format!("{} {}", point.name, reason.unwrap().as_str()),
            });
        }
    }
    told
}

const BME280: [(&str, &str); 4] = [
    ("name", "bme280\n"),
    ("in_humidityrelative_input", "47123\n"),
    ("in_pressure_input", "99.870214843\n"),
    ("in_temp_input", "23450\n"),
];

#[tokio::test]
async fn the_sensors_of_a_cabinet() {
    let tree = Tree::new();
    tree.iio(0, "i2c-1/1-0076", &BME280);
    tree.iio(1, "i2c-1/1-0077", &BME280);
    tree.iio(
        2,
        "i2c-1/1-0048",
        &[
            ("name", "ads1115"),
            ("in_voltage0_raw", "26400\n"),
            ("in_voltage0_scale", "0.125000000\n"),
        ],
    );
    // Older kernels call this one by its address.
    tree.iio(
        3,
        "i2c-3/3-0068",
        &[
            ("name", "3-0068\n"),
            ("in_voltage0_raw", "-500\n"),
            ("in_voltage0_scale", "0.001000000\n"),
        ],
    );
    tree.write("devices/i2c-3/3-0068/name", "mcp3424\n");
    tree.hwmon(
        2,
        "i2c-1/1-0044",
        &[
            ("name", "sht3x\n"),
            ("temp1_input", "-4050\n"),
            ("humidity1_input", "55210\n"),
        ],
    );
    tree.hwmon(
        3,
        "i2c-1/1-0040",
        &[
            ("name", "ina219\n"),
            ("in0_input", "3\n"),
            ("in1_input", "12048\n"),
            ("curr1_input", "412\n"),
            ("power1_input", "4960000\n"),
        ],
    );
    let told = poll(&mut tree.chips()).await;
    let expected = [
        "ads1115-48/voltage-0 3.3 V",
        "bme280-76/humidity 47.12 %RH",
        "bme280-76/pressure 99870.2 Pa",
        "bme280-76/temperature 23.45 Cel",
        "bme280-77/humidity 47.12 %RH",
        "bme280-77/pressure 99870.2 Pa",
        "bme280-77/temperature 23.45 Cel",
        "ina219-40/current 0.412 A",
        "ina219-40/voltage-0 0.003 V",
        "ina219-40/voltage-1 12.048 V",
        "ina219-40/power 4.96 W",
        "mcp3424-3-68/voltage-0 -0.5 V",
        "sht3x-44/humidity 55.21 %RH",
        "sht3x-44/temperature -4.05 Cel",
    ];
    assert_eq!(told, expected);
}

#[tokio::test]
async fn what_others_measure_is_not_measured_twice() {
    let tree = Tree::new();
    let zone = [("name", "cpu_thermal\n"), ("temp1_input", "48686\n")];
    tree.hwmon(0, "virtual/thermal/thermal_zone0", &zone);
    tree.hwmon(
        1,
        "platform/soc",
        &[("name", "rpi_volt"), ("in0_input", "5000")],
    );
    tree.hwmon(
        2,
        "w1_bus_master1/28-0316a2795c1a",
        &[("name", "w1_slave_temp"), ("temp1_input", "1")],
    );
    tree.hwmon(
        3,
        "platform/iio-hwmon",
        &[("name", "iio_hwmon"), ("in1_input", "1")],
    );
    tree.iio(0, "i2c-1/1-0076", &BME280);
    tree.hwmon(
        4,
        "i2c-1/1-0076",
        &[("name", "bme280"), ("temp1_input", "1")],
    );
    // Virtual, without a device.
    tree.write("class/hwmon/hwmon5/name", "fake");
    tree.write("class/hwmon/hwmon5/temp1_input", "1000");
    let told = poll(&mut tree.chips()).await;
    assert_eq!(told.len(), 3, "{told:?}");
    assert!(
        told.iter().all(|line| line.starts_with("bme280-76/")),
        "{told:?}"
    );
}

#[tokio::test]
async fn a_chip_comes_goes_and_comes_under_another_number() {
    let tree = Tree::new();
    let mut chips = tree.chips();
    assert!(
        poll(&mut chips).await.is_empty(),
        "no trees, no chips, no fault"
    );
    let few = [("name", "bmp280\n"), ("in_temp_input", "20000\n")];
    let directory = tree.iio(0, "i2c-1/1-0076", &few);
    assert_eq!(poll(&mut chips).await, ["bmp280-76/temperature 20 Cel"]);

    // Pulled between the listing and the reading, then from the listing too.
    chips.look().await;
    fs::remove_file(tree.path(&format!("{directory}/in_temp_input"))).unwrap();
    let pulled = chips.read("bmp280-76").await[0].point.reading.clone();
    assert_eq!(pulled, Reading::Missing(Reason::NotPresent));
    tree.unplug("bus/iio/devices/iio:device0");
    assert_eq!(
        poll(&mut chips).await,
        ["bmp280-76/temperature not_present"]
    );

    tree.iio(4, "i2c-1/1-0076", &few);
    assert_eq!(poll(&mut chips).await, ["bmp280-76/temperature 20 Cel"]);
    fs::remove_dir_all(tree.path("bus")).unwrap();
    assert_eq!(
        poll(&mut chips).await,
        ["bmp280-76/temperature not_present"]
    );
}

#[tokio::test]
async fn files_that_hold_nonsense() {
    let tree = Tree::new();
    let directory = tree.iio(0, "i2c-1/1-0076", &BME280);
    let mut chips = tree.chips();
    for (text, expected) in [
        ("", "bad_reply"),
        ("garbage", "bad_reply"),
        ("\u{0}\u{1}", "bad_reply"),
        (&*"7".repeat(100_000), "bad_reply"),
        ("200000", "out_of_range"),
        ("23460", "23.46 Cel"),
    ] {
        tree.write(&format!("{directory}/in_temp_input"), text);
        let told = poll(&mut chips).await;
        assert_eq!(told[2], format!("bme280-76/temperature {expected}"));
        assert_eq!(told[0], "bme280-76/humidity 47.12 %RH", "the others go on");
    }
    // The chip answers the bus no more: the kernel gives EIO for every file. A directory gives EISDIR.
    for (file, _) in &BME280[1..] {
        let file = tree.path(&format!("{directory}/{file}"));
        fs::remove_file(&file).unwrap();
        fs::create_dir(file).unwrap();
    }
    let told = poll(&mut chips).await;
    assert!(
        told.iter().all(|line| line.ends_with(" device_error")),
        "{told:?}"
    );
    // A name that is none: the chip is not there.
    tree.write(&format!("{directory}/name"), &"x".repeat(100_000));
    let told = poll(&mut chips).await;
    assert!(
        told.iter().all(|line| line.ends_with(" not_present")),
        "{told:?}"
    );
}

#[tokio::test]
async fn a_bus_that_hangs_is_waited_for_once() {
    let tree = Tree::new();
    let directory = tree.iio(0, "i2c-1/1-0076", &BME280);
    let fifo = tree.path(&format!("{directory}/in_humidityrelative_input"));
    fs::remove_file(&fifo).unwrap();
    mknodat(CWD, &fifo, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    let mut chips = tree.chips();
    chips.deadline = Duration::from_millis(50);
    let told = poll(&mut chips).await;
    assert_eq!(told.len(), 3);
    assert!(
        told.iter().all(|line| line.ends_with(" timeout")),
        "{told:?}"
    );
}
