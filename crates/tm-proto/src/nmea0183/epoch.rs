//! What the sentences of one epoch say together.

use super::{
    field::{Position, TimeOfDay},
    satellite::Satellite,
};
use crate::calendar::Date;

/// How good the fix is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FixMode {
    /// No fix.
    #[default]
    None,
    /// Position without a measured altitude.
    TwoD,
    /// Position with altitude.
    ThreeD,
}

/// One instant of a receiver, merged from its sentences; what is absent was not told.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Epoch {
    /// Time of day; absent until the receiver knows it.
    pub time_of_day_ms: Option<TimeOfDay>,
    /// Date; absent until the first one was told.
    pub date: Option<Date>,
    /// The date was moved forward by whole rollover periods: no clock may be set from it without a second witness.
    pub is_date_corrected: bool,
    /// None, two- or three-dimensional.
    pub mode: FixMode,
    /// Absent without a fix.
    pub position: Option<Position>,
    /// Above mean sea level, in metres; absent unless the fix is three-dimensional.
    pub altitude_m: Option<f64>,
    /// Mean sea level above the ellipsoid, in metres.
    pub geoid_separation_m: Option<f64>,
    /// Over ground, in metres per second; from two positions where the receiver tells no speed.
    pub speed_mps: Option<f64>,
    /// Over ground, clockwise from true north. Means nothing below about 0.5 m/s.
    pub course_deg: Option<f64>,
    /// Dilution of precision, horizontal.
    pub hdop: Option<f64>,
    /// Dilution of precision, in three dimensions.
    pub pdop: Option<f64>,
    /// Dilution of precision, vertical.
    pub vdop: Option<f64>,
    /// GGA's quality: 1 GPS, 2 differential, 3 PPS, 4 RTK, 5 RTK float, 6 estimated, 7 manual, 8 simulator.
    pub quality: Option<u8>,
    /// Estimated horizontal error in metres (63 to 68 %), where the receiver tells one.
    pub horizontal_error_m: Option<f64>,
    /// Estimated vertical error in metres (68 %), where the receiver tells one.
    pub vertical_error_m: Option<f64>,
    /// Satellites used in the fix: those listed (GSA), else as many as GNS or GGA claims.
    pub n_used: Option<u8>,
    /// Satellites used as gpsd shows them: once all groups of satellites in view were told, those of them that are used
    /// (one in two signals is two), else the claim of GGA or GNS. For comparisons; see [`n_used`](Self::n_used).
    pub n_used_shown: Option<u8>,
    /// Satellites in view; absent when the receiver told none in this epoch.
    pub satellites: Option<Vec<Satellite>>,
    /// The epoch before this one was the same instant with less in it.
    pub refines_previous: bool,
}

impl Epoch {
    /// UTC as milliseconds since 1970; absent until time and date are known.
    pub fn unix_ms(&self) -> Option<i64> {
        Some(self.date?.unix_days() * 86_400_000 + i64::from(self.time_of_day_ms?))
    }
}

impl Epoch {
    /// What a fix is said to be, without what its mode denies: no position without a fix, no altitude below 3D.
    pub(super) fn limited_by_mode(mut self) -> Self {
        if self.mode == FixMode::None {
            self.position = None;
            self.speed_mps = None;
            self.course_deg = None;
            self.horizontal_error_m = None;
            self.vertical_error_m = None;
        }
        if self.mode < FixMode::ThreeD {
            self.altitude_m = None;
        }
        self
    }

    /// Takes over what `news` tells of values; the rest stays.
    pub(super) fn update(&mut self, news: &Self) {
        update(&mut self.position, news.position);
        update(&mut self.altitude_m, news.altitude_m);
        update(&mut self.geoid_separation_m, news.geoid_separation_m);
        update(&mut self.speed_mps, news.speed_mps);
        update(&mut self.course_deg, news.course_deg);
        update(&mut self.hdop, news.hdop);
        update(&mut self.pdop, news.pdop);
        update(&mut self.vdop, news.vdop);
        update(&mut self.quality, news.quality);
        update(&mut self.horizontal_error_m, news.horizontal_error_m);
        update(&mut self.vertical_error_m, news.vertical_error_m);
    }
}

fn update<T: Copy>(slot: &mut Option<T>, value: Option<T>) {
    if value.is_some() {
        *slot = value;
    }
}
