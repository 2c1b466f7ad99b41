//! Follows what the cloud connection costs: what may go out, and how often.

use std::time::Duration;

use tm_service::Host;
use tm_service::session::Wire;
use tm_types::{BudgetState, BudgetStep, Cause, Severity};

use super::Uplink;
use crate::budget::{Budget, Costs, Growth};
use crate::config::Config;
use crate::keeper::Command;
use crate::schedule::{Allowed, Event};

/// With nothing new on the wire, the costs are looked at this often.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// So many bytes on the wire are a reason to look before: backlog would run past what is due.
const LOOK_BYTES: u64 = 16 * 1024;

/// What the cloud connection costs, and what follows from it.
pub(super) struct Spending {
    costs: Costs,
    pub(super) budget: Budget,
    pub(super) growth: Growth,
    /// As the scheduler was told last.
    allowed: Allowed,
    look_at: Duration,
    /// Whether gauges are thinned while a budget does not last, and whether they are now.
    may_thin: bool,
    is_thin: bool,
    /// What is to be told once somebody listens.
    news: Option<(Severity, Cause)>,
}

impl Spending {
    pub(super) fn new(config: &Config, host: &Host, wire: Wire) -> Self {
        let now = host.clock.mono();
        Self {
            costs: Costs::open(host, wire, config.billing_day),
            budget: Budget::new(config.budget_day_mib, config.budget_month_mib),
            growth: Growth::new(now),
            allowed: Allowed::EVERYTHING,
            look_at: now,
            may_thin: config.budget_thin,
            is_thin: false,
            news: None,
        }
    }

    /// Whether the services' states may go out.
    pub(super) fn allows_states(&self) -> bool {
        self.budget.step() == BudgetStep::Free
    }

    fn is_due(&self, now: Duration) -> bool {
        now >= self.look_at || self.costs.uncounted() >= LOOK_BYTES
    }
}

impl Uplink<'_> {
    /// Counts what went over the wire, and follows the budgets and the clock on the wall.
    pub(super) fn check_budget(&mut self, now: Duration) {
        if !self.spending.is_due(now) {
            return;
        }
        let spending = &mut self.spending;
        spending.look_at = now + LOOK_EVERY;
        spending.growth.on_time(now);
        let stamp = self.anchors.as_set(self.host.clock.stamp());
        let meter = spending.costs.look(stamp);
        let news = spending.budget.judge(meter, &stamp, now);
        spending.news = news.or(spending.news.take());
        let local_time = meter.local_time(&stamp);
        let is_low = spending.budget.step() >= BudgetStep::Thrifty;
        let allowed = spending.budget.allowed();
        if std::mem::replace(&mut spending.allowed, allowed) != allowed {
            self.schedule(Event::Allow(allowed));
        }
        let is_thin = is_low && self.spending.may_thin;
        if std::mem::replace(&mut self.spending.is_thin, is_thin) != is_thin {
            self.keeper.tell(Command::Sparse(is_thin));
        }
        if self.profiles.follow(local_time, is_low) {
            self.follow_profile(now);
        }
        if !self.ingest.was_up() {
            return;
        }
        if let Some((severity, cause)) = self.spending.news.take() {
            tracing::info!(code = cause.code, "the data budget is judged anew");
            self.bus.event(severity, cause);
            self.say_health();
            self.say_cloud_health();
            self.say_state();
        }
    }

    pub(super) fn budget_state(&self, now: Duration) -> BudgetState {
        let [day, month] = self.spending.budget.periods();
        let journal = &self.report.journal;
        let room = journal.quota_bytes.saturating_sub(journal.bytes_on_disk);
        BudgetState {
            step: self.spending.budget.step(),
            day: day.state(),
            month: month.state(),
            room_hours: self.spending.growth.hours_for(room, now),
            points_thinned: self.report.points_thinned,
        }
    }
}
