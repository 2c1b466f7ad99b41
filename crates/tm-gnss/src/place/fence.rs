//! A circle that the cabinet ought to stay in.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::average::Spot;
use super::looks::Looks;

/// How many standard deviations a fix must lie beyond the line.
const SIGMAS: f64 = 2.0;

/// `TM_GNSS_GEOFENCE`: latitude and longitude of the middle in degrees (WGS 84), and the radius, 10 to 1000000 m.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fence {
    latitude_deg: f64,
    longitude_deg: f64,
    radius_m: f64,
}

/// A text is no circle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a geofence is written as latitude,longitude,radius in metres")]
pub struct NotAFence;

impl FromStr for Fence {
    type Err = NotAFence;

    fn from_str(text: &str) -> Result<Self, NotAFence> {
        let numbers: Result<Vec<f64>, _> =
            text.split(',').map(|part| part.trim().parse()).collect();
        let [latitude_deg, longitude_deg, radius_m] = numbers.map_err(|_| NotAFence)?[..] else {
            return Err(NotAFence);
        };
        let is_place =
            (-90.0..=90.0).contains(&latitude_deg) && (-180.0..=180.0).contains(&longitude_deg);
        // Below ten metres a receiver cannot tell; beyond a thousand kilometres the circle is no plane.
        let is_circle = (10.0..=1_000_000.0).contains(&radius_m);
        (is_place && is_circle)
            .then_some(Self {
                latitude_deg,
                longitude_deg,
                radius_m,
            })
            .ok_or(NotAFence)
    }
}

impl fmt::Display for Fence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{},{},{}",
            self.latitude_deg, self.longitude_deg, self.radius_m
        )
    }
}

tm_service::setting!(
    Fence,
    "circle",
    "latitude,longitude,radius in metres, such as 50.45,30.52,200"
);

/// Where the cabinet was, and with regard to which circle: kept over a restart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KeptSide {
    fence: String,
    is_inside: bool,
}

/// Watches the circle.
#[derive(Debug)]
pub(crate) struct FenceWatch {
    fence: Fence,
    is_inside: Option<bool>,
    looks: Looks,
}

impl FenceWatch {
    /// `kept` counts if it is about the same circle.
    pub(crate) fn new(fence: Fence, kept: Option<&KeptSide>) -> Self {
        let kept = kept.filter(|kept| kept.fence == fence.to_string());
        Self {
            fence,
            is_inside: kept.map(|kept| kept.is_inside),
            looks: Looks::default(),
        }
    }

    /// Takes in a fix that is trusted, with the receiver's error (one sigma, m); whether it is inside, when that turned.
    /// That it is inside to begin with is no turn; that it is outside is one.
    pub(crate) fn take(&mut self, mono_ms: u64, spot: Spot, error_m: f64) -> Option<bool> {
        let centre = Spot {
            latitude_deg: self.fence.latitude_deg,
            longitude_deg: self.fence.longitude_deg,
            ..spot
        };
        let beyond_m = spot.from(centre).distance_m() - self.fence.radius_m;
        // Near the line nobody can tell: such a fix is no look.
        if beyond_m.abs() <= SIGMAS * error_m {
            return None;
        }
        let is_inside = self.looks.take(mono_ms, beyond_m < 0.0)?;
        let was_inside = self.is_inside.replace(is_inside).unwrap_or(true);
        (was_inside != is_inside).then_some(is_inside)
    }

    /// What is to be kept.
    pub(crate) fn kept(&self) -> Option<KeptSide> {
        Some(KeptSide {
            fence: self.fence.to_string(),
            is_inside: self.is_inside?,
        })
    }

    /// Whether the cabinet is inside; unknown at first.
    pub(crate) fn is_inside(&self) -> Option<bool> {
        self.is_inside
    }

    /// Nothing that was seen lately is to be believed.
    pub(crate) fn doubt(&mut self) {
        self.looks.clear();
    }
}
