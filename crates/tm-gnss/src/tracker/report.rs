//! What is told: state and health; each only when it changes, the state not too often.

use std::time::Duration;

use tm_proto::nmea0183::{Epoch, FixMode as Heard, Position};
use tm_types::{
    Cause, Fix, FixMode, GnssPresence, GnssState, HealthStatus, Stamp, Timestamp, code,
};

use super::{Effect, sky};
use super::{Now, PATIENCE, STATE_PERIOD, Tracker};
use crate::antenna::Reception;
use crate::place::FenceWatch;
use crate::points::course_deg;

/// Half an epoch, so that jitter does not make six seconds of five.
const JITTER: Duration = Duration::from_millis(500);

/// The fix of an epoch that began to arrive at `stamp`.
pub(super) fn fix(epoch: &Epoch, stamp: Stamp) -> Fix {
    Fix {
        stamp,
        gnss_time: epoch.unix_ms().map(Timestamp::of_unix_ms),
        mode: mode(epoch.mode),
        latitude_deg: epoch.position.map(Position::latitude_deg),
        longitude_deg: epoch.position.map(Position::longitude_deg),
        altitude_m: epoch.altitude_m,
        speed_mps: epoch.speed_mps,
        course_deg: course_deg(epoch),
        hdop: epoch.hdop,
        satellites_used: epoch.n_used.map(u32::from),
    }
}

/// The mode in our words.
pub(super) fn mode(mode: Heard) -> FixMode {
    match mode {
        Heard::None => FixMode::None,
        Heard::TwoD => FixMode::TwoD,
        Heard::ThreeD => FixMode::ThreeD,
    }
}

impl Tracker {
    /// Tells what has changed.
    pub(super) fn publish(&mut self, now: Now) {
        let Some(presence) = self.presence else {
            return;
        };
        let cause = self.cause(presence);
        let health = self.judge(presence, &cause, now);
        if self.health.as_ref() != Some(&health) {
            self.effects
                .push(Effect::Health(health.0, health.1.clone()));
            self.health = Some(health);
        }
        let state = self.describe(presence, cause);
        let period = STATE_PERIOD.min(Duration::from_secs(self.config.publish_s.into()));
        let is_time = self
            .state_at
            .is_none_or(|at| now.instant + JITTER >= at + period);
        let is_news = self.state.as_ref().is_none_or(|last| is_turn(last, &state));
        if is_news || (is_time && self.state.as_ref() != Some(&state)) {
            self.effects.push(Effect::State(Box::new(state.clone())));
            (self.state, self.state_at) = (Some(state), Some(now.instant));
        }
    }

    fn cause(&self, presence: GnssPresence) -> Cause {
        if presence != GnssPresence::Present {
            return self.trouble.clone();
        }
        if let Some(suspicion) = self.watch.suspicion() {
            return suspicion.cause();
        }
        if self.reception == Reception::Jammed {
            return code::GNSS_JAMMING_SUSPECTED.plain();
        }
        match (&self.fix, self.mode) {
            (Some(fix), Heard::TwoD | Heard::ThreeD) => {
                let n_used = fix
                    .satellites_used
                    .map_or_else(|| "?".to_owned(), |n| n.to_string());
                code::GNSS_FIX.with("satellites", n_used)
            }
            _ => match self.reception {
                Reception::Deaf(minutes) => code::GNSS_ANTENNA_SUSPECT.with("minutes", minutes),
                Reception::Weak(n, best_dbhz) => code::GNSS_WEAK_SIGNALS
                    .with("satellites", n)
                    .and("level_dbhz", best_dbhz),
                Reception::Well | Reception::Jammed => {
                    code::GNSS_NO_FIX.with("satellites", sky::n_heard(&self.satellites))
                }
            },
        }
    }

    /// No position is weather, not a fault, until it has lasted.
    fn judge(&self, presence: GnssPresence, cause: &Cause, now: Now) -> (HealthStatus, Vec<Cause>) {
        let lasts = now.instant >= self.no_fix_since + PATIENCE;
        match presence {
            GnssPresence::NotConfigured => (HealthStatus::Up, vec![cause.clone()]),
            GnssPresence::Silent => (HealthStatus::Degraded, vec![cause.clone()]),
            GnssPresence::Present if self.watch.suspicion().is_some() => {
                (HealthStatus::Degraded, vec![cause.clone()])
            }
            GnssPresence::Present if self.reception == Reception::Jammed => {
                (HealthStatus::Degraded, vec![cause.clone()])
            }
            GnssPresence::Present if self.mode == Heard::None && lasts => {
                // Without the numbers, which change all the time.
                let heard = self
                    .health
                    .as_ref()
                    .and_then(|(_, reasons)| reasons.first());
                let reason = heard
                    .filter(|reason| reason.code == cause.code)
                    .unwrap_or(cause);
                (HealthStatus::Degraded, vec![reason.clone()])
            }
            GnssPresence::Present => (HealthStatus::Up, Vec::new()),
        }
    }

    fn describe(&self, presence: GnssPresence, cause: Cause) -> GnssState {
        let counters = self.epochs.counters();
        GnssState {
            presence,
            cause,
            source: self
                .source
                .clone()
                .filter(|_| presence != GnssPresence::NotConfigured),
            fix: self.fix.clone(),
            satellites: self.satellites.clone(),
            sentences_skipped: self.n_skipped + counters.n_corrupt + counters.n_overflows,
            suspicion: self
                .watch
                .suspicion()
                .map(|suspicion| suspicion.told.clone()),
            place: self.place(),
            inside_geofence: self.fence.as_ref().and_then(FenceWatch::is_inside),
        }
    }
}

/// Whether something turned that people wait for, rather than a digit.
fn is_turn(last: &GnssState, state: &GnssState) -> bool {
    let mode = |state: &GnssState| state.fix.as_ref().map(|fix| fix.mode);
    last.presence != state.presence
        || last.cause.code != state.cause.code
        || last.source != state.source
        || mode(last) != mode(state)
}
