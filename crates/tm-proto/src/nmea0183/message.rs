//! What the sentences say. Fields are read by their number, as versions 2.3 to 4.11 only append.

use super::{
    field::{self, Position, TimeOfDay},
    frame::Sentence,
    satellite::{self, Constellation, Satellite},
};
use crate::calendar::Date;

/// A sentence that was understood.
#[derive(Debug, Clone, PartialEq)]
pub enum Message {
    /// Fix.
    Gga(Gga),
    /// Fix with several systems.
    Gns(Gns),
    /// Fix, speed, course and date.
    Rmc(Rmc),
    /// Position.
    Gll(Gll),
    /// Course and speed.
    Vtg(Vtg),
    /// Mode, satellites used and dilution of precision.
    Gsa(Gsa),
    /// Satellites in view.
    Gsv(Gsv),
    /// Date and time.
    Zda(Zda),
    /// Estimated errors.
    Gst(Gst),
    /// Qualcomm: estimated errors.
    Pqxfi(Pqxfi),
}

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

/// Mode, satellites used and dilution of precision; one sentence a system.
///
/// ```text
///        1 2 3 … 14       15  16  17   18
/// $--GSA,A,3,nn,nn,…,nn,  p.p,h.h,v.v[,s]*hh
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Gsa {
    /// 1 none, 2 two-dimensional, 3 three-dimensional.
    pub mode: Option<u8>,
    /// Satellites used.
    pub used: Vec<(Constellation, u16)>,
    /// Dilution of precision in three dimensions.
    pub pdop: Option<f64>,
    /// Horizontal dilution of precision.
    pub hdop: Option<f64>,
    /// Vertical dilution of precision.
    pub vdop: Option<f64>,
    /// System id (NMEA 4.10): 1 GPS, 2 GLONASS, 3 Galileo, 4 BeiDou, 5 QZSS.
    pub system: Option<u8>,
}

/// Satellites in view, up to four a sentence.
///
/// ```text
///        1 2 3  4  5  6   7       n
/// $--GSV,t,m,nn,id,el,az,cn0,…[,signal]*hh
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Gsv {
    /// Which sentence of its group.
    pub number: u8,
    /// Signal id (NMEA 4.10).
    pub signal: Option<u8>,
    /// Satellites of this sentence.
    pub satellites: Vec<Satellite>,
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

impl Message {
    /// Reads a sentence; nothing for one that is not used here.
    pub fn parse(sentence: &Sentence) -> Option<Self> {
        let address = sentence.address();
        let fields = Fields(sentence.fields());
        if address == "PQXFI" {
            return Some(Self::Pqxfi(Pqxfi::read(&fields)));
        }
        if address.len() != 5 {
            return None;
        }
        let (talker, formatter) = address.split_at_checked(2)?;
        Some(match formatter {
            "GGA" => Self::Gga(Gga::read(&fields)),
            "GNS" => Self::Gns(Gns::read(&fields)),
            "RMC" => Self::Rmc(Rmc::read(&fields)),
            "GLL" => Self::Gll(Gll::read(&fields)),
            "VTG" => Self::Vtg(Vtg::read(&fields)),
            "GSA" => Self::Gsa(Gsa::read(talker, &fields)),
            "GSV" => Self::Gsv(Gsv::read(talker, &fields)?),
            "ZDA" => Self::Zda(Zda::read(&fields)),
            "GST" => Self::Gst(Gst::read(&fields)),
            _ => return None,
        })
    }

    /// The time of day it is of; absent for sentences without one and while the receiver does not know it.
    pub fn time(&self) -> Option<TimeOfDay> {
        match self {
            Self::Gga(gga) => gga.time,
            Self::Gns(gns) => gns.time,
            Self::Rmc(rmc) => rmc.time,
            Self::Gll(gll) => gll.time,
            Self::Zda(zda) => zda.time,
            Self::Gst(gst) => gst.time,
            Self::Vtg(_) | Self::Gsa(_) | Self::Gsv(_) | Self::Pqxfi(_) => None,
        }
    }
}

/// Fields by the numbers of the rulers above; a missing one is an empty one.
struct Fields<'a>(Vec<&'a str>);

impl<'a> Fields<'a> {
    fn get(&self, number: usize) -> &'a str {
        number
            .checked_sub(1)
            .and_then(|index| self.0.get(index))
            .copied()
            .unwrap_or_default()
    }

    fn position(&self, number: usize) -> Option<Position> {
        field::position(&self.0, number.checked_sub(1)?)
    }

    fn decimal(&self, number: usize) -> Option<f64> {
        field::decimal(self.get(number))
    }

    fn is_valid(&self, number: usize) -> Option<bool> {
        match self.get(number) {
            "" => None,
            // `D` marks a differential fix on some receivers.
            status => Some(matches!(status, "A" | "D")),
        }
    }
}

impl Gga {
    fn read(fields: &Fields<'_>) -> Self {
        Self {
            time: field::time(fields.get(1)),
            position: fields.position(2),
            quality: field::number(fields.get(6)),
            n_used: field::number(fields.get(7)),
            hdop: fields.decimal(8),
            altitude_m: fields.decimal(9),
            geoid_separation_m: fields.decimal(11),
        }
    }
}

impl Gns {
    fn read(fields: &Fields<'_>) -> Self {
        let mode = fields.get(6);
        Self {
            time: field::time(fields.get(1)),
            position: fields.position(2),
            has_fix: (!mode.is_empty()).then(|| mode.bytes().any(|letter| letter != b'N')),
            n_used: field::number(fields.get(7)),
            hdop: fields.decimal(8),
            altitude_m: fields.decimal(9),
            geoid_separation_m: fields.decimal(10),
        }
    }
}

impl Rmc {
    fn read(fields: &Fields<'_>) -> Self {
        Self {
            time: field::time(fields.get(1)),
            is_valid: fields.is_valid(2),
            position: fields.position(3),
            speed_mps: field::knots(fields.get(7)),
            course_deg: field::course(fields.get(8)),
            date: field::date(fields.get(9)),
        }
    }
}

impl Gll {
    fn read(fields: &Fields<'_>) -> Self {
        Self {
            position: fields.position(1),
            time: field::time(fields.get(5)),
            is_valid: fields.is_valid(6),
        }
    }
}

impl Vtg {
    fn read(fields: &Fields<'_>) -> Self {
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

impl Gsa {
    fn read(talker: &str, fields: &Fields<'_>) -> Self {
        let system = field::number(fields.get(18));
        let used = (3..=14).filter_map(|number| {
            let id = field::number(fields.get(number))?;
            satellite::identify(talker, system, id)
        });
        Self {
            mode: field::number(fields.get(2)),
            used: used.collect(),
            pdop: fields.decimal(15),
            hdop: fields.decimal(16),
            vdop: fields.decimal(17),
            system,
        }
    }
}

impl Gsv {
    fn read(talker: &str, fields: &Fields<'_>) -> Option<Self> {
        let blocks = fields.0.get(3..).unwrap_or_default();
        // Blocks of four; one field more is the signal id.
        let signal = if blocks.len() % 4 == 1 {
            blocks.last().and_then(|id| field::number(id))
        } else {
            None
        };
        let satellites = blocks.chunks_exact(4).filter_map(|block| {
            let &[id, elevation, azimuth, cn0] = block else {
                return None;
            };
            if block.iter().all(|field| field.is_empty()) {
                return None;
            }
            let (constellation, number) = match field::number::<u16>(id) {
                Some(id) => satellite::identify(talker, None, id)
                    .map(|(system, number)| (system, Some(number)))?,
                // An empty slot number is legal for GLONASS.
                None => (satellite::identify(talker, None, 1)?.0, None),
            };
            Some(Satellite {
                constellation,
                number,
                signal,
                elevation_deg: elevation
                    .parse()
                    .ok()
                    .filter(|degrees| (-90..=90).contains(degrees)),
                azimuth_deg: field::number(azimuth).filter(|degrees| *degrees <= 360),
                cn0_dbhz: field::number(cn0.split('.').next().unwrap_or_default())
                    .filter(|cn0| *cn0 <= 99),
                is_used: false,
            })
        });
        Some(Self {
            number: field::number(fields.get(2))?,
            signal,
            satellites: satellites.collect(),
        })
    }
}

impl Zda {
    fn read(fields: &Fields<'_>) -> Self {
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

impl Gst {
    fn read(fields: &Fields<'_>) -> Self {
        let horizontal = || {
            let (latitude, longitude) = (fields.decimal(6)?, fields.decimal(7)?);
            Some((latitude.hypot(longitude) * 100.0).round() / 100.0)
        };
        Self {
            time: field::time(fields.get(1)),
            horizontal_error_m: horizontal(),
            vertical_error_m: fields.decimal(8),
        }
    }
}

impl Pqxfi {
    fn read(fields: &Fields<'_>) -> Self {
        Self {
            horizontal_error_m: fields.decimal(7),
            vertical_error_m: fields.decimal(8),
            speed_error_mps: fields.decimal(9),
        }
    }
}
