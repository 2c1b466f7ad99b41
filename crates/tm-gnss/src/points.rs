//! The measurements of one published position.

use tm_proto::nmea0183::{Epoch, FixMode};
use tm_types::{Point, PointName, Reading, Reason, Unit, Value};

const LATITUDE: Unit = Unit::known("lat");
const LONGITUDE: Unit = Unit::known("lon");
const METRE: Unit = Unit::known("m");
const METRE_PER_SECOND: Unit = Unit::known("m/s");
const DEGREE: Unit = Unit::known("deg");

/// Below this speed a course is noise, m/s (gnss receivers freeze it or leave it out).
const COURSE_FROM_MPS: f64 = 0.5;

/// The course over ground, where the receiver moves fast enough to have one.
pub(crate) fn course_deg(epoch: &Epoch) -> Option<f64> {
    epoch.course_deg.filter(|_| {
        epoch
            .speed_mps
            .is_some_and(|speed| speed >= COURSE_FROM_MPS)
    })
}

/// What an epoch says; `why` is the reason of a position that is not there.
pub(crate) fn points(epoch: &Epoch, why: Reason) -> Vec<Point> {
    let degrees = |e7: Option<i32>| e7.map(i64::from);
    let latitude = degrees(epoch.position.map(|position| position.latitude_e7));
    let longitude = degrees(epoch.position.map(|position| position.longitude_e7));
    // A 2D fix has no height, a standing receiver no course: that is no failure of the fix.
    let rest = if epoch.position.is_some() {
        Reason::NotPresent
    } else {
        why
    };
    vec![
        decimal("latitude", LATITUDE, latitude, 7, why),
        decimal("longitude", LONGITUDE, longitude, 7, why),
        decimal("altitude", METRE, rounded(epoch.altitude_m, 1), 1, rest),
        decimal(
            "speed",
            METRE_PER_SECOND,
            rounded(epoch.speed_mps, 2),
            2,
            rest,
        ),
        decimal("course", DEGREE, rounded(course_deg(epoch), 1), 1, rest),
        decimal("hdop", Unit::NONE, rounded(epoch.hdop, 1), 1, rest),
        decimal(
            "satellites",
            Unit::NONE,
            epoch.n_used.map(i64::from),
            0,
            rest,
        ),
        Point::state(name("mode"), mode(epoch.mode)),
    ]
}

/// Whether the cabinet is away from its place.
pub(crate) fn moved(is_moved: bool) -> Point {
    Point::state(name("moved"), is_moved)
}

/// The same measurements from a sky that is not believed: kept for the record, to be used with care.
pub(crate) fn doubted(mut points: Vec<Point>) -> Vec<Point> {
    for point in &mut points {
        if let Reading::Good(value) = &point.reading {
            point.reading = Reading::Uncertain(value.clone(), Reason::Implausible);
        }
    }
    points
}

fn decimal(quantity: &str, unit: Unit, units: Option<i64>, scale: u8, why: Reason) -> Point {
    let value = units
        .ok_or(why)
        .and_then(|units| Value::decimal(units, scale).map_err(|_| Reason::OutOfRange));
    let reading = value.map_or_else(Reading::Missing, Reading::Good);
    Point::gauge(name(quantity), unit, reading).with_scale(scale)
}

/// In units of `10^-scale`.
fn rounded(value: Option<f64>, scale: u8) -> Option<i64> {
    let units = (value? * 10f64.powi(scale.into())).round();
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a few digits; `as` saturates"
    )]
    units.is_finite().then_some(units as i64)
}

fn mode(mode: FixMode) -> Reading {
    let word = match mode {
        FixMode::None => "none",
        FixMode::TwoD => "2d",
        FixMode::ThreeD => "3d",
    };
    Value::text(word).map_or(Reading::Missing(Reason::Other), Reading::Good)
}

fn name(quantity: &str) -> PointName {
    PointName::new(quantity).expect("our own names are well formed")
}

#[cfg(test)]
mod tests {
    use tm_proto::nmea0183::Position;

    use super::*;

    fn json(epoch: &Epoch) -> impl Fn(&str) -> serde_json::Value + use<> {
        let points = serde_json::to_value(points(epoch, Reason::WarmingUp)).unwrap();
        move |name| {
            let points = points.as_array().unwrap();
            points
                .iter()
                .find(|point| point["name"] == name)
                .unwrap()
                .clone()
        }
    }

    #[test]
    fn a_position_keeps_every_digit() {
        let epoch = Epoch {
            mode: FixMode::ThreeD,
            position: Some(Position {
                latitude_e7: 504_501_001,
                longitude_e7: -305_234_000,
            }),
            altitude_m: Some(179.04),
            speed_mps: Some(0.2),
            course_deg: Some(84.4),
            hdop: Some(0.9),
            n_used: Some(11),
            ..Epoch::default()
        };
        let find = json(&epoch);
        assert_eq!(
            find("latitude").to_string(),
            r#"{"kind":"gauge","name":"latitude","quality":"good","reason":null,"scale":7,"unit":"lat","value":50.4501001}"#
        );
        assert_eq!(find("longitude")["value"], -30.5234);
        assert_eq!(find("altitude")["value"], 179);
        assert_eq!(find("course")["reason"], "not_present", "it stands");
        assert_eq!(find("satellites")["value"], 11);
        assert_eq!(find("mode")["value"], "3d");
    }

    #[test]
    fn a_sky_that_is_not_believed_makes_every_value_doubtful() {
        let epoch = Epoch {
            mode: FixMode::TwoD,
            position: Some(Position {
                latitude_e7: 504_501_001,
                longitude_e7: 305_234_000,
            }),
            ..Epoch::default()
        };
        let points = doubted(points(&epoch, Reason::WarmingUp));
        let json = serde_json::to_value(&points).unwrap();
        let latitude = &json[0];
        assert_eq!(
            (
                &latitude["value"],
                &latitude["quality"],
                &latitude["reason"]
            ),
            (
                &50.450_100_1.into(),
                &"uncertain".into(),
                &"implausible".into()
            )
        );
        for point in &points {
            let is_missing = point.reading.value().is_none();
            assert_ne!(point.reading.quality(), tm_types::Quality::Good);
            assert_eq!(
                is_missing,
                point.reading.reason() == Some(Reason::NotPresent)
            );
        }
    }

    #[test]
    fn what_is_missing_says_why() {
        let find = json(&Epoch::default());
        for quantity in ["latitude", "longitude", "altitude", "speed", "satellites"] {
            assert_eq!(find(quantity)["reason"], "warming_up", "{quantity}");
        }
        assert_eq!(find("mode")["value"], "none");
    }
}
