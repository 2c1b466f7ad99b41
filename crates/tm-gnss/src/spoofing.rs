//! Whether the sky can be believed.
//!
//! A receiver cannot prove that its satellites are false, but it can show what no true sky does: position, time
//! and satellites jumping at once. One of them alone is an echo, a cold start, a new almanac or a first fix; two
//! within half a minute are a suspicion, and nothing is fed from the sky until it agrees again with what was
//! trusted before, or with NTP for long. A time that disagrees with NTP is enough, and so is, where there is no NTP, one
//! with which neither the mobile network nor the machine's clock chip agrees; without any of them, what was false from
//! the beginning cannot be noticed here.

mod look;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use tm_types::{Cause, Clock, SpoofingSuspicion, Stamp, code};

use crate::witness::Witness;

pub(crate) use look::Look;

use look::{Jumps, is_continuous, is_honest, is_near, is_same_time};

/// Jumps this close together are one event; a jump that stays alone for so long is a new truth.
const WINDOW_MS: u64 = 30_000;
/// The almanac with the leap seconds comes within 12.5 min, and the time may step by all of them then
/// (gpsd, timebase.c: "not trust time for 20 minutes").
const LEAP_MS: u64 = 1_200_000;
/// So long the sky must agree with what was trusted before it is trusted again.
const RETURN_MS: u64 = 60_000;
/// So long a sky elsewhere must be steady and agree with a witness before it is trusted.
const SETTLE_MS: u64 = 1_800_000;
/// So long a time must disagree with the witnesses before it is a suspicion by itself.
const DISAGREEMENT_MS: u64 = 30_000;

/// What a fix changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Turn {
    /// Nothing.
    None,
    /// The sky is suspected from now on.
    Suspected,
    /// The sky is trusted again.
    Over,
}

/// A suspicion with what it is measured against; kept in the store, because a restart does not make a sky true.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Suspicion {
    /// What is told of it.
    pub(crate) told: SpoofingSuspicion,
    trusted: Look,
    #[serde(skip)]
    last: Option<Look>,
    #[serde(skip)]
    back_since_ms: Option<u64>,
    #[serde(skip)]
    settled_since_ms: Option<u64>,
}

/// Watches fix after fix.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    trusted: Option<Look>,
    alone_since_ms: Option<u64>,
    fix_since_ms: Option<u64>,
    disagrees_since_ms: Option<u64>,
    suspicion: Option<Suspicion>,
}

impl Watch {
    /// A watch that goes on with the suspicion of an earlier run.
    pub(crate) fn new(suspicion: Option<Suspicion>) -> Self {
        Self {
            suspicion,
            ..Self::default()
        }
    }

    /// The present suspicion.
    pub(crate) fn suspicion(&self) -> Option<&Suspicion> {
        self.suspicion.as_ref()
    }

    /// The fix is lost: whatever was steady is not any more.
    pub(crate) fn on_no_fix(&mut self) {
        self.fix_since_ms = None;
        self.alone_since_ms = None;
        self.disagrees_since_ms = None;
        if let Some(suspicion) = &mut self.suspicion {
            (suspicion.back_since_ms, suspicion.settled_since_ms) = (None, None);
            suspicion.last = None;
        }
    }

    /// Another receiver is listened to: it may stand elsewhere and hear others.
    pub(crate) fn on_other_receiver(&mut self) {
        self.on_no_fix();
        self.trusted = None;
    }

    /// A fix that arrived at `stamp`, and who knew the time then.
    pub(crate) fn on_fix(&mut self, look: Look, stamp: &Stamp, witnesses: &[Witness]) -> Turn {
        let fix_since_ms = *self.fix_since_ms.get_or_insert(look.mono_ms);
        if let Some(suspicion) = &mut self.suspicion {
            if !suspicion.is_over(&look, witnesses) {
                return Turn::None;
            }
            self.suspicion = None;
            self.trusted = Some(look);
            return Turn::Over;
        }
        let may_leap = look.mono_ms.saturating_sub(fix_since_ms) <= LEAP_MS;
        if let Some(suspicion) = self.doubt(&look, stamp, witnesses, may_leap) {
            self.suspicion = Some(suspicion);
            self.on_no_fix();
            return Turn::Suspected;
        }
        let Some(trusted) = self.trusted.as_ref().filter(|t| t.boot == look.boot) else {
            self.trusted = Some(look);
            return Turn::None;
        };
        let jumps = Jumps::between(trusted, &look, may_leap);
        match jumps.n() {
            0 => self.accept(look),
            1 => {
                let since_ms = *self.alone_since_ms.get_or_insert(look.mono_ms);
                if look.mono_ms.saturating_sub(since_ms) >= WINDOW_MS {
                    self.accept(look);
                }
            }
            _ => {
                self.suspicion = Some(Suspicion {
                    told: jumps.told(trusted, stamp),
                    trusted: trusted.clone(),
                    last: Some(look),
                    back_since_ms: None,
                    settled_since_ms: None,
                });
                self.alone_since_ms = None;
                return Turn::Suspected;
            }
        }
        Turn::None
    }

    /// The suspicion when the time has disagreed with every witness for long enough.
    fn doubt(
        &mut self,
        look: &Look,
        stamp: &Stamp,
        witnesses: &[Witness],
        may_leap: bool,
    ) -> Option<Suspicion> {
        let off_ms = |witness: &Witness| look.disagreement_ms(witness, may_leap);
        let witness = witnesses.first()?;
        let (Some(off_ms), true) = (
            off_ms(witness),
            witnesses.iter().all(|w| off_ms(w).is_some()),
        ) else {
            self.disagrees_since_ms = None;
            return None;
        };
        let since_ms = *self.disagrees_since_ms.get_or_insert(look.mono_ms);
        if look.mono_ms.saturating_sub(since_ms) < DISAGREEMENT_MS {
            return None;
        }
        let place = self.trusted.as_ref().filter(|t| t.boot == look.boot);
        // Only NTP knows the time well enough to tell by the monotonic clock when the true one is back.
        let utc_ms = (witness.clock == Clock::Ntp).then_some(witness.utc_ms);
        let trusted = place.unwrap_or(look).at(look.mono_ms, utc_ms);
        let told = SpoofingSuspicion {
            witness: Some(witness.clock),
            ..Jumps::of_time(off_ms).told(&trusted, stamp)
        };
        Some(Suspicion {
            told,
            trusted,
            last: Some(look.clone()),
            back_since_ms: None,
            settled_since_ms: None,
        })
    }

    fn accept(&mut self, look: Look) {
        self.trusted = Some(look);
        self.alone_since_ms = None;
    }
}

impl Suspicion {
    /// What jumped, and by how much, as a cause.
    pub(crate) fn cause(&self) -> Cause {
        let told = &self.told;
        let distance_km = told.distance_m.map_or_else(
            || "0".to_owned(),
            |metres| format!("{:.1}", metres / 1000.0),
        );
        let time_s = told.time_ms.map_or_else(
            || "0".to_owned(),
            |ms| format!("{:+}", (ms + ms.signum() * 500) / 1000),
        );
        code::GNSS_SPOOFING_SUSPECTED
            .with("distance_km", distance_km)
            .and("time_s", time_s)
            .and("satellites", told.satellites.unwrap_or(0))
    }

    fn is_over(&mut self, look: &Look, witnesses: &[Witness]) -> bool {
        if self.trusted.boot != look.boot {
            // The monotonic clock began anew: of what was trusted only the place is left.
            self.trusted.boot = look.boot;
            self.trusted.mono_ms = look.mono_ms;
            self.trusted.offset_ms = None;
        }
        // Who only knows the time roughly ends no more than what somebody like that began.
        let may_tell = |witness: &&Witness| {
            witness.clock == Clock::Ntp || self.told.witness.is_some_and(|told| told != Clock::Ntp)
        };
        let may_tell: Vec<&Witness> = witnesses.iter().filter(may_tell).collect();
        let agrees = (!may_tell.is_empty()).then(|| may_tell.iter().any(|w| look.agrees_with(w)));
        let is_same_time = match self.trusted.offset_ms {
            Some(_) => is_same_time(&self.trusted, look),
            None => look.offset_ms.is_some() && agrees.unwrap_or(self.told.witness.is_none()),
        };
        let is_honest = is_honest(&self.trusted, look);
        let is_back =
            is_honest && is_same_time && is_near(&self.trusted, look, self.told.distance_m);
        let is_steady = self
            .last
            .as_ref()
            .is_some_and(|last| is_continuous(last, look));
        let is_settled = is_honest && is_steady && agrees == Some(true);
        self.last = Some(look.clone());
        let lasts = |since: &mut Option<u64>, holds: bool, for_ms: u64| {
            if !holds {
                *since = None;
                return false;
            }
            let since_ms = *since.get_or_insert(look.mono_ms);
            look.mono_ms.saturating_sub(since_ms) >= for_ms
        };
        // Both are judged at every fix.
        let has_returned = lasts(&mut self.back_since_ms, is_back, RETURN_MS);
        let has_settled = lasts(&mut self.settled_since_ms, is_settled, SETTLE_MS);
        has_returned || has_settled
    }
}
