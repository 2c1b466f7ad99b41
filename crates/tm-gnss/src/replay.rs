//! A recording as epochs, for `tm gnss replay`: the same reader as the service's, on bytes at any pace.

use std::fmt;
use std::io::{self, Read};

use serde::Serialize;
use tm_proto::calendar::Date;
use tm_proto::nmea0183::{Epoch, Epochs, FixMode, Position};
use tm_types::Timestamp;

/// Bytes read in one go.
const PORTION: usize = 64 * 1024;

/// One epoch. Names and units are gpsd's, so that both can be compared.
#[derive(Debug, Serialize)]
pub struct Line {
    /// UTC as the receiver printed it; absent until it printed a date.
    pub time: Option<Timestamp>,
    /// 1 no fix, 2 two-dimensional, 3 three-dimensional.
    pub mode: u8,
    /// Latitude in degrees, north positive.
    pub lat: Option<f64>,
    /// Longitude in degrees, east positive.
    pub lon: Option<f64>,
    /// Above mean sea level, in metres.
    pub alt: Option<f64>,
    /// Over ground, in metres per second.
    pub speed: Option<f64>,
    /// Over ground, in degrees clockwise from true north.
    pub track: Option<f64>,
    /// Satellites used, counted as gpsd shows them.
    pub satellites_used: Option<u8>,
}

/// Reads a receiver's output to its end and hands out each epoch when the next one begins.
///
/// # Errors
/// When the input cannot be read, or what `each` says.
pub fn replay(
    mut input: impl Read,
    mut each: impl FnMut(&Line) -> io::Result<()>,
) -> io::Result<()> {
    // A recording is as old as it says: no rollover repair.
    let floor = Date::from_unix_days(0).expect("1970-01-01 exists");
    let mut epochs = Epochs::new(floor);
    let mut bytes = vec![0; PORTION];
    loop {
        let n = match input.read(&mut bytes) {
            Ok(0) => break,
            Ok(n) => n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        for epoch in epochs.feed(&bytes[..n]) {
            each(&Line::new(&epoch))?;
        }
    }
    epochs
        .finish()
        .map_or(Ok(()), |epoch| each(&Line::new(&epoch)))
}

impl Line {
    fn new(epoch: &Epoch) -> Self {
        Self {
            time: epoch.unix_ms().map(Timestamp::of_unix_ms),
            mode: match epoch.mode {
                FixMode::None => 1,
                FixMode::TwoD => 2,
                FixMode::ThreeD => 3,
            },
            lat: epoch.position.map(Position::latitude_deg),
            lon: epoch.position.map(Position::longitude_deg),
            alt: epoch.altitude_m,
            speed: epoch.speed_mps,
            track: epoch.course_deg,
            satellites_used: epoch.n_used_shown,
        }
    }
}

/// For people: `2022-09-11T19:15:04.990Z 3D 36.7645466 31.4110036 -18.7 m 0.2 m/s 9 satellites`.
impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.time {
            Some(time) => write!(f, "{time}")?,
            None => f.write_str("no time")?,
        }
        f.write_str(match self.mode {
            2 => " 2D",
            3 => " 3D",
            _ => " no fix",
        })?;
        if let (Some(lat), Some(lon)) = (self.lat, self.lon) {
            write!(f, " {lat:.7} {lon:.7}")?;
        }
        if let Some(alt) = self.alt {
            write!(f, " {alt:.1} m")?;
        }
        if let Some(speed) = self.speed {
            write!(f, " {speed:.1} m/s")?;
        }
        if let Some(n) = self.satellites_used {
            write!(f, " {n} satellites")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use tm_proto::nmea0183::checksum;

    use super::*;

    fn log(bodies: &[&str]) -> Vec<u8> {
        let line = |body: &&str| format!("${body}*{:02X}\r\n", checksum(body.as_bytes()));
        bodies.iter().map(line).collect::<String>().into_bytes()
    }

    fn lines(log: &[u8]) -> Vec<Line> {
        let mut lines = Vec::new();
        let take = |line: &Line| {
            let time = line.time;
            lines.push(Line { time, ..*line });
            Ok(())
        };
        replay(log, take).unwrap();
        lines
    }

    #[test]
    fn dates_are_told_as_they_were_printed() {
        let log = log(&[
            "GPRMC,235959.00,A,4807.038,N,01131.000,E,022.4,084.4,220899,,,A",
            "GPGGA,235959.00,4807.038,N,01131.000,E,1,08,0.9,545.4,M,46.9,M,,",
            "GPRMC,000000.00,A,4807.038,N,01131.000,E,022.4,084.4,230899,,,A",
            "GPGGA,000000.00,4807.038,N,01131.000,E,1,08,0.9,545.4,M,46.9,M,,",
        ]);
        let lines = lines(&log);
        let told: Vec<String> = lines.iter().map(Line::to_string).collect();
        assert_eq!(
            told,
            [
                "1999-08-22T23:59:59.000Z 3D 48.1173000 11.5166667 545.4 m 11.5 m/s 8 satellites",
                "1999-08-23T00:00:00.000Z 3D 48.1173000 11.5166667 545.4 m 11.5 m/s 8 satellites",
            ]
        );
    }

    #[test]
    fn what_is_unknown_is_null() {
        let lines = lines(&log(&["GPGGA,,,,,,0,,,,,,,,"]));
        let json = serde_json::to_value(&lines[0]).unwrap();
        let expected = serde_json::json!({
            "time": null, "mode": 1, "lat": null, "lon": null, "alt": null, "speed": null, "track": null,
            "satellites_used": null,
        });
        assert_eq!(json, expected);
        assert_eq!(lines[0].to_string(), "no time no fix");
    }
}
