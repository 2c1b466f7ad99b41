//! The place: what a fix that is trusted adds to it, and what is told of it.

use tm_proto::nmea0183::{Epoch, Position};
use tm_types::{Cause, Place, Severity, Stamp, code};

use super::{Effect, Tracker};
use crate::movement::error_m;
use crate::place::{FenceWatch, News, Spot};

impl Tracker {
    /// A fix in three dimensions that nothing speaks against.
    pub(super) fn place_fix(&mut self, epoch: &Epoch, began: Stamp) {
        let (Some(position), Some(altitude_m)) = (epoch.position, epoch.altitude_m) else {
            return;
        };
        let spot = Spot {
            latitude_deg: Position::latitude_deg(position),
            longitude_deg: Position::longitude_deg(position),
            altitude_m,
        };
        let error_m = error_m(epoch);
        let side = self.fence.as_ref().and_then(FenceWatch::is_inside);
        let fence = self.fence.as_mut();
        let turned = fence.and_then(|fence| fence.take(began.mono_ms, spot, error_m));
        if let Some(fence) = self
            .fence
            .as_ref()
            .filter(|fence| fence.is_inside() != side)
        {
            self.home.keep_side(fence.kept());
        }
        match turned {
            Some(true) => {
                self.tell_place(began, Severity::Info, code::GNSS_GEOFENCE_ENTERED.plain());
            }
            Some(false) => {
                self.tell_place(began, Severity::Warning, code::GNSS_GEOFENCE_LEFT.plain());
            }
            None => {}
        }
        match self
            .home
            .take(began.mono_ms, spot, error_m, self.config.move_m)
        {
            Some(News::Moved(metres)) => {
                let cause = code::GNSS_MOVED.with("distance_m", format_args!("{metres:.0}"));
                self.tell_place(began, Severity::Critical, cause);
            }
            Some(News::Back) => {
                self.tell_place(began, Severity::Info, code::GNSS_MOVED_BACK.plain());
            }
            Some(News::Settled) => {
                self.tell_place(began, Severity::Info, code::GNSS_PLACE_CHANGED.plain());
            }
            None => {}
        }
        let unsaved = self.home.take_unsaved();
        self.effects
            .extend(unsaved.map(|place| Effect::RememberPlace(Box::new(place))));
    }

    /// A fix that something speaks against, or none: the last looks count for nothing.
    pub(super) fn doubt_place(&mut self) {
        self.home.doubt();
        if let Some(fence) = &mut self.fence {
            fence.doubt();
        }
    }

    /// The place as the state tells it.
    pub(super) fn place(&self) -> Option<Place> {
        let known = self.home.estimate()?;
        let rounded = |value: f64, per_unit: f64| (value * per_unit).round() / per_unit;
        Some(Place {
            latitude_deg: rounded(known.spot.latitude_deg, 1e7),
            longitude_deg: rounded(known.spot.longitude_deg, 1e7),
            altitude_m: rounded(known.spot.altitude_m, 10.0),
            accuracy_m: rounded(known.accuracy_m, 10.0),
            hours: rounded(known.hours, 10.0),
            moved: self.home.moved(),
        })
    }

    fn tell_place(&mut self, at: Stamp, severity: Severity, cause: Cause) {
        tracing::info!(code = %cause.code, "the place is news");
        self.is_changed = true;
        self.effects.push(Effect::Event(at, severity, cause));
    }
}
