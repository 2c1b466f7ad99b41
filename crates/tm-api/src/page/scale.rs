//! The scale of a chart: round numbers, and never so fine that noise looks like an event.

use super::figure::fixed;

/// A vertical scale from `low` to `high` with a mark every `step`.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Scale {
    pub(super) low: f64,
    pub(super) high: f64,
    step: f64,
}

impl Scale {
    /// A scale that holds two values, at least `span` long, with about `lines` marks.
    pub(super) fn new(low: f64, high: f64, span: f64, lines: u32) -> Self {
        // Halves first: the sum of two huge values is none.
        let middle = low / 2.0 + high / 2.0;
        let half = (high / 2.0 - low / 2.0)
            .max(span / 2.0)
            .max(f64::MIN_POSITIVE);
        let (mut from, mut to) = (middle - half, middle + half);
        // What was never negative does not look as if it could be.
        if low >= 0.0 && from < 0.0 {
            (from, to) = (0.0, to - from);
        }
        let step = round_step((to / f64::from(lines)) - (from / f64::from(lines)));
        let (low, high) = ((from / step).floor() * step, (to / step).ceil() * step);
        let scale = Self { low, high, step };
        let is_sound =
            low.is_finite() && high.is_finite() && low < high && scale.marks().count() > 1;
        if is_sound {
            scale
        } else {
            Self {
                low: from.max(f64::MIN / 4.0),
                high: to.min(f64::MAX / 4.0),
                step: f64::INFINITY,
            }
        }
    }

    /// Places of the marks, from below; few by construction.
    pub(super) fn marks(self) -> impl Iterator<Item = f64> {
        let count = (0..12u32).take_while(move |n| {
            self.low + f64::from(*n) * self.step <= self.high + self.step / 100.0
        });
        count.map(move |n| match n {
            0 => self.low,
            n => self.low + f64::from(n) * self.step,
        })
    }

    /// The text of a mark.
    pub(super) fn text(self, mark: f64) -> String {
        if mark.abs() >= 1e7 {
            return format!("{mark:.1e}").replace('-', "−");
        }
        let decimals = (0..6u8).find(|decimals| {
            let shifted = self.step * 10f64.powi((*decimals).into());
            !shifted.is_finite() || (shifted - shifted.round()).abs() < 1e-6 * shifted
        });
        fixed(mark, decimals.unwrap_or(6).into())
    }

    /// How far up a value is: 0 at the bottom, `height` at the top.
    #[expect(clippy::cast_possible_truncation, reason = "held between 0 and height")]
    pub(super) fn up(self, value: f64, height: i32) -> i32 {
        let share = (value - self.low) / (self.high - self.low);
        (share * f64::from(height))
            .round()
            .clamp(0.0, f64::from(height)) as i32
    }
}

/// The next of 1, 2, 2.5, 5, 10 … that is not smaller.
fn round_step(step: f64) -> f64 {
    let power = 10f64.powf(step.log10().floor());
    let nice = [1.0, 2.0, 2.5, 5.0]
        .into_iter()
        .find(|nice| step <= nice * power * 1.000_001);
    nice.unwrap_or(10.0) * power
}

/// The shortest span worth a whole scale: below it a change is noise to who looks at a cabinet.
pub(super) fn least_span(unit: &str, value: f64) -> f64 {
    let share = |share: f64| (value.abs() * share).max(1e-3);
    match unit {
        "Cel" => 4.0,
        "%RH" | "%" | "dB" => 10.0,
        "dBm" => 20.0,
        "lat" | "lon" => 0.001,
        "Pa" | "hPa" => share(0.005),
        _ => share(0.08),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(low: f64, high: f64, span: f64, expected: &[&str]) {
        let scale = Scale::new(low, high, span, 3);
        let marks: Vec<String> = scale.marks().map(|mark| scale.text(mark)).collect();
        assert_eq!(marks, expected, "{low} to {high}");
    }

    #[test]
    fn marks_are_round_and_few() {
        check(20.1, 22.3, 4.0, &["18", "20", "22", "24"]);
        check(-103.0, -91.0, 20.0, &["−110", "−100", "−90", "−80"]);
        check(0.0, 0.3, 0.001, &["0.0", "0.1", "0.2", "0.3"]);
        check(3.871, 3.88, 0.31, &["3.6", "3.8", "4.0", "4.2"]);
        check(0.0, 0.0, 0.001, &["0.0000", "0.0005", "0.0010"]);
        check(230.0, 230.0, 18.4, &["220", "230", "240"]);
        check(3.0, 4.0, 10.0, &["0", "5", "10"]);
        check(2e9, 5e9, 1.0, &["2.0e9", "3.0e9", "4.0e9", "5.0e9"]);
        check(-2.0, 2.0, 1.0, &["−2", "0", "2"]);
    }

    #[test]
    fn a_value_has_its_place() {
        let scale = Scale::new(0.0, 30.0, 1.0, 3);
        for (value, expected) in [(0.0, 0), (15.0, 50), (30.0, 100), (-5.0, 0), (99.0, 100)] {
            assert_eq!(scale.up(value, 100), expected, "{value}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_two_numbers_have_a_scale(a: f64, b: f64, span in 0.0..1e9f64) {
            proptest::prop_assume!(a.is_finite() && b.is_finite());
            let (low, high) = (a.min(b), a.max(b));
            let scale = Scale::new(low, high, span, 3);
            proptest::prop_assert!(scale.low < scale.high, "{scale:?}");
            proptest::prop_assert!(scale.marks().count() <= 12);
            for value in [low, high] {
                proptest::prop_assert!((0..=400).contains(&scale.up(value, 400)));
                proptest::prop_assert!(!scale.text(value).is_empty());
            }
        }
    }
}
