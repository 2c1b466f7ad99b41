//! A pulse counter (S0, EN 62053-31, or any contact that closes once for so much of something).
//!
//! Every edge has a number from the kernel, and what is counted is the difference of the numbers: edges that the
//! kernel had to drop, because nobody fetched them in time, are counted all the same.

use std::time::Duration;

use tm_service::Clock;
use tm_types::{Point, PointName, Reading, Reason, Unit};
use tokio::time::{Instant, sleep_until};
use tracing::warn;

use super::DRIVER;
use super::contact::{RETRY, storms};
use super::line::{Edge, Line, Lines, Wire};
use super::storm::{REST, Storm};
use super::total::{Scale, Totals};
use crate::driver::DevicePoll;
use crate::report::{Deadband, Measured};
use crate::schedule::Schedule;

/// A counter of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PulseSpec {
    pub(crate) name: PointName,
    pub(crate) wire: Wire,
    pub(crate) scale: Scale,
    pub(crate) unit: Unit,
    /// Between two messages.
    pub(crate) period: Duration,
    /// The most pulses in a second; more is a storm.
    pub(crate) max_hz: u32,
}

/// A counter that counts.
pub(crate) struct Pulse<L: Lines> {
    spec: PulseSpec,
    lines: L,
    totals: Totals,
    line: Option<L::Line>,
    /// Number of the last edge of the line that is held.
    number: u32,
    storm: Storm,
    /// When the line is tried again, while it is not held.
    retry: Instant,
    /// Why it is not held.
    lost: Option<Reason>,
    schedule: Schedule,
}

impl<L: Lines> Pulse<L> {
    /// Takes the line with the first [`next`](Self::next).
    pub(crate) fn new(spec: PulseSpec, lines: L, totals: Totals, now: Instant) -> Self {
        Self {
            lines,
            totals,
            line: None,
            number: 0,
            storm: Storm::new(spec.max_hz, now),
            retry: now,
            lost: None,
            schedule: Schedule::new(now, spec.period),
            spec,
        }
    }

    /// Counts until there is something to tell.
    pub(crate) async fn next(&mut self, clock: &Clock) -> Vec<DevicePoll> {
        loop {
            let Some(line) = &mut self.line else {
                tokio::select! {
                    biased;
                    () = sleep_until(self.retry) => {}
                    () = sleep_until(self.schedule.due()) => return self.tell(clock),
                }
                match self.lines.take(&self.spec.wire) {
                    Ok(line) => (self.line, self.number, self.lost) = (Some(line), 0, None),
                    Err(reason) => return self.lose(reason, clock),
                }
                continue;
            };
            let edges = tokio::select! {
                biased;
                edges = line.edges() => edges,
                () = sleep_until(self.schedule.due()) => {
                    // A chip that was pulled has no edges; asking for the level shows it.
                    let level = line.is_active();
                    match level {
                        Ok(_) => return self.tell(clock),
                        Err(reason) => return self.lose(reason, clock),
                    }
                }
            };
            match edges {
                Ok(edges) => {
                    let n_pulses = self.count(&edges);
                    let now = Instant::now();
                    let is_first = self.storm.is_calm(now);
                    if self.storm.is_storm(now, n_pulses) {
                        self.let_go(Reason::DeviceError, REST);
                        if is_first {
                            warn!(counter = %self.spec.name, "pulses come faster than they can");
                            return self.tell(clock);
                        }
                    }
                }
                Err(reason) => return self.lose(reason, clock),
            }
        }
    }

    /// Adds the edges, and those that were dropped between them.
    fn count(&mut self, edges: &[Edge]) -> u32 {
        let Some(last) = edges.last() else { return 0 };
        let n_pulses = last.number.wrapping_sub(self.number);
        self.number = last.number;
        self.totals
            .add(self.spec.name.as_str(), self.spec.scale, n_pulses);
        n_pulses
    }

    /// The line cannot be taken or read.
    fn lose(&mut self, reason: Reason, clock: &Clock) -> Vec<DevicePoll> {
        let is_news = self.lost != Some(reason);
        self.let_go(reason, RETRY);
        if is_news {
            self.tell(clock)
        } else {
            Vec::new()
        }
    }

    /// Nothing is counted until the line is taken again.
    fn let_go(&mut self, reason: Reason, rest: Duration) {
        self.line = None;
        self.lost = Some(reason);
        self.retry = Instant::now() + rest;
    }

    fn tell(&mut self, clock: &Clock) -> Vec<DevicePoll> {
        let now = Instant::now();
        if now >= self.schedule.due() {
            self.schedule.advance(now);
        }
        let (name, scale) = (&self.spec.name, self.spec.scale);
        let total = scale.total(self.totals.pulses(name.as_str(), scale));
        let is_calm = self.storm.is_calm(now);
        let failure = self
            .lost
            .or_else(|| (!is_calm).then_some(Reason::DeviceError));
        let reading = match (total, failure) {
            (Reading::Good(value), Some(reason)) => Reading::Uncertain(value, reason),
            (total, _) => total,
        };
        let point = Point::counter(name.clone(), self.spec.unit.clone(), reading);
        let mut points = vec![Measured {
            point: point.with_scale(scale.places()),
            // Half a pulse: told when it counted, and with the heartbeat.
            deadband: Deadband::Absolute(scale.pulse() / 2.0),
        }];
        points.extend(storms(name, self.storm.n_storms()));
        vec![DevicePoll {
            device: name.to_string(),
            driver: DRIVER,
            period: self.spec.period,
            stamp: clock.stamp(),
            points,
            failure,
        }]
    }
}

#[cfg(test)]
mod tests;
