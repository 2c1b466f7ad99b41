//! The average of a standing receiver's fixes, robust against reflections, and how far it may be off.
//!
//! Errors of a receiver drift for minutes to hours (ionosphere, reflections, the same sky every sidereal day), so that a
//! thousand fixes of one hour are worth little more than ten. What counts is hours: fixes become the median of their
//! minute, minutes the trimmed mean of their hour, and the spread of the hours tells the accuracy.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::geometry::{METRES_PER_DEG, offset_m};

/// Hours that are kept: a week.
const HOURS_MAX: usize = 168;
/// Minutes of an hour, and the least of them that make one.
const MINUTES: usize = 60;
/// Fixes in a minute that make a median of it.
const FIXES_MIN: usize = 5;
/// Fixes kept of a minute, so that a receiver at 10 Hz costs no more than one at 1 Hz.
const FIXES_MAX: usize = 60;
/// Neighbouring hours err alike: so many of them count as one.
const CORRELATED_HOURS: f64 = 3.0;
/// Hours from which their spread tells more than the receiver does.
const HOURS_FOR_SPREAD: usize = 3;
/// From the root mean square of a distance in the plane to what 95 % of distances stay below.
const TO_95: f64 = 1.73;
/// What no averaging at one place takes away, m: orbits, clocks and the antenna's surroundings.
const FLOOR_M: f64 = 1.0;
/// The share of values that a trimmed mean leaves out, half at each end.
const TRIMMED: f64 = 0.4;

/// A place, as it is handed in and out.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Spot {
    /// Degrees, WGS 84, north positive.
    pub(crate) latitude_deg: f64,
    /// Degrees, WGS 84, east positive.
    pub(crate) longitude_deg: f64,
    /// Above mean sea level.
    pub(crate) altitude_m: f64,
}

impl Spot {
    /// Metres north, east and up of another place nearby.
    pub(crate) fn from(self, other: Self) -> Offset {
        let place = |spot: Self| [spot.latitude_deg, spot.longitude_deg];
        let [north, east] = offset_m(place(other), place(self));
        Offset([north, east, self.altitude_m - other.altitude_m])
    }

    fn moved(self, Offset([north, east, up]): Offset) -> Self {
        let metres_per_deg_east = METRES_PER_DEG * self.latitude_deg.to_radians().cos();
        Self {
            latitude_deg: self.latitude_deg + north / METRES_PER_DEG,
            longitude_deg: self.longitude_deg + east / metres_per_deg_east.max(1.0),
            altitude_m: self.altitude_m + up,
        }
    }
}

/// Metres north, east and up.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Offset([f64; 3]);

impl Offset {
    /// Along the surface.
    pub(crate) fn distance_m(self) -> f64 {
        self.0[0].hypot(self.0[1])
    }

    /// To a centimetre, as it is kept.
    fn rounded(self) -> Self {
        Self(self.0.map(|metres| (metres * 100.0).round() / 100.0))
    }
}

/// What is known of a place.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Estimate {
    pub(crate) spot: Spot,
    /// 95 % of the time the true place is within this, m, along the surface.
    pub(crate) accuracy_m: f64,
    /// Hours of standing still behind it.
    pub(crate) hours: f64,
}

/// Gathers fixes of one place.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Average {
    /// Offsets count from here: the first fix.
    reference: Option<Spot>,
    /// Finished hours, the oldest first.
    hours: VecDeque<Offset>,
    /// Medians of the minutes of the hour at hand; lost at a restart.
    #[serde(skip)]
    minutes: Vec<Offset>,
    /// Fixes of the minute at hand.
    #[serde(skip)]
    fixes: Vec<Offset>,
    /// The minute at hand, counted on the monotonic clock.
    #[serde(skip)]
    minute: Option<u64>,
    /// The receiver's own idea of its error, one sigma, m, smoothed.
    error_m: Option<f64>,
    /// What follows from all this, drawn once a minute.
    #[serde(skip)]
    estimate: Option<Estimate>,
}

impl Average {
    /// Takes in a fix, `error_m` being what the receiver says of it; whether an hour is finished.
    pub(crate) fn take(&mut self, mono_ms: u64, spot: Spot, error_m: f64) -> bool {
        let reference = *self.reference.get_or_insert(spot);
        let minute = mono_ms / 60_000;
        let is_finished = self.minute.replace(minute) != Some(minute) && self.end_minute();
        if self.fixes.len() < FIXES_MAX {
            self.fixes.push(spot.from(reference));
        }
        let smoothed = self.error_m.unwrap_or(error_m);
        self.error_m = Some(smoothed + (error_m - smoothed) / 600.0);
        is_finished
    }

    /// The minute is over; whether the hour is, too.
    fn end_minute(&mut self) -> bool {
        if self.fixes.len() >= FIXES_MIN {
            self.minutes.extend(each_axis(&self.fixes, median));
        }
        self.fixes.clear();
        let is_hour = self.minutes.len() >= MINUTES && self.end_hour();
        self.draw();
        is_hour
    }

    fn end_hour(&mut self) -> bool {
        let hour = each_axis(&self.minutes, trimmed_mean);
        self.minutes.clear();
        self.hours.extend(hour.map(Offset::rounded));
        if self.hours.len() > HOURS_MAX {
            self.hours.pop_front();
        }
        true
    }

    /// Hours of standing still that were gathered.
    pub(crate) fn hours(&self) -> f64 {
        count(self.hours.len()) + count(self.minutes.len()) / count(MINUTES)
    }

    /// What is known so far; nothing before the first minute is over.
    pub(crate) fn estimate(&self) -> Option<Estimate> {
        self.estimate
    }

    /// Draws the estimate; needed by hand only for what was kept.
    pub(crate) fn draw(&mut self) {
        self.estimate = self.drawn();
    }

    fn drawn(&self) -> Option<Estimate> {
        let reference = self.reference?;
        let hours: Vec<Offset> = self.hours.iter().copied().collect();
        let centre = if hours.is_empty() {
            each_axis(&self.minutes, median)?
        } else {
            each_axis(&hours, trimmed_mean)?
        };
        // 95 % is about twice what receivers state.
        let stated_m = 2.0 * self.error_m.unwrap_or(FLOOR_M);
        let accuracy_m = if hours.len() < HOURS_FOR_SPREAD {
            stated_m.max(FLOOR_M)
        } else {
            let square = |hour: &Offset| {
                let [north, east, _] = hour.0;
                (north - centre.0[0]).powi(2) + (east - centre.0[1]).powi(2)
            };
            let variance = hours.iter().map(square).sum::<f64>() / count(hours.len() - 1);
            let n_independent = (count(hours.len()) / CORRELATED_HOURS).max(1.0);
            (TO_95 * TO_95 * variance / n_independent + FLOOR_M * FLOOR_M).sqrt()
        };
        Some(Estimate {
            spot: reference.moved(centre),
            accuracy_m,
            hours: self.hours(),
        })
    }
}

#[expect(clippy::cast_precision_loss, reason = "at most a few hundred")]
fn count(n: usize) -> f64 {
    n as f64
}

/// North, east and up each by itself.
fn each_axis(offsets: &[Offset], of: impl Fn(&mut [f64]) -> f64) -> Option<Offset> {
    if offsets.is_empty() {
        return None;
    }
    let axis = |index: usize| {
        let mut values: Vec<f64> = offsets.iter().map(|offset| offset.0[index]).collect();
        values.sort_by(f64::total_cmp);
        of(&mut values)
    };
    Some(Offset([axis(0), axis(1), axis(2)]))
}

/// Of sorted values.
fn median(values: &mut [f64]) -> f64 {
    let middle = values.len() / 2;
    if values.len().is_multiple_of(2) {
        f64::midpoint(values[middle - 1], values[middle])
    } else {
        values[middle]
    }
}

/// The mean of the values in the middle, of sorted ones.
fn trimmed_mean(values: &mut [f64]) -> f64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a small length"
    )]
    let cut = (count(values.len()) * TRIMMED / 2.0) as usize;
    let middle = &values[cut..values.len() - cut];
    middle.iter().sum::<f64>() / count(middle.len())
}
