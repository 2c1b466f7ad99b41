//! How worn the soldered flash is, as its own registers say (JEDEC JESD84-B51, extended CSD).
//!
//! An eMMC shows `life_time` (two kinds of cells, tenths of their life) and `pre_eol_info` (spare blocks).
//! An SD card has no such registers and is no point at all.

use tm_types::{Point, PointName, Reading, Reason, Value};

use super::files::registers;
use super::{DISK_DEADLINE, Machine, PERCENT};
use crate::report::{Deadband, Measured};

impl Machine {
    /// What soldered flash says of its own wear; an SD card says nothing.
    pub(super) async fn wear(&mut self) -> Vec<Measured> {
        let root = self.sys.join("block");
        let job = {
            let root = root.clone();
            move || registers(&root)
        };
        // No such directory, or one that cannot be read: no flash that says anything.
        let cards = self.blocking.run(&root, DISK_DEADLINE, job).await;
        let mut points = Vec::new();
        for card in cards.unwrap_or_default() {
            let named = |what| PointName::new(&format!("{}/{what}", card.card));
            let named = |what| named(what).expect("a card's name is of the alphabet");
            let read = |text: Option<Result<String, Reason>>,
                        parse: fn(&str) -> Option<Reading>| {
                text.and_then(|text| match text {
                    Ok(text) => parse(&text),
                    Err(reason) => Some(Reading::Missing(reason)),
                })
            };
            let wear = read(card.life_time, wear).map(|reading| Measured {
                point: Point::gauge(named("wear"), PERCENT, reading),
                deadband: Deadband::Absolute(1.0),
            });
            let spare = read(card.pre_eol_info, spare).map(|reading| Measured {
                point: Point::state(named("spare"), reading),
                deadband: Deadband::Absolute(0.0),
            });
            points.extend(wear.into_iter().chain(spare));
        }
        points
    }
}

/// Used-up life in percent from `life_time`: `0x01 0x02`, one byte for each kind of cells.
///
/// `0x01` is "0 to 10 % used", told as 10; the worse of the two counts. `0x0b` is "exceeded": 100, uncertain.
/// `None` when the device defines neither (`0x00`).
fn wear(life_time: &str) -> Option<Reading> {
    let mut worst = 0;
    let mut words = life_time.split_ascii_whitespace();
    let (Some(first), Some(second), None) = (words.next(), words.next(), words.next()) else {
        return Some(Reading::Missing(Reason::BadReply));
    };
    for word in [first, second] {
        match byte(word) {
            Some(level @ 0..=0x0b) => worst = worst.max(level),
            _ => return Some(Reading::Missing(Reason::BadReply)),
        }
    }
    match worst {
        0 => None,
        0x0b => Some(Reading::Uncertain(100.into(), Reason::OutOfRange)),
        tenths => Some(Reading::from(u32::from(tenths) * 10)),
    }
}

/// What is left of the spare blocks from `pre_eol_info`: `normal`, `warning` (80 % used), `urgent` (90 % used).
///
/// `None` when the device does not define it (`0x00`).
fn spare(pre_eol_info: &str) -> Option<Reading> {
    let word = match byte(pre_eol_info.trim()) {
        Some(0) => return None,
        Some(1) => "normal",
        Some(2) => "warning",
        Some(3) => "urgent",
        _ => return Some(Reading::Missing(Reason::BadReply)),
    };
    Some(Value::text(word).map_or(Reading::Missing(Reason::BadReply), Reading::Good))
}

/// `mmcblk0`, and not its partitions (`mmcblk0p1`) nor its boot areas (`mmcblk0boot0`).
pub(super) fn is_card(block: &str) -> bool {
    let number = block.strip_prefix("mmcblk").unwrap_or_default();
    (1..=2).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit())
}

fn byte(word: &str) -> Option<u8> {
    let digits = word.strip_prefix("0x")?;
    let is_byte = digits.len() == 2 && digits.bytes().all(|b| b.is_ascii_hexdigit());
    is_byte.then(|| u8::from_str_radix(digits, 16).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(reading: Option<Reading>) -> String {
        let Some(reading) = reading else {
            return "no point".to_owned();
        };
        let parts = [
            reading.value().map(ToString::to_string),
            reading.reason().map(|reason| reason.as_str().to_owned()),
        ];
        parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn life_times() {
        for (text, expected) in [
            ("0x01 0x01\n", "10"),
            ("0x01 0x03\n", "30"),
            ("0x0a 0x02", "100"),
            ("0x0b 0x01", "100 out_of_range"),
            ("0x00 0x02", "20"),
            ("0x00 0x00\n", "no point"),
            ("0x0c 0x01", "bad_reply"),
            ("0x01", "bad_reply"),
            ("0x01 0x01 0x01", "bad_reply"),
            ("1 1", "bad_reply"),
            ("0x+1 0x01", "bad_reply"),
            ("", "bad_reply"),
        ] {
            assert_eq!(told(wear(text)), expected, "{text:?}");
        }
    }

    #[test]
    fn spares() {
        for (text, expected) in [
            ("0x01\n", "normal"),
            ("0x02", "warning"),
            ("0x03", "urgent"),
            ("0x00\n", "no point"),
            ("0x04", "bad_reply"),
            ("", "bad_reply"),
        ] {
            assert_eq!(told(spare(text)), expected, "{text:?}");
        }
    }

    #[test]
    fn cards() {
        let names = ["mmcblk0", "mmcblk12"];
        assert!(names.into_iter().all(is_card));
        let others = ["mmcblk0p1", "mmcblk0boot0", "mmcblk", "sda", "mmcblk123"];
        assert!(!others.into_iter().any(is_card));
    }
}
