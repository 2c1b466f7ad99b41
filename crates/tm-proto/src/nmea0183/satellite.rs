//! Satellites and the several ways of numbering them.

/// A satellite system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Constellation {
    /// USA.
    Gps,
    /// Augmentation from geostationary satellites; a phantom of this kind appears with a dead antenna.
    Sbas,
    /// Europe.
    Galileo,
    /// China.
    BeiDou,
    /// Japan.
    Qzss,
    /// Russia.
    Glonass,
    /// India.
    NavIc,
}

/// A satellite in view.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Satellite {
    /// Its system.
    pub constellation: Constellation,
    /// Its number within the system; absent for an empty GLONASS slot.
    pub number: Option<u16>,
    /// Signal, in the numbering of NMEA 4.10; absent before that version.
    pub signal: Option<u8>,
    /// Degrees above the horizon.
    pub elevation_deg: Option<i8>,
    /// Degrees clockwise from true north.
    pub azimuth_deg: Option<u16>,
    /// Carrier to noise density in dBHz; absent while it is not tracked.
    pub cn0_dbhz: Option<u8>,
    /// Used in the fix.
    pub is_used: bool,
}

impl Satellite {
    /// Whether it is none: MDM9207 engines print SBAS satellites without a place in the sky, at some 34 dBHz, with a
    /// dead antenna too.
    pub fn is_phantom(&self) -> bool {
        self.constellation == Constellation::Sbas && self.elevation_deg.is_none() && !self.is_used
    }
}

/// System and number within it, from a sentence's talker, its system id (NMEA 4.10 and later) and its number.
pub(super) fn identify(
    talker: &str,
    system: Option<u8>,
    number: u16,
) -> Option<(Constellation, u16)> {
    let by_system = match system {
        Some(1) => Some(Constellation::Gps),
        Some(2) => Some(Constellation::Glonass),
        Some(3) => Some(Constellation::Galileo),
        Some(4) => Some(Constellation::BeiDou),
        Some(5) => Some(Constellation::Qzss),
        Some(6) => Some(Constellation::NavIc),
        _ => None,
    };
    let by_talker = match talker {
        "GP" => Some(Constellation::Gps),
        "GL" => Some(Constellation::Glonass),
        "GA" => Some(Constellation::Galileo),
        // Qualcomm engines print BeiDou with the talker PQ (and QZSS too, told by the system id).
        "BD" | "GB" | "PQ" => Some(Constellation::BeiDou),
        "GQ" | "QZ" => Some(Constellation::Qzss),
        "GI" => Some(Constellation::NavIc),
        _ => None,
    };
    let constellation = by_system.or(by_talker);
    Some(match (constellation, number) {
        (_, 0) => return None,
        (None | Some(Constellation::Gps), 33..=64) => (Constellation::Sbas, number + 87),
        (None | Some(Constellation::Gps | Constellation::Glonass), 65..=96) => {
            (Constellation::Glonass, number - 64)
        }
        (None | Some(Constellation::Gps), 120..=158) => (Constellation::Sbas, number),
        (Some(Constellation::Qzss), 193..=202) | (None | Some(Constellation::Gps), 193..=200) => {
            (Constellation::Qzss, number - 192)
        }
        // Receivers of SiRF and Quectel print BeiDou as 201 to 263 where the system is not told.
        (None | Some(Constellation::Gps | Constellation::BeiDou), 201..=263) => {
            (Constellation::BeiDou, number - 200)
        }
        (None | Some(Constellation::Galileo), 301..=336) => (Constellation::Galileo, number - 300),
        (None | Some(Constellation::BeiDou), 401..=463) => (Constellation::BeiDou, number - 400),
        (Some(constellation), _) => (constellation, number),
        (None, 1..=32) => (Constellation::Gps, number),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_numbering_ends_in_the_same_key() {
        use Constellation::{BeiDou, Galileo, Glonass, Gps, Qzss, Sbas};
        for (talker, system, number, expected) in [
            ("GP", None, 13, Some((Gps, 13))),
            ("GP", Some(1), 40, Some((Sbas, 127))),
            ("GL", None, 78, Some((Glonass, 14))),
            ("GN", Some(2), 78, Some((Glonass, 14))),
            ("GN", None, 78, Some((Glonass, 14))),
            ("GN", None, 13, Some((Gps, 13))),
            ("GN", Some(3), 4, Some((Galileo, 4))),
            ("GA", None, 304, Some((Galileo, 4))),
            ("PQ", None, 5, Some((BeiDou, 5))),
            ("PQ", Some(5), 2, Some((Qzss, 2))),
            ("BD", Some(4), 12, Some((BeiDou, 12))),
            ("GP", None, 193, Some((Qzss, 1))),
            ("GQ", None, 202, Some((Qzss, 10))),
            ("GN", None, 201, Some((BeiDou, 1))),
            ("GB", None, 214, Some((BeiDou, 14))),
            ("GP", None, 0, None),
            ("GN", None, 999, None),
        ] {
            assert_eq!(
                identify(talker, system, number),
                expected,
                "{talker} {system:?} {number}"
            );
        }
    }
}
