//! Text messages: the two stores, what the network holds back, and what was sent.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use super::pdu::{self, Submit};

/// How the operator treats messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MessageService {
    /// From the end of the prompt to the answer.
    pub takes: Duration,
    /// The number of `+CMS ERROR` that every sending ends with, such as 38, 331 or 332.
    pub refusal: Option<u16>,
    /// `<st>` of the report that was asked for: 0 delivered, 0x41 and above given up; absent for a report that never
    /// comes (3GPP TS 23.040, 9.2.3.15).
    pub report: Option<u8>,
    /// From the answer to the report.
    pub report_after: Duration,
    /// Places on the card; 10 to 50 on real ones.
    pub n_places: usize,
    /// Whether a message that finds no place is told as `+CMTI: ,-1`, as seen in the field, or as `+CMTI: "SM",-1`.
    pub full_without_storage: bool,
}

impl Default for MessageService {
    fn default() -> Self {
        Self {
            takes: Duration::from_secs(1),
            refusal: None,
            report: Some(0),
            report_after: Duration::from_secs(3),
            n_places: 20,
            full_without_storage: true,
        }
    }
}

/// A text that the module sent, put together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentMessage {
    /// The receiver, with `+` where it is international.
    pub to: String,
    /// The parts that were sent so far, in order.
    pub text: String,
    /// `<mr>` of each part, as it was answered.
    pub references: Vec<u8>,
    /// Whether a report was asked for.
    pub wants_report: bool,
    /// Whether every part of it was sent.
    pub is_complete: bool,
    parts: BTreeMap<u8, String>,
    total: u8,
    concatenation: Option<u16>,
}

/// What was sent, seen by the module and by its handles.
#[derive(Debug, Clone, Default)]
pub(super) struct Sent(Arc<Mutex<Vec<SentMessage>>>);

impl Sent {
    pub(super) fn all(&self) -> Vec<SentMessage> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(super) fn add(&self, sent: &Submit, reference: u8) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (concatenation, total, number) = match sent.part {
            Some((concatenation, total, number)) => (Some(concatenation), total, number),
            None => (None, 1, 1),
        };
        let open = all.iter().position(|message| {
            concatenation.is_some()
                && message.concatenation == concatenation
                && message.to == sent.to
                && !message.is_complete
        });
        let index = open.unwrap_or_else(|| {
            all.push(SentMessage {
                to: sent.to.clone(),
                text: String::new(),
                references: Vec::new(),
                wants_report: false,
                is_complete: false,
                parts: BTreeMap::new(),
                total,
                concatenation,
            });
            all.len() - 1
        });
        let message = &mut all[index];
        message.parts.insert(number, sent.text.clone());
        message.text = message.parts.values().map(String::as_str).collect();
        message.references.push(reference);
        message.wants_report |= sent.wants_report;
        message.is_complete = message.parts.len() == usize::from(message.total);
    }
}

/// A store of the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Memory {
    /// On the card.
    Sm,
    /// In the module: 23 places (AT Command Manual V3.00, 9.2).
    Me,
}

impl Memory {
    pub(super) fn named(name: &str) -> Option<Self> {
        match name.trim().trim_matches('"') {
            "SM" | "MT" => Some(Self::Sm),
            "ME" => Some(Self::Me),
            _ => None,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Sm => "SM",
            Self::Me => "ME",
        }
    }
}

/// Places of the module's own store.
const ME_PLACES: usize = 23;

#[derive(Debug, Clone)]
struct Stored {
    octets: Vec<u8>,
    is_read: bool,
}

/// What lies on the card, in the module, and with the network.
#[derive(Debug)]
pub(super) struct Messages {
    sm: Vec<Option<Stored>>,
    me: Vec<Option<Stored>>,
    /// Held by the network; whether the module has said already that it has no room.
    waiting: VecDeque<(Vec<u8>, bool)>,
    reference: u8,
    concatenation: u8,
}

/// What becomes of a message that the network offers.
pub(super) enum Offered {
    /// It lies at this place.
    At(usize),
    /// No room, said now for the first time or not.
    Full { is_news: bool },
}

impl Messages {
    pub(super) fn new(service: &MessageService) -> Self {
        Self {
            sm: vec![None; service.n_places],
            me: vec![None; ME_PLACES],
            waiting: VecDeque::new(),
            reference: 45,
            concatenation: 0,
        }
    }

    fn places(&mut self, memory: Memory) -> &mut Vec<Option<Stored>> {
        match memory {
            Memory::Sm => &mut self.sm,
            Memory::Me => &mut self.me,
        }
    }

    /// Used and all places, as `+CPMS` prints them.
    pub(super) fn room(&self, memory: Memory) -> (usize, usize) {
        let places = match memory {
            Memory::Sm => &self.sm,
            Memory::Me => &self.me,
        };
        (places.iter().flatten().count(), places.len())
    }

    /// The next `<mr>`.
    pub(super) fn reference(&mut self) -> u8 {
        self.reference = self.reference.wrapping_add(1);
        self.reference
    }

    /// The next reference of a divided text.
    pub(super) fn concatenation(&mut self) -> u8 {
        self.concatenation = self.concatenation.wrapping_add(1);
        self.concatenation
    }

    /// The network takes a message to be delivered.
    pub(super) fn hold(&mut self, octets: Vec<u8>) {
        self.waiting.push_back((octets, false));
    }

    /// The oldest one that the network holds.
    pub(super) fn held(&self) -> Option<&[u8]> {
        self.waiting.front().map(|(octets, _)| octets.as_slice())
    }

    /// The oldest one has been given to the terminal and lies nowhere.
    pub(super) fn passed_on(&mut self) {
        self.waiting.pop_front();
    }

    /// The oldest one that is held is stored, or refused.
    pub(super) fn offer(&mut self, memory: Memory) -> Option<Offered> {
        let (octets, told) = self.waiting.pop_front()?;
        if let Some(place) = self.store(memory, octets.clone()) {
            return Some(Offered::At(place));
        }
        self.waiting.push_front((octets, true));
        Some(Offered::Full { is_news: !told })
    }

    /// The place it got.
    pub(super) fn store(&mut self, memory: Memory, octets: Vec<u8>) -> Option<usize> {
        let places = self.places(memory);
        let free = places.iter().position(Option::is_none)?;
        places[free] = Some(Stored {
            octets,
            is_read: false,
        });
        Some(free)
    }

    /// Every free place holds a message that was read long ago.
    pub(super) fn fill(&mut self, memory: Memory, octets: &[u8]) {
        for place in self
            .places(memory)
            .iter_mut()
            .filter(|place| place.is_none())
        {
            *place = Some(Stored {
                octets: octets.to_vec(),
                is_read: true,
            });
        }
    }

    /// Another card: what lay on the first is gone.
    pub(super) fn card_swapped(&mut self) {
        self.sm.fill(None);
    }

    /// Those of this state (0 unread, 1 read, 2 and 3 of which there are none, 4 all), which are read by that.
    pub(super) fn list(&mut self, memory: Memory, state: u8) -> Vec<String> {
        let mut lines = Vec::new();
        for (index, stored) in self.places(memory).iter_mut().enumerate() {
            let Some(stored) = stored else { continue };
            if state == 4 || state == u8::from(stored.is_read) {
                lines.push(format!("+CMGL: {index},{}", stored.print()));
            }
        }
        lines
    }

    /// One, which is read by that; nothing from an empty place or none.
    pub(super) fn read(&mut self, memory: Memory, index: usize) -> Option<String> {
        let stored = self.places(memory).get_mut(index)?.as_mut()?;
        Some(format!("+CMGR: {}", stored.print()))
    }

    /// `AT+CMGD`; whether there is such a place.
    pub(super) fn delete(&mut self, memory: Memory, index: usize, flag: u8) -> bool {
        let places = self.places(memory);
        match flag {
            0 => match places.get_mut(index) {
                Some(place) => *place = None,
                None => return false,
            },
            1..=3 => {
                for place in places {
                    place.take_if(|stored| stored.is_read);
                }
            }
            _ => places.fill(None),
        }
        true
    }
}

impl Stored {
    /// Its state, no name, its length without the service centre, and on the next line its octets.
    fn print(&mut self) -> String {
        let state = u8::from(self.is_read);
        self.is_read = true;
        let (length, hex) = printed(&self.octets);
        format!("{state},\"\",{length}\r\n{hex}")
    }
}

/// Length without the service centre, and the octets in hexadecimal.
pub(super) fn printed(octets: &[u8]) -> (usize, String) {
    let centre = 1 + octets.first().map_or(0, |n| usize::from(*n));
    (octets.len().saturating_sub(centre), pdu::hex(octets))
}
