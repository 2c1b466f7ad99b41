//! Which day it is. Only RMC and ZDA say so, RMC without the century.

use super::field::TimeOfDay;
use crate::calendar::{Date, ROLLOVER_DAYS};

/// Half a day: time of day going back by more is midnight.
const HALF_DAY_MS: u32 = 43_200_000;

/// Remembers the date for the sentences that have a time only.
#[derive(Debug)]
pub(super) struct Dates {
    floor: Date,
    known: Option<(Date, TimeOfDay)>,
}

impl Dates {
    /// `floor`: a date that lies in the past for certain.
    pub(super) fn new(floor: Date) -> Self {
        Self { floor, known: None }
    }

    /// A sentence said the date.
    pub(super) fn learn(&mut self, date: Date, time: TimeOfDay) {
        self.known = Some((date, time));
    }

    /// The receiver does not know the time any more.
    pub(super) fn forget(&mut self) {
        self.known = None;
    }

    /// The date at a time of day, and whether it was moved over a rollover; nothing before the first date was told.
    pub(super) fn at(&mut self, time: TimeOfDay) -> Option<(Date, bool)> {
        let (date, before) = self.known?;
        let is_next_day = time < before && before - time > HALF_DAY_MS;
        let date = Date::from_unix_days(date.unix_days() + i64::from(is_next_day))?;
        self.known = Some((date, time));
        let missing_days = self.floor.unix_days() - date.unix_days();
        if missing_days <= 0 {
            return Some((date, false));
        }
        let periods = (missing_days + ROLLOVER_DAYS - 1) / ROLLOVER_DAYS;
        Some((
            Date::from_unix_days(date.unix_days() + periods * ROLLOVER_DAYS)?,
            true,
        ))
    }
}
