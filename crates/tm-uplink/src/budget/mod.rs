//! What may still go out for the bytes that were used, by day and by billing month.
//!
//! `Costs` counts, `Period` tells what a budget means for the present moment, and [`Budget`] decides: no clock, no
//! socket, no disk. The rules stand in `docs/uplink.md`.

mod costs;
mod growth;
mod period;
#[cfg(test)]
mod tests;

use std::time::Duration;

use tm_service::metering::Meter;
use tm_types::{BudgetStep, Cause, Severity, Stamp, code};

pub(crate) use costs::Costs;
pub(crate) use growth::Growth;

use crate::schedule::Allowed;
use period::Period;

/// For so long a clock that is not believed changes nothing; after that nothing is held, for nobody can tell when a
/// period ends.
const WITHOUT_TIME: Duration = Duration::from_hours(6);
/// With a budget, backlog goes out one message after the other: a window of them would overshoot what is due.
const BACKLOG_WINDOW: usize = 1;

/// How it is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Level {
    #[default]
    Lasts,
    Low,
    Spent,
}

impl Level {
    fn of(step: BudgetStep) -> Self {
        match step {
            BudgetStep::Free | BudgetStep::Lean => Self::Lasts,
            BudgetStep::Thrifty => Self::Low,
            BudgetStep::Spent => Self::Spent,
        }
    }
}

/// Judges the day and the month.
#[derive(Debug, Default)]
pub(crate) struct Budget {
    limits: [Option<u64>; 2],
    /// The day's and the month's.
    steps: [BudgetStep; 2],
    periods: [Period; 2],
    /// Since when no time is believed.
    untimed_since: Option<Duration>,
    level: Level,
    /// Why it is not as it should be, in the figures of when that began.
    trouble: Option<Cause>,
}

impl Budget {
    /// Budgets in MiB of a day and of a month; none or zero for no limit.
    pub(crate) fn new(day_mib: Option<u32>, month_mib: Option<u32>) -> Self {
        let limit = |mib: Option<u32>| mib.filter(|mib| *mib > 0).map(|mib| u64::from(mib) << 20);
        Self {
            limits: [limit(day_mib), limit(month_mib)],
            ..Self::default()
        }
    }

    /// Takes in what was used; what is to be told of it, if that is another thing than before.
    pub(crate) fn judge(
        &mut self,
        meter: &Meter,
        stamp: &Stamp,
        now: Duration,
    ) -> Option<(Severity, Cause)> {
        self.periods = costs::periods(meter, stamp, self.limits);
        let is_untimed = !meter.believes(stamp);
        self.untimed_since = is_untimed.then(|| self.untimed_since.unwrap_or(now));
        let since = self.untimed_since.unwrap_or(now);
        let is_endless = now.saturating_sub(since) >= WITHOUT_TIME;
        for (step, period) in self.steps.iter_mut().zip(&self.periods) {
            *step = if is_endless {
                BudgetStep::Free
            } else {
                period.step(*step)
            };
        }
        let level = Level::of(self.step());
        if std::mem::replace(&mut self.level, level) == level {
            return None;
        }
        self.trouble = self.explain();
        Some(match &self.trouble {
            Some(cause) => (Severity::Warning, cause.clone()),
            None => (Severity::Info, code::UPLINK_BUDGET_LASTS.plain()),
        })
    }

    /// What may go out.
    pub(crate) fn step(&self) -> BudgetStep {
        self.steps[0].max(self.steps[1])
    }

    /// What that means for the journal's data.
    pub(crate) fn allowed(&self) -> Allowed {
        let step = self.step();
        let is_limited = self.limits.iter().any(Option::is_some);
        Allowed {
            live: step != BudgetStep::Spent,
            backlog: match step {
                BudgetStep::Free if is_limited => BACKLOG_WINDOW,
                BudgetStep::Free => usize::MAX,
                _ => 0,
            },
        }
    }

    /// Why a budget does not last or is used up, if so, in the figures of when that began.
    pub(crate) fn trouble(&self) -> Option<&Cause> {
        self.trouble.as_ref()
    }

    fn explain(&self) -> Option<Cause> {
        let code = match self.level {
            Level::Lasts => return None,
            Level::Low => code::UPLINK_BUDGET_LOW,
            Level::Spent => code::UPLINK_BUDGET_SPENT,
        };
        // Of two that are as bad, the month lasts longer.
        let at = usize::from(self.steps[1] >= self.steps[0]);
        let period = &self.periods[at];
        let cause = code
            .with("period", ["day", "month"][at])
            .and("used", mib(period.used))
            .and("limit", mib(period.limit.unwrap_or_default()));
        Some(cause.and("forecast", mib(period.forecast().unwrap_or(period.used))))
    }

    /// The day and the month.
    pub(crate) fn periods(&self) -> &[Period; 2] {
        &self.periods
    }
}

/// With one decimal.
fn mib(bytes: u64) -> String {
    let tenths = u128::from(bytes) * 10 / (1 << 20);
    format!("{}.{}", tenths / 10, tenths % 10)
}
