//! The measurements of one poll.

use tm_types::{Point, PointName, Reading, Reason, RegistrationStatus, Unit, Value};

use crate::SLOT;
use crate::knowledge::{Knowledge, Level};

const DBM: Unit = Unit::known("dBm");
const DB: Unit = Unit::known("dB");
const CELSIUS: Unit = Unit::known("Cel");
const VOLT: Unit = Unit::known("V");

/// What was read, and for what was not, why.
pub(crate) fn points(known: &Knowledge) -> Vec<Point> {
    let levels = &known.levels;
    vec![
        Point::gauge(name("rssi"), DBM, of(levels.rssi.map(f64::from), 0)).with_scale(0),
        Point::gauge(name("rsrp"), DBM, of(levels.rsrp, 1)).with_scale(1),
        Point::gauge(name("rsrq"), DB, of(levels.rsrq, 1)).with_scale(1),
        Point::gauge(name("sinr"), DB, of(levels.sinr, 0)).with_scale(0),
        Point::gauge(name("temperature"), CELSIUS, of(levels.temperature, 0)).with_scale(0),
        Point::gauge(name("supply"), VOLT, of(levels.supply, 3)).with_scale(3),
        Point::state(
            name("cell"),
            levels.cell.map_or_else(Reading::Missing, Reading::from),
        ),
        Point::state(name("registration"), registration(known)),
    ]
}

fn name(quantity: &str) -> PointName {
    PointName::new(&format!("{SLOT}/{quantity}")).expect("our own names are well formed")
}

/// On the decimal places the modem prints, so that a tenth of -892 is -89.2 and not a neighbour of it.
fn of(level: Level, scale: u8) -> Reading {
    let value = level.and_then(|level| {
        let rounded = (level * 10f64.powi(scale.into())).round();
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a level has a few digits; `as` saturates"
        )]
        let units = rounded as i64;
        Value::decimal(units, scale).map_err(|_| Reason::OutOfRange)
    });
    value.map_or_else(Reading::Missing, Reading::Good)
}

fn registration(known: &Knowledge) -> Reading {
    let word = match known.registration.status {
        RegistrationStatus::Unknown => return Reading::Missing(Reason::NotPresent),
        RegistrationStatus::Idle => "idle",
        RegistrationStatus::Searching => "searching",
        RegistrationStatus::Denied => "denied",
        RegistrationStatus::Home => "home",
        RegistrationStatus::Roaming => "roaming",
        RegistrationStatus::EmergencyOnly => "emergency_only",
    };
    Value::text(word).map_or(Reading::Missing(Reason::Other), Reading::Good)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_poll_in_json() {
        let mut known = Knowledge::new();
        known.levels.rsrp = Ok(-89.2);
        known.levels.supply = Ok(3.891);
        known.levels.cell = Ok(22_274_571);
        known.levels.temperature = Err(Reason::Timeout);
        let json = serde_json::to_value(points(&known)).unwrap();
        let find = |name: &str| {
            json.as_array()
                .unwrap()
                .iter()
                .find(|point| point["name"] == name)
                .unwrap()
                .clone()
        };
        assert_eq!(
            find("1/rsrp").to_string(),
            r#"{"kind":"gauge","name":"1/rsrp","quality":"good","reason":null,"scale":1,"unit":"dBm","value":-89.2}"#
        );
        assert_eq!(find("1/supply")["value"], 3.891);
        assert_eq!(find("1/cell")["value"], 22_274_571);
        assert_eq!(find("1/temperature")["reason"], "timeout");
        assert_eq!(find("1/rssi")["reason"], "not_present");
    }
}
