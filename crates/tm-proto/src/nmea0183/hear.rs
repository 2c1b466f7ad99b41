//! What sentences mean, each after all that was said before.

use std::mem;

use super::{
    epoch::{Epoch, FixMode},
    field::TimeOfDay,
    fix::{Gga, Gll, Gns, Rmc, Vtg, Zda},
    live::Live,
    message::Message,
    sky::Gsa,
    view::Weight,
};

/// What a sentence says.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// Its time of day.
    pub(super) time: Option<TimeOfDay>,
    /// The receiver does not know the time: this is told at once, for no cycle can be seen.
    pub(super) is_timeless: bool,
    /// The mode of the fix.
    pub(super) mode: Option<FixMode>,
    /// Its values.
    pub(super) values: Epoch,
    /// It adds to the epoch, although it says nothing about the fix.
    pub(super) is_news: bool,
    /// What gpsd would show of it beside the fix.
    pub(super) shown: Option<Shown>,
}

/// What gpsd shows beside the fix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    /// Dilutions of precision.
    Dilutions,
    /// A complete picture of the satellites in view.
    Satellites,
}

impl Said {
    /// Whether it says where, or that there is no fix.
    pub(super) fn is_fix(&self) -> bool {
        self.mode.is_some() || self.values.position.is_some()
    }
}

impl Live {
    /// What a sentence means, after all that was said before it.
    pub(super) fn hear(&mut self, talker: &str, message: &Message) -> Said {
        let said = match message {
            Message::Gga(gga) => self.hear_gga(talker, gga),
            Message::Gns(gns) => self.hear_gns(gns),
            Message::Rmc(rmc) => self.hear_rmc(rmc),
            Message::Gll(gll) => self.hear_gll(gll),
            Message::Gsa(gsa) => self.hear_gsa(talker, gsa),
            Message::Zda(zda) => self.hear_zda(zda),
            Message::Vtg(vtg) => hear_vtg(vtg),
            Message::Gsv(gsv) => Said {
                shown: self.view.on_gsv(talker, gsv).then_some(Shown::Satellites),
                ..Said::default()
            },
            Message::Gst(gst) => Said {
                is_news: true,
                ..errors(gst.horizontal_error_m, gst.vertical_error_m)
            },
            Message::Gbs(gbs) => Said {
                time: gbs.time,
                is_news: true,
                ..errors(gbs.horizontal_error_m, gbs.vertical_error_m)
            },
            Message::Pqxfi(pqxfi) => errors(pqxfi.horizontal_error_m, pqxfi.vertical_error_m),
            Message::Pgrmz(pgrmz) => Said {
                mode: mode(pgrmz.mode),
                values: Epoch {
                    altitude_m: pgrmz.altitude_m,
                    ..Epoch::default()
                },
                is_news: true,
                ..Said::default()
            },
        };
        if let Some(mode) = said.mode {
            self.mode = mode;
        }
        said
    }

    fn hear_gga(&mut self, talker: &str, gga: &Gga) -> Said {
        let mut said = Said {
            time: gga.time,
            ..Said::default()
        };
        if gga.time.is_none() && gga.quality == Some(0) {
            self.lose_time();
        }
        let (last_talker, last_time) =
            mem::replace(&mut self.last_gga, (talker.to_owned(), gga.time));
        // Some receivers print one GGA a system.
        let is_other = !last_talker.is_empty() && last_talker != talker;
        self.is_stuck = !is_other && last_time == gga.time;
        self.n_claimed = gga.n_used;
        let n_used = gga.n_used.unwrap_or_default();
        // Without GSA the number of satellites tells how good the fix is.
        let is_short = n_used < 3 && matches!(talker, "GP" | "GN") || gga.quality == Some(0);
        let mode = match gga.position {
            None => FixMode::None,
            Some(_) if is_short => FixMode::None,
            Some(_) if gga.altitude_m.is_some() && n_used >= 4 => FixMode::ThreeD,
            Some(_) => FixMode::TwoD,
        };
        said.mode = Some(mode);
        said.values.hdop = gga.hdop;
        said.shown = gga.hdop.map(|_| Shown::Dilutions);
        said.values.quality = gga.quality;
        said.values.position = gga.position;
        if gga.position.is_some() {
            said.values.altitude_m = gga.altitude_m;
            said.values.geoid_separation_m = gga.geoid_separation_m;
        }
        said
    }

    fn hear_gns(&mut self, gns: &Gns) -> Said {
        let mut said = Said {
            time: gns.time,
            ..Said::default()
        };
        if gns.has_fix != Some(true) {
            said.mode = Some(FixMode::None);
            return said;
        }
        if !gns.is_safe {
            return said;
        }
        self.n_claimed = gns.n_used;
        let has_altitude = gns.altitude_m.is_some() && gns.n_used.is_some_and(|n| n > 3);
        said.mode = Some(match gns.position {
            None => FixMode::None,
            Some(_) if has_altitude => FixMode::ThreeD,
            Some(_) => FixMode::TwoD,
        });
        said.values.hdop = gns.hdop;
        said.shown = gns.hdop.map(|_| Shown::Dilutions);
        said.values.position = gns.position;
        if gns.position.is_some() {
            said.values.altitude_m = gns.altitude_m;
            said.values.geoid_separation_m = gns.geoid_separation_m;
        }
        said
    }

    fn hear_rmc(&mut self, rmc: &Rmc) -> Said {
        let mut said = Said::default();
        if rmc.is_valid != Some(true) {
            // Receivers give nonsense for the time while the fix is invalid.
            if !rmc.has_time {
                self.lose_time();
                said.is_timeless = true;
            }
            said.mode = Some(FixMode::None);
            return said;
        }
        if let (Some(time), Some(date)) = (rmc.time, rmc.date) {
            self.dates.learn(date, time);
            said.time = Some(time);
        }
        said.values.position = rmc.position;
        said.values.speed_mps = rmc.speed_mps;
        said.values.course_deg = rmc.course_deg;
        let is_three = self.last.mode == FixMode::ThreeD
            || self.n_listed() > 3
            || self.fix.altitude_m.is_some();
        said.mode = Some(match rmc.position {
            _ if self.n_listed() > 3 || self.fix.altitude_m.is_some() => FixMode::ThreeD,
            None => FixMode::None,
            Some(_) if is_three => FixMode::ThreeD,
            Some(_) => FixMode::TwoD,
        });
        said
    }

    fn hear_gll(&mut self, gll: &Gll) -> Said {
        let mut said = Said {
            time: gll.time,
            ..Said::default()
        };
        let position = gll.position.filter(|_| gll.is_valid == Some(true));
        said.values.position = position;
        let has_altitude = self.before.altitude_m.is_some();
        said.mode = Some(match position {
            None => FixMode::None,
            Some(_) if self.fix.altitude_m.is_some() || self.n_listed() > 3 => FixMode::ThreeD,
            Some(_) if self.fix.mode < FixMode::TwoD || !has_altitude => FixMode::TwoD,
            Some(_) => self.mode,
        });
        said
    }

    fn hear_gsa(&mut self, talker: &str, gsa: &Gsa) -> Said {
        let mut said = Said::default();
        if self.is_stuck {
            return said;
        }
        let mode = mode(gsa.mode);
        (said.values.pdop, said.values.hdop, said.values.vdop) = (gsa.pdop, gsa.hdop, gsa.vdop);
        match self.view.on_gsa(talker, gsa) {
            Weight::None => {}
            Weight::Mode => said.mode = mode.or(Some(self.mode)),
            Weight::All => {
                said.mode = mode;
                let dilution = gsa.pdop.or(gsa.hdop).or(gsa.vdop);
                said.shown = dilution.map(|_| Shown::Dilutions);
                said.is_news = true;
            }
        }
        said
    }

    fn hear_zda(&mut self, zda: &Zda) -> Said {
        let (Some(time), Some(date)) = (zda.time, zda.date) else {
            return Said::default();
        };
        self.dates.learn(date, time);
        Said {
            time: Some(time),
            ..Said::default()
        }
    }

    fn lose_time(&mut self) {
        self.dates.forget();
        self.cycle.lose_time();
    }

    fn n_listed(&self) -> usize {
        self.view.n_listed().unwrap_or_default()
    }
}

fn mode(number: Option<u8>) -> Option<FixMode> {
    match number {
        Some(1) => Some(FixMode::None),
        Some(2) => Some(FixMode::TwoD),
        Some(3) => Some(FixMode::ThreeD),
        _ => None,
    }
}

fn errors(horizontal_error_m: Option<f64>, vertical_error_m: Option<f64>) -> Said {
    Said {
        values: Epoch {
            horizontal_error_m,
            vertical_error_m,
            ..Epoch::default()
        },
        ..Said::default()
    }
}

fn hear_vtg(vtg: &Vtg) -> Said {
    Said {
        values: Epoch {
            speed_mps: vtg.speed_mps,
            course_deg: vtg.course_deg,
            ..Epoch::default()
        },
        is_news: vtg.speed_mps.is_some() || vtg.course_deg.is_some(),
        ..Said::default()
    }
}
