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
///
/// Some receivers have more than twelve numbers (24 on the Navior CH-4701); a system id with a decimal point is another
/// thing (SiRF TriG).
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
/// $--GSV,t,m,nn,id,el,az,cn0,…[,signal[,system]]*hh
/// ```
///
/// The system is an addition of Qualcomm engines to `PQGSV`: 4 BeiDou, 5 QZSS.
#[derive(Debug, Clone, PartialEq)]
pub struct Gsv {
    /// How many sentences its group has.
    pub n_parts: u8,
    /// Which sentence of its group, from 1.
    pub number: u8,
    /// Signal id (NMEA 4.10).
    pub signal: Option<u8>,
    /// Satellites of this sentence.
    pub satellites: Vec<Satellite>,
}

impl Gsa {
    pub(super) fn read(talker: &str, fields: &Fields<'_>) -> Self {
        // The dilutions are the last three fields before the system id.
        let n_fields = fields.all().len();
        let dilutions = if n_fields <= 18 { 15 } else { n_fields - 2 };
        let system = field::number(fields.get(18)).filter(|_| n_fields == 18);
        let used = (3..dilutions).filter_map(|number| {
            let id = field::number(fields.get(number))?;
            satellite::identify(talker, system, id)
        });
        Self {
            mode: field::number(fields.get(2)),
            used: used.collect(),
            pdop: fields.dilution(dilutions),
            hdop: fields.dilution(dilutions + 1),
            vdop: fields.dilution(dilutions + 2),
            system,
        }
    }
}

impl Gsv {
    pub(super) fn read(talker: &str, fields: &Fields<'_>) -> Option<Self> {
        let blocks = fields.all().get(3..).unwrap_or_default();
        // Blocks of four; what is left are the signal and the system.
        let (signal, system) = match blocks.as_chunks::<4>().1 {
            [signal] => (signal_id(signal), None),
            [signal, system] => (signal_id(signal), field::number(system)),
            _ => (None, None),
        };
        let satellites = blocks.chunks_exact(4).filter_map(|block| {
            let &[id, elevation, azimuth, cn0] = block else {
                return None;
            };
            if block.iter().all(|field| field.is_empty()) {
                return None;
            }
            let (constellation, number) = match field::number::<u16>(id) {
                Some(id) => satellite::identify(talker, system, id)
                    .map(|(system, number)| (system, Some(number)))?,
                // An empty slot number is legal for GLONASS.
                None => (satellite::identify(talker, system, 1)?.0, None),
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
            n_parts: field::number(fields.get(1))?,
            number: field::number(fields.get(2))?,
            signal,
            satellites: satellites.collect(),
        })
    }
}

/// A hexadecimal digit; 0 is "all signals".
fn signal_id(field: &str) -> Option<u8> {
    u8::from_str_radix(field, 16)
        .ok()
        .filter(|id| (1..=15).contains(id))
}
