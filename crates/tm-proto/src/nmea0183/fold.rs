//! What the sentences of one epoch say together.

use super::{
    field::{Position, TimeOfDay},
    message::Message,
    satellite::{Constellation, Satellite},
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
    /// Over ground, in metres per second.
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
    /// Satellites used in the fix.
    pub n_used: Option<u8>,
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

/// Merges in the order of arrival; later sentences win.
pub(super) fn fold<'a>(messages: impl Iterator<Item = &'a Message>) -> Epoch {
    let mut fold = Fold::default();
    for message in messages {
        fold.add(message);
    }
    fold.finish()
}

#[derive(Default)]
struct Fold {
    epoch: Epoch,
    used: Vec<(Constellation, u16)>,
    has_used_list: bool,
    gns_used: Option<u8>,
    gga_used: Option<u8>,
}

impl Fold {
    fn add(&mut self, message: &Message) {
        match message {
            Message::Gga(gga) => {
                self.epoch.quality = gga.quality;
                let has_fix = gga.quality.is_some_and(|quality| quality > 0);
                self.fix(has_fix, gga.position, gga.altitude_m);
                self.gga_used = gga.n_used;
                update(&mut self.epoch.hdop, gga.hdop);
                update(&mut self.epoch.geoid_separation_m, gga.geoid_separation_m);
            }
            Message::Gns(gns) => {
                self.fix(
                    gns.has_fix.unwrap_or(gns.position.is_some()),
                    gns.position,
                    gns.altitude_m,
                );
                self.gns_used = gns.n_used;
                update(&mut self.epoch.hdop, gns.hdop);
                update(&mut self.epoch.geoid_separation_m, gns.geoid_separation_m);
            }
            Message::Rmc(rmc) => {
                self.fix(rmc.is_valid == Some(true), rmc.position, None);
                update(&mut self.epoch.speed_mps, rmc.speed_mps);
                update(&mut self.epoch.course_deg, rmc.course_deg);
            }
            Message::Gll(gll) => self.fix(gll.is_valid == Some(true), gll.position, None),
            Message::Vtg(vtg) => {
                update(&mut self.epoch.speed_mps, vtg.speed_mps);
                update(&mut self.epoch.course_deg, vtg.course_deg);
            }
            Message::Gsa(gsa) => {
                self.has_used_list = true;
                self.used.extend(&gsa.used);
                update(&mut self.epoch.pdop, gsa.pdop);
                update(&mut self.epoch.hdop, gsa.hdop);
                update(&mut self.epoch.vdop, gsa.vdop);
                // With an altitude in hand a GSA of two dimensions changes nothing: engines of this family print `2` in
                // single epochs of a steady 3D fix, and gpsd holds 3D then, too.
                match gsa.mode {
                    Some(1) => self.epoch.mode = FixMode::None,
                    Some(2) if self.epoch.altitude_m.is_none() => self.epoch.mode = FixMode::TwoD,
                    Some(3) => self.epoch.mode = FixMode::ThreeD,
                    _ => {}
                }
            }
            Message::Gsv(gsv) => {
                self.epoch
                    .satellites
                    .get_or_insert_default()
                    .extend(&gsv.satellites);
            }
            Message::Gst(gst) => {
                update(&mut self.epoch.horizontal_error_m, gst.horizontal_error_m);
                update(&mut self.epoch.vertical_error_m, gst.vertical_error_m);
            }
            Message::Pqxfi(pqxfi) => {
                update(&mut self.epoch.horizontal_error_m, pqxfi.horizontal_error_m);
                update(&mut self.epoch.vertical_error_m, pqxfi.vertical_error_m);
            }
            Message::Zda(_) => {}
        }
    }

    /// A sentence with a position told whether there is a fix.
    fn fix(&mut self, has_fix: bool, position: Option<Position>, altitude_m: Option<f64>) {
        if !has_fix || position.is_none() {
            self.epoch.mode = FixMode::None;
            return;
        }
        self.epoch.position = position;
        update(&mut self.epoch.altitude_m, altitude_m);
        // Position sentences do not tell two from three dimensions; an altitude does.
        let at_least = if self.epoch.altitude_m.is_some() {
            FixMode::ThreeD
        } else {
            FixMode::TwoD
        };
        self.epoch.mode = self.epoch.mode.max(at_least);
    }

    fn finish(mut self) -> Epoch {
        self.used.sort_unstable();
        self.used.dedup();
        let listed = u8::try_from(self.used.len())
            .ok()
            .filter(|_| self.has_used_list);
        self.epoch.n_used = listed.or(self.gns_used).or(self.gga_used);
        if let Some(satellites) = &mut self.epoch.satellites {
            for satellite in satellites {
                let key = satellite
                    .number
                    .map(|number| (satellite.constellation, number));
                satellite.is_used = key.is_some_and(|key| self.used.binary_search(&key).is_ok());
            }
        }
        if self.epoch.mode == FixMode::None {
            self.epoch.position = None;
            self.epoch.speed_mps = None;
            self.epoch.course_deg = None;
            self.epoch.horizontal_error_m = None;
            self.epoch.vertical_error_m = None;
        }
        if self.epoch.mode < FixMode::ThreeD {
            self.epoch.altitude_m = None;
        }
        self.epoch
    }
}

fn update<T: Copy>(slot: &mut Option<T>, value: Option<T>) {
    if value.is_some() {
        *slot = value;
    }
}
