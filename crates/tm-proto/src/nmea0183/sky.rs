//! Sentences that tell which satellites.

use super::{
    field::{self, Fields},
    satellite::{self, Constellation, Satellite},
};

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

impl Gsa {
    pub(super) fn read(talker: &str, fields: &Fields<'_>) -> Self {
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
    pub(super) fn read(talker: &str, fields: &Fields<'_>) -> Option<Self> {
        let blocks = fields.all().get(3..).unwrap_or_default();
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
