//! Position from the AT port: `AT+CGPSINFO` and `AT+CGNSSINFO` (manual, 17.2.2 and 17.2.15).
//!
//! They have no checksum, and digits get lost on some firmware (one answer of a hundred): a stop-gap where the NMEA
//! port is not to be had.
//!
//! ```text
//!             1           2 3            4 5      6        7    8   9
//! +CGPSINFO:  3113.343286,N,12121.234064,E,250311,072809.3,44.1,0.0,0
//!             latitude, longitude, ddmmyy, hhmmss.s, metres, knots, course
//! +CGNSSINFO: 2,09,05,00, the same nine, PDOP,HDOP,VDOP       fix mode and satellites of GPS, GLONASS and BeiDou before
//! ```

use super::fields;
use crate::nmea0183::{self, Position};

/// Where the module is, by itself.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GnssPosition {
    /// The place.
    pub position: Position,
    /// When, milliseconds since 1970, UTC; by the receiver's calendar, which may be 1024 weeks late.
    pub unix_ms: Option<i64>,
    /// Height above mean sea level in metres.
    pub altitude_m: Option<f64>,
    /// Speed over ground in metres per second.
    pub speed_mps: Option<f64>,
    /// Course over ground in degrees from true north; absent at standstill.
    pub course_deg: Option<f64>,
    /// Horizontal dilution of precision; `AT+CGNSSINFO` only.
    pub hdop: Option<f64>,
}

/// Reads the answer to `AT+CGPSINFO` or `AT+CGNSSINFO`; the inner value is absent without a fix.
/// Nothing for the forms of other families, which have other fields, and for a damaged line.
pub fn gnss_position(lines: &[String]) -> Option<Option<GnssPosition>> {
    let (at, fields) = fields::last(lines, "+CGPSINFO")
        .filter(|fields| fields.len() == 9)
        .map(|fields| (0, fields))
        .or_else(|| {
            let fields = fields::last(lines, "+CGNSSINFO")?;
            (fields.len() == 16).then_some((4, fields))
        })?;
    if fields.iter().all(|field| field.is_empty()) {
        return Some(None);
    }
    let field = |index: usize| fields.get(at + index).copied().unwrap_or_default();
    let date = nmea0183::date(field(4));
    let time = nmea0183::time(field(5));
    let unix_ms = date
        .zip(time)
        .map(|(date, time)| date.unix_days() * 86_400_000 + i64::from(time));
    Some(Some(GnssPosition {
        position: nmea0183::position(&fields, at)?,
        unix_ms,
        altitude_m: fields::decimal(field(6)),
        speed_mps: nmea0183::knots(field(7)),
        course_deg: nmea0183::course(field(8)),
        hdop: (at > 0).then(|| fields::decimal(field(10))).flatten(),
    }))
}
