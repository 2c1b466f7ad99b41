//! A sentence of one maker, for what it alone tells about the fix.

use super::field::{self, Fields};

/// Feet to metres.
const FOOT_M: f64 = 0.3048;

/// Garmin: altitude and mode.
///
/// ```text
///        1 2 3
/// $PGRMZ,a,f,m*hh
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Pgrmz {
    /// Above mean sea level, in metres; printed in whole feet.
    pub altitude_m: Option<f64>,
    /// 1 none, 2 two-dimensional, 3 three-dimensional.
    pub mode: Option<u8>,
}

impl Pgrmz {
    pub(super) fn read(fields: &Fields<'_>) -> Self {
        let feet = fields.decimal(1).filter(|_| fields.get(2) == "f");
        Self {
            altitude_m: feet.map(|feet| feet * FOOT_M),
            mode: field::number(fields.get(3)),
        }
    }
}
