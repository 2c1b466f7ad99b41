//! What the GNSS engine prints, once a second: the sentence set of Qualcomm's MDM9x07 engines.

use std::{
    fmt::Write as _,
    time::{Duration, SystemTime},
};

use fastrand::Rng;
use tm_proto::nmea0183::checksum;

use super::config::Sim7600Config;
use crate::number::{Walk, gauss, round};

/// Metres of a degree of latitude.
const METRES_PER_DEGREE: f64 = 111_320.0;
/// Metres per second of a knot.
const KNOT: f64 = 1852.0 / 3600.0;

/// One transmitter plays every satellite, so all of them are equally strong.
const FALSE_CN0_DBHZ: u8 = 46;
/// Where the false sky puts the antenna: 37 km away.
const FALSE_EAST_M: f64 = 21_000.0;
const FALSE_NORTH_M: f64 = 30_000.0;
/// How far the false time is ahead.
const FALSE_AHEAD: Duration = Duration::from_mins(7);

/// Satellites, antenna and engine.
#[derive(Debug)]
pub(super) struct Sky {
    satellites: Vec<Satellite>,
    covered: bool,
    /// A false sky drowns the true one.
    spoofed: bool,
    /// How long the engine has run under an open sky.
    searching: Duration,
    time_to_fix: Duration,
    /// The engine learnt the time once; it keeps it without a sky.
    knows_time: bool,
    latitude_deg: f64,
    longitude_deg: f64,
    altitude_m: f64,
    speed_mps: f64,
    heading: Walk,
    /// Errors of the position, metres east, north and up.
    error: [Walk; 3],
}

#[derive(Debug)]
struct Satellite {
    system: System,
    id: u32,
    elevation: i64,
    azimuth: i64,
    cn0: Walk,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum System {
    Gps,
    Glonass,
    Galileo,
}

impl Sky {
    pub(super) fn new(config: &Sim7600Config, random: &mut Rng) -> Self {
        let mut satellites = Vec::new();
        let groups = [
            (System::Gps, [2, 5, 7, 9, 13, 15, 16, 20, 26, 29].as_slice()),
            (System::Glonass, [66, 67, 76, 77, 78, 86].as_slice()),
            (System::Galileo, [3, 5, 13, 24].as_slice()),
        ];
        for (system, ids) in groups {
            for id in ids {
                let elevation = random.i64(4..85);
                let strength = f64::from(u8::try_from(22 + elevation / 4).unwrap_or(30));
                let cn0 = Walk::around(strength, 0.3);
                satellites.push(Satellite {
                    system,
                    id: *id,
                    elevation,
                    azimuth: random.i64(0..360),
                    cn0,
                });
            }
        }
        Self {
            satellites,
            covered: false,
            spoofed: false,
            searching: Duration::ZERO,
            time_to_fix: config.time_to_fix,
            knows_time: false,
            latitude_deg: config.latitude_deg,
            longitude_deg: config.longitude_deg,
            altitude_m: config.altitude_m,
            speed_mps: config.motion.map_or(0.0, |motion| motion.speed_mps),
            heading: Walk::around(config.motion.map_or(0.0, |motion| motion.heading_deg), 1.5),
            error: [
                Walk::around(0.0, 0.15),
                Walk::around(0.0, 0.15),
                Walk::around(0.0, 0.3),
            ],
        }
    }

    pub(super) fn engine_started(&mut self) {
        self.searching = Duration::ZERO;
        self.knows_time = false;
    }

    pub(super) fn cover(&mut self) {
        self.covered = true;
        self.searching = Duration::ZERO;
    }

    pub(super) fn uncover(&mut self) {
        self.covered = false;
    }

    pub(super) fn spoof(&mut self) {
        self.spoofed = true;
    }

    pub(super) fn tell_truth(&mut self) {
        self.spoofed = false;
    }

    pub(super) fn has_fix(&self) -> bool {
        !self.covered && self.searching > self.time_to_fix
    }

    pub(super) fn antenna(&self) -> (f64, f64) {
        (self.latitude_deg, self.longitude_deg)
    }

    /// Time passes with the engine running.
    pub(super) fn tick(&mut self, passed: Duration, random: &mut Rng) {
        if !self.covered {
            self.searching += passed;
        }
        self.knows_time |= self.has_fix();
        for satellite in &mut self.satellites {
            satellite.cn0.step(random);
        }
        for error in &mut self.error {
            error.step(random);
        }
        if self.speed_mps > 0.0 {
            let heading = self.heading.step(random).to_radians();
            let metres = self.speed_mps * passed.as_secs_f64();
            let per_degree_east =
                METRES_PER_DEGREE * self.latitude_deg.to_radians().cos().max(0.01);
            self.latitude_deg =
                (self.latitude_deg + metres * heading.cos() / METRES_PER_DEGREE).clamp(-89.9, 89.9);
            self.longitude_deg += metres * heading.sin() / per_degree_east;
        }
    }

    /// The sentences of one second, in the order of the engine.
    pub(super) fn burst(&self, now: SystemTime, random: &mut Rng) -> Vec<u8> {
        let mut burst = Burst::default();
        for (talker, system, signal) in [
            ("GP", System::Gps, 1),
            ("GL", System::Glonass, 1),
            ("GA", System::Galileo, 7),
        ] {
            self.in_view(&mut burst, talker, system, signal);
        }
        let told = if self.spoofed { now + FALSE_AHEAD } else { now };
        let time = jiff::Timestamp::try_from(told)
            .ok()
            .filter(|_| self.knows_time);
        if let (Some(time), true) = (time, self.has_fix()) {
            self.fix(&mut burst, time, random);
        } else {
            let stamp = time
                .map(|time| time.strftime("%H%M%S.00").to_string())
                .unwrap_or_default();
            let date = time
                .map(|time| time.strftime("%d%m%y").to_string())
                .unwrap_or_default();
            burst.add(&format!("GPGGA,{stamp},,,,,0,,,,,,,,"));
            burst.add(&format!("GNGNS,{stamp},,,,,NNN,,,,,,"));
            burst.add("PQXFI,,,,,,,,,,");
            burst.add("GPVTG,,T,,M,,N,,K,N");
            burst.add(&format!("GPRMC,{stamp},V,,,,,,,{date},,,N,V"));
            burst.add("GPGSA,A,1,,,,,,,,,,,,,,,,");
            burst.add("GNGSA,A,1,,,,,,,,,,,,,,,,");
        }
        burst.0
    }

    fn fix(&self, burst: &mut Burst, time: jiff::Timestamp, random: &mut Rng) {
        let [mut east, mut north, up] = self.error.map(|error| error.value());
        if self.spoofed {
            east += FALSE_EAST_M;
            north += FALSE_NORTH_M;
        }
        let per_degree_east = METRES_PER_DEGREE * self.latitude_deg.to_radians().cos().max(0.01);
        let place = format!(
            "{},{}",
            angle(self.latitude_deg + north / METRES_PER_DEGREE, 2, ['N', 'S']),
            angle(self.longitude_deg + east / per_degree_east, 3, ['E', 'W']),
        );
        let stamp = time.strftime("%H%M%S.00");
        let date = time.strftime("%d%m%y");
        let altitude = self.altitude_m + up;
        let knots = (self.speed_mps + gauss(random) * 0.02).max(0.0) / KNOT;
        let moves = self.speed_mps > 0.5;
        let course = if moves {
            format!("{:.1}", self.heading.value().rem_euclid(360.0))
        } else {
            String::new()
        };
        let used = |system| self.used(system).count();
        let (gps, all) = (
            used(System::Gps),
            self.satellites
                .iter()
                .filter(|satellite| satellite.is_used())
                .count(),
        );
        let hdop = if all > 12 { 0.7 } else { 1.1 };
        burst.add(&format!(
            "GPGGA,{stamp},{place},1,{gps:02},{hdop:.1},{altitude:.1},M,32.0,M,,"
        ));
        burst.add(&format!(
            "GNGNS,{stamp},{place},AAA,{all:02},{hdop:.1},{altitude:.1},32.0,,,V"
        ));
        let tenth = time.strftime("%H%M%S.0");
        burst.add(&format!(
            "PQXFI,{tenth},{place},{altitude:.1},{:.2},{:.2},0.11",
            hdop * 5.0,
            hdop * 8.0
        ));
        burst.add(&format!(
            "GPVTG,{course},T,,M,{knots:.1},N,{:.1},K,A",
            knots * 1.852
        ));
        burst.add(&format!(
            "GPRMC,{stamp},A,{place},{knots:.1},{course},{date},,,A,V"
        ));
        let systems = [
            ("GP", System::Gps, 1),
            ("GN", System::Gps, 1),
            ("GN", System::Glonass, 2),
            ("GN", System::Galileo, 3),
        ];
        for (talker, system, id) in systems {
            let mut ids: Vec<String> = self
                .used(system)
                .take(12)
                .map(|satellite| format!("{:02}", satellite.id))
                .collect();
            ids.resize(12, String::new());
            burst.add(&format!(
                "{talker}GSA,A,3,{},{:.1},{hdop:.1},{:.1},{id}",
                ids.join(","),
                hdop * 1.8,
                hdop * 1.5
            ));
        }
    }

    fn used(&self, system: System) -> impl Iterator<Item = &Satellite> {
        self.satellites
            .iter()
            .filter(move |satellite| satellite.system == system && satellite.is_used())
    }

    fn in_view(&self, burst: &mut Burst, talker: &str, system: System, signal: u8) {
        let seen: Vec<&Satellite> = self
            .satellites
            .iter()
            .filter(|satellite| satellite.system == system)
            .collect();
        let n_parts = seen.len().div_ceil(4);
        for (part, satellites) in seen.chunks(4).enumerate() {
            let mut body = format!("{talker}GSV,{n_parts},{},{:02}", part + 1, seen.len());
            for satellite in satellites {
                let cn0 = match (self.covered, self.spoofed) {
                    (true, _) => String::new(),
                    (false, true) => format!("{FALSE_CN0_DBHZ:02}"),
                    (false, false) => format!("{:02}", round(satellite.cn0.value())),
                };
                let _ = write!(
                    body,
                    ",{:02},{:02},{:03},{cn0}",
                    satellite.id, satellite.elevation, satellite.azimuth
                );
            }
            let _ = write!(body, ",{signal}");
            burst.add(&body);
        }
    }
}

impl Satellite {
    fn is_used(&self) -> bool {
        self.elevation >= 10
    }
}

#[derive(Default)]
struct Burst(Vec<u8>);

impl Burst {
    fn add(&mut self, body: &str) {
        self.0
            .extend(format!("${body}*{:02X}\r\n", checksum(body.as_bytes())).into_bytes());
    }
}

/// Degrees and minutes with six decimals, and the letter of the side.
fn angle(degrees: f64, digits: usize, [positive, negative]: [char; 2]) -> String {
    let side = if degrees < 0.0 { negative } else { positive };
    let microminutes = round(degrees.abs() * 60e6);
    let (whole, rest) = (microminutes / 60_000_000, microminutes % 60_000_000);
    format!(
        "{whole:0digits$}{:02}.{:06},{side}",
        rest / 1_000_000,
        rest % 1_000_000
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn angles_carry_into_the_next_minute() {
        for (degrees, expected) in [
            (48.9226, "4855.356000,N"),
            (-0.000_000_005, "0000.000000,S"),
            (10.999_999_999_9, "1100.000000,N"),
            (89.5, "8930.000000,N"),
        ] {
            assert_eq!(angle(degrees, 2, ['N', 'S']), expected);
        }
        assert_eq!(angle(-1.5, 3, ['E', 'W']), "00130.000000,W");
    }
}
