//! Sentences that tell how wrong the fix may be.

use super::field::{self, Fields, TimeOfDay};

/// Estimated errors.
///
/// ```text
///        1         2   3   4   5   6   7   8
/// $--GST,hhmmss.ss,rms,maj,min,ori,lat,lon,alt*hh
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Gst {
    /// Time of day.
    pub time: Option<TimeOfDay>,
    /// Horizontal error in metres, one standard deviation, from those of latitude and longitude.
    pub horizontal_error_m: Option<f64>,
    /// Vertical error in metres, one standard deviation.
    pub vertical_error_m: Option<f64>,
}

/// Expected errors, with the satellite that may be wrong (unused).
///
/// ```text
///        1         2   3   4   5  6    7    8
/// $--GBS,hhmmss.ss,lat,lon,alt,id,prob,bias,dev*hh
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Gbs {
    /// Time of day.
    pub time: Option<TimeOfDay>,
    /// Horizontal error in metres, one standard deviation, from those of latitude and longitude.
    pub horizontal_error_m: Option<f64>,
    /// Vertical error in metres, one standard deviation.
    pub vertical_error_m: Option<f64>,
}

/// Qualcomm's estimated errors. Its time has one decimal whatever the others have, so it dates nothing.
///
/// ```text
///        1        2       3 4        5 6   7    8    9
/// $PQXFI,hhmmss.s,ddmm.mm,N,dddmm.mm,E,alt,hepe,vunc,velunc*hh
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Pqxfi {
    /// Horizontal error in metres, 63 %.
    pub horizontal_error_m: Option<f64>,
    /// Vertical error in metres, 68 %.
    pub vertical_error_m: Option<f64>,
    /// Velocity error in metres per second.
    pub speed_error_mps: Option<f64>,
}

impl Gst {
    pub(super) fn read(fields: &Fields<'_>) -> Self {
        Self {
            time: field::time(fields.get(1)),
            horizontal_error_m: horizontal(fields.decimal(6), fields.decimal(7)),
            vertical_error_m: fields.decimal(8),
        }
    }
}

impl Gbs {
    pub(super) fn read(fields: &Fields<'_>) -> Self {
        Self {
            time: field::time(fields.get(1)),
            horizontal_error_m: horizontal(fields.decimal(2), fields.decimal(3)),
            vertical_error_m: fields.decimal(4),
        }
    }
}

fn horizontal(latitude_m: Option<f64>, longitude_m: Option<f64>) -> Option<f64> {
    Some((latitude_m?.hypot(longitude_m?) * 100.0).round() / 100.0)
}

impl Pqxfi {
    pub(super) fn read(fields: &Fields<'_>) -> Self {
        Self {
            horizontal_error_m: fields.decimal(7),
            vertical_error_m: fields.decimal(8),
            speed_error_mps: fields.decimal(9),
        }
    }
}
