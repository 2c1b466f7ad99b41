//! A day or a month: what it has cost, what it will cost, and what that means for its budget.

use std::ops::Range;

use tm_types::{BudgetPeriod, BudgetStep, Timestamp};

/// What may be used at the beginning of a period already: this part of the budget. The rest comes evenly.
const HEAD_START: u64 = 24;
/// Percent of the budget that measurements may use; the rest is for alarms, events, results and health.
const FOR_MEASUREMENTS: u64 = 95;
const HOUR_MS: u128 = 3_600_000;

/// A period and its budget.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Period {
    /// Bytes, both directions together.
    pub(crate) used: u64,
    /// Bytes.
    pub(crate) limit: Option<u64>,
    /// When it began and ends; nothing until a time was believed.
    pub(crate) span: Option<Range<Timestamp>>,
    /// The present time, while it is believed.
    pub(crate) now: Option<Timestamp>,
}

impl Period {
    /// Length, and so much of it as bytes may have been used for by now, both in 1/24 ms.
    fn share(&self) -> Option<(u128, u128)> {
        let (span, now) = (self.span.as_ref()?, self.now?);
        let length = span.end.ms_since(span.start).max(1);
        let passed = now.ms_since(span.start).clamp(0, length);
        let (length, passed) = (length.unsigned_abs(), passed.unsigned_abs());
        let due = length + (HEAD_START - 1) * passed;
        Some(((length * HEAD_START).into(), due.into()))
    }

    /// Bytes at its end if it goes on like this; nothing while the time is not believed.
    pub(crate) fn forecast(&self) -> Option<u64> {
        let (length, due) = self.share()?;
        Some(narrow(u128::from(self.used) * length / due))
    }

    /// What may go out, after `from`: a step is left 20 % below where it is entered.
    pub(crate) fn step(&self, from: BudgetStep) -> BudgetStep {
        let Some(limit) = self.limit else {
            return BudgetStep::Free;
        };
        let usable = u128::from(limit) * u128::from(FOR_MEASUREMENTS) / 100;
        let is_over =
            |bytes: u64, percent: u64| u128::from(bytes) * 100 >= usable * u128::from(percent);
        if is_over(self.used, 100) {
            return BudgetStep::Spent;
        }
        let Some(forecast) = self.forecast() else {
            // Nobody knows how much of the period is left.
            return from;
        };
        let holds = |step: BudgetStep, percent: u64| {
            is_over(forecast, percent) || from >= step && is_over(forecast, percent - 20)
        };
        if holds(BudgetStep::Thrifty, 120) {
            BudgetStep::Thrifty
        } else if holds(BudgetStep::Lean, 100) {
            BudgetStep::Lean
        } else {
            BudgetStep::Free
        }
    }

    /// Hours that the rest of the budget lasts at this pace.
    fn lasts_hours(&self) -> Option<u64> {
        let rest = self.limit?.saturating_sub(self.used);
        let (_, due) = self.share()?;
        let used = u128::from(self.used).checked_mul(HOUR_MS * u128::from(HEAD_START))?;
        Some(narrow((u128::from(rest) * due).checked_div(used)?))
    }

    /// As it is told.
    pub(crate) fn state(&self) -> BudgetPeriod {
        BudgetPeriod {
            used_bytes: self.used,
            limit_bytes: self.limit,
            forecast_bytes: self.forecast(),
            lasts_hours: self.lasts_hours(),
            ends: self.span.as_ref().map(|span| span.end),
        }
    }
}

fn narrow(number: u128) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;

    /// A day with a budget of 1000 bytes, so many hours after midnight.
    fn day(used: u64, hours: i64) -> Period {
        let began = Timestamp::FLOOR;
        Period {
            used,
            limit: Some(1000),
            span: Some(began..began.plus_ms(24 * HOUR)),
            now: Some(began.plus_ms(hours * HOUR)),
        }
    }

    #[test]
    fn the_forecast_goes_by_what_was_due_by_now() {
        for (used, hours, forecast, lasts) in [
            (0, 0, 0, None),
            (0, 12, 0, None),
            // An hour's worth may be used at once.
            (41, 0, 984, Some(23)),
            (41, 1, 502, Some(45)),
            (500, 12, 960, Some(12)),
            (999, 24, 999, Some(0)),
            (1200, 24, 1200, Some(0)),
            // A clock before midnight, or beyond the next one.
            (41, -3, 984, Some(23)),
            (999, 30, 999, Some(0)),
        ] {
            let day = day(used, hours);
            assert_eq!(day.forecast(), Some(forecast), "{used} after {hours} h");
            assert_eq!(day.state().lasts_hours, lasts, "{used} after {hours} h");
        }
        let unknown = Period {
            now: None,
            ..day(500, 12)
        };
        assert_eq!(unknown.forecast(), None);
        assert_eq!(unknown.state().lasts_hours, None);
    }

    #[test]
    fn a_step_is_entered_by_the_forecast_and_left_20_percent_below() {
        use BudgetStep::{Free, Lean, Spent, Thrifty};
        for (forecast, from, expected) in [
            (99, Free, Free),
            (100, Free, Lean),
            (119, Free, Lean),
            (120, Free, Thrifty),
            (119, Lean, Lean),
            (80, Lean, Lean),
            (79, Lean, Free),
            (100, Thrifty, Thrifty),
            (99, Thrifty, Lean),
            (79, Thrifty, Free),
            // A new period after a spent one.
            (0, Spent, Free),
            (101, Spent, Thrifty),
        ] {
            // 95 % of 4.8 MB are for measurements; at noon 12.5/24 of that is due.
            let mut day = day(forecast * 23_750, 12);
            day.limit = Some(4_800_000);
            assert_eq!(day.step(from), expected, "{forecast} % from {from:?}");
        }
    }

    #[test]
    fn what_is_left_for_alarms_is_not_touched_by_measurements() {
        assert_eq!(day(949, 24).step(BudgetStep::Free), BudgetStep::Free);
        assert_eq!(day(950, 24).step(BudgetStep::Free), BudgetStep::Spent);
        let without = Period {
            limit: None,
            ..day(5000, 1)
        };
        assert_eq!(without.step(BudgetStep::Spent), BudgetStep::Free);
    }

    #[test]
    fn without_a_time_only_the_total_counts() {
        use BudgetStep::{Free, Spent, Thrifty};
        for (used, from, expected) in [
            (500, Free, Free),
            (500, Thrifty, Thrifty),
            (950, Free, Spent),
        ] {
            let day = Period {
                now: None,
                ..day(used, 1)
            };
            assert_eq!(day.step(from), expected);
        }
    }

    #[test]
    fn any_number_is_borne() {
        let mut day = day(u64::MAX, 0);
        day.limit = Some(u64::MAX);
        assert_eq!(day.forecast(), Some(u64::MAX));
        assert_eq!(day.step(BudgetStep::Free), BudgetStep::Spent);
        assert_eq!(day.state().lasts_hours, Some(0));
    }
}
