//! The kinds of fields: times, dates, positions, decimals. An empty or unreadable field is absent, never zero.

use crate::calendar::Date;

/// Milliseconds since midnight UTC, below 86 401 000 (a leap second has its own).
pub type TimeOfDay = u32;

/// A place on the WGS 84 ellipsoid, as exact decimals of a degree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Position {
    /// Latitude in units of 1e-7 degrees, north positive, at most 900 000 000 either way.
    pub latitude_e7: i32,
    /// Longitude in units of 1e-7 degrees, east positive, at most 1 800 000 000 either way.
    pub longitude_e7: i32,
}

impl Position {
    /// Latitude in degrees, north positive: the nearest float to the exact decimal.
    pub fn latitude_deg(self) -> f64 {
        f64::from(self.latitude_e7) / 1e7
    }

    /// Longitude in degrees, east positive: the nearest float to the exact decimal.
    pub fn longitude_deg(self) -> f64 {
        f64::from(self.longitude_e7) / 1e7
    }

    /// Metres to another place that is not far away, along the ellipsoid: within 0.1 % up to 10 km, but at the poles.
    pub(super) fn distance_m(self, other: Self) -> f64 {
        let middle = f64::midpoint(self.latitude_deg(), other.latitude_deg()).to_radians();
        // The ellipsoid's radii at that latitude, from its half axis and the square of its eccentricity (WGS 84).
        let (half_axis_m, eccentricity_squared) = (6_378_137.0, 0.006_694_38);
        let bend = 1.0 - eccentricity_squared * middle.sin().powi(2);
        let meridian_m = half_axis_m * (1.0 - eccentricity_squared) / bend.powf(1.5);
        let parallel_m = half_axis_m / bend.sqrt() * middle.cos();
        let north = other.latitude_deg() - self.latitude_deg();
        let east = (other.longitude_deg() - self.longitude_deg() + 540.0).rem_euclid(360.0) - 180.0;
        (north.to_radians() * meridian_m).hypot(east.to_radians() * parallel_m)
    }
}

/// Fields by the numbers of the rulers at the sentences; a missing one is an empty one.
pub(super) struct Fields<'a>(Vec<&'a str>);

impl<'a> Fields<'a> {
    pub(super) fn new(fields: Vec<&'a str>) -> Self {
        Self(fields)
    }

    /// All of them, from the first on.
    pub(super) fn all(&self) -> &[&'a str] {
        &self.0
    }

    pub(super) fn get(&self, number: usize) -> &'a str {
        number
            .checked_sub(1)
            .and_then(|index| self.0.get(index))
            .copied()
            .unwrap_or_default()
    }

    pub(super) fn position(&self, number: usize) -> Option<Position> {
        position(&self.0, number.checked_sub(1)?)
    }

    pub(super) fn decimal(&self, number: usize) -> Option<f64> {
        decimal(self.get(number))
    }

    /// A dilution of precision. What lies outside is how receivers write "unknown" (0.00, 99.00, 99.99).
    pub(super) fn dilution(&self, number: usize) -> Option<f64> {
        self.decimal(number)
            .filter(|dilution| (0.01..=89.99).contains(dilution))
    }

    pub(super) fn is_valid(&self, number: usize) -> Option<bool> {
        match self.get(number) {
            "" => None,
            // `D` marks a differential fix on some receivers.
            status => Some(matches!(status, "A" | "D")),
        }
    }
}

/// The four fields `ddmm.mmmm,N,dddmm.mmmm,E` from `index` on.
pub(crate) fn position(fields: &[&str], index: usize) -> Option<Position> {
    let [latitude, ns, longitude, ew] = *fields.get(index..index.checked_add(4)?)? else {
        return None;
    };
    let latitude_e7 = angle_e7(latitude, 90)?;
    let longitude_e7 = angle_e7(longitude, 180)?;
    let latitude_e7 = match ns {
        "N" => latitude_e7,
        "S" => -latitude_e7,
        _ => return None,
    };
    let longitude_e7 = match ew {
        "E" => longitude_e7,
        "W" => -longitude_e7,
        _ => return None,
    };
    Some(Position {
        latitude_e7,
        longitude_e7,
    })
}

/// `dddmm.mmmm` to 1e-7 degrees. Fewer than four digits before the point are a damaged field
/// (`48,N,…` instead of `4854.642423,N,…` was seen in one of a hundred answers).
fn angle_e7(field: &str, max_deg: i64) -> Option<i32> {
    let (whole, fraction) = field.split_once('.').unwrap_or((field, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !(4..=5).contains(&whole.len()) || !digits(whole) || !digits(fraction) {
        return None;
    }
    let (degrees, minutes) = whole.split_at(whole.len() - 2);
    let degrees: i64 = degrees.parse().ok()?;
    let minutes: i64 = minutes.parse().ok()?;
    // Nine decimals of a minute are 30 micrometres; more are noise.
    let fraction = fraction.get(..9).unwrap_or(fraction);
    let scale = 10_i64.pow(9 - u32::try_from(fraction.len()).ok()?);
    let nanominutes = minutes * 1_000_000_000 + fraction.parse::<i64>().unwrap_or(0) * scale;
    // 1e-7 degrees are 6e-6 minutes, 6000 nanominutes; to the nearest.
    let e7 = degrees * 10_000_000 + (nanominutes + 3000) / 6000;
    (minutes < 60 && e7 <= max_deg * 10_000_000)
        .then(|| i32::try_from(e7).ok())
        .flatten()
}

/// `hhmmss[.sss]`.
pub(crate) fn time(field: &str) -> Option<TimeOfDay> {
    let (whole, fraction) = field.split_once('.').unwrap_or((field, ""));
    if whole.len() != 6 {
        return None;
    }
    let hour = two(whole, 0).filter(|hour| *hour < 24)?;
    let minute = two(whole, 2).filter(|minute| *minute < 60)?;
    // 60 is a leap second.
    let second = two(whole, 4).filter(|second| *second <= 60)?;
    if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let millis = (0..3).fold(0, |sum, at| {
        sum * 10
            + fraction
                .as_bytes()
                .get(at)
                .map_or(0, |b| u32::from(b - b'0'))
    });
    Some(((hour * 60 + minute) * 60 + second) * 1000 + millis)
}

/// `ddmmyy`; 69 to 99 are the last century.
pub(crate) fn date(field: &str) -> Option<Date> {
    if field.len() != 6 {
        return None;
    }
    let (day, month, year) = (two(field, 0)?, two(field, 2)?, two(field, 4)?);
    let century = if year >= 69 { 1900 } else { 2000 };
    Date::new(
        i16::try_from(century + year).ok()?,
        u8::try_from(month).ok()?,
        u8::try_from(day).ok()?,
    )
}

fn two(text: &str, at: usize) -> Option<u32> {
    let digits = text.get(at..at + 2)?;
    digits
        .bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| digits.parse().ok())
        .flatten()
}

/// A decimal number; nothing for an empty field, `NaN` and exponents.
fn decimal(field: &str) -> Option<f64> {
    let plain = field
        .bytes()
        .all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'+'));
    plain.then(|| field.parse().ok()).flatten()
}

/// A whole number.
pub(super) fn number<T: std::str::FromStr>(field: &str) -> Option<T> {
    let plain = field.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| field.parse().ok()).flatten()
}

/// Knots to metres per second, to the millimetre: 1852 m in 3600 s.
pub(crate) fn knots(field: &str) -> Option<f64> {
    decimal(field)
        .filter(|speed| *speed >= 0.0)
        .map(|speed| (speed * 1852.0 / 3.6).round() / 1000.0)
}

/// Kilometres per hour to metres per second, to the millimetre.
pub(super) fn kilometres_per_hour(field: &str) -> Option<f64> {
    decimal(field)
        .filter(|speed| *speed >= 0.0)
        .map(|speed| (speed * 1000.0 / 3.6).round() / 1000.0)
}

/// Degrees clockwise from true north, 0 to 360.
pub(crate) fn course(field: &str) -> Option<f64> {
    decimal(field).filter(|degrees| (0.0..=360.0).contains(degrees))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_exact() {
        let table = [
            (
                ["4510.878819", "N", "00544.224017", "E"],
                Some((451_813_137, 57_370_670)),
            ),
            (
                ["3747.0873", "S", "17518.8938", "E"],
                Some((-377_847_883, 1_753_148_967)),
            ),
            (["0000.000000", "N", "00000.000001", "W"], Some((0, 0))),
            (["0000.000003", "N", "00000.000003", "W"], Some((1, -1))),
            (
                ["9000.0", "N", "18000.0", "W"],
                Some((900_000_000, -1_800_000_000)),
            ),
            (
                ["4855", "N", "02442", "E"],
                Some((489_166_667, 247_000_000)),
            ),
            (["48", "N", "00250.293354", "E"], None),
            (["9000.1", "N", "00250.293354", "E"], None),
            (["4860.0", "N", "00250.293354", "E"], None),
            (["4810.0", "X", "00250.293354", "E"], None),
            (["-810.0", "N", "00250.293354", "E"], None),
            (["", "", "", ""], None),
        ];
        for (fields, expected) in table {
            let expected = expected.map(|(latitude_e7, longitude_e7)| Position {
                latitude_e7,
                longitude_e7,
            });
            assert_eq!(position(&fields, 0), expected, "{fields:?}");
        }
        assert_eq!(position(&["4510.8", "N", "00544.2"], 0), None);
    }

    #[test]
    fn times_and_dates() {
        for (field, expected) in [
            ("000000", Some(0)),
            ("191506.99", Some(69_306_990)),
            ("000231.42", Some(151_420)),
            ("235960.5", Some(86_400_500)),
            ("240000", None),
            ("12345", None),
            ("123456.x", None),
            ("", None),
        ] {
            assert_eq!(time(field), expected, "{field}");
        }
        for (field, expected) in [
            ("110922", Date::new(2022, 9, 11)),
            ("220899", Date::new(1999, 8, 22)),
            ("2208-1", None),
            ("310222", None),
            ("", None),
        ] {
            assert_eq!(date(field), expected, "{field}");
        }
    }

    #[test]
    fn speeds_are_metres_per_second() {
        assert_eq!(knots("0.8"), Some(0.412));
        assert_eq!(knots("10"), Some(5.144));
        assert_eq!(kilometres_per_hour("3.6"), Some(1.0));
        for field in ["", "NaN", "-1", "1e5"] {
            assert_eq!(knots(field), None, "{field}");
        }
    }
}
