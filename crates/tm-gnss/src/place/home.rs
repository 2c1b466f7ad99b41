//! Where the cabinet is at home, and whether it was carried away from there.

use serde::{Deserialize, Serialize};

use super::average::{Average, Estimate, Spot};
use super::fence::KeptSide;
use super::looks::Looks;

/// A place counts as home after standing there for this long.
const HOME_AFTER_H: f64 = 0.25;
/// A cabinet that stood elsewhere for this long is at home there.
const SETTLED_AFTER_H: f64 = 24.0;
/// How many of its own standard deviations a fix must lie outside.
const SIGMAS: f64 = 3.0;

/// How much farther than what counts as movement: reflections in a town reach 60 m and last for minutes.
const MARGIN: f64 = 1.5;
/// The same for being back.
const BACK_WITHIN: f64 = 0.5;

/// What is kept over a restart: an hour is written when it is finished.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Kept {
    home: Average,
    /// Where it stands while it is away from home.
    elsewhere: Option<Average>,
    /// On which side of the geofence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) side: Option<KeptSide>,
}

/// What a fix showed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum News {
    /// The cabinet is away from home, by so many metres.
    Moved(f64),
    /// It is back.
    Back,
    /// It stood elsewhere for a day: that is its home from now on.
    Settled,
}

/// Watches the place.
#[derive(Debug, Default)]
pub(crate) struct Home {
    kept: Kept,
    away: Looks,
    wandering: Looks,
    /// The last looks from elsewhere were at home.
    is_returning: bool,
    is_unsaved: bool,
}

impl Home {
    pub(crate) fn new(mut kept: Kept) -> Self {
        kept.home.draw();
        if let Some(elsewhere) = &mut kept.elsewhere {
            elsewhere.draw();
        }
        Self {
            kept,
            ..Self::default()
        }
    }

    /// Takes in a fix that is trusted, with the receiver's error (one sigma, m); `move_m` is what counts as movement.
    pub(crate) fn take(
        &mut self,
        mono_ms: u64,
        spot: Spot,
        error_m: f64,
        move_m: f64,
    ) -> Option<News> {
        let standing = self.standing();
        if let Some(around) = standing.estimate() {
            let is_off = is_off(around, spot, error_m, move_m);
            if self.wandering.take(mono_ms, is_off) == Some(true) && !self.is_home_now() {
                // Nobody's home yet, or still on the way: the average begins where it stands now.
                *self.standing_mut() = Average::default();
                self.wandering.clear();
            }
        }
        let mut news = None;
        if let Some(home) = self.home() {
            // Half way back is not back.
            let share = if self.is_moved() { BACK_WITHIN } else { MARGIN };
            let is_away = is_beyond(home, spot, error_m, share * move_m);
            match (self.away.take(mono_ms, is_away), self.is_moved()) {
                (Some(true), false) => {
                    self.kept.elsewhere = Some(Average::default());
                    self.wandering.clear();
                    self.is_unsaved = true;
                    news = Some(News::Moved(spot.from(home.spot).distance_m()));
                }
                (Some(true), true) => self.is_returning = false,
                // Twice over: one long reflection may show the way home.
                (Some(false), true) if !std::mem::replace(&mut self.is_returning, true) => {
                    self.away.clear();
                }
                (Some(false), true) => {
                    self.kept.elsewhere = None;
                    self.is_returning = false;
                    self.is_unsaved = true;
                    news = Some(News::Back);
                }
                _ => {}
            }
            // A fix that is off does not belong to the place, unless the place is what is wrong.
            if !self.is_moved() && is_off(home, spot, error_m, move_m) {
                return news;
            }
        }
        self.is_unsaved |= self.standing_mut().take(mono_ms, spot, error_m);
        if self
            .kept
            .elsewhere
            .as_ref()
            .is_some_and(|elsewhere| elsewhere.hours() >= SETTLED_AFTER_H)
        {
            self.kept.home = self.kept.elsewhere.take().unwrap_or_default();
            self.away.clear();
            news = Some(News::Settled);
        }
        news
    }

    /// Nothing that was seen lately is to be believed: the place stays as it is.
    pub(crate) fn doubt(&mut self) {
        self.away.clear();
        self.wandering.clear();
    }

    /// What is known of the place where it stands.
    pub(crate) fn estimate(&self) -> Option<Estimate> {
        self.standing().estimate()
    }

    /// Whether it is away from home; unknown while there is none.
    pub(crate) fn moved(&self) -> Option<bool> {
        self.home().map(|_| self.is_moved())
    }

    /// The side of the geofence, to be kept with the rest.
    pub(crate) fn keep_side(&mut self, side: Option<KeptSide>) {
        self.kept.side = side;
        self.is_unsaved = true;
    }

    /// What is to be kept, when it changed since this was asked last.
    pub(crate) fn take_unsaved(&mut self) -> Option<Kept> {
        std::mem::take(&mut self.is_unsaved).then(|| self.kept.clone())
    }

    fn is_moved(&self) -> bool {
        self.kept.elsewhere.is_some()
    }

    fn is_home_now(&self) -> bool {
        !self.is_moved() && self.home().is_some()
    }

    fn home(&self) -> Option<Estimate> {
        self.kept
            .home
            .estimate()
            .filter(|home| home.hours >= HOME_AFTER_H)
    }

    fn standing(&self) -> &Average {
        self.kept.elsewhere.as_ref().unwrap_or(&self.kept.home)
    }

    fn standing_mut(&mut self) -> &mut Average {
        self.kept.elsewhere.as_mut().unwrap_or(&mut self.kept.home)
    }
}

/// Whether a fix does not belong to a place.
fn is_off(place: Estimate, spot: Spot, error_m: f64, move_m: f64) -> bool {
    is_beyond(place, spot, error_m, MARGIN * move_m)
}

/// Whether a fix lies farther from a place than this, and than both may err.
fn is_beyond(place: Estimate, spot: Spot, error_m: f64, least_m: f64) -> bool {
    let allowed_m = (place.accuracy_m + SIGMAS * error_m).max(least_m);
    spot.from(place.spot).distance_m() > allowed_m
}
