//! A contact: told at once when it changes, looked at once a minute all the same.

use std::time::Duration;

use tm_service::Clock;
use tm_types::{Point, PointName, Reading, Reason, Stamp};
use tokio::time::{Instant, sleep_until};
use tracing::warn;

use super::DRIVER;
use super::line::{Line, Lines, Wire};
use super::storm::{REST, Storm};
use crate::driver::DevicePoll;
use crate::report::{Deadband, Measured};

/// Between two looks at a line that does not change, for an edge that never came.
pub(super) const LOOK: Duration = Duration::from_mins(1);
/// Between two tries to take a line.
pub(super) const RETRY: Duration = Duration::from_secs(10);
/// No door, float or mains relay changes more often in a second.
const EDGES_MAX: u32 = 20;

/// A contact of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ContactSpec {
    pub(crate) name: PointName,
    pub(crate) wire: Wire,
}

/// A contact that is watched.
pub(crate) struct Contact<L: Lines> {
    spec: ContactSpec,
    lines: L,
    line: Option<L::Line>,
    storm: Storm,
    /// The next try to take the line, or the next look at it.
    due: Instant,
    /// What it last was while it was believed.
    last: Option<bool>,
}

impl<L: Lines> Contact<L> {
    /// Takes the line with the first [`next`](Self::next).
    pub(crate) fn new(spec: ContactSpec, lines: L, now: Instant) -> Self {
        Self {
            spec,
            lines,
            line: None,
            storm: Storm::new(EDGES_MAX, now),
            due: now,
            last: None,
        }
    }

    /// Waits until there is something to tell: an edge each, or what was seen at a look.
    pub(crate) async fn next(&mut self, clock: &Clock) -> Vec<DevicePoll> {
        loop {
            let Some(line) = &mut self.line else {
                sleep_until(self.due).await;
                match self.lines.take(&self.spec.wire) {
                    Ok(line) => self.line = Some(line),
                    Err(reason) => return vec![self.lost(reason, clock)],
                }
                return vec![self.look(clock)];
            };
            let wake = self
                .storm
                .settling()
                .map_or(self.due, |until| until.min(self.due));
            let edges = tokio::select! {
                edges = line.edges() => edges,
                () = sleep_until(wake) => return vec![self.look(clock)],
            };
            let (now, stamp) = (Instant::now(), clock.stamp());
            let edges = match edges {
                Ok(edges) => edges,
                Err(reason) => return vec![self.lost(reason, clock)],
            };
            let n_edges = u32::try_from(edges.len()).unwrap_or(u32::MAX);
            if self.storm.is_storm(now, n_edges) {
                return vec![self.rest(now, stamp)];
            }
            if !self.storm.is_calm(now) {
                // Not believed yet: what it is then will be seen when it is.
                continue;
            }
            let mut polls = Vec::with_capacity(edges.len());
            for edge in edges {
                self.last = Some(edge.is_active);
                polls.push(self.poll(edge.stamp(stamp), Reading::from(edge.is_active), None));
            }
            return polls;
        }
    }

    /// Looks at the line as it is.
    fn look(&mut self, clock: &Clock) -> DevicePoll {
        let now = Instant::now();
        let level = self.line.as_ref().map(Line::is_active);
        let is_active = match level {
            Some(Ok(is_active)) => is_active,
            Some(Err(reason)) => return self.lost(reason, clock),
            None => return self.lost(Reason::NotPresent, clock),
        };
        self.due = now + LOOK;
        if self.storm.is_calm(now) {
            self.last = Some(is_active);
            return self.poll(clock.stamp(), Reading::from(is_active), None);
        }
        let (reading, failure) = unbelieved(self.last);
        self.poll(clock.stamp(), reading, failure)
    }

    /// The line cannot be taken or read: let go of, and tried again.
    fn lost(&mut self, reason: Reason, clock: &Clock) -> DevicePoll {
        self.line = None;
        self.due = Instant::now() + RETRY;
        self.poll(clock.stamp(), Reading::Missing(reason), Some(reason))
    }

    /// The line flutters: let go of for a while.
    fn rest(&mut self, now: Instant, stamp: Stamp) -> DevicePoll {
        warn!(contact = %self.spec.name, n_storms = self.storm.n_storms(), "contact flutters");
        self.line = None;
        self.due = now + REST;
        let (reading, failure) = unbelieved(self.last);
        self.poll(stamp, reading, failure)
    }

    fn poll(&self, stamp: Stamp, reading: Reading, failure: Option<Reason>) -> DevicePoll {
        let name = self.spec.name.clone();
        let mut points = vec![Measured {
            point: Point::state(name.clone(), reading),
            deadband: Deadband::Absolute(0.0),
        }];
        points.extend(storms(&name, self.storm.n_storms()));
        DevicePoll {
            device: name.to_string(),
            driver: DRIVER,
            period: LOOK,
            stamp,
            points,
            failure,
        }
    }
}

/// What is told of a line that flutters: what it was before, which is not to be relied on.
fn unbelieved(last: Option<bool>) -> (Reading, Option<Reason>) {
    let why = Reason::DeviceError;
    let reading = last.map_or(Reading::Missing(why), |it| {
        Reading::Uncertain(it.into(), why)
    });
    (reading, Some(why))
}

/// The count of storms, once there was one.
pub(super) fn storms(name: &PointName, n_storms: u32) -> Option<Measured> {
    let name = PointName::new(&format!("{name}/storms")).ok()?;
    (n_storms > 0).then(|| Measured {
        point: Point::counter(name, tm_types::Unit::NONE, n_storms),
        deadband: Deadband::Heartbeat,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpio::line::fake::Bench;
    use crate::gpio::line::{Bias, Edges, LineName};
    use tm_types::{BootId, Clock as Quality, Timestamp};

    const NOW: Stamp = Stamp {
        time: Timestamp::EPOCH,
        mono_ms: 1_000_000,
        boot: BootId(7),
        clock: Quality::Ntp,
        err_ms: None,
    };

    fn watched(bench: &Bench) -> Contact<Bench> {
        let spec = ContactSpec {
            name: "door-open".parse().unwrap(),
            wire: Wire {
                chip: "gpiochip0".to_owned(),
                line: LineName::Number(17),
                inverted: false,
                bias: Bias::PullUp,
                debounce: Duration::ZERO,
                edges: Edges::Both,
            },
        };
        Contact::new(spec, bench.clone(), Instant::now())
    }

    /// `value or reason`, with `?` for what is uncertain; one for each poll.
    async fn told(contact: &mut Contact<Bench>, clock: &Clock) -> Vec<String> {
        let polls = contact.next(clock).await.into_iter();
        let words = polls.map(|poll| {
            let reading = &poll.points[0].point.reading;
            assert_eq!(poll.failure, reading.reason());
            match (reading.value(), reading.reason()) {
                (Some(value), None) => value.to_string(),
                (Some(value), Some(_)) => format!("{value}?"),
                (None, reason) => reason.unwrap().as_str().to_owned(),
            }
        });
        words.collect()
    }

    #[tokio::test(start_paused = true)]
    async fn every_edge_is_told_at_once_with_its_own_stamp() {
        let (bench, (clock, _hand)) = (Bench::default(), Clock::manual(NOW));
        let mut contact = watched(&bench);
        assert_eq!(
            told(&mut contact, &clock).await,
            ["false"],
            "what it is at the start"
        );
        let start = Instant::now();
        bench.edge(true, Duration::from_millis(30));
        bench.edge(false, Duration::from_millis(10));
        let polls = contact.next(&clock).await;
        let stamps: Vec<u64> = polls.iter().map(|poll| poll.stamp.mono_ms).collect();
        assert_eq!(stamps, [999_970, 999_990]);
        assert_eq!(start.elapsed(), Duration::ZERO);
        // Nothing happens: looked at after a minute, and an edge that never came is made good.
        bench.lose(1);
        let looked = told(&mut contact, &clock).await;
        assert_eq!((looked, start.elapsed()), (vec!["false".to_owned()], LOOK));
    }

    #[tokio::test(start_paused = true)]
    async fn a_chip_that_is_not_there_is_tried_again_and_one_that_goes_is_taken_anew() {
        let (bench, (clock, _hand)) = (Bench::default(), Clock::manual(NOW));
        bench.trouble(Some(Reason::NotPresent));
        let mut contact = watched(&bench);
        let start = Instant::now();
        assert_eq!(told(&mut contact, &clock).await, ["not_present"]);
        bench.trouble(Some(Reason::Refused));
        assert_eq!(told(&mut contact, &clock).await, ["refused"]);
        assert_eq!(start.elapsed(), RETRY);
        bench.trouble(None);
        bench.edge(true, Duration::ZERO);
        assert_eq!(told(&mut contact, &clock).await, ["true"]);
        bench.trouble(Some(Reason::DeviceError));
        assert_eq!(told(&mut contact, &clock).await, ["device_error"]);
        assert!(!bench.is_held());
        bench.trouble(None);
        assert_eq!(told(&mut contact, &clock).await, ["true"]);
        assert_eq!(bench.n_taken(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_storm_is_one_message_and_the_line_is_let_go_of() {
        let (bench, (clock, _hand)) = (Bench::default(), Clock::manual(NOW));
        let mut contact = watched(&bench);
        told(&mut contact, &clock).await;
        let start = Instant::now();
        let flutter = || (0..500).for_each(|i| bench.edge(i % 2 == 0, Duration::ZERO));
        flutter();
        assert_eq!(told(&mut contact, &clock).await, ["false?"]);
        assert!(!bench.is_held(), "the kernel has no work with it either");
        // Taken again after the rest; what it does then is counted, not told.
        assert_eq!(told(&mut contact, &clock).await, ["false?"]);
        assert_eq!(start.elapsed(), REST);
        bench.edge(true, Duration::ZERO);
        // Calm for as long: believed.
        assert_eq!(told(&mut contact, &clock).await, ["true"]);
        assert_eq!(start.elapsed(), 2 * REST);

        // A storm that goes on: three messages in each of its rounds, whatever the number of edges.
        let (mut n_polls, start) = (0, Instant::now());
        while start.elapsed() < Duration::from_mins(10) {
            if bench.is_held() {
                flutter();
            }
            n_polls += contact.next(&clock).await.len();
        }
        assert!(n_polls <= 2 * 120 + 2, "{n_polls} messages in ten minutes");
        let polls = loop {
            let polls = contact.next(&clock).await;
            if polls[0].failure.is_none() {
                break polls;
            }
        };
        let storms = &polls[0].points[1].point;
        assert_eq!(storms.name.as_str(), "door-open/storms");
        assert!(storms.reading.value().unwrap().to_f64().unwrap() > 100.0);
    }
}
