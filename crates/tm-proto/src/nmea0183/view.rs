//! The satellites in view and those used, collected from groups of GSV and GSA.

use std::mem;

use super::{
    satellite::{Constellation, Satellite},
    sky::{Gsa, Gsv},
};

/// Most satellites kept, so that a babbling line stays bounded; five systems in three signals have fewer.
const MAX_SATELLITES: usize = 256;

/// Satellites as the last groups told them.
#[derive(Debug, Default)]
pub(super) struct View {
    satellites: Vec<Satellite>,
    /// Something was added since [`take_fresh`](Self::take_fresh).
    is_fresh: bool,
    /// Listed by GSA; absent until the first one.
    used: Option<Vec<(Constellation, u16)>>,
    /// Talker of the GSV or GSA just before, if the last sentence was one.
    gsv_before: Option<String>,
    gsa_before: Option<String>,
    /// Talker of the last group of GSV that ended a run of them.
    gsv_end: Option<String>,
    /// Somebody else than GP lists satellites in view (used): its groups alone are incomplete.
    has_other_gsv: bool,
    has_other_gsa: bool,
}

/// What a GSA means beside the numbers of its satellites.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Weight {
    /// Nothing: one of GP alone, which others repeat or correct.
    None,
    /// Its mode counts; the first of a group of GN.
    Mode,
    /// All of it.
    All,
}

impl View {
    /// A sentence came; runs of GSV and GSA end at any other.
    pub(super) fn on_sentence(&mut self, formatter: &str) {
        if formatter != "GSV"
            && let Some(talker) = self.gsv_before.take()
        {
            self.gsv_end = Some(talker);
        }
        if formatter != "GSA" {
            self.gsa_before = None;
        }
    }

    /// Adds satellites used. The first of a run, and one of the same single system, begins a new list.
    pub(super) fn on_gsa(&mut self, talker: &str, gsa: &Gsa) -> Weight {
        let is_same = self.gsa_before.as_deref() == Some(talker);
        let is_many = matches!(talker, "GN" | "PQ" | "GQ");
        let used = self.used.get_or_insert_default();
        if self.gsa_before.is_none() || (is_same && !is_many) {
            used.clear();
        }
        for key in &gsa.used {
            if !used.contains(key) && used.len() < MAX_SATELLITES {
                used.push(*key);
            }
        }
        self.has_other_gsa |= talker != "GP";
        let is_first_many = talker == "GN" && self.gsa_before.as_deref() != Some("GN");
        self.gsa_before = Some(talker.to_owned());
        match talker {
            "GP" if self.has_other_gsa => Weight::None,
            "GN" if is_first_many => Weight::Mode,
            _ => Weight::All,
        }
    }

    /// Adds satellites in view; whether a complete picture is there with them.
    pub(super) fn on_gsv(&mut self, talker: &str, gsv: &Gsv) -> bool {
        if gsv.number == 1 && self.gsv_before.is_none() {
            self.satellites.clear();
        }
        self.gsv_before = Some(talker.to_owned());
        for satellite in &gsv.satellites {
            self.see(*satellite);
        }
        self.mark_used();
        self.is_fresh = true;
        self.has_other_gsv |= talker != "GP";
        let has_place =
            |satellite: &Satellite| satellite.azimuth_deg.is_some_and(|azimuth| azimuth != 0);
        let is_partial =
            talker == "GP" && self.has_other_gsv && self.gsv_end.as_deref() != Some("GP");
        gsv.number >= gsv.n_parts && self.satellites.iter().any(has_place) && !is_partial
    }

    /// Satellites in view that are heard and used; one that is heard in two signals is two.
    pub(super) fn n_used_in_view(&self) -> usize {
        let is_counted = |satellite: &&Satellite| {
            satellite.is_used && satellite.cn0_dbhz.is_some_and(|cn0| cn0 > 0)
        };
        self.satellites.iter().filter(is_counted).count()
    }

    /// Satellites listed as used; absent when the receiver has no such list.
    pub(super) fn n_listed(&self) -> Option<usize> {
        self.used.as_ref().map(Vec::len)
    }

    /// Whether satellites in view were told since this was asked last.
    pub(super) fn take_fresh(&mut self) -> bool {
        mem::take(&mut self.is_fresh)
    }

    /// Satellites in view.
    pub(super) fn satellites(&mut self) -> Vec<Satellite> {
        self.mark_used();
        self.satellites.clone()
    }

    /// Known by system, number and signal: told twice (a part that begins a group was lost), the newer one stays.
    fn see(&mut self, satellite: Satellite) {
        let key = |satellite: &Satellite| {
            let number = satellite.number?;
            Some((satellite.constellation, number, satellite.signal))
        };
        let place = self
            .satellites
            .iter()
            .position(|other| key(other).is_some() && key(other) == key(&satellite));
        match place {
            Some(place) => self.satellites[place] = satellite,
            None if self.satellites.len() < MAX_SATELLITES => self.satellites.push(satellite),
            None => {}
        }
    }

    fn mark_used(&mut self) {
        for satellite in &mut self.satellites {
            let key = satellite
                .number
                .map(|number| (satellite.constellation, number));
            let used = self.used.as_deref().unwrap_or_default();
            satellite.is_used = key.is_some_and(|key| used.contains(&key));
        }
    }
}
