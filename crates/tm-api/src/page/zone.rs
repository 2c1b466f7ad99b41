//! Local times: the zone of the device, told beside every time that is shown.

use jiff::tz::{Offset, TimeZone};
use tm_types::Timestamp;
use tm_types::text::Language;

const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 1440 * MINUTE_MS;
/// Spacings of the marks of a time axis that people count in, in minutes.
const SPACINGS_MIN: [i64; 15] = [
    1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440, 2880, 10_080, 43_200,
];

/// The zone times are shown in.
pub(super) struct Zone(TimeZone);

/// A mark of a time axis.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Mark {
    /// Place, percent of the width.
    pub(super) percent: f64,
    pub(super) text: String,
}

impl Zone {
    /// The zone of that name; UTC for a name nobody knows.
    pub(super) fn of(name: &str) -> Self {
        Self(TimeZone::get(name).unwrap_or(TimeZone::UTC))
    }

    fn offset(&self, time: Timestamp) -> Offset {
        let time = jiff::Timestamp::from_millisecond(time.unix_ms());
        // Every one of our timestamps is within the years that jiff knows.
        time.map_or(Offset::UTC, |time| self.0.to_offset(time))
    }

    /// How far local time is ahead of UTC, seconds.
    pub(super) fn offset_s(&self, time: Timestamp) -> i32 {
        self.offset(time).seconds()
    }

    /// `UTC+2`.
    pub(super) fn name(&self, time: Timestamp) -> String {
        let seconds = self.offset_s(time);
        if seconds == 0 {
            return "UTC".to_owned();
        }
        let sign = if seconds < 0 { '−' } else { '+' };
        let (hours, minutes) = (seconds.abs() / 3600, seconds.abs() / 60 % 60);
        if minutes == 0 {
            format!("UTC{sign}{hours}")
        } else {
            format!("UTC{sign}{hours}:{minutes:02}")
        }
    }

    fn local(&self, time: Timestamp) -> jiff::civil::DateTime {
        let moment = jiff::Timestamp::from_millisecond(time.unix_ms()).unwrap_or_default();
        self.offset(time).to_datetime(moment)
    }

    /// `18:04:12`.
    pub(super) fn clock(&self, time: Timestamp) -> String {
        let local = self.local(time);
        format!(
            "{:02}:{:02}:{:02}",
            local.hour(),
            local.minute(),
            local.second()
        )
    }

    /// `18:04`.
    pub(super) fn minute(&self, time: Timestamp) -> String {
        let local = self.local(time);
        format!("{:02}:{:02}", local.hour(), local.minute())
    }

    /// The date as the language writes it in figures.
    pub(super) fn date(&self, time: Timestamp, language: Language) -> String {
        let local = self.local(time);
        let (year, month, day) = (local.year(), local.month(), local.day());
        match language {
            Language::En => format!("{year:04}-{month:02}-{day:02}"),
            Language::Uk | Language::Ru => format!("{day:02}.{month:02}.{year:04}"),
        }
    }

    /// The time of day, with the date before it when that is not today's.
    pub(super) fn moment(&self, time: Timestamp, now: Timestamp, language: Language) -> String {
        if self.local(time).date() == self.local(now).date() {
            self.minute(time)
        } else {
            format!("{} {}", self.date(time, language), self.minute(time))
        }
    }

    /// At most `most` marks between two moments, on round local times.
    pub(super) fn marks(&self, from: Timestamp, to: Timestamp, most: i64) -> Vec<Mark> {
        let span_ms = to.ms_since(from);
        if span_ms <= 0 {
            return Vec::new();
        }
        let fits = |spacing: &&i64| span_ms / (**spacing * MINUTE_MS) < most;
        let spacing = SPACINGS_MIN.iter().find(fits);
        let spacing_ms = spacing.map_or(span_ms / most.max(1), |spacing| spacing * MINUTE_MS);
        // Round in local time: the offset at the end counts for the whole axis.
        let ahead_ms = i64::from(self.offset_s(to)) * 1000;
        let first = (from.unix_ms() + ahead_ms).div_euclid(spacing_ms) + 1;
        let times = (first..).map(|n| Timestamp::of_unix_ms(n * spacing_ms - ahead_ms));
        times
            .take_while(|time| *time < to)
            .take(usize::try_from(most).unwrap_or(0) + 1)
            .map(|time| Mark {
                percent: percent(time.ms_since(from), span_ms),
                text: if spacing_ms >= DAY_MS {
                    let local = self.local(time);
                    format!("{:02}.{:02}", local.day(), local.month())
                } else {
                    self.minute(time)
                },
            })
            // Nearer to an end a text would leave the axis.
            .filter(|mark| (4.0..=96.0).contains(&mark.percent))
            .collect()
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a place on an axis, shown with one decimal"
)]
fn percent(part_ms: i64, whole_ms: i64) -> f64 {
    (part_ms as f64 / whole_ms as f64 * 1000.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn winter_summer_and_nonsense() {
        let cases = [
            ("Europe/Kyiv", "2026-11-22T10:00:05Z", "12:00:05", "UTC+2"),
            ("Europe/Kyiv", "2026-07-22T10:00:05Z", "13:00:05", "UTC+3"),
            (
                "Asia/Kolkata",
                "2026-07-22T20:00:05Z",
                "01:30:05",
                "UTC+5:30",
            ),
            (
                "America/New_York",
                "2026-11-22T10:00:05Z",
                "05:00:05",
                "UTC−5",
            ),
            ("UTC", "2026-11-22T10:00:05Z", "10:00:05", "UTC"),
            ("Mars/Olympus", "2026-11-22T10:00:05Z", "10:00:05", "UTC"),
            ("", "2026-11-22T10:00:05Z", "10:00:05", "UTC"),
        ];
        for (name, time, clock, told) in cases {
            let zone = Zone::of(name);
            assert_eq!(zone.clock(at(time)), clock, "{name}");
            assert_eq!(zone.name(at(time)), told, "{name}");
        }
        for ms in [i64::MIN, i64::MAX] {
            let extreme = Timestamp::of_unix_ms(ms);
            for name in ["Europe/Kyiv", "UTC"] {
                assert_eq!(Zone::of(name).clock(extreme).len(), 8, "{extreme}");
            }
        }
    }

    #[test]
    fn dates_as_each_language_writes_them() {
        let zone = Zone::of("Europe/Kyiv");
        let (late, now) = (at("2026-11-22T23:00:00Z"), at("2026-11-23T09:30:00Z"));
        assert_eq!(zone.date(late, Language::En), "2026-11-23");
        assert_eq!(zone.date(late, Language::Uk), "23.11.2026");
        assert_eq!(zone.moment(late, now, Language::Ru), "01:00");
        let yesterday = at("2026-11-22T09:00:00Z");
        assert_eq!(
            zone.moment(yesterday, now, Language::Ru),
            "22.11.2026 11:00"
        );
    }

    #[test]
    fn marks_stand_on_round_local_times() {
        let check = |zone: &str, from: &str, to: &str, most, expected: &[(f64, &str)]| {
            let marks = Zone::of(zone).marks(at(from), at(to), most);
            let found: Vec<(f64, &str)> = marks
                .iter()
                .map(|mark| (mark.percent, &*mark.text))
                .collect();
            assert_eq!(found, expected, "{zone} {from} {to}");
        };
        let hour = ("2026-11-22T09:04:00Z", "2026-11-22T10:04:00Z");
        let quarters = [
            (18.3, "11:15"),
            (43.3, "11:30"),
            (68.3, "11:45"),
            (93.3, "12:00"),
        ];
        check("Europe/Kyiv", hour.0, hour.1, 5, &quarters);
        let half = [(43.3, "15:00"), (93.3, "15:30")];
        check("Asia/Kolkata", hour.0, hour.1, 3, &half);
        let day = ("2026-11-21T10:00:00Z", "2026-11-22T10:00:00Z");
        let thirds = [(25.0, "18:00"), (50.0, "00:00"), (75.0, "06:00")];
        check("Europe/Kyiv", day.0, day.1, 5, &thirds);
        let week = ("2026-11-15T10:00:00Z", "2026-11-22T10:00:00Z");
        check(
            "UTC",
            week.0,
            week.1,
            4,
            &[(22.6, "17.11"), (51.2, "19.11"), (79.8, "21.11")],
        );
        check("UTC", week.1, week.0, 4, &[]);
        check("UTC", week.0, week.0, 4, &[]);
        let ages = Zone::of("UTC").marks(Timestamp::of_unix_ms(i64::MIN), at(week.0), 5);
        assert!(ages.len() <= 6);
    }
}
