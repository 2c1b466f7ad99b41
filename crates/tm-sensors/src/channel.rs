//! What a reading is held against before it is reported: limits, rates, standstill; and what is
//! drawn from it: minimum, mean and maximum, resets of counters.
//!
//! Pure, and the same for every driver.

mod book;
mod exact;

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use tm_types::{
    Cause, Decimal, Kind, Number, Point, PointName, Quality, Reading, Reason, Value, code,
};
use tokio::time::Instant;

pub(crate) use self::book::Book;
use crate::report::{Deadband, Measured};

/// The rules of one channel; without any, a reading passes as it is.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Rules {
    /// When it is worth a message, instead of what the driver says.
    pub(crate) deadband: Option<Deadband>,
    /// Published at least this often, instead of the service's heartbeat.
    pub(crate) heartbeat: Option<Duration>,
    /// Added to every number: the correction from a calibration, in the channel's unit.
    pub(crate) offset: Option<Decimal>,
    /// What a number is a multiple of, more than 0, in the channel's unit.
    pub(crate) resolution: Option<Decimal>,
    /// Below it a number is bad, `out_of_range`.
    pub(crate) min: Option<f64>,
    /// Above it a number is bad, `out_of_range`.
    pub(crate) max: Option<f64>,
    /// Moved faster than this, per second, a number is uncertain, `rate`.
    pub(crate) max_rate: Option<f64>,
    /// Exactly the same for longer than this, a value is uncertain, `stale`.
    pub(crate) stale: Option<Duration>,
    /// Minimum, mean and maximum of each such period are points of their own.
    pub(crate) aggregate: Option<Duration>,
    /// Its value names the device: another one is another device.
    pub(crate) is_identity: bool,
}

/// Every channel with rules, and what is remembered of it.
#[derive(Debug, Default)]
pub(crate) struct Channels {
    rules: Book,
    memories: HashMap<PointName, Memory>,
    /// What an earlier run saw last.
    kept: Kept,
}

/// Last values of counters and identities, kept over a restart.
pub(crate) type Kept = BTreeMap<PointName, Value>;

/// What is remembered of a channel.
#[derive(Debug, Default)]
struct Memory {
    /// The number that was last believed to be possible, and when.
    number: Option<(f64, Instant)>,
    /// The last value, and since when it has been the same.
    value: Option<(Value, Instant)>,
    /// The period that is being gathered.
    gathered: Option<Gathered>,
}

/// Good numbers of a period.
#[derive(Debug)]
struct Gathered {
    since: Instant,
    /// None before the first good number.
    extremes: Option<(Value, Value)>,
    sum: f64,
    n: u32,
}

impl Channels {
    /// Channels that go on from what an earlier run saw last.
    pub(crate) fn recalling(kept: Kept) -> Self {
        Self {
            kept,
            ..Self::default()
        }
    }

    /// The last values of those of these channels that count or name a device.
    pub(crate) fn kept<'a>(&self, channels: impl Iterator<Item = (&'a PointName, Kind)>) -> Kept {
        let last = |name: &PointName| {
            let memory = self.memories.get(name);
            let value = memory.and_then(|memory| Some(&memory.value.as_ref()?.0));
            value.or_else(|| self.kept.get(name)).cloned()
        };
        let is_identity = |name| self.rules.of(name).is_some_and(|rules| rules.is_identity);
        let kept = channels.filter(|(name, kind)| *kind == Kind::Counter || is_identity(name));
        kept.filter_map(|(name, _)| Some((name.clone(), last(name)?)))
            .collect()
    }

    /// Channels under these rules, from now on; what is remembered of those that are ruled as before stays.
    pub(crate) fn follow(&mut self, rules: &Book) {
        let old = std::mem::replace(&mut self.rules, rules.clone());
        self.memories
            .retain(|name, _| old.of(name) == rules.of(name));
    }

    /// The heartbeat of a channel, where it has its own.
    pub(crate) fn heartbeat(&self, name: &PointName) -> Option<Duration> {
        self.rules.of(name)?.heartbeat
    }

    /// Holds the points of a poll made at `now` against their rules and adds the points drawn from
    /// them; what happened meanwhile.
    pub(crate) fn judge(&mut self, now: Instant, poll: &mut Vec<Measured>) -> Vec<Cause> {
        let plain = Rules::default();
        let mut happened = Vec::new();
        let mut drawn = Vec::new();
        for measured in poll.iter_mut() {
            let rules = self.rules.of(&measured.point.name);
            if rules.is_none() && measured.point.kind != Kind::Counter {
                continue;
            }
            let rules = rules.unwrap_or(&plain);
            if !self.memories.contains_key(&measured.point.name) {
                let value = self.kept.get(&measured.point.name).cloned();
                let memory = Memory {
                    value: value.map(|value| (value, now)),
                    ..Memory::default()
                };
                self.memories.insert(measured.point.name.clone(), memory);
            }
            let Some(memory) = self.memories.get_mut(&measured.point.name) else {
                continue;
            };
            if let Some(deadband) = rules.deadband {
                measured.deadband = deadband;
            }
            let point = &mut measured.point;
            exact::adjust(rules, point);
            happened.extend(memory.compare(rules, point));
            memory.hold(now, rules, &mut point.reading);
            drawn.extend(memory.gather(now, rules, point));
        }
        poll.extend(drawn);
        happened
    }
}

impl Memory {
    /// Compares a good value with the one before: a counter that went back, another device.
    fn compare(&self, rules: &Rules, point: &Point) -> Option<Cause> {
        let (Reading::Good(value), Some((before, _))) = (&point.reading, &self.value) else {
            return None;
        };
        let what = if rules.is_identity && value != before {
            code::SENSORS_METER_SWAPPED
        } else if point.kind == Kind::Counter && is_less(value, before) {
            code::SENSORS_COUNTER_RESET
        } else {
            return None;
        };
        let cause = what.with("channel", &point.name);
        Some(cause.and("before", before).and("now", value))
    }

    /// Lowers the quality of a good value that breaks a rule.
    fn hold(&mut self, now: Instant, rules: &Rules, reading: &mut Reading) {
        let Reading::Good(value) = &*reading else {
            return;
        };
        let value = value.clone();
        let since = match &self.value {
            Some((before, since)) if *before == value => *since,
            _ => now,
        };
        let number = match &value {
            Value::Number(number) => Some(number.to_f64()),
            _ => None,
        };
        let is_outside = number.is_some_and(|number| {
            rules.min.is_some_and(|min| number < min) || rules.max.is_some_and(|max| number > max)
        });
        if is_outside {
            *reading = Reading::Bad(value, Reason::OutOfRange);
            return;
        }
        let is_too_fast = number.zip(self.number).zip(rules.max_rate).is_some_and(
            |((number, (before, at)), max_rate)| {
                let seconds = now.saturating_duration_since(at).as_secs_f64();
                (number - before).abs() > max_rate * seconds
            },
        );
        self.number = number.map(|number| (number, now)).or(self.number);
        self.value = Some((value.clone(), since));
        let is_stale = rules
            .stale
            .is_some_and(|stale| now.saturating_duration_since(since) > stale);
        if is_too_fast {
            *reading = Reading::Uncertain(value, Reason::Rate);
        } else if is_stale {
            *reading = Reading::Uncertain(value, Reason::Stale);
        }
    }

    /// Adds a good number to its period; at the end of the period, its points.
    fn gather(&mut self, now: Instant, rules: &Rules, point: &Point) -> Vec<Measured> {
        // A total or a condition has no mean.
        let Some(period) = rules.aggregate.filter(|_| point.kind == Kind::Gauge) else {
            return Vec::new();
        };
        let gathered = self.gathered.get_or_insert_with(|| Gathered::new(now));
        let mut points = Vec::new();
        if now.saturating_duration_since(gathered.since) >= period {
            points = gathered.points(point);
            *gathered = Gathered::new(now);
        }
        if point.reading.quality() == Quality::Good
            && let Some(value @ Value::Number(_)) = point.reading.value()
        {
            gathered.add(value);
        }
        points
    }
}

impl Gathered {
    fn new(since: Instant) -> Self {
        Self {
            since,
            extremes: None,
            sum: 0.0,
            n: 0,
        }
    }

    fn add(&mut self, value: &Value) {
        let (min, max) = match self.extremes.take() {
            None => (value.clone(), value.clone()),
            Some((min, max)) if is_less(value, &min) => (value.clone(), max),
            Some((min, max)) if is_less(&max, value) => (min, value.clone()),
            Some(extremes) => extremes,
        };
        self.extremes = Some((min, max));
        self.sum += value.to_f64().unwrap_or(0.0);
        self.n += 1;
    }

    /// `<name>-min`, `<name>-mean`, `<name>-max`; without a single good number, missing.
    fn points(&self, of: &Point) -> Vec<Measured> {
        let mean = (self.n > 0).then(|| self.sum / f64::from(self.n));
        // One place more than a single reading has.
        let scale = of.scale.map_or(6, |scale| scale.saturating_add(1).min(9));
        let mean = mean.and_then(|mean| format!("{mean:.*}", usize::from(scale)).parse().ok());
        let mean = mean.and_then(|mean: f64| Value::of_f64(mean).ok());
        let (min, max) = self.extremes.clone().unzip();
        let of_value = |what: &str, value: Option<Value>, scale: Option<u8>| {
            let name = PointName::new(&format!("{}-{what}", of.name)).ok()?;
            let reading = value.map_or(Reading::Missing(Reason::Stale), Reading::Good);
            let point = Point {
                scale,
                ..Point::gauge(name, of.unit.clone(), reading)
            };
            let deadband = Deadband::None;
            Some(Measured { point, deadband })
        };
        let points = [
            of_value("min", min, of.scale),
            of_value("mean", mean, of.scale.map(|_| scale)),
            of_value("max", max, of.scale),
        ];
        points.into_iter().flatten().collect()
    }
}

/// Whether a number is less than another, to the last digit.
fn is_less(value: &Value, other: &Value) -> bool {
    let (Value::Number(a), Value::Number(b)) = (value, other) else {
        return false;
    };
    if let (Number::Decimal(x), Number::Decimal(y)) = (a, b) {
        let at = |units: i64, by: u8| i128::from(units) * 10_i128.pow(by.into());
        return at(x.units(), y.scale()) < at(y.units(), x.scale());
    }
    a.to_f64() < b.to_f64()
}

#[cfg(test)]
mod tests {
    use tm_types::Unit;

    use super::*;

    fn number(text: &str) -> Value {
        match text.split_once('.') {
            None => Value::from(text.parse::<i64>().unwrap()),
            Some((whole, part)) => {
                let units = format!("{whole}{part}").parse().unwrap();
                Value::decimal(units, u8::try_from(part.len()).unwrap()).unwrap()
            }
        }
    }

    fn book(rules: impl IntoIterator<Item = (PointName, Rules)>) -> Book {
        let mut book = Book::default();
        for (name, rules) in rules {
            assert!(book.rule(name, rules));
        }
        book
    }

    fn shown(reading: &Reading) -> String {
        let value = reading.value().map_or("-".to_owned(), ToString::to_string);
        match reading.reason() {
            None => value,
            Some(reason) => format!("{value} {}", reason.as_str()),
        }
    }

    /// Polls of one channel at these seconds: the readings, and the codes of what happened.
    fn run(kind: Kind, rules: Rules, polls: &[(u64, &str)]) -> (Vec<String>, Vec<String>) {
        let name = PointName::new("m/x").unwrap();
        let mut channels = Channels::default();
        channels.follow(&book([(name.clone(), rules)]));
        let start = Instant::now();
        let (mut readings, mut codes) = (Vec::new(), Vec::new());
        for (second, text) in polls {
            let reading = match *text {
                "" => Reading::Missing(Reason::Timeout),
                text => Reading::Good(number(text)),
            };
            let mut poll = vec![Measured {
                point: Point {
                    kind,
                    scale: Some(1),
                    ..Point::gauge(name.clone(), Unit::NONE, reading)
                },
                deadband: Deadband::None,
            }];
            let happened = channels.judge(start + Duration::from_secs(*second), &mut poll);
            codes.extend(happened.iter().map(|cause| {
                format!(
                    "{} {}>{}",
                    cause.code, cause.args["before"], cause.args["now"]
                )
            }));
            readings.extend(poll.iter().map(|m| {
                let suffix = m.point.name.as_str().strip_prefix("m/x").unwrap();
                format!("{suffix}{}", shown(&m.point.reading))
            }));
        }
        (readings, codes)
    }

    fn check(rules: Rules, polls: &[(u64, &str)], expected: &[&str]) {
        assert_eq!(run(Kind::Gauge, rules, polls).0, expected);
    }

    #[test]
    fn limits_rates_and_standstill() {
        let limits = Rules {
            min: Some(-40.0),
            max: Some(85.0),
            ..Rules::default()
        };
        check(
            limits,
            &[(0, "-40"), (1, "-40.1"), (2, "85"), (3, "85.5"), (4, "")],
            &[
                "-40",
                "-40.1 out_of_range",
                "85",
                "85.5 out_of_range",
                "- timeout",
            ],
        );
        let rate = Rules {
            max_rate: Some(0.5),
            max: Some(100.0),
            ..Rules::default()
        };
        // A step that stays is believed at the second look; a missed poll leaves it more time.
        check(
            rate,
            &[
                (0, "20"),
                (10, "25"),
                (20, "31"),
                (30, "31"),
                (40, "900"),
                (50, "40"),
                (60, ""),
                (70, "50"),
            ],
            &[
                "20",
                "25",
                "31 rate",
                "31",
                "900 out_of_range",
                "40",
                "- timeout",
                "50",
            ],
        );
        let stale = Rules {
            stale: Some(Duration::from_mins(1)),
            ..Rules::default()
        };
        check(
            stale,
            &[(0, "5"), (60, "5"), (61, "5"), (70, "5.1"), (80, "5.1")],
            &["5", "5", "5 stale", "5.1", "5.1"],
        );
    }

    #[test]
    fn calibration_leaves_no_dust() {
        let rules = Rules {
            offset: Some(Decimal::new(-3, 1).unwrap()),
            ..Rules::default()
        };
        check(rules, &[(0, "21.5"), (1, "0.1")], &["21.2", "-0.2"]);
    }

    #[test]
    fn minimum_mean_and_maximum_of_a_period() {
        let rules = Rules {
            aggregate: Some(Duration::from_mins(1)),
            max: Some(50.0),
            ..Rules::default()
        };
        check(
            rules,
            &[(0, "10.1"), (20, "12"), (40, "99"), (60, "1"), (120, "")],
            &[
                "10.1",
                "12",
                "99 out_of_range",
                "1",
                "-min10.1",
                "-mean11.05",
                "-max12",
                "- timeout",
                "-min1",
                "-mean1",
                "-max1",
            ],
        );
    }

    #[test]
    fn what_an_earlier_run_saw_last_is_compared_too() {
        let counter = |name: &str, text: &str| Measured {
            point: Point {
                kind: Kind::Counter,
                ..Point::gauge(
                    PointName::new(name).unwrap(),
                    Unit::NONE,
                    Reading::Good(number(text)),
                )
            },
            deadband: Deadband::None,
        };
        let serial = Measured {
            point: Point {
                kind: Kind::State,
                ..counter("m/serial", "1").point
            },
            deadband: Deadband::None,
        };
        let identity = Rules {
            is_identity: true,
            ..Rules::default()
        };
        let rules = book([(serial.point.name.clone(), identity)]);
        let names =
            ["m/energy", "m/serial", "m/away", "m/plain"].map(|name| PointName::new(name).unwrap());
        let kinds = [Kind::Counter, Kind::State, Kind::Counter, Kind::Gauge];
        let keep = |channels: &Channels| channels.kept(names.iter().zip(kinds));
        let now = Instant::now();
        let mut channels = Channels::default();
        channels.follow(&rules);
        let plain = Measured {
            point: Point {
                kind: Kind::Gauge,
                ..counter("m/plain", "5").point
            },
            deadband: Deadband::None,
        };
        let mut poll = vec![
            counter("m/energy", "1000.5"),
            counter("m/away", "7"),
            serial,
            plain,
        ];
        assert_eq!(channels.judge(now, &mut poll), []);
        let kept = keep(&channels);
        assert_eq!(kept.len(), 3, "{kept:?}");
        let text = serde_json::to_string(&kept).unwrap();
        // Another run: the meter was changed for one that stands at 3; another device is away.
        let mut channels = Channels::recalling(serde_json::from_str(&text).unwrap());
        channels.follow(&rules);
        let mut poll = vec![counter("m/energy", "3"), counter("m/serial", "2")];
        let codes = channels
            .judge(now, &mut poll)
            .into_iter()
            .map(|cause| cause.code);
        assert_eq!(
            codes.collect::<Vec<_>>(),
            ["sensors.counter_reset", "sensors.meter_swapped"]
        );
        let kept = keep(&channels);
        assert_eq!(kept[&names[0]], number("3"));
        assert_eq!(kept[&names[2]], number("7"), "it may come back");
    }

    #[test]
    fn counters_go_back_only_with_an_event() {
        let polls = [
            (0, "9007199254740993"),
            (1, "9007199254740994"),
            (2, "9007199254740993"),
            (3, ""),
            (4, "5"),
            (5, "5"),
        ];
        let (_, codes) = run(Kind::Counter, Rules::default(), &polls);
        assert_eq!(
            codes,
            [
                "sensors.counter_reset 9007199254740994>9007199254740993",
                "sensors.counter_reset 9007199254740993>5",
            ]
        );
        let swapped = Rules {
            is_identity: true,
            ..Rules::default()
        };
        let (_, codes) = run(
            Kind::State,
            swapped,
            &[(0, "77"), (1, ""), (2, "77"), (3, "78")],
        );
        assert_eq!(codes, ["sensors.meter_swapped 77>78"]);
    }

    #[test]
    fn a_counter_has_no_minimum_even_under_the_rules_of_a_prefix() {
        let rules = Rules {
            aggregate: Some(Duration::from_mins(1)),
            ..Rules::default()
        };
        let (readings, _) = run(Kind::Counter, rules, &[(0, "5"), (60, "6")]);
        assert_eq!(readings, ["5", "6"]);
    }

    #[test]
    fn without_rules_nothing_is_touched() {
        check(
            Rules::default(),
            &[(0, "1"), (1, "1000000")],
            &["1", "1000000"],
        );
    }

    #[test]
    fn another_map_forgets_only_what_is_ruled_otherwise() {
        let names = ["kept", "changed", "gone"].map(|name| PointName::new(name).unwrap());
        let rules = |max: f64| Rules {
            max_rate: Some(max),
            ..Rules::default()
        };
        let [kept, changed, gone] = &names;
        let mut channels = Channels::default();
        channels.follow(&book(names.clone().map(|name| (name, rules(1.0)))));
        for name in &names {
            channels.memories.insert(name.clone(), Memory::default());
        }
        channels.follow(&book([
            (kept.clone(), rules(1.0)),
            (changed.clone(), rules(2.0)),
        ]));
        let remembered: Vec<_> = channels.memories.keys().collect();
        assert_eq!(remembered, [kept]);
        assert_eq!(channels.rules.of(gone), None);
    }
}
