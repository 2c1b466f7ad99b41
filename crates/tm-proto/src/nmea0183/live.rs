//! What a receiver says now, sentence by sentence.
//!
//! The rules are gpsd's (its `drivers/driver_nmea0183.c`, seen through its recorded logs): what is known of an instant
//! is cleared when the time changes and then grows; three dimensions, which RMC and GLL do not tell, are held as long as
//! there is an altitude and nobody denies the fix.

use std::mem;

use super::{
    cycle::{Cycle, SAME_MS},
    dates::Dates,
    epoch::{Epoch, FixMode},
    field::{Position, TimeOfDay},
    frame::Sentence,
    hear::{Said, Shown},
    message::Message,
    view::View,
};
use crate::calendar::Date;

/// The state of a receiver.
#[derive(Debug)]
pub(super) struct Live {
    pub(super) cycle: Cycle,
    pub(super) dates: Dates,
    pub(super) view: View,
    /// Of the present stamp.
    pub(super) fix: Epoch,
    /// As of the last sentence that had time and date.
    pub(super) last: Epoch,
    /// The last one of the stamp before.
    pub(super) before: Epoch,
    /// The mode that was said last.
    pub(super) mode: FixMode,
    /// Satellites used, by the last GGA or GNS.
    pub(super) n_claimed: Option<u8>,
    /// Talker and time of the last GGA.
    pub(super) last_gga: (String, Option<TimeOfDay>),
    /// GGA repeats a time: the receiver is stuck, and its GSA means nothing.
    pub(super) is_stuck: bool,
    /// Satellites or dilutions were told and not yet shown.
    is_view_due: bool,
}

/// What a sentence made of the state.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// What is known, at the moments when it is worth telling.
    pub(super) epoch: Option<Epoch>,
    /// Satellites used as gpsd shows them, whenever it does.
    pub(super) n_used_shown: Option<u8>,
    /// The time in the sentence.
    pub(super) time: Option<TimeOfDay>,
    /// The sentence is of a kind that has a time.
    pub(super) is_timed: bool,
    /// The sentence said whether there is a fix.
    pub(super) is_mode: bool,
}

impl Live {
    pub(super) fn new(floor: Date) -> Self {
        Self {
            cycle: Cycle::default(),
            dates: Dates::new(floor),
            view: View::default(),
            fix: Epoch::default(),
            last: Epoch::default(),
            before: Epoch::default(),
            mode: FixMode::None,
            n_claimed: None,
            last_gga: (String::new(), None),
            is_stuck: false,
            is_view_due: false,
        }
    }

    /// Takes in a sentence.
    pub(super) fn take(&mut self, sentence: &Sentence) -> Told {
        let address = sentence.address();
        let (talker, formatter) = address.split_at_checked(2).unwrap_or_default();
        self.view.on_sentence(formatter);
        let message = Message::parse(sentence);
        let said = message
            .as_ref()
            .map_or_else(Said::default, |message| self.hear(talker, message));
        if matches!(&message, Some(Message::Gsv(gsv)) if gsv.number < gsv.n_parts) {
            return Told::default();
        }
        let kind = message.as_ref().map(mem::discriminant);
        let is_trailing = matches!(message, Some(Message::Gll(_)));
        let is_news = said.is_news || said.shown.is_some() || said.is_fix();
        let place = self.cycle.place(kind, said.time, is_news, is_trailing);
        let mode = said.mode.map(|mode| self.hold(mode));
        if place.is_first {
            self.fix = Epoch::default();
        }
        self.merge(&said, mode);
        let is_eager = !self.cycle.is_learned() && said.is_fix();
        let is_told = place.is_last || said.is_timeless || is_eager;
        Told {
            n_used_shown: self.show(&said, is_told),
            epoch: is_told.then(|| self.epoch()),
            time: said.time,
            is_timed: message.as_ref().is_some_and(Message::is_timed),
            is_mode: said.mode.is_some(),
        }
    }

    /// What is known now, without the satellites in view.
    pub(super) fn epoch(&self) -> Epoch {
        let listed = self.view.n_listed().and_then(|n| u8::try_from(n).ok());
        Epoch {
            n_used: listed.or(self.n_claimed),
            ..self.fix.clone()
        }
        .limited_by_mode()
    }

    /// The satellites in view, if the epoch has some already or new ones were told.
    pub(super) fn complete(&mut self, epoch: &mut Epoch) {
        if self.view.take_fresh() || epoch.satellites.is_some() {
            epoch.satellites = Some(self.view.satellites());
        }
    }

    /// gpsd holds three dimensions as long as an altitude is known and nobody denies the fix.
    fn hold(&mut self, mode: FixMode) -> FixMode {
        let has_altitude = self.last.altitude_m.is_some() || self.before.altitude_m.is_some();
        if self.fix.mode == FixMode::ThreeD && mode != FixMode::None && has_altitude {
            self.mode = FixMode::ThreeD;
        }
        self.mode
    }

    fn merge(&mut self, said: &Said, mode: Option<FixMode>) {
        if let Some(time) = said.time {
            let dated = self.dates.at(time);
            self.fix.time_of_day_ms = Some(time);
            self.fix.date = dated.map(|(date, _)| date);
            self.fix.is_date_corrected = dated.is_some_and(|(_, is_corrected)| is_corrected);
        }
        if said.is_timeless {
            (self.fix.time_of_day_ms, self.fix.date) = (None, None);
        }
        self.fix.update(&said.values);
        if let Some(mode) = mode {
            self.fix.mode = mode;
        }
        let Some(now_ms) = self.fix.unix_ms() else {
            return;
        };
        if self
            .last
            .unix_ms()
            .is_none_or(|last| (now_ms - last).abs() >= i64::from(SAME_MS))
        {
            self.before = self.last.clone();
        }
        if self.fix.speed_mps.is_none() {
            self.fix.speed_mps = speed(&self.before, &self.fix);
        }
        self.last = self.fix.clone();
    }

    /// Dilutions and satellites are shown with the sentence that has them, and with the next report.
    fn show(&mut self, said: &Said, is_told: bool) -> Option<u8> {
        let is_new = said.shown.is_some();
        let is_due = is_new || (is_told && self.is_view_due);
        self.is_view_due = !is_told && (is_new || self.is_view_due);
        if !is_due {
            return None;
        }
        if said.shown == Some(Shown::Satellites) {
            return u8::try_from(self.view.n_used_in_view()).ok();
        }
        self.n_claimed.filter(|n| *n > 0)
    }
}

/// Speed over ground between two fixes.
fn speed(before: &Epoch, now: &Epoch) -> Option<f64> {
    let passed_ms = u32::try_from(now.unix_ms()? - before.unix_ms()?).ok()?;
    let seconds = f64::from(passed_ms) / 1000.0;
    let has_fixes = before.mode > FixMode::None && now.mode > FixMode::None;
    let distance_m = Position::distance_m(before.position?, now.position?);
    (has_fixes && passed_ms > 0).then(|| (distance_m / seconds * 1000.0).round() / 1000.0)
}
