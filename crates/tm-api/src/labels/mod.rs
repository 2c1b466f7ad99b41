//! The words of our pages, in three languages. Sentences for codes are in tm-types.

mod en;
mod quantities;
mod ru;
mod uk;

use tm_types::text::Language;
use tm_types::{Clock, FixMode, Reason, RecoveryStatus};

use crate::views::Level;
use quantities::{QUANTITIES, quantity};

/// The words of one language.
#[derive(Debug)]
pub(crate) struct Labels {
    pub(crate) lang: &'static str,
    /// The language in its own words.
    pub(crate) own_name: &'static str,
    pub(crate) link: &'static str,
    pub(crate) cabinet: &'static str,
    pub(crate) position: &'static str,
    pub(crate) queue: &'static str,
    pub(crate) clock: &'static str,
    pub(crate) band: &'static str,
    pub(crate) sim: &'static str,
    pub(crate) modem: &'static str,
    /// Temperature of the radio, shortly.
    pub(crate) radio: &'static str,
    /// Data of the billing month.
    pub(crate) month_data: &'static str,
    pub(crate) balance: &'static str,
    /// What is done to heal the link.
    pub(crate) recovery: &'static str,
    pub(crate) satellites: &'static str,
    pub(crate) altitude: &'static str,
    pub(crate) age: &'static str,
    pub(crate) oldest: &'static str,
    pub(crate) on_disk: &'static str,
    pub(crate) lost: &'static str,
    pub(crate) acked: &'static str,
    pub(crate) source: &'static str,
    pub(crate) error: &'static str,
    pub(crate) uptime: &'static str,
    pub(crate) load: &'static str,
    pub(crate) memory: &'static str,
    pub(crate) no_position: &'static str,
    pub(crate) alarms: &'static str,
    pub(crate) notes: &'static str,
    pub(crate) services: &'static str,
    pub(crate) values: &'static str,
    pub(crate) series: &'static str,
    pub(crate) value: &'static str,
    pub(crate) no_values: &'static str,
    pub(crate) more: &'static str,
    pub(crate) live: &'static str,
    pub(crate) paused: &'static str,
    pub(crate) stale: &'static str,
    pub(crate) problems: &'static str,
    pub(crate) home: &'static str,
    last_hour: &'static str,
    /// Before a length of time that is not an hour.
    last: &'static str,
    pub(crate) time: &'static str,
    pub(crate) minimum: &'static str,
    pub(crate) mean: &'static str,
    pub(crate) maximum: &'static str,
    pub(crate) growth: &'static str,
    pub(crate) total: &'static str,
    pub(crate) resets: &'static str,
    pub(crate) condition: &'static str,
    pub(crate) changes: &'static str,
    pub(crate) readings: &'static str,
    pub(crate) unusable: &'static str,
    /// Above a picture, before the length of a step.
    pub(crate) levels_per: &'static str,
    pub(crate) growth_per: &'static str,
    pub(crate) condition_step: &'static str,
    pub(crate) figures: &'static str,
    pub(crate) csv: &'static str,
    pub(crate) no_readings: &'static str,
    pub(crate) no_usable: &'static str,
    pub(crate) other_series: &'static str,
    pub(crate) show: &'static str,
    pub(crate) since: &'static str,
    pub(crate) yes: &'static str,
    pub(crate) no: &'static str,
    /// Seconds, minutes, hours, days.
    pub(crate) units: [&'static str; 4],
    parts: [&'static str; 5],
    clocks: [&'static str; 8],
    conditions: [&'static str; 4],
    levels: [&'static str; 4],
    /// Watching, waiting, judging, backing off, stopped, held, hands off.
    recoveries: [&'static str; 7],
    /// From weak to strong.
    signals: [&'static str; 4],
    reasons: [&'static str; 13],
    /// What waits in the queue: for one, for few, for many.
    waiting: [&'static str; 3],
    quantities: [&'static str; QUANTITIES.len()],
    plural: fn(u64) -> usize,
}

impl Labels {
    pub(crate) fn of(language: Language) -> &'static Self {
        match language {
            Language::En => &en::EN,
            Language::Uk => &uk::UK,
            Language::Ru => &ru::RU,
        }
    }

    /// A part of the cabinet in the middle of a sentence, by the group of its codes.
    pub(crate) fn part(&self, group: &str) -> &'static str {
        match group {
            "modem" => self.parts[0],
            "gnss" => self.parts[1],
            "sensors" => self.parts[2],
            "uplink" => self.parts[3],
            _ => self.parts[4],
        }
    }

    /// What a clock was set by.
    pub(crate) fn clock_source(&self, clock: Clock) -> &'static str {
        let index = Clock::ALL
            .iter()
            .position(|known| *known == clock)
            .unwrap_or(7);
        self.clocks[index]
    }

    /// How a service is: up, degraded, down, unknown.
    pub(crate) fn condition(&self, condition: crate::world::Condition) -> &'static str {
        self.conditions[condition as usize]
    }

    /// The kind of a fix; shown beside the number of satellites.
    pub(crate) fn fix(mode: FixMode) -> &'static str {
        match mode {
            FixMode::None => "—",
            FixMode::TwoD => "2D",
            FixMode::ThreeD => "3D",
        }
    }

    /// How much attention something needs, for who does not see its colour.
    pub(crate) fn level(&self, level: Level) -> &'static str {
        self.levels[level as usize]
    }

    /// What the watchdog of the link is doing.
    pub(crate) fn recovery_status(&self, status: RecoveryStatus) -> &'static str {
        let index = match status {
            RecoveryStatus::Watching => 0,
            RecoveryStatus::Waiting => 1,
            RecoveryStatus::Judging => 2,
            RecoveryStatus::BackingOff => 3,
            RecoveryStatus::Stopped => 4,
            RecoveryStatus::Held => 5,
            RecoveryStatus::HandsOff => 6,
        };
        self.recoveries[index]
    }

    /// How well the network is heard, by 0 to 3 full steps of its bars.
    pub(crate) fn signal(&self, steps: usize) -> &'static str {
        self.signals[steps.min(3)]
    }

    /// Why there is no good value.
    pub(crate) fn reason(&self, reason: Reason) -> &'static str {
        let index = Reason::ALL.iter().position(|known| *known == reason);
        self.reasons[index.unwrap_or(self.reasons.len() - 1)]
    }

    /// What that many measurements do in the queue, without the number.
    pub(crate) fn waiting(&self, count: u64) -> &'static str {
        self.waiting[(self.plural)(count)]
    }

    /// A quantity as people call it; none for a name of somebody's own.
    pub(crate) fn quantity(&self, name: &str) -> Option<&'static str> {
        quantity(name).map(|index| self.quantities[index])
    }

    /// The stretch of time that ends now.
    pub(crate) fn last(&self, ms: u64) -> String {
        if ms == 3_600_000 {
            self.last_hour.to_owned()
        } else {
            format!("{} {}", self.last, self.span(ms))
        }
    }

    /// A length of time that is a whole number of some unit: 15 min, 1 h, 24 h, 7 d.
    pub(crate) fn span(&self, ms: u64) -> String {
        let units = [(1, 0), (60, 1), (3600, 2), (86_400, 3)];
        let s = ms.div_ceil(1000);
        let fits = |(length, _): &&(u64, usize)| {
            s > 0 && s.is_multiple_of(*length) && (s > *length || *length < 86_400)
        };
        let (length, unit) = units.iter().rev().find(fits).copied().unwrap_or((1, 0));
        format!("{}\u{a0}{}", s / length, self.units[unit])
    }

    /// A length of time in its largest unit.
    pub(crate) fn duration(&self, ms: u64) -> String {
        let s = ms / 1000;
        let (number, unit) = match s {
            0..120 => (s, 0),
            120..7200 => (s / 60, 1),
            7200..172_800 => (s / 3600, 2),
            _ => (s / 86_400, 3),
        };
        format!("{number}\u{a0}{}", self.units[unit])
    }
}

/// English has one form for one and another for the rest.
fn english(count: u64) -> usize {
    usize::from(count != 1)
}

/// Ukrainian and Russian: 1, 21 … but not 11; 2 to 4, 22 to 24 … but not 12 to 14; the rest.
fn slavic(count: u64) -> usize {
    match (count % 10, count % 100) {
        (_, 11..=14) => 2,
        (1, _) => 0,
        (2..=4, _) => 1,
        _ => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_told_in_the_right_form() {
        let cases = [
            (0, "measurements waiting", "вимірів чекає", "измерений ждёт"),
            (1, "measurement waiting", "вимір чекає", "измерение ждёт"),
            (
                3,
                "measurements waiting",
                "виміри чекають",
                "измерения ждут",
            ),
            (5, "measurements waiting", "вимірів чекає", "измерений ждёт"),
            (
                11,
                "measurements waiting",
                "вимірів чекає",
                "измерений ждёт",
            ),
            (
                14,
                "measurements waiting",
                "вимірів чекає",
                "измерений ждёт",
            ),
            (21, "measurements waiting", "вимір чекає", "измерение ждёт"),
            (
                112,
                "measurements waiting",
                "вимірів чекає",
                "измерений ждёт",
            ),
            (
                1_000_024,
                "measurements waiting",
                "виміри чекають",
                "измерения ждут",
            ),
        ];
        for (count, en, uk, ru) in cases {
            let told = Language::ALL.map(|language| Labels::of(language).waiting(count));
            assert_eq!(told, [en, uk, ru], "{count}");
        }
    }

    #[test]
    fn spans_are_whole() {
        let labels = Labels::of(Language::En);
        let cases = [
            (0, "0\u{a0}s"),
            (15, "15\u{a0}s"),
            (90, "90\u{a0}s"),
            (900, "15\u{a0}min"),
            (3600, "1\u{a0}h"),
            (86_400, "24\u{a0}h"),
            (604_800, "7\u{a0}d"),
        ];
        for (s, expected) in cases {
            assert_eq!(labels.span(s * 1000), expected);
        }
    }

    #[test]
    fn no_word_is_missing_or_left_in_another_language() {
        let (en, uk, ru) = (&en::EN, &uk::UK, &ru::RU);
        for (english, others) in en
            .quantities
            .iter()
            .zip(uk.quantities.iter().zip(ru.quantities))
        {
            assert!(!english.is_empty() && !others.0.is_empty() && !others.1.is_empty());
        }
        let cyrillic = |text: &str| {
            text.chars()
                .any(|c| ('а'..='я').contains(&c.to_ascii_lowercase()) || ('А'..='я').contains(&c))
        };
        for labels in [uk, ru] {
            let words = labels
                .reasons
                .iter()
                .chain(&labels.levels)
                .chain(&labels.signals)
                .chain(&labels.recoveries)
                .chain([
                    &labels.radio,
                    &labels.month_data,
                    &labels.balance,
                    &labels.recovery,
                ]);
            for word in words.chain(&labels.waiting).chain(&labels.conditions) {
                assert!(cyrillic(word), "{word}");
            }
        }
    }
}
