//! The standard load: ten sensors and a GNSS fix every second, a modem report every ten.
//!
//! 600 s hold 1 260 polls, 6 660 measurements and 10 620 points; a measurement is one sensor
//! reading, one fix (7 points) or one modem report (7 points). Values walk and are noisy as the
//! real ones are, each in steps of its resolution. The same seed gives the same load.

use std::f64::consts::TAU;

use fastrand::Rng;
use tm_types::{
    BootId, Clock, Kind, Point, PointName, Poll, Reading, RunId, Sequence, Source, Stamp,
    Timestamp, Unit, Value,
};

/// Wall time of the first poll: 2026-09-21T14:13:20Z.
const START_MS: i64 = 1_790_000_000_000;
/// Time since boot of the first poll.
const UPTIME_MS: u64 = 81_234_000;
/// Metres in a degree of latitude.
const DEGREE_M: f64 = 111_320.0;

/// A sensor: name, kind, unit, decimal places, mean, walk per second, noise.
type Sensor = (&'static str, Kind, &'static str, u8, f64, f64, f64);

const SENSORS: [Sensor; 9] = [
    ("temp-intake", Kind::Gauge, "Cel", 2, 22.0, 0.03, 0.01),
    ("temp-exhaust", Kind::Gauge, "Cel", 2, 31.0, 0.04, 0.01),
    ("temp-psu", Kind::Gauge, "Cel", 1, 44.0, 0.1, 0.05),
    ("humidity", Kind::Gauge, "%RH", 1, 47.0, 0.08, 0.05),
    ("pressure", Kind::Gauge, "hPa", 2, 1013.2, 0.01, 0.02),
    ("mains", Kind::Gauge, "V", 1, 230.4, 0.15, 0.2),
    ("dc-voltage", Kind::Gauge, "V", 3, 48.012, 0.0008, 0.002),
    ("dc-current", Kind::Gauge, "A", 3, 1.534, 0.01, 0.02),
    ("vibration", Kind::Gauge, "m/s2", 3, 0.021, 0.0005, 0.002),
];

/// The measurements in the points of one poll of the standard load.
pub fn measurements(source: &Source, poll: &Poll) -> usize {
    if source.as_str() == "sensors" {
        poll.points.len()
    } else {
        1
    }
}

/// The standard load, without end.
#[derive(Debug)]
pub struct Cabinet {
    random: Rng,
    moving: bool,
    /// Seconds since the start.
    second: u64,
    /// What is still to come in this second, last first.
    due: Vec<(Source, Poll)>,
    sensors: [f64; SENSORS.len()],
    door: bool,
    latitude: f64,
    longitude: f64,
    /// Error of the fix in metres: north, east, up.
    error: [f64; 3],
    speed: f64,
    heading: f64,
    satellites: i64,
    rsrp: i64,
    rsrq: i64,
    sinr: i64,
    cell: i64,
    numbers: [u64; 3],
    boot: BootId,
    runs: [RunId; 3],
}

impl Cabinet {
    /// A cabinet that stands still, or one on a truck at 13 m/s.
    pub fn new(seed: u64, moving: bool) -> Self {
        let mut random = Rng::with_seed(seed);
        Self {
            boot: BootId(random.u32(..)),
            runs: [0; 3].map(|_| RunId(random.u32(..))),
            numbers: [0; 3].map(|_| random.u64(..100_000)),
            random,
            moving,
            second: 0,
            due: Vec::new(),
            sensors: SENSORS.map(|(.., mean, _, _)| mean),
            door: false,
            latitude: 48.922_633_6,
            longitude: 24.710_318_8,
            error: [0.0; 3],
            speed: if moving { 13.0 } else { 0.0 },
            heading: 73.0,
            satellites: 17,
            rsrp: -97,
            rsrq: -11,
            sinr: 9,
            cell: 0x1A2_B301,
        }
    }

    fn sensors(&mut self) -> Vec<Point> {
        #[expect(clippy::cast_precision_loss, reason = "seconds are few")]
        let daily = 0.002 * (self.second as f64 / 97.0).sin();
        let mut points = Vec::with_capacity(SENSORS.len() + 1);
        for (i, (name, kind, unit, scale, mean, walk, noise)) in SENSORS.into_iter().enumerate() {
            let drift = if unit == "Cel" { daily } else { 0.0 };
            self.sensors[i] += self.gauss(walk) + (mean - self.sensors[i]) * 0.002 + drift;
            let value = self.sensors[i] + self.gauss(noise);
            points.push(point(name, kind, unit, scale, value));
        }
        let turn = if self.door { 0.05 } else { 0.002 };
        self.door ^= self.random.f64() < turn;
        points.push(point(
            "door",
            Kind::State,
            "/",
            0,
            f64::from(u8::from(self.door)),
        ));
        points
    }

    fn fix(&mut self) -> Vec<Point> {
        if self.moving {
            self.heading += self.gauss(1.5);
            self.speed = (self.speed + self.gauss(0.3)).max(0.0);
            let (east, north) = self.heading.to_radians().sin_cos();
            self.latitude += self.speed * north / DEGREE_M;
            let parallel = DEGREE_M * self.latitude.to_radians().cos();
            self.longitude += self.speed * east / parallel;
        }
        for (axis, walk) in [0.08, 0.08, 0.15].into_iter().enumerate() {
            self.error[axis] = 0.98 * self.error[axis] + self.gauss(walk);
        }
        if self.random.f64() < 0.05 {
            let step = if self.random.bool() { 1 } else { -1 };
            self.satellites = (self.satellites + step).clamp(12, 24);
        }
        let [north, east, up] = self.error;
        let latitude = self.latitude + north / DEGREE_M;
        let longitude = self.longitude + east / (DEGREE_M * 0.6572);
        let speed = (self.speed + self.gauss(0.03)).abs();
        let course = if self.moving {
            self.heading.rem_euclid(360.0)
        } else {
            0.0
        };
        let worse = if self.random.f64() < 0.1 { 0.01 } else { 0.0 };
        #[expect(clippy::cast_precision_loss, reason = "12 to 24")]
        let satellites = self.satellites as f64;
        let hdop = 0.6 + 0.01 * (20.0 - satellites) + worse;
        [
            ("latitude", "lat", 7, latitude),
            ("longitude", "lon", 7, longitude),
            ("altitude", "m", 1, 244.0 + up),
            ("speed", "m/s", 3, speed),
            ("course", "deg", 1, course),
            ("hdop", "/", 2, hdop),
            ("satellites", "/", 0, satellites),
        ]
        .map(|(name, unit, scale, value)| point(name, Kind::Gauge, unit, scale, value))
        .into()
    }

    fn modem(&mut self) -> Vec<Point> {
        self.rsrp = (self.rsrp + self.choice(&[-1, 0, 0, 1])).clamp(-120, -80);
        self.rsrq = (self.rsrq + self.choice(&[-1, 0, 0, 0, 1])).clamp(-18, -6);
        self.sinr = (self.sinr + self.choice(&[-1, 0, 1])).clamp(-5, 25);
        if self.random.f64() < 0.03 {
            self.cell += self.choice(&[-1, 1]);
        }
        [
            ("rsrp", Kind::Gauge, "dBm", self.rsrp),
            ("rsrq", Kind::Gauge, "dB", self.rsrq),
            ("sinr", Kind::Gauge, "dB", self.sinr),
            ("rssi", Kind::Gauge, "dBm", self.rsrp + 29),
            ("cell", Kind::State, "/", self.cell),
            ("band", Kind::State, "/", 20),
            ("tac", Kind::State, "/", 2041),
        ]
        .map(|(name, kind, unit, value)| reading(name, kind, unit, 0, Reading::from(value)))
        .into()
    }

    /// A normally distributed number (Box-Muller) around 0.
    fn gauss(&mut self, deviation: f64) -> f64 {
        let radius = (-2.0 * (1.0 - self.random.f64()).ln()).sqrt();
        deviation * radius * (TAU * self.random.f64()).cos()
    }

    fn choice(&mut self, steps: &[i64]) -> i64 {
        steps[self.random.usize(..steps.len())]
    }

    /// Puts one poll of the running second down; later ones first.
    fn put(&mut self, place: usize, name: &str, after_ms: u16, points: Vec<Point>) {
        let source = Source::new(name).expect("our own names are names");
        let sequence = Sequence {
            run: self.runs[place],
            n: self.numbers[place],
        };
        self.numbers[place] += 1;
        let elapsed_ms = self.second * 1000 + u64::from(after_ms);
        let stamp = Stamp {
            time: Timestamp::of_unix_ms(START_MS).plus_ms(elapsed_ms.cast_signed()),
            mono_ms: UPTIME_MS + elapsed_ms,
            boot: self.boot,
            clock: Clock::Ntp,
            err_ms: Some(12),
        };
        let poll = Poll {
            sequence: Some(sequence),
            stamp,
            points,
        };
        self.due.push((source, poll));
    }
}

impl Iterator for Cabinet {
    type Item = (Source, Poll);

    fn next(&mut self) -> Option<(Source, Poll)> {
        if self.due.is_empty() {
            let (sensors, fix) = (self.sensors(), self.fix());
            if self.second.is_multiple_of(10) {
                let report = self.modem();
                self.put(2, "modem", 700, report);
            }
            self.put(1, "gnss", 400, fix);
            self.put(0, "sensors", 0, sensors);
            self.second += 1;
        }
        self.due.pop()
    }
}

fn point(name: &str, kind: Kind, unit: &str, scale: u8, value: f64) -> Point {
    #[expect(clippy::cast_possible_truncation, reason = "far below 2^63")]
    let units = (value * 10f64.powi(scale.into())).round() as i64;
    let value = Value::decimal(units, scale).expect("far below 10^15");
    reading(name, kind, unit, scale, Reading::Good(value))
}

fn reading(name: &str, kind: Kind, unit: &str, scale: u8, reading: Reading) -> Point {
    Point {
        name: PointName::new(name).expect("our own names are names"),
        kind,
        unit: Unit::new(unit).expect("our own units are units"),
        reading,
        scale: Some(scale),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_minutes_of_the_standard_load() {
        let polls: Vec<_> = Cabinet::new(42, true).take(1260).collect();
        let measured: usize = polls.iter().map(|(s, p)| measurements(s, p)).sum();
        let points: usize = polls.iter().map(|(_, poll)| poll.points.len()).sum();
        assert_eq!((measured, points), (6660, 10_620));
        let last = &polls[1259].1.stamp;
        assert_eq!(last.time.unix_ms() - START_MS, 599_400);
        assert_eq!(last.mono_ms - UPTIME_MS, 599_400);
        assert!(polls.is_sorted_by_key(|(_, poll)| poll.stamp.time));
    }

    #[test]
    fn a_seed_is_a_load() {
        let load = |seed, moving| Cabinet::new(seed, moving).take(50).collect::<Vec<_>>();
        assert_eq!(load(1, false), load(1, false));
        assert_ne!(load(1, false), load(2, false));
    }
}
