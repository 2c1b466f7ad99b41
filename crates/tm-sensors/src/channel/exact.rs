//! Calibration and resolution in decimals: what is published is the number that is meant, to the
//! last digit of a counter beyond 2^53.

use tm_types::{Decimal, Kind, Number, Point, Reading, Value};

use super::Rules;

/// Adds the calibration and rounds to the resolution; the point's places follow.
///
/// A value that its driver calls bad stays as it was read, and a state is not measured.
pub(super) fn adjust(rules: &Rules, point: &mut Point) {
    if point.kind == Kind::State || (rules.offset.is_none() && rules.resolution.is_none()) {
        return;
    }
    let offset = rules.offset.unwrap_or(Decimal::integer(0));
    point.scale = match rules.resolution {
        Some(step) => Some(step.scale()),
        None => point.scale.map(|scale| scale.max(offset.scale())),
    };
    if let Reading::Good(value) | Reading::Uncertain(value, _) = &mut point.reading
        && let Value::Number(number) = value
        && let Some(adjusted) = adjusted(*number, offset, rules.resolution)
    {
        *value = adjusted;
    }
}

/// `number + offset`, as a multiple of `step`; `None` when no number can hold it.
fn adjusted(number: Number, offset: Decimal, step: Option<Decimal>) -> Option<Value> {
    if let Number::Decimal(decimal) = number
        && let Some(value) = in_decimals(decimal, offset, step)
    {
        return Some(value);
    }
    // More digits than a decimal holds: the nearest float is left.
    let sum = number.to_f64() + offset.to_f64();
    step.and_then(|step| steps(sum, step))
        .or_else(|| Value::of_f64(sum).ok())
}

/// The sum, half a step rounded away from zero.
fn in_decimals(number: Decimal, offset: Decimal, step: Option<Decimal>) -> Option<Value> {
    let of_step = step.map_or(0, Decimal::scale);
    let mut scale = number.scale().max(offset.scale()).max(of_step);
    // 64 bits times 10^15 stay within 128 bits.
    let at = |decimal: Decimal| {
        i128::from(decimal.units()) * 10_i128.pow(u32::from(scale - decimal.scale()))
    };
    let mut units = at(number) + at(offset);
    if let Some(step) = step.map(at) {
        units = (units + step / 2 * units.signum()) / step * step;
    }
    while scale > 0 && units % 10 == 0 {
        units /= 10;
        scale -= 1;
    }
    Value::decimal(i64::try_from(units).ok()?, scale).ok()
}

/// The multiple of `step` nearest to a float, if its digits fit.
fn steps(sum: f64, step: Decimal) -> Option<Value> {
    // Adding zero takes the sign off a negative one.
    let n_steps = Decimal::of_f64((sum / step.to_f64()).round() + 0.0)?;
    Value::decimal(n_steps.units().checked_mul(step.units())?, step.scale()).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tm_types::{PointName, Reason, Unit};

    use super::*;

    fn decimal(units: i64, scale: u8) -> Decimal {
        Decimal::new(units, scale).unwrap()
    }

    fn adjust_to(
        kind: Kind,
        reading: Reading,
        offset: Option<Decimal>,
        resolution: Option<Decimal>,
    ) -> Point {
        let rules = Rules {
            offset,
            resolution,
            ..Rules::default()
        };
        let mut point = Point {
            kind,
            scale: Some(1),
            ..Point::gauge(PointName::new("p").unwrap(), Unit::NONE, reading)
        };
        adjust(&rules, &mut point);
        point
    }

    #[test]
    fn sums_and_steps_are_exact() {
        let big = 9_007_199_254_740_993;
        for (number, offset, step, expected) in [
            (decimal(215, 1), Some(decimal(-3, 1)), None, "21.2"),
            (decimal(1, 1), Some(decimal(2, 1)), None, "0.3"),
            // Beyond 2^53, where floats hold only every second number.
            (
                decimal(big, 0),
                Some(decimal(2, 0)),
                None,
                "9007199254740995",
            ),
            (
                decimal(big, 0),
                None,
                Some(decimal(1, 3)),
                "9007199254740993",
            ),
            (
                decimal(i64::MAX, 0),
                None,
                Some(decimal(1, 9)),
                "9223372036854775807",
            ),
            (decimal(1, 12), Some(decimal(1, 12)), None, "0.000000000002"),
            (decimal(2174, 2), None, Some(decimal(5, 1)), "21.5"),
            (decimal(2175, 2), None, Some(decimal(5, 1)), "22"),
            (decimal(-2175, 2), None, Some(decimal(5, 1)), "-22"),
            (decimal(-1, 1), None, Some(decimal(5, 1)), "0"),
            (decimal(1234, 0), None, Some(decimal(25, 0)), "1225"),
            (
                decimal(2149, 2),
                Some(decimal(26, 2)),
                Some(decimal(5, 1)),
                "22",
            ),
        ] {
            let reading = Reading::Good(Value::Number(Number::Decimal(number)));
            let point = adjust_to(Kind::Gauge, reading, offset, step);
            let got = point.reading.value().unwrap().to_string();
            assert_eq!(got, expected, "{number} {offset:?} {step:?}");
        }
    }

    #[test]
    fn the_places_of_a_point_follow() {
        let missing = || Reading::Missing(Reason::Timeout);
        for (offset, step, expected) in [
            (Some(decimal(-25, 2)), None, Some(2)),
            (Some(decimal(5, 0)), None, Some(1)),
            (None, Some(decimal(5, 3)), Some(3)),
            (Some(decimal(-25, 2)), Some(decimal(1, 0)), Some(0)),
        ] {
            let point = adjust_to(Kind::Gauge, missing(), offset, step);
            assert_eq!((point.scale, point.reading), (expected, missing()));
        }
    }

    #[test]
    fn only_what_was_measured_is_adjusted() {
        let value = || Value::decimal(850, 1).unwrap();
        let offset = Some(decimal(1, 0));
        let moved = Value::decimal(86, 0).unwrap();
        for (kind, reading, expected) in [
            (Kind::Counter, Reading::Good(value()), Some(moved.clone())),
            (
                Kind::Gauge,
                Reading::Uncertain(value(), Reason::Stale),
                Some(moved),
            ),
            (
                Kind::Gauge,
                Reading::Bad(value(), Reason::OutOfRange),
                Some(value()),
            ),
            (Kind::State, Reading::Good(value()), Some(value())),
            (Kind::Gauge, Reading::from(true), Some(Value::Bool(true))),
        ] {
            let reason = reading.reason();
            let point = adjust_to(kind, reading, offset, None);
            assert_eq!(point.reading.value(), expected.as_ref(), "{kind:?}");
            assert_eq!(point.reading.reason(), reason);
        }
    }

    #[test]
    fn floats_without_a_decimal_are_rounded_to_the_step() {
        let third = Reading::Good(Value::of_f64(1.0 / 3.0).unwrap());
        let point = adjust_to(Kind::Gauge, third.clone(), None, Some(decimal(1, 2)));
        assert_eq!(point.reading, Reading::Good(Value::decimal(33, 2).unwrap()));
        let point = adjust_to(Kind::Gauge, third, Some(decimal(1, 0)), None);
        assert_eq!(
            point.reading.value().unwrap().to_f64(),
            Some(1.0 / 3.0 + 1.0)
        );
    }

    proptest! {
        #[test]
        fn a_whole_offset_moves_any_counter_by_itself(total in i64::MIN / 2..i64::MAX / 2, offset in -1_000_000_i64..1_000_000) {
            let reading = Reading::from(total);
            let point = adjust_to(Kind::Counter, reading, Some(decimal(offset, 0)), None);
            prop_assert_eq!(point.reading, Reading::from(total + offset));
        }

        #[test]
        fn a_rounded_number_is_a_multiple_and_at_most_half_a_step_away(
            units in -1_000_000_000_i64..1_000_000_000, scale in 0_u8..6,
            step_units in 1_i64..10_000, step_scale in 0_u8..6,
        ) {
            let (number, step) = (decimal(units, scale), decimal(step_units, step_scale));
            let reading = Reading::Good(Value::Number(Number::Decimal(number)));
            let point = adjust_to(Kind::Gauge, reading, None, Some(step));
            let Some(Value::Number(Number::Decimal(rounded))) = point.reading.value() else {
                return Err(TestCaseError::fail("not a decimal"));
            };
            let at = |decimal: Decimal| i128::from(decimal.units_at(6).unwrap());
            prop_assert_eq!(at(*rounded) % at(step), 0);
            prop_assert!(2 * (at(*rounded) - at(number)).abs() <= at(step));
            prop_assert_eq!(point.scale, Some(step.scale()));
        }
    }
}
