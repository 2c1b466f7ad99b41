//! What the cloud side received, held against what a witness heard on the bus.

use std::time::{Duration, Instant};

use anyhow::Result;
use tm_types::topic;

use super::lines::Lines;
use super::witness::{Published, Witness};
use super::{Scenario, code_of_alarm};
use crate::demo::cloud::{Arrival, Cloud, PollId, Received, Urgent};

/// What a power cut may cost: what was published within the uplink's commit period (`TM_UPLINK_COMMIT_MS`), and the
/// moment that a message takes from the broker to the uplink.
const WINDOW: Duration = Duration::from_millis(1500);
/// How far the time of a reading may be off at the cloud: a clock set by satellites, and a poll that took a second.
const TIME_OFF_MAX: Duration = Duration::from_secs(3);

/// What the cloud side received.
#[derive(Debug)]
pub struct Summary {
    /// Messages of any class.
    pub messages: u64,
    /// Their payload bytes.
    pub bytes: u64,
    /// Points, repeats left out.
    pub points: u64,
    /// Records that came more than once.
    pub repeats: u64,
    /// Payloads that could not be decoded.
    pub undecodable: u64,
    /// Polls that were on the bus.
    pub polls: usize,
    /// Of these, what the cloud never got, but for what was lost with the power.
    pub missing: Vec<Missing>,
    /// Polls that were lost with the power, each published within the stated window before it.
    pub lost_with_power: usize,
    /// Polls that bore a wrong time on the bus and came with a right one.
    pub corrected: usize,
    /// How far the times at the cloud are off at most.
    pub time_off: Duration,
    /// Every change of an alarm that the cloud was told.
    pub alarms: Vec<AlarmTold>,
    /// Every event that the cloud was told.
    pub events: Vec<EventTold>,
}

/// A poll that the cloud never got.
#[derive(Debug)]
pub struct Missing {
    /// Whose.
    pub id: PollId,
    /// How long before the end of the story it was on the bus.
    pub before_end: Duration,
}

/// A change of an alarm at the cloud.
#[derive(Debug)]
pub struct AlarmTold {
    /// Its code.
    pub code: String,
    /// Whether it is over.
    pub is_over: bool,
    /// How long after the bus the cloud had it.
    pub delay: Option<Duration>,
    /// How long before the batch with the reading that it rests on.
    pub ahead: Option<Duration>,
}

/// An event at the cloud.
#[derive(Debug)]
pub struct EventTold {
    /// Its code.
    pub code: String,
    /// How long after the bus the cloud had it.
    pub delay: Option<Duration>,
}

/// A power cut: the last services stand still a moment after the first.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cut {
    pub(super) from: Instant,
    pub(super) until: Instant,
}

impl Cut {
    /// Whether it may have taken what was on the bus then.
    pub(super) fn takes(self, at: Instant) -> bool {
        at + WINDOW >= self.from && at <= self.until
    }
}

/// How long after the witness the cloud had an urgent message.
pub(super) fn delay(witness: &Witness, urgent: &Urgent) -> Option<Duration> {
    witness.with(|heard| {
        let mut words = heard.words.iter().rev();
        let same = words.find(|word| {
            word.at <= urgent.at && word.topic == urgent.topic && word.payload == urgent.payload
        });
        same.map(|word| urgent.at - word.at)
    })
}

impl Summary {
    /// Of the polls that were on the bus before `end`.
    pub(super) fn of(witness: &Witness, cloud: &Cloud, end: Instant, cut: Option<Cut>) -> Self {
        let mut summary = cloud.with(|received| Self {
            messages: received.messages,
            bytes: received.bytes,
            points: received.points,
            repeats: received.repeats,
            undecodable: received.undecodable,
            polls: 0,
            missing: Vec::new(),
            lost_with_power: 0,
            corrected: 0,
            time_off: Duration::ZERO,
            alarms: alarms(witness, received),
            events: events(witness, received),
        });
        cloud.with(|received| {
            witness.with(|heard| {
                let polls = heard.polls.iter().filter(|(_, poll)| poll.at < end);
                for (id, published) in polls {
                    summary.polls += 1;
                    match received.polls.get(id) {
                        Some(arrival) => summary.note_time(published, arrival),
                        None if cut.is_some_and(|cut| cut.takes(published.at)) => {
                            summary.lost_with_power += 1;
                        }
                        None => summary.missing.push(Missing::of(id, published, end)),
                    }
                }
            });
        });
        summary
    }

    fn note_time(&mut self, published: &Published, arrival: &Arrival) {
        let off = arrival.time.ms_since(published.true_time).unsigned_abs();
        self.time_off = self.time_off.max(Duration::from_millis(off));
        let was_off = published.time.ms_since(published.true_time).unsigned_abs();
        self.corrected += usize::from(Duration::from_millis(was_off) > TIME_OFF_MAX);
    }

    /// What a good story does not have.
    pub(super) fn faults(&self, scenario: &Scenario) -> Vec<String> {
        let mut faults = Vec::new();
        faults.extend(self.missing.iter().map(Missing::text));
        if self.undecodable > 0 {
            faults.push(format!("{} payloads cannot be decoded", self.undecodable));
        }
        if self.time_off > TIME_OFF_MAX {
            let off = self.time_off.as_secs_f64();
            faults.push(format!(
                "a reading's time is off by {off:.1} s at the cloud"
            ));
        }
        let alarms = self.alarms.iter();
        let strange = alarms.filter(|alarm| !scenario.alarms.contains(&alarm.code.as_str()));
        faults.extend(strange.map(|alarm| format!("an alarm that nobody expects: {}", alarm.code)));
        faults
    }

    pub(super) fn print(&self, lines: &mut Lines<'_>) -> Result<()> {
        lines.text("What the cloud side received:")?;
        let bytes = self.bytes / 1024;
        lines.item("messages", &format!("{}, {bytes} KiB", self.messages))?;
        lines.item(
            "points",
            &format!(
                "{} in {} polls",
                self.points,
                self.polls - self.missing.len() - self.lost_with_power
            ),
        )?;
        lines.item("repeats", &self.repeats.to_string())?;
        let missing = format!(
            "{} of {} polls that were on the bus",
            self.missing.len(),
            self.polls
        );
        lines.item("missing", &missing)?;
        if self.lost_with_power > 0 {
            let window = WINDOW.as_secs_f64();
            lines.item(
                "",
                &format!(
                    "and {} that the power cut took, each published within {window} s before it",
                    self.lost_with_power
                ),
            )?;
        }
        let corrected = match self.corrected {
            0 => String::new(),
            n => format!("; {n} polls bore a wrong time on the bus and came with the right one"),
        };
        let off = self.time_off.as_secs_f64();
        lines.item(
            "times",
            &format!("at most {off:.1} s from the truth{corrected}"),
        )?;
        let alarms = self.alarms.iter().map(AlarmTold::text).collect();
        let events = self.events.iter().map(EventTold::text).collect();
        for (name, texts) in [("alarms", alarms), ("events", events)] {
            let texts: Vec<String> = texts;
            if texts.is_empty() {
                lines.item(name, "none")?;
            }
            for (n, text) in texts.iter().enumerate() {
                lines.item(if n == 0 { name } else { "" }, text)?;
            }
        }
        Ok(())
    }
}

impl Missing {
    fn of(id: &PollId, published: &Published, end: Instant) -> Self {
        Self {
            id: id.clone(),
            before_end: end - published.at,
        }
    }

    fn text(&self) -> String {
        let (source, run, n) = &self.id;
        let before = self.before_end.as_secs_f64();
        format!(
            "{source} {run}/{n}, on the bus {before:.2} s before the end, never came to the cloud"
        )
    }
}

impl AlarmTold {
    fn text(&self) -> String {
        let verb = if self.is_over { "over" } else { "raised" };
        let delay = self.delay.map_or_else(String::new, after_the_bus);
        let ahead = self.ahead.map_or_else(String::new, |ahead| {
            let seconds = ahead.as_secs_f64();
            format!(", {seconds:.2} s ahead of the reading it rests on")
        });
        format!("{} {verb}{delay}{ahead}", self.code)
    }
}

impl EventTold {
    fn text(&self) -> String {
        let delay = self.delay.map_or_else(String::new, after_the_bus);
        format!("{}{delay}", self.code)
    }
}

/// A delay as the end of a sentence.
pub(super) fn after_the_bus(delay: Duration) -> String {
    format!(", {:.2} s after the bus had it", delay.as_secs_f64())
}

/// The code of an event; nothing for what is none.
pub(super) fn code_of_event(urgent: &Urgent) -> Option<&str> {
    match topic::classify(&urgent.topic) {
        Some(topic::Class::Event(_)) => urgent.payload["cause"]["code"].as_str(),
        _ => None,
    }
}

fn events(witness: &Witness, received: &Received) -> Vec<EventTold> {
    let each = received.urgent.iter().filter_map(|urgent| {
        Some(EventTold {
            code: code_of_event(urgent)?.to_owned(),
            delay: delay(witness, urgent),
        })
    });
    each.collect()
}

fn alarms(witness: &Witness, received: &Received) -> Vec<AlarmTold> {
    let each = received
        .urgent
        .iter()
        .enumerate()
        .filter_map(|(n, urgent)| {
            Some(AlarmTold {
                code: code_of_alarm(received, n)?,
                is_over: urgent.payload.is_null(),
                delay: delay(witness, urgent),
                ahead: ahead(witness, received, urgent),
            })
        });
    each.collect()
}

/// How long before its reading an alarm came: the poll of its source that was made when it began.
fn ahead(witness: &Witness, received: &Received, alarm: &Urgent) -> Option<Duration> {
    let source = alarm.payload["source"].as_str()?;
    let since = alarm.payload["since"].as_str()?.parse().ok()?;
    witness.with(|heard| {
        let mut polls = heard.polls.iter();
        let reading = polls.find(|((of, ..), poll)| of == source && poll.time == since);
        let arrival = received.polls.get(reading?.0)?;
        arrival.at.checked_duration_since(alarm.at)
    })
}
