//! Report by exception: a value is published when it moved, changed its kind, or long ago.

use std::collections::HashMap;
use std::time::Duration;

use tm_types::{Point, PointName, Reading};
use tokio::time::Instant;

use crate::channel::Channels;

/// When a good number counts as moved. Anything else that changes is always published.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Deadband {
    /// Every poll is published.
    None,
    /// Moved by at least this much, in the unit of the point; zero publishes every poll.
    Absolute(f64),
    /// Moved by at least this share of the last published value, in percent; zero publishes every poll.
    Percent(f64),
    /// Never by value: for what grows by itself, such as the uptime.
    Heartbeat,
}

/// A point of a poll with its rule.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Measured {
    /// What was read.
    pub(crate) point: Point,
    /// When it is worth a message.
    pub(crate) deadband: Deadband,
}

/// Remembers what was published, for every point of the service.
#[derive(Debug)]
pub(crate) struct Reporter {
    heartbeat: Duration,
    published: HashMap<PointName, (Reading, Instant)>,
}

impl Reporter {
    /// Publishes each point at least every `heartbeat`.
    pub(crate) fn new(heartbeat: Duration) -> Self {
        Self {
            heartbeat,
            published: HashMap::new(),
        }
    }

    /// The points of a poll made at `now` that are worth a message.
    pub(crate) fn worth_telling(
        &mut self,
        now: Instant,
        channels: &Channels,
        poll: Vec<Measured>,
    ) -> Vec<Point> {
        let mut told = Vec::with_capacity(poll.len());
        for Measured { point, deadband } in poll {
            let heartbeat = channels.heartbeat(&point.name).unwrap_or(self.heartbeat);
            let is_news = self
                .published
                .get(&point.name)
                .is_none_or(|(reading, since)| {
                    now.saturating_duration_since(*since) >= heartbeat
                        || moved(reading, &point.reading, deadband)
                });
            if is_news {
                self.published
                    .insert(point.name.clone(), (point.reading.clone(), now));
                told.push(point);
            }
        }
        told
    }
}

impl Reporter {
    /// Forgets a device that is read no more: what it says once it is back is news.
    pub(crate) fn forget(&mut self, device: &str) {
        self.published.retain(|name, _| {
            let rest = name.as_str().strip_prefix(device);
            !rest.is_some_and(|rest| rest.starts_with('/'))
        });
    }
}

/// Whether a reading differs from the published one by more than its deadband.
fn moved(published: &Reading, reading: &Reading, deadband: Deadband) -> bool {
    if published.quality() != reading.quality() || published.reason() != reading.reason() {
        return true;
    }
    // What is missing for the same reason as before is no news, however often it is asked for.
    if published.value().is_none() && reading.value().is_none() {
        return false;
    }
    let numbers = number(published).zip(number(reading));
    match (numbers, deadband) {
        (_, Deadband::None) => true,
        (None, _) => published != reading,
        (Some((old, new)), Deadband::Absolute(band)) => left(old, new, band),
        (Some((old, new)), Deadband::Percent(share)) => {
            let band = old.abs() * share / 100.0;
            left(old, new, band) && (share <= 0.0 || published != reading)
        }
        (Some(_), Deadband::Heartbeat) => false,
    }
}

/// Whether `new` is at least `band` away from `old`, forgiving the last bits: 21.7 is 0.2 from 21.5.
fn left(old: f64, new: f64, band: f64) -> bool {
    let rounding = 4.0 * f64::EPSILON * (old.abs() + new.abs());
    (new - old).abs() + rounding >= band
}

/// The number in a reading; a flag and a text are not one.
fn number(reading: &Reading) -> Option<f64> {
    match reading.value()? {
        tm_types::Value::Number(number) => Some(number.to_f64()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tm_types::{Reason, Unit, Value};

    fn check(deadband: Deadband, old: impl Into<Reading>, new: impl Into<Reading>, told: bool) {
        let (old, new) = (old.into(), new.into());
        let name = PointName::new("p").unwrap();
        let measured = |reading: &Reading| Measured {
            point: Point::gauge(name.clone(), Unit::NONE, reading.clone()),
            deadband,
        };
        let mut reporter = Reporter::new(Duration::from_mins(10));
        let start = Instant::now();
        assert_eq!(
            reporter
                .worth_telling(start, &Channels::default(), vec![measured(&old)])
                .len(),
            1
        );
        let later = start + Duration::from_secs(30);
        let got = reporter
            .worth_telling(later, &Channels::default(), vec![measured(&new)])
            .len();
        assert_eq!(got, usize::from(told), "{deadband:?}: {old:?} to {new:?}");
    }

    fn number(units: i64, scale: u8) -> Value {
        Value::decimal(units, scale).unwrap()
    }

    #[test]
    fn what_is_worth_a_message() {
        use Deadband::{Absolute, Heartbeat, None, Percent};
        check(None, 1, 1, true);
        let missing = || Reading::Missing(Reason::Timeout);
        check(None, missing(), missing(), false);
        check(None, missing(), Reading::Missing(Reason::NotPresent), true);
        check(Absolute(0.2), number(215, 1), number(216, 1), false);
        check(Absolute(0.2), number(215, 1), number(217, 1), true);
        check(Absolute(0.2), number(215, 1), number(212, 1), true);
        check(Absolute(0.0), 1, 1, true);
        check(Percent(5.0), 100, 104, false);
        check(Percent(5.0), 100, 105, true);
        check(Percent(5.0), 0, 0, false);
        check(Percent(5.0), 0, 1, true);
        check(Percent(0.0), 7, 7, true);
        check(Heartbeat, 1, 1_000_000, false);
        check(Absolute(1.0), true, true, false);
        check(Absolute(1.0), true, false, true);
    }

    #[test]
    fn a_change_of_quality_is_always_told() {
        let band = Deadband::Absolute(1000.0);
        check(band, 1, Reading::Missing(Reason::Timeout), true);
        check(band, Reading::Missing(Reason::Timeout), 1, true);
        check(
            band,
            Reading::Missing(Reason::Timeout),
            Reading::Missing(Reason::Timeout),
            false,
        );
        check(
            band,
            Reading::Missing(Reason::Timeout),
            Reading::Missing(Reason::NotPresent),
            true,
        );
        check(
            Deadband::Heartbeat,
            1,
            Reading::Missing(Reason::NotPresent),
            true,
        );
    }

    #[test]
    fn slow_creep_is_told_once_it_leaves_the_band_and_the_heartbeat_always() {
        let name = PointName::new("p").unwrap();
        let mut reporter = Reporter::new(Duration::from_mins(10));
        let start = Instant::now();
        let mut told = Vec::new();
        for i in 0..60_u32 {
            let point = Point::gauge(name.clone(), Unit::NONE, number(200 + i64::from(i), 2));
            let measured = Measured {
                point,
                deadband: Deadband::Absolute(0.25),
            };
            let now = start + Duration::from_secs(30) * i;
            if !reporter
                .worth_telling(now, &Channels::default(), vec![measured])
                .is_empty()
            {
                told.push(i);
            }
        }
        assert_eq!(
            told,
            [0, 20, 40],
            "0.2 a heartbeat stays inside the band of 0.25"
        );
    }
}
