//! An epoch as gpsd's objects TPV and SKY; what is unknown is left out.

use serde::Serialize;
use tm_proto::nmea0183::{Constellation, Epoch, FixMode, Position, Satellite};
use tm_types::Timestamp;

use crate::movement::error_m;
use crate::points::course_deg;

/// From one sigma to the 95 % that gpsd's error estimates stand for.
const SIGMAS: f64 = 2.0;
/// The most satellites of a report, so that it stays below the 10240 bytes of a line (gpsd_json(5)).
const SATELLITES_MAX: usize = 100;
/// How far the time of a report may be off in seconds: sentences carry whole epochs, not pulses.
const TIME_ERROR_S: f64 = 0.2;

/// An object as a line of the protocol.
pub(super) fn line(object: &impl Serialize) -> String {
    let text = serde_json::to_string(object).expect("these objects have only string keys");
    text + "\r\n"
}

/// Where and when.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
struct Tpv {
    class: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    device: Option<String>,
    /// 0 unknown, 1 no fix, 2 two-dimensional, 3 three-dimensional.
    mode: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ept: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lat: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lon: Option<f64>,
    #[serde(rename = "altHAE", skip_serializing_if = "Option::is_none")]
    alt_hae: Option<f64>,
    #[serde(rename = "altMSL", skip_serializing_if = "Option::is_none")]
    alt_msl: Option<f64>,
    /// Deprecated by gpsd, read by old clients: above mean sea level.
    #[serde(skip_serializing_if = "Option::is_none")]
    alt: Option<f64>,
    #[serde(rename = "geoidSep", skip_serializing_if = "Option::is_none")]
    geoid_sep: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    eph: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    epx: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    epy: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    epv: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    speed: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    track: Option<f64>,
}

/// What is in the sky.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
struct Sky {
    class: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    device: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hdop: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vdop: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pdop: Option<f64>,
    #[serde(rename = "nSat")]
    n_sat: usize,
    #[serde(rename = "uSat")]
    u_sat: usize,
    satellites: Vec<InView>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
struct InView {
    #[serde(rename = "PRN")]
    prn: u16,
    gnssid: u8,
    svid: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    sigid: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    el: Option<i8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    az: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ss: Option<u8>,
    used: bool,
}

#[derive(Serialize)]
struct DeviceLine<'a> {
    class: &'static str,
    path: &'a str,
    driver: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    activated: Option<Timestamp>,
}

#[derive(Serialize)]
struct Devices<'a> {
    class: &'static str,
    devices: Vec<DeviceLine<'a>>,
}

#[derive(Serialize)]
struct Poll<'a> {
    class: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<Timestamp>,
    active: u8,
    tpv: Vec<&'a Tpv>,
    gst: [(); 0],
    sky: Vec<&'a Sky>,
}

/// The last reports, and of which source.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Picture {
    source: Option<String>,
    /// When the source was first heard, by this machine's clock.
    activated: Option<Timestamp>,
    tpv: Tpv,
    sky: Sky,
}

impl Default for Picture {
    fn default() -> Self {
        Self {
            source: None,
            activated: None,
            tpv: Tpv {
                class: "TPV",
                ..Tpv::default()
            },
            sky: Sky {
                class: "SKY",
                ..Sky::default()
            },
        }
    }
}

impl Picture {
    /// Takes in an epoch of a source, or that there is none any more.
    ///
    /// An epoch that is not trusted (`gnss.spoofing_suspected`) has neither fix nor time here, and no satellite counts as
    /// used: who steers or sets a clock by gpsd does not read warnings.
    pub(crate) fn take(
        &mut self,
        source: Option<&str>,
        epoch: &Epoch,
        is_trusted: bool,
        now: Timestamp,
    ) {
        if self.source.as_deref() != source {
            *self = Self {
                source: source.map(str::to_owned),
                activated: source.map(|_| now),
                ..Self::default()
            };
        }
        let untrusted = Epoch::default();
        self.tpv = tpv(source, if is_trusted { epoch } else { &untrusted });
        self.sky.device.clone_from(&self.source);
        self.sky.time = self.tpv.time;
        (self.sky.hdop, self.sky.vdop, self.sky.pdop) = (epoch.hdop, epoch.vdop, epoch.pdop);
        if let Some(satellites) = &epoch.satellites {
            let shown = satellites
                .iter()
                .filter(|satellite| !satellite.is_phantom());
            let shown = shown.filter_map(in_view);
            self.sky.satellites = shown.take(SATELLITES_MAX).collect();
        } else if source.is_none() {
            self.sky.satellites.clear();
        }
        for satellite in &mut self.sky.satellites {
            satellite.used &= is_trusted;
        }
        self.sky.n_sat = self.sky.satellites.len();
        self.sky.u_sat = self.sky.satellites.iter().filter(|one| one.used).count();
    }

    /// SKY and TPV, in gpsd's order.
    pub(super) fn reports(&self) -> String {
        line(&self.tpv) + &line(&self.sky)
    }

    /// The list of receivers: the one, if it is there.
    pub(super) fn devices(&self) -> String {
        line(&Devices {
            class: "DEVICES",
            devices: self
                .source
                .as_deref()
                .map(|path| self.at(path))
                .into_iter()
                .collect(),
        })
    }

    /// The receiver, if it is there.
    pub(super) fn device(&self) -> Option<String> {
        Some(line(&self.at(self.source.as_deref()?)))
    }

    fn at<'a>(&self, path: &'a str) -> DeviceLine<'a> {
        DeviceLine {
            class: "DEVICE",
            path,
            driver: "NMEA0183",
            activated: self.activated,
        }
    }

    /// The last reports as one object; only for who watches.
    pub(super) fn poll(&self, is_watching: bool) -> String {
        let is_active = is_watching && self.source.is_some();
        line(&Poll {
            class: "POLL",
            time: self.tpv.time,
            active: u8::from(is_active),
            tpv: is_active.then_some(&self.tpv).into_iter().collect(),
            gst: [],
            sky: is_active.then_some(&self.sky).into_iter().collect(),
        })
    }
}

fn tpv(source: Option<&str>, epoch: &Epoch) -> Tpv {
    let has_fix = epoch.mode > FixMode::None && epoch.position.is_some();
    let fix = has_fix.then_some(epoch);
    let eph = fix
        .filter(|epoch| epoch.horizontal_error_m.or(epoch.hdop).is_some())
        .map(|epoch| rounded(error_m(epoch) * SIGMAS));
    let axis = eph.map(|eph| rounded(eph / std::f64::consts::SQRT_2));
    // A date that was moved over a rollover is a guess about the century, and nobody's clock is set by a guess.
    let time = epoch.unix_ms().filter(|_| !epoch.is_date_corrected);
    let position = fix.and_then(|epoch| epoch.position);
    let altitude = fix.and_then(|epoch| epoch.altitude_m);
    let separation = fix.and_then(|epoch| epoch.geoid_separation_m);
    Tpv {
        class: "TPV",
        device: source.map(str::to_owned),
        mode: match (source, fix.map(|epoch| epoch.mode)) {
            (None, _) => 0,
            (_, None | Some(FixMode::None)) => 1,
            (_, Some(FixMode::TwoD)) => 2,
            (_, Some(FixMode::ThreeD)) => 3,
        },
        status: fix.and_then(|epoch| status(epoch.quality?)),
        time: time.map(Timestamp::of_unix_ms),
        ept: time.map(|_| TIME_ERROR_S),
        lat: position.map(Position::latitude_deg),
        lon: position.map(Position::longitude_deg),
        alt_hae: altitude
            .zip(separation)
            .map(|(altitude, separation)| rounded(altitude + separation)),
        alt_msl: altitude,
        alt: altitude,
        geoid_sep: separation,
        eph,
        epx: axis,
        epy: axis,
        epv: fix
            .and_then(|epoch| epoch.vertical_error_m)
            .map(|error| rounded(error * SIGMAS)),
        speed: fix.and_then(|epoch| epoch.speed_mps),
        track: fix.and_then(course_deg),
    }
}

/// Millimetres are enough.
fn rounded(metres: f64) -> f64 {
    (metres * 1000.0).round() / 1000.0
}

/// gpsd's `status` from GGA's quality; a plain fix needs none.
fn status(quality: u8) -> Option<u8> {
    match quality {
        2 => Some(2),
        3 => Some(9),
        4 => Some(3),
        5 => Some(4),
        6 => Some(5),
        7 | 8 => Some(quality),
        _ => None,
    }
}

/// gpsd's numbering (gpsd_json(5), "PRNs" and SKY). A GLONASS satellite without a slot number has no place in it, and a
/// phantom of SBAS none in the sky.
fn in_view(satellite: &Satellite) -> Option<InView> {
    let svid = satellite.number?;
    if satellite.constellation == Constellation::Sbas && satellite.elevation_deg.is_none() {
        return None;
    }
    let (gnssid, prn) = match satellite.constellation {
        Constellation::Gps => (0, svid),
        Constellation::Sbas => (1, svid),
        Constellation::Galileo => (2, svid + 300),
        Constellation::BeiDou => (3, svid + 400),
        Constellation::Qzss => (5, svid + 192),
        Constellation::Glonass => (6, svid + 64),
        Constellation::NavIc => (7, svid + 500),
    };
    Some(InView {
        prn,
        gnssid,
        svid,
        sigid: satellite
            .signal
            .and_then(|signal| sigid(satellite.constellation, signal)),
        el: satellite.elevation_deg,
        az: satellite.azimuth_deg,
        ss: satellite.cn0_dbhz,
        used: satellite.is_used,
    })
}

/// u-blox's number of a signal, which gpsd uses, from that of NMEA 4.11 (u-blox F9 interface description, "Signal
/// identifiers"). Those that the two lists do not share are left out.
fn sigid(constellation: Constellation, signal: u8) -> Option<u8> {
    match (constellation, signal) {
        (Constellation::Galileo, 7)
        | (
            Constellation::Gps
            | Constellation::Sbas
            | Constellation::Glonass
            | Constellation::BeiDou
            | Constellation::Qzss,
            1,
        ) => Some(0),
        (Constellation::Gps, 6) | (Constellation::Galileo, 1) => Some(3),
        (Constellation::Gps, 5) => Some(4),
        (Constellation::Gps, 7) => Some(6),
        (Constellation::Gps, 8) => Some(7),
        (Constellation::Glonass, 3) | (Constellation::BeiDou, 11) => Some(2),
        (Constellation::Galileo, 2) => Some(5),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use tm_proto::calendar::Date;
    use tm_proto::nmea0183::{Epochs, checksum};

    use super::*;

    const NOW: Timestamp = Timestamp::EPOCH;

    fn epoch(bodies: &[&str]) -> Epoch {
        let mut epochs = Epochs::new(Date::new(2026, 11, 1).unwrap());
        for body in bodies {
            let sentence = format!("${body}*{:02X}\r\n", checksum(body.as_bytes()));
            assert!(epochs.feed(sentence.as_bytes()).is_empty(), "{body}");
        }
        epochs.silence().unwrap()
    }

    fn objects(picture: &Picture) -> (Value, Value) {
        let reports = picture.reports();
        let mut lines = reports
            .lines()
            .map(|line| serde_json::from_str(line).unwrap());
        (lines.next().unwrap(), lines.next().unwrap())
    }

    const FIX: [&str; 5] = [
        "GPGSV,1,1,02,03,41,110,38,40,30,180,,1",
        "GAGSV,1,1,01,04,62,200,41,7",
        "GNGGA,120000.00,5027.0000,N,03031.0000,E,2,08,0.8,150.2,M,25.1,M,,",
        "GNRMC,120000.00,A,5027.0000,N,03031.0000,E,20.0,84.4,251126,,,D,V",
        "GNGSA,A,3,03,,,,,,,,,,,,1.5,0.8,1.2,1",
    ];

    #[test]
    fn an_epoch_in_their_words() {
        let mut picture = Picture::default();
        picture.take(Some("bus:modem"), &epoch(&FIX), true, NOW);
        let (tpv, sky) = objects(&picture);
        assert_eq!(
            tpv,
            json!({
                "class": "TPV", "device": "bus:modem", "mode": 3, "status": 2, "time": "2026-11-25T12:00:00.000Z",
                "ept": 0.2, "lat": 50.45, "lon": 30.516_666_7, "altHAE": 175.3, "altMSL": 150.2, "alt": 150.2,
                "geoidSep": 25.1, "eph": 8.0, "epx": 5.657, "epy": 5.657, "speed": tpv["speed"], "track": 84.4,
            })
        );
        assert!(
            (tpv["speed"].as_f64().unwrap() - 10.289).abs() < 0.001,
            "{tpv}"
        );
        assert_eq!(
            sky,
            json!({
                "class": "SKY", "device": "bus:modem", "time": "2026-11-25T12:00:00.000Z", "hdop": 0.8, "vdop": 1.2,
                "pdop": 1.5, "nSat": 3, "uSat": 1,
                "satellites": [
                    {"PRN": 3, "gnssid": 0, "svid": 3, "sigid": 0, "el": 41, "az": 110, "ss": 38, "used": true},
                    {"PRN": 127, "gnssid": 1, "svid": 127, "sigid": 0, "el": 30, "az": 180, "used": false},
                    {"PRN": 304, "gnssid": 2, "svid": 4, "sigid": 0, "el": 62, "az": 200, "ss": 41, "used": false},
                ],
            })
        );
    }

    #[test]
    fn what_is_not_trusted_is_no_fix() {
        let mut picture = Picture::default();
        picture.take(Some("bus:modem"), &epoch(&FIX), false, NOW);
        let (tpv, sky) = objects(&picture);
        assert_eq!(
            tpv,
            json!({"class": "TPV", "device": "bus:modem", "mode": 1})
        );
        assert_eq!((&sky["nSat"], &sky["uSat"]), (&json!(3), &json!(0)));
    }

    #[test]
    fn without_a_source_nothing_is_told() {
        let mut picture = Picture::default();
        picture.take(Some("bus:modem"), &epoch(&FIX), true, NOW);
        picture.take(None, &Epoch::default(), true, NOW);
        assert_eq!(picture, Picture::default());
        let (tpv, sky) = objects(&picture);
        assert_eq!(tpv, json!({"class": "TPV", "mode": 0}));
        assert_eq!(
            sky,
            json!({"class": "SKY", "nSat": 0, "uSat": 0, "satellites": []})
        );
    }

    #[test]
    fn a_report_fits_a_line() {
        let one = Satellite {
            constellation: Constellation::Galileo,
            number: Some(36),
            signal: Some(7),
            elevation_deg: Some(-10),
            azimuth_deg: Some(359),
            cn0_dbhz: Some(50),
            is_used: false,
        };
        let babble = Epoch {
            satellites: Some(vec![one; 256]),
            ..epoch(&FIX)
        };
        let mut picture = Picture::default();
        picture.take(Some("bus:modem"), &babble, true, NOW);
        let longest = picture
            .poll(true)
            .lines()
            .chain(picture.reports().lines())
            .map(str::len)
            .max();
        assert!(longest < Some(10_240), "{longest:?}");
    }

    #[test]
    fn a_phantom_is_not_in_the_sky() {
        let mut picture = Picture::default();
        let phantom = FIX.map(|body| body.replace(",40,30,180,,1", ",40,,,34,1"));
        let phantom: Vec<&str> = phantom.iter().map(String::as_str).collect();
        picture.take(Some("x"), &epoch(&phantom), true, NOW);
        assert_eq!(objects(&picture).1["nSat"], 2);
    }

    #[test]
    fn a_guessed_century_is_no_time() {
        let old = FIX.map(|body| body.replace("251126", "110407"));
        let old: Vec<&str> = old.iter().map(String::as_str).collect();
        let mut picture = Picture::default();
        picture.take(Some("x"), &epoch(&old), true, NOW);
        let (tpv, _) = objects(&picture);
        assert_eq!((&tpv["mode"], &tpv["time"]), (&json!(3), &Value::Null));
    }

    #[test]
    fn a_poll_is_for_who_watches() {
        let mut picture = Picture::default();
        picture.take(Some("x"), &epoch(&FIX), true, NOW);
        for (is_watching, active, n) in [(false, 0, 0), (true, 1, 1)] {
            let poll: Value = serde_json::from_str(&picture.poll(is_watching)).unwrap();
            let lengths = ["tpv", "sky", "gst"].map(|key| poll[key].as_array().unwrap().len());
            assert_eq!(
                (poll["active"].as_u64(), lengths),
                (Some(active), [n, n, 0])
            );
        }
    }
}
