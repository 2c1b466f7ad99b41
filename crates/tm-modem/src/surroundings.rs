//! What the other services say on the bus: the uplink, the position, alarms, the mains supply.

use std::collections::BTreeSet;

use tm_service::bus::BusMessage;
use tm_types::{
    Alarm, GnssState, Health, HealthStatus, Instance, Poll, Source, Stamp, UplinkState, Value,
    topic,
};
use tokio::time::Instant;

/// More alarms than any cabinet has; beyond, they are not counted.
const ALARMS_MAX: usize = 256;

/// What was heard last.
#[derive(Debug)]
pub(crate) struct Surroundings {
    /// Source and point of the contact that tells of the mains supply.
    mains_series: Option<(Source, String)>,
    uplink: Option<(UplinkState, Instant)>,
    /// Whether the uplink runs; its last state outlives it on the bus. Nothing until its health was heard.
    has_uplink: Option<bool>,
    gnss: Option<GnssState>,
    alarms: BTreeSet<String>,
    /// Whether the agent, who raises alarms, has told of itself.
    hears_agent: bool,
    mains: Option<bool>,
}

impl Surroundings {
    /// Nothing was heard; `mains_series` is `<source>/<name>`.
    pub(crate) fn new(mains_series: Option<&str>) -> Self {
        let split = |series: &str| {
            let (source, name) = series.split_once('/')?;
            Some((Source::new(source).ok()?, name.to_owned()))
        };
        Self {
            mains_series: mains_series.and_then(split),
            uplink: None,
            has_uplink: None,
            gnss: None,
            alarms: BTreeSet::new(),
            hears_agent: false,
            mains: None,
        }
    }

    /// The topics that tell.
    pub(crate) fn topics(&self) -> Vec<String> {
        let mut topics = vec![
            topic::health(&instance("uplink")),
            topic::state(&instance("uplink")),
            topic::state(&instance("gnss")),
            topic::state(&instance("agent")),
            topic::ALARM_ALL.to_owned(),
        ];
        topics.extend(
            self.mains_series
                .as_ref()
                .map(|(source, _)| topic::data(source)),
        );
        topics
    }

    /// Takes a message in. What cannot be read changes nothing.
    pub(crate) fn hear(&mut self, message: &BusMessage, now: &Stamp, instant: Instant) {
        match topic::classify(&message.topic) {
            Some(topic::Class::State("uplink")) => {
                if let Ok(state) = serde_json::from_slice(&message.payload) {
                    self.uplink = Some((state, instant));
                }
            }
            Some(topic::Class::Health("uplink")) => {
                if let Ok(health) = serde_json::from_slice::<Health>(&message.payload) {
                    // That of another boot was left on the bus by a cut of the power.
                    let is_there = health.status != HealthStatus::Down && health.boot == now.boot;
                    self.has_uplink = Some(is_there);
                }
            }
            Some(topic::Class::State("gnss")) => {
                if let Ok(state) = serde_json::from_slice(&message.payload) {
                    self.gnss = Some(state);
                }
            }
            Some(topic::Class::State("agent")) => self.hears_agent = !message.payload.is_empty(),
            Some(topic::Class::Alarm(id)) => self.hear_alarm(id, &message.payload),
            Some(topic::Class::Data(source)) if !message.retained => {
                self.hear_data(source, &message.payload, now);
            }
            _ => {}
        }
    }

    fn hear_alarm(&mut self, id: &str, payload: &[u8]) {
        let is_active =
            serde_json::from_slice::<Alarm>(payload).is_ok_and(|alarm: Alarm| alarm.active);
        if !is_active {
            self.alarms.remove(id);
        } else if self.alarms.len() < ALARMS_MAX {
            self.alarms.insert(id.to_owned());
        }
    }

    fn hear_data(&mut self, source: &str, payload: &[u8], now: &Stamp) {
        let Some((wanted, name)) = &self.mains_series else {
            return;
        };
        if wanted.as_str() != source {
            return;
        }
        let Ok(poll) = Poll::from_json(payload, now) else {
            return;
        };
        let point = poll
            .points
            .iter()
            .find(|point| point.name.as_str() == name.as_str());
        if let Some(point) = point {
            // A contact that cannot be read says nothing about the mains.
            self.mains = match point.reading.value() {
                Some(Value::Bool(is_there)) => Some(*is_there),
                _ => None,
            };
        }
    }

    /// The bus is away: what is said meanwhile is not heard. What holds is told again when it is back.
    pub(crate) fn forget(&mut self) {
        self.alarms.clear();
        self.hears_agent = false;
        self.uplink = None;
        self.has_uplink = None;
        self.mains = None;
    }

    /// The uplink's state and when it was heard; nothing while the uplink does not run.
    pub(crate) fn uplink(&self) -> Option<(&UplinkState, Instant)> {
        let uplink = self
            .uplink
            .as_ref()
            .filter(|_| self.has_uplink != Some(false));
        uplink.map(|(state, at)| (state, *at))
    }

    /// The state of the satellite receiver.
    pub(crate) fn gnss(&self) -> Option<&GnssState> {
        self.gnss.as_ref()
    }

    /// How many alarms are active; nothing while nobody has told of any, nor the agent of itself.
    pub(crate) fn n_alarms(&self) -> Option<usize> {
        let n_alarms = self.alarms.len();
        (self.hears_agent || n_alarms > 0).then_some(n_alarms)
    }

    /// Whether the mains supply is there; nothing where no contact tells.
    pub(crate) fn mains(&self) -> Option<bool> {
        self.mains
    }
}

fn instance(name: &str) -> Instance {
    Instance::new(name).expect("our own names are well formed")
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tm_types::{BootId, Clock, Timestamp};

    use super::*;

    fn hear(surroundings: &mut Surroundings, topic: &str, payload: &str) -> Option<usize> {
        let message = BusMessage {
            topic: topic.to_owned(),
            payload: payload.to_owned().into(),
            retained: true,
        };
        let stamp = Stamp {
            time: Timestamp::EPOCH,
            mono_ms: 1,
            boot: BootId(7),
            clock: Clock::None,
            err_ms: None,
        };
        surroundings.hear(&message, &stamp, Instant::now());
        surroundings.n_alarms()
    }

    #[test]
    fn alarms_are_counted_once_somebody_tells_of_them() {
        let alarm = json!({
            "id": "door", "source": "io", "code": "alarm.limit", "severity": "warning", "active": true,
            "acked": false, "since": "2026-11-23T08:00:00.000Z", "args": {},
        });
        let alarm = alarm.to_string();
        let mut surroundings = Surroundings::new(None);
        let (agent, door) = ("tm/v1/state/agent", "tm/v1/alarm/door");
        assert!(surroundings.topics().contains(&agent.to_owned()));
        assert_eq!(surroundings.n_alarms(), None);
        assert_eq!(hear(&mut surroundings, door, &alarm), Some(1));
        assert_eq!(hear(&mut surroundings, door, ""), None);
        assert_eq!(hear(&mut surroundings, agent, "{}"), Some(0));
        assert_eq!(hear(&mut surroundings, door, &alarm), Some(1));
        surroundings.forget();
        assert_eq!(surroundings.n_alarms(), None, "what holds is told again");
    }
}
