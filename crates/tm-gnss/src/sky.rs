//! The satellites in view, one entry each, without those that are none.

use std::collections::BTreeMap;

use tm_proto::nmea0183::{Constellation, Satellite as Heard};
use tm_types::{Satellite, SatelliteSignal};

/// A receiver says the same satellite once per signal (L1, L5): one entry with the best level, and the signals in it.
pub(crate) fn satellites(heard: &[Heard]) -> Vec<Satellite> {
    let mut by_number: BTreeMap<(Constellation, u16), Satellite> = BTreeMap::new();
    for satellite in heard.iter().filter(|satellite| !satellite.is_phantom()) {
        // A GLONASS satellite without a slot number cannot be told from another.
        let Some(id) = satellite.number else { continue };
        let entry = by_number
            .entry((satellite.constellation, id))
            .or_insert_with(|| Satellite {
                system: name(satellite.constellation).to_owned(),
                id,
                elevation_deg: satellite.elevation_deg.map(i16::from),
                azimuth_deg: satellite.azimuth_deg,
                cn0_dbhz: None,
                used: false,
                signals: Vec::new(),
            });
        if let Some(id) = satellite.signal {
            let cn0_dbhz = satellite.cn0_dbhz;
            entry.signals.push(SatelliteSignal { id, cn0_dbhz });
        }
        entry.cn0_dbhz = entry.cn0_dbhz.max(satellite.cn0_dbhz);
        entry.used |= satellite.is_used;
    }
    by_number.into_values().collect()
}

/// The levels of those that are heard, dBHz.
pub(crate) fn levels(satellites: &[Satellite]) -> Vec<u8> {
    let heard = satellites.iter();
    heard.filter_map(|satellite| satellite.cn0_dbhz).collect()
}

/// How many are heard.
pub(crate) fn n_heard(satellites: &[Satellite]) -> usize {
    levels(satellites).len()
}

fn name(constellation: Constellation) -> &'static str {
    match constellation {
        Constellation::Gps => "gps",
        Constellation::Sbas => "sbas",
        Constellation::Galileo => "galileo",
        Constellation::BeiDou => "beidou",
        Constellation::Qzss => "qzss",
        Constellation::Glonass => "glonass",
        Constellation::NavIc => "navic",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(
        constellation: Constellation,
        number: Option<u16>,
        cn0_dbhz: Option<u8>,
        is_used: bool,
    ) -> Heard {
        let elevation_deg = (constellation != Constellation::Sbas).then_some(40);
        Heard {
            constellation,
            number,
            signal: None,
            elevation_deg,
            azimuth_deg: None,
            cn0_dbhz,
            is_used,
        }
    }

    #[test]
    fn signals_are_kept_apart_where_the_receiver_tells_them() {
        let signal = |signal, cn0_dbhz| Heard {
            signal,
            ..heard(Constellation::Gps, Some(7), cn0_dbhz, true)
        };
        let sky = satellites(&[signal(Some(1), Some(41)), signal(Some(8), Some(37))]);
        let told: Vec<_> = sky[0].signals.iter().map(|s| (s.id, s.cn0_dbhz)).collect();
        assert_eq!((sky.len(), sky[0].cn0_dbhz), (1, Some(41)));
        assert_eq!(told, [(1, Some(41)), (8, Some(37))]);
        assert!(satellites(&[signal(None, Some(41))])[0].signals.is_empty());
    }

    #[test]
    fn one_entry_per_satellite_and_no_phantoms() {
        let sky = satellites(&[
            heard(Constellation::Gps, Some(7), Some(31), false),
            heard(Constellation::Glonass, None, Some(41), false),
            heard(Constellation::Gps, Some(7), Some(28), true),
            heard(Constellation::Gps, Some(9), None, false),
            heard(Constellation::Sbas, Some(120), Some(34), false),
        ]);
        let told: Vec<_> = sky
            .iter()
            .map(|s| (s.system.as_str(), s.id, s.cn0_dbhz, s.used))
            .collect();
        assert_eq!(told, [("gps", 7, Some(31), true), ("gps", 9, None, false)]);
        assert_eq!(n_heard(&sky), 1);
    }
}
