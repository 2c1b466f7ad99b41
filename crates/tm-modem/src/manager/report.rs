//! What is told: state, health; each only when it changes.

use tm_types::{Cause, Modem, ModemPresence, ModemState, Signal};

use super::{Effect, Manager, Now};
use crate::SLOT;
use crate::situation::{self, PATIENCE};

impl Manager {
    /// Tells what has changed.
    pub(super) fn publish(&mut self, now: Now) {
        let Some(presence) = self.presence else {
            return;
        };
        let is_present = presence == ModemPresence::Present;
        // A modem that has just come is told once it was read.
        if is_present && !self.is_read {
            return;
        }
        let cause = if is_present {
            situation::cause(&self.known, &self.sight)
        } else {
            self.trouble.clone()
        };
        if is_present && !situation::may_pass(&cause) {
            self.waiting_since = None;
        } else if is_present {
            self.waiting_since.get_or_insert(now.instant);
        }
        let is_overdue = self
            .waiting_since
            .is_some_and(|since| now.instant >= since + PATIENCE);
        let health = situation::health(&cause, is_overdue, self.config.expected, self.seen);
        if self.health.as_ref() != Some(&health) {
            self.effects
                .push(Effect::Health(health.0, health.1.clone()));
            self.health = Some(health);
        }
        let state = self.describe(presence, cause);
        if self
            .state
            .as_ref()
            .is_none_or(|last| !is_same(last, &state))
        {
            self.effects.push(Effect::State(Box::new(state.clone())));
            self.state = Some(state);
        }
    }

    fn describe(&self, presence: ModemPresence, cause: Cause) -> ModemState {
        let known = self.known.clone();
        let levels = known.levels;
        let is_registered = known.is_registered();
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a temperature; `as` saturates"
        )]
        let temperature_cel = levels
            .temperature
            .ok()
            .map(|celsius| celsius.round() as i32);
        let modem = Modem {
            id: SLOT.to_owned(),
            presence,
            cause,
            port: self.port.clone(),
            stamp: self.stamp,
            identity: known.identity,
            sim: known.sim,
            registration: known.registration,
            signal: Signal {
                rssi_dbm: levels.rssi.ok().map(f64::from),
                rsrp_dbm: levels.rsrp.ok(),
                rsrq_db: levels.rsrq.ok(),
                sinr_db: levels.sinr.ok(),
            },
            cell: known.cell.filter(|_| is_registered),
            temperature_cel,
            supply_v: levels.supply.ok(),
            data: known.data.describe(),
            backend: None,
            radio_on: known.radio_on,
            network_time: None,
            gnss: None,
            usage: None,
            balance: None,
            messages: None,
            recovery: None,
        };
        ModemState {
            modems: vec![modem],
        }
    }
}

/// Whether two states say the same, whenever it was read.
fn is_same(last: &ModemState, state: &ModemState) -> bool {
    let mut last = last.clone();
    for (old, new) in last.modems.iter_mut().zip(&state.modems) {
        old.stamp = new.stamp;
    }
    last == *state
}
