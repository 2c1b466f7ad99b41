//! What the API knows of the cabinet: bus messages folded into one picture.
//!
//! One task folds, handlers read. Everything here is bounded: services, series, alarms, events,
//! operations and the stream's ring, whatever a foreign publisher sends.

mod events;
mod feed;
mod operations;
mod service;

use std::collections::BTreeMap;

use tm_service::dedup::{Dedup, Verdict};
use tm_types::topic::{self, Class};
use tm_types::{
    Alarm, Anchor, Cause, Event, Instance, Kind, ModemPrivate, Operation, Poll, Reading, SeriesId,
    Source, Stamp, Unit,
};

use crate::history::History;
pub(crate) use events::{EventLog, LoggedEvent};
pub(crate) use feed::{Feed, Item, Position};
pub(crate) use operations::Operations;
pub(crate) use service::{Condition, Service, State, mask_modem};

/// Points of history kept in memory: about an hour of the standard load.
pub(crate) const HISTORY_POINTS: usize = 65_536;
/// Services heard of.
const SERVICES_MAX: usize = 64;
/// Alarms kept.
const ALARMS_MAX: usize = 256;
/// Sources of time anchors kept.
const ANCHORS_MAX: usize = 32;

/// The present picture.
#[derive(Debug)]
pub(crate) struct World {
    /// Every service heard of.
    pub(crate) services: BTreeMap<Instance, Service>,
    /// The last reading of every series.
    pub(crate) latest: BTreeMap<SeriesId, Latest>,
    /// Alarms that hold.
    pub(crate) alarms: BTreeMap<String, Alarm>,
    /// What happened lately.
    pub(crate) events: EventLog,
    /// What was asked for lately.
    pub(crate) operations: Operations,
    /// Time anchors by source.
    pub(crate) anchors: BTreeMap<Source, Anchor>,
    /// The last points of every series.
    pub(crate) history: History,
    /// What the stream sends.
    pub(crate) feed: Feed,
    /// What passed through.
    pub(crate) counts: Counts,
    /// Whether the local broker is connected.
    pub(crate) is_connected: bool,
    /// Why it is not and since when (milliseconds since boot); none while it is, and before the
    /// first attempt.
    pub(crate) bus_fault: Option<(Cause, u64)>,
    /// When this API started.
    pub(crate) started: Stamp,
    dedup: Dedup,
}

/// The last reading of a series.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Latest {
    pub(crate) kind: Kind,
    pub(crate) unit: Unit,
    pub(crate) stamp: Stamp,
    pub(crate) reading: Reading,
}

/// Counters of the API itself, since start.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Counts {
    /// Messages taken from the bus.
    pub(crate) messages: u64,
    /// Points taken into the history.
    pub(crate) points: u64,
    /// Messages that could not be read.
    pub(crate) unreadable: u64,
    /// Messages dropped as repeats.
    pub(crate) repeats: u64,
    /// Messages that never arrived, seen as gaps.
    pub(crate) lost: u64,
    /// Points of series beyond the limit.
    pub(crate) refused: u64,
}

impl World {
    /// Nothing is known yet. `epoch` tells the stream positions of this run from earlier ones.
    pub(crate) fn new(started: Stamp) -> Self {
        let epoch = started.time.unix_ms().unsigned_abs();
        Self {
            services: BTreeMap::new(),
            latest: BTreeMap::new(),
            alarms: BTreeMap::new(),
            events: EventLog::new(epoch),
            operations: Operations::default(),
            anchors: BTreeMap::new(),
            history: History::new(HISTORY_POINTS),
            feed: Feed::new(epoch),
            counts: Counts::default(),
            is_connected: false,
            bus_fault: None,
            started,
            dedup: Dedup::default(),
        }
    }

    /// Takes a message of the bus; an unreadable one is counted and its error returned for the log.
    pub(crate) fn on_message(
        &mut self,
        topic: &str,
        payload: &[u8],
        retained: bool,
        now: &Stamp,
    ) -> Result<(), tm_types::Invalid> {
        self.counts.messages += 1;
        let result = match topic::classify(topic) {
            // A retained measurement would be a new one at every start.
            Some(Class::Data(_) | Class::SensorBlock(_)) if retained => Ok(()),
            Some(class @ (Class::Data(_) | Class::SensorBlock(_))) => {
                Poll::of_topic(class, payload, now).map_or(Ok(()), |read| {
                    read.map(|(source, poll)| self.on_data(&source, &poll))
                })
            }
            Some(Class::State(service)) => self.on_state(service, payload),
            Some(Class::Private(service)) => self.on_private(service, payload),
            Some(Class::Config(service)) => self.on_config(service, payload),
            Some(Class::Health(service)) => self.on_health(service, payload),
            Some(Class::Event(service)) => self.on_event(service, payload),
            Some(Class::Alarm(id)) => self.on_alarm(id, payload),
            Some(Class::Clock(source)) => self.on_anchor(source, payload),
            Some(Class::Result(_) | Class::Command(..) | Class::Nmea(_)) | None => Ok(()),
        };
        self.counts.unreadable += u64::from(result.is_err());
        result
    }

    /// The local broker is connected.
    pub(crate) fn on_up(&mut self) {
        self.is_connected = true;
        self.bus_fault = None;
    }

    /// The local broker is not connected, and why.
    pub(crate) fn on_down(&mut self, fault: Cause, now: &Stamp) {
        self.is_connected = false;
        let since = self
            .bus_fault
            .take()
            .map_or(now.mono_ms, |(_, since)| since);
        self.bus_fault = Some((fault, since));
    }

    /// Takes the present standing of an operation.
    pub(crate) fn on_operation(&mut self, operation: Operation) {
        self.feed.push("operation", &operation);
        self.operations.put(operation);
    }

    fn on_data(&mut self, source: &Source, poll: &Poll) {
        match self.dedup.check(source, poll.sequence) {
            Verdict::New => {}
            Verdict::Gap(lost) => self.counts.lost += lost,
            Verdict::Repeat => {
                self.counts.repeats += 1;
                return;
            }
        }
        for point in &poll.points {
            let Ok(series) = SeriesId::of(source, &point.name) else {
                self.counts.refused += 1;
                continue;
            };
            if !self.history.append(&series, &poll.stamp, point) {
                self.counts.refused += 1;
                continue;
            }
            self.counts.points += 1;
            let latest = Latest {
                kind: point.kind,
                unit: point.unit.clone(),
                stamp: poll.stamp,
                reading: point.reading.clone(),
            };
            // The history has taken the series, so there is room for it here.
            self.latest.insert(series, latest);
        }
        self.feed.push_points(source, poll);
    }

    fn on_state(&mut self, service: &str, payload: &[u8]) -> Result<(), tm_types::Invalid> {
        let name = Instance::new(service)?;
        if payload.is_empty() {
            if let Some(service) = self.services.get_mut(&name) {
                service.state = None;
            }
            return Ok(());
        }
        let state = State::from_json(payload)?;
        self.feed.push_state(&name, &state.masked());
        if let Some(service) = self.service(name) {
            service.state = Some(state);
        }
        Ok(())
    }

    /// What is private goes neither into the stream nor into the state.
    fn on_private(&mut self, service: &str, payload: &[u8]) -> Result<(), tm_types::Invalid> {
        let name = Instance::new(service)?;
        let private = if payload.is_empty() {
            ModemPrivate::default()
        } else {
            read(payload)?
        };
        if let Some(service) = self.service(name) {
            service.private = private;
        }
        Ok(())
    }

    /// Whoever wants it asks for it: a document is too long for the stream.
    fn on_config(&mut self, service: &str, payload: &[u8]) -> Result<(), tm_types::Invalid> {
        let name = Instance::new(service)?;
        let config = match payload {
            [] => None,
            payload => Some(read(payload)?),
        };
        if let Some(service) = self.service(name) {
            service.config = config;
        }
        Ok(())
    }

    fn on_health(&mut self, service: &str, payload: &[u8]) -> Result<(), tm_types::Invalid> {
        let name = Instance::new(service)?;
        if payload.is_empty() {
            self.services.remove(&name);
            return Ok(());
        }
        let health = read(payload)?;
        self.feed.push_health(&name, &health);
        if let Some(service) = self.service(name) {
            service.health = Some(health);
        }
        Ok(())
    }

    fn on_event(&mut self, service: &str, payload: &[u8]) -> Result<(), tm_types::Invalid> {
        let service = Instance::new(service)?;
        let event: Event = read(payload)?;
        self.feed.push_event(&service, &event);
        self.events.push(service, event);
        Ok(())
    }

    fn on_alarm(&mut self, id: &str, payload: &[u8]) -> Result<(), tm_types::Invalid> {
        if payload.is_empty() {
            if self.alarms.remove(id).is_some() {
                self.feed.push_alarm_cleared(id);
            }
            return Ok(());
        }
        let alarm: Alarm = read(payload)?;
        if !alarm.active {
            self.alarms.remove(id);
        } else if self.alarms.len() < ALARMS_MAX || self.alarms.contains_key(id) {
            self.alarms.insert(id.to_owned(), alarm.clone());
        }
        self.feed.push("alarm", &alarm);
        Ok(())
    }

    fn on_anchor(&mut self, source: &str, payload: &[u8]) -> Result<(), tm_types::Invalid> {
        let source = Source::new(source)?;
        if payload.is_empty() {
            self.anchors.remove(&source);
            return Ok(());
        }
        let anchor: Anchor = read(payload)?;
        self.history.anchor(anchor);
        if self.anchors.len() < ANCHORS_MAX || self.anchors.contains_key(&source) {
            self.anchors.insert(source, anchor);
        }
        Ok(())
    }

    fn service(&mut self, name: Instance) -> Option<&mut Service> {
        if self.services.len() >= SERVICES_MAX && !self.services.contains_key(&name) {
            return None;
        }
        Some(self.services.entry(name).or_default())
    }
}

fn read<T: serde::de::DeserializeOwned>(payload: &[u8]) -> Result<T, tm_types::Invalid> {
    serde_json::from_slice(payload).map_err(|error| tm_types::Invalid::Shape(error.to_string()))
}
