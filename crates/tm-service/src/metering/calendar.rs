//! Where days and billing months begin, by the clock on the wall.

use std::ops::Range;

use jiff::ToSpan;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use tm_types::Timestamp;

const EPOCH: Date = Date::constant(1970, 1, 1);

/// Where days and months begin.
#[derive(Debug)]
pub(super) struct Calendar {
    pub(super) zone: TimeZone,
    pub(super) billing_day: i8,
}

impl Calendar {
    /// The local day of that time.
    pub(super) fn day(&self, time: Timestamp) -> Date {
        self.zone.to_datetime(instant(time)).date()
    }

    /// The first day of that day's billing month.
    pub(super) fn month(&self, day: Date) -> Date {
        let first = day.first_of_month();
        let first = if day.day() >= self.billing_day {
            first
        } else {
            first.checked_sub(1.month()).unwrap_or(first)
        };
        first.with().day(self.billing_day).build().unwrap_or(first)
    }

    /// When the day of that number begins and ends here.
    pub(super) fn day_span(&self, number: i32) -> Option<Range<Timestamp>> {
        let day = date_of(number)?;
        Some(self.midnight(day)?..self.midnight(day.tomorrow().ok()?)?)
    }

    /// When the billing month whose first day has that number begins and ends here.
    pub(super) fn month_span(&self, number: i32) -> Option<Range<Timestamp>> {
        let first = date_of(number)?;
        let within_next = first.first_of_month().checked_add(1.month()).ok()?;
        let next = within_next.with().day(self.billing_day).build().ok()?;
        Some(self.midnight(first)?..self.midnight(next)?)
    }

    /// The clock on the wall at that time.
    pub(super) fn local(&self, time: Timestamp) -> LocalTime {
        let local = self.zone.to_datetime(instant(time));
        let minute = u16::from(local.hour().unsigned_abs()) * 60;
        LocalTime {
            weekday: local.weekday().to_monday_zero_offset().unsigned_abs(),
            minute: minute + u16::from(local.minute().unsigned_abs()),
        }
    }

    fn midnight(&self, day: Date) -> Option<Timestamp> {
        let midnight = day.to_zoned(self.zone.clone()).ok()?;
        Some(Timestamp::of_unix_ms(midnight.timestamp().as_millisecond()))
    }
}

/// What the clock on the wall shows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LocalTime {
    /// Day of the week, 0 for Monday to 6 for Sunday.
    pub weekday: u8,
    /// Minute of the day, 0 to 1439.
    pub minute: u16,
}

/// A date as it is kept: days since 1970-01-01.
pub(super) fn number_of(date: Date) -> i32 {
    date.since(EPOCH).map_or(0, |span| span.get_days())
}

fn date_of(number: i32) -> Option<Date> {
    EPOCH.checked_add(number.days()).ok()
}

fn instant(time: Timestamp) -> jiff::Timestamp {
    // Every one of our timestamps is within the years that jiff knows.
    jiff::Timestamp::from_millisecond(time.unix_ms()).unwrap_or_default()
}
