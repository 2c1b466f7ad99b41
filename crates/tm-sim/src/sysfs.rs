//! A tree of files like the `/sys` and `/proc` of a cabinet: temperatures, 1-Wire, IIO, load, memory.
//!
//! ```text
//! sys/class/thermal/thermal_zone0/{type,temp}             millidegrees
//! sys/class/hwmon/hwmon0/{name,temp1_input}               cpu_thermal, millidegrees
//! sys/class/hwmon/hwmon1/{name,in0_lcrit_alarm}           rpi_volt, 1 = under-voltage
//! sys/devices/…/soc:firmware/get_throttled                flags of the firmware, hexadecimal
//! sys/bus/iio/devices/iio:device0/{name,in_*_input}       bme280 at 0x76: millidegrees, 1/1000 %RH, kPa
//! sys/bus/w1/devices/28-*/{name,temperature,w1_slave}     DS18B20: millidegrees
//! proc/{loadavg,meminfo,uptime,stat}, proc/sys/kernel/random/boot_id
//! ```

mod w1;

use std::{
    collections::HashMap,
    fs, io,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use fastrand::Rng;
use tokio::{
    task::spawn_blocking,
    time::{MissedTickBehavior, interval},
};

use crate::{
    number::{Walk, round},
    task::Task,
};

/// The 1-Wire sensors of the tree, with their mean in degrees Celsius.
pub const W1_SENSORS: [(&str, f64); 3] = [
    ("28-0000000000a1", 22.0),
    ("28-0000000000b2", 31.0),
    ("28-0000000000c3", 44.0),
];

/// What is wrong with a 1-Wire sensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SensorFault {
    /// Its directory is gone.
    Removed,
    /// Its files hold nonsense.
    Garbage,
    /// It shows 85 °C, the value at power-on, before it measured.
    PowerOn,
    /// Its checksum is wrong: `w1_slave` says `NO` and `temperature` cannot be read.
    BadCrc,
}

/// A tree that is kept up to date; its files stay when it is dropped.
#[derive(Debug)]
pub struct SysfsTree {
    handle: SysfsHandle,
    _task: Task,
}

/// Steers a [`SysfsTree`].
#[derive(Debug, Clone)]
pub struct SysfsHandle {
    root: PathBuf,
    machine: Arc<Mutex<Machine>>,
    turn: Arc<Mutex<()>>,
}

#[derive(Debug)]
struct Machine {
    random: Rng,
    boot_id: String,
    uptime: Duration,
    cpu: Walk,
    air: [Walk; 3],
    w1: [Walk; 3],
    load: Walk,
    available_kib: Walk,
    busy_ticks: u64,
    faults: HashMap<String, SensorFault>,
    is_under_voltage: bool,
}

impl SysfsTree {
    /// Writes the tree under `root`, which exists, and keeps changing it once a second.
    ///
    /// # Errors
    /// When it cannot be written the first time.
    pub async fn start(root: &Path, seed: u64) -> io::Result<Self> {
        let machine = Arc::new(Mutex::new(Machine::new(seed)));
        let handle = SysfsHandle {
            root: root.to_owned(),
            machine,
            turn: Arc::default(),
        };
        handle.refresh().await?;
        let task = Task::spawn(keep(handle.clone()));
        Ok(Self {
            handle,
            _task: task,
        })
    }

    /// A handle to steer it.
    pub fn handle(&self) -> SysfsHandle {
        self.handle.clone()
    }

    /// What stands for `/sys`.
    pub fn sys(&self) -> PathBuf {
        self.handle.root.join("sys")
    }

    /// What stands for `/proc`.
    pub fn proc(&self) -> PathBuf {
        self.handle.root.join("proc")
    }
}

impl SysfsHandle {
    /// Breaks or mends a 1-Wire sensor, by its id such as `28-0000000000a1`; shows with the next refresh.
    pub fn set_fault(&self, sensor: &str, fault: Option<SensorFault>) {
        let mut machine = self.machine();
        match fault {
            Some(fault) => machine.faults.insert(sensor.to_owned(), fault),
            None => machine.faults.remove(sensor),
        };
    }

    /// Raises or clears the under-voltage alarm; shows with the next refresh.
    pub fn set_under_voltage(&self, is_under_voltage: bool) {
        self.machine().is_under_voltage = is_under_voltage;
    }

    /// Lets a second pass now and writes the tree.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub async fn refresh(&self) -> io::Result<()> {
        let handle = self.clone();
        let write = move || {
            // One writer at a time, so that an older state never overwrites a newer one.
            let _turn = handle.turn.lock().unwrap_or_else(PoisonError::into_inner);
            let files = handle.machine().step();
            // A directory that its owner removed is not made again.
            fs::metadata(&handle.root)?;
            files.iter().try_for_each(|file| file.write(&handle.root))
        };
        spawn_blocking(write).await.map_err(io::Error::other)?
    }

    fn machine(&self) -> MutexGuard<'_, Machine> {
        self.machine.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn keep(handle: SysfsHandle) {
    let mut second = interval(Duration::from_secs(1));
    second.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        second.tick().await;
        // The directory may have been removed by the test that owns it; then there is nothing to keep.
        let _ = handle.refresh().await;
    }
}

/// What a path of the tree is.
pub(crate) enum Entry {
    Text(PathBuf, String),
    /// Cannot be read: a directory stands in the place of the file.
    Unreadable(PathBuf),
    Absent(PathBuf),
    /// A symbolic link to another path of the tree.
    Link(PathBuf, PathBuf),
}

impl Entry {
    pub(crate) fn text(path: &str, text: impl Into<String>) -> Self {
        Self::Text(path.into(), text.into())
    }

    fn write(&self, root: &Path) -> io::Result<()> {
        match self {
            Self::Text(path, text) => {
                let path = root.join(path);
                if let Some(parent) = path.parent() {
                    fs::create_dir_all(parent)?;
                }
                if path.is_dir() {
                    fs::remove_dir(&path)?;
                }
                // A reader of the real tree never sees half a value.
                let fresh = path.with_extension("new");
                fs::write(&fresh, text)?;
                fs::rename(fresh, path)
            }
            Self::Unreadable(path) => {
                let path = root.join(path);
                if path.is_file() {
                    fs::remove_file(&path)?;
                }
                fs::create_dir_all(path)
            }
            Self::Link(path, target) => {
                let depth = path.components().count();
                let path = root.join(path);
                if path.is_symlink() {
                    return Ok(());
                }
                if let Some(parent) = path.parent() {
                    fs::create_dir_all(parent)?;
                }
                // Relative, so that the tree may be mounted elsewhere.
                let up = "../".repeat(depth.saturating_sub(1));
                symlink(Path::new(&up).join(target), path)
            }
            Self::Absent(path) => match fs::remove_dir_all(root.join(path)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            },
        }
    }
}

impl Machine {
    fn new(seed: u64) -> Self {
        let mut random = Rng::with_seed(seed);
        let boot_id = format!(
            "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
            random.u32(..),
            random.u16(..),
            random.u16(..0x1000),
            random.u16(..0x1000),
            random.u64(..1 << 48)
        );
        Self {
            boot_id,
            uptime: Duration::from_secs(random.u64(3600..86_400)),
            cpu: Walk::around(51.0, 0.3),
            air: [
                Walk::around(23.5, 0.02),
                Walk::around(47.0, 0.1),
                Walk::around(101.32, 0.005),
            ],
            w1: W1_SENSORS.map(|(_, mean)| Walk::around(mean, 0.03)),
            load: Walk::around(0.4, 0.03),
            available_kib: Walk::around(2_900_000.0, 2000.0),
            busy_ticks: 10_000,
            faults: HashMap::new(),
            is_under_voltage: false,
            random,
        }
    }

    fn step(&mut self) -> Vec<Entry> {
        self.uptime += Duration::from_secs(1);
        self.busy_ticks += self.random.u64(20..60);
        let cpu = round(self.cpu.step(&mut self.random) * 1000.0);
        let [air, humidity, pressure] = &mut self.air;
        let (air, humidity) = (
            round(air.step(&mut self.random) * 1000.0),
            round(humidity.step(&mut self.random) * 1000.0),
        );
        let pressure = pressure.step(&mut self.random);
        // The directory below the device on its bus is the real one, as in the kernel's tree.
        let iio = "sys/devices/platform/soc/fe804000.i2c/i2c-1/1-0076/iio:device0";
        let throttled = if self.is_under_voltage {
            "50005\n"
        } else {
            "0\n"
        };
        let mut entries = vec![
            Entry::text("sys/class/thermal/thermal_zone0/type", "cpu-thermal\n"),
            Entry::text("sys/class/thermal/thermal_zone0/temp", format!("{cpu}\n")),
            Entry::text("sys/class/hwmon/hwmon0/name", "cpu_thermal\n"),
            Entry::text("sys/class/hwmon/hwmon0/temp1_input", format!("{cpu}\n")),
            Entry::text("sys/class/hwmon/hwmon1/name", "rpi_volt\n"),
            Entry::text(
                "sys/class/hwmon/hwmon1/in0_lcrit_alarm",
                format!("{}\n", u8::from(self.is_under_voltage)),
            ),
            Entry::text(
                "sys/devices/platform/soc/soc:firmware/get_throttled",
                throttled,
            ),
            Entry::Link("sys/bus/iio/devices/iio:device0".into(), iio.into()),
            Entry::text(&format!("{iio}/name"), "bme280\n"),
            Entry::text(&format!("{iio}/in_temp_input"), format!("{air}\n")),
            Entry::text(
                &format!("{iio}/in_humidityrelative_input"),
                format!("{humidity}\n"),
            ),
            Entry::text(
                &format!("{iio}/in_pressure_input"),
                format!("{pressure:.9}\n"),
            ),
        ];
        for (walk, (id, _)) in self.w1.iter_mut().zip(W1_SENSORS) {
            let degrees = walk.step(&mut self.random);
            entries.extend(w1::sensor(id, degrees, self.faults.get(id).copied()));
        }
        entries.extend(self.proc());
        entries
    }

    fn proc(&mut self) -> Vec<Entry> {
        let load = self.load.step(&mut self.random).max(0.0);
        let available = round(self.available_kib.step(&mut self.random)).clamp(100_000, 3_800_000);
        let uptime = self.uptime.as_secs();
        let idle = uptime * 400 - self.busy_ticks.min(uptime * 400);
        let meminfo = format!(
            "MemTotal:        3884280 kB\nMemFree:         {:7} kB\nMemAvailable:    {available:7} kB\nBuffers:           61284 kB\n\
             Cached:           702148 kB\nSwapTotal:             0 kB\nSwapFree:              0 kB\n",
            available - 700_000.min(available)
        );
        vec![
            Entry::text(
                "proc/loadavg",
                format!("{load:.2} {load:.2} {load:.2} 1/187 4242\n"),
            ),
            Entry::text("proc/meminfo", meminfo),
            Entry::text("proc/uptime", format!("{uptime}.00 {}.00\n", idle / 100)),
            Entry::text(
                "proc/stat",
                format!(
                    "cpu  {} 0 0 {idle} 0 0 0 0 0 0\nbtime 1790000000\n",
                    self.busy_ticks
                ),
            ),
            Entry::text(
                "proc/sys/kernel/random/boot_id",
                format!("{}\n", self.boot_id),
            ),
        ]
    }
}
