//! What the uplink itself is asked for.

use std::time::Duration;

use serde_json::json;
use tm_service::bus::Request;
use tm_types::{BudgetStep, code};

use super::{PROFILE, Uplink};
use crate::schedule::Event;

/// Another profile, and what was collected at once.
pub(crate) const OPERATIONS: &[&str] = &["profile", "flush"];

impl Uplink<'_> {
    pub(super) fn on_request(&mut self, request: &Request) {
        let now = self.host.clock.mono();
        if request.op == "flush" {
            let is_connected = self.cloud.is_up();
            self.schedule(Event::Flush);
            let is_held = self.spending.budget.step() == BudgetStep::Spent;
            let result = json!({"is_connected": is_connected, "is_held": is_held});
            return self.bus.succeed(&request.id, result);
        }
        match self.profiles.choose(&request.args, now) {
            Ok(result) => {
                self.host.store.save(PROFILE, &self.profiles.kept());
                self.follow_profile(now);
                self.bus.succeed(&request.id, result);
            }
            Err(detail) => {
                let cause = code::OPERATION_BAD_ARGUMENTS.with("detail", detail);
                self.bus.fail(&request.id, &cause);
            }
        }
    }

    /// Goes back to the configured profile when the chosen one's time is over.
    pub(super) fn check_profile(&mut self, now: Duration) {
        if self.profiles.on_time(now) {
            self.follow_profile(now);
        }
    }

    pub(super) fn follow_profile(&mut self, now: Duration) {
        let paces = self.profiles.paces();
        self.states.send_every(paces.states, now);
        self.schedule(Event::Batch(paces.batch));
        self.say_state();
    }
}
