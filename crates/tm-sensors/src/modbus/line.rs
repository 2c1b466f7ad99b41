//! One connection or serial bus and the devices on it, polled in turn.

use std::time::Duration;

use tm_service::port::{Backoff, Ports};
use tm_types::{Reading, Reason};
use tokio::time::Instant;
use tracing::debug;

use super::connection::{Connection, Unopened};
use super::map::Device;
use super::place::Place;
use super::unit::Unit;
use super::write::{Refused, Wanted};
use crate::report::Measured;

/// A dead device waits for a pause of the others, but no longer than this.
const PATIENCE_WITH_OTHERS: Duration = Duration::from_mins(1);

/// What a poll of one device brought.
#[derive(Debug)]
pub(crate) struct DeviceReading {
    /// The device's name.
    pub(crate) device: String,
    /// Between two polls of it.
    pub(crate) period: Duration,
    /// Every register that was due, with a value or the reason why not.
    pub(crate) points: Vec<Measured>,
    /// Why the device as a whole counts as failed; `None` when it answered.
    pub(crate) failure: Option<Reason>,
}

/// A connection that is polled in turn for all its devices: many gateways take only one, and a
/// serial bus carries one request at a time.
pub(crate) struct Line {
    place: Place,
    ports: Ports,
    connection: Option<Connection>,
    backoff: Backoff,
    /// Why it could not be opened, and when it is tried again.
    closed: Option<(Reason, Instant)>,
    units: Vec<Unit>,
}

/// Sorts devices onto the lines they share; all are due at `start`.
pub(crate) fn lines(devices: Vec<Device>, start: Instant) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    for device in devices {
        let place = device.place.clone();
        let unit = Unit::new(device, start);
        match lines.iter_mut().find(|line| line.place == place) {
            Some(line) => line.units.push(unit),
            None => lines.push(Line {
                place,
                ports: Ports::default(),
                connection: None,
                backoff: Backoff::default(),
                closed: None,
                units: vec![unit],
            }),
        }
    }
    lines
}

impl Line {
    /// Its devices, in the order of the document.
    pub(crate) fn devices(&self) -> impl Iterator<Item = &Device> {
        self.units.iter().map(|unit| &unit.device)
    }

    /// When the next device is due.
    pub(crate) fn due(&self) -> Instant {
        self.turn().1
    }

    /// Reads the device whose turn it is.
    pub(crate) async fn poll(&mut self) -> DeviceReading {
        let (index, _) = self.turn();
        let mut answer = None;
        if let Some(connection) = self.connection.take() {
            let over_old = self.read_over(connection, index).await;
            // Devices close idle connections; that is no reason to miss a poll.
            answer = (over_old.1 != Some(Reason::NotPresent)).then_some(over_old);
        }
        let (readings, lost) = match answer {
            Some(answer) => answer,
            None => match self.open().await {
                Ok(connection) => {
                    self.units[index].on_open();
                    self.read_over(connection, index).await
                }
                Err(reason) => (self.units[index].all_missing(reason), Some(reason)),
            },
        };
        let unit = &mut self.units[index];
        let (points, failure) = unit.finish(readings, lost);
        DeviceReading {
            device: unit.device.name.clone(),
            period: unit.device.period,
            points,
            failure,
        }
    }

    /// Writes a register and reads it back.
    pub(crate) async fn write(&mut self, wanted: &Wanted) -> Result<Reading, Refused> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.open().await.map_err(Refused::Failed)?,
        };
        let written = wanted.execute(&mut connection).await;
        self.connection = match &written {
            Err(Refused::Lost(reason)) => connection.recover(*reason).await,
            _ => Some(connection),
        };
        written
    }

    /// The device that is asked next, and when: those that answer go first.
    ///
    /// A dead one costs a whole timeout, so it is asked when nobody else would be kept waiting.
    fn turn(&self) -> (usize, Instant) {
        let by_due = |is_dead: bool| {
            let units = self.units.iter().enumerate();
            let some = units.filter(move |(_, unit)| unit.is_dead() == is_dead);
            some.map(|(index, unit)| (index, unit.due()))
                .min_by_key(|(_, due)| *due)
        };
        match (by_due(false), by_due(true)) {
            (Some(alive), Some(dead)) => {
                let needs = self.units[dead.0].device.timeout;
                let starts = dead.1.max(Instant::now());
                let fits = starts + needs <= alive.1;
                let has_waited = starts >= dead.1 + PATIENCE_WITH_OTHERS;
                if fits || has_waited { dead } else { alive }
            }
            (Some(turn), None) | (None, Some(turn)) => turn,
            (None, None) => unreachable!("a line is made for a device"),
        }
    }

    /// Opens the line, unless it was tried in vain a moment ago.
    async fn open(&mut self) -> Result<Connection, Reason> {
        if let Some((reason, until)) = self.closed
            && Instant::now() < until
        {
            return Err(reason);
        }
        match Connection::open(&self.place, &self.ports).await {
            Ok(connection) => {
                self.closed = None;
                self.backoff.reset();
                Ok(connection)
            }
            Err(Unopened { reason, why }) => {
                debug!(port = %self.place, why, "modbus port not opened");
                self.closed = Some((reason, Instant::now() + self.backoff.next_wait()));
                Err(reason)
            }
        }
    }

    /// Reads what is due over this connection, and keeps it where it can be used again.
    async fn read_over(
        &mut self,
        mut connection: Connection,
        index: usize,
    ) -> (Vec<(usize, Reading)>, Option<Reason>) {
        let (readings, lost) = self.units[index].read(&mut connection).await;
        self.connection = match lost {
            None => Some(connection),
            Some(reason) => connection.recover(reason).await,
        };
        (readings, lost)
    }
}

#[cfg(test)]
mod tests;
