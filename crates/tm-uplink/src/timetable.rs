//! Which profile is in force at which time of the week: `22:00-06:00 thrifty; Mo-Fr 08:00-17:00 live`.

use std::str::FromStr;

use tm_service::metering::LocalTime;

use crate::profile::Profile;

const DAYS: [&str; 7] = ["Mo", "Tu", "We", "Th", "Fr", "Sa", "Su"];
const EVERY_DAY: u8 = 0b0111_1111;
const DAY_MINUTES: u16 = 24 * 60;

/// The windows in the order of writing; where two overlap, the later one counts.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Timetable(Vec<Window>);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Window {
    /// On which days it begins, bit 0 for Monday.
    days: u8,
    /// Minute of the day.
    from: u16,
    /// Minute after the last one; not later than `from` when it is on the next day.
    to: u16,
    profile: Profile,
}

impl Timetable {
    /// The profile of that time; nothing outside all windows.
    pub(crate) fn at(&self, now: LocalTime) -> Option<Profile> {
        let windows = self.0.iter().rev();
        let mut windows = windows.filter(|window| window.contains(now));
        windows.next().map(|window| window.profile)
    }
}

impl Window {
    fn contains(self, now: LocalTime) -> bool {
        let begins_on = |day: u8| self.days & (1 << day) != 0;
        let today = begins_on(now.weekday % 7);
        if self.from < self.to {
            return today && (self.from..self.to).contains(&now.minute);
        }
        // Over midnight: what began yesterday lasts into today.
        let yesterday = begins_on((now.weekday + 6) % 7);
        today && now.minute >= self.from || yesterday && now.minute < self.to
    }
}

impl FromStr for Timetable {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let windows = text.split(';').map(str::trim);
        windows
            .filter(|window| !window.is_empty())
            .map(str::parse)
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

impl FromStr for Window {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let (days, hours, profile) = match words[..] {
            [hours, profile] => (EVERY_DAY, hours, profile),
            [days, hours, profile] => (days_of(days)?, hours, profile),
            _ => return Err(()),
        };
        let (from, to) = hours.split_once('-').ok_or(())?;
        let window = Self {
            days,
            from: minute_of(from)?,
            to: minute_of(to)?,
            profile: profile.parse()?,
        };
        let is_window = window.from != window.to && window.from < DAY_MINUTES;
        is_window.then_some(window).ok_or(())
    }
}

/// `Mo`, `Mo-Fr`, `Sa-Mo`, `Mo,We,Fr-Su`.
fn days_of(text: &str) -> Result<u8, ()> {
    let number = |name: &str| DAYS.iter().position(|day| *day == name).ok_or(());
    let mut days = 0;
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (mut day, last) = (number(first)?, number(last)?);
        days |= 1 << last;
        while day != last {
            days |= 1 << day;
            day = (day + 1) % DAYS.len();
        }
    }
    Ok(days)
}

/// `00:00` to `24:00`.
fn minute_of(text: &str) -> Result<u16, ()> {
    let number = |digits: &str| {
        let is_number = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| digits.parse().ok()).flatten().ok_or(())
    };
    let (hours, minutes) = text.split_once(':').ok_or(())?;
    let (hours, minutes): (u16, u16) = (number(hours)?, number(minutes)?);
    let minute = hours * 60 + minutes;
    (minutes < 60 && minute <= DAY_MINUTES)
        .then_some(minute)
        .ok_or(())
}

#[cfg(test)]
mod tests {
    use tm_service::config::{Environment, Report, Settings};

    use super::*;
    use crate::config::Config;

    fn at(timetable: &str, day: &str, time: &str) -> Option<Profile> {
        let weekday = DAYS.iter().position(|name| *name == day).unwrap();
        let now = LocalTime {
            weekday: u8::try_from(weekday).unwrap(),
            minute: minute_of(time).unwrap(),
        };
        timetable.parse::<Timetable>().unwrap().at(now)
    }

    #[test]
    fn a_time_is_in_a_window_or_in_none() {
        use Profile::{Balanced, Live, Thrifty};
        let usual = "22:00-06:00 thrifty; Mo-Fr 08:00-17:00 live";
        let odd = "Fr 23:00-01:00 live;Sa,We-Th 00:00-24:00 thrifty;Su-Mo 10:00-11:00 balanced;";
        for (timetable, day, time, expected) in [
            (usual, "Mo", "07:59", None),
            (usual, "Mo", "08:00", Some(Live)),
            (usual, "Fr", "16:59", Some(Live)),
            (usual, "Fr", "17:00", None),
            (usual, "Sa", "12:00", None),
            (usual, "Sa", "22:00", Some(Thrifty)),
            (usual, "Su", "05:59", Some(Thrifty)),
            (usual, "Su", "06:00", None),
            (odd, "Fr", "22:59", None),
            (odd, "Fr", "23:00", Some(Live)),
            (odd, "Fr", "00:30", None),
            // Both are there; the later one counts.
            (odd, "Sa", "00:30", Some(Thrifty)),
            (odd, "Th", "23:59", Some(Thrifty)),
            (odd, "Tu", "12:00", None),
            (odd, "Mo", "10:30", Some(Balanced)),
            (odd, "Su", "10:30", Some(Balanced)),
            ("Su 20:00-04:00 live", "Mo", "03:59", Some(Live)),
            ("Su 20:00-04:00 live", "Su", "03:59", None),
            ("", "Mo", "12:00", None),
        ] {
            assert_eq!(
                at(timetable, day, time),
                expected,
                "{timetable}: {day} {time}"
            );
        }
    }

    #[test]
    fn a_wrong_text_is_reported_and_none_is_in_force() {
        let environment = Environment::default().with("TM_UPLINK_SCHEDULE", "at night: thrifty");
        let mut report = Report::new();
        let config = Config::load("TM_UPLINK_", &environment, &mut report);
        assert_eq!(config.schedule, Timetable::default());
        let finding = &report.findings()[0];
        assert_eq!(finding.args["name"], "TM_UPLINK_SCHEDULE");
        assert!(finding.args["expected"].contains("22:00-06:00 thrifty"));
    }

    #[test]
    fn what_is_no_timetable_is_refused() {
        for text in [
            "thrifty",
            "22:00 thrifty",
            "22:00-06:00",
            "22:00-06:00 slow",
            "22:00-22:00 live",
            "24:00-06:00 live",
            "22:00-24:01 live",
            "2:00-06:00 live",
            "+2:00-06:00 live",
            "22:60-23:00 live",
            "22-06 live",
            "Mon 22:00-06:00 live",
            "mo 22:00-06:00 live",
            "Mo- 22:00-06:00 live",
            ", 22:00-06:00 live",
            "Mo Fr 22:00-06:00 live",
            "22:00-06:00 thrifty, Mo 08:00-17:00 live",
        ] {
            assert_eq!(text.parse::<Timetable>(), Err(()), "{text}");
        }
    }
}
