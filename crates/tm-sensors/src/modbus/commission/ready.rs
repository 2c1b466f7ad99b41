//! The maps that come with the program, and how their devices are recognised.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt::Write as _;
use std::ops::RangeInclusive;

use futures_util::future::BoxFuture;
use tm_types::Cause;

use super::super::connection::{Addressee, Connection};
use super::super::map::Table;
use super::super::place::Place;
use super::client::{Answer, ask};
use super::views;

/// A map of a device that is often met.
#[derive(Debug)]
pub(super) struct ReadyMap {
    /// Its file, without the ending.
    pub(super) name: &'static str,
    /// What it is for.
    pub(super) device: &'static str,
    /// The file: the register document in its first lines, then one device.
    document: &'static str,
    /// All of these hold for such a device.
    signs: &'static [Sign],
}

/// Something by which a device is recognised.
#[derive(Debug)]
enum Sign {
    /// Registers hold a text with this in it.
    Text(Table, u16, u16, &'static str),
    /// Two input registers are a float of this range.
    Float(u16, RangeInclusive<f32>),
    /// They are not.
    NoFloat(u16, RangeInclusive<f32>),
}

/// Volts of a phase that is in use, worldwide, with a margin.
const VOLTS: RangeInclusive<f32> = 80.0..=300.0;
/// Hertz of the mains, worldwide, with a margin.
const HERTZ: RangeInclusive<f32> = 45.0..=66.0;

/// The addresses are those of the maps; `docs/sensors.md` lists the register documents.
pub(super) const MAPS: [ReadyMap; 6] = [
    ReadyMap {
        name: "eastron-sdm120",
        device: "Eastron SDM120 Modbus, one phase",
        document: include_str!("../../../maps/eastron-sdm120.toml"),
        signs: &[
            Sign::Float(0, VOLTS),
            Sign::Float(70, HERTZ),
            Sign::NoFloat(2, VOLTS),
        ],
    },
    ReadyMap {
        name: "eastron-sdm230",
        device: "Eastron SDM230 Modbus, one phase",
        document: include_str!("../../../maps/eastron-sdm230.toml"),
        signs: &[
            Sign::Float(0, VOLTS),
            Sign::Float(70, HERTZ),
            Sign::NoFloat(2, VOLTS),
        ],
    },
    ReadyMap {
        name: "eastron-sdm630",
        device: "Eastron SDM630 Modbus, three phases",
        document: include_str!("../../../maps/eastron-sdm630.toml"),
        signs: &[
            Sign::Float(0, VOLTS),
            Sign::Float(2, VOLTS),
            Sign::Float(70, HERTZ),
        ],
    },
    ReadyMap {
        name: "schneider-iem3155",
        device: "Schneider Electric iEM3155",
        document: include_str!("../../../maps/schneider-iem3155.toml"),
        signs: &[Sign::Text(Table::Holding, 49, 20, "iEM3155")],
    },
    ReadyMap {
        name: "apc-smart-ups",
        device: "APC Smart-UPS, SMT and SRT",
        document: include_str!("../../../maps/apc-smart-ups.toml"),
        signs: &[Sign::Text(Table::Holding, 532, 16, "Smart-UPS")],
    },
    ReadyMap {
        name: "mean-well-drs",
        device: "Mean Well DRS-240 and DRS-480",
        document: include_str!("../../../maps/mean-well-drs.toml"),
        signs: &[Sign::Text(Table::Holding, 0x86, 6, "DRS-")],
    },
];

impl ReadyMap {
    /// The map for the device at this place, without comments.
    pub(super) fn document_for(&self, port: &Place, unit_id: u8) -> String {
        let lines = self.document.lines().filter(|line| !line.starts_with('#'));
        let mut document = String::new();
        for line in lines.skip_while(|line| line.is_empty()) {
            // Writing to a String never fails.
            let _ = match line.split(" = ").next() {
                Some("port") => writeln!(document, "port = \"{port}\""),
                Some("unit_id") => writeln!(document, "unit_id = {unit_id}"),
                _ => writeln!(document, "{line}"),
            };
        }
        document
    }
}

/// The maps that fit a device, by what it answers.
pub(super) async fn fitting(
    connection: Option<Connection>,
    open: impl Fn() -> BoxFuture<'static, Result<Connection, Cause>>,
    to: Addressee,
) -> Vec<&'static ReadyMap> {
    let mut asked = Asked {
        connection,
        answers: HashMap::new(),
    };
    let mut fitting = Vec::new();
    for map in &MAPS {
        let mut fits = true;
        for sign in map.signs {
            let answer = asked.answer(sign.place(), &open, to).await;
            fits = answer.is_some_and(|answer| sign.holds(answer));
            if !fits {
                break;
            }
        }
        if fits {
            fitting.push(map);
        }
    }
    fitting
}

/// What a device has answered; nothing is asked twice.
struct Asked {
    connection: Option<Connection>,
    answers: HashMap<Registers, Answer>,
}

/// Table, address, count.
type Registers = (Table, u16, u16);

impl Asked {
    /// The answer for a place; none when the port cannot be opened any more.
    async fn answer(
        &mut self,
        place: Registers,
        open: impl Fn() -> BoxFuture<'static, Result<Connection, Cause>>,
        to: Addressee,
    ) -> Option<&Answer> {
        match self.answers.entry(place) {
            Entry::Occupied(known) => Some(known.into_mut()),
            Entry::Vacant(unknown) => {
                let connection = match self.connection.take() {
                    Some(connection) => connection,
                    None => open().await.ok()?,
                };
                let (table, address, count) = place;
                let (answer, connection) = ask(connection, to, table, address, count).await;
                self.connection = connection;
                Some(unknown.insert(answer))
            }
        }
    }
}

impl Sign {
    /// What is to be read for it.
    fn place(&self) -> Registers {
        match *self {
            Self::Text(table, address, count, _) => (table, address, count),
            Self::Float(address, _) | Self::NoFloat(address, _) => (Table::Input, address, 2),
        }
    }

    fn holds(&self, answer: &Answer) -> bool {
        match self {
            Self::Text(.., part) => match answer {
                Answer::Words(words) => views::text(words).is_some_and(|text| text.contains(part)),
                _ => false,
            },
            Self::Float(_, range) => float(answer).is_some_and(|number| range.contains(&number)),
            Self::NoFloat(_, range) => {
                answer.is_alive() && !float(answer).is_some_and(|number| range.contains(&number))
            }
        }
    }
}

fn float(answer: &Answer) -> Option<f32> {
    match answer {
        Answer::Words(words) => {
            let [high, low] = words[..].try_into().ok()?;
            let bits = (u32::from(high) << 16) | u32::from(low);
            Some(f32::from_bits(bits))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tm_service::port::SerialLine;

    use super::super::super::document;
    use super::super::client::fake::{Behaviour, exception, opener, words};
    use super::*;

    #[test]
    fn every_ready_map_is_a_map_and_cites_its_document() {
        let source = "sensors".parse().unwrap();
        for map in &MAPS {
            let devices = document::parse(map.document, &source)
                .unwrap_or_else(|error| panic!("{}: {error}", map.name))
                .devices;
            assert_eq!(devices.len(), 1, "{}", map.name);
            assert!(devices[0].registers.len() >= 6, "{}", map.name);
            assert!(
                map.document.contains("\n# Register document: "),
                "{}",
                map.name
            );
            let filled = map.document_for(&"tcp://10.1.2.3:503".parse().unwrap(), 42);
            let devices = document::parse(&filled, &source)
                .unwrap_or_else(|error| panic!("{}: {error}\n{filled}", map.name))
                .devices;
            assert_eq!(devices[0].unit_id, 42, "{}", map.name);
            assert_eq!(devices[0].place, "tcp://10.1.2.3:503".parse().unwrap());
            assert!(!filled.contains('#'), "{filled}");
            assert!(filled.len() < 6 * 1024, "{}: {}", map.name, filled.len());
        }
    }

    fn text(function: u8, count: u16, text: &str) -> Vec<u8> {
        let mut bytes = text.as_bytes().to_vec();
        bytes.resize(usize::from(count) * 2, 0);
        let pairs = bytes
            .chunks(2)
            .map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
        words(function, &pairs.collect::<Vec<_>>())
    }

    #[tokio::test(start_paused = true)]
    async fn devices_are_recognised() {
        let cases: [(Behaviour, &[&str]); 6] = [
            (
                |_, function, address, count| {
                    Some(match (function, address) {
                        (3, 49) => text(3, count, "iEM3155"),
                        _ => exception(function, 2),
                    })
                },
                &["schneider-iem3155"],
            ),
            (
                |_, function, address, count| {
                    Some(match (function, address) {
                        (3, 532) => text(3, count, "Smart-UPS 1500"),
                        _ => exception(function, 2),
                    })
                },
                &["apc-smart-ups"],
            ),
            (
                |_, function, address, count| {
                    (function == 3 && address == 0x86).then(|| text(3, count, "DRS-480-24"))
                },
                &["mean-well-drs"],
            ),
            (
                |_, function, address, _| {
                    Some(match (function, address) {
                        // 231.0 V on two phases, 50.0 Hz.
                        (4, 0 | 2) => words(4, &[0x4367, 0]),
                        (4, 70) => words(4, &[0x4248, 0]),
                        _ => exception(function, 2),
                    })
                },
                &["eastron-sdm630"],
            ),
            (|_, function, _, _| Some(exception(function, 1)), &[]),
            (|_, _, _, _| None, &[]),
        ];
        for (behaviour, expected) in cases {
            let open = opener(behaviour);
            let open = || open(SerialLine::plain(9600));
            let connection = open().await.ok();
            let to = Addressee {
                unit_id: 1,
                timeout: Duration::from_secs(1),
                gap: Duration::ZERO,
            };
            let maps = fitting(connection, open, to).await;
            let names: Vec<_> = maps.iter().map(|map| map.name).collect();
            assert_eq!(names, expected);
        }
    }
}
