//! When a person should know: the door is open, the mains are away.
//!
//! A contact is a series on the bus that somebody named as one. Only what it says now counts: what is
//! bad, comes out of order, or is from before this boot changes nothing.

mod setting;

use std::collections::BTreeMap;
use std::time::Duration;

use tm_types::{Alarm, Poll, Quality, Reading, SeriesId, Source, Stamp, Timestamp, Value};

use crate::alarms::Change;

pub use setting::{Contact, ContactList, Meaning, NotContacts};

/// What our ids of this rule begin with; the series follows, with dots for its slashes.
pub(crate) const PREFIX: &str = "contact-";
/// An older reading says nothing about now. Sources hold messages back as long while the broker is away
/// (`TM_BUS_OUTBOX_S`).
const LATE_MS: u64 = 10 * 60 * 1000;

/// The contacts and their alarms.
#[derive(Debug)]
pub(crate) struct Contacts {
    watched: Vec<Watched>,
    /// Alarms of an earlier run about what nobody watches any more.
    orphans: Vec<String>,
}

/// One contact.
#[derive(Debug)]
struct Watched {
    contact: Contact,
    heard: Option<Saying>,
    /// The alarm that holds.
    alarm: Option<Alarm>,
}

/// What a contact says.
#[derive(Debug)]
struct Saying {
    is_alarming: bool,
    /// Wall time of the first reading that said so.
    since: Timestamp,
    /// When we heard the first reading that said so, by the monotonic clock.
    heard_at: Duration,
    /// Monotonic time of the newest reading.
    newest_ms: u64,
}

impl Contacts {
    /// Nothing heard yet of these contacts.
    pub(crate) fn new(list: &ContactList) -> Self {
        let watched = list.0.iter().map(|contact| Watched {
            contact: contact.clone(),
            heard: None,
            alarm: None,
        });
        Self {
            watched: watched.collect(),
            orphans: Vec::new(),
        }
    }

    /// The sources of the contacts, each once.
    pub(crate) fn sources(&self) -> Vec<Source> {
        let sources = self.watched.iter().map(|watched| &watched.contact.series);
        let mut sources: Vec<Source> = sources.map(source_of).collect();
        sources.sort();
        sources.dedup();
        sources
    }

    /// Takes over an alarm with our prefix that an earlier run of the agent left on the bus.
    pub(crate) fn adopt(&mut self, alarm: Alarm) {
        let known = self.watched.iter_mut().find(|watched| {
            watched.id() == alarm.id && watched.contact.meaning.code().as_str() == alarm.code
        });
        match known {
            Some(watched) => {
                watched.alarm.get_or_insert(alarm);
            }
            None => self.orphans.push(alarm.id),
        }
    }

    /// Takes in a poll of `source` that was received at `now`.
    pub(crate) fn hear(&mut self, source: &Source, poll: &Poll, now: &Stamp) {
        let stamp = &poll.stamp;
        // A stamp of the future must not silence all that follow it.
        let read_ms = stamp.mono_ms.min(now.mono_ms);
        if stamp.boot != now.boot || now.mono_ms - read_ms > LATE_MS {
            return;
        }
        for point in &poll.points {
            let Ok(series) = SeriesId::of(source, &point.name) else {
                continue;
            };
            let mut watched = self.watched.iter_mut();
            let watched = watched.find(|watched| watched.contact.series == series);
            if let Some((watched, position)) = watched.zip(position_of(&point.reading)) {
                let is_alarming = position == watched.contact.alarm;
                watched.hear(is_alarming, read_ms, stamp.time, now);
            }
        }
    }

    /// What changes at `now`.
    pub(crate) fn decide(&mut self, now: Duration) -> Vec<Change> {
        let orphans = self.orphans.drain(..).map(Change::Clear);
        let mut changes: Vec<Change> = orphans.collect();
        changes.extend(self.watched.iter_mut().filter_map(|w| w.decide(now)));
        changes
    }

    /// When [`decide`](Self::decide) has something to say next, if nothing else is heard.
    pub(crate) fn due(&self) -> Option<Duration> {
        self.watched.iter().filter_map(Watched::due).min()
    }
}

impl Watched {
    fn id(&self) -> String {
        let series = self.contact.series.as_str().replace('/', ".");
        format!("{PREFIX}{series}")
    }

    fn hear(&mut self, is_alarming: bool, read_ms: u64, time: Timestamp, now: &Stamp) {
        match &mut self.heard {
            // One that was overtaken. Of two within a millisecond the later to come is the later one.
            Some(heard) if read_ms < heard.newest_ms => {}
            Some(heard) if heard.is_alarming == is_alarming => heard.newest_ms = read_ms,
            _ => {
                self.heard = Some(Saying {
                    is_alarming,
                    since: time,
                    heard_at: Duration::from_millis(now.mono_ms),
                    newest_ms: read_ms,
                });
            }
        }
    }

    /// When the alarm is to change, if the contact goes on to say what it says.
    fn due(&self) -> Option<Duration> {
        let heard = self.heard.as_ref()?;
        let meaning = self.contact.meaning;
        let wait = if heard.is_alarming {
            meaning.raise_after()
        } else {
            meaning.clear_after()
        };
        (heard.is_alarming != self.alarm.is_some()).then(|| heard.heard_at + wait)
    }

    fn decide(&mut self, now: Duration) -> Option<Change> {
        self.due().filter(|due| *due <= now)?;
        if let Some(alarm) = self.alarm.take() {
            return Some(Change::Clear(alarm.id));
        }
        let heard = self.heard.as_ref()?;
        let contact = &self.contact;
        let alarm = Alarm {
            id: self.id(),
            source: source_of(&contact.series),
            code: contact.meaning.code().as_str().to_owned(),
            severity: contact.meaning.severity(),
            active: true,
            acked: false,
            since: heard.since,
            args: BTreeMap::from([("contact".to_owned(), contact.series.to_string())]),
        };
        self.alarm = Some(alarm.clone());
        Some(Change::Raise(alarm))
    }
}

fn source_of(series: &SeriesId) -> Source {
    Source::new(series.source()).expect("a series begins with a source")
}

/// The position of a contact: yes or no, or a number that is one of 0 and 1; nothing where the reading is not to be used.
fn position_of(reading: &Reading) -> Option<bool> {
    match reading.value()? {
        _ if reading.quality() == Quality::Bad => None,
        Value::Bool(position) => Some(*position),
        value if *value == Value::from(0) => Some(false),
        value if *value == Value::from(1) => Some(true),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
