//! Which sentence ends a cycle. None says so; it is learned.
//!
//! The rule is gpsd's: the last sentence with a time before the time changes ends every cycle from then on. Sentences
//! without a time that follow it add to the cycle, and GLL, which some receivers print behind everything, ends it, too.

use std::mem::Discriminant;

use super::{field::TimeOfDay, message::Message};

/// Stamps closer than this are the same (receivers round the same instant differently: 20.303 and 20.30 s).
pub(super) const SAME_MS: u32 = 10;

/// A kind of sentence, whoever sends it.
pub(super) type Kind = Discriminant<Message>;

/// Learns the end of a receiver's cycle.
#[derive(Debug, Default)]
pub(super) struct Cycle {
    /// Kinds that end a cycle; more than one for receivers with two cycles in turn.
    enders: Vec<Kind>,
    /// The last kind with a time.
    last: Option<Kind>,
    stamp: Option<TimeOfDay>,
    /// An end is known: until then every sentence with a position is told at once.
    is_learned: bool,
}

/// Where in the cycle a sentence stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// It is the first of a new cycle.
    pub(super) is_first: bool,
    /// The cycle is complete with it, or was before it and it adds to it.
    pub(super) is_last: bool,
}

impl Cycle {
    /// Whether an end is known.
    pub(super) fn is_learned(&self) -> bool {
        self.is_learned
    }

    /// The receiver does not know the time: nothing can be said about its cycle until it does.
    pub(super) fn lose_time(&mut self) {
        self.is_learned = false;
    }

    /// Finds the place of a sentence. `is_news`: it tells anything. Parts of a group with more to come are not asked.
    pub(super) fn place(
        &mut self,
        kind: Option<Kind>,
        stamp: Option<TimeOfDay>,
        is_news: bool,
        is_trailing: bool,
    ) -> Place {
        let mut place = Place {
            is_first: false,
            is_last: false,
        };
        if let Some(time) = stamp {
            place.is_first = self.stamp.is_none_or(|last| time.abs_diff(last) >= SAME_MS);
            self.stamp = stamp;
            if place.is_first
                && !is_trailing
                && let Some(last) = self.last
                && !self.enders.contains(&last)
            {
                self.enders.push(last);
                self.is_learned = true;
            }
        } else {
            let follows_end = self.last.is_some_and(|last| self.enders.contains(&last));
            place.is_last = follows_end && is_news;
            if is_trailing && let Some(kind) = kind {
                self.enders
                    .retain(|ender| Some(*ender) != self.last && *ender != kind);
                self.enders.push(kind);
                self.is_learned = true;
            }
        }
        let is_timed = stamp.is_some();
        place.is_last |=
            (is_timed || is_trailing) && kind.is_some_and(|kind| self.enders.contains(&kind));
        if is_timed {
            self.last = kind;
        }
        place
    }
}

#[cfg(test)]
mod tests {
    use std::mem::discriminant;

    use super::super::frame::{Framer, checksum};
    use super::*;

    fn kind(formatter: &str) -> Option<Kind> {
        let body = format!("GP{formatter},,,,,,,,,,,,,,,,,");
        let mut framer = Framer::default();
        let sum = checksum(body.as_bytes());
        framer.feed(format!("${body}*{sum:02X}\r\n").as_bytes());
        framer
            .next()
            .and_then(|sentence| Message::parse(&sentence))
            .map(|message| discriminant(&message))
    }

    /// Each sentence with its time, if it has one; `|` before the first of a cycle, `!` behind one that completes it.
    fn check(sentences: &[(&str, Option<u32>)], expected: &str) {
        let mut cycle = Cycle::default();
        let mut mark = |(formatter, time): &(&str, Option<u32>)| {
            let place = cycle.place(kind(formatter), *time, true, *formatter == "GLL");
            let first = if place.is_first { "|" } else { "" };
            let last = if place.is_last { "!" } else { "" };
            format!("{first}{formatter}{last}")
        };
        let found: Vec<String> = sentences.iter().map(&mut mark).collect();
        assert_eq!(found.join(" "), expected);
    }

    #[test]
    fn the_end_is_known_from_the_second_cycle_on() {
        let cycle = |time| {
            [
                ("GGA", Some(time)),
                ("GSA", None),
                ("RMC", Some(time)),
                ("VTG", None),
            ]
        };
        check(
            &[cycle(1000), cycle(2000), cycle(3000)].concat(),
            "|GGA GSA RMC VTG |GGA GSA RMC! VTG! |GGA GSA RMC! VTG!",
        );
    }

    #[test]
    fn cycles_in_turn_have_an_end_each() {
        let cycle = |time| {
            [
                ("GGA", Some(time)),
                ("ZDA", Some(time + 10)),
                ("RMC", Some(time + 20)),
            ]
        };
        check(
            &[cycle(1000), cycle(2000), cycle(3000)].concat(),
            "|GGA |ZDA |RMC |GGA! |ZDA! |RMC! |GGA! |ZDA! |RMC!",
        );
    }

    #[test]
    fn rounding_is_no_new_cycle() {
        check(
            &[
                ("GLL", Some(20_303)),
                ("GGA", Some(20_300)),
                ("RMC", Some(20_310)),
                ("GGA", Some(20_310)),
            ],
            "|GLL GGA |RMC GGA!",
        );
    }

    #[test]
    fn gll_without_a_time_adds_to_the_end() {
        let cycle = |time| [("RMC", Some(time)), ("GGA", Some(time)), ("GLL", None)];
        check(
            &[cycle(1000), cycle(2000), cycle(3000)].concat(),
            "|RMC GGA GLL! |RMC GGA! GLL! |RMC GGA! GLL!",
        );
    }
}
