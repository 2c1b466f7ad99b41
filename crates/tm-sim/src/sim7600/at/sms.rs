//! Text messages (manual, 9).

use super::{End, Prompted, Reply, card, fields};
use crate::sim7600::{
    gsm7,
    messages::{self, Memory, Offered},
    pdu::{self, Submit},
    ports::Line,
    world::{Boot, Effect, Later, SimCard, World},
};

/// Message errors (manual, 3.4).
const NO_CARD: u16 = 310;
const PIN: u16 = 311;
const BUSY: u16 = 314;
const BAD_PDU: u16 = 304;
const BAD_TEXT: u16 = 305;
const BAD_PARAMETER: u16 = 302;
const BAD_INDEX: u16 = 321;
const NO_NETWORK: u16 = 331;
const NOTHING_TO_CONFIRM: u16 = 340;

/// Why the messages on the card cannot be reached.
fn unready(world: &World) -> Option<End> {
    match world.sim() {
        SimCard::Missing => Some(End::Cms(NO_CARD)),
        _ if world.boot < Boot::MessagesRead => Some(End::Cms(BUSY)),
        _ if card::locked(world).is_some() => Some(End::Cms(PIN)),
        _ => None,
    }
}

pub(super) fn ask(name: &str, query: bool, world: &mut World, reply: &mut Reply) -> Option<End> {
    let settings = &world.settings;
    match name {
        "+CMGF" if query => reply.line(format!("+CMGF: {}", settings.cmgf)),
        "+CNMI" if query => {
            let values = settings.cnmi.map(|value| value.to_string()).join(",");
            reply.line(format!("+CNMI: {values}"));
        }
        "+CPMS" if query => {
            if let Some(end) = unready(world) {
                return Some(end);
            }
            let rooms = settings.cpms.map(|memory| {
                let (used, all) = world.messages.room(memory);
                format!("\"{}\",{used},{all}", memory.name())
            });
            reply.line(format!("+CPMS: {}", rooms.join(",")));
        }
        "+CSCA" if query => reply.line("+CSCA: \"+380500000000\",145"),
        "+CSMS" if query => reply.line("+CSMS: 0,1,1,1"),
        "+CNMA" => return Some(End::Cms(NOTHING_TO_CONFIRM)),
        "+CMGL" if !query => return Some(list(4, world, reply)),
        _ => return None,
    }
    Some(End::Ok)
}

pub(super) fn set(name: &str, value: &str, world: &mut World, reply: &mut Reply) -> Option<End> {
    match name {
        "+CMGF" | "+CNMI" => return Some(configure(name, value, world)),
        "+CPMS" | "+CMGL" | "+CMGR" | "+CMGD" | "+CMGS" => {}
        _ => return None,
    }
    if let Some(end) = unready(world) {
        return Some(end);
    }
    let fields = fields(value);
    let number = |index: usize| {
        fields
            .get(index)
            .and_then(|field| field.parse::<usize>().ok())
    };
    let memory = world.settings.cpms[0];
    Some(match name {
        "+CPMS" => select(&fields, world, reply),
        "+CMGL" => match fields.first() {
            Some(&"4" | &"ALL") => list(4, world, reply),
            Some(&"0" | &"REC UNREAD") => list(0, world, reply),
            Some(&"1" | &"REC READ") => list(1, world, reply),
            Some(&"2" | &"3" | &"STO UNSENT" | &"STO SENT") => End::Ok,
            _ => End::Cms(BAD_PARAMETER),
        },
        // UNVERIFIED: an empty place; some firmware says only OK.
        "+CMGR" => match number(0).and_then(|index| world.messages.read(memory, index)) {
            Some(line) => {
                reply.line(line);
                End::Ok
            }
            None => End::Cms(BAD_INDEX),
        },
        "+CMGD" => {
            let flag = number(1)
                .and_then(|flag| u8::try_from(flag).ok())
                .unwrap_or(0);
            match number(0) {
                Some(index) if flag <= 4 && world.messages.delete(memory, index, flag) => {
                    // The network notices that there is room.
                    world.later(DELIVER_AGAIN, Later::Deliver);
                    End::Ok
                }
                _ => End::Cms(BAD_INDEX),
            }
        }
        _ => match (world.settings.cmgf, number(0)) {
            (0, Some(length @ 8..=164)) => End::Prompt(Prompted::Octets(length)),
            (0, _) => End::Cms(BAD_PDU),
            _ => End::Prompt(Prompted::Text(fields[0].to_owned())),
        },
    })
}

/// From a deletion to the network's next try.
const DELIVER_AGAIN: std::time::Duration = std::time::Duration::from_secs(2);

fn configure(name: &str, value: &str, world: &mut World) -> End {
    if name == "+CMGF" {
        match value {
            "0" | "1" => world.settings.cmgf = u8::from(value == "1"),
            _ => return End::Cms(BAD_PARAMETER),
        }
        return End::Ok;
    }
    let limits = [2, 3, 2, 2, 1];
    for (index, field) in fields(value).into_iter().enumerate() {
        match (field.parse(), limits.get(index)) {
            (Ok(value), Some(limit)) if value <= *limit => world.settings.cnmi[index] = value,
            _ => return End::Cms(BAD_PARAMETER),
        }
    }
    End::Ok
}

fn select(fields: &[&str], world: &mut World, reply: &mut Reply) -> End {
    for (index, field) in fields.iter().enumerate() {
        match (Memory::named(field), world.settings.cpms.get_mut(index)) {
            (Some(memory), Some(place)) => *place = memory,
            _ => return End::Cms(BAD_PARAMETER),
        }
    }
    let rooms = world.settings.cpms.map(|memory| {
        let (used, all) = world.messages.room(memory);
        format!("{used},{all}")
    });
    reply.line(format!("+CPMS: {}", rooms.join(",")));
    End::Ok
}

fn list(state: u8, world: &mut World, reply: &mut Reply) -> End {
    if let Some(end) = unready(world) {
        return end;
    }
    let memory = world.settings.cpms[0];
    let lines = world.messages.list(memory, state);
    if !lines.is_empty() {
        // One block without blank lines, as seen on the real module.
        reply.line(lines.join("\r\n"));
    }
    End::Ok
}

/// What was typed at the prompt goes to the network, which takes its time.
pub(super) fn typed(port: Line, prompted: &Prompted, typed: &[u8], world: &mut World) -> End {
    let text = String::from_utf8_lossy(typed);
    let sent = match prompted {
        Prompted::Octets(length) => {
            pdu::octets(text.trim()).and_then(|octets| pdu::submit(&octets, *length))
        }
        Prompted::Text(number) => {
            let septets: Option<Vec<Vec<u8>>> = text.chars().map(gsm7::septets).collect();
            let fits = septets.is_some_and(|septets| septets.concat().len() <= 160);
            fits.then(|| Submit::plain(number, &text))
        }
    };
    let Some(sent) = sent else {
        let code = if matches!(prompted, Prompted::Octets(_)) {
            BAD_PDU
        } else {
            BAD_TEXT
        };
        return End::Cms(code);
    };
    let takes = world.config.messages.takes;
    world.later(takes, Later::Send(port, Box::new(sent)));
    End::Later {
        is_abortable: false,
    }
}

/// The network takes or refuses a message.
pub(in crate::sim7600) fn send(port: Line, sent: &Submit, world: &mut World) -> Effect {
    let service = world.config.messages;
    let refusal = if world.has_service() {
        service.refusal
    } else {
        Some(NO_NETWORK)
    };
    if let Some(code) = refusal {
        return Effect::Answer(port, Vec::new(), format!("+CMS ERROR: {code}"));
    }
    let reference = world.messages.reference();
    world.sent.add(sent, reference);
    if let Some(status) = service.report.filter(|_| sent.wants_report) {
        let report = pdu::status_report(sent, reference, world.now(), status);
        world.later(service.report_after, Later::Report(report));
    }
    Effect::Answer(port, vec![format!("+CMGS: {reference}")], "OK".to_owned())
}

/// A report comes from the network.
pub(in crate::sim7600) fn report(octets: Vec<u8>, world: &mut World) -> Vec<String> {
    match world.settings.cnmi[3] {
        1 => {
            let (length, hex) = messages::printed(&octets);
            vec![format!("+CDS: {length}\r\n{hex}")]
        }
        2 => {
            let memory = world.settings.cpms[2];
            let place = world.messages.store(memory, octets);
            let told = place.map(|place| format!("+CDSI: \"{}\",{place}", memory.name()));
            told.into_iter().collect()
        }
        _ => Vec::new(),
    }
}

/// The network delivers what it holds, as far as there is service and room.
pub(in crate::sim7600) fn deliver(world: &mut World) -> Vec<String> {
    let mut lines = Vec::new();
    while world.has_service() && world.boot >= Boot::MessagesRead {
        let settings = &world.settings;
        let (memory, mode) = (settings.cpms[2], settings.cnmi[1]);
        if mode == 2 {
            let Some(octets) = world.messages.held() else {
                break;
            };
            let (length, hex) = messages::printed(octets);
            lines.push(format!("+CMT: ,{length}\r\n{hex}"));
            world.messages.passed_on();
            continue;
        }
        match world.messages.offer(memory) {
            None => break,
            Some(Offered::At(place)) => {
                if mode == 1 {
                    lines.push(format!("+CMTI: \"{}\",{place}", memory.name()));
                }
            }
            Some(Offered::Full { is_news }) => {
                if is_news {
                    lines.push(if world.config.messages.full_without_storage {
                        "+CMTI: ,-1".to_owned()
                    } else {
                        format!("+CMTI: \"{}\",-1", memory.name())
                    });
                }
                break;
            }
        }
    }
    lines
}
