//! Which sentences belong together. No sentence marks the end of a cycle, so it is concluded.

use super::{
    field::TimeOfDay,
    fold::{self, Epoch},
    frame::{Counters, Framer, Sentence},
    message::Message,
};
use crate::calendar::{Date, ROLLOVER_DAYS};

/// Most sentences of one epoch; beyond it the epoch is closed (the fullest seen has 30).
const MAX_MESSAGES: usize = 128;
/// Bytes looked at in one go; a sentence has at least eight.
const PORTION: usize = 4096;
/// Stamps closer than this are the same (receivers round the same instant differently).
const SAME_MS: u32 = 10;
/// Half a day: time of day going back by more is midnight.
const HALF_DAY_MS: u32 = 43_200_000;

/// Merges a receiver's sentences into epochs.
///
/// An epoch ends when the stamp changes, when a sentence that has no stamp comes a second time, or when the caller says
/// that the line is silent ([`Epochs::silence`]; at 1 Hz a receiver is silent for about 0.8 s).
/// What comes with an old stamp after such a silence gives the same epoch again, with more in it.
#[derive(Debug)]
pub struct Epochs {
    framer: Framer,
    floor: Date,
    cycle: Cycle,
    /// The cycle that a silence ended, in case more of it follows.
    ended: Option<Cycle>,
    dated: Option<(Date, TimeOfDay)>,
}

#[derive(Debug, Default, Clone)]
struct Cycle {
    stamp: Option<TimeOfDay>,
    messages: Vec<(String, Message)>,
    refines: bool,
}

impl Epochs {
    /// `floor`: a date that lies in the past for certain, such as that of the build. Receivers whose week counter
    /// rolled over print dates 1024 weeks back: dates before the floor are moved forward and marked.
    pub fn new(floor: Date) -> Self {
        Self {
            framer: Framer::default(),
            floor,
            cycle: Cycle::default(),
            ended: None,
            dated: None,
        }
    }

    /// Takes in bytes in any portions; returns the epochs that they completed.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<Epoch> {
        let mut epochs = Vec::new();
        // In portions of which the framer holds every sentence, however much comes at once.
        for portion in bytes.chunks(PORTION) {
            self.framer.feed(portion);
            while let Some(sentence) = self.framer.next() {
                epochs.extend(self.take(&sentence));
            }
        }
        epochs
    }

    /// Takes in one sentence; returns the epoch that it shows to be complete.
    pub fn take(&mut self, sentence: &Sentence) -> Option<Epoch> {
        let message = Message::parse(sentence)?;
        let address = sentence.address().to_owned();
        let closed = if self.is_boundary(&address, &message) {
            self.close()
        } else {
            None
        };
        if self.cycle.messages.is_empty() {
            self.resume(&message);
        }
        self.cycle.stamp = self.cycle.stamp.or(message.time());
        self.cycle.messages.push((address, message));
        closed
    }

    /// The line was silent for 150 ms or more: returns the epoch at hand when a fix or its absence was told.
    pub fn silence(&mut self) -> Option<Epoch> {
        if !self.cycle.tells_fix() {
            return None;
        }
        let cycle = self.cycle.clone();
        let epoch = self.close();
        self.ended = Some(cycle);
        epoch
    }

    /// What the framer dropped.
    pub fn counters(&self) -> Counters {
        self.framer.counters()
    }

    fn is_boundary(&self, address: &str, message: &Message) -> bool {
        if self.cycle.messages.len() == MAX_MESSAGES {
            return true;
        }
        match (message.time(), self.cycle.stamp) {
            (Some(time), Some(stamp)) => time.abs_diff(stamp) > SAME_MS,
            (Some(_), None) => false,
            (None, _) => self.cycle.repeats(address, message),
        }
    }

    fn resume(&mut self, message: &Message) {
        let Some(ended) = self.ended.take() else {
            return;
        };
        if let (Some(time), Some(stamp)) = (message.time(), ended.stamp)
            && time.abs_diff(stamp) <= SAME_MS
        {
            self.cycle = Cycle {
                refines: true,
                ..ended
            };
        }
    }

    fn close(&mut self) -> Option<Epoch> {
        let cycle = std::mem::take(&mut self.cycle);
        let (date, is_date_corrected) = self.date(&cycle);
        if !cycle.tells_fix() {
            return None;
        }
        let messages = cycle.messages.iter().map(|(_, message)| message);
        let mut epoch = fold::fold(messages);
        epoch.time_of_day_ms = cycle.stamp;
        epoch.date = date;
        epoch.is_date_corrected = is_date_corrected;
        epoch.refines_previous = cycle.refines;
        Some(epoch)
    }

    /// The date of a cycle: its own, or the last one known, a day later after midnight.
    fn date(&mut self, cycle: &Cycle) -> (Option<Date>, bool) {
        let own = cycle
            .messages
            .iter()
            .rev()
            .find_map(|(_, message)| match message {
                Message::Rmc(rmc) => rmc.date,
                Message::Zda(zda) => zda.date,
                _ => None,
            });
        let Some(stamp) = cycle.stamp else {
            return (None, false);
        };
        let date = own.or_else(|| {
            let (date, time) = self.dated?;
            let is_next_day = stamp < time && time - stamp > HALF_DAY_MS;
            Date::from_unix_days(date.unix_days() + i64::from(is_next_day))
        });
        let Some(date) = date else {
            return (None, false);
        };
        self.dated = Some((date, stamp));
        let missing_days = self.floor.unix_days() - date.unix_days();
        if missing_days <= 0 {
            return (Some(date), false);
        }
        let periods = (missing_days + ROLLOVER_DAYS - 1) / ROLLOVER_DAYS;
        (
            Date::from_unix_days(date.unix_days() + periods * ROLLOVER_DAYS),
            true,
        )
    }
}

impl Cycle {
    /// Whether a sentence says that there is a fix or that there is none; satellites alone do not.
    fn tells_fix(&self) -> bool {
        self.messages.iter().any(|(_, message)| {
            matches!(
                message,
                Message::Gga(_) | Message::Gns(_) | Message::Rmc(_) | Message::Gll(_)
            )
        })
    }

    /// Whether this cycle has the same sentence already: then the new one opens the next cycle.
    fn repeats(&self, address: &str, message: &Message) -> bool {
        // One GSA a system, in a row, without a system id before NMEA 4.10.
        if let (Message::Gsa(_), Some((last, Message::Gsa(_)))) = (message, self.messages.last())
            && last == address
        {
            return false;
        }
        self.messages
            .iter()
            .any(|(seen, other)| seen == address && is_same_part(message, other))
    }
}

fn is_same_part(message: &Message, other: &Message) -> bool {
    match (message, other) {
        (Message::Gsv(a), Message::Gsv(b)) => a.number == b.number && a.signal == b.signal,
        (Message::Gsa(a), Message::Gsa(b)) => a.system == b.system,
        _ => true,
    }
}
