//! Sentences that tell where, when and how fast. Fields are read by their number, as versions 2.3 to 4.11 only append.

use super::field::{self, Fields, Position, TimeOfDay};
use crate::calendar::Date;

/// Fix data.
///
/// ```text
///        1         2       3 4        5 6 7  8   9    10 11  12 13 14
/// $--GGA,hhmmss.ss,ddmm.mm,N,dddmm.mm,E,q,nn,h.h,a.a,M,g.g,M,x.x,xxxx*hh
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Gga {
    /// Time of day.
    pub time: Option<TimeOfDay>,
    /// Position; absent without a fix.
    pub position: Option<Position>,
    /// 0 none, 1 GPS, 2 differential, 3 PPS, 4 RTK, 5 RTK float, 6 estimated, 7 manual, 8 simulator.
    pub quality: Option<u8>,
    /// Satellites used; of GPS alone, and at most 12, on some engines.
    pub n_used: Option<u8>,
    /// Horizontal dilution of precision.
    pub hdop: Option<f64>,
    /// Above mean sea level, in metres.
    pub altitude_m: Option<f64>,
    /// Mean sea level above the ellipsoid, in metres.
    pub geoid_separation_m: Option<f64>,
}

/// Fix data with several systems.
///
/// ```text
///        1         2       3 4        5 6   7  8   9   10  11  12   13
/// $--GNS,hhmmss.ss,ddmm.mm,N,dddmm.mm,E,AAN,nn,h.h,a.a,g.g,x.x,xxxx[,S]*hh
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Gns {
    /// Time of day.
    pub time: Option<TimeOfDay>,
    /// Position; absent without a fix.
    pub position: Option<Position>,
    /// Whether any system has a fix (one letter each, `N` for none); absent when the field is empty.
    pub has_fix: Option<bool>,
    /// Whether the navigation status (NMEA 4.10) allows to use it: neither unsafe (`U`) nor invalid (`V`, which engines
    /// of Qualcomm print always).
    pub is_safe: bool,
    /// Satellites used, of all systems.
    pub n_used: Option<u8>,
    /// Horizontal dilution of precision.
    pub hdop: Option<f64>,
    /// Above mean sea level, in metres.
    pub altitude_m: Option<f64>,
    /// Mean sea level above the ellipsoid, in metres.
    pub geoid_separation_m: Option<f64>,
}

/// Recommended minimum.
///
/// ```text
///        1         2 3       4 5        6 7   8   9      10  11 12 13
/// $--RMC,hhmmss.ss,A,ddmm.mm,N,dddmm.mm,E,s.s,c.c,ddmmyy,m.m,E[,m[,s]]*hh
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Rmc {
    /// Time of day.
    pub time: Option<TimeOfDay>,
    /// Whether the fix is valid (`A`); absent when the field is empty.
    pub is_valid: Option<bool>,
    /// Whether the receiver prints a time and a date, readable or not.
    pub has_time: bool,
    /// Position; absent without a fix.
    pub position: Option<Position>,
    /// Speed over ground.
    pub speed_mps: Option<f64>,
    /// Course over ground; empty or frozen at standstill.
    pub course_deg: Option<f64>,
    /// Date.
    pub date: Option<Date>,
}

/// Position.
///
/// ```text
///        1       2 3        4 5         6 7
/// $--GLL,ddmm.mm,N,dddmm.mm,E,hhmmss.ss,A[,m]*hh
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Gll {
    /// Time of day.
    pub time: Option<TimeOfDay>,
    /// Whether the fix is valid (`A`); absent when the field is empty.
    pub is_valid: Option<bool>,
    /// Position; absent without a fix.
    pub position: Option<Position>,
}

/// Course and speed over ground.
///
/// ```text
///        1   2 3   4 5   6 7   8 9
/// $--VTG,c.c,T,m.m,M,s.s,N,k.k,K[,m]*hh
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Vtg {
    /// Course over ground.
    pub course_deg: Option<f64>,
    /// Speed over ground.
    pub speed_mps: Option<f64>,
}

/// Date and time.
///
/// ```text
///        1         2  3  4    5  6
/// $--ZDA,hhmmss.ss,dd,mm,yyyy,xx,xx*hh
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Zda {
    /// Time of day.
    pub time: Option<TimeOfDay>,
    /// Date, with its century.
    pub date: Option<Date>,
}

impl Gga {
    pub(super) fn read(fields: &Fields<'_>) -> Self {
        Self {
            time: field::time(fields.get(1)),
            position: fields.position(2),
            quality: field::number(fields.get(6)),
            n_used: field::number(fields.get(7)),
            hdop: fields.dilution(8),
            altitude_m: fields.decimal(9),
            geoid_separation_m: fields.decimal(11),
        }
    }
}

impl Gns {
    pub(super) fn read(fields: &Fields<'_>) -> Self {
        let mode = fields.get(6);
        Self {
            time: field::time(fields.get(1)),
            position: fields.position(2),
            has_fix: (!mode.is_empty()).then(|| mode.bytes().any(|letter| letter != b'N')),
            is_safe: !matches!(fields.get(13), "U" | "V"),
            n_used: field::number(fields.get(7)),
            hdop: fields.dilution(8),
            altitude_m: fields.decimal(9),
            geoid_separation_m: fields.decimal(10),
        }
    }
}

impl Rmc {
    pub(super) fn read(fields: &Fields<'_>) -> Self {
        Self {
            time: field::time(fields.get(1)),
            is_valid: fields.is_valid(2),
            has_time: !fields.get(1).is_empty() && !fields.get(9).is_empty(),
            position: fields.position(3),
            speed_mps: field::knots(fields.get(7)),
            course_deg: field::course(fields.get(8)),
            date: field::date(fields.get(9)),
        }
    }
}

impl Gll {
    pub(super) fn read(fields: &Fields<'_>) -> Self {
        Self {
            position: fields.position(1),
            time: field::time(fields.get(5)),
            is_valid: fields
                .is_valid(6)
                .map(|is_valid| is_valid && fields.get(7) != "N"),
        }
    }
}

impl Vtg {
    pub(super) fn read(fields: &Fields<'_>) -> Self {
        if matches!(fields.get(9), "N" | "E") {
            return Self {
                course_deg: None,
                speed_mps: None,
            };
        }
        // Before version 2.3 the letters were left out: course, course, knots, km/h.
        let old = fields.get(2) != "T";
        let (knots, kmh) = if old { (3, 4) } else { (5, 7) };
        let speed_mps =
            field::knots(fields.get(knots)).or_else(|| field::kilometres_per_hour(fields.get(kmh)));
        Self {
            course_deg: field::course(fields.get(1)),
            speed_mps,
        }
    }
}

impl Zda {
    pub(super) fn read(fields: &Fields<'_>) -> Self {
        let date = || {
            let (day, month, year) = (fields.get(2), fields.get(3), fields.get(4));
            Date::new(
                field::number(year)?,
                field::number(month)?,
                field::number(day)?,
            )
        };
        Self {
            time: field::time(fields.get(1)),
            date: date(),
        }
    }
}
