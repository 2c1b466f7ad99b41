//! A sentence that was understood.

use super::{
    errors::{Gbs, Gst, Pqxfi},
    field::{Fields, TimeOfDay},
    fix::{Gga, Gll, Gns, Rmc, Vtg, Zda},
    frame::Sentence,
    garmin::Pgrmz,
    sky::{Gsa, Gsv},
};

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
    /// Expected errors.
    Gbs(Gbs),
    /// Qualcomm: estimated errors.
    Pqxfi(Pqxfi),
    /// Garmin: altitude and mode.
    Pgrmz(Pgrmz),
}

impl Message {
    /// Reads a sentence; nothing for one that is not used here.
    pub fn parse(sentence: &Sentence) -> Option<Self> {
        let address = sentence.address();
        let fields = Fields::new(sentence.fields());
        match address {
            "PQXFI" => return Some(Self::Pqxfi(Pqxfi::read(&fields))),
            "PGRMZ" => return Some(Self::Pgrmz(Pgrmz::read(&fields))),
            _ => {}
        }
        if address.len() != 5 {
            return None;
        }
        let (talker, formatter) = address.split_at_checked(2)?;
        if fields.all().len() < n_fields(formatter) {
            return None;
        }
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
            "GBS" => Self::Gbs(Gbs::read(&fields)),
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
            Self::Gbs(gbs) => gbs.time,
            Self::Vtg(_) | Self::Gsa(_) | Self::Gsv(_) | Self::Pqxfi(_) | Self::Pgrmz(_) => None,
        }
    }

    /// Whether its kind tells when the fix was.
    pub(super) fn is_timed(&self) -> bool {
        matches!(
            self,
            Self::Gga(_) | Self::Gns(_) | Self::Rmc(_) | Self::Gll(_) | Self::Zda(_)
        )
    }
}

/// How many fields a sentence has at least, in the oldest version: one with fewer was cut short.
fn n_fields(formatter: &str) -> usize {
    match formatter {
        "GSA" => 17,
        "GGA" | "GNS" => 12,
        "RMC" | "GST" => 7,
        "GLL" | "GBS" => 6,
        "VTG" => 4,
        "GSV" | "ZDA" => 3,
        _ => 0,
    }
}
