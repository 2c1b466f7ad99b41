//! DS18B20 and its family on 1-Wire, through the files of the kernel's `w1_therm` driver.
//!
//! `w1_slave` shows the sensor's scratchpad twice, with the CRC's verdict and the temperature:
//! ```text
//! 72 01 4b 46 7f ff 0e 10 57 : crc=57 YES
//! 72 01 4b 46 7f ff 0e 10 57 t=23125
//! ```

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tm_types::{Point, PointName, Reading, Reason, Unit, Value};

use crate::blocking::{Blocking, Fault};
use crate::report::{Deadband, Measured};

/// A conversion takes up to 750 ms at 12 bits (DS18B20 data sheet, "Electrical characteristics"),
/// and the kernel tries a read with a wrong CRC up to five times (`w1_therm.c`, `W1_THERM_MAX_TRY`).
const SENSOR_DEADLINE: Duration = Duration::from_secs(5);
/// The list of slaves is memory of the kernel's.
const LIST_DEADLINE: Duration = Duration::from_secs(1);
/// The most sensors that are polled: two dozen fill a bus, and one poll of them a minute.
const SENSORS_MAX: usize = 64;
/// Families that `w1_therm` drives: DS18S20, DS1822, DS18B20, DS1825, DS28EA00.
const FAMILIES: [&str; 5] = ["10-", "22-", "28-", "3b-", "42-"];

/// What a sensor can measure, in thousandths of a degree (DS18B20 data sheet).
const RANGE_MILLI_CEL: std::ops::RangeInclusive<i64> = -55_000..=125_000;
/// What the scratchpad holds after power-on, before the first conversion (DS18B20 data sheet).
const POWER_ON_MILLI_CEL: i64 = 85_000;
/// A reading of exactly 85 °C is believed when the one before was this near.
const POWER_ON_NEAR_MILLI_CEL: u64 = 5_000;

const CEL: Unit = Unit::known("Cel");

/// The sensors of all 1-Wire buses of the machine.
#[derive(Debug)]
pub(crate) struct OneWire {
    devices: PathBuf,
    deadband: Deadband,
    deadline: Duration,
    blocking: Blocking,
    /// Every sensor ever seen, with its last good temperature in thousandths of a degree.
    seen: BTreeMap<String, Option<i64>>,
}

impl OneWire {
    /// `sys` is the root of sysfs.
    pub(crate) fn new(sys: &Path, deadband: Deadband) -> Self {
        Self {
            devices: sys.join("bus/w1/devices"),
            deadband,
            deadline: SENSOR_DEADLINE,
            blocking: Blocking::default(),
            seen: BTreeMap::new(),
        }
    }

    /// Looks which sensors are there; gives all that are or were, absent ones with the reason.
    pub(crate) async fn look(&mut self) -> BTreeMap<String, Result<(), Reason>> {
        let present = match self.blocking.list(&self.devices, LIST_DEADLINE).await {
            Ok(names) => Ok(names),
            // No 1-Wire bus, or its master was pulled.
            Err(fault) if fault.is_absence() => Ok(Vec::new()),
            Err(fault) => Err(fault.reason()),
        };
        if let Ok(names) = &present {
            for name in names.iter().filter(|name| is_thermometer(name)) {
                if self.seen.len() < SENSORS_MAX {
                    self.seen.entry(name.clone()).or_default();
                }
            }
        }
        let state = |id: &String| match &present {
            Ok(names) if names.contains(id) => Ok(()),
            Ok(_) => Err(Reason::NotPresent),
            Err(reason) => Err(*reason),
        };
        self.seen.keys().map(|id| (id.clone(), state(id))).collect()
    }

    /// Reads one sensor of the last [`look`](Self::look).
    pub(crate) async fn read(&mut self, id: &str) -> Measured {
        let directory = self.devices.join(id);
        let mut answer = self
            .temperature(&directory.join("w1_slave"), of_w1_slave)
            .await;
        if answer == Err(Reason::NotPresent) {
            // The older or newer kernel without `w1_slave` has the bare number.
            answer = self
                .temperature(&directory.join("temperature"), of_temperature)
                .await;
        }
        let last = self.seen.get(id).copied().flatten();
        let answer = answer.and_then(|milli| plausible(milli, last).map(|()| milli));
        if let Ok(milli) = answer {
            self.seen.insert(id.to_owned(), Some(milli));
        }
        self.measured(id, answer.map_or_else(Reading::Missing, reading))
    }

    /// What is told of a sensor that could not be read at all.
    pub(crate) fn missing(&self, id: &str, reason: Reason) -> Measured {
        self.measured(id, Reading::Missing(reason))
    }

    fn measured(&self, id: &str, reading: Reading) -> Measured {
        let name = PointName::new(&format!("{id}/temperature"));
        let name = name.expect("an id of hexadecimal digits makes a name");
        Measured {
            point: Point::gauge(name, CEL, reading).with_scale(2),
            deadband: self.deadband,
        }
    }

    async fn temperature(
        &mut self,
        file: &Path,
        parse: fn(&str) -> Option<i64>,
    ) -> Result<i64, Reason> {
        let text = self.blocking.read(file, self.deadline).await;
        let text = text.map_err(|fault: Fault| fault.reason())?;
        parse(&text).ok_or(Reason::BadReply)
    }
}

/// `28-0316a2795c1a`: a family we know and twelve hexadecimal digits, as the kernel writes them.
fn is_thermometer(name: &str) -> bool {
    let is_digit = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
    name.len() == 15
        && FAMILIES.iter().any(|family| name.starts_with(family))
        && name.bytes().skip(3).all(is_digit)
}

/// Thousandths of a degree from `w1_slave`; `None` without a good CRC.
fn of_w1_slave(text: &str) -> Option<i64> {
    let mut lines = text.lines();
    let (scratchpad, verdict) = lines.next()?.split_once(" : crc=")?;
    if !verdict.trim_end().ends_with(" YES") {
        return None;
    }
    // A data line shorted to ground reads as zeros, whose CRC is zero too: "0.0 °C, CRC good".
    if scratchpad.split(' ').all(|byte| byte == "00") {
        return None;
    }
    let (_, milli) = lines.next()?.split_once("t=")?;
    milli.trim().parse().ok()
}

/// Thousandths of a degree from `temperature`, which is empty when the CRC was wrong.
fn of_temperature(text: &str) -> Option<i64> {
    text.trim().parse().ok()
}

/// Whether a temperature can be one.
fn plausible(milli: i64, last: Option<i64>) -> Result<(), Reason> {
    if !RANGE_MILLI_CEL.contains(&milli) {
        return Err(Reason::OutOfRange);
    }
    let was_near = last.is_some_and(|last| milli.abs_diff(last) <= POWER_ON_NEAR_MILLI_CEL);
    if milli == POWER_ON_MILLI_CEL && !was_near {
        return Err(Reason::Implausible);
    }
    Ok(())
}

/// The reading in hundredths: finer than the sensor's sixteenths, so that nothing is lost.
fn reading(milli: i64) -> Reading {
    let hundredths = (milli + 5 * milli.signum()) / 10;
    Value::decimal(hundredths, 2).map_or(Reading::Missing(Reason::OutOfRange), Reading::Good)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use proptest::prelude::*;
    use rustix::fs::{CWD, FileType, Mode, mknodat};

    const ID: &str = "28-0316a2795c1a";

    fn slave(verdict: &str, milli: i64) -> String {
        let pad = "72 01 4b 46 7f ff 0e 10 57";
        format!("{pad} : crc=57 {verdict}\n{pad} t={milli}\n")
    }

    #[test]
    fn ids() {
        for good in [ID, "10-000802824e58", "3b-0000001921e8"] {
            assert!(is_thermometer(good), "{good}");
        }
        for bad in [
            "w1_bus_master1",
            "28-0316A2795C1A",
            "28-0316a2795c1",
            "28-0316a2795c1a0",
            "05-0316a2795c1a",
            "28-../../etc/xx",
            "",
        ] {
            assert!(!is_thermometer(bad), "{bad}");
        }
    }

    #[test]
    fn texts_of_w1_slave() {
        let cases = [
            (slave("YES", 23_125), Some(23_125)),
            (slave("YES", -10_062), Some(-10_062)),
            (slave("NO", 23_125), None),
            (
                "00 00 00 00 00 00 00 00 00 : crc=00 YES\n00 00 00 00 00 00 00 00 00 t=0\n".into(),
                None,
            ),
            (
                "ff ff ff ff ff ff ff ff ff : crc=c9 NO\nff ff ff ff ff ff ff ff ff t=-62\n".into(),
                None,
            ),
            (String::new(), None),
            ("72 01 : crc=57 YES\n".into(), None),
            ("72 01 : crc=57 YES\n72 01 t=\n".into(), None),
            ("72 01 : crc=57 YES\n72 01 t=2x\n".into(), None),
            ("t=23125 YES\n".into(), None),
        ];
        for (text, expected) in cases {
            assert_eq!(of_w1_slave(&text), expected, "{text:?}");
        }
        let whole = slave("YES", 23_125);
        for end in 0..whole.len() - 2 {
            let cut = of_w1_slave(&whole[..end]);
            assert!(cut.is_none_or(|milli| whole[..end].ends_with(&milli.to_string())));
        }
    }

    #[test]
    fn what_is_believed() {
        let cases = [
            (23_125, None, Ok(())),
            (125_000, None, Ok(())),
            (125_001, None, Err(Reason::OutOfRange)),
            (127_937, Some(20_000), Err(Reason::OutOfRange)),
            (-55_000, None, Ok(())),
            (-55_001, None, Err(Reason::OutOfRange)),
            (85_000, None, Err(Reason::Implausible)),
            (85_000, Some(23_000), Err(Reason::Implausible)),
            (85_000, Some(80_000), Ok(())),
            (85_000, Some(86_062), Ok(())),
            (85_000, Some(91_000), Err(Reason::Implausible)),
            (84_937, None, Ok(())),
        ];
        for (milli, last, expected) in cases {
            assert_eq!(plausible(milli, last), expected, "{milli} after {last:?}");
        }
    }

    struct Bus(tempfile::TempDir);

    impl Bus {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        fn sensor(&self, id: &str) -> PathBuf {
            self.0.path().join("bus/w1/devices").join(id)
        }

        fn write(&self, id: &str, file: &str, text: &str) {
            fs::create_dir_all(self.sensor(id)).unwrap();
            fs::write(self.sensor(id).join(file), text).unwrap();
        }

        fn driver(&self) -> OneWire {
            OneWire::new(self.0.path(), Deadband::None)
        }
    }

    /// What a poll tells: the value or the reason.
    async fn poll(driver: &mut OneWire, id: &str) -> String {
        let state = driver.look().await[id];
        let poll = match state {
            Ok(()) => driver.read(id).await,
            Err(reason) => driver.missing(id, reason),
        };
        assert_eq!(poll.point.name.as_str(), format!("{id}/temperature"));
        let reading = poll.point.reading;
        let value = reading.value().map(ToString::to_string);
        value.unwrap_or_else(|| reading.reason().unwrap().as_str().to_owned())
    }

    #[tokio::test]
    async fn a_sensor_comes_goes_and_comes_again() {
        let bus = Bus::new();
        let mut driver = bus.driver();
        assert!(
            driver.look().await.is_empty(),
            "no bus, no sensors, no fault"
        );
        bus.write("w1_bus_master1", "w1_master_slaves", ID);
        assert!(driver.look().await.is_empty());

        bus.write(ID, "w1_slave", &slave("YES", 85_000));
        assert_eq!(poll(&mut driver, ID).await, "implausible");
        bus.write(ID, "w1_slave", &slave("YES", 23_062));
        assert_eq!(poll(&mut driver, ID).await, "23.06");
        bus.write(ID, "w1_slave", &slave("NO", 23_062));
        assert_eq!(poll(&mut driver, ID).await, "bad_reply");
        bus.write(ID, "w1_slave", "");
        assert_eq!(poll(&mut driver, ID).await, "bad_reply");
        bus.write(ID, "w1_slave", &"7".repeat(100_000));
        assert_eq!(poll(&mut driver, ID).await, "bad_reply");

        fs::remove_file(bus.sensor(ID).join("w1_slave")).unwrap();
        bus.write(ID, "temperature", "23187\n");
        assert_eq!(poll(&mut driver, ID).await, "23.19");

        // Pulled between the listing and the reading, then from the listing too.
        driver.look().await;
        fs::remove_dir_all(bus.sensor(ID)).unwrap();
        let pulled = driver.read(ID).await.point.reading;
        assert_eq!(pulled, Reading::Missing(Reason::NotPresent));
        assert_eq!(poll(&mut driver, ID).await, "not_present");

        bus.write(ID, "w1_slave", &slave("YES", -62));
        assert_eq!(poll(&mut driver, ID).await, "-0.06");
    }

    #[tokio::test]
    async fn a_bus_that_vanishes_leaves_its_sensors_absent() {
        let bus = Bus::new();
        bus.write(ID, "w1_slave", &slave("YES", 1000));
        let mut driver = bus.driver();
        assert_eq!(poll(&mut driver, ID).await, "1");
        fs::remove_dir_all(bus.0.path().join("bus")).unwrap();
        assert_eq!(poll(&mut driver, ID).await, "not_present");
    }

    #[tokio::test]
    async fn a_read_that_never_returns_is_a_timeout() {
        let bus = Bus::new();
        fs::create_dir_all(bus.sensor(ID)).unwrap();
        let fifo = bus.sensor(ID).join("w1_slave");
        mknodat(CWD, &fifo, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        let mut driver = bus.driver();
        driver.deadline = Duration::from_millis(50);
        assert_eq!(driver.look().await[ID], Ok(()));
        assert_eq!(
            driver.read(ID).await.point.reading,
            Reading::Missing(Reason::Timeout)
        );
    }

    proptest! {
        #[test]
        fn nothing_panics(text in "([0-9a-f]{2} ){0,9}(: crc=[0-9a-f]{2} (YES|NO))?\n?[ -~\n]{0,60}", milli: i64) {
            let _ = (of_w1_slave(&text), of_temperature(&text), plausible(milli, Some(milli)));
            let _ = plausible(milli, None).map(|()| reading(milli));
        }
    }
}
