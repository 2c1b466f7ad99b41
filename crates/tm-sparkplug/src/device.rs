//! What is known of a device's metrics: names, aliases, types, present readings.

use std::collections::HashMap;

use tm_types::{BootId, Clock, Point, PointName, Poll, Reading, Source, Stamp, Unit};

use crate::mapping::{self, Verdict};
use crate::topic::DeviceTopics;
use crate::{DataType, Metric as WireMetric, Property};

/// A reading as a birth repeats it.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    pub(crate) time_ms: u64,
    pub(crate) reading: Reading,
    pub(crate) clock: Clock,
}

/// One metric, for as long as the process lives.
#[derive(Debug)]
pub(crate) struct Metric {
    pub(crate) name: PointName,
    pub(crate) unit: Unit,
    pub(crate) alias: u64,
    /// As the last birth had it, or the next one will.
    pub(crate) datatype: DataType,
    /// Nobody has seen a value yet.
    is_guess: bool,
    /// The present reading; `None` for one that is only known from the past.
    pub(crate) last: Option<Held>,
    /// Whether the host was last told that it is good: then it need not be told again.
    pub(crate) was_good: bool,
    /// The poll that had it last, to notice a name that is there twice.
    mark: u64,
}

/// Hands out aliases, each once: they are unique over the node (`tck-id-payloads-alias-uniqueness`).
#[derive(Debug)]
pub(crate) struct Aliases {
    next: u64,
    left: usize,
}

impl Aliases {
    /// So many, from 1.
    pub(crate) fn new(left: usize) -> Self {
        Self { next: 1, left }
    }

    pub(crate) fn take(&mut self) -> Option<u64> {
        self.left = self.left.checked_sub(1)?;
        self.next += 1;
        Some(self.next - 1)
    }
}

/// What a poll changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Absorbed {
    /// A name was there twice: a birth cannot carry both readings.
    pub(crate) has_repeats: bool,
    /// Points that were taken, and points that were not.
    pub(crate) taken: u64,
    pub(crate) refused: u64,
}

/// A device, or the node itself: what one source measures.
#[derive(Debug)]
pub(crate) struct Device {
    pub(crate) source: Source,
    /// `None` for the node itself.
    pub(crate) topics: Option<DeviceTopics>,
    /// Whether the host takes it for alive.
    pub(crate) is_born: bool,
    /// It answers no more, and is not alive on its own account before it does.
    pub(crate) is_lost: bool,
    /// There is a metric, a type or a unit that the last birth did not have.
    pub(crate) needs_birth: bool,
    pub(crate) metrics: Vec<Metric>,
    by_name: HashMap<PointName, usize>,
    /// Boot and monotonic time of the present readings.
    newest: Option<(BootId, u64)>,
    polls: u64,
}

impl Device {
    pub(crate) fn new(source: Source, topics: Option<DeviceTopics>) -> Self {
        Self {
            source,
            topics,
            is_born: false,
            is_lost: false,
            needs_birth: false,
            metrics: Vec::new(),
            by_name: HashMap::new(),
            newest: None,
            polls: 0,
        }
    }

    /// Whether a poll is the present: of this boot, and not older than the last one.
    ///
    /// By the monotonic clock: a wall clock that was set back must not turn all that follows into history.
    pub(crate) fn is_present(&self, stamp: &Stamp, now: &Stamp) -> bool {
        let is_newest = self
            .newest
            .is_none_or(|(boot, mono_ms)| boot != stamp.boot || stamp.mono_ms >= mono_ms);
        stamp.boot == now.boot && is_newest
    }

    /// Takes note of a poll: all its metrics, and its readings if they are the present ones.
    pub(crate) fn absorb(
        &mut self,
        poll: &Poll,
        is_present: bool,
        aliases: &mut Aliases,
    ) -> Absorbed {
        let mut absorbed = Absorbed::default();
        self.polls += 1;
        for point in &poll.points {
            let found = match self.by_name.get(&point.name) {
                Some(at) => Some(*at),
                None => self.add(point, aliases),
            };
            let Some(metric) = found.and_then(|at| self.metrics.get_mut(at)) else {
                absorbed.refused += 1;
                continue;
            };
            absorbed.taken += 1;
            absorbed.has_repeats |= metric.mark == self.polls;
            metric.mark = self.polls;
            if is_present {
                self.needs_birth |= metric.update(point, &poll.stamp);
            }
        }
        if is_present {
            self.is_lost = false;
            self.newest = Some((poll.stamp.boot, poll.stamp.mono_ms));
        }
        absorbed
    }

    /// The metric of that name, if it was taken.
    pub(crate) fn metric(&mut self, name: &PointName) -> Option<&mut Metric> {
        let at = *self.by_name.get(name)?;
        self.metrics.get_mut(at)
    }

    /// A metric that was never seen; `None` where it cannot be taken.
    fn add(&mut self, point: &Point, aliases: &mut Aliases) -> Option<usize> {
        if self.topics.is_none() && is_reserved(point.name.as_str()) {
            return None;
        }
        let alias = aliases.take()?;
        let value = point.reading.value();
        let at = self.metrics.len();
        self.metrics.push(Metric {
            name: point.name.clone(),
            unit: point.unit.clone(),
            alias,
            datatype: match value {
                Some(value) => mapping::datatype(value, point.scale),
                None => mapping::guess(point.kind, point.scale),
            },
            is_guess: value.is_none(),
            last: None,
            was_good: false,
            mark: 0,
        });
        self.by_name.insert(point.name.clone(), at);
        self.needs_birth = true;
        Some(at)
    }
}

impl Metric {
    /// Takes the present reading; whether that needs a birth.
    fn update(&mut self, point: &Point, stamp: &Stamp) -> bool {
        let mut needs_birth = false;
        if let Some(value) = point.reading.value() {
            let asked = mapping::datatype(value, point.scale);
            // An integer changes nothing in a metric of floats, but makes one of integers of a guess.
            let fits = if self.is_guess {
                self.datatype == asked
            } else {
                mapping::carries(self.datatype, asked)
            };
            if !fits {
                self.datatype = asked;
                needs_birth = true;
            }
            self.is_guess = false;
        }
        if self.unit != point.unit {
            self.unit = point.unit.clone();
            needs_birth = true;
        }
        self.last = Some(Held {
            time_ms: unix_ms(stamp),
            reading: point.reading.clone(),
            clock: stamp.clock,
        });
        needs_birth
    }

    /// The metric as a birth has it.
    pub(crate) fn birth(&self, now_ms: u64, is_lost: bool) -> WireMetric<'_> {
        let verdict = self.verdict(is_lost);
        let mut properties: Vec<Property<'_>> = verdict.properties().to_vec();
        if !self.unit.as_str().is_empty() {
            properties.push(mapping::unit_property(self.unit.as_str()));
        }
        let value = self.last.as_ref().and_then(|held| held.reading.value());
        WireMetric {
            name: Some(self.name.as_str()),
            alias: Some(self.alias),
            timestamp: Some(self.last.as_ref().map_or(now_ms, |held| held.time_ms)),
            datatype: Some(self.datatype.code()),
            is_null: value.is_none(),
            properties: properties.into(),
            value: value.map(|value| mapping::wire(value, self.datatype)),
            ..WireMetric::default()
        }
    }

    /// How good the present reading is.
    pub(crate) fn verdict(&self, is_lost: bool) -> Verdict {
        let verdict = self.last.as_ref().map_or(Verdict::UNKNOWN, |held| {
            Verdict::of(&held.reading, held.clock)
        });
        if is_lost {
            verdict.of_the_past()
        } else {
            verdict
        }
    }
}

/// Names that the node's own metrics have, or have but for their case
/// (`tck-id-case-sensitivity-metric-names`).
fn is_reserved(name: &str) -> bool {
    name == "bdseq" || name.starts_with("properties/")
}

/// A stamp's wall time in Unix milliseconds; before 1970 there is none on this wire.
pub(crate) fn unix_ms(stamp: &Stamp) -> u64 {
    u64::try_from(stamp.time.unix_ms()).unwrap_or(0)
}
